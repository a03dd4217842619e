package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/retry"
)

// server is a destination that answers as it is told.
type server struct {
	mu     sync.Mutex
	status int
	header http.Header
	keys   []string
}

func (s *server) answer(status int, header ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.header = status, http.Header{}
	for i := 0; i < len(header); i += 2 {
		s.header.Set(header[i], header[i+1])
	}
}

func (s *server) Send(_ context.Context, d delivery.Delivery) delivery.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, d.Key)
	return delivery.FromStatus(s.status, s.header, "the answer")
}

// seen returns the keys that came, and forgets them.
func (s *server) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.keys
	s.keys = nil
	return keys
}

// spared is a site whose kind has Health, and the stages that it was warned of.
func spared(t *testing.T, db *sqldb.DB, srv *server, h delivery.Health) (s site, stages func() []delivery.WarningStage) {
	var told []delivery.WarningStage
	h.Probe.Jitter = -1
	s = newSite(t, db, delivery.Config{
		Kinds: map[string]delivery.Kind{"note": {
			Sender: srv, Health: &h, Policy: retry.Policy{Jitter: -1, First: time.Second, Multiplier: 1, Tries: 1000},
			OnWarning: func(ctx context.Context, w delivery.Warning) error {
				if !sqldb.InTx(ctx) || w.Tenant != "acme" || w.Lane.Destination != "d" || w.Kind != "note" {
					t.Errorf("warned of %+v", w)
				}
				told = append(told, w.Stage)
				return nil
			},
		}},
	})
	return s, func() []delivery.WarningStage {
		out := told
		told = nil
		return out
	}
}

func (s site) destination(t *testing.T, ctx context.Context) delivery.Destination {
	t.Helper()
	d, err := s.queue.Destination(ctx, "acme", "d")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s site) step(t *testing.T, ctx context.Context) int {
	t.Helper()
	n, err := s.engine.Step(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func some(n int) []delivery.Job {
	jobs := make([]delivery.Job, n)
	for i := range jobs {
		jobs[i].Key = fmt.Sprint("k", i)
	}
	return jobs
}

// TestBreaker: it opens, lets one through at a time, and closes when that succeeds.
func TestBreaker(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		srv := &server{status: 500}
		s, stages := spared(t, db, srv, delivery.Health{Trip: 3, TripAfter: -1, Probe: retry.Policy{First: time.Minute}})
		s.enqueue(t, ctx, some(10)...)
		s.step(t, ctx)
		if n := len(srv.seen()); n < 3 {
			t.Fatalf("%d attempts", n)
		}
		d := s.destination(t, ctx)
		if d.Trips != 1 || d.Failures < 3 || d.FailingSince.IsZero() || !slices.Equal(stages(), []delivery.WarningStage{delivery.StageTripped}) {
			t.Fatalf("%+v", d)
		}
		db.AdvanceClock(50 * time.Second)
		if n := s.step(t, ctx); n != 0 {
			t.Fatalf("%d sent while the breaker is open", n)
		}
		db.AdvanceClock(11 * time.Second)
		if n := s.step(t, ctx); n != 1 {
			t.Fatalf("%d sent as a probe", n)
		}
		if d := s.destination(t, ctx); d.Trips != 2 {
			t.Fatalf("%+v", d)
		}
		db.AdvanceClock(118 * time.Second)
		if n := s.step(t, ctx); n != 0 {
			t.Fatal("the second probe came too early")
		}
		srv.answer(204)
		db.AdvanceClock(3 * time.Second)
		if n := s.step(t, ctx); n != 1 {
			t.Fatalf("%d sent as a probe", n)
		}
		if d := s.destination(t, ctx); !d.Idle() || !slices.Equal(stages(), []delivery.WarningStage{delivery.StageWell}) {
			t.Fatalf("%+v", d)
		}
		if n := s.drain(t, ctx); n != 9 {
			t.Errorf("%d sent after it was well", n)
		}
	})
}

