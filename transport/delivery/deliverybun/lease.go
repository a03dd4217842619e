package deliverybun

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
)

// Due implements delivery.Leases.
func (s *Store) Due(ctx context.Context, kinds []string, now time.Time, after delivery.Lane, limit int) ([]delivery.Waiting, error) {
	if s.db.IsPostgres() {
		return s.duePostgres(ctx, kinds, now, after, limit)
	}
	at := sqldb.At(now)
	return waiting(s.db.Reader(ctx).QueryContext(ctx, dueSQLite, lane(after), at, at, bun.List(kinds), at, limit))
}

// waiting reads the rows of a query for lanes.
func waiting(rows *sql.Rows, err error) ([]delivery.Waiting, error) {
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	defer func() { _ = rows.Close() }()
	var out []delivery.Waiting
	for rows.Next() {
		var name string
		var w delivery.Waiting
		if err := rows.Scan(&name, &w.Noted); err != nil {
			return nil, sqldb.Fault(err)
		}
		w.Lane = parseLane(name)
		out = append(out, w)
	}
	return out, sqldb.Fault(rows.Err())
}

// Claim implements delivery.Leases.
func (s *Store) Claim(ctx context.Context, c delivery.Claim) ([]delivery.Delivery, error) {
	if len(c.Rooms) == 0 {
		return nil, nil
	}
	if s.db.IsPostgres() {
		return s.claimPostgres(ctx, c)
	}
	var ds []delivery.Delivery
	err := s.db.Do(ctx, func(ctx context.Context) (err error) {
		ds, err = s.claimSQLite(ctx, c)
		return err
	})
	return ds, err
}

// window is how many due rows of a lane a claim looks at to find those that no earlier one of their order key holds up.
// Those behind one that is tried again are postponed with it, so they do not fill it.
const window = 1000

// Complete implements delivery.Leases.
func (s *Store) Complete(ctx context.Context, outcomes []delivery.Outcome) ([]string, error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	var final, again []delivery.Outcome
	for _, o := range outcomes {
		if o.State.Final() {
			final = append(final, o)
		} else {
			again = append(again, o)
		}
	}
	var held []string
	err := s.db.Do(ctx, func(ctx context.Context) (err error) {
		c := s.script(ctx)
		if held, err = s.finish(ctx, final); err != nil {
			return err
		}
		c.bury(died(final, held))
		waiting, err := s.hold(ctx, again)
		if err != nil {
			return err
		}
		for _, o := range waiting {
			held = append(held, o.ID)
		}
		s.postpone(c, waiting)
		return s.later(ctx, c)
	})
	return held, err
}

// finish ends deliveries, and returns the ids of those whose lease still had its token.
func (s *Store) finish(ctx context.Context, final []delivery.Outcome) ([]string, error) {
	switch {
	case len(final) == 0:
		return nil, nil
	case s.db.IsPostgres():
		return s.finishPostgres(ctx, final)
	}
	return s.finishSQLite(ctx, final)
}

// died returns the dead letters among those that are held.
func died(final []delivery.Outcome, held []string) []delivery.Delivery {
	var dead []delivery.Delivery
	for _, o := range final {
		if o.State == delivery.Dead && slices.Contains(held, o.ID) {
			dead = append(dead, delivery.Delivery{ID: o.ID, Tenant: o.Lane.Tenant, Destination: o.Lane.Destination, FinishedAt: o.Finished})
		}
	}
	return dead
}

// hold locks the places in the queue and returns the outcomes whose token still holds.
func (s *Store) hold(ctx context.Context, outcomes []delivery.Outcome) ([]delivery.Outcome, error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	ids := each(outcomes, func(o delivery.Outcome) string { return o.ID })
	query := "SELECT id || ' ' || lease_token FROM delivery_queue WHERE id IN (?) AND lease_token IS NOT NULL"
	if s.db.IsPostgres() {
		query += " FOR UPDATE"
	}
	pairs, err := texts(s.db.IDB(ctx).QueryContext(ctx, query, bun.List(ids)))
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		known[p] = true
	}
	ours := make([]delivery.Outcome, 0, len(outcomes))
	for _, o := range outcomes {
		if pair := o.ID + " " + o.Token; known[pair] {
			delete(known, pair) // once
			ours = append(ours, o)
		}
	}
	return ours, nil
}

// at is a placeholder that gives NULL a type on PostgreSQL. SQLite has no such types.
func (s *Store) at() string {
	if s.db.IsPostgres() {
		return "?::timestamptz"
	}
	return "?"
}

