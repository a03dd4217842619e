package calendar_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

var (
	migrations = []sqldb.Migration{calendarbun.Migrations}
	by         = calendartest.By
	meeting    = calendartest.Meeting
)

func guests(emails ...string) []calendar.NewAttendee {
	var list []calendar.NewAttendee
	for _, e := range emails {
		list = append(list, calendar.NewAttendee{Email: e})
	}
	return list
}

// each runs a test with a rig on both databases.
func each(t *testing.T, gated bool, f func(t *testing.T, r *calendartest.Rig)) {
	t.Helper()
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		var gate *calendartest.Gate
		if gated {
			gate = &calendartest.Gate{}
		}
		f(t, calendartest.NewRig(t, db, gate))
	})
}

func create(t *testing.T, r *calendartest.Rig, who string, in calendar.NewEvent) calendar.View {
	t.Helper()
	v, err := r.Create(t.Context(), by(who), in)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func get(t *testing.T, r *calendartest.Rig, id string) calendar.Event {
	t.Helper()
	ev, err := r.ByID(t.Context(), calendartest.Tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got %v, want %v", err, target)
	}
}

// sent puts invitations into words: "REQUEST 1 updated: a@x b@x".
func sent(r *calendartest.Rig) []string {
	words := []string{}
	for _, letter := range r.Log.Invitations() {
		w := fmt.Sprint(letter.Method, " ", letter.Event.Sequence)
		if letter.Updated {
			w += " updated"
		}
		for _, g := range letter.Guests {
			name, _, _ := strings.Cut(g.Email, "@")
			w += " " + name
		}
		words = append(words, w)
	}
	return words
}

func wantSent(t *testing.T, r *calendartest.Rig, want ...string) {
	t.Helper()
	if got := sent(r); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestCreate(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		in := meeting(time.Hour)
		in.Attendees = append(guests("MAILTO:Bob@EXAMPLE.com", "bob@example.com", "alice@example.com"), calendar.NewAttendee{Email: "g@outside.example", Name: "G"})
		in.Resources = []string{"room-b", "room-a", "room-a"}
		v := create(t, r, "alice", in)
		if v.Status != calendar.Confirmed || v.TimeZone != "Asia/Tokyo" || v.Visibility != calendar.Public || v.UID != v.ID || !v.Full {
			t.Errorf("got %+v", v)
		}
		if got := fmt.Sprint(v.ResourceIDs, len(v.Attendees)); got != "[room-a room-b] 3" {
			t.Errorf("got %s", got)
		}
		bob, alice, guest := v.Attendees[0], v.Attendees[1], v.Attendees[2]
		if bob.UserID != "bob" || bob.External || bob.Invited || alice.Partstat != calendar.Accepted || !guest.External || !guest.Invited {
			t.Errorf("got %+v", v.Attendees)
		}
		events, entries := r.Log.Take()
		if len(events) != 2 || events[0].Type != calendar.EventCreated || events[1].Type != calendar.EventInvitation || len(entries) != 1 ||
			entries[0].Action != calendar.ActionCreate || entries[0].TargetID != v.ID || entries[0].Metadata["is_proxy"] != nil {
			t.Errorf("got %+v, %+v", events, entries)
		}
		if stored := get(t, r, v.ID); stored.Title != v.Title || !slices.Equal(stored.Attendees, v.Attendees) {
			t.Errorf("stored %+v", stored)
		}
		_, err := r.Create(t.Context(), by("nobody"), meeting(0))
		want(t, err, calendar.ErrUnknownOrganizer)
		in = meeting(5 * time.Hour)
		in.Recurrence = "FREQ=DAILY"
		_, err = r.Create(t.Context(), by("alice"), in)
		want(t, err, calendar.ErrRecurrence)
	})
}

// TestAllDayWithoutMidnight: where the clocks skip midnight, a day begins at one.
func TestAllDayWithoutMidnight(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		in := meeting(0)
		in.AllDay, in.TimeZone = true, "Asia/Beirut"
		in.Start, in.End = time.Date(2030, 3, 30, 22, 0, 0, 0, time.UTC), time.Date(2030, 3, 31, 21, 0, 0, 0, time.UTC)
		create(t, r, "alice", in)
		for _, off := range []time.Duration{time.Hour, -time.Hour, time.Millisecond} {
			late := in
			late.Start = in.Start.Add(off)
			if _, err := r.Create(t.Context(), by("alice"), late); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%s off: %v", off, err)
			}
		}
	})
}

