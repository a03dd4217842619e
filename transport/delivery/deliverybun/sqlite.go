package deliverybun

import (
	"context"

	"github.com/uptrace/bun"

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

// free is the condition for a row q of the queue to be claimed.
const free = "q.next_attempt_at <= ? AND q.kind IN (?) AND (q.leased_until IS NULL OR q.leased_until <= ?)"

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
	ids, err := texts(s.db.IDB(ctx).QueryContext(ctx, string(q.text)))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return deliveries(s.db.IDB(ctx).QueryContext(ctx, "SELECT "+columns+" FROM delivery_queue AS q JOIN deliveries AS d ON d.id = q.id WHERE q.id IN (?) ORDER BY q.next_attempt_at, q.seq", bun.List(ids)))
}

var (
	addDelivery = sqldb.NewStatement(`INSERT INTO deliveries (id, tenant, kind, destination, dedupe_key, subject, event_id, order_key, payload, state,
	attempts, max_attempts, last_error, created_at, finished_at, resend_of, resent_by, trace)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, kind, dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING`)
	addPlace = sqldb.NewStatement(`INSERT INTO delivery_queue (id, lane, kind, order_key, next_attempt_at, attempts, lease_token, leased_until)
SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM deliveries WHERE id = ?)`)
	leave = sqldb.NewStatement("DELETE FROM delivery_queue WHERE id = ? AND lease_token = ? RETURNING id")
	end   = sqldb.NewStatement(`UPDATE deliveries SET state = ?, attempts = ?, finished_at = ?, last_error = ?,
	attempt_started_at = ?, attempt_us = ?, attempt_status = ?, attempt_response = ? WHERE id = ?`)
)

// insertSQLite writes deliveries and their places in the queue, those only that the table let in.
func insertSQLite(put *sqldb.Script, ds []delivery.Delivery) {
	for _, d := range ds {
		put.Call(addDelivery, d.ID, string(d.Tenant), d.Kind, d.Destination, maybe(d.Key), d.Subject, d.EventID, d.OrderKey, string(d.Payload),
			string(stored(d.State)), d.Attempts, d.MaxAttempts, d.LastError, sqldb.At(d.CreatedAt), sqldb.At(d.FinishedAt), d.ResendOf, d.ResentBy, d.Trace)
		if !d.State.Final() {
			put.Call(addPlace, d.ID, lane(d.Lane()), d.Kind, d.OrderKey, sqldb.At(d.NextAttemptAt), d.Attempts, maybe(d.LeaseToken), sqldb.At(leaseEnd(d)), d.ID)
		}
	}
}

// finishSQLite ends deliveries, and returns the ids of those whose lease still had its token.
func (s *Store) finishSQLite(ctx context.Context, final []delivery.Outcome) (held []string, err error) {
	c := s.db.Script()
	for _, o := range final {
		gone, err := texts(s.db.Query(ctx, leave, o.ID, o.Token))
		if err != nil {
			return nil, err
		}
		if len(gone) == 0 {
			continue
		}
		var a delivery.Attempt
		if o.Attempt != nil {
			a = *o.Attempt
		}
		held = append(held, o.ID)
		c.Call(end, string(o.State), o.Attempts, sqldb.At(o.Finished), o.LastError, sqldb.At(a.StartedAt), a.Duration.Microseconds(), a.Status, a.Response, o.ID)
	}
	_, err = s.db.Run(ctx, c)
	return held, err
}
