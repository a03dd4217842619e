package chaostest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest/postgrestest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
)

const (
	tenant        = identity.TenantID("acme")
	events        = 400
	subscriptions = 2
	publishers    = 4
)

var alice = identity.System(tenant, "alice")

type payload struct {
	Order string `json:"order"`
}

var errChangedMind = errors.New("the order is not wanted after all")

// chaos is the test's state.
type chaos struct {
	t        *testing.T
	cfg      setting
	postgres *postgrestest.Private
	site     *site
	sink     *sink
	nodes    map[string]*node
	subs     map[string]string // ids by path

	crashed, recovered time.Time    // when the database forgot what was not on the disk
	refused            atomic.Int64 // transactions that had to be repeated
}

// TestNodesAndDatabaseDie kills each node once and restarts the database twice, the first time by a crash, every time
// with a request under way.
func TestNodesAndDatabaseDie(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := begin(t, ctx)
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.publishAll(gctx) })
	group.Go(func() error { return c.breakThings(gctx) })
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.sink.until(ctx, func() bool { return c.sink.accepted == events*subscriptions }); err != nil {
		t.Errorf("not everything arrived: %v", err)
	}
	records := c.settled(ctx)
	for name, n := range c.nodes {
		if err := n.stop(); err != nil {
			t.Errorf("node %s: %v", name, err)
		}
	}
	c.judge(ctx, records)
}

func begin(t *testing.T, ctx context.Context) *chaos {
	postgres, err := postgrestest.StartPrivate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	c := &chaos{
		t: t, postgres: postgres, sink: newSink(t), nodes: map[string]*node{}, subs: map[string]string{},
		cfg: setting{Database: postgres.URL, Keys: "k1:" + secret.NewKey().Reveal()},
	}
	if c.site, err = open(ctx, c.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.site.db.Close() })
	if _, err := c.site.db.IDB(ctx).ExecContext(ctx, "CREATE TABLE orders (id text PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	for i := range subscriptions {
		path := fmt.Sprintf("/%d", i)
		sub, err := c.site.hooks.Subscribe(ctx, alice, webhook.Subscription{URL: c.sink.server.URL + path, Events: []string{"order.*"}})
		if err != nil {
			t.Fatal(err)
		}
		c.subs[path], c.sink.secrets[path] = sub.ID, sub.Secret.Reveal()
	}
	for _, name := range []string{"a", "b"} {
		if err := c.startNode(name); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *chaos) startNode(name string) error {
	cfg := c.cfg
	cfg.Name = name
	n, err := start(c.t, cfg)
	c.nodes[name] = n
	return err
}

// breakThings spreads the disasters over the run, by the number of requests that the sink has seen.
func (c *chaos) breakThings(ctx context.Context) error {
	restart := func(crash bool) func() error {
		return func() error { return c.postgres.Restart(ctx, crash) }
	}
	kill := func(name string) func() error {
		return func() error { return c.nodes[name].kill() }
	}
	for i, disaster := range []struct {
		node string // whose request is under way, and who is started anew
		do   func() error
	}{{"a", kill("a")}, {"", restart(true)}, {"b", kill("b")}, {"", restart(false)}} {
		if err := c.sink.until(ctx, func() bool { return c.sink.requests >= 100+200*i }); err != nil {
			return err
		}
		began := time.Now()
		if err := c.sink.catch(ctx, disaster.node, disaster.do); err != nil {
			return err
		}
		switch {
		case disaster.node != "":
			if err := c.startNode(disaster.node); err != nil {
				return err
			}
		case c.crashed.IsZero():
			c.crashed, c.recovered = began, time.Now()
		}
	}
	return nil
}

