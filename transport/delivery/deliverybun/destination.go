package deliverybun

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
)

const destinations = `SELECT lane, failures, failing_since, last_error, warned, trips, held_until, disabled_at, disabled_reason,
	limit_per_second, limit_burst, limit_at FROM delivery_destinations `

func (s *Store) destinations(ctx context.Context, db bun.IDB, where string, args ...any) ([]delivery.Destination, error) {
	rows, err := db.QueryContext(ctx, destinations+where, args...)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	defer func() { _ = rows.Close() }()
	var out []delivery.Destination
	for rows.Next() {
		var d delivery.Destination
		var name string
		var since, held, disabled, limit sqldb.Time
		err := rows.Scan(&name, &d.Failures, &since, &d.LastError, &d.Warned, &d.Trips, &held, &disabled, &d.DisabledReason,
			&d.Limit.PerSecond, &d.Limit.Burst, &limit)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		d.Lane, d.FailingSince, d.HeldUntil, d.DisabledAt, d.LimitAt = parseLane(name), since.Time, held.Time, disabled.Time, limit.Time
		out = append(out, d)
	}
	return out, sqldb.Fault(rows.Err())
}

// Destination implements delivery.Destinations.
func (s *Store) Destination(ctx context.Context, l delivery.Lane) (delivery.Destination, error) {
	ds, err := s.destinations(ctx, s.db.Reader(ctx), "WHERE lane = ?", lane(l))
	if err != nil || len(ds) == 0 {
		return delivery.Destination{Lane: l}, err
	}
	return ds[0], nil
}

// ListDestinations implements delivery.Destinations.
func (s *Store) ListDestinations(ctx context.Context, tenant identity.TenantID) ([]delivery.Destination, error) {
	return s.destinations(ctx, s.db.Reader(ctx), "WHERE tenant = ? ORDER BY destination", string(tenant))
}

// LockDestinations implements delivery.Destinations. A row that does not exist yet cannot be locked; a name can.
func (s *Store) LockDestinations(ctx context.Context, lanes []delivery.Lane) ([]delivery.Destination, error) {
	names := make([]string, len(lanes))
	keys := make([]string, len(lanes))
	for i, l := range lanes {
		names[i] = lane(l)
		keys[i] = "delivery.destination/" + names[i]
	}
	slices.Sort(keys)
	if err := s.db.Lock(ctx, keys...); err != nil {
		return nil, err
	}
	ds, err := s.destinations(ctx, s.db.IDB(ctx), "WHERE lane IN (?)", bun.List(names))
	if err != nil {
		return nil, err
	}
	out := make([]delivery.Destination, len(lanes))
	for i, l := range lanes {
		out[i].Lane = l
		for _, d := range ds {
			if d.Lane == l {
				out[i] = d
			}
		}
	}
	return out, nil
}

// SaveDestinations implements delivery.Destinations.
func (s *Store) SaveDestinations(ctx context.Context, ds []delivery.Destination, now time.Time) error {
	names := make([]string, len(ds))
	var keep []delivery.Destination
	for i, d := range ds {
		names[i] = lane(d.Lane)
		if !d.Idle() {
			keep = append(keep, d)
		}
	}
	if len(ds) == 0 {
		return nil
	}
	c := s.script(ctx)
	c.add("DELETE FROM delivery_destinations WHERE lane IN (?);\n", bun.List(names))
	if len(keep) > 0 {
		c.add(`INSERT INTO delivery_destinations (lane, tenant, destination, failures, failing_since, last_error, warned, trips, held_until,
			disabled_at, disabled_reason, limit_per_second, limit_burst, limit_at, updated_at) VALUES `)
		c.list(len(keep), "("+strings.Repeat("?,", 14)+"?)", func(i int) []any {
			d := keep[i]
			return []any{
				lane(d.Lane), string(d.Tenant), d.Lane.Destination, d.Failures, sqldb.At(d.FailingSince), d.LastError, d.Warned, d.Trips,
				sqldb.At(d.HeldUntil), sqldb.At(d.DisabledAt), d.DisabledReason, d.Limit.PerSecond, d.Limit.Burst, sqldb.At(d.LimitAt), sqldb.At(now),
			}
		})
	}
	return s.db.Do(ctx, func(ctx context.Context) error {
		return s.run(ctx, c)
	})
}

const recoverable = "FROM delivery_dead WHERE lane = ? AND finished_at >= ? AND resent = 0"

// CountDead implements delivery.Jobs.
func (s *Store) CountDead(ctx context.Context, l delivery.Lane, since time.Time) (int, error) {
	var n int
	err := s.db.Reader(ctx).NewRaw("SELECT count(*) "+recoverable, lane(l), sqldb.At(since)).Scan(ctx, &n)
	return n, sqldb.Fault(err)
}

// Dead implements delivery.Jobs.
func (s *Store) Dead(ctx context.Context, l delivery.Lane, since time.Time, limit int) ([]delivery.Delivery, error) {
	query := "SELECT id " + recoverable + " ORDER BY finished_at, id LIMIT ?"
	if s.db.IsPostgres() {
		query += " FOR UPDATE"
	}
	ids, err := texts(s.db.IDB(ctx).QueryContext(ctx, query, lane(l), sqldb.At(since), limit))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return deliveries(s.db.IDB(ctx).QueryContext(ctx, selected+"WHERE d.id IN (?) ORDER BY d.finished_at, d.id", bun.List(ids)))
}
