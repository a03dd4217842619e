package calendarbun

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// Event implements calendar.Events.
func (s *Store) Event(ctx context.Context, tenant identity.TenantID, id string) (calendar.Event, error) {
	return s.one(ctx, s.db.Reader(ctx), "", tenant, id)
}

// LockEvent implements calendar.Events. SQLite's one writer needs no lock.
func (s *Store) LockEvent(ctx context.Context, tenant identity.TenantID, id string) (calendar.Event, error) {
	if !sqldb.InTx(ctx) {
		return calendar.Event{}, errNoTransaction
	}
	lock := ""
	if s.db.IsPostgres() {
		lock = "UPDATE"
	}
	return s.one(ctx, s.db.IDB(ctx), lock, tenant, id)
}

func (s *Store) one(ctx context.Context, db bun.IDB, lock string, tenant identity.TenantID, id string) (calendar.Event, error) {
	var row eventRow
	q := db.NewSelect().Model(&row).Where("tenant = ?", string(tenant)).Where("id = ?", id)
	if lock != "" {
		q = q.For(lock)
	}
	if err := q.Scan(ctx); err != nil {
		return calendar.Event{}, notFound(err)
	}
	events := []calendar.Event{row.event()}
	err := s.attend(ctx, db, tenant, events, func(calendar.Event) bool { return true })
	return events[0], err
}

// EventID implements calendar.Events.
func (s *Store) EventID(ctx context.Context, tenant identity.TenantID, uid string) (string, error) {
	var id string
	err := s.db.Reader(ctx).NewSelect().Model((*eventRow)(nil)).Column("id").
		Where("tenant = ?", string(tenant)).Where("uid = ?", uid).Scan(ctx, &id)
	return id, notFound(err)
}

