package brokertest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

// runNode runs a relay and a router with the handlers until stop.
func runNode(t testing.TB, db *sqldb.DB, b *broker.Broker, topic string, handlers map[string]transport.Handler) (stop func()) {
	t.Helper()
	store := outboxbun.New(db)
	router, err := transport.NewRouter(transport.RouterConfig{SubscriberFor: b.SubscriberFor, Topic: topic, DB: db, Inbox: store, Poison: store})
	must(t, err)
	for name, h := range handlers {
		router.Handle(name, "*", h)
	}
	relay, err := transport.NewRelay(transport.RelayConfig{Store: store, Publisher: b, Topic: topic, Woken: store.Woken(), Ready: router.Running()})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return router.Run(ctx) })
	g.Go(func() error { return relay.Run(ctx) })
	return func() {
		cancel()
		must(t, g.Wait())
	}
}

// relayAndRouter is the whole way: outbox, relay, broker, router, inbox, effect.
func (s *suite) relayAndRouter(t *testing.T) {
	const subjects, each = 30, 10
	db := sqldbtest.SQLite(t, outboxbun.Migrations)
	topic := s.topic(t, "one", "two")
	b := s.node(t)
	logs := map[string]*log{"one": newLog(), "two": newLog()}
	handlers := map[string]transport.Handler{}
	for name, l := range logs {
		handlers[name] = func(_ context.Context, ev transport.Event) error {
			msg, err := transport.ToMessage(ev)
			if err == nil {
				l.note("", msg)
			}
			return err
		}
	}
	stop := runNode(t, db, b, topic, handlers)
	for i := 1; i <= each; i++ {
		events := make([]transport.Event, subjects)
		for k := range events {
			events[k] = transport.Event{Type: "thing.done", Tenant: "acme", Subject: fmt.Sprint("thing/", k), Data: i}
		}
		must(t, outboxbun.New(db).Publish(t.Context(), events...))
	}
	for _, l := range logs {
		l.until(t, subjects*each)
		l.inOrder(t, 1)
	}
	stop()
}

// Outage runs a node on a broker that is away at first, comes, goes while there is work, and comes back: nothing is lost
// and every effect happens once. Up and down start and stop the server, which keeps its data; it is down at first.
func Outage(t *testing.T, open func(tb testing.TB) *broker.Broker, up, down func()) {
	t.Helper()
	const each = 200
	s := &suite{open}
	db := sqldbtest.SQLite(t, outboxbun.Migrations)
	b := s.node(t)
	l := newLog()
	topic := newTopic()
	stop := runNode(t, db, b, topic, map[string]transport.Handler{"h": func(_ context.Context, ev transport.Event) error {
		msg, err := transport.ToMessage(ev)
		if err == nil {
			l.note("", msg)
		}
		return err
	}})
	sequence := 0
	write := func(n int) {
		for range n {
			sequence++
			events := make([]transport.Event, 10)
			for k := range events {
				events[k] = transport.Event{Type: "thing.done", Tenant: "acme", Subject: fmt.Sprint("thing/", k), Data: sequence}
			}
			must(t, outboxbun.New(db).Publish(t.Context(), events...))
		}
	}
	write(each / 10)
	if err := b.Publish(topic, newMessage("thing/0", 1)); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("publishing without a server: %v", err)
	}
	if n := l.nodes(); n != 0 {
		t.Error("an event was handled without a server")
	}
	up()
	l.until(t, each)
	down()
	write(each / 10)
	up()
	l.until(t, 2*each)
	write(each / 10)
	l.until(t, 2*each+each/10) // in the middle of things
	down()
	up()
	write(1)
	l.until(t, 3*each+10) // connected again, also to remove what the test made
	l.inOrder(t, 1)
	stop()
	// Now, because the server does not outlive the test. The node may be still on its way back to it.
	for deadline := time.Now().Add(patience); ; wait(t, 20*time.Millisecond) {
		err := b.Remove(t.Context(), topic, "h")
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("removing the topic: %v", err)
		}
	}
	var left int
	must(t, db.IDB(t.Context()).NewSelect().Table("transport_outbox").ColumnExpr("count(*)").Where("sent_at IS NULL").Scan(t.Context(), &left))
	if left > 0 {
		t.Errorf("%d events are still in the outbox", left)
	}
}

// Loss has the broker lose all that it holds, the topic and the group too, while a node listens: what it takes afterwards
// is handled all the same. Lose returns when the server is there again and empty.
func Loss(t *testing.T, open func(tb testing.TB) *broker.Broker, lose func(topic string)) {
	t.Helper()
	s := &suite{open}
	topic, l := newTopic(), newLog()
	listener, publisher := s.node(t), s.node(t)
	listen(t, listener, topic, "h", func(m *message.Message) bool { return l.note("", m) })
	publish(t, listener, topic, newMessage("thing/0", 1))
	l.until(t, 1)
	lose(topic)
	const n = 20
	for i := 1; i <= n; i++ {
		for deadline := time.Now().Add(patience); ; wait(t, 5*time.Millisecond) {
			err := publisher.Publish(topic, newMessage("thing/1", i))
			if err == nil {
				break
			}
			if fault.CodeOf(err) != fault.Unavailable || time.Now().After(deadline) {
				t.Fatalf("publishing: %v", err)
			}
		}
	}
	l.until(t, 1+n)
	l.inOrder(t, 1)
}

// Bench measures the way of b.N events of many subjects from Publish to a handler that does nothing ("bare"), and the
// whole way from the outbox to an inbox row, on SQLite ("relay and router").
func Bench(b *testing.B, open func(tb testing.TB) *broker.Broker) {
	s := &suite{open}
	b.Run("bare", func(b *testing.B) {
		topic := s.topic(b, "h")
		node := s.open(b)
		b.Cleanup(func() { must(b, node.Close()) })
		done := make(chan struct{}, 1<<20)
		sub, err := node.SubscriberFor("h")
		must(b, err)
		messages, err := sub.Subscribe(b.Context(), topic)
		must(b, err)
		go func() {
			for msg := range messages {
				msg.Ack()
				done <- struct{}{}
			}
		}()
		publish(b, node, topic, newMessage("thing/0", 1))
		<-done
		b.ResetTimer()
		var g errgroup.Group
		g.SetLimit(64) // as the relay's InFlight
		for i := range b.N {
			g.Go(func() error { return node.Publish(topic, newMessage(fmt.Sprint("thing/", i), 1)) })
		}
		must(b, g.Wait())
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "published/s")
		for range b.N {
			<-done
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("relay and router", func(b *testing.B) {
		db := sqldbtest.SQLite(b, outboxbun.Migrations)
		topic := s.topic(b, "h")
		node := s.open(b)
		b.Cleanup(func() { must(b, node.Close()) })
		done := make(chan struct{}, 1<<20)
		stop := runNode(b, db, node, topic, map[string]transport.Handler{"h": func(context.Context, transport.Event) error {
			done <- struct{}{}
			return nil
		}})
		defer stop()
		events := make([]transport.Event, b.N)
		for i := range events {
			events[i] = transport.Event{Type: "thing.done", Tenant: "acme", Subject: fmt.Sprint("thing/", i), Time: time.Now(), Data: i}
		}
		store := outboxbun.New(db)
		b.ResetTimer()
		for len(events) > 0 {
			n := min(len(events), 500)
			must(b, store.Publish(b.Context(), events[:n]...))
			events = events[n:]
		}
		for range b.N {
			<-done
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}
