package transport_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

// batches records what a BatchHandler was given, and fails or panics on demand.
type batches struct {
	db   *sqldb.DB
	fail func(ev transport.Event) error

	mu    sync.Mutex
	sizes []int
}

func (b *batches) handle(ctx context.Context, events []transport.Event) error {
	b.mu.Lock()
	b.sizes = append(b.sizes, len(events))
	b.mu.Unlock()
	for _, ev := range events {
		if err := effect(b.db, "h")(ctx, ev); err != nil {
			return err
		}
	}
	for _, ev := range events {
		if b.fail != nil {
			if err := b.fail(ev); err != nil {
				return err
			}
		}
	}
	return nil
}

// publishTogether hands events to the router at the same time and returns when all are acknowledged.
func publishTogether(t *testing.T, ctx context.Context, n *node, events ...transport.Event) {
	t.Helper()
	must(t, n.store.Publish(ctx, events...))
	r := n.relay(t, transport.RelayConfig{})
	for sent := 0; sent < len(events); {
		k, err := r.Step(ctx)
		must(t, err)
		sent += k
	}
}

func some(n int) []transport.Event {
	events := make([]transport.Event, n)
	for i := range events {
		events[i] = event(fmt.Sprint("thing/", i))
	}
	return events
}

// TestBatchHandler has events share transactions and calls: each takes effect once.
func TestBatchHandler(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, func(c *transport.RouterConfig) { c.Concurrency = 1 })
		b := &batches{db: db}
		n.router.HandleBatch("h", "test.*", b.handle)
		n.start(t, nil)
		publishTogether(t, ctx, n, some(200)...)
		if all, distinct := countEffects(t, ctx, db, "h"); all != 200 || distinct != 200 {
			t.Errorf("%d effects of %d events", all, distinct)
		}
		if slices.Max(b.sizes) < 2 || slices.Min(b.sizes) < 1 {
			t.Errorf("the handler got %v events at a time", b.sizes)
		}
	})
}

// TestBatchHandlerFails poisons the one event that is at fault, by its error or its panic, and no other.
func TestBatchHandlerFails(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, nil)
		n.router.HandleBatch("h", "*", (&batches{db: db, fail: func(ev transport.Event) error {
			switch ev.Subject {
			case "thing/7":
				return errors.New("seven")
			case "thing/8":
				panic("eight")
			}
			return nil
		}}).handle)
		n.start(t, nil)
		publishTogether(t, ctx, n, some(40)...)
		if all, distinct := countEffects(t, ctx, db, "h"); all != 38 || distinct != 38 {
			t.Errorf("%d effects of %d events", all, distinct)
		}
		list, err := n.store.Poisoned(ctx, "acme", page.Request{})
		must(t, err)
		var reasons []string
		for _, p := range list.Items {
			reasons = append(reasons, p.Event.Subject+": "+p.Reason)
		}
		slices.Sort(reasons)
		if want := []string{"thing/7: seven", "thing/8: the handler panicked: eight"}; !slices.Equal(reasons, want) {
			t.Errorf("poisoned %q", reasons)
		}
	})
}

// TestBatchHandlerTraced gives each event of a batch a span in its own trace.
func TestBatchHandlerTraced(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		recorder := tracetest.NewSpanRecorder()
		n := newNode(t, db, func(c *transport.RouterConfig) {
			c.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
		})
		var mu sync.Mutex
		got := map[string]string{}
		n.router.HandleBatch("h", "*", func(_ context.Context, events []transport.Event) error {
			mu.Lock()
			defer mu.Unlock()
			for _, ev := range events {
				got[ev.Subject] = ev.Trace
			}
			return nil
		})
		n.start(t, nil)
		events := some(20)
		for i := range events {
			events[i].Trace = fmt.Sprintf("00-%032x-%016x-01", i+1, i+1)
		}
		publishTogether(t, ctx, n, events...)
		n.stop()
		traces := slices.Collect(maps.Values(got))
		for _, span := range recorder.Ended() {
			sc := span.SpanContext()
			want := fmt.Sprintf("00-%s-%s-01", sc.TraceID(), sc.SpanID())
			if span.Name() != "process test.thing.happened" || !slices.Contains(traces, want) {
				t.Errorf("the span %s was not handed on", want)
			}
		}
		for i := range events {
			if trace := got[events[i].Subject]; len(trace) < 35 || trace[3:35] != fmt.Sprintf("%032x", i+1) {
				t.Errorf("%s went on with %q", events[i].Subject, trace)
			}
		}
	})
}
