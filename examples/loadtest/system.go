package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/outboxbun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

const (
	eventType = "loadtest.event"
	stuckType = "loadtest.stuck"
)

// system is what is measured: outbox, relay, router, webhooks and deliveries, wired as a server does.
type system struct {
	db     *sqldb.DB
	tenant identity.TenantID
	outbox *outboxbun.Store
	relay  *transport.Relay
	router *transport.Router
	hooks  *webhook.Service
	engine *delivery.Engine

	// elsewhere is where subscriptions are made, as if on another node: who changes one remembers none for a second.
	elsewhere *webhook.Service

	subscriptions []string
}

// newSystem wires it for a tenant of its own, so that runs on one database do not meet.
func newSystem(ctx context.Context, database string) (*system, error) {
	db, err := sqldb.Open(ctx, database)
	if err != nil {
		return nil, err
	}
	s := &system{db: db, tenant: identity.TenantID(fmt.Sprintf("loadtest-%d", time.Now().UnixNano()))}
	if err := s.wire(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

func (s *system) wire(ctx context.Context) error {
	if err := sqldb.Migrate(ctx, s.db, outboxbun.Migrations, deliverybun.Migrations, webhookbun.Migrations); err != nil {
		return err
	}
	loopback, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, IdlePerHost: 2 * senders})
	if err != nil {
		return err
	}
	// Always the same key: what an earlier run left in the database can still be read.
	sealer, err := secret.ParseKeys("loadtest:" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		return err
	}
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(s.db)})
	if err != nil {
		return err
	}
	hooks := webhook.Config{Deliveries: queue, Store: webhookbun.New(s.db), Sealer: sealer, Guard: loopback}
	if s.hooks, err = webhook.New(hooks); err != nil {
		return err
	}
	if s.elsewhere, err = webhook.New(hooks); err != nil {
		return err
	}
	if s.engine, err = delivery.New(delivery.Config{
		Queue: queue, Kinds: map[string]delivery.Kind{webhook.Kind: s.hooks.DeliveryKind()}, PerDestination: senders,
	}); err != nil {
		return err
	}
	s.outbox = outboxbun.New(s.db)
	channel := transport.InProcess()
	if s.router, err = transport.NewRouter(transport.RouterConfig{Subscriber: channel, DB: s.db, Inbox: s.outbox, Poison: s.outbox}); err != nil {
		return err
	}
	s.router.HandleBatch("webhooks", "loadtest.*", s.hooks.Handle)
	s.relay, err = transport.NewRelay(transport.RelayConfig{
		Store: s.outbox, Publisher: channel, Woken: s.outbox.Woken(), Ready: s.router.Running(),
	})
	return err
}

// close takes the subscriptions back, so that nothing of this run is sent in the next.
func (s *system) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, id := range s.subscriptions {
		_ = s.elsewhere.Delete(ctx, s.by(), id)
	}
	_ = s.db.Close()
}

// start runs the loops; the returned function stops them and says what went wrong.
func (s *system) start(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{s.router.Run, s.relay.Run, s.engine.Run} {
		group.Go(func() error { return run(ctx) })
	}
	return func() error {
		cancel()
		return group.Wait()
	}
}

func (s *system) by() identity.Principal { return identity.System(s.tenant, "loadtest") }

// subscribe makes subscriptions to the event of the test and returns their paths at the sink.
func (s *system) subscribe(ctx context.Context, receiver *sink, n int) ([]string, error) {
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("/%d", i)
		if err := s.subscribeTo(ctx, receiver.server.URL+paths[i], eventType); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

func (s *system) subscribeTo(ctx context.Context, url, event string) error {
	sub, err := s.elsewhere.Subscribe(ctx, s.by(), webhook.Subscription{URL: url, Events: []string{event}})
	s.subscriptions = append(s.subscriptions, sub.ID)
	return err
}

// publish commits an event as a business transaction does.
func (s *system) publish(ctx context.Context, id string) error { return s.commit(ctx, eventType, id) }

func (s *system) publishStuck(ctx context.Context, id string) error {
	return s.commit(ctx, stuckType, id)
}

func (s *system) commit(ctx context.Context, kind, id string) error {
	return s.db.Do(ctx, func(ctx context.Context) error { return s.outbox.Publish(ctx, s.event(kind, id)) })
}

func (s *system) event(kind, id string) transport.Event {
	return transport.Event{Type: kind, Tenant: s.tenant, Subject: "loadtest/" + id, Data: payload{id}}
}

const pileBatch = 1000

// pile stores n deliveries directly, many to a transaction, without anybody to send them.
func (s *system) pile(ctx context.Context, n int) (map[string]time.Time, error) {
	ids := make(map[string]time.Time, n)
	for from := 0; from < n; from += pileBatch {
		events := make([]transport.Event, min(pileBatch, n-from))
		for i := range events {
			id := fmt.Sprintf("e%08d", from+i)
			events[i] = s.event(eventType, id)
			events[i].ID = "loadtest-" + string(s.tenant) + "-" + id
			ids[id] = time.Time{}
		}
		if err := s.db.Do(ctx, func(ctx context.Context) error { return s.hooks.Publish(ctx, events...) }); err != nil {
			return nil, err
		}
	}
	return ids, nil
}
