package calendar_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestPrivacy: for every viewer and level, no answer holds a byte of what is hidden, and what may be seen is there.
func TestPrivacy(t *testing.T) {
	r := calendartest.NewRig(t, sqldbtest.SQLite(t, migrations...), nil)
	r.Delegations[[2]string{"alice", "carol"}] = []calendar.Permission{calendar.ReadPrivate}
	r.Delegations[[2]string{"alice", "dave"}] = []calendar.Permission{calendar.Edit, calendar.Respond}
	foreign := by("exec")
	foreign.Tenant = "other"
	viewers := []struct {
		name string
		by   identity.Principal
		full bool // sees hidden events of alice and bob
	}{
		{"organizer", by("alice"), true},
		{"attendee", by("bob"), true},
		{"delegate with READ_PRIVATE, as herself", by("carol"), true},
		{"delegate with READ_PRIVATE, acting", by("carol").For("alice"), true},
		{"delegate with EDIT, as himself", by("dave"), false},
		{"delegate with EDIT, acting", by("dave").For("alice"), false},
		{"colleague", by("exec"), false},
		{"administrator", by("admin"), false},
		{"no delegate, acting", by("exec").For("alice"), false},
		{"another tenant", foreign, false},
	}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		ctx := t.Context()
		secret := fmt.Sprintf("Hunter%dQ", n)
		in := meeting(time.Duration(n) * 100 * time.Hour) // a stretch of time for each
		in.End = in.Start.Add(time.Duration(rapid.IntRange(1, 48).Draw(rt, "hours")) * time.Hour)
		in.Title, in.Location, in.Description = secret+"title", secret+"place", secret+"text"
		in.Attendees = append(guests("bob@example.com"), calendar.NewAttendee{Email: strings.ToLower(secret) + "@outside.example", Name: secret + "guest"})
		level := rapid.SampledFrom([]calendar.Visibility{calendar.Public, calendar.BusyOnly, calendar.Private}).Draw(rt, "level")
		in.Visibility = level
		if rapid.Bool().Draw(rt, "room") {
			in.Resources = []string{"room-a"}
		}
		v, err := r.Create(ctx, by("alice"), in)
		if err != nil {
			rt.Fatal(err)
		}
		who := rapid.SampledFrom(viewers).Draw(rt, "viewer")
		span := calendar.Filter{From: in.Start.Add(-time.Hour), To: in.End.Add(time.Hour)}
		list := func(f calendar.Filter) page.Page[calendar.View] {
			p, _ := r.List(ctx, who.by, f, page.Request{Limit: rapid.IntRange(1, 3).Draw(rt, "limit")})
			return p
		}
		owner := span
		owner.OwnerID = rapid.SampledFrom([]string{"alice", "bob"}).Draw(rt, "owner")
		status, room := owner, span
		status.Status = calendar.Confirmed
		room.ResourceID = "room-a"
		busy, _ := r.FreeBusy(ctx, who.by, []string{"alice", "bob"}, span.From, span.To)
		one, getErr := r.Get(ctx, who.by, v.ID)
		cancelErr := r.Cancel(ctx, who.by.For(""), "none", 0)
		conflicting := in
		conflicting.Title, conflicting.Location, conflicting.Description, conflicting.Attendees = "x", "", "", nil
		var conflictErr error
		if in.Resources != nil && who.by.Tenant == calendartest.Tenant && !who.by.IsProxy() {
			if _, conflictErr = r.Create(ctx, who.by, conflicting); !errors.Is(conflictErr, calendar.ErrResourceConflict) {
				rt.Fatalf("%s booked what is held: %v", who.name, conflictErr)
			}
		}
		listed, byStatus, byRoom := list(owner), list(status), list(room)
		text, err := json.Marshal([]any{listed, byStatus, byRoom, busy, one, fmt.Sprint(getErr, cancelErr, conflictErr)})
		if err != nil {
			rt.Fatal(err)
		}
		readable := who.full || level == calendar.Public && who.by.Tenant == calendartest.Tenant && who.name != "no delegate, acting"
		contains := func(s string) bool { return strings.Contains(strings.ToLower(string(text)), strings.ToLower(s)) }
		if readable {
			if !one.Full || len(listed.Items) != 1 || listed.Items[0].Title != in.Title || len(byStatus.Items) != 1 || len(byRoom.Items) != len(in.Resources) {
				rt.Fatalf("%s does not see a %s event: %s", who.name, level, text)
			}
			return
		}
		if contains(secret) || contains(v.ID) || contains("room-a") && conflictErr == nil {
			rt.Fatalf("%s sees of a %s event: %s", who.name, level, text)
		}
		seesTime := level == calendar.BusyOnly && who.by.Tenant == calendartest.Tenant && who.name != "no delegate, acting"
		wantListed := 0
		if seesTime {
			wantListed = 1
		}
		if len(listed.Items) != wantListed || len(byStatus.Items)+len(byRoom.Items) != 0 {
			rt.Fatalf("%s: %s", who.name, text)
		}
		for _, b := range busy {
			if (len(b.Busy) > 0) != seesTime {
				rt.Fatalf("%s: %s is busy %v", who.name, b.UserID, b.Busy)
			}
		}
	})
}

