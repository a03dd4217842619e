package transporttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/telemetry"
	"github.com/renkei-go/renkei/transport"
)

// Store is all that the suite exercises.
type Store interface {
	transport.Outbox
	transport.OutboxStore
	transport.Inbox
	transport.PoisonStore
}

// Open returns an empty store and its unit of work.
type Open func(t *testing.T) (Store, transport.UnitOfWork)

const lease = time.Hour

// RunOutbox runs the suite; every subtest opens a store of its own.
func RunOutbox(t *testing.T, open Open) {
	tests := []struct {
		name string
		run  func(t *testing.T, ctx context.Context, s Store, db transport.UnitOfWork)
	}{
		{"FillsAndNumbers", fillsAndNumbers},
		{"JoinsTheTransaction", joinsTheTransaction},
		{"RefusesBadEvents", refusesBadEvents},
		{"SequenceSurvivesPruning", sequenceSurvivesPruning},
		{"SameSubjectConcurrently", sameSubjectConcurrently},
		{"SlowTransactionHoldsUpNobody", slowTransactionHoldsUpNobody},
		{"ClaimsAreExclusive", claimsAreExclusive},
		{"LostLease", lostLease},
		{"ClaimLimit", claimLimit},
		{"Inbox", inbox},
		{"InboxConcurrently", inboxConcurrently},
		{"Poison", poison},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, db := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			tt.run(t, ctx, s, db)
		})
	}
}

