package outboxbun

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

const columns = "position, lane, id, tenant, subject, sequence, type, time, data, trace"

// read returns the events of a query for columns. It scans by hand: this is where a claim spends its time.
func read(rows *sql.Rows, err error) ([]transport.Claimed, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []transport.Claimed
	for rows.Next() {
		var c transport.Claimed
		var at sqldb.Time
		var data string
		ev := &c.Event
		if err := rows.Scan(&c.Position, &c.Lane, &ev.ID, &ev.Tenant, &ev.Subject, &ev.Sequence, &ev.Type, &at, &data, &ev.Trace); err != nil {
			return nil, err
		}
		ev.Time, ev.Data = at.Time, json.RawMessage(data)
		out = append(out, c)
	}
	return out, rows.Err()
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

var claimFrom = sqldb.NewStatement("SELECT " + columns + " FROM transport_claim(?, ?, ?, ?, ?, ?)")

func (s *Store) claimPostgres(ctx context.Context, limit int, lease time.Duration) (transport.Claim, error) {
	from, err := s.floor.from(ctx, s.look)
	if err != nil {
		return transport.Claim{}, err
	}
	token := uuid.NewString()
	events, err := read(s.db.Query(ctx, claimFrom, from, limit, token, lease, s.db.Offset(), relaxed(ctx)))
	return transport.Claim{Token: token, Events: events}, err
}

// look sees the first unsent event from a position on, and which transactions are open.
func (s *Store) look(ctx context.Context, from int64) (l look, err error) {
	err = s.db.IDB(ctx).NewRaw(`SELECT (SELECT COALESCE(min(position), 0) FROM transport_outbox WHERE sent_at IS NULL AND position >= ?),
		pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() AS s`, from).Scan(ctx, &l.first, &l.oldest, &l.next)
	return l, err
}

// relaxed says whether a claim or a mark may be lost in a power cut, so that it need not wait for the disk: not in a
// caller's transaction, which may hold more.
func relaxed(ctx context.Context) bool { return !sqldb.InTx(ctx) }

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
		claim.Token = token
		if claim.Events, err = read(db.QueryContext(ctx, "SELECT "+columns+" FROM "+unsent+
			" WHERE sent_at IS NULL AND lane IN (?) ORDER BY position LIMIT ?", bun.List(leased), limit)); err != nil {
			return err
		}
		for _, c := range claim.Events {
			leased = slices.DeleteFunc(leased, func(l int) bool { return l == c.Lane })
		}
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

var settle = sqldb.NewStatement("SELECT transport_settle(?, ?, ?, ?, ?, ?)")

// Settle implements transport.OutboxStore.
func (s *Store) Settle(ctx context.Context, token string, sent []int64, done []int, lease time.Duration) error {
	if s.db.IsPostgres() {
		return s.db.Exec(ctx, settle, token, sent, done, lease, s.db.Offset(), relaxed(ctx))
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

// Forget deletes what is kept of a subject's events from before t: those that were sent, and those that a handler failed
// for good, so that nobody replays them. Events that still have to be published stay.
func (s *Store) Forget(ctx context.Context, tenant identity.TenantID, subject string, t time.Time) error {
	c := s.db.Script()
	c.Addf("DELETE FROM transport_outbox WHERE tenant = ? AND subject = ? AND time < ? AND sent_at IS NOT NULL", string(tenant), subject, sqldb.At(t))
	c.Addf("DELETE FROM transport_poison WHERE tenant = ? AND subject = ? AND time < ?", string(tenant), subject, sqldb.At(t))
	_, err := s.db.Run(ctx, c)
	return err
}
