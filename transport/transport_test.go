package transport_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

var quiet = slog.New(slog.DiscardHandler)

func quickly(tries int, _ error) (time.Duration, bool) { return time.Millisecond, tries < 3 }

func event(subject string) transport.Event {
	return transport.Event{Type: "test.thing.happened", Tenant: "acme", Subject: subject, Data: map[string]int{"n": 1}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// node is a process: a router and its relay over one database handle.
type node struct {
	db     *sqldb.DB
	store  *outboxbun.Store
	pubsub *transport.PubSub
	router *transport.Router
	stop   func()
}

func newNode(t testing.TB, db *sqldb.DB, change func(*transport.RouterConfig)) *node {
	n := &node{db: db, store: outboxbun.New(db), pubsub: transport.InProcess()}
	c := transport.RouterConfig{Subscriber: n.pubsub, DB: db, Inbox: n.store, Poison: n.store, Retry: quickly, Logger: quiet}
	if change != nil {
		change(&c)
	}
	var err error
	n.router, err = transport.NewRouter(c)
	must(t, err)
	return n
}

// start runs the router, and the relay when there is a configuration for it.
func (n *node) start(t testing.TB, relay *transport.RelayConfig) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return n.router.Run(ctx) })
	if relay != nil {
		relay.Ready = n.router.Running()
		r := n.relay(t, *relay)
		g.Go(func() error { return r.Run(ctx) })
	}
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	t.Cleanup(n.stop)
	<-n.router.Running()
}

func (n *node) relay(t testing.TB, c transport.RelayConfig) *transport.Relay {
	t.Helper()
	setDefault(&c.Store, transport.OutboxStore(n.store))
	setDefault(&c.Publisher, message.Publisher(n.pubsub))
	c.Woken, c.Logger = n.store.Woken(), quiet
	r, err := transport.NewRelay(c)
	must(t, err)
	return r
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func eachDB(t *testing.T, f func(t *testing.T, ctx context.Context, db *sqldb.DB)) {
	sqldbtest.Each(t, []sqldb.Migration{outboxbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := db.IDB(ctx).ExecContext(ctx, effectsDDL)
		must(t, err)
		f(t, ctx, db)
	})
}

// effectsDDL is what handlers write: no key, so that a second effect shows.
const effectsDDL = "CREATE TABLE effects (handler text, event_id text, subject text, sequence bigint)"

func effect(db *sqldb.DB, handler string) transport.Handler {
	return func(ctx context.Context, ev transport.Event) error {
		_, err := db.IDB(ctx).NewRaw("INSERT INTO effects VALUES (?, ?, ?, ?)", handler, ev.ID, ev.Subject, ev.Sequence).Exec(ctx)
		return err
	}
}

func countEffects(t testing.TB, ctx context.Context, db *sqldb.DB, handler string) (all, distinct int) {
	t.Helper()
	err := db.IDB(ctx).NewRaw("SELECT count(*), count(DISTINCT event_id) FROM effects WHERE handler = ?", handler).Scan(ctx, &all, &distinct)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		t.Fatal(err)
	}
	return all, distinct
}

// drain steps until nothing is left.
func drain(t *testing.T, ctx context.Context, r *transport.Relay) {
	t.Helper()
	for {
		n, err := r.Step(ctx)
		must(t, err)
		if n == 0 {
			return
		}
	}
}

func TestHandlersGetWhatTheyAskFor(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, nil)
		patterns := map[string]string{"all": "*", "exact": "a.b.c", "prefix": "a.b.*", "other": "a.bc.*", "top": "a.*"}
		for name, p := range patterns {
			n.router.Handle(name, p, effect(db, name))
		}
		n.start(t, nil)
		for i, typ := range []string{"a.b.c", "a.b.d.e", "a.b", "x.y"} {
			ev := event(fmt.Sprint("s/", i))
			ev.Type = typ
			must(t, n.store.Publish(ctx, ev))
		}
		drain(t, ctx, n.relay(t, transport.RelayConfig{}))
		for name, want := range map[string]int{"all": 4, "exact": 1, "prefix": 2, "other": 0, "top": 3} {
			if all, _ := countEffects(t, ctx, db, name); all != want {
				t.Errorf("%s %q: %d events, want %d", name, patterns[name], all, want)
			}
		}
	})
}