// postpone appends what lets deliveries wait again, and the attempts that they have made.
func (s *Store) postpone(c *script, again []delivery.Outcome) {
	if len(again) == 0 {
		return
	}
	ids := each(again, func(o delivery.Outcome) string { return o.ID })
	var lines []delivery.Attempt
	for _, o := range again {
		if o.Attempt != nil {
			lines = append(lines, *o.Attempt)
		}
	}
	c.add("WITH o (id, attempts, next) AS (VALUES ")
	c.list(len(again), "(?,?,"+s.at()+")", func(i int) []any {
		return []any{again[i].ID, again[i].Attempts, sqldb.At(again[i].Next)}
	})
	c.add(`) UPDATE delivery_queue SET attempts = o.attempts, next_attempt_at = o.next, lease_token = NULL, leased_until = NULL
		FROM o WHERE delivery_queue.id IN (?) AND delivery_queue.id = o.id;
	`, bun.List(ids))
	for _, o := range again {
		if o.OrderKey != "" {
			c.add(`UPDATE delivery_queue SET next_attempt_at = ? WHERE lane = ? AND order_key = ? AND order_key <> '' AND next_attempt_at < ?
				AND lease_token IS NULL;
			`, sqldb.At(o.Next), lane(o.Lane), o.OrderKey, sqldb.At(o.Next))
		}
	}
	c.add("WITH o (id, error) AS (VALUES ")
	c.list(len(again), "(?,?)", func(i int) []any { return []any{again[i].ID, again[i].LastError} })
	c.add(") UPDATE deliveries SET last_error = o.error FROM o WHERE deliveries.id IN (?) AND deliveries.id = o.id AND deliveries.last_error <> o.error;\n", bun.List(ids))
	if len(lines) == 0 {
		return
	}
	c.add("INSERT INTO delivery_attempts (delivery_id, number, started_at, duration_us, state, status, response, error) VALUES ")
	c.list(len(lines), "(?,?,?,?,?,?,?,?)", func(i int) []any {
		a := lines[i]
		return []any{a.DeliveryID, a.Number, sqldb.At(a.StartedAt), a.Duration.Microseconds(), string(a.State), a.Status, a.Response, a.Error}
	})
	c.add(";\n")
}

// Tidy implements delivery.Leases. What has left the queue stays in PostgreSQL's indexes until a vacuum, and each search
// walks over it: at thousands a second autovacuum, which looks once a minute, comes too late. SQLite leaves nothing behind.
func (s *Store) Tidy(ctx context.Context) error {
	if !s.db.IsPostgres() || sqldb.InTx(ctx) {
		return nil
	}
	_, err := s.db.IDB(ctx).ExecContext(ctx, "VACUUM (SKIP_LOCKED, TRUNCATE false, PARALLEL 0) delivery_queue")
	return sqldb.Fault(err)
}

// Cancel implements delivery.Leases.
func (s *Store) Cancel(ctx context.Context, tenant identity.TenantID, id, reason string, now time.Time) (delivery.Delivery, error) {
	var d delivery.Delivery
	err := s.db.Do(ctx, func(ctx context.Context) error {
		where := "WHERE d.tenant = ? AND d.id = ?"
		if s.db.IsPostgres() {
			if _, err := s.db.IDB(ctx).ExecContext(ctx, "SELECT 1 FROM delivery_queue WHERE id = ? FOR UPDATE", id); err != nil {
				return err
			}
		}
		var err error
		if d, err = s.one(ctx, where, string(tenant), id); err != nil {
			return err
		}
		if d.State != delivery.Pending {
			return delivery.ErrNotPending
		}
		d.State, d.LastError, d.NextAttemptAt, d.FinishedAt = delivery.Cancelled, reason, time.Time{}, now
		c := s.script(ctx)
		c.add("UPDATE deliveries SET state = 'cancelled', attempts = ?, finished_at = ?, last_error = ? WHERE id = ?;\n", d.Attempts, sqldb.At(now), reason, id)
		c.add("DELETE FROM delivery_queue WHERE id = ?;\n", id)
		return s.run(ctx, c)
	})
	return d, err
}

// History implements delivery.Jobs: the log, and the attempt that finished the delivery, which is in its own row.
func (s *Store) History(ctx context.Context, tenant identity.TenantID, ids []string) ([]delivery.Attempt, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query := `SELECT a.delivery_id, a.number, a.started_at, a.duration_us, a.state, a.status, a.response, a.error
		FROM delivery_attempts AS a JOIN deliveries AS d ON d.id = a.delivery_id WHERE d.tenant = ? AND d.id IN (?)
		UNION ALL
		SELECT d.id, d.attempts, d.attempt_started_at, d.attempt_us, d.state, d.attempt_status, d.attempt_response, d.last_error
		FROM deliveries AS d WHERE d.tenant = ? AND d.id IN (?) AND d.attempt_started_at IS NOT NULL ORDER BY 1, 2`
	rows, err := s.db.Reader(ctx).QueryContext(ctx, query, string(tenant), bun.List(ids), string(tenant), bun.List(ids))
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	defer func() { _ = rows.Close() }()
	var out []delivery.Attempt
	for rows.Next() {
		var a delivery.Attempt
		var started sqldb.Time
		var us int64
		if err := rows.Scan(&a.DeliveryID, &a.Number, &started, &us, &a.State, &a.Status, &a.Response, &a.Error); err != nil {
			return nil, sqldb.Fault(err)
		}
		a.StartedAt, a.Duration = started.Time, time.Duration(us)*time.Microsecond
		out = append(out, a)
	}
	return out, sqldb.Fault(rows.Err())
}
