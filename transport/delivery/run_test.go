package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
)

// TestManyEngines: four nodes, each job once.
func TestManyEngines(t *testing.T) {
	url := sqldbtest.PostgresURL(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	const n = 1000
	var mu sync.Mutex
	sent := map[string]int{}
	done := make(chan struct{})
	var sites []site
	for range 4 {
		db, err := sqldb.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := sqldb.Migrate(ctx, db, deliverybun.Migrations); err != nil {
			t.Fatal(err)
		}
		sites = append(sites, newSite(t, db, delivery.Config{Kinds: kinds(func(_ context.Context, d delivery.Delivery) delivery.Result {
			mu.Lock()
			defer mu.Unlock()
			if sent[d.ID]++; len(sent) == n {
				close(done)
			}
			return delivery.Sent("")
		})}))
	}
	jobs := make([]delivery.Job, n)
	for i := range jobs {
		jobs[i].Destination = fmt.Sprint("d", i%13)
	}
	sites[0].enqueue(t, ctx, jobs...)
	runs, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, s := range sites {
		wg.Go(func() { _ = s.engine.Run(runs) })
	}
	select {
	case <-done:
	case <-ctx.Done():
		t.Error("not all were sent")
	}
	stop()
	wg.Wait()
	for id, times := range sent {
		if times != 1 {
			t.Errorf("%s sent %d times", id, times)
		}
	}
	if cut, err := sites[0].queue.List(ctx, "acme", delivery.Filter{States: []delivery.State{delivery.Pending, delivery.Leased}}, page.Request{}); err != nil || len(cut.Items) != 0 {
		t.Errorf("%d not written down, %v", len(cut.Items), err)
	}
}

// mortal is a store whose process has died: it writes nothing down any more.
type mortal struct {
	delivery.Store
	dead atomic.Bool
}

func (m *mortal) Complete(ctx context.Context, o []delivery.Outcome) ([]string, error) {
	if m.dead.Load() {
		return nil, errors.New("dead")
	}
	return m.Store.Complete(ctx, o)
}

// TestCrash: what a dead process held is sent again when its lease has run out, under the same id, and in the end given
// up.
func TestCrash(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		var ids []string
		ks := kinds(func(_ context.Context, d delivery.Delivery) delivery.Result {
			ids = append(ids, d.ID)
			return delivery.Sent("")
		})
		store := &mortal{Store: deliverybun.New(db)}
		store.dead.Store(true)
		s := newSiteOn(t, db, store, delivery.Config{Kinds: ks})
		s.enqueue(t, ctx, delivery.Job{Key: "saved"})
		s.drain(t, ctx)
		if d := s.byKey(t, ctx, "saved"); d.State != delivery.Leased || d.Attempts != 1 || len(d.History) != 0 {
			t.Fatalf("%+v", d)
		}
		db.AdvanceClock(59 * time.Second)
		if n := s.drain(t, ctx); n != 0 {
			t.Fatal("sent again before the lease had run out")
		}
		db.AdvanceClock(time.Second)
		store.dead.Store(false)
		if s.drain(t, ctx); len(ids) != 2 || ids[0] != ids[1] {
			t.Fatalf("sent as %v", ids)
		}
		if d := s.byKey(t, ctx, "saved"); d.State != delivery.Succeeded || d.Attempts != 2 || len(d.History) != 1 || d.History[0].Number != 2 {
			t.Errorf("%+v", d)
		}

		store.dead.Store(true)
		s.enqueue(t, ctx, delivery.Job{Key: "poison", MaxAttempts: 2})
		for range 2 {
			s.drain(t, ctx)
			db.AdvanceClock(time.Minute)
		}
		store.dead.Store(false)
		sends := len(ids)
		s.drain(t, ctx)
		if d := s.byKey(t, ctx, "poison"); d.State != delivery.Dead || d.Attempts != 2 || len(ids) != sends {
			t.Errorf("%+v after %d sends", d, len(ids)-sends)
		}
	})
}