// TestOneProbe: of several nodes one probes.
func TestOneProbe(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		srv := &server{status: 500}
		s, _ := spared(t, db, srv, delivery.Health{Trip: 1, TripAfter: -1, Probe: retry.Policy{First: time.Minute}})
		s.enqueue(t, ctx, some(8)...)
		s.step(t, ctx)
		srv.seen()
		db.AdvanceClock(time.Minute)
		var wg sync.WaitGroup
		for range 4 {
			other, _ := spared(t, db, srv, delivery.Health{Trip: 1, TripAfter: -1, Probe: retry.Policy{First: time.Minute}})
			wg.Go(func() { other.step(t, ctx) })
		}
		wg.Wait()
		if got := srv.seen(); len(got) != 1 {
			t.Errorf("%d probes", len(got))
		}
	})
}

// TestGone: 410 disables at once; enabling brings back what was held and, when asked, what died.
func TestGone(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		srv := &server{status: 410}
		s, stages := spared(t, db, srv, delivery.Health{})
		s.enqueue(t, ctx, delivery.Job{Key: "dies"})
		s.step(t, ctx)
		s.enqueue(t, ctx, delivery.Job{Key: "held"})
		db.AdvanceClock(24 * time.Hour)
		if n := s.step(t, ctx); n != 0 {
			t.Fatal("sent to a disabled destination")
		}
		d := s.destination(t, ctx)
		if d.DisabledReason != delivery.ReasonGone || s.byKey(t, ctx, "dies").State != delivery.Dead || !slices.Equal(stages(), []delivery.WarningStage{delivery.StageDisabled}) {
			t.Fatalf("%+v", d)
		}
		if list, err := s.queue.Destinations(ctx, "acme"); err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		if list, err := s.queue.Destinations(ctx, "other"); err != nil || len(list) != 0 {
			t.Fatalf("another tenant's: %+v, %v", list, err)
		}
		srv.answer(200)
		srv.seen()
		by := identity.Principal{Tenant: "acme", Actor: "admin"}
		if n, err := s.queue.Enable(ctx, by, "d", true); err != nil || n != 1 {
			t.Fatalf("replayed %d, %v", n, err)
		}
		if n := s.drain(t, ctx); n != 2 {
			t.Errorf("%d sent after it was enabled: %v", n, srv.seen())
		}
		if n, err := s.queue.Enable(ctx, by, "d", true); err != nil || n != 0 {
			t.Errorf("replayed twice: %d, %v", n, err)
		}
	})
}

// TestAutoDisable: both the time and the count must be passed, and warnings come before.
func TestAutoDisable(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		srv := &server{status: 500}
		s, stages := spared(t, db, srv, delivery.Health{Trip: -1, DisableAfter: 10 * time.Hour, DisableFailures: 5, Warn: []float64{0.5, 0.9}})
		s.enqueue(t, ctx, some(1)...)
		var all []delivery.WarningStage
		for range 5 { // hours 0 to 8: enough failures, too little time
			s.step(t, ctx)
			all = append(all, stages()...)
			db.AdvanceClock(2 * time.Hour)
		}
		if want := []delivery.WarningStage{delivery.StageFailing}; !slices.Equal(all, want) {
			t.Fatalf("warned %v", all)
		}
		db.AdvanceClock(-time.Hour)
		s.step(t, ctx) // hour 9
		db.AdvanceClock(time.Hour)
		s.step(t, ctx) // hour 10
		if got, want := stages(), []delivery.WarningStage{delivery.StageFailing, delivery.StageDisabled}; !slices.Equal(got, want) {
			t.Fatalf("warned %v", got)
		}
		if d := s.destination(t, ctx); d.DisabledReason != delivery.ReasonFailing || d.Failures != 7 {
			t.Errorf("%+v", d)
		}
	})
}

// TestRetryAfter: the whole destination is spared for as long as it asks.
func TestRetryAfter(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		srv := &server{}
		srv.answer(429, "Retry-After", "120")
		s, _ := spared(t, db, srv, delivery.Health{})
		s.enqueue(t, ctx, some(1)...)
		s.step(t, ctx)
		s.enqueue(t, ctx, delivery.Job{Key: "next"})
		srv.answer(200)
		db.AdvanceClock(118 * time.Second)
		if n := s.step(t, ctx); n != 0 {
			t.Fatalf("%d sent before the time that was asked for", n)
		}
		db.AdvanceClock(2 * time.Second)
		if n := s.drain(t, ctx); n != 2 {
			t.Fatalf("%d sent after it", n)
		}
		if d := s.destination(t, ctx); !d.Idle() {
			t.Errorf("%+v", d)
		}
	})
}