func TestOneSlot(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		const clients = 64
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		results := make([]error, clients)
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				in := meeting(time.Hour)
				in.Resources = []string{"room-a"}
				_, results[i] = r.Create(ctx, by("alice"), in)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range results {
			var conflict *calendar.ResourceConflict
			switch {
			case err == nil:
				won++
			case !errors.As(err, &conflict), fault.ReasonOf(err) != "resource_conflict", len(conflict.Alternatives) != 3:
				t.Errorf("got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d winners", won)
		}
		if list, err := r.List(ctx, by("alice"), calendar.Filter{}, page.Request{}); err != nil || len(list.Items) != 1 {
			t.Errorf("%d events, %v", len(list.Items), err)
		}
	})
}

func TestConflict(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		at := func(from, to time.Duration, rooms ...string) calendar.NewEvent {
			in := meeting(from)
			in.End, in.Resources, in.Visibility = calendartest.Noon.Add(to), rooms, calendar.Private
			return in
		}
		refused := func(in calendar.NewEvent) []string {
			t.Helper()
			_, err := r.Create(t.Context(), by("bob"), in)
			var conflict *calendar.ResourceConflict
			if !errors.As(err, &conflict) {
				t.Fatalf("got %v", err)
			}
			words := []string{}
			for _, s := range conflict.Alternatives {
				words = append(words, fmt.Sprint(s.ResourceID, " ", s.Start.Sub(calendartest.Noon)))
			}
			return words
		}
		check := func(in calendar.NewEvent, want ...string) {
			t.Helper()
			if got := refused(in); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		create(t, r, "alice", at(2*time.Hour, 3*time.Hour, "room-a"))
		create(t, r, "alice", at(3*time.Hour, 4*time.Hour, "room-a"))
		check(at(2*time.Hour, 3*time.Hour, "room-a"), "room-b 2h0m0s", "room-large 2h0m0s", "room-a 1h0m0s")
		create(t, r, "alice", at(2*time.Hour, 4*time.Hour, "room-b", "room-large"))
		check(at(2*time.Hour, 3*time.Hour, "room-a"), "room-a 1h0m0s")
		check(at(3*time.Hour, 4*time.Hour, "room-a"), "room-a 4h0m0s")
		check(at(2*time.Hour, 3*time.Hour, "room-a", "room-b"), "room-a 1h0m0s")
		create(t, r, "alice", at(10*time.Minute, 20*time.Minute, "room-buffer"))
		check(at(34*time.Minute, 40*time.Minute, "room-buffer"), "room-buffer 1h4m0s", "room-buffer 1h34m0s") // not into the past
		create(t, r, "alice", at(35*time.Minute, 40*time.Minute, "room-buffer"))

		busy, err := r.Availability(t.Context(), by("bob"), "room-buffer", calendartest.Noon, calendartest.Noon.Add(time.Hour))
		if err != nil || len(busy) != 1 || busy[0].End.Sub(busy[0].Start) != 45*time.Minute {
			t.Errorf("got %v, %v", busy, err)
		}
		mine := create(t, r, "bob", at(5*time.Hour, 6*time.Hour, "room-a"))
		_, err = r.Update(t.Context(), by("bob"), mine.ID, 0, calendar.Patch{Start: new(calendartest.Noon.Add(3 * time.Hour))})
		want(t, err, calendar.ErrResourceConflict)
		if got := get(t, r, mine.ID); got.Version != 1 || !got.Start.Equal(mine.Start) {
			t.Errorf("a refused change stayed: %+v", got)
		}
		if _, err := r.Update(t.Context(), by("bob"), mine.ID, 1, calendar.Patch{Start: new(calendartest.Noon.Add(4 * time.Hour))}); err != nil {
			t.Errorf("into its own time: %v", err)
		}
		if err := r.Cancel(t.Context(), by("bob"), mine.ID, 2); err != nil {
			t.Fatal(err)
		}
		create(t, r, "alice", at(5*time.Hour, 6*time.Hour, "room-a"))
	})
}