// flaky publishes and then claims that it failed, or fails outright: what a broker does on a bad day.
type flaky struct {
	message.Publisher
	calls atomic.Int64
}

func (f *flaky) Publish(topic string, msgs ...*message.Message) error {
	switch f.calls.Add(1) % 5 {
	case 1:
		return errors.New("connection reset before anything was sent")
	case 2:
		if err := f.Publisher.Publish(topic, msgs...); err != nil {
			return err
		}
		return errors.New("connection reset after all was sent")
	}
	return f.Publisher.Publish(topic, msgs...)
}

// crashing loses every third mark, as a process does that dies after publishing.
type crashing struct {
	transport.OutboxStore
	calls atomic.Int64
}

func (c *crashing) Settle(ctx context.Context, token string, sent []int64, done []int, lease time.Duration) error {
	if c.calls.Add(1)%3 == 0 {
		return errors.New("the process died")
	}
	return c.OutboxStore.Settle(ctx, token, sent, done, lease)
}

func TestCrashesPublishAgainAndEffectsHappenOnce(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, nil)
		n.router.Handle("h", "*", effect(db, "h"))
		n.start(t, nil)
		const total = 300
		for i := range total {
			must(t, n.store.Publish(ctx, event(fmt.Sprint("s/", i%20))))
		}
		r := n.relay(t, transport.RelayConfig{
			Store: &crashing{OutboxStore: n.store}, Publisher: &flaky{Publisher: n.pubsub}, Batch: 40,
		})
		for quietSteps := 0; quietSteps < 3; {
			db.AdvanceClock(time.Hour) // ends the leases of the dead
			sent, err := r.Step(ctx)
			if quietSteps++; sent > 0 || err != nil {
				quietSteps = 0
			}
			if ctx.Err() != nil {
				t.Fatal("the events never got through")
			}
		}
		if all, distinct := countEffects(t, ctx, db, "h"); all != total || distinct != total {
			t.Errorf("%d effects of %d events, want %d", all, distinct, total)
		}
		if c, err := n.store.Claim(ctx, 10, time.Minute); err != nil || len(c.Events) != 0 {
			t.Errorf("left over: %d events, %v", len(c.Events), err)
		}
	})
}

