package deliverybun

import (
	"context"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
)

// dueSQLite is what delivery_due does on PostgreSQL.
const dueSQLite = `
WITH RECURSIVE waiting (lane) AS (
	SELECT min(lane) FROM delivery_queue WHERE lane > ?
	UNION ALL
	SELECT (SELECT min(q.lane) FROM delivery_queue AS q WHERE q.lane > waiting.lane) FROM waiting WHERE waiting.lane IS NOT NULL
)
SELECT w.lane, s.lane IS NOT NULL FROM waiting AS w LEFT JOIN delivery_destinations AS s ON s.lane = w.lane
WHERE w.lane IS NOT NULL AND s.disabled_at IS NULL AND (s.held_until IS NULL OR s.held_until <= ?) AND (
	SELECT q.id FROM delivery_queue AS q WHERE q.lane = w.lane AND q.next_attempt_at <= ? AND q.kind IN (?)
		AND (q.leased_until IS NULL OR q.leased_until <= ?)
	ORDER BY q.next_attempt_at LIMIT 1
) IS NOT NULL LIMIT ?`

// Due implements delivery.Leases.
func (s *Store) Due(ctx context.Context, kinds []string, now time.Time, after delivery.Lane, limit int) ([]delivery.Waiting, error) {
	at := sqldb.At(now)
	query, args := dueSQLite, []any{lane(after), at, at, bun.List(kinds), at, limit}
	if s.db.IsPostgres() {
		query, args = "SELECT waiting, noted FROM delivery_due(?, ?, ?, ?)", []any{lane(after), pgdialect.Array(kinds), at, limit}
	}
	rows, err := s.db.Reader(ctx).QueryContext(ctx, query, args...)
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

// free is the condition for a row q of the queue to be claimed.
const free = "q.next_attempt_at <= ? AND q.kind IN (?) AND (q.leased_until IS NULL OR q.leased_until <= ?)"

func (s *Store) claimPostgres(ctx context.Context, c delivery.Claim) ([]delivery.Delivery, error) {
	lanes, most := make([]string, len(c.Rooms)), make([]int, len(c.Rooms))
	for i, r := range c.Rooms {
		lanes[i], most[i] = lane(r.Lane), r.Max
	}
	ordered := append([]string{}, c.Ordered...) // not NULL when there are none
	return s.deliveries(ctx, s.db.IDB(ctx), "SELECT "+columns+" FROM delivery_claim(?, ?, ?, ?, ?, ?, ?, ?) AS c, LATERAL (SELECT (c.delivery).*) AS d, LATERAL (SELECT (c.place).*) AS q",
		pgdialect.Array(lanes), pgdialect.Array(most), pgdialect.Array(c.Kinds), pgdialect.Array(ordered), window, sqldb.At(c.Now), sqldb.At(c.Until), c.Token)
}

// window is how many due rows of a lane a claim looks at to find those that no earlier one of their order key holds up.
// Those behind one that is tried again are postponed with it, so they do not fill it.
const window = 1000

// heads appends a query for the first rows of a lane that are free and that no earlier one holds up.
func (c *script) heads(cl delivery.Claim, r delivery.Room) {
	now := sqldb.At(cl.Now)
	c.add("SELECT w.seq FROM (SELECT q.seq, q.lane, q.kind, q.order_key, q.next_attempt_at FROM delivery_queue AS q WHERE q.lane = ? AND "+free+
		" ORDER BY q.next_attempt_at, q.seq LIMIT ?) AS w", lane(r.Lane), now, bun.List(cl.Kinds), now, window)
	c.add(` WHERE w.order_key = '' OR w.kind NOT IN (?) OR NOT EXISTS (SELECT 1 FROM delivery_queue AS e
		WHERE e.lane = w.lane AND e.order_key = w.order_key AND e.order_key <> '' AND e.kind = w.kind AND e.seq < w.seq)`, bun.List(cl.Ordered))
	c.add(" ORDER BY w.next_attempt_at, w.seq LIMIT ?", r.Max)
}

func (s *Store) claimSQLite(ctx context.Context, c delivery.Claim) ([]delivery.Delivery, error) {
	now := sqldb.At(c.Now)
	q := s.script(ctx)
	q.add("UPDATE delivery_queue SET attempts = attempts + 1, lease_token = ?, leased_until = ? WHERE seq IN (", c.Token, sqldb.At(c.Until))
	for i, r := range c.Rooms {
		if i > 0 {
			q.add(" UNION ALL ")
		}
		if len(c.Ordered) > 0 {
			q.add("SELECT * FROM (")
			q.heads(c, r)
			q.add(")")
			continue
		}
		q.add("SELECT * FROM (SELECT q.seq FROM delivery_queue AS q WHERE q.lane = ? AND "+free, lane(r.Lane), now, bun.List(c.Kinds), now)
		q.add(" ORDER BY q.next_attempt_at, q.seq LIMIT ?)", r.Max)
	}
	q.add(") RETURNING id")
	ids, err := s.strings(ctx, s.db.IDB(ctx), string(q.text))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return s.deliveries(ctx, s.db.IDB(ctx), "SELECT "+columns+" FROM delivery_queue AS q JOIN deliveries AS d ON d.id = q.id WHERE q.id IN (?) ORDER BY q.next_attempt_at, q.seq", bun.List(ids))
}

// Complete implements delivery.Leases.
func (s *Store) Complete(ctx context.Context, outcomes []delivery.Outcome) ([]string, error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	var held []string
	err := s.db.Do(ctx, func(ctx context.Context) error {
		ours, err := s.hold(ctx, outcomes)
		if err != nil {
			return err
		}
		held = make([]string, len(ours))
		for i, o := range ours {
			held[i] = o.ID
		}
		c := s.script(ctx)
		s.finish(c, ours)
		s.postpone(c, ours)
		return s.later(ctx, c)
	})
	return held, err
}

// hold locks the places in the queue and returns the outcomes whose token still holds.
func (s *Store) hold(ctx context.Context, outcomes []delivery.Outcome) ([]delivery.Outcome, error) {
	ids := make([]string, len(outcomes))
	for i, o := range outcomes {
		ids[i] = o.ID
	}
	query := "SELECT id || ' ' || lease_token FROM delivery_queue WHERE id IN (?) AND lease_token IS NOT NULL"
	if s.db.IsPostgres() {
		query += " FOR UPDATE"
	}
	pairs, err := s.strings(ctx, s.db.IDB(ctx), query, bun.List(ids))
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

// finish appends what ends deliveries. The list of ids says nothing new but makes PostgreSQL use the primary key
// whatever it thinks of the table.
func (s *Store) finish(c *script, outcomes []delivery.Outcome) {
	var final []delivery.Outcome
	var ids []string
	for _, o := range outcomes {
		if o.State.Final() {
			final, ids = append(final, o), append(ids, o.ID)
		}
	}
	if len(final) == 0 {
		return
	}
	c.add(`WITH o (id, state, attempts, finished, error, started, us, status, response) AS (VALUES `)
	c.list(len(final), "(?,?,?,"+s.instant()+",?,"+s.instant()+",?,?,?)", func(i int) []any {
		o, a := final[i], delivery.Attempt{}
		if o.Attempt != nil {
			a = *o.Attempt
		}
		return []any{o.ID, string(o.State), o.Attempts, sqldb.At(o.Finished), o.LastError, sqldb.At(a.StartedAt), a.Duration.Microseconds(), a.Status, a.Response}
	})
	c.add(`) UPDATE deliveries SET state = o.state, attempts = o.attempts, finished_at = o.finished, last_error = o.error,
		attempt_started_at = o.started, attempt_us = o.us, attempt_status = o.status, attempt_response = o.response
		FROM o WHERE deliveries.id IN (?) AND deliveries.id = o.id;
	`, bun.List(ids))
	c.add("DELETE FROM delivery_queue WHERE id IN (?);\n", bun.List(ids))
	var dead []delivery.Outcome
	for _, o := range final {
		if o.State == delivery.Dead {
			dead = append(dead, o)
		}
	}
	if len(dead) > 0 {
		c.add("INSERT INTO delivery_dead (id, lane, tenant, finished_at, resent) VALUES ")
		c.list(len(dead), "(?,?,?,?,0)", func(i int) []any {
			return []any{dead[i].ID, lane(dead[i].Lane), string(dead[i].Lane.Tenant), sqldb.At(dead[i].Finished)}
		})
		c.add(";\n")
	}
}

// postpone appends what lets deliveries wait again, and the attempts that they have made.
func (s *Store) postpone(c *script, outcomes []delivery.Outcome) {
	var again []delivery.Outcome
	var ids []string
	var lines []delivery.Attempt
	for _, o := range outcomes {
		if o.State.Final() {
			continue
		}
		again, ids = append(again, o), append(ids, o.ID)
		if o.Attempt != nil {
			lines = append(lines, *o.Attempt)
		}
	}
	if len(again) == 0 {
		return
	}
	c.add("WITH o (id, attempts, next) AS (VALUES ")
	c.list(len(again), "(?,?,"+s.instant()+")", func(i int) []any {
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