// TestLostLease: who comes back after its lease was taken over changes nothing.
func TestLostLease(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		began, finish := make(chan struct{}), make(chan struct{})
		slow := newSite(t, db, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result {
			close(began)
			<-finish
			return delivery.Fail(errors.New("too late"))
		})})
		quick := newSite(t, db, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result { return delivery.Sent("") })})
		slow.enqueue(t, ctx, delivery.Job{Key: "k"})
		var wg sync.WaitGroup
		wg.Go(func() { slow.drain(t, ctx) })
		<-began
		db.AdvanceClock(time.Minute)
		quick.drain(t, ctx)
		close(finish)
		wg.Wait()
		if d := quick.byKey(t, ctx, "k"); d.State != delivery.Succeeded || len(d.History) != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// away is a store whose database is away for the first completions.
type away struct {
	delivery.Store
	times atomic.Int64
}

func (s *away) Complete(ctx context.Context, outcomes []delivery.Outcome) ([]string, error) {
	if s.times.Add(-1) >= 0 {
		return nil, fault.New(fault.Unavailable, "away", "the database is away")
	}
	return s.Store.Complete(ctx, outcomes)
}

// TestDatabaseAway: what was sent while the database goes away is not sent twice, because its result is written when that
// is back, as long as its lease lasts.
func TestDatabaseAway(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		store := &away{Store: deliverybun.New(db)}
		store.times.Store(3)
		var sent atomic.Int64
		s := newSiteOn(t, db, store, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result {
			sent.Add(1)
			return delivery.Sent("")
		})})
		s.enqueue(t, ctx, delivery.Job{Key: "a"}, delivery.Job{Key: "b"})
		s.drain(t, ctx)
		db.AdvanceClock(2 * time.Minute) // a lease that nobody gave up would have run out
		s.drain(t, ctx)
		for _, key := range []string{"a", "b"} {
			if r := s.byKey(t, ctx, key); r.State != delivery.Succeeded || r.Attempts != 1 || sent.Load() != 2 {
				t.Errorf("%+v, %d sent", r, sent.Load())
			}
		}
	})
}

// TestHangingNeighbour: a destination that hangs, with a long backlog in front, delays nobody else.
func TestHangingNeighbour(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		var hanging, most atomic.Int64
		var healthy sync.WaitGroup
		s := newSite(t, db, delivery.Config{Drain: time.Millisecond, Kinds: kinds(func(ctx context.Context, d delivery.Delivery) delivery.Result {
			if d.Destination == "hangs" {
				most.Store(max(most.Load(), hanging.Add(1)))
				defer hanging.Add(-1)
				<-ctx.Done()
				return delivery.Retry(ctx.Err())
			}
			healthy.Done()
			return delivery.Sent("")
		})})
		backlog := make([]delivery.Job, 500)
		for i := range backlog {
			backlog[i].Destination = "hangs"
		}
		s.enqueue(t, ctx, backlog...)
		var jobs []delivery.Job
		for i := range 300 {
			jobs = append(jobs, delivery.Job{Destination: fmt.Sprint("well", i%3)})
		}
		healthy.Add(len(jobs))
		s.enqueue(t, ctx, jobs...)
		runs, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.engine.Run(runs) })
		arrived := make(chan struct{})
		go func() { healthy.Wait(); close(arrived) }()
		began := time.Now()
		select {
		case <-arrived:
		case <-ctx.Done():
			t.Error("the healthy ones were delayed")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %s", took)
		}
		stop()
		wg.Wait()
		if most.Load() > 4 {
			t.Errorf("%d at once to one destination", most.Load())
		}
		cut, err := s.queue.List(ctx, "acme", delivery.Filter{Destination: "hangs", States: []delivery.State{delivery.Leased}}, page.Request{})
		if err != nil || len(cut.Items) != 0 {
			t.Errorf("%d left leased by a graceful end, %v", len(cut.Items), err)
		}
	})
}

func TestConfig(t *testing.T) {
	if _, err := delivery.NewQueue(delivery.QueueConfig{}); err == nil {
		t.Error("a queue without a store")
	}
	_, err := delivery.New(delivery.Config{Kinds: map[string]delivery.Kind{"x": {}}, Lease: time.Second, Timeout: time.Second, Batch: -1})
	for _, want := range []string{"Queue", `"x"`, "Timeout", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}