func TestCapacityAndUse(t *testing.T) {
	r := calendartest.NewRig(t, sqldbtest.SQLite(t, migrations...), nil)
	in := meeting(time.Hour)
	in.Resources = []string{"room-a"}
	for i := range 8 {
		in.Attendees = append(in.Attendees, calendar.NewAttendee{Email: fmt.Sprintf("g%d@outside.example", i)})
	}
	_, err := r.Create(t.Context(), by("alice"), in)
	want(t, err, calendar.ErrOverCapacity) // the organizer is the ninth
	in.Attendees[0].Email = "alice@example.com"
	v := create(t, r, "alice", in)
	more := append(slices.Clone(in.Attendees), guests("late@outside.example")...)
	_, err = r.Update(t.Context(), by("alice"), v.ID, 1, calendar.Patch{Attendees: &more})
	want(t, err, calendar.ErrOverCapacity)
	if _, err := r.UpdateResource(t.Context(), by("admin"), "room-a", 1, calendar.ResourcePatch{Active: new(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Update(t.Context(), by("alice"), v.ID, 1, calendar.Patch{Title: new("Moved")}); err != nil {
		t.Errorf("what is booked stays booked: %v", err)
	}
	_, err = r.Create(t.Context(), by("alice"), calendar.NewEvent{Title: "T", Start: in.End, End: in.End.Add(time.Hour), Resources: []string{"room-a"}})
	want(t, err, calendar.ErrUnknownResource)
}

// TestSequence is RFC 5546 §2.1.4 as a table: what a change does to SEQUENCE, and who is told.
func TestSequence(t *testing.T) {
	later := calendartest.Noon.Add(90 * time.Minute)
	for _, c := range []struct {
		name     string
		patch    calendar.Patch
		sequence int
		sent     []string
	}{
		{"nothing", calendar.Patch{}, 0, nil},
		{"description", calendar.Patch{Description: new("more")}, 0, []string{"REQUEST 0 updated g h"}},
		{"title", calendar.Patch{Title: new("Other")}, 0, []string{"REQUEST 0 updated g h"}},
		{"location", calendar.Patch{Location: new("Room 5")}, 0, []string{"REQUEST 0 updated g h"}},
		{"start", calendar.Patch{Start: new(later)}, 1, []string{"REQUEST 1 updated g h"}},
		{"end", calendar.Patch{End: new(later.Add(3 * time.Hour))}, 1, []string{"REQUEST 1 updated g h"}},
		{"time zone", calendar.Patch{TimeZone: new("Europe/Berlin")}, 1, []string{"REQUEST 1 updated g h"}},
		{"the same start", calendar.Patch{Start: new(calendartest.Noon.Add(time.Hour))}, 0, nil},
		{"one more", calendar.Patch{Attendees: new(guests("g@outside.example", "h@outside.example", "i@outside.example"))}, 0, []string{"REQUEST 0 i"}},
		{"one more inside", calendar.Patch{Attendees: new(guests("g@outside.example", "h@outside.example", "bob@example.com"))}, 0, nil},
		{"one less", calendar.Patch{Attendees: new(guests("g@outside.example"))}, 1, []string{"CANCEL 1 h", "REQUEST 1 updated g"}},
		{"the last", calendar.Patch{Attendees: new(guests())}, 1, []string{"CANCEL 1 g h"}},
		{"another", calendar.Patch{Attendees: new(guests("g@outside.example", "i@outside.example"))}, 1,
			[]string{"CANCEL 1 h", "REQUEST 1 updated g", "REQUEST 1 i"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := calendartest.NewRig(t, sqldbtest.SQLite(t, migrations...), nil)
			in := meeting(time.Hour)
			in.Attendees = guests("g@outside.example", "h@outside.example")
			v := create(t, r, "alice", in)
			wantSent(t, r, "REQUEST 0 g h")
			got, err := r.Update(t.Context(), by("alice"), v.ID, 1, c.patch)
			if err != nil || got.Sequence != c.sequence || got.Version != 2 {
				t.Errorf("got %+v, %v", got, err)
			}
			wantSent(t, r, c.sent...)
			if err := r.Cancel(t.Context(), by("alice"), v.ID, 0); err != nil {
				t.Fatal(err)
			}
			if ev := get(t, r, v.ID); ev.Sequence != c.sequence+1 {
				t.Errorf("the cancellation has SEQUENCE %d", ev.Sequence)
			}
		})
	}
}

// TestUninvited takes a guest off the list and changes everything else with the same patch: the guest hears nothing of it.
func TestUninvited(t *testing.T) {
	r := calendartest.NewRig(t, sqldbtest.SQLite(t, migrations...), nil)
	in := meeting(time.Hour)
	in.Attendees = guests("g@outside.example")
	v := create(t, r, "alice", in)
	sent(r)
	_, err := r.Update(t.Context(), by("alice"), v.ID, 1, calendar.Patch{
		Title: new("Without G"), Location: new("Hidden"), Description: new("Why"), Start: new(v.Start.Add(time.Hour)), End: new(v.End.Add(time.Hour)),
		Visibility: new(calendar.Private), Attendees: new(guests("h@outside.example")),
	})
	if err != nil {
		t.Fatal(err)
	}
	letters := r.Log.Invitations()
	if len(letters) != 2 || letters[0].Method != calendar.Cancel || letters[1].Event.Title != "Without G" {
		t.Fatalf("got %+v", letters)
	}
	told := letters[0].Event
	if told.Title != v.Title || told.Location != "" || told.Description != "" || !told.Start.Equal(v.Start) || !told.End.Equal(v.End) ||
		told.Visibility != v.Visibility || len(told.Attendees) != 1 || told.Sequence != 1 || told.UID != v.UID {
		t.Errorf("the one who was taken off the list was told %+v", told)
	}
}

func TestMovingAsksAnew(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		in := meeting(time.Hour)
		in.Attendees = guests("alice@example.com", "bob@example.com")
		v := create(t, r, "alice", in)
		if _, err := r.Respond(t.Context(), by("bob"), v.ID, calendar.Response{Partstat: calendar.Declined}); err != nil {
			t.Fatal(err)
		}
		count := func() int {
			t.Helper()
			list, err := r.List(t.Context(), by("bob"), calendar.Filter{OwnerID: "bob"}, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			return len(list.Items)
		}
		if count() != 0 {
			t.Error("a declined event is in the calendar")
		}
		if _, err := r.Update(t.Context(), by("alice"), v.ID, 0, calendar.Patch{End: new(v.End.Add(time.Hour))}); err != nil {
			t.Fatal(err)
		}
		ev := get(t, r, v.ID)
		if ev.Attendees[0].Partstat != calendar.Accepted || ev.Attendees[1].Partstat != calendar.NeedsAction || count() != 1 {
			t.Errorf("got %+v", ev.Attendees)
		}
	})
}

func TestReplies(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		in := meeting(time.Hour)
		in.Attendees = guests("g@outside.example")
		v := create(t, r, "alice", in)
		sent(r)
		answer := calendar.Attendee{Email: "MAILTO:G@outside.example", Partstat: calendar.Tentative, Comment: "maybe", ReplyStamp: calendartest.Noon, ReplyTime: calendartest.Noon}
		if err := r.ApplyReply(t.Context(), calendartest.Tenant, v.ID, answer); err != nil {
			t.Fatal(err)
		}
		ev, err := r.ByUID(t.Context(), calendartest.Tenant, v.UID)
		if err != nil || ev.Attendees[0].Partstat != calendar.Tentative || ev.Attendees[0].Comment != "maybe" || !ev.Attendees[0].ReplyStamp.Equal(calendartest.Noon) ||
			ev.Sequence != 0 || ev.Version != 2 {
			t.Errorf("got %+v, %v", ev, err)
		}
		wantSent(t, r)
		want(t, r.ApplyReply(t.Context(), calendartest.Tenant, v.ID, calendar.Attendee{Email: "x@outside.example"}), calendar.ErrNotInvited)
		want(t, r.ApplyReply(t.Context(), "other", v.ID, answer), calendar.ErrNotFound)

		crasher := calendar.Attendee{Email: "x@outside.example", Partstat: calendar.Accepted}
		if err := r.AddAttendee(t.Context(), by("alice"), v.ID, crasher); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r)
		if err := r.MarkUndeliverable(t.Context(), calendartest.Tenant, v.ID, "g@outside.example"); err != nil {
			t.Fatal(err)
		}
		if events, _ := r.Log.Take(); len(events) != 1 || events[0].Type != calendar.EventUpdated {
			t.Errorf("a new version and no event: %+v", events)
		}
		if ev := get(t, r, v.ID); len(ev.Attendees) != 2 || ev.Attendees[1].Partstat != calendar.Accepted || !ev.Attendees[0].Undeliverable {
			t.Errorf("got %+v", ev.Attendees)
		}
		if err := r.Resend(t.Context(), calendartest.Tenant, v.ID, "g@outside.example"); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r, "REQUEST 0 updated g")
		want(t, r.Resend(t.Context(), calendartest.Tenant, v.ID, "y@outside.example"), calendar.ErrNotInvited)
		want(t, r.Resend(t.Context(), "other", v.ID, "g@outside.example"), calendar.ErrNotFound)
		if err := r.DeclineCounter(t.Context(), by("alice"), v.ID, "G@outside.example"); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r, "DECLINECOUNTER 0 g")
		want(t, r.DeclineCounter(t.Context(), by("alice"), v.ID, "y@outside.example"), calendar.ErrNotInvited)
		if ev := get(t, r, v.ID); ev.Version != 4 {
			t.Errorf("a letter changed the event: version %d", ev.Version)
		}
		if err := r.Cancel(t.Context(), by("alice"), v.ID, 0); err != nil {
			t.Fatal(err)
		}
		wantSent(t, r, "CANCEL 1 g x")
		want(t, r.ApplyReply(t.Context(), calendartest.Tenant, v.ID, answer), calendar.ErrCancelled)
	})
}

