package deliverytest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/delivery"
)

func save(t *testing.T, ctx context.Context, s delivery.Store, ds ...delivery.Destination) {
	t.Helper()
	if err := s.SaveDestinations(ctx, ds, start); err != nil {
		t.Fatal(err)
	}
}

func due1(t *testing.T, ctx context.Context, s delivery.Store, now time.Time) []delivery.Waiting {
	t.Helper()
	waiting, err := s.Due(ctx, []string{"note"}, now, delivery.Lane{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	return waiting
}

func ids(ds []delivery.Delivery) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = d.ID
	}
	slices.Sort(out)
	return out
}

// tenants: two that use the same name have a lane each, even when their names run into one another.
func tenants(t *testing.T, ctx context.Context, s delivery.Store) {
	mine, other := pending("xa", 2), pending("a", 2)
	for i := range other {
		other[i].Tenant = tenant + "x"
	}
	insert(t, ctx, s, mine)
	insert(t, ctx, s, other)
	if waiting := due1(t, ctx, s, start.Add(time.Second)); len(waiting) != 2 {
		t.Errorf("due: %+v", waiting)
	}
	if got := claim(t, ctx, s, start.Add(time.Second), "t", delivery.Room{Lane: at("xa"), Max: 9}); !slices.Equal(ids(got), []string{"xa-0000", "xa-0001"}) {
		t.Errorf("claimed %v", ids(got))
	}
}

// held: what is held or disabled is not due; what is noted says so.
func held(t *testing.T, ctx context.Context, s delivery.Store) {
	for _, name := range []string{"disabled", "failing", "held", "well"} {
		insert(t, ctx, s, pending(name, 1))
	}
	save(t, ctx, s,
		delivery.Destination{Lane: at("disabled"), DisabledAt: start, DisabledReason: "gone"},
		delivery.Destination{Lane: at("failing"), Failures: 1, FailingSince: start},
		delivery.Destination{Lane: at("held"), Trips: 1, HeldUntil: start.Add(time.Minute)})
	for now, want := range map[time.Time]string{start.Add(time.Second): "failing+ well", start.Add(time.Minute): "failing+ held+ well"} {
		got := ""
		for _, w := range due1(t, ctx, s, now) {
			if got != "" {
				got += " "
			}
			if got += w.Destination; w.Noted {
				got += "+"
			}
		}
		if got != want {
			t.Errorf("at %s: %q, want %q", now, got, want)
		}
	}
}

func ordered(t *testing.T, ctx context.Context, s delivery.Store) {
	ds := pending("a", 6)
	for i, key := range []string{"x", "x", "y", "y", "", ""} {
		ds[i].OrderKey = key
	}
	insert(t, ctx, s, ds)
	now := start.Add(time.Second)
	c := delivery.Claim{Kinds: []string{"note"}, Ordered: []string{"note"}, Now: now, Until: now.Add(time.Minute), Token: "1",
		Rooms: []delivery.Room{{Lane: at("a"), Max: 9}}}
	take := func(token string, want ...string) {
		t.Helper()
		c.Token = token
		got, err := s.Claim(ctx, c)
		if err != nil || !slices.Equal(ids(got), want) {
			t.Fatalf("claimed %v, %v", ids(got), err)
		}
	}
	finish := func(o delivery.Outcome) {
		t.Helper()
		o.Lane = at("a")
		if got, err := s.Complete(ctx, []delivery.Outcome{o}); err != nil || len(got) != 1 {
			t.Fatalf("held %v, %v", got, err)
		}
	}
	take("1", "a-0000", "a-0002", "a-0004", "a-0005")
	take("2")
	finish(delivery.Outcome{ID: "a-0000", Token: "1", State: delivery.Succeeded, Attempts: 1, Finished: now})
	finish(delivery.Outcome{ID: "a-0002", Token: "1", State: delivery.Pending, Attempts: 1, Next: now.Add(time.Minute), OrderKey: "y"})
	take("3", "a-0001")
	if d := get(t, ctx, s, "a-0003"); !d.NextAttemptAt.Equal(now.Add(time.Minute)) {
		t.Errorf("it does not wait as long as the one before: %s", d.NextAttemptAt)
	}
	// What is ordered for one engine is free for another.
	c.Ordered, c.Now, c.Until = nil, now.Add(30*time.Minute), now.Add(31*time.Minute)
	take("4", "a-0001", "a-0002", "a-0003", "a-0004", "a-0005")
}

