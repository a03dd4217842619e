package delivery_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/retry"
)

var migrations = []sqldb.Migration{deliverybun.Migrations}

var quiet = slog.New(slog.DiscardHandler)

// site is a queue with an engine on one database.
type site struct {
	db     *sqldb.DB
	store  delivery.Store
	queue  *delivery.Queue
	engine *delivery.Engine
}

func newSite(t testing.TB, db *sqldb.DB, cfg delivery.Config) site {
	t.Helper()
	return newSiteOn(t, db, deliverybun.New(db), cfg)
}

func newSiteOn(t testing.TB, db *sqldb.DB, store delivery.Store, cfg delivery.Config) site {
	t.Helper()
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: store, Now: db.Clock})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Queue, cfg.Logger = queue, quiet
	engine, err := delivery.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return site{db, store, queue, engine}
}

func (s site) enqueue(t testing.TB, ctx context.Context, jobs ...delivery.Job) {
	t.Helper()
	for i := range jobs {
		jobs[i].Tenant, jobs[i].Kind = "acme", "note"
		if jobs[i].Destination == "" {
			jobs[i].Destination = "d"
		}
	}
	if err := s.queue.Enqueue(ctx, jobs...); err != nil {
		t.Fatal(err)
	}
}

// step drains what is due and returns how many claims that took.
func (s site) drain(t testing.TB, ctx context.Context) int {
	t.Helper()
	for total := 0; ; {
		n, err := s.engine.Step(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n == 0 {
			return total
		}
	}
}

func (s site) byKey(t testing.TB, ctx context.Context, key string) delivery.Record {
	t.Helper()
	d, err := s.store.ByKey(ctx, "acme", "note", key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.queue.Get(ctx, "acme", d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func each(t *testing.T, f func(t *testing.T, ctx context.Context, db *sqldb.DB)) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		f(t, ctx, db)
	})
}

func kinds(send func(ctx context.Context, d delivery.Delivery) delivery.Result) map[string]delivery.Kind {
	return map[string]delivery.Kind{"note": {Sender: delivery.SenderFunc(send), Policy: retry.Policy{Jitter: -1}}}
}

func TestRetrySchedule(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		ids := map[string]bool{}
		s := newSite(t, db, delivery.Config{Kinds: kinds(func(_ context.Context, d delivery.Delivery) delivery.Result {
			ids[d.ID] = true
			return delivery.Retry(errors.New("the door is shut; password=hunter2"))
		})})
		s.enqueue(t, ctx, delivery.Job{Key: "k"})
		for i, wait := range []time.Duration{time.Minute, 4 * time.Minute, 16 * time.Minute} {
			if n := s.drain(t, ctx); n != 1 {
				t.Fatalf("attempt %d: %d sent", i+1, n)
			}
			d := s.byKey(t, ctx, "k")
			if last := d.History[i]; d.State != delivery.Pending || last.State != delivery.Pending || d.NextAttemptAt.Sub(last.StartedAt.Add(last.Duration)).Round(time.Second) != wait {
				t.Fatalf("attempt %d: %s, next in %s, want %s", i+1, d.State, d.NextAttemptAt.Sub(last.StartedAt), wait)
			}
			db.AdvanceClock(wait - time.Second)
			if n := s.drain(t, ctx); n != 0 {
				t.Fatalf("sent a second before its time")
			}
			db.AdvanceClock(time.Second)
		}
		s.drain(t, ctx)
		d := s.byKey(t, ctx, "k")
		if d.State != delivery.Dead || d.Attempts != 4 || len(d.History) != 4 || d.FinishedAt.IsZero() || len(ids) != 1 {
			t.Fatalf("%+v", d)
		}
		if strings.Contains(d.LastError, "hunter2") || !strings.Contains(d.LastError, "the door is shut") {
			t.Errorf("error kept as %q", d.LastError)
		}
		db.AdvanceClock(24 * time.Hour)
		if n := s.drain(t, ctx); n != 0 {
			t.Errorf("a dead delivery was sent")
		}
	})
}

