package transport

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/telemetry"
)

// scope names what this package tells OpenTelemetry.
const scope = "github.com/renkei-go/renkei/transport"

// The outcomes of a publication or of a handler's call, for the metrics.
var (
	outcomeOK     = metric.WithAttributes(attribute.String("outcome", "ok"))
	outcomeFailed = metric.WithAttributes(attribute.String("outcome", "failed"))
)

func outcome(err error) metric.MeasurementOption {
	if err != nil {
		return outcomeFailed
	}
	return outcomeOK
}

// handlerTimes are the bounds of what a transaction takes, in seconds.
var handlerTimes = metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30)

// lagTimes are the bounds of what an event waits, in seconds.
var lagTimes = metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300, 1800, 7200)

// relayWatch tells what a relay does.
type relayWatch struct {
	traced    bool
	tracer    trace.Tracer
	published metric.Int64Counter
	lag       metric.Float64Histogram
}

func watchRelay(c RelayConfig) (relayWatch, error) {
	m := telemetry.Meter(c.Meter, scope)
	w := relayWatch{traced: c.Tracer != nil, tracer: telemetry.Tracer(c.Tracer, scope)}
	var errs [2]error
	w.published, errs[0] = m.Int64Counter("renkei.relay.published", metric.WithUnit("{event}"),
		metric.WithDescription("Events that the relay tried to publish."))
	w.lag, errs[1] = m.Float64Histogram("renkei.relay.lag", metric.WithUnit("s"), lagTimes,
		metric.WithDescription("From an event's time until it is published."))
	return w, errors.Join(errs[:]...)
}

// publish begins the spans of events that are published together; the events that it returns go on with them.
func (w relayWatch) publish(ctx context.Context, topic string, events []Claimed) (traced []Claimed, end func(error)) {
	var spans []trace.Span
	if w.traced {
		traced = make([]Claimed, len(events))
		spans = make([]trace.Span, len(events))
		for i, e := range events {
			parent, span := w.tracer.Start(telemetry.WithParent(ctx, e.Event.Trace), "publish "+e.Event.Type,
				trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
					attribute.String("messaging.operation.type", "send"), attribute.String("messaging.destination.name", topic),
					attribute.String("messaging.message.id", e.Event.ID), attribute.String("renkei.tenant", string(e.Event.Tenant)),
				))
			e.Event.Trace = telemetry.Parent(parent)
			traced[i], spans[i] = e, span
		}
		events = traced
	}
	return events, func(err error) {
		for _, span := range spans {
			if err != nil {
				err = errNotPublished // what a broker says may not be fit to be seen
			}
			telemetry.End(span, err)
		}
		w.published.Add(ctx, int64(len(events)), outcome(err))
		if err != nil {
			return
		}
		now := time.Now()
		for _, e := range events {
			w.lag.Record(ctx, max(0, now.Sub(e.Event.Time).Seconds()))
		}
	}
}

var (
	errNotPublished = errors.New("it could not be published")
	errNotHandled   = errors.New("the handler failed")
)

// routerWatch tells what a router does.
type routerWatch struct {
	traced   bool
	tracer   trace.Tracer
	duration metric.Float64Histogram
	poisoned metric.Int64Counter
}

func watchRouter(c RouterConfig) (routerWatch, error) {
	m := telemetry.Meter(c.Meter, scope)
	w := routerWatch{traced: c.Tracer != nil, tracer: telemetry.Tracer(c.Tracer, scope)}
	var errs [2]error
	w.duration, errs[0] = m.Float64Histogram("renkei.router.duration", metric.WithUnit("s"), handlerTimes,
		metric.WithDescription("What a handler takes for an event."))
	w.poisoned, errs[1] = m.Int64Counter("renkei.router.poisoned", metric.WithUnit("{event}"),
		metric.WithDescription("Events that a handler failed for good."))
	return w, errors.Join(errs[:]...)
}

// handle begins the span of a handler's call, and returns the event with it. Without a tracer the handler goes on with
// the event's trace itself.
func (w routerWatch) handle(ctx context.Context, handler string, ev Event) (context.Context, Event, func(error)) {
	began := time.Now()
	ctx = telemetry.WithParent(ctx, ev.Trace)
	var span trace.Span
	if w.traced {
		ctx, span = w.tracer.Start(ctx, "process "+ev.Type, processing(handler, ev)...)
		ev.Trace = telemetry.Parent(ctx)
	}
	return ctx, ev, func(err error) {
		if err != nil {
			err = errNotHandled // it may quote what is private
		}
		if span != nil {
			telemetry.End(span, err)
		}
		w.took(ctx, handler, time.Since(began), err)
	}
}

// handleAll is handle for events that are handled together: each has a span, and a share of the time.
func (w routerWatch) handleAll(ctx context.Context, handler string, events []Event) ([]Event, func(error)) {
	began := time.Now()
	var spans []trace.Span
	if w.traced {
		events = slices.Clone(events)
		spans = make([]trace.Span, len(events))
		for i, ev := range events {
			parent, span := w.tracer.Start(telemetry.WithParent(ctx, ev.Trace), "process "+ev.Type, processing(handler, ev)...)
			events[i].Trace, spans[i] = telemetry.Parent(parent), span
		}
	}
	return events, func(err error) {
		if err != nil {
			err = errNotHandled
		}
		for _, span := range spans {
			telemetry.End(span, err)
		}
		share := time.Since(began) / time.Duration(len(events))
		for range events {
			w.took(ctx, handler, share, err)
		}
	}
}

// processing are the options of the span of an event in a handler.
func processing(handler string, ev Event) []trace.SpanStartOption {
	return []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("messaging.operation.type", "process"), attribute.String("messaging.message.id", ev.ID),
		attribute.String("messaging.consumer.group.name", handler), attribute.String("renkei.tenant", string(ev.Tenant)),
	)}
}

func (w routerWatch) took(ctx context.Context, handler string, d time.Duration, err error) {
	w.duration.Record(ctx, d.Seconds(), outcome(err), metric.WithAttributes(attribute.String("handler", handler)))
}

// poison counts an event that is given up.
func (w routerWatch) poison(ctx context.Context, handler string) {
	w.poisoned.Add(ctx, 1, metric.WithAttributes(attribute.String("handler", handler)))
}