// TestSeveralNodes has 16 publishers and three nodes, each with relay, router and handler, over one PostgreSQL schema.
func TestSeveralNodes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	url := sqldbtest.PostgresURL(t)
	const nodes, publishers, each, subjects = 3, 16, 60, 40

	var mu sync.Mutex
	last := map[string]int64{} // first deliveries, over all nodes
	var outOfOrder []string
	var dbs []*sqldb.DB
	done := make(chan struct{})
	var effects atomic.Int64
	for i := range nodes {
		db, err := sqldb.Open(ctx, url)
		must(t, err)
		t.Cleanup(func() { _ = db.Close() })
		dbs = append(dbs, db)
		must(t, sqldb.Migrate(ctx, db, outboxbun.Migrations))
		if i == 0 {
			_, err := db.IDB(ctx).ExecContext(ctx, effectsDDL)
			must(t, err)
		}
		n := newNode(t, db, nil)
		n.router.Handle("h", "*", func(ctx context.Context, ev transport.Event) error {
			if err := effect(db, "h")(ctx, ev); err != nil {
				return err
			}
			db.AfterCommit(ctx, func() {
				mu.Lock()
				defer mu.Unlock()
				if ev.Sequence != last[ev.Subject]+1 {
					outOfOrder = append(outOfOrder, fmt.Sprintf("%s: %d after %d", ev.Subject, ev.Sequence, last[ev.Subject]))
				}
				last[ev.Subject] = ev.Sequence
				if effects.Add(1) == publishers*each {
					close(done)
				}
			})
			return nil
		})
		n.start(t, &transport.RelayConfig{Batch: 50, Poll: 20 * time.Millisecond, Lease: 30 * time.Second})
	}
	var g errgroup.Group
	for p := range publishers {
		g.Go(func() error {
			db := dbs[p%nodes]
			store := outboxbun.New(db)
			for i := range each {
				err := db.Do(ctx, func(ctx context.Context) error {
					return store.Publish(ctx, event(fmt.Sprint("s/", (p*7+i)%subjects)))
				})
				if err != nil {
					return err
				}
				undo := errors.New("undo") // a transaction that is given up takes its event and its number along
				err = db.Do(ctx, func(ctx context.Context) error {
					return errors.Join(store.Publish(ctx, event(fmt.Sprint("s/", i%subjects))), undo)
				})
				if !errors.Is(err, undo) {
					return err
				}
			}
			return nil
		})
	}
	must(t, g.Wait())
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatalf("%d effects", effects.Load())
	}
	if all, distinct := countEffects(t, ctx, dbs[0], "h"); all != publishers*each || distinct != all {
		t.Errorf("%d effects of %d events, want %d", all, distinct, publishers*each)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(outOfOrder) > 0 {
		t.Errorf("%d out of order: %v", len(outOfOrder), outOfOrder[:min(5, len(outOfOrder))])
	}
}

func TestPoisonAndReplay(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, nil)
		broken := atomic.Bool{}
		broken.Store(true)
		errRoom := fault.New(fault.Conflict, "room_gone", "the room does not exist any more").Because(errors.New("private"))
		n.router.Handle("picky", "*", func(ctx context.Context, ev transport.Event) error {
			if err := effect(db, "picky")(ctx, ev); err != nil {
				return err
			}
			if broken.Load() && ev.Subject == "bad" {
				return errRoom
			}
			if broken.Load() && ev.Subject == "worse" {
				panic("nil map")
			}
			return nil
		})
		n.router.Handle("easy", "*", effect(db, "easy"))
		n.start(t, nil)
		must(t, n.store.Publish(ctx, event("good"), event("bad"), event("worse"), event("bad")))
		drain(t, ctx, n.relay(t, transport.RelayConfig{}))

		if all, _ := countEffects(t, ctx, db, "easy"); all != 4 {
			t.Errorf("the other handler had %d effects", all)
		}
		if all, _ := countEffects(t, ctx, db, "picky"); all != 1 {
			t.Errorf("%d effects, want that of the good event", all)
		}
		list, err := n.store.Poisoned(ctx, "acme", page.Request{})
		must(t, err)
		reasons := map[string]int{}
		for _, p := range list.Items {
			reasons[p.Reason]++
			if p.Tries != 3 || p.Handler != "picky" {
				t.Errorf("%+v", p)
			}
		}
		if len(list.Items) != 3 || reasons["room_gone: the room does not exist any more"] != 2 || reasons["the handler panicked: nil map"] != 1 {
			t.Errorf("reasons %v", reasons)
		}
		id := list.Items[0].ID
		if err := n.router.Replay(ctx, "acme", id); err == nil {
			t.Error("still broken, yet the replay succeeded")
		}
		if err := n.router.Replay(ctx, "other", id); !errors.Is(err, transport.ErrNotPoisoned) {
			t.Errorf("another tenant's replay: %v", err)
		}
		broken.Store(false)
		for _, p := range list.Items {
			must(t, n.router.Replay(ctx, "acme", p.ID))
		}
		if err := n.router.Replay(ctx, "acme", id); !errors.Is(err, transport.ErrNotPoisoned) {
			t.Errorf("replayed twice: %v", err)
		}
		if all, distinct := countEffects(t, ctx, db, "picky"); all != 4 || distinct != 4 {
			t.Errorf("%d effects of %d events", all, distinct)
		}
	})
}
