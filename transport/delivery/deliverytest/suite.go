package deliverytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport/delivery"
)

// Run tests the stores that open makes; each call of open makes an empty one.
func Run(t *testing.T, open func(t *testing.T) delivery.Store) {
	tests := map[string]func(t *testing.T, ctx context.Context, s delivery.Store){
		"rows":         rows,
		"keys":         keys,
		"transactions": transactions,
		"paging":       paging,
		"claims":       claims,
		"fencing":      fencing,
		"cancel":       cancel,
		"forget":       forget,
		"prune":        prune,
		"due":          due,
		"race":         race,
		"tenants":      tenants,
		"held":         held,
		"ordered":      ordered,
		"destinations": destinations,
		"dead":         dead,
		"known":        known,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			test(t, ctx, open(t))
		})
	}
}

const tenant identity.TenantID = "acme"

var start = time.Date(2030, 1, 15, 10, 0, 0, 123456000, time.UTC)

// pending makes n rows for a destination, a microsecond apart.
func pending(destination string, n int) []delivery.Delivery {
	ds := make([]delivery.Delivery, n)
	for i := range ds {
		at := start.Add(time.Duration(i) * time.Microsecond)
		ds[i] = delivery.Delivery{
			ID: fmt.Sprintf("%s-%04d", destination, i), Tenant: tenant, Kind: "note", Destination: destination,
			Payload: []byte(`{"b": 1,  "a":"é"}`), State: delivery.Pending, NextAttemptAt: at, CreatedAt: at,
		}
	}
	return ds
}

func at(destination string) delivery.Lane {
	return delivery.Lane{Tenant: tenant, Destination: destination}
}

