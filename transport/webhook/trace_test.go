package webhook_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/telemetry"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/outboxbun"
	"github.com/renkei-go/renkei/transport/webhook"
)

const request1 = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// eachWithOutbox is each with the outbox's tables.
func eachWithOutbox(t *testing.T, f func(t *testing.T, ctx context.Context, db *sqldb.DB)) {
	sqldbtest.Each(t, append([]sqldb.Migration{outboxbun.Migrations}, migrations...), func(t *testing.T, db *sqldb.DB) {
		f(t, t.Context(), db)
	})
}

// relayed publishes an event through the outbox, the relay and the router, as a server does.
func relayed(t *testing.T, ctx context.Context, s *site, provider trace.TracerProvider, ev transport.Event) {
	t.Helper()
	outbox, channel := outboxbun.New(s.db), transport.InProcess()
	router, err := transport.NewRouter(transport.RouterConfig{Subscriber: channel, DB: s.db, Inbox: outbox, Poison: outbox, Tracer: provider})
	if err != nil {
		t.Fatal(err)
	}
	router.HandleBatch("webhooks", "*", s.hooks.Handle)
	relay, err := transport.NewRelay(transport.RelayConfig{Store: outbox, Publisher: channel, Tracer: provider})
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	var group errgroup.Group
	group.Go(func() error { return router.Run(running) })
	<-router.Running()
	if err := outbox.Publish(ctx, ev); err != nil {
		t.Error(err)
	}
	if n, err := relay.Step(t.Context()); n != 1 || err != nil {
		t.Errorf("%d relayed, %v", n, err)
	}
	stop()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// TestTraceFromRequestToReceiver follows a trace through everything that a request causes, over three transactions.
func TestTraceFromRequestToReceiver(t *testing.T) {
	eachWithOutbox(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		recorder := tracetest.NewSpanRecorder()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
		s, sink := newSite(t, db, webhook.Config{Tracer: provider}), newSink(t)
		engine, err := delivery.New(delivery.Config{
			Queue: s.queue, Kinds: map[string]delivery.Kind{webhook.Kind: s.hooks.DeliveryKind()}, Tracer: provider,
		})
		if err != nil {
			t.Fatal(err)
		}
		s.engine = engine
		s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		relayed(t, telemetry.WithParent(ctx, request1), s, provider, transport.Event{Type: "person.updated", Tenant: alice.Tenant, Subject: "person/1"})
		sink.answer(http.StatusInternalServerError)
		s.drain(t, ctx)
		sink.answer(http.StatusOK)
		db.AdvanceClock(2 * time.Minute)
		s.drain(t, ctx)

		var names []string
		byID := map[trace.SpanID]sdktrace.ReadOnlySpan{}
		for _, span := range recorder.Ended() {
			if span.SpanContext().TraceID().String() != request1[3:35] {
				t.Errorf("%s is in another trace", span.Name())
			}
			names = append(names, span.Name())
			byID[span.SpanContext().SpanID()] = span
		}
		slices.Sort(names)
		if want := []string{"POST", "POST", "deliver webhook", "deliver webhook", "process person.updated", "publish person.updated"}; !slices.Equal(names, want) {
			t.Fatalf("spans %q", names)
		}
		parents := map[string]string{"POST": "deliver webhook", "deliver webhook": "process person.updated", "process person.updated": "publish person.updated"}
		for _, span := range byID {
			switch parent, known := byID[span.Parent().SpanID()]; {
			case known && parent.Name() != parents[span.Name()]:
				t.Errorf("%s is under %s", span.Name(), parent.Name())
			case !known && telemetry.Parent(trace.ContextWithRemoteSpanContext(ctx, span.Parent())) != request1:
				t.Errorf("%s is not under the request", span.Name())
			}
		}
		for _, r := range sink.take() {
			got := trace.SpanContextFromContext(telemetry.WithParent(ctx, r.Get("traceparent")))
			if post := byID[got.SpanID()]; post == nil || post.Name() != "POST" {
				t.Errorf("the receiver got %q", r.Get("traceparent"))
			}
		}
	})
}

// TestTraceWithoutTracer hands on what others began, and nothing when nobody did.
func TestTraceWithoutTracer(t *testing.T) {
	eachWithOutbox(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{}), newSink(t)
		s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		for _, parent := range []string{request1, ""} {
			relayed(t, telemetry.WithParent(ctx, parent), s, nil, transport.Event{Type: "person.updated", Tenant: alice.Tenant, Subject: "person/1"})
			s.drain(t, ctx)
			if got := sink.take(); len(got) != 1 || got[0].Get("traceparent") != parent {
				t.Errorf("%q: %+v", parent, got)
			}
		}
	})
}