// TestViewOf: levels that nobody knows count as PRIVATE, and a reduced view is built of nothing but what it may hold.
func TestViewOf(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ev := calendar.Event{
			ID: "id", UID: "uid", OrganizerID: "alice", Title: "t", Start: calendartest.Noon, End: calendartest.Noon.Add(time.Hour), Version: 3,
			Visibility: calendar.Visibility(rapid.OneOf(rapid.Just("BUSY_ONLY"), rapid.String()).Draw(rt, "visibility")),
		}
		v, ok := calendar.ViewOf(ev, calendar.Viewer{UserID: "x", BusyTitle: "busy"})
		switch ev.Visibility {
		case calendar.Public:
		case calendar.BusyOnly:
			want := calendar.Event{Title: "busy", Start: ev.Start, End: ev.End}
			if !ok || v.Full || encoded(v.Event) != encoded(want) {
				rt.Fatalf("got %+v", v)
			}
		default:
			if ok || v.Full || v.Title != "" {
				rt.Fatalf("%q shows %+v", ev.Visibility, v)
			}
		}
		if v, ok := calendar.ViewOf(ev, calendar.Viewer{UserID: "alice"}); !ok || !v.Full {
			rt.Fatal("hidden from the organizer")
		}
		if v, ok := calendar.ViewOf(ev, calendar.Viewer{}); ok && v.Full && ev.Visibility != calendar.Public {
			rt.Fatal("shown to nobody in particular")
		}
	})
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestPages: pages of any size give the same as one, in order, whatever lies hidden between.
func TestPages(t *testing.T) {
	r := calendartest.NewRig(t, sqldbtest.SQLite(t, migrations...), nil)
	levels := []calendar.Visibility{calendar.Public, calendar.BusyOnly, calendar.Private}
	for i := range 60 {
		in := meeting(time.Duration(i/7) * time.Hour) // several at the same time
		in.Title, in.Visibility = fmt.Sprint(i), levels[i%3]
		if i%11 == 0 {
			in.End = in.Start.AddDate(0, 0, 30)
		}
		create(t, r, "alice", in)
	}
	whole, err := r.List(t.Context(), by("bob"), calendar.Filter{OwnerID: "alice"}, page.Request{Limit: 200})
	if err != nil || len(whole.Items) != 40 || whole.Next != "" {
		t.Fatalf("%d items, %v", len(whole.Items), err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		var all []calendar.View
		req := page.Request{}
		for {
			req.Limit = rapid.IntRange(1, 20).Draw(rt, "limit")
			p, err := r.List(t.Context(), by("bob"), calendar.Filter{OwnerID: "alice"}, req)
			if err != nil || len(p.Items) == 0 {
				rt.Fatalf("%d items, %v", len(p.Items), err)
			}
			all = append(all, p.Items...)
			if req.Cursor = p.Next; p.Next == "" {
				break
			}
		}
		if encoded(all) != encoded(whole.Items) {
			rt.Fatalf("the pages are not the whole: %d items", len(all))
		}
	})
}

