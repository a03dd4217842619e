package calendartest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// TestStore is the conformance suite for a calendar.Store. newStore returns an empty one each time.
func TestStore(t *testing.T, newStore func(t *testing.T) calendar.Store) {
	t.Helper()
	for name, test := range map[string]func(suite, *testing.T){
		"Events":      suite.testEvents,
		"Versions":    suite.testVersions,
		"Rollback":    suite.testRollback,
		"Isolation":   suite.testIsolation,
		"List":        suite.testList,
		"Busy":        suite.testBusy,
		"Holdings":    suite.testHoldings,
		"Race":        suite.testRace,
		"Resources":   suite.testResources,
		"StrangeText": suite.testStrangeText,
	} {
		t.Run(name, func(t *testing.T) { test(suite{newStore(t)}, t) })
	}
}

type suite struct{ calendar.Store }

const other identity.TenantID = "other"

func event(id string, start, end time.Time, attendees ...string) calendar.Event {
	ev := calendar.Event{
		ID: id, UID: "uid-" + id, Tenant: Tenant, OrganizerID: "alice", OrganizerEmail: "alice@example.com", OrganizerName: "Alice",
		Title: "T", Location: "L", Description: "D\nD", Start: start, End: end, TimeZone: "Asia/Tokyo",
		Visibility: calendar.Public, Status: calendar.Confirmed, Version: 1, CreatedBy: "alice", CreatedAt: Noon, UpdatedAt: Noon,
	}
	for _, who := range attendees {
		ev.Attendees = append(ev.Attendees, calendar.Attendee{Email: who + "@example.com", UserID: who, Partstat: calendar.NeedsAction})
	}
	return ev
}

func at(hours int) time.Time { return Noon.Add(time.Duration(hours) * time.Hour) }

func hold(ev calendar.Event, resources ...string) []calendar.Holding {
	var held []calendar.Holding
	for _, r := range resources {
		held = append(held, calendar.Holding{ResourceID: r, EventID: ev.ID, Span: calendar.Span{Start: ev.Start, End: ev.End}})
	}
	return held
}

func (s suite) insert(t *testing.T, ev calendar.Event, resources ...string) {
	t.Helper()
	if err := s.Insert(t.Context(), ev, hold(ev, resources...)); err != nil {
		t.Fatal(err)
	}
}

// change updates an event in a transaction of its own.
func (s suite) change(ctx context.Context, id string, edit func(*calendar.Event)) error {
	return s.Do(ctx, func(ctx context.Context) error {
		was, err := s.LockEvent(ctx, Tenant, id)
		if err != nil {
			return err
		}
		ev := was
		ev.Attendees = append([]calendar.Attendee(nil), was.Attendees...)
		ev.Version++
		edit(&ev)
		return s.Update(ctx, was, ev)
	})
}

func (s suite) listed(t *testing.T, q calendar.Query) []string {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	events, err := s.List(t.Context(), Tenant, q)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, ev := range events {
		ids = append(ids, ev.ID)
	}
	return ids
}

