package calendarbun_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

var benchMigrations = []sqldb.Migration{calendarbun.Migrations, auditbun.Migrations, outboxbun.Migrations}

const rooms = 20

func benchService(b *testing.B, db *sqldb.DB) *calendar.Service {
	b.Helper()
	s, err := calendar.New(calendar.Config{
		Store: calendarbun.New(db), Outbox: outboxbun.New(db), Audit: auditbun.New(db), Directory: calendartest.Staff("alice", "bob"),
	})
	if err != nil {
		b.Fatal(err)
	}
	for i := range rooms {
		if _, err := s.CreateResource(b.Context(), calendartest.By("admin"), calendar.NewResource{ID: fmt.Sprint("room-", i), Name: "R"}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// clients runs f with 32 clients at once and reports the rate.
func clients(b *testing.B, f func(n int64) error) {
	b.Helper()
	var next atomic.Int64
	b.SetParallelism(max(1, 32/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(next.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}

// booking is the n-th booking: of one of the rooms, at an hour of its own, with a colleague and a guest outside.
func booking(n int64) calendar.NewEvent {
	in := calendartest.Meeting(time.Duration(n/rooms) * time.Hour)
	in.Attendees = []calendar.NewAttendee{{Email: "bob@example.com"}, {Email: "guest@outside.example", Name: "Guest"}}
	in.Resources = []string{fmt.Sprint("room-", n%rooms)}
	return in
}

// BenchmarkBook makes complete bookings: event, occurrences, attendees, holding, audit and outbox in a transaction.
func BenchmarkBook(b *testing.B) {
	sqldbtest.EachBench(b, benchMigrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		s := benchService(b, db)
		clients(b, func(n int64) error {
			_, err := s.Create(b.Context(), calendartest.By("alice"), booking(n))
			return err
		})
	})
}

// BenchmarkBare is a transaction that writes the same rows with nothing around it, to compare BenchmarkBook with: one
// statement per table, as a careful programmer writes it.
func BenchmarkBare(b *testing.B) {
	sqldbtest.EachBench(b, benchMigrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		benchService(b, db)
		clients(b, func(n int64) error {
			id, room := fmt.Sprintf("%020d", n), fmt.Sprint("room-", n%rooms)
			start := calendartest.Noon.Add(time.Duration(n/rooms) * time.Hour)
			end := start.Add(time.Hour)
			return bare(b.Context(), db, id, room, sqldb.At(start), sqldb.At(end))
		})
	})
}

// What the outbox carries of a booking.
var (
	changeJSON, _ = json.Marshal(calendar.Change{EventID: "01a1fc8e-e0af-70b4-8f9a-69924488ce53", OrganizerID: "alice", ActorID: "alice", Status: calendar.Confirmed, Version: 1})
	letterJSON, _ = json.Marshal(calendar.Invitation{
		Method: calendar.Request, Event: calendar.Event{
			ID: "01a1fc8e-e0af-70b4-8f9a-69924488ce53", UID: "01a1fc8e-e0af-70b4-8f9a-69924488ce53", Title: "Design review",
			Start: calendartest.Noon, End: calendartest.Noon, CreatedAt: calendartest.Noon, UpdatedAt: calendartest.Noon,
			Attendees: []calendar.Attendee{{Email: "bob@example.com"}, {Email: "guest@outside.example", Name: "Guest"}},
		},
		Guests: []calendar.Attendee{{Email: "guest@outside.example", Name: "Guest"}},
	})
)

func bare(ctx context.Context, db *sqldb.DB, id, room string, start, end sqldb.Time) error {
	return db.Do(ctx, func(ctx context.Context) error {
		exec := func(query string, args ...any) error {
			_, err := db.IDB(ctx).ExecContext(ctx, query, args...)
			return err
		}
		return errors.Join(
			exec(`INSERT INTO calendar_events VALUES ('acme', ?0, ?0, 'alice', 'alice@example.com', 'Alice', 'Design review', '', '', ?1, ?2, 'Asia/Tokyo', ?3,
				'', 'PUBLIC', 'CONFIRMED', '', '', 0, 1, '', NULL, ?4, 'alice', ?1, ?1)`, id, start, end, false, `["`+room+`"]`),
			exec(`INSERT INTO calendar_attendees VALUES ('acme', ?0, 'bob@example.com', 0, 'Bob', 'bob', ?1, 'NEEDS-ACTION', '', 0, NULL, NULL, ?1, ?1),
				('acme', ?0, 'guest@outside.example', 1, 'Guest', '', ?2, 'NEEDS-ACTION', '', 0, NULL, NULL, ?1, ?2)`, id, false, true),
			exec(`INSERT INTO calendar_occurrences VALUES ('acme', 'alice', 0, ?1, ?0, ?2), ('acme', 'bob', 0, ?1, ?0, ?2)`, id, start, end),
			exec(`INSERT INTO calendar_holdings (tenant, resource_id, start_at, end_at, event_id) VALUES ('acme', ?3, ?1, ?2, ?0)`, id, start, end, room),
			exec(`INSERT INTO audit_entries (id, tenant, time, actor_id, subject_id, action, target_kind, target_id, reason, metadata, request_id)
				VALUES ('a' || ?0, 'acme', ?1, 'alice', 'alice', 'CREATE_EVENT', 'calendar.event', ?0, '', '{}', '')`, id, start),
			exec(`INSERT INTO transport_subjects VALUES ('acme', 'calendar.event/' || ?0, 2)`, id),
			exec(`INSERT INTO transport_outbox (id, lane, tenant, subject, sequence, type, time, data)
				VALUES ('c' || ?0, 1, 'acme', 'calendar.event/' || ?0, 1, 'calendar.event.created', ?1, ?2),
					('i' || ?0, 1, 'acme', 'calendar.event/' || ?0, 2, 'calendar.invitation', ?1, ?3)`, id, start, string(changeJSON), string(letterJSON)),
		)
	})
}

// BenchmarkHotRoom books and cancels the same hour of the same room with 32 clients: one at a time can have it. A
// transaction is a booking that succeeded or was refused.
func BenchmarkHotRoom(b *testing.B) {
	sqldbtest.EachBench(b, benchMigrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		s := benchService(b, db)
		by := calendartest.By("alice")
		var booked atomic.Int64
		clients(b, func(int64) error {
			v, err := s.Create(b.Context(), by, booking(0))
			if errors.Is(err, calendar.ErrResourceConflict) {
				return nil
			}
			if err != nil {
				return err
			}
			booked.Add(1)
			return s.Cancel(b.Context(), by, v.ID, v.Version)
		})
		b.ReportMetric(float64(booked.Load())/float64(b.N), "booked/tx")
	})
}