// counting counts the listings that a store is asked for.
type counting struct {
	calendar.Store
	n int
}

func (c *counting) List(ctx context.Context, tenant identity.TenantID, q calendar.Query) ([]calendar.Event, error) {
	c.n++
	return c.Store.List(ctx, tenant, q)
}

// TestMuchIsHidden: a stranger who asks for one event does not make the store read a long hidden calendar two by two.
func TestMuchIsHidden(t *testing.T) {
	db := sqldbtest.SQLite(t, migrations...)
	r := calendartest.NewRig(t, db, nil)
	store := &counting{Store: calendarbun.New(db)}
	s, err := calendar.New(calendar.Config{Store: store, Outbox: r.Log, Audit: r.Log, Directory: calendartest.Staff("alice")})
	if err != nil {
		t.Fatal(err)
	}
	in := meeting(0)
	in.Visibility = calendar.Private
	for range 100 {
		create(t, r, "alice", in)
	}
	p, err := s.List(t.Context(), by("bob"), calendar.Filter{OwnerID: "alice"}, page.Request{Limit: 1})
	if err != nil || len(p.Items) != 0 || store.n != 2 {
		t.Errorf("%d items in %d listings, %v", len(p.Items), store.n, err)
	}
}

// TestNoOverlap lets 32 clients book, move and cancel in 20 rooms, and then looks at what stands.
func TestNoOverlap(t *testing.T) {
	each(t, false, func(t *testing.T, r *calendartest.Rig) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		const rooms, clients, rounds = 20, 32, 12
		names := make([]string, rooms)
		for i := range names {
			names[i] = fmt.Sprintf("r%02d", i)
			if _, err := r.CreateResource(ctx, by("admin"), calendar.NewResource{ID: names[i], Name: "R", Kind: "many"}); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for k := range rounds {
					in := meeting(time.Duration((c*7+k*3)%12) * 20 * time.Minute)
					in.Resources = []string{names[(c+k)%rooms], names[(c*5+k*3)%rooms]}
					v, err := r.Create(ctx, by("alice"), in)
					switch {
					case errors.Is(err, calendar.ErrResourceConflict):
						continue
					case err != nil:
						t.Error(err)
						return
					}
					switch k % 3 {
					case 0:
						_, err = r.Update(ctx, by("alice"), v.ID, 0, calendar.Patch{End: new(in.End.Add(20 * time.Minute)), Resources: &[]string{names[(c*3+k)%rooms]}})
					case 1:
						err = r.Cancel(ctx, by("alice"), v.ID, 0)
					}
					if err != nil && !errors.Is(err, calendar.ErrResourceConflict) {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		// What the events say must not overlap, and must be what is held.
		events, err := r.List(ctx, by("alice"), calendar.Filter{}, page.Request{Limit: 200})
		if err != nil || len(events.Items) == 0 || events.Next != "" {
			t.Fatalf("%d events, %v", len(events.Items), err)
		}
		stands := map[string][]calendar.Span{}
		for _, ev := range events.Items {
			for _, id := range ev.ResourceIDs {
				stands[id] = append(stands[id], calendar.Span{Start: ev.Start, End: ev.End})
			}
		}
		for id, spans := range stands {
			slices.SortFunc(spans, func(a, b calendar.Span) int { return a.Start.Compare(b.Start) })
			for i := 1; i < len(spans); i++ {
				if spans[i].Start.Before(spans[i-1].End) {
					t.Errorf("%s is booked twice: %v and %v", id, spans[i-1], spans[i])
				}
			}
			var held, booked time.Duration
			taken, err := r.Availability(ctx, by("bob"), id, calendartest.Noon, calendartest.Noon.AddDate(0, 0, 2))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range taken {
				held += s.End.Sub(s.Start)
			}
			for _, s := range spans {
				booked += s.End.Sub(s.Start)
			}
			if held != booked {
				t.Errorf("%s is held for %v and booked for %v", id, held, booked)
			}
		}
	})
}