func TestLimit(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		srv := &server{status: 200}
		s, _ := spared(t, db, srv, delivery.Health{})
		if err := s.queue.SetLimit(ctx, "acme", "d", delivery.Limit{PerSecond: 0.5, Burst: 3}); err != nil {
			t.Fatal(err)
		}
		s.enqueue(t, ctx, some(10)...)
		for i, want := range []int{3, 1, 1, 3} {
			if n := s.drain(t, ctx); n != want {
				t.Fatalf("round %d: %d sent, want %d", i, n, want)
			}
			if db.AdvanceClock(2 * time.Second); i == 2 {
				db.AdvanceClock(time.Minute)
			}
		}
		if err := s.queue.SetLimit(ctx, "acme", "d", delivery.Limit{}); err != nil {
			t.Fatal(err)
		}
		if n := s.drain(t, ctx); n != 2 {
			t.Errorf("%d sent without a limit", n)
		}
		if err := s.queue.SetLimit(ctx, "acme", "d", delivery.Limit{PerSecond: -1}); !errors.Is(err, delivery.ErrLimit) {
			t.Errorf("a negative limit: %v", err)
		}
	})
}

// TestLimitedNeighbour: what waits for its limit goes out in time, and delays nobody else. The poll is too late for both.
func TestLimitedNeighbour(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		limited, free := make(chan struct{}, 10), make(chan struct{}, 1)
		s := newSite(t, db, delivery.Config{Poll: time.Hour, Kinds: kinds(func(_ context.Context, d delivery.Delivery) delivery.Result {
			if d.Destination == "d" {
				limited <- struct{}{}
			} else {
				free <- struct{}{}
			}
			return delivery.Sent("")
		})})
		if err := s.queue.SetLimit(ctx, "acme", "d", delivery.Limit{PerSecond: 2, Burst: 1}); err != nil {
			t.Fatal(err)
		}
		s.enqueue(t, ctx, some(3)...)
		began := time.Now()
		defer s.run(ctx)()
		wait := func(c chan struct{}) {
			t.Helper()
			select {
			case <-c:
			case <-ctx.Done():
				t.Fatal("it never came")
			}
		}
		wait(limited)
		s.enqueue(t, ctx, delivery.Job{Destination: "free"})
		wait(free)
		if took := time.Since(began); took > 450*time.Millisecond && len(limited) == 0 {
			t.Errorf("the neighbour waited %s", took)
		}
		wait(limited)
		wait(limited)
		if took := time.Since(began); took < 900*time.Millisecond {
			t.Errorf("three in %s", took)
		}
	})
}

// TestOrdered: one that fails holds up those behind it, and nobody else.
func TestOrdered(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		var mu sync.Mutex
		var got []string
		shut := true
		s := newSite(t, db, delivery.Config{Kinds: map[string]delivery.Kind{"note": {
			Ordered: true, Policy: retry.Policy{Jitter: -1},
			Sender: delivery.SenderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
				mu.Lock()
				defer mu.Unlock()
				if d.Key == "a2" && shut {
					return delivery.Retry(errors.New("shut"))
				}
				got = append(got, d.Key)
				return delivery.Sent("")
			}),
		}}})
		for i := 1; i <= 4; i++ {
			for _, key := range []string{"a", "b"} {
				s.enqueue(t, ctx, delivery.Job{Key: key + strconv.Itoa(i), OrderKey: key})
			}
		}
		s.enqueue(t, ctx, delivery.Job{Key: "free"})
		s.drain(t, ctx)
		of := func(prefix byte) (out []string) {
			for _, key := range got {
				if key[0] == prefix {
					out = append(out, key)
				}
			}
			return out
		}
		if a, b := of('a'), of('b'); !slices.Equal(a, []string{"a1"}) || !slices.Equal(b, []string{"b1", "b2", "b3", "b4"}) || len(of('f')) != 1 {
			t.Fatalf("sent %v", got)
		}
		shut = false
		db.AdvanceClock(time.Minute)
		s.drain(t, ctx)
		if a := of('a'); !slices.Equal(a, []string{"a1", "a2", "a3", "a4"}) {
			t.Errorf("sent %v", got)
		}
	})
}