// publishAll commits an order with its event every 10 ms, and every tenth time rolls another one back.
func (c *chaos) publishAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	ids := make(chan string)
	for range publishers {
		group.Go(func() error {
			for id := range ids {
				if err := c.commit(ctx, id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(ids)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := range events {
			select {
			case ids <- fmt.Sprintf("o%d", i):
			case <-ctx.Done():
				return ctx.Err()
			}
			if i%10 == 0 {
				if err := c.order(ctx, fmt.Sprintf("never%d", i), errChangedMind); err == nil {
					return errors.New("a transaction that failed committed")
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		return nil
	})
	return group.Wait()
}

// order writes an order and its event in one transaction.
func (c *chaos) order(ctx context.Context, id string, end error) error {
	return c.site.db.Do(ctx, func(ctx context.Context) error {
		if _, err := c.site.db.IDB(ctx).ExecContext(ctx, "INSERT INTO orders (id) VALUES (?)", id); err != nil {
			return err
		}
		ev := transport.Event{ID: id, Type: "order.placed", Tenant: tenant, Subject: "order/" + id, Data: payload{id}}
		return errors.Join(c.site.outbox.Publish(ctx, ev), end)
	})
}

// commit repeats the transaction while the database is away, which sqldb reports as a fault. That the order is there
// already means that it committed and only the answer was lost.
func (c *chaos) commit(ctx context.Context, id string) error {
	for {
		err := c.order(ctx, id, nil)
		switch {
		case err == nil, errors.Is(err, sqldb.ErrDuplicate):
			return nil
		case fault.CodeOf(err) != fault.Unavailable:
			return fmt.Errorf("order %s: %w", id, err)
		}
		c.refused.Add(1)
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settled returns the deliveries when all are final, or ctx ends.
func (c *chaos) settled(ctx context.Context) map[place]delivery.Record {
	for {
		records, open, err := c.records(ctx)
		if err == nil && open == 0 {
			return records
		}
		if ended := pause(ctx); ended != nil {
			c.t.Fatalf("%d deliveries are not final: %v", open, errors.Join(err, ended))
		}
	}
}

func (c *chaos) records(ctx context.Context) (map[place]delivery.Record, int, error) {
	records, open := map[place]delivery.Record{}, 0
	for path, id := range c.subs {
		for p := (page.Request{Limit: page.MaxLimit}); ; {
			cut, err := c.site.hooks.Deliveries(ctx, alice, id, p)
			if err != nil {
				return nil, 0, err
			}
			for _, r := range cut.Items {
				if _, twice := records[place{path, r.EventID}]; twice {
					c.t.Errorf("two deliveries of %s to %s", r.EventID, path)
				}
				records[place{path, r.EventID}] = r
				if !r.State.Final() {
					open++
				}
			}
			if p.Cursor = cut.Next; p.Cursor == "" {
				break
			}
		}
	}
	return records, open, nil
}

// judge compares what committed, what arrived and what the history says.
func (c *chaos) judge(ctx context.Context, records map[place]delivery.Record) {
	t := c.t
	c.sink.mu.Lock()
	defer c.sink.mu.Unlock()
	var committed []string
	if err := c.site.db.IDB(ctx).NewSelect().Table("orders").Column("id").Scan(ctx, &committed); err != nil {
		t.Fatal(err)
	}
	poisoned, err := c.site.outbox.Poisoned(ctx, tenant, page.Request{})
	if err != nil || len(poisoned.Items) > 0 {
		t.Errorf("%d events were poisoned: %v, %v", len(poisoned.Items), poisoned.Items, err)
	}
	if len(committed) != events || len(records) != events*subscriptions || len(c.sink.arrivals) != events*subscriptions {
		t.Errorf("%d orders committed, %d deliveries, %d arrived", len(committed), len(records), len(c.sink.arrivals))
	}
	var again, unknown, forgotten int
	for path := range c.subs {
		for _, id := range committed {
			p := place{path, id}
			if !c.sink.took(p) {
				t.Errorf("%s was lost at %s", id, path)
			}
			for _, a := range c.sink.arrivals[p] {
				if a.answer == http.StatusOK {
					again++
				}
			}
			again--
			missing, twice := c.explain(p, records[p])
			unknown += missing
			forgotten += twice
		}
	}
	if unknown == 0 {
		t.Error("two nodes were killed with a request under way, and no attempt has an unknown outcome")
	}
	t.Logf("%d requests for %d deliveries, %d came again after they had been taken; %d attempts with unknown outcome, %d forgotten claims, %d transactions repeated",
		c.sink.requests, len(records), again, unknown, forgotten, c.refused.Load())
}

// explain holds the arrivals of a delivery against its history. It returns how many attempts have an unknown outcome and
// how many arrivals are due to a claim that the crash forgot.
func (c *chaos) explain(p place, r delivery.Record) (missing, forgotten int) {
	arrivals := c.sink.arrivals[p]
	fail := func(why string) {
		c.t.Errorf("%v: %s: %+v, %s after %d attempts: %+v", p, why, arrivals, r.State, r.Attempts, r.History)
	}
	lines := map[int]int{} // by status
	last := 0
	for i, a := range r.History {
		lines[a.Status]++
		if final := i == len(r.History)-1; a.Number <= last || final != (a.State == delivery.Succeeded) || final != (a.Error == "") {
			fail("the history is not in order")
		}
		last = a.Number
	}
	if r.State != delivery.Succeeded || lines[http.StatusOK] != 1 || last != r.Attempts {
		fail("it did not end well")
	}
	missing = r.Attempts - len(r.History)
	unexplained := 0
	for _, a := range arrivals {
		switch {
		case lines[a.answer] > 0:
			lines[a.answer]--
		case a.held && lines[0] > 0: // its sender ran out of time
			lines[0]--
		default:
			unexplained++
		}
	}
	delete(lines, 0) // of an attempt that did not get as far as the sink
	for _, left := range lines {
		if left > 0 {
			fail("the history says what the sink did not do")
		}
	}
	if forgotten = max(0, unexplained-missing); forgotten > 0 && !c.nearCrash(arrivals) {
		fail("an arrival is not explained")
	}
	return missing, forgotten
}

// nearCrash says whether a claim of one of these may have been forgotten: PostgreSQL writes what nobody waits for within
// three rounds of 0.2 s, and such a claim's attempt takes no longer than half a lease.
func (c *chaos) nearCrash(arrivals []arrival) bool {
	for _, a := range arrivals {
		if a.at.After(c.crashed.Add(-time.Second)) && a.at.Before(c.recovered.Add(lease/2)) {
			return true
		}
	}
	return false
}