func TestResults(t *testing.T) {
	boom := errors.New("boom")
	tests := map[string]struct {
		result   delivery.Result
		panics   bool
		state    delivery.State
		attempts int
		history  int
		wait     time.Duration
	}{
		"sent":       {result: delivery.Sent("250 ok").WithAnswer(250, "ok"), state: delivery.Succeeded, attempts: 1, history: 1},
		"fail":       {result: delivery.Fail(boom), state: delivery.Dead, attempts: 1, history: 1},
		"permanent":  {result: delivery.Of(retry.Permanent(boom)), state: delivery.Dead, attempts: 1, history: 1},
		"temporary":  {result: delivery.Of(boom), state: delivery.Pending, attempts: 1, history: 1, wait: time.Minute},
		"after":      {result: delivery.Of(retry.After(boom, time.Hour)), state: delivery.Pending, attempts: 1, history: 1, wait: time.Hour},
		"after soon": {result: delivery.Of(retry.After(boom, time.Second)), state: delivery.Pending, attempts: 1, history: 1, wait: time.Minute},
		"cancel":     {result: delivery.Cancel("decided"), state: delivery.Cancelled, attempts: 1, history: 1},
		"suppress":   {result: delivery.Suppress("twin"), state: delivery.Suppressed, attempts: 1, history: 1},
		"later":      {result: delivery.Later(5 * time.Minute), state: delivery.Pending, attempts: 0, wait: 5 * time.Minute},
		"zero":       {state: delivery.Pending, attempts: 1, history: 1, wait: time.Minute},
		"panic":      {panics: true, state: delivery.Pending, attempts: 1, history: 1, wait: time.Minute},
	}
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		var mu sync.Mutex
		told := map[string]delivery.Delivery{}
		ks := kinds(func(_ context.Context, d delivery.Delivery) delivery.Result {
			if test := tests[d.Key]; !test.panics {
				return test.result
			}
			panic("a sender's mistake")
		})
		note := ks["note"]
		note.Done = func(ctx context.Context, ds []delivery.Delivery) error {
			if !sqldb.InTx(ctx) {
				t.Error("Done runs outside the transaction")
			}
			mu.Lock()
			defer mu.Unlock()
			for _, d := range ds {
				told[d.Key] = d
			}
			return nil
		}
		ks["note"] = note
		s := newSite(t, db, delivery.Config{Kinds: ks})
		for key := range tests {
			s.enqueue(t, ctx, delivery.Job{Key: key})
		}
		s.drain(t, ctx)
		for key, test := range tests {
			d := s.byKey(t, ctx, key)
			if d.State != test.state || d.Attempts != test.attempts || len(d.History) != test.history {
				t.Errorf("%s: %s after %d attempts, %d in the history", key, d.State, d.Attempts, len(d.History))
			}
			if _, ok := told[key]; ok != test.state.Final() {
				t.Errorf("%s: Done told: %v", key, ok)
			}
			if test.state.Final() && (!told[key].FinishedAt.Equal(d.FinishedAt) || told[key].State != d.State) {
				t.Errorf("%s: Done was told %+v", key, told[key])
			}
			if !test.state.Final() {
				now, _ := db.Now(ctx)
				if wait := d.NextAttemptAt.Sub(now); wait > test.wait || wait < test.wait-20*time.Second {
					t.Errorf("%s: next in %s, want %s", key, wait, test.wait)
				}
			}
		}
		if h := s.byKey(t, ctx, "sent").History[0]; h.Status != 250 || h.Response != "ok" {
			t.Errorf("history of sent: %+v", h)
		}
	})
}

func TestEnqueue(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result { return delivery.Sent("") })})
		no := errors.New("no")
		_ = db.Do(ctx, func(ctx context.Context) error {
			s.enqueue(t, ctx, delivery.Job{})
			return no
		})
		if n := s.drain(t, ctx); n != 0 {
			t.Fatal("a rolled back job was sent")
		}
		s.enqueue(t, ctx, delivery.Job{Key: "k"}, delivery.Job{Key: "k"}, delivery.Job{NotBefore: db.Clock().Add(time.Hour)})
		if n := s.drain(t, ctx); n != 1 {
			t.Fatalf("%d sent, want 1", n)
		}
		db.AdvanceClock(time.Hour)
		if n := s.drain(t, ctx); n != 1 {
			t.Fatalf("%d sent an hour later, want 1", n)
		}
		for _, bad := range []delivery.Job{{}, {Tenant: "a", Kind: "b"}, {Tenant: "a", Destination: "b"}} {
			if err := s.queue.Enqueue(ctx, bad); !errors.Is(err, delivery.ErrUnknownKind) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if err := s.queue.Enqueue(ctx, delivery.Job{Tenant: "a", Kind: "b", Destination: "c", Payload: func() {}}); !errors.Is(err, delivery.ErrPayload) {
			t.Errorf("a func as payload: %v", err)
		}
	})
}

func TestResendAndCancel(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result { return delivery.Sent("") })})
		by := identity.Principal{Tenant: "acme", Actor: "admin"}
		s.enqueue(t, ctx, delivery.Job{Key: "k", EventID: "e"})
		first := s.byKey(t, ctx, "k")
		if _, err := s.queue.Resend(ctx, by, first.ID, "1"); !errors.Is(err, delivery.ErrNotFinal) {
			t.Errorf("resend of a pending one: %v", err)
		}
		s.drain(t, ctx)
		again, err := s.queue.Resend(ctx, by, first.ID, "1")
		if err != nil || again.ID == first.ID || again.ResendOf != first.ID || again.ResentBy != "admin" {
			t.Fatalf("%+v, %v", again, err)
		}
		if same, err := s.queue.Resend(ctx, by, first.ID, "1"); err != nil || same.ID != again.ID {
			t.Errorf("the same key made another: %v", err)
		}
		if _, err := s.queue.Resend(ctx, identity.Principal{Tenant: "other"}, first.ID, "2"); !errors.Is(err, delivery.ErrUnknown) {
			t.Errorf("another tenant: %v", err)
		}
		if n := s.drain(t, ctx); n != 1 {
			t.Errorf("%d sent", n)
		}
		if records, err := s.queue.History(ctx, "acme", "note", "e"); err != nil || len(records) != 2 || len(records[1].History) != 1 {
			t.Errorf("%+v, %v", records, err)
		}
		s.enqueue(t, ctx, delivery.Job{Key: "c"})
		id := s.byKey(t, ctx, "c").ID
		if err := s.engine.Cancel(ctx, "acme", id, "not wanted"); err != nil {
			t.Fatal(err)
		}
		if n := s.drain(t, ctx); n != 0 || s.byKey(t, ctx, "c").State != delivery.Cancelled {
			t.Errorf("sent after it was cancelled")
		}
		if cut, err := s.queue.List(ctx, "acme", delivery.Filter{}, page.Request{}); err != nil || len(cut.Items) != 3 {
			t.Errorf("%d listed, %v", len(cut.Items), err)
		}
		db.AdvanceClock(time.Hour)
		if n, err := s.queue.Prune(ctx, db.Clock(), 100); err != nil || n != 3 {
			t.Errorf("%d pruned, %v", n, err)
		}
	})
}