func TestRecover(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		fail := true
		s := newSite(t, db, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result {
			if fail {
				return delivery.Fail(errors.New("no"))
			}
			return delivery.Sent("")
		})})
		by := identity.Principal{Tenant: "acme", Actor: "admin"}
		s.enqueue(t, ctx, some(3)...)
		s.drain(t, ctx)
		db.AdvanceClock(time.Hour)
		since := db.Clock()
		s.enqueue(t, ctx, delivery.Job{Key: "x"}, delivery.Job{Key: "y"}, delivery.Job{Key: "z"})
		s.drain(t, ctx)
		if _, err := s.queue.Resend(ctx, by, s.byKey(t, ctx, "z").ID, "1"); err != nil {
			t.Fatal(err)
		}
		fail = false
		for who, want := range map[identity.TenantID]int{"acme": 2, "other": 0} {
			if n, err := s.queue.Recover(ctx, identity.Principal{Tenant: who}, "d", since, true); err != nil || n != want {
				t.Errorf("%s: a preview of %d, %v", who, n, err)
			}
		}
		if n, err := s.queue.Recover(ctx, by, "d", since, false); err != nil || n != 2 {
			t.Fatalf("recovered %d, %v", n, err)
		}
		if n, err := s.queue.Recover(ctx, by, "d", since, false); err != nil || n != 0 {
			t.Errorf("recovered %d twice, %v", n, err)
		}
		if n := s.drain(t, ctx); n != 3 {
			t.Errorf("%d sent", n)
		}
		if n, err := s.queue.Recover(ctx, by, "d", time.Time{}, false); err != nil || n != 3 {
			t.Errorf("recovered %d of all time, %v", n, err)
		}
	})
}

func TestReplayMissing(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result { return delivery.Sent("") })})
		s.enqueue(t, ctx, some(3)...)
		jobs := func(yield func(delivery.Job, error) bool) {
			for i := range 1100 {
				if !yield(delivery.Job{Tenant: "acme", Kind: "note", Destination: "d", Key: fmt.Sprint("k", i)}, nil) {
					return
				}
			}
		}
		for _, dry := range []bool{true, false} {
			if n, err := s.queue.ReplayMissing(ctx, jobs, dry); err != nil || n != 1097 {
				t.Fatalf("dry %v: %d, %v", dry, n, err)
			}
		}
		if n := s.drain(t, ctx); n != 1100 {
			t.Errorf("%d sent", n)
		}
		boom := errors.New("boom")
		broken := func(yield func(delivery.Job, error) bool) { yield(delivery.Job{}, boom) }
		if _, err := s.queue.ReplayMissing(ctx, broken, false); !errors.Is(err, boom) {
			t.Errorf("a broken source: %v", err)
		}
		keyless := func(yield func(delivery.Job, error) bool) {
			yield(delivery.Job{Tenant: "a", Kind: "b", Destination: "c"}, nil)
		}
		if _, err := s.queue.ReplayMissing(ctx, keyless, false); !errors.Is(err, delivery.ErrUnknownKind) {
			t.Errorf("no key: %v", err)
		}
	})
}

func TestScheduleAndSweep(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		ks := kinds(func(context.Context, delivery.Delivery) delivery.Result { return delivery.Retry(errors.New("no")) })
		note := ks["note"]
		note.Schedule = []time.Duration{0, 5 * time.Second, 5 * time.Minute}
		ks["note"] = note
		s := newSite(t, db, delivery.Config{Kinds: ks, Keep: 24 * time.Hour})
		s.enqueue(t, ctx, some(1)...)
		n := s.drain(t, ctx)
		db.AdvanceClock(time.Second) // "at once" is by the engine's clock, which may be ahead by a round trip
		if n += s.drain(t, ctx); n != 2 {
			t.Fatalf("%d attempts at once", n)
		}
		for _, wait := range []time.Duration{5 * time.Second, 5 * time.Minute} {
			db.AdvanceClock(wait)
			if n := s.drain(t, ctx); n != 1 {
				t.Fatalf("%d attempts after %s", n, wait)
			}
		}
		if d := s.byKey(t, ctx, "k0"); d.State != delivery.Dead || d.Attempts != 4 || len(d.History) != 4 {
			t.Fatalf("%+v", d)
		}
		if n, err := s.engine.Sweep(ctx, 10); err != nil || n != 0 {
			t.Errorf("swept %d, %v", n, err)
		}
		db.AdvanceClock(25 * time.Hour)
		if n, err := s.engine.Sweep(ctx, 10); err != nil || n != 1 {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}
