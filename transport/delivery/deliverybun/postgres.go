package deliverybun

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
)

// What runs thousands of times a second is a function in PostgreSQL, which its connections keep planned. Rows come and go
// as a column each, because that is read faster than text.
var (
	dueLanes  = sqldb.NewStatement("SELECT waiting, noted FROM delivery_due(?, ?, ?, ?)")
	dueAmong  = sqldb.NewStatement("SELECT waiting, noted FROM delivery_due_among(?, ?, ?, ?, ?)")
	firstOf   = sqldb.NewStatement("SELECT lane, first FROM delivery_first(?, ?)")
	claimDue  = sqldb.NewStatement("SELECT * FROM delivery_claim(?, ?, ?, ?, ?, ?, ?, ?, ?)")
	insertAll = sqldb.NewStatement("SELECT delivery_insert(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	finishAll = sqldb.NewStatement("SELECT delivery_finish(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
)

// each makes a column of rows.
func each[T, V any](rows []T, value func(T) V) []V {
	out := make([]V, len(rows))
	for i, r := range rows {
		out[i] = value(r)
	}
	return out
}

// maybe is NULL for the zero value.
func maybe[V comparable](v V) *V {
	var zero V
	if v == zero {
		return nil
	}
	return &v
}

// instant is NULL for the zero time.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	at := sqldb.At(t).Time
	return &at
}

func (s *Store) duePostgres(ctx context.Context, kinds []string, now time.Time, after delivery.Lane, limit int) ([]delivery.Waiting, error) {
	lanes, from, whole := s.floors.known(lane(after))
	begin := time.Now()
	switch {
	case !whole && lanes != nil:
		return waiting(s.db.Query(ctx, dueAmong, lanes, from, kinds, sqldb.At(now), limit))
	case !whole:
		found, err := waiting(s.db.Query(ctx, dueLanes, lane(after), kinds, sqldb.At(now), limit))
		if err == nil {
			s.floors.took(time.Since(begin))
		}
		return found, err
	}
	found, err := waiting(s.db.Query(ctx, dueLanes, "", kinds, sqldb.At(now), allLanes))
	if err != nil {
		return nil, err
	}
	s.floors.searched(found, time.Since(begin))
	found = slices.DeleteFunc(found, func(w delivery.Waiting) bool { return lane(w.Lane) <= lane(after) })
	return found[:min(limit, len(found))], nil
}

// allLanes is more than there are.
const allLanes = 1_000_000

func (s *Store) claimPostgres(ctx context.Context, c delivery.Claim) ([]delivery.Delivery, error) {
	lanes := each(c.Rooms, func(r delivery.Room) string { return lane(r.Lane) })
	from, raise := s.floors.from(lanes)
	if raise {
		if err := s.raise(ctx, lanes, from); err != nil {
			return nil, err
		}
		from, _ = s.floors.from(lanes)
	}
	ordered := append([]string{}, c.Ordered...) // not NULL when there are none
	return deliveries(s.db.Query(ctx, claimDue, lanes, each(c.Rooms, func(r delivery.Room) int { return r.Max }), from,
		c.Kinds, ordered, window, sqldb.At(c.Now), sqldb.At(c.Until), c.Token))
}

// raise looks where the first place of the lanes is now.
func (s *Store) raise(ctx context.Context, lanes []string, from []time.Time) error {
	rows, err := s.db.Query(ctx, firstOf, lanes, from)
	if err != nil {
		return sqldb.Fault(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		var first sqldb.Time
		if err := rows.Scan(&name, &first); err != nil {
			return sqldb.Fault(err)
		}
		s.floors.raise(name, first.Time)
	}
	return sqldb.Fault(rows.Err())
}

type row = delivery.Delivery

// insertPostgres writes deliveries and their places in the queue.
func insertPostgres(c *sqldb.Script, ds []delivery.Delivery) {
	c.Call(insertAll,
		each(ds, func(d row) string { return d.ID }),
		each(ds, func(d row) string { return string(d.Tenant) }),
		each(ds, func(d row) string { return d.Kind }),
		each(ds, func(d row) string { return d.Destination }),
		each(ds, func(d row) *string { return maybe(d.Key) }),
		each(ds, func(d row) string { return d.Subject }),
		each(ds, func(d row) string { return d.EventID }),
		each(ds, func(d row) string { return d.OrderKey }),
		each(ds, func(d row) string { return string(d.Payload) }),
		each(ds, func(d row) string { return string(stored(d.State)) }),
		each(ds, func(d row) int { return d.Attempts }),
		each(ds, func(d row) int { return d.MaxAttempts }),
		each(ds, func(d row) string { return d.LastError }),
		each(ds, func(d row) *time.Time { return instant(d.CreatedAt) }),
		each(ds, func(d row) *time.Time { return instant(d.FinishedAt) }),
		each(ds, func(d row) string { return d.ResendOf }),
		each(ds, func(d row) string { return d.ResentBy }),
		each(ds, func(d row) string { return d.Trace }),
		each(ds, func(d row) string { return lane(d.Lane()) }),
		each(ds, func(d row) *time.Time { return instant(d.NextAttemptAt) }),
		each(ds, func(d row) *string { return maybe(d.LeaseToken) }),
		each(ds, func(d row) *time.Time { return instant(leaseEnd(d)) }),
	)
}

// finishPostgres ends deliveries, and returns the ids of those whose lease still had its token.
func (s *Store) finishPostgres(ctx context.Context, final []delivery.Outcome) ([]string, error) {
	attempts := each(final, func(o delivery.Outcome) delivery.Attempt {
		if o.Attempt == nil {
			return delivery.Attempt{}
		}
		return *o.Attempt
	})
	return texts(s.db.Query(ctx, finishAll,
		each(final, func(o delivery.Outcome) string { return o.ID }),
		each(final, func(o delivery.Outcome) string { return o.Token }),
		each(final, func(o delivery.Outcome) string { return string(o.State) }),
		each(final, func(o delivery.Outcome) int { return o.Attempts }),
		each(final, func(o delivery.Outcome) *time.Time { return instant(o.Finished) }),
		each(final, func(o delivery.Outcome) string { return o.LastError }),
		each(attempts, func(a delivery.Attempt) *time.Time { return instant(a.StartedAt) }),
		each(attempts, func(a delivery.Attempt) int64 { return a.Duration.Microseconds() }),
		each(attempts, func(a delivery.Attempt) int { return a.Status }),
		each(attempts, func(a delivery.Attempt) string { return a.Response }),
	))
}