func destinations(t *testing.T, ctx context.Context, s delivery.Store) {
	want := delivery.Destination{
		Lane: at("a"), Failures: 3, FailingSince: start, LastError: "no", Warned: 1, Trips: 2, HeldUntil: start.Add(time.Minute),
		DisabledAt: start.Add(time.Hour), DisabledReason: "gone", Limit: delivery.Limit{PerSecond: 2.5, Burst: 7}, LimitAt: start,
	}
	save(t, ctx, s, want, delivery.Destination{Lane: at("well")})
	if got, err := s.Destination(ctx, at("a")); err != nil || got != want {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if got, err := s.Destination(ctx, at("b")); err != nil || got != (delivery.Destination{Lane: at("b")}) {
		t.Errorf("unknown: %+v, %v", got, err)
	}
	if got, err := s.ListDestinations(ctx, tenant); err != nil || len(got) != 1 {
		t.Errorf("list: %+v, %v", got, err)
	}
	if got, err := s.ListDestinations(ctx, "other"); err != nil || len(got) != 0 {
		t.Errorf("another tenant's: %+v, %v", got, err)
	}
	save(t, ctx, s, delivery.Destination{Lane: at("a")})
	if got, err := s.ListDestinations(ctx, tenant); err != nil || len(got) != 0 {
		t.Errorf("kept though it is well: %+v, %v", got, err)
	}
	// Read, think, write under the lock: no update is lost, whatever the order of the lanes.
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			err := s.Do(ctx, func(ctx context.Context) error {
				lanes := []delivery.Lane{at("a"), at("b")}
				if i%2 == 1 {
					slices.Reverse(lanes)
				}
				ds, err := s.LockDestinations(ctx, lanes)
				if err != nil {
					return err
				}
				for j := range ds {
					if ds[j].Lane != lanes[j] {
						return fmt.Errorf("%+v came at the place of %+v", ds[j].Lane, lanes[j])
					}
					ds[j].Failures++
				}
				return s.SaveDestinations(ctx, ds, start)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, name := range []string{"a", "b"} {
		if d, err := s.Destination(ctx, at(name)); err != nil || d.Failures != 16 {
			t.Errorf("%s: %d failures, %v", name, d.Failures, err)
		}
	}
}

func dead(t *testing.T, ctx context.Context, s delivery.Store) {
	ds := pending("a", 4)
	for i := range ds[:3] {
		ds[i].State, ds[i].NextAttemptAt, ds[i].FinishedAt = delivery.Dead, time.Time{}, start.Add(time.Duration(i)*time.Hour)
	}
	insert(t, ctx, s, ds)
	insert(t, ctx, s, pending("b", 1))
	claim(t, ctx, s, start, "t", delivery.Room{Lane: at("b"), Max: 1})
	end := start.Add(5 * time.Hour)
	if _, err := s.Complete(ctx, []delivery.Outcome{{ID: "b-0000", Token: "t", Lane: at("b"), State: delivery.Dead, Attempts: 1, Finished: end}}); err != nil {
		t.Fatal(err)
	}
	count := func(name string, since time.Time, want ...string) {
		t.Helper()
		if n, err := s.CountDead(ctx, at(name), since); err != nil || n != len(want) {
			t.Errorf("%s: %d counted, %v", name, n, err)
		}
		if got, err := s.Dead(ctx, at(name), since, 9); err != nil || !slices.Equal(ids(got), want) {
			t.Errorf("%s: %v, %v", name, ids(got), err)
		}
	}
	count("a", start.Add(time.Hour), "a-0001", "a-0002")
	count("b", end, "b-0000")
	count("b", end.Add(time.Microsecond))
	again := pending("c", 1)
	again[0].ResendOf = "a-0001"
	insert(t, ctx, s, again)
	count("a", start, "a-0000", "a-0002")
}

func known(t *testing.T, ctx context.Context, s delivery.Store) {
	ds := pending("a", 3)
	ds[0].Key, ds[1].Key, ds[2].Key = "k", "l", "m"
	ds[1].Kind, ds[2].Tenant = "other", "other"
	insert(t, ctx, s, ds)
	if got, err := s.Known(ctx, tenant, "note", []string{"k", "l", "m", "n"}); err != nil || !slices.Equal(got, []string{"k"}) {
		t.Errorf("known %v, %v", got, err)
	}
}