func event(subject string, n int) transport.Event {
	return transport.Event{Type: "test.happened", Tenant: "acme", Subject: subject, Data: map[string]int{"n": n}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func claim(t *testing.T, ctx context.Context, s Store, limit int, d time.Duration) transport.Claim {
	t.Helper()
	c, err := s.Claim(ctx, limit, d)
	must(t, err)
	return c
}

func settleAll(t *testing.T, ctx context.Context, s Store, c transport.Claim) {
	t.Helper()
	var sent []int64
	var done []int
	for _, e := range c.Events {
		sent, done = append(sent, e.Position), append(done, e.Lane)
	}
	must(t, s.Settle(ctx, c.Token, sent, done, lease))
}

const (
	trace     = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	inContext = "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-00"
)

func fillsAndNumbers(t *testing.T, ctx context.Context, s Store, _ transport.UnitOfWork) {
	at := time.Date(2026, 3, 8, 1, 30, 0, 123456000, time.UTC)
	given := event("a/1", 2)
	given.ID, given.Time, given.Trace = "given", at, trace
	other := event("a/1", 3)
	other.Tenant = "other"
	must(t, s.Publish(ctx, event("a/1", 1), event("b/1", 1), given, other))
	must(t, s.Publish(telemetry.WithParent(ctx, inContext), event("a/1", 4)))
	must(t, s.Publish(ctx))

	sequences := map[string][]int64{}
	c := claim(t, ctx, s, 100, lease)
	for _, e := range c.Events {
		ev := e.Event
		key := string(ev.Tenant) + " " + ev.Subject
		sequences[key] = append(sequences[key], ev.Sequence)
		if ev.ID == "" || ev.Time.IsZero() || ev.Type != "test.happened" || ev.Time.Location() != time.UTC {
			t.Errorf("not complete: %+v", ev)
		}
		if ev.ID == "given" && (!ev.Time.Equal(at) || ev.Sequence != 2 || ev.Trace != trace) {
			t.Errorf("a given id, time and trace are kept: %+v", ev)
		}
		if want := map[bool]string{true: inContext}[ev.Sequence == 3]; ev.ID != "given" && ev.Trace != want {
			t.Errorf("the trace of event %d is %q, want %q", ev.Sequence, ev.Trace, want)
		}
		var data map[string]int
		if _, ok := ev.Data.(json.RawMessage); !ok || ev.Decode(&data) != nil || data["n"] == 0 {
			t.Errorf("data: %v", ev.Data)
		}
	}
	want := map[string][]int64{"acme a/1": {1, 2, 3}, "acme b/1": {1}, "other a/1": {1}}
	if fmt.Sprint(sequences) != fmt.Sprint(want) {
		t.Errorf("sequences %v, want %v", sequences, want)
	}
	if err := s.Publish(ctx, given); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("an id used twice: %v", err)
	}
}

func joinsTheTransaction(t *testing.T, ctx context.Context, s Store, db transport.UnitOfWork) {
	undo := errors.New("undo")
	err := db.Do(ctx, func(ctx context.Context) error {
		must(t, s.Publish(ctx, event("a/1", 1), event("a/1", 2)))
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 0 {
		t.Errorf("rolled back, yet %d events came", len(c.Events))
	}
	must(t, db.Do(ctx, func(ctx context.Context) error { return s.Publish(ctx, event("a/1", 3)) }))
	c := claim(t, ctx, s, 10, lease)
	if len(c.Events) != 1 || c.Events[0].Event.Sequence != 1 {
		t.Errorf("%+v", c.Events)
	}
}

func refusesBadEvents(t *testing.T, ctx context.Context, s Store, _ transport.UnitOfWork) {
	good := event("a/1", 1)
	for name, spoil := range map[string]func(*transport.Event){
		"type":    func(e *transport.Event) { e.Type = "" },
		"tenant":  func(e *transport.Event) { e.Tenant = "" },
		"subject": func(e *transport.Event) { e.Subject = "" },
		"nul":     func(e *transport.Event) { e.Subject = "a\x00" },
		"utf8":    func(e *transport.Event) { e.Subject = "a\xff" },
		"data":    func(e *transport.Event) { e.Data = func() {} },
		"json":    func(e *transport.Event) { e.Data = json.RawMessage("{") },
	} {
		bad := good
		spoil(&bad)
		if err := s.Publish(ctx, good, bad); !errors.Is(err, transport.ErrInvalidEvent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 0 {
		t.Error("a refused call stored something")
	}
}

func sequenceSurvivesPruning(t *testing.T, ctx context.Context, s Store, _ transport.UnitOfWork) {
	must(t, s.Publish(ctx, event("a/1", 1), event("a/1", 2)))
	settleAll(t, ctx, s, claim(t, ctx, s, 1, lease))
	if n, err := s.PruneOutbox(ctx, time.Hour, 10); n != 0 || err != nil {
		t.Errorf("pruned %d too early: %v", n, err)
	}
	if n, err := s.PruneOutbox(ctx, -time.Hour, 10); n != 1 || err != nil {
		t.Errorf("pruned %d, want the sent one only: %v", n, err)
	}
	settleAll(t, ctx, s, claim(t, ctx, s, 10, lease))
	if n, err := s.PruneOutbox(ctx, -time.Hour, 10); n != 1 || err != nil {
		t.Errorf("pruned %d: %v", n, err)
	}
	must(t, s.Publish(ctx, event("a/1", 3)))
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 1 || c.Events[0].Event.Sequence != 3 {
		t.Errorf("the sequence started over: %+v", c.Events)
	}
}

func sameSubjectConcurrently(t *testing.T, ctx context.Context, s Store, db transport.UnitOfWork) {
	const writers, each = 8, 10
	var g errgroup.Group
	for w := range writers {
		g.Go(func() error {
			for i := range each {
				// Two subjects in either order: the store takes them in one order.
				events := []transport.Event{event("a/1", i), event("b/1", i)}
				if w%2 == 0 {
					slices.Reverse(events)
				}
				if err := db.Do(ctx, func(ctx context.Context) error { return s.Publish(ctx, events...) }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, g.Wait())
	next := map[string]int64{}
	c := claim(t, ctx, s, 1000, lease)
	for _, e := range c.Events {
		next[e.Event.Subject]++
		if e.Event.Sequence != next[e.Event.Subject] {
			t.Fatalf("%s: sequence %d where %d should be", e.Event.Subject, e.Event.Sequence, next[e.Event.Subject])
		}
	}
	if next["a/1"] != writers*each || next["b/1"] != writers*each {
		t.Errorf("%v", next)
	}
}

// slowTransactionHoldsUpNobody is the commit-order trap: what was written first commits last, or never.
func slowTransactionHoldsUpNobody(t *testing.T, ctx context.Context, s Store, db transport.UnitOfWork) {
	undo := errors.New("undo")
	for _, end := range []error{nil, undo} {
		written, finish, ended := make(chan struct{}), make(chan struct{}), make(chan error)
		go func() {
			ended <- db.Do(ctx, func(ctx context.Context) error {
				err := s.Publish(ctx, event("slow/1", 1))
				close(written)
				<-finish
				return errors.Join(err, end)
			})
		}()
		<-written
		quick := make(chan error, 1)
		go func() { quick <- s.Publish(ctx, event("quick/1", 1)) }()
		select {
		case err := <-quick:
			must(t, err)
			c := claim(t, ctx, s, 10, lease)
			if len(c.Events) != 1 || c.Events[0].Event.Subject != "quick/1" {
				t.Errorf("while a slow transaction is open: %+v", c.Events)
			}
			settleAll(t, ctx, s, c)
			close(finish)
		case <-time.After(200 * time.Millisecond): // one writer at a time: nothing to overtake
			close(finish)
			must(t, <-quick)
		}
		if err := <-ended; !errors.Is(err, end) {
			t.Fatal(err)
		}
		c := claim(t, ctx, s, 10, lease)
		found := slices.ContainsFunc(c.Events, func(e transport.Claimed) bool { return e.Event.Subject == "slow/1" })
		if found != (end == nil) {
			t.Errorf("the slow transaction ended with %v, its event came: %t", end, found)
		}
		settleAll(t, ctx, s, c)
	}
}

func claimsAreExclusive(t *testing.T, ctx context.Context, s Store, _ transport.UnitOfWork) {
	must(t, s.Publish(ctx, event("a/1", 1)))
	first := claim(t, ctx, s, 10, lease)
	must(t, s.Publish(ctx, event("a/1", 2)))
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 0 {
		t.Errorf("a second relay got %+v of a leased subject", c.Events)
	}
	must(t, s.Settle(ctx, first.Token, nil, []int{first.Events[0].Lane}, lease)) // nothing was sent
	again := claim(t, ctx, s, 10, lease)
	if len(again.Events) != 2 || again.Events[0].Event.Sequence != 1 || again.Events[1].Event.Sequence != 2 {
		t.Errorf("after a failure: %+v", again.Events)
	}
	// Marking without giving back keeps the lease.
	must(t, s.Settle(ctx, again.Token, []int64{again.Events[0].Position}, nil, lease))
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 0 {
		t.Errorf("the lease was lost by a mark: %+v", c.Events)
	}
	must(t, s.Settle(ctx, again.Token, nil, []int{again.Events[0].Lane}, lease))
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 1 || c.Events[0].Event.Sequence != 2 {
		t.Errorf("the rest: %+v", c.Events)
	}
}

func lostLease(t *testing.T, ctx context.Context, s Store, _ transport.UnitOfWork) {
	must(t, s.Publish(ctx, event("a/1", 1), event("a/1", 2)))
	dead := claim(t, ctx, s, 1, 0) // its lease ends at once
	next := claim(t, ctx, s, 10, lease)
	if len(next.Events) != 2 {
		t.Fatalf("after a crash: %+v", next.Events)
	}
	// The dead one wakes up: it cannot give away or shorten what it has lost.
	must(t, s.Settle(ctx, dead.Token, []int64{dead.Events[0].Position}, []int{dead.Events[0].Lane}, 0))
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 0 {
		t.Errorf("a lost lease gave back: %+v", c.Events)
	}
	// Extending works for the holder.
	must(t, s.Settle(ctx, next.Token, nil, nil, 0))
	if c := claim(t, ctx, s, 10, lease); len(c.Events) != 1 || c.Events[0].Event.Sequence != 2 {
		t.Errorf("after the lease was set to end: %+v", c.Events)
	}
}

func claimLimit(t *testing.T, ctx context.Context, s Store, _ transport.UnitOfWork) {
	var events []transport.Event
	for i := range 2500 {
		events = append(events, event(fmt.Sprintf("a/%d", i%100), i))
	}
	must(t, s.Publish(ctx, events...))
	last := map[string]int64{}
	total := 0
	for {
		c := claim(t, ctx, s, 300, lease)
		if len(c.Events) == 0 {
			break
		}
		if len(c.Events) > 300 {
			t.Fatalf("%d events, more than the limit", len(c.Events))
		}
		for _, e := range c.Events {
			if e.Event.Sequence != last[e.Event.Subject]+1 {
				t.Fatalf("%s: %d after %d", e.Event.Subject, e.Event.Sequence, last[e.Event.Subject])
			}
			last[e.Event.Subject]++
		}
		total += len(c.Events)
		settleAll(t, ctx, s, c)
	}
	if total != len(events) {
		t.Errorf("%d of %d came", total, len(events))
	}
}

func inbox(t *testing.T, ctx context.Context, s Store, db transport.UnitOfWork) {
	fresh, err := s.Mark(ctx, "h", "3", "1", "2", "1")
	must(t, err)
	if !slices.Equal(fresh, []string{"3", "1", "2"}) {
		t.Errorf("fresh %v", fresh)
	}
	if fresh, err = s.Mark(ctx, "h", "2", "4"); err != nil || !slices.Equal(fresh, []string{"4"}) {
		t.Errorf("fresh %v, %v", fresh, err)
	}
	if fresh, err = s.Mark(ctx, "other", "2"); err != nil || len(fresh) != 1 {
		t.Errorf("handlers are not independent: %v, %v", fresh, err)
	}
	undo := errors.New("undo")
	err = db.Do(ctx, func(ctx context.Context) error {
		_, err := s.Mark(ctx, "h", "5")
		return errors.Join(err, undo)
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	if fresh, err = s.Mark(ctx, "h", "5"); err != nil || len(fresh) != 1 {
		t.Errorf("a rolled back mark stayed: %v, %v", fresh, err)
	}
	if n, err := s.PruneInbox(ctx, time.Hour, 10); n != 0 || err != nil {
		t.Errorf("pruned %d too early: %v", n, err)
	}
	if n, err := s.PruneInbox(ctx, -time.Hour, 4); n != 4 || err != nil {
		t.Errorf("pruned %d: %v", n, err)
	}
}

func inboxConcurrently(t *testing.T, ctx context.Context, s Store, db transport.UnitOfWork) {
	ids := make([]string, 50)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	won := make(chan int, 8)
	var g errgroup.Group
	for w := range 8 {
		g.Go(func() error {
			mine := slices.Clone(ids)
			if w%2 == 0 {
				slices.Reverse(mine)
			}
			n := 0
			err := db.Do(ctx, func(ctx context.Context) error {
				fresh, err := s.Mark(ctx, "h", mine...)
				n = len(fresh)
				return err
			})
			won <- n
			return err
		})
	}
	must(t, g.Wait())
	close(won)
	total := 0
	for n := range won {
		total += n
	}
	if total != len(ids) {
		t.Errorf("%d effects of %d events", total, len(ids))
	}
}

func poison(t *testing.T, ctx context.Context, s Store, db transport.UnitOfWork) {
	at := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	for i := range 5 {
		ev := event("a/1", i+1)
		ev.ID, ev.Sequence, ev.Time = fmt.Sprint("e", i), int64(i+1), at
		must(t, s.Bury(ctx, transport.Poisoned{ID: fmt.Sprint("p", i), Handler: "h", Event: ev, Reason: "why?", Tries: 4, Time: at.Add(time.Duration(i/2) * time.Second)}))
	}
	must(t, s.Bury(ctx, transport.Poisoned{Handler: "h", Event: transport.Event{Tenant: "other", Data: json.RawMessage("null")}, Reason: "r"}))
	var ids []string
	for p := (page.Request{Limit: 2}); ; {
		got, err := s.Poisoned(ctx, "acme", p)
		must(t, err)
		for _, x := range got.Items {
			ids = append(ids, x.ID)
			if x.Handler != "h" || x.Reason != "why?" || x.Tries != 4 || x.Event.Tenant != "acme" || x.Event.Subject != "a/1" || !x.Event.Time.Equal(at) {
				t.Errorf("%+v", x)
			}
		}
		if p.Cursor = got.Next; got.Next == "" {
			break
		}
	}
	if !slices.Equal(ids, []string{"p4", "p3", "p2", "p1", "p0"}) {
		t.Errorf("listed %v", ids)
	}
	if _, err := s.Poisoned(ctx, "acme", page.Request{Cursor: "1.x"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
	if _, err := s.Exhume(ctx, identity.TenantID("other"), "p1"); !errors.Is(err, transport.ErrNotPoisoned) {
		t.Errorf("another tenant's: %v", err)
	}
	must(t, db.Do(ctx, func(ctx context.Context) error {
		p, err := s.Exhume(ctx, "acme", "p1")
		if err == nil && (p.Event.ID != "e1" || p.Event.Sequence != 2) {
			t.Errorf("%+v", p)
		}
		return err
	}))
	if _, err := s.Exhume(ctx, "acme", "p1"); !errors.Is(err, transport.ErrNotPoisoned) {
		t.Errorf("twice: %v", err)
	}
}
