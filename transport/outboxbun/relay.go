package outboxbun

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

type outboxRow struct {
	Position int64
	Lane     int
	ID       string
	Tenant   string
	Subject  string
	Sequence int64
	Type     string
	Time     sqldb.Time
	Data     string
	Trace    string
}

func (r outboxRow) claimed() transport.Claimed {
	return transport.Claimed{Position: r.Position, Lane: r.Lane, Event: transport.Event{
		ID: r.ID, Type: r.Type, Tenant: identity.TenantID(r.Tenant), Subject: r.Subject, Time: r.Time.Time,
		Sequence: r.Sequence, Data: json.RawMessage(r.Data), Trace: r.Trace,
	}}
}

// Claim implements transport.OutboxStore.
func (s *Store) Claim(ctx context.Context, limit int, lease time.Duration) (transport.Claim, error) {
	claim := s.claimSQLite
	if s.db.IsPostgres() {
		claim = s.claimPostgres
	}
	c, err := claim(ctx, limit, lease)
	return c, sqldb.Fault(err)
}

func (s *Store) claimPostgres(ctx context.Context, limit int, lease time.Duration) (transport.Claim, error) {
	from, err := s.floor.from(ctx, s.firstUnsent)
	if err != nil {
		return transport.Claim{}, err
	}
	token := uuid.NewString()
	claim := func(from int64) (rows []outboxRow, err error) {
		err = s.db.IDB(ctx).NewRaw("SELECT position, lane, id, tenant, subject, sequence, type, time, data, trace FROM transport_claim(?, ?, ?, ?, ?, ?)",
			from, limit, token, interval(lease), interval(s.db.Offset()), relaxed(ctx)).Scan(ctx, &rows)
		return rows, err
	}
	rows, err := claim(from)
	if err == nil && len(rows) == 0 && from > 0 {
		rows, err = claim(0) // nothing new, so there is time for what may have come late
	}
	return claimed(token, rows), err
}

// firstUnsent returns the position of the first unsent event, or 0.
func (s *Store) firstUnsent(ctx context.Context) (position int64, err error) {
	err = s.db.IDB(ctx).NewRaw("SELECT COALESCE(min(position), 0) FROM transport_outbox WHERE sent_at IS NULL").Scan(ctx, &position)
	return position, err
}

// relaxed says whether a claim or a mark may be lost in a power cut, so that it need not wait for the disk: not in a
// caller's transaction, which may hold more.
func relaxed(ctx context.Context) bool { return !sqldb.InTx(ctx) }

// interval is a duration as PostgreSQL reads it.
func interval(d time.Duration) string {
	return strconv.FormatInt(d.Microseconds(), 10) + " microseconds"
}

func claimed(token string, rows []outboxRow) transport.Claim {
	c := transport.Claim{Token: token, Events: make([]transport.Claimed, len(rows))}
	for i, r := range rows {
		c.Events[i] = r.claimed()
	}
	return c
}

func (s *Store) claimSQLite(ctx context.Context, limit int, lease time.Duration) (claim transport.Claim, err error) {
	err = s.db.Do(ctx, func(ctx context.Context) error {
		db, token := s.db.IDB(ctx), uuid.NewString()
		now, err := s.db.Now(ctx)
		if err != nil {
			return err
		}
		var leased []int
		if err := db.NewRaw(leaseLanes, sqldb.At(now), limit, sqldb.At(now), token, sqldb.At(now.Add(lease))).Scan(ctx, &leased); err != nil {
			return err
		}
		if len(leased) == 0 {
			return nil
		}
		var rows []outboxRow
		if err := db.NewRaw("SELECT position, lane, id, tenant, subject, sequence, type, time, data, trace FROM "+unsent+
			" WHERE sent_at IS NULL AND lane IN (?) ORDER BY position LIMIT ?", bun.List(leased), limit).Scan(ctx, &rows); err != nil {
			return err
		}
		for _, r := range rows {
			leased = slices.DeleteFunc(leased, func(l int) bool { return l == r.Lane })
		}
		claim = claimed(token, rows)
		return s.free(ctx, token, leased)
	})
	return claim, err
}

// unsent keeps SQLite from walking over the sent rows by their primary key.
const unsent = "transport_outbox INDEXED BY transport_outbox_unsent"

// leaseLanes leases the free lanes of the first unsent events. Its arguments: now, limit, now, token, lease's end.
const leaseLanes = `WITH waiting AS (
	SELECT lane FROM ` + unsent + `
	WHERE sent_at IS NULL AND lane NOT IN (SELECT lane FROM transport_lanes WHERE leased_until > ?)
	ORDER BY position LIMIT ?
), free AS (
	SELECT lane FROM transport_lanes
	WHERE lane IN (SELECT lane FROM waiting) AND (leased_until IS NULL OR leased_until <= ?) ORDER BY lane
)
UPDATE transport_lanes SET token = ?, leased_until = ? WHERE lane IN (SELECT lane FROM free) RETURNING lane`

// free gives lanes back, if they are still leased under the token.
func (s *Store) free(ctx context.Context, token string, lanes []int) error {
	if len(lanes) == 0 {
		return nil
	}
	_, err := s.db.IDB(ctx).NewRaw("UPDATE transport_lanes SET token = NULL, leased_until = NULL WHERE token = ? AND lane IN (?)",
		token, bun.List(lanes)).Exec(ctx)
	return err
}

// Settle implements transport.OutboxStore.
func (s *Store) Settle(ctx context.Context, token string, sent []int64, done []int, lease time.Duration) error {
	if s.db.IsPostgres() {
		_, err := s.db.IDB(ctx).ExecContext(ctx, "SELECT transport_settle(?, ?, ?, ?, ?, ?)",
			token, pgdialect.Array(sent), pgdialect.Array(done), interval(lease), interval(s.db.Offset()), relaxed(ctx))
		return sqldb.Fault(err)
	}
	return s.db.Do(ctx, func(ctx context.Context) error {
		db := s.db.IDB(ctx)
		now, err := s.db.Now(ctx)
		if err != nil {
			return err
		}
		if len(sent) > 0 {
			if _, err := db.NewRaw("UPDATE "+unsent+" SET sent_at = ? WHERE sent_at IS NULL AND position IN (?)",
				sqldb.At(now), bun.List(sent)).Exec(ctx); err != nil {
				return err
			}
		}
		if err := s.free(ctx, token, done); err != nil {
			return err
		}
		_, err = db.NewRaw("UPDATE transport_lanes SET leased_until = ? WHERE token = ?", sqldb.At(now.Add(lease)), token).Exec(ctx)
		return err
	})
}

// PruneOutbox implements transport.OutboxStore.
func (s *Store) PruneOutbox(ctx context.Context, keep time.Duration, limit int) (int, error) {
	return s.prune(ctx, "DELETE FROM transport_outbox WHERE id IN (SELECT id FROM transport_outbox WHERE sent_at < ? ORDER BY sent_at LIMIT ?)", keep, limit)
}

func (s *Store) prune(ctx context.Context, query string, keep time.Duration, limit int) (int, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return 0, err
	}
	res, err := s.db.IDB(ctx).NewRaw(query, sqldb.At(now.Add(-keep)), limit).Exec(ctx)
	if err != nil {
		return 0, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