func wantIDs(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (s suite) testEvents(t *testing.T) {
	ev := event("e1", at(1), at(2), "bob", "carol")
	ev.ResourceIDs, ev.ApprovalReasons = []string{"room-a"}, []string{"resource"}
	s.insert(t, ev, "room-a")
	same := func(want calendar.Event) {
		t.Helper()
		got, err := s.Event(t.Context(), Tenant, "e1")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	same(ev)
	if id, err := s.EventID(t.Context(), Tenant, "uid-e1"); id != "e1" || err != nil {
		t.Errorf("by UID: %q, %v", id, err)
	}
	if _, err := s.LockEvent(t.Context(), Tenant, "e1"); err == nil {
		t.Error("a lock without a transaction was given")
	}
	edit := func(ev *calendar.Event) {
		ev.Version, ev.Title, ev.Start, ev.End = 2, "U", at(3), at(5)
		ev.Attendees = []calendar.Attendee{
			{Email: "carol@example.com", UserID: "carol", Partstat: calendar.Accepted, ReplyStamp: Noon, ReplyTime: Noon, ReplySequence: 1, Comment: "c", Invited: true},
			{Email: "x@outside.example", External: true, Partstat: calendar.NeedsAction, Undeliverable: true},
		}
	}
	if err := s.change(t.Context(), "e1", edit); err != nil {
		t.Fatal(err)
	}
	edit(&ev)
	same(ev)
	wantIDs(t, "bob's after he was taken off", s.listed(t, calendar.Query{OwnerID: "bob"}))
	wantIDs(t, "carol's at the new time", s.listed(t, calendar.Query{OwnerID: "carol", From: at(4), To: at(5)}), "e1")
	for _, id := range []string{"none", ""} {
		if _, err := s.Event(t.Context(), Tenant, id); !errors.Is(err, calendar.ErrNotFound) {
			t.Errorf("an unknown id: %v", err)
		}
		if _, err := s.EventID(t.Context(), Tenant, id); !errors.Is(err, calendar.ErrNotFound) {
			t.Errorf("an unknown UID: %v", err)
		}
	}
}

func (s suite) testVersions(t *testing.T) {
	s.insert(t, event("e1", at(1), at(2)))
	was, err := s.Event(t.Context(), Tenant, "e1")
	if err != nil {
		t.Fatal(err)
	}
	stale := was
	stale.Version = 7
	err = s.Do(t.Context(), func(ctx context.Context) error { return s.Update(ctx, stale, was) })
	if !errors.Is(err, calendar.ErrVersionMismatch) {
		t.Errorf("got %v", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := s.change(t.Context(), "e1", func(*calendar.Event) {}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got, _ := s.Event(t.Context(), Tenant, "e1"); got.Version != 9 {
		t.Errorf("version %d after eight changes", got.Version)
	}
}

func (s suite) testRollback(t *testing.T) {
	boom := errors.New("boom")
	err := s.Do(t.Context(), func(ctx context.Context) error {
		ev := event("e1", at(1), at(2), "bob")
		if err := s.Insert(ctx, ev, hold(ev, "room-a")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if _, err := s.Event(t.Context(), Tenant, "e1"); !errors.Is(err, calendar.ErrNotFound) {
		t.Errorf("the event stayed: %v", err)
	}
	wantIDs(t, "bob's", s.listed(t, calendar.Query{OwnerID: "bob"}))
	s.insert(t, event("e2", at(1), at(2)), "room-a")
}

func (s suite) testIsolation(t *testing.T) {
	s.insert(t, event("e1", at(1), at(2)), "room-a")
	theirs := event("e1", at(1), at(2))
	theirs.Tenant, theirs.Title = other, "theirs"
	s.insert(t, theirs, "room-a")
	if ev, err := s.Event(t.Context(), Tenant, "e1"); err != nil || ev.Title != "T" {
		t.Errorf("got %+v, %v", ev, err)
	}
	only := event("e2", at(3), at(4))
	only.Tenant = other
	s.insert(t, only, "room-b")
	if _, err := s.Event(t.Context(), Tenant, "e2"); !errors.Is(err, calendar.ErrNotFound) {
		t.Errorf("another tenant's event: %v", err)
	}
	wantIDs(t, "listing", s.listed(t, calendar.Query{OwnerID: "alice"}), "e1")
	wantIDs(t, "by resource", s.listed(t, calendar.Query{ResourceID: "room-b"}))
	if busy, err := s.Busy(t.Context(), Tenant, []string{"alice"}, at(0), at(9)); err != nil || len(busy) != 1 {
		t.Errorf("busy: %v, %v", busy, err)
	}
	if held, err := s.Holdings(t.Context(), Tenant, []string{"room-a", "room-b"}, at(0), at(9)); err != nil || len(held) != 1 {
		t.Errorf("holdings: %v, %v", held, err)
	}
}

func (s suite) testList(t *testing.T) {
	day := 24
	s.insert(t, event("a", at(1), at(2), "bob"))
	s.insert(t, event("b", at(2), at(3)))
	s.insert(t, event("c", at(2), at(4)))
	s.insert(t, event("year", at(-300*day), at(60*day)))
	s.insert(t, event("week", at(-6*day), at(day)))
	gone := event("gone", at(1), at(2))
	gone.Status = calendar.Cancelled
	s.insert(t, gone)
	wait := event("wait", at(5), at(6))
	wait.Status = calendar.Pending
	buffered := hold(wait, "room-a")
	buffered[0].End = at(8)
	if err := s.Insert(t.Context(), wait, buffered); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		q    calendar.Query
		want []string
	}{
		{"all", calendar.Query{OwnerID: "alice"}, []string{"year", "week", "a", "b", "c", "wait"}},
		{"half-open at both ends", calendar.Query{OwnerID: "alice", From: at(2), To: at(5)}, []string{"year", "week", "b", "c"}},
		{"the end of the long one", calendar.Query{OwnerID: "alice", From: at(59 * day), To: at(61 * day)}, []string{"year"}},
		{"after the long one", calendar.Query{OwnerID: "alice", From: at(60 * day), To: at(61 * day)}, nil},
		{"pending", calendar.Query{OwnerID: "alice", Status: calendar.Pending}, []string{"wait"}},
		{"pending, behind more than a page of others", calendar.Query{OwnerID: "alice", Status: calendar.Pending, Limit: 1}, []string{"wait"}},
		{"cancelled", calendar.Query{OwnerID: "alice", Status: calendar.Cancelled, From: at(0), To: at(9)}, []string{"gone"}},
		{"attendee", calendar.Query{OwnerID: "bob"}, []string{"a"}},
		{"resource", calendar.Query{ResourceID: "room-a"}, []string{"wait"}},
		{"resource, in the buffer", calendar.Query{ResourceID: "room-a", From: at(6), To: at(9)}, nil},
		{"resource and status", calendar.Query{ResourceID: "room-a", Status: calendar.Confirmed}, nil},
		{"resource and owner", calendar.Query{ResourceID: "room-a", OwnerID: "alice", From: at(0), To: at(9)}, []string{"wait"}},
		{"resource and another", calendar.Query{ResourceID: "room-a", OwnerID: "bob"}, nil},
		{"first two", calendar.Query{OwnerID: "alice", Limit: 2}, []string{"year", "week"}},
		{"after b", calendar.Query{OwnerID: "alice", AfterStart: at(2), AfterID: "b"}, []string{"c", "wait"}},
		{"from b's start", calendar.Query{OwnerID: "alice", AfterStart: at(2)}, []string{"b", "c", "wait"}},
		{"nobody", calendar.Query{OwnerID: "nobody"}, nil},
	} {
		wantIDs(t, c.name, s.listed(t, c.q), c.want...)
	}
	err := s.change(t.Context(), "a", func(ev *calendar.Event) { ev.Attendees[0].Partstat = calendar.Declined })
	if err != nil {
		t.Fatal(err)
	}
	wantIDs(t, "declined", s.listed(t, calendar.Query{OwnerID: "bob"}))
}

func (s suite) testBusy(t *testing.T) {
	secret := event("s", at(1), at(2), "bob")
	secret.Visibility = calendar.Private
	s.insert(t, secret)
	s.insert(t, event("p", at(3), at(4), "carol"))
	gone := event("g", at(3), at(4))
	gone.Status = calendar.Cancelled
	s.insert(t, gone)
	got, err := s.Busy(t.Context(), Tenant, []string{"alice", "bob"}, at(0), at(9))
	if err != nil || len(got) != 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, o := range got {
		if o.Event.ID == "s" && (len(o.Event.Attendees) != 1 || o.Event.Visibility != calendar.Private || o.Event.OrganizerID != "alice") {
			t.Errorf("got %+v", o)
		}
		if o.Event.Title != "" {
			t.Error("a title is more than is asked")
		}
	}
}

func (s suite) testHoldings(t *testing.T) {
	taken := func(err error) {
		t.Helper()
		if !errors.Is(err, calendar.ErrResourceConflict) {
			t.Errorf("got %v", err)
		}
	}
	s.insert(t, event("e1", at(1), at(2)), "room-a")
	s.insert(t, event("e2", at(2), at(3)), "room-a") // half-open
	s.insert(t, event("e3", at(1), at(2)), "room-b")
	late := event("e4", at(0), at(9))
	taken(s.Insert(t.Context(), late, hold(late, "room-a")))
	taken(s.Insert(t.Context(), late, hold(late, "room-b", "room-c")))
	s.insert(t, late, "room-c")

	replace := func(id string, held []calendar.Holding) error {
		return s.Do(t.Context(), func(ctx context.Context) error { return s.Hold(ctx, Tenant, id, held) })
	}
	taken(replace("e3", hold(event("e3", at(1), at(2)), "room-a")))
	if err := replace("e1", hold(event("e1", at(0), at(2)), "room-a")); err != nil {
		t.Errorf("into its own time: %v", err)
	}
	if err := replace("e1", nil); err != nil {
		t.Fatal(err)
	}
	if err := replace("e3", hold(event("e3", at(1), at(2)), "room-a")); err != nil {
		t.Errorf("what was freed is not free: %v", err)
	}
	held, err := s.Holdings(t.Context(), Tenant, []string{"room-a", "room-b"}, at(0), at(9))
	if err != nil || len(held) != 2 || held[0].EventID != "e3" || held[1].EventID != "e2" {
		t.Errorf("got %+v, %v", held, err)
	}
	long := event("long", at(-24*365), at(-1)) // what began long before still holds
	s.insert(t, long, "room-a")
	for _, c := range []struct {
		from, to int
		want     string
	}{{-2, 0, "long"}, {-1, 1, ""}, {-2, 2, "long e3"}, {1, 3, "e3 e2"}, {2, 3, "e2"}, {3, 4, ""}, {-24 * 400, 9, "long e3 e2"}} {
		held, err := s.Holdings(t.Context(), Tenant, []string{"room-a", "room-a", "none"}, at(c.from), at(c.to))
		ids := []string{}
		for _, h := range held {
			ids = append(ids, h.EventID)
		}
		if got := strings.Join(ids, " "); got != c.want || err != nil {
			t.Errorf("from %d to %d: %q, want %q, %v", c.from, c.to, got, c.want, err)
		}
	}
}

func (s suite) testRace(t *testing.T) {
	const clients = 16
	results := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			ev := event(string(rune('a'+i)), at(1), at(2))
			results[i] = s.Insert(t.Context(), ev, hold(ev, "room-a", "room-b"))
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, calendar.ErrResourceConflict):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d winners", won)
	}
}

func (s suite) testResources(t *testing.T) {
	for _, id := range []string{"c", "a", "b"} {
		r := calendar.Resource{ID: id, Tenant: Tenant, Name: id, Kind: "room", Capacity: 3, Buffer: time.Minute, Active: true, Version: 1}
		if id == "c" {
			r.Kind = "car"
		}
		if err := s.InsertResource(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if err := s.InsertResource(t.Context(), r); !errors.Is(err, calendar.ErrDuplicate) {
			t.Errorf("twice: %v", err)
		}
	}
	found, err := s.Resources(t.Context(), Tenant, []string{"a", "none"})
	if err != nil || len(found) != 1 || found[0].Buffer != time.Minute || !found[0].Active || found[0].Tenant != Tenant {
		t.Fatalf("got %+v, %v", found, err)
	}
	r := found[0]
	r.Version, r.Active, r.RequiresApproval = 2, false, true
	if err := s.UpdateResource(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := s.UpdateResource(t.Context(), r); !errors.Is(err, calendar.ErrVersionMismatch) {
		t.Errorf("stale: %v", err)
	}
	if found, _ = s.Resources(t.Context(), Tenant, []string{"a"}); len(found) != 1 || found[0] != r {
		t.Errorf("got %+v", found)
	}
	if found, _ = s.Resources(t.Context(), other, []string{"a"}); len(found) != 0 {
		t.Errorf("another tenant's: %+v", found)
	}
	first, err := s.ListResources(t.Context(), Tenant, "", page.Request{Limit: 2})
	if err != nil || len(first.Items) != 2 || first.Items[0].ID != "a" || first.Next == "" {
		t.Fatalf("got %+v, %v", first, err)
	}
	second, err := s.ListResources(t.Context(), Tenant, "", page.Request{Limit: 2, Cursor: first.Next})
	if err != nil || len(second.Items) != 1 || second.Items[0].ID != "c" || second.Next != "" {
		t.Fatalf("got %+v, %v", second, err)
	}
	if cars, _ := s.ListResources(t.Context(), Tenant, "car", page.Request{}); len(cars.Items) != 1 {
		t.Errorf("got %+v", cars)
	}
	if _, err := s.ListResources(t.Context(), Tenant, "", page.Request{Cursor: "nonsense"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("got %v", err)
	}
}

// testStrangeText stores what would be SQL, or a placeholder, if it were put into a statement carelessly.
func (s suite) testStrangeText(t *testing.T) {
	for i, text := range []string{`'); DROP TABLE calendar_events; --`, `what? ?0 ?? \? \`, `"quoted" $1 {} 会議 😀`, "a\tb\nc\\n"} {
		id := string(rune('a' + i))
		ev := event(id, at(i), at(i+1))
		ev.Title, ev.Description, ev.OrganizerName, ev.ResourceIDs = text, text, text, []string{text}
		ev.Attendees = []calendar.Attendee{{Email: "x@outside.example", Name: text, External: true, Partstat: calendar.NeedsAction}}
		s.insert(t, ev, text)
		if err := s.change(t.Context(), id, func(next *calendar.Event) { next.CauseText, next.Attendees[0].Comment = text, text }); err != nil {
			t.Fatal(err)
		}
		ev.Version, ev.CauseText, ev.Attendees[0].Comment = 2, text, text
		if got, err := s.Event(t.Context(), Tenant, id); err != nil || !reflect.DeepEqual(got, ev) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, ev)
		}
	}
}