// attend loads the attendees of those events that are wanted, in one query.
func (s *Store) attend(ctx context.Context, db bun.IDB, tenant identity.TenantID, events []calendar.Event, wanted func(calendar.Event) bool) error {
	at := make(map[string][]int, len(events))
	ids := make([]string, 0, len(events))
	for i, ev := range events {
		if !wanted(ev) {
			continue
		}
		if at[ev.ID] == nil {
			ids = append(ids, ev.ID)
		}
		at[ev.ID] = append(at[ev.ID], i)
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []attendeeRow
	err := db.NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("event_id IN (?)", bun.List(ids)).
		OrderExpr("event_id, position").Scan(ctx)
	for _, r := range rows {
		for _, i := range at[r.EventID] {
			events[i].Attendees = append(events[i].Attendees, r.attendee())
		}
	}
	return sqldb.Fault(err)
}

// lane is a part of a calendar, and how long its events may be.
type lane struct {
	id      int
	longest time.Duration
}

func lanes(status calendar.Status) []lane {
	if status == calendar.Cancelled {
		return []lane{{laneCancelled, calendar.LongestEvent}}
	}
	return []lane{{laneShort, longestShort}, {laneLong, calendar.LongestEvent}}
}

// within bounds a query by time from both sides: without the lower bound, which the longest length allows, it would read
// everything that began before to.
func within(q *bun.SelectQuery, longest time.Duration, from, to time.Time) *bun.SelectQuery {
	if !from.IsZero() {
		q = q.Where("start_at > ?", sqldb.At(from.Add(-longest))).Where("end_at > ?", sqldb.At(from))
	}
	if !to.IsZero() {
		q = q.Where("start_at < ?", sqldb.At(to))
	}
	return q
}

// after goes on behind the last one seen.
func after(q *bun.SelectQuery, want calendar.Query) *bun.SelectQuery {
	switch {
	case want.AfterStart.IsZero():
		return q
	case want.AfterID == "":
		return q.Where("start_at >= ?", sqldb.At(want.AfterStart))
	}
	return q.Where("(start_at, event_id) > (?, ?)", sqldb.At(want.AfterStart), want.AfterID)
}

// listedRow is an event at the time of one of its occurrences.
type listedRow struct {
	eventRow `bun:",extend"`

	At    sqldb.Time `bun:"occurs_at"`
	Until sqldb.Time `bun:"occurs_until"`
}

// List implements calendar.Events.
func (s *Store) List(ctx context.Context, tenant identity.TenantID, want calendar.Query) ([]calendar.Event, error) {
	db := s.db.Reader(ctx)
	var times *bun.SelectQuery
	// A page is the first of each part's first ones. SQLite limits a part of a UNION only as a subquery.
	add := func(q *bun.SelectQuery, longest time.Duration) {
		q = after(within(q, longest, want.From, want.To), want).
			Column("event_id", "start_at", "end_at").Where("tenant = ?", string(tenant)).OrderExpr("start_at, event_id").Limit(int64(want.Limit))
		if want.Status != "" {
			// A scalar, so that PostgreSQL looks these events up by id and does not read all that have the status.
			q = q.Where("(SELECT status FROM calendar_events AS s WHERE s.tenant = ? AND s.id = event_id) = ?", string(tenant), string(want.Status))
		}
		part := db.NewSelect().TableExpr("(?) AS part", q)
		if times == nil {
			times = part
		} else {
			times = times.UnionAll(part)
		}
	}
	if want.OwnerID != "" {
		for _, l := range lanes(want.Status) {
			q := db.NewSelect().Model((*occurrenceRow)(nil)).Where("owner_id = ?", want.OwnerID).Where("lane = ?", l.id)
			if want.ResourceID != "" {
				q = q.Where("event_id IN (SELECT event_id FROM calendar_holdings WHERE tenant = ? AND resource_id = ?)", string(tenant), want.ResourceID)
			}
			add(q, l.longest)
		}
	} else {
		q := db.NewSelect().Model((*holdingRow)(nil)).Where("resource_id = ?", want.ResourceID)
		if !want.From.IsZero() { // a holding goes on after its event, by a buffer of a day at most
			q = q.Where("(SELECT s.end_at FROM calendar_events AS s WHERE s.tenant = ? AND s.id = event_id) > ?", string(tenant), sqldb.At(want.From))
		}
		add(q, calendar.LongestEvent+24*time.Hour)
	}
	var rows []listedRow
	q := db.NewSelect().Model(&rows).ColumnExpr("e.*").ColumnExpr("o.start_at AS occurs_at, o.end_at AS occurs_until").
		Join("JOIN (?) AS o ON o.event_id = e.id", times).Where("e.tenant = ?", string(tenant))
	if err := q.OrderExpr("o.start_at, o.event_id").Limit(int64(want.Limit)).Scan(ctx); err != nil {
		return nil, sqldb.Fault(err)
	}
	events := make([]calendar.Event, len(rows))
	for i, r := range rows {
		events[i] = r.event()
		if want.OwnerID != "" {
			events[i].Start, events[i].End = r.At.Time, r.Until.Time
		}
	}
	return events, s.attend(ctx, db, tenant, events, func(calendar.Event) bool { return true })
}

// Busy implements calendar.Events.
func (s *Store) Busy(ctx context.Context, tenant identity.TenantID, owners []string, from, to time.Time) ([]calendar.Occurrence, error) {
	db := s.db.Reader(ctx)
	var out []calendar.Occurrence
	var events []calendar.Event
	for _, l := range lanes("") {
		var rows []struct {
			OwnerID, EventID        string
			StartAt, EndAt          sqldb.Time
			OrganizerID, Visibility string
		}
		q := db.NewSelect().TableExpr("calendar_occurrences AS o").
			ColumnExpr("o.owner_id, o.event_id, o.start_at, o.end_at, e.organizer_id, e.visibility").
			Join("JOIN calendar_events AS e ON e.tenant = o.tenant AND e.id = o.event_id").
			Where("o.tenant = ?", string(tenant)).Where("o.owner_id IN (?)", bun.List(owners)).Where("o.lane = ?", l.id).
			Where("o.start_at > ?", sqldb.At(from.Add(-l.longest))).Where("o.start_at < ?", sqldb.At(to)).Where("o.end_at > ?", sqldb.At(from))
		if err := q.Scan(ctx, &rows); err != nil {
			return nil, sqldb.Fault(err)
		}
		for _, r := range rows {
			out = append(out, calendar.Occurrence{OwnerID: r.OwnerID})
			events = append(events, calendar.Event{
				ID: r.EventID, Tenant: tenant, OrganizerID: r.OrganizerID, Visibility: calendar.Visibility(r.Visibility),
				Start: r.StartAt.Time, End: r.EndAt.Time,
			})
		}
	}
	err := s.attend(ctx, db, tenant, events, func(ev calendar.Event) bool { return ev.Visibility != calendar.Public })
	for i := range out {
		out[i].Event = events[i]
	}
	return out, err
}