func insert(t *testing.T, ctx context.Context, s delivery.Store, ds []delivery.Delivery) {
	t.Helper()
	if err := s.Insert(ctx, ds); err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, ctx context.Context, s delivery.Store, now time.Time, token string, rooms ...delivery.Room) []delivery.Delivery {
	t.Helper()
	ds, err := s.Claim(ctx, delivery.Claim{Kinds: []string{"note"}, Now: now, Until: now.Add(time.Minute), Token: token, Rooms: rooms})
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func get(t *testing.T, ctx context.Context, s delivery.Store, id string) delivery.Delivery {
	t.Helper()
	d, err := s.Get(ctx, tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func rows(t *testing.T, ctx context.Context, s delivery.Store) {
	want := pending("a", 1)[0]
	want.Key, want.Subject, want.EventID, want.OrderKey = "k", "event/1", "e1", "o"
	want.MaxAttempts, want.ResendOf, want.ResentBy, want.LastError = 7, "x", "alice", "no"
	want.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	insert(t, ctx, s, []delivery.Delivery{want})
	got := get(t, ctx, s, want.ID)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if string(got.Payload) != string(want.Payload) {
		t.Errorf("payload %s: not kept byte for byte", got.Payload)
	}
	if _, err := s.Get(ctx, "other", want.ID); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("another tenant's get: %v", err)
	}
	if _, err := s.ByKey(ctx, "other", "note", "k"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("another tenant's key: %v", err)
	}
	for who, n := range map[identity.TenantID]int{tenant: 1, "other": 0} {
		if ds, err := s.ByEvent(ctx, who, "note", []string{"e1", "e2"}); err != nil || len(ds) != n {
			t.Errorf("%s: by event %d, %v", who, len(ds), err)
		}
	}
}

func keys(t *testing.T, ctx context.Context, s delivery.Store) {
	ds := pending("a", 5)
	ds[0].Key, ds[1].Key, ds[2].Key, ds[3].Key = "k", "k", "k", "k"
	ds[2].Kind, ds[3].Tenant = "other", "other"
	insert(t, ctx, s, ds)
	insert(t, ctx, s, pending("b", 2)) // no key: no collision
	if d, err := s.ByKey(ctx, tenant, "note", "k"); err != nil || d.ID != ds[0].ID {
		t.Errorf("by key: %s, %v", d.ID, err)
	}
	all, err := s.List(ctx, tenant, delivery.Filter{}, page.Request{})
	if err != nil || len(all.Items) != 5 {
		t.Errorf("%d rows, %v", len(all.Items), err)
	}
}

func transactions(t *testing.T, ctx context.Context, s delivery.Store) {
	no := errors.New("no")
	err := s.Do(ctx, func(ctx context.Context) error {
		if err := s.Insert(ctx, pending("a", 1)); err != nil {
			return err
		}
		s.Wake(ctx)
		return no
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, tenant, "a-0000"); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("a rolled back row is there: %v", err)
	}
	woken := s.Woken()
	s.Wake(ctx)
	select {
	case <-woken:
	case <-ctx.Done():
		t.Error("not woken")
	}
}

func paging(t *testing.T, ctx context.Context, s delivery.Store) {
	ds := pending("a", 7)
	ds[2].State, ds[2].NextAttemptAt, ds[2].FinishedAt = delivery.Dead, time.Time{}, start
	ds[3].Subject = "event/3"
	insert(t, ctx, s, ds)
	insert(t, ctx, s, pending("b", 1))
	var got []string
	for p := (page.Request{Limit: 3}); ; {
		cut, err := s.List(ctx, tenant, delivery.Filter{Destination: "a", Kind: "note"}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range cut.Items {
			got = append(got, d.ID)
		}
		if p.Cursor = cut.Next; cut.Next == "" {
			break
		}
	}
	if want := []string{"a-0006", "a-0005", "a-0004", "a-0003", "a-0002", "a-0001", "a-0000"}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	for n, f := range map[int]delivery.Filter{1: {States: []delivery.State{delivery.Dead}}, 8: {}, 0: {Kind: "other"}} {
		if cut, err := s.List(ctx, tenant, f, page.Request{}); err != nil || len(cut.Items) != n {
			t.Errorf("%+v: %d items, %v", f, len(cut.Items), err)
		}
	}
	if cut, err := s.List(ctx, tenant, delivery.Filter{Subject: "event/3"}, page.Request{}); err != nil || len(cut.Items) != 1 {
		t.Errorf("by subject: %d, %v", len(cut.Items), err)
	}
	if _, err := s.List(ctx, tenant, delivery.Filter{}, page.Request{Cursor: "1.zzz"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("bad cursor: %v", err)
	}
}

func claims(t *testing.T, ctx context.Context, s delivery.Store) {
	insert(t, ctx, s, pending("a", 5))
	insert(t, ctx, s, pending("b", 5))
	other := pending("c", 1)
	other[0].Kind = "other"
	insert(t, ctx, s, other)
	if got := claim(t, ctx, s, start.Add(-time.Second), "t", delivery.Room{Lane: at("a"), Max: 9}); len(got) != 0 {
		t.Errorf("%d claimed before they were due", len(got))
	}
	now := start.Add(time.Second)
	got := claim(t, ctx, s, now, "t1", delivery.Room{Lane: at("a"), Max: 2}, delivery.Room{Lane: at("b"), Max: 9}, delivery.Room{Lane: at("c"), Max: 9})
	ids := map[string]bool{}
	for _, d := range got {
		ids[d.ID] = true
		if d.State != delivery.Leased || d.Attempts != 1 || d.LeaseToken != "t1" || !d.NextAttemptAt.Equal(now.Add(time.Minute)) {
			t.Errorf("claimed %+v", d)
		}
	}
	if len(got) != 7 || !ids["a-0000"] || !ids["a-0001"] {
		t.Errorf("claimed %v: not the most overdue", ids)
	}
	if err := s.Tidy(ctx); err != nil {
		t.Error(err)
	}
	if again := claim(t, ctx, s, now, "t2", delivery.Room{Lane: at("b"), Max: 9}); len(again) != 0 {
		t.Errorf("%d claimed twice", len(again))
	}
	// At the very end of the lease it is free again.
	if again := claim(t, ctx, s, now.Add(time.Minute), "t3", delivery.Room{Lane: at("b"), Max: 9}); len(again) != 5 || again[0].Attempts != 2 {
		t.Errorf("%d claimed after the lease", len(again))
	}
}

func fencing(t *testing.T, ctx context.Context, s delivery.Store) {
	insert(t, ctx, s, pending("a", 4))
	now := start.Add(time.Second)
	claim(t, ctx, s, now, "old", delivery.Room{Lane: at("a"), Max: 4})
	claim(t, ctx, s, now.Add(time.Hour), "new", delivery.Room{Lane: at("a"), Max: 1})
	line := func(i int) *delivery.Attempt {
		return &delivery.Attempt{DeliveryID: fmt.Sprintf("a-%04d", i), Number: 1, StartedAt: now, Duration: 5 * time.Millisecond,
			State: delivery.Succeeded, Status: 250, Response: "ok", Error: "e"}
	}
	held, err := s.Complete(ctx, []delivery.Outcome{
		{ID: "a-0000", Token: "old", Lane: at("a"), State: delivery.Succeeded, Attempts: 1, Finished: now, LastError: "e", Attempt: line(0)},
		{ID: "a-0001", Token: "old", Lane: at("a"), State: delivery.Succeeded, Attempts: 1, Finished: now, LastError: "e", Attempt: line(1)},
		{ID: "a-0002", Token: "old", Lane: at("a"), State: delivery.Pending, Attempts: 1, Next: now.Add(time.Minute), LastError: "later"},
		{ID: "a-0003", Token: "old", Lane: at("a"), State: delivery.Pending, Next: now},
	})
	slices.Sort(held)
	if err != nil || !slices.Equal(held, []string{"a-0001", "a-0002", "a-0003"}) {
		t.Fatalf("held %v, %v", held, err)
	}
	if d := get(t, ctx, s, "a-0000"); d.State != delivery.Leased || d.LeaseToken != "new" {
		t.Errorf("a lost lease completed: %+v", d)
	}
	if d := get(t, ctx, s, "a-0001"); d.State != delivery.Succeeded || !d.FinishedAt.Equal(now) || !d.NextAttemptAt.IsZero() || d.LeaseToken != "" {
		t.Errorf("%+v", d)
	}
	if d := get(t, ctx, s, "a-0002"); d.State != delivery.Pending || !d.NextAttemptAt.Equal(now.Add(time.Minute)) || d.LastError != "later" || d.Attempts != 1 {
		t.Errorf("%+v", d)
	}
	if d := get(t, ctx, s, "a-0003"); d.State != delivery.Pending || d.Attempts != 0 {
		t.Errorf("%+v", d)
	}
	history, err := s.History(ctx, tenant, []string{"a-0000", "a-0001", "a-0002"})
	if err != nil || len(history) != 1 || fmt.Sprint(history[0]) != fmt.Sprint(*line(1)) {
		t.Errorf("history %+v, %v", history, err)
	}
	if history, err := s.History(ctx, "other", []string{"a-0001"}); err != nil || len(history) != 0 {
		t.Errorf("another tenant's history: %+v, %v", history, err)
	}
	if held, err := s.Complete(ctx, []delivery.Outcome{{ID: "a-0001", Token: "old", State: delivery.Dead, Finished: now}}); err != nil || len(held) != 0 {
		t.Errorf("completed twice: %v, %v", held, err)
	}
}

func cancel(t *testing.T, ctx context.Context, s delivery.Store) {
	insert(t, ctx, s, pending("a", 2))
	claim(t, ctx, s, start, "t", delivery.Room{Lane: at("a"), Max: 1})
	if _, err := s.Cancel(ctx, tenant, "a-0000", "r", start); !errors.Is(err, delivery.ErrNotPending) {
		t.Errorf("leased: %v", err)
	}
	if _, err := s.Cancel(ctx, "other", "a-0001", "r", start); !errors.Is(err, delivery.ErrUnknown) {
		t.Errorf("another tenant's: %v", err)
	}
	d, err := s.Cancel(ctx, tenant, "a-0001", "r", start)
	if err != nil || d.State != delivery.Cancelled || d.LastError != "r" || !d.FinishedAt.Equal(start) {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := s.Cancel(ctx, tenant, "a-0001", "r", start); !errors.Is(err, delivery.ErrNotPending) {
		t.Errorf("twice: %v", err)
	}
}

func forget(t *testing.T, ctx context.Context, s delivery.Store) {
	ds := pending("a", 3)
	insert(t, ctx, s, ds)
	claimed := claim(t, ctx, s, start.Add(time.Minute), "t", delivery.Room{Lane: at("a"), Max: 2})
	fail := func(d delivery.Delivery, state delivery.State) delivery.Outcome {
		o := delivery.Outcome{ID: d.ID, Token: "t", Lane: at("a"), State: state, Attempts: 1, LastError: "Ada is unknown", Next: start, Attempt: &delivery.Attempt{
			DeliveryID: d.ID, Number: 1, StartedAt: start, State: state, Status: 500, Response: "Ada?", Error: "Ada is unknown",
		}}
		if state.Final() {
			o.Finished, o.Next = start, time.Time{}
		}
		return o
	}
	dead, again := claimed[0], claimed[1]
	if held, err := s.Complete(ctx, []delivery.Outcome{fail(dead, delivery.Dead), fail(again, delivery.Pending)}); err != nil || len(held) != 2 {
		t.Fatalf("completed %v, %v", held, err)
	}
	all := []string{ds[0].ID, ds[1].ID, ds[2].ID}
	if n, err := s.Forget(ctx, "other", all); err != nil || n != 0 {
		t.Errorf("another tenant's: %d, %v", n, err)
	}
	if n, err := s.Forget(ctx, tenant, all); err != nil || n != 1 {
		t.Errorf("forgot %d, %v", n, err)
	}
	if n, err := s.CountDead(ctx, at("a"), start.Add(-time.Hour)); err != nil || n != 0 {
		t.Errorf("%d to be sent again, %v", n, err)
	}
	d := get(t, ctx, s, dead.ID)
	if d.State != delivery.Forgotten || string(d.Payload) != "null" || d.LastError != "" || d.Attempts != 1 || !d.FinishedAt.Equal(start) {
		t.Errorf("%+v", d)
	}
	lines, err := s.History(ctx, tenant, all)
	if err != nil || len(lines) != 2 {
		t.Fatalf("%+v, %v", lines, err)
	}
	for _, l := range lines {
		if told := l.Response+l.Error != ""; told != (l.DeliveryID == again.ID) || l.Status != 500 {
			t.Errorf("%+v", l)
		}
	}
	if d := get(t, ctx, s, again.ID); d.State != delivery.Pending || d.LastError == "" || string(d.Payload) == "null" {
		t.Errorf("%+v", d)
	}
}

func prune(t *testing.T, ctx context.Context, s delivery.Store) {
	ds := pending("a", 4)
	for i := range ds[:3] {
		ds[i].State, ds[i].NextAttemptAt, ds[i].FinishedAt = delivery.Succeeded, time.Time{}, start.Add(time.Duration(i)*time.Hour)
	}
	insert(t, ctx, s, ds)
	for _, want := range []int{1, 1, 0} {
		if n, err := s.Prune(ctx, start.Add(2*time.Hour), 1); err != nil || n != want {
			t.Errorf("pruned %d, want %d, %v", n, want, err)
		}
	}
	get(t, ctx, s, "a-0002") // half-open: finished at the very time stays
	get(t, ctx, s, "a-0003")
}

func due(t *testing.T, ctx context.Context, s delivery.Store) {
	for _, name := range []string{"d", "b", "c", "a"} {
		insert(t, ctx, s, pending(name, 3))
	}
	later := pending("bb", 1)
	later[0].NextAttemptAt = start.Add(time.Hour)
	insert(t, ctx, s, later)
	other := pending("cc", 1)
	other[0].Kind = "other"
	insert(t, ctx, s, other)
	finished := pending("aa", 1)
	finished[0].State, finished[0].NextAttemptAt, finished[0].FinishedAt = delivery.Dead, time.Time{}, start
	insert(t, ctx, s, finished)
	for _, c := range []struct {
		after string
		limit int
		want  []string
	}{{"", 9, []string{"a", "b", "c", "d"}}, {"", 2, []string{"a", "b"}}, {"b", 9, []string{"c", "d"}}, {"d", 9, nil}} {
		waiting, err := s.Due(ctx, []string{"note"}, start, at(c.after), c.limit)
		var got []string
		for _, w := range waiting {
			got = append(got, w.Destination)
			if w.Tenant != tenant || w.Noted {
				t.Errorf("%+v", w)
			}
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("after %q: %v, %v", c.after, got, err)
		}
	}
}

func race(t *testing.T, ctx context.Context, s delivery.Store) {
	const n = 200
	insert(t, ctx, s, pending("a", n))
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for try := 0; ; try++ {
				token := fmt.Sprint(i, "/", try)
				ds, err := s.Claim(ctx, delivery.Claim{Kinds: []string{"note"}, Now: start.Add(time.Second), Until: start.Add(time.Minute),
					Token: token, Rooms: []delivery.Room{{Lane: at("a"), Max: 7}}})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, d := range ds {
					seen[d.ID]++
				}
				all := len(seen) == n
				mu.Unlock()
				if all || ctx.Err() != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d of %d claimed", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s claimed %d times", id, times)
		}
	}
}