// TestAdmittedGuestsCount: who comes in by a reply counts like who is on the list from the beginning.
func TestAdmittedGuestsCount(t *testing.T) {
	gate := &calendartest.Gate{}
	r := calendartest.NewRig(t, sqldbtest.SQLite(t, migrations...), gate)
	crowd := func(n int, resources ...string) calendar.View {
		in := meeting(time.Hour)
		for i := range n {
			in.Attendees = append(in.Attendees, guests(fmt.Sprintf("g%d@outside.example", i))...)
		}
		in.Resources = resources
		return create(t, r, "alice", in)
	}
	crasher := calendar.Attendee{Email: "x@outside.example"}
	full := crowd(7, "room-a") // and alice
	want(t, r.AddAttendee(t.Context(), by("alice"), full.ID, crasher), calendar.ErrOverCapacity)
	if ev := get(t, r, full.ID); ev.Version != 1 || len(ev.Attendees) != 7 {
		t.Errorf("got %+v", ev)
	}
	nine := crowd(9)
	sent(r)
	if err := r.AddAttendee(t.Context(), by("secretary").For("alice"), nine.ID, crasher); err != nil {
		t.Fatal(err)
	}
	if ev := get(t, r, nine.ID); ev.Status != calendar.Pending || ev.ApprovalID != "request-1" || !slices.Equal(ev.ApprovalReasons, []string{"attendees"}) {
		t.Errorf("ten come without consent: %+v", ev)
	}
	wantSent(t, r)
	if err := r.Confirm(t.Context(), calendartest.Tenant, nine.ID); err != nil {
		t.Fatal(err)
	}
	if got := sent(r); len(got) != 1 || !strings.HasSuffix(got[0], "g8 x") {
		t.Errorf("sent %q", got)
	}
	most := crowd(500)
	if err := r.AddAttendee(t.Context(), by("alice"), most.ID, crasher); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("the 501st: %v", err)
	}
}

// TestConflictInAnEmbeddersTransaction: an embedder who takes the alternatives of a conflict and commits has no event
// without its room.
func TestConflictInAnEmbeddersTransaction(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		in := meeting(time.Hour)
		in.Resources = []string{"room-a"}
		create(t, r, "bob", in)
		err := r.DB.Do(t.Context(), func(ctx context.Context) error {
			tx, ok := r.DB.IDB(ctx).(bun.Tx)
			if !ok {
				t.Fatal("no transaction")
			}
			_, err := r.Create(sqldb.WithTx(t.Context(), tx), by("alice"), in)
			var conflict *calendar.ResourceConflict
			if !errors.As(err, &conflict) || len(conflict.Alternatives) != 3 {
				t.Errorf("got %v", err)
			}
			return nil // commits
		})
		if err != nil {
			t.Fatal(err)
		}
		if list, err := r.List(t.Context(), by("alice"), calendar.Filter{}, page.Request{}); err != nil || len(list.Items) != 0 {
			t.Errorf("got %+v, %v", list.Items, err)
		}
	})
}
