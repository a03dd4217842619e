package delivery

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/telemetry"
)

// scope names what this package tells OpenTelemetry.
const scope = "github.com/renkei-go/renkei/transport/delivery"

// watch tells what an engine does.
type watch struct {
	traced    bool
	tracer    trace.Tracer
	measured  bool
	duration  metric.Float64Histogram
	latency   metric.Float64Histogram
	running   metric.Int64UpDownCounter
	claimed   metric.Int64Counter
	completed metric.Int64Counter
	lost      metric.Int64Counter
	warnings  metric.Int64Counter
}

func newWatch(cfg Config) (watch, error) {
	m := telemetry.Meter(cfg.Meter, scope)
	w := watch{traced: cfg.Tracer != nil, tracer: telemetry.Tracer(cfg.Tracer, scope), measured: cfg.Meter != nil}
	var errs []error
	made := func(err error) { errs = append(errs, err) }
	counter := func(name, description string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit("{delivery}"), metric.WithDescription(description))
		made(err)
		return c
	}
	var err error
	w.duration, err = m.Float64Histogram("renkei.delivery.attempt.duration", metric.WithUnit("s"),
		metric.WithDescription("What an attempt takes."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30))
	made(err)
	w.latency, err = m.Float64Histogram("renkei.delivery.latency", metric.WithUnit("s"),
		metric.WithDescription("From being enqueued until success."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 15, 60, 300, 1800, 7200, 43200, 259200))
	made(err)
	w.running, err = m.Int64UpDownCounter("renkei.delivery.running", metric.WithUnit("{attempt}"), metric.WithDescription("Attempts under way."))
	made(err)
	w.claimed = counter("renkei.delivery.claimed", "Deliveries that were claimed.")
	w.completed = counter("renkei.delivery.completed", "Results that were written down, or given up.")
	w.lost = counter("renkei.delivery.lost", "Results whose lease had been taken over.")
	w.warnings, err = m.Int64Counter("renkei.delivery.warnings", metric.WithUnit("{warning}"),
		metric.WithDescription("Destinations that got worse, or well again."))
	made(err)
	return w, errors.Join(errs...)
}

// attempt begins the span of an attempt, in the trace that the delivery came from.
func (w watch) attempt(ctx context.Context, d Delivery) (context.Context, func(result)) {
	ctx = telemetry.WithParent(ctx, d.Trace)
	if !w.traced && !w.measured {
		return ctx, func(result) {}
	}
	kind := attribute.String("renkei.delivery.kind", d.Kind)
	var span trace.Span
	if w.traced {
		ctx, span = w.tracer.Start(ctx, "deliver "+d.Kind, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
			kind, attribute.String("renkei.delivery.id", d.ID), attribute.Int("renkei.delivery.attempt", d.Attempts),
			attribute.String("renkei.delivery.destination", d.Destination), attribute.String("renkei.tenant", string(d.Tenant)),
			attribute.String("messaging.message.id", d.EventID),
		))
	}
	by := metric.WithAttributes(kind)
	w.running.Add(ctx, 1, by)
	return ctx, func(r result) {
		w.running.Add(ctx, -1, by)
		outcome := attribute.String("outcome", r.outcome())
		if span != nil {
			span.SetAttributes(outcome)
			var err error
			if text := errorText(r.err); text != "" {
				err = errors.New(text)
			}
			telemetry.End(span, err)
		}
		w.duration.Record(ctx, r.took.Seconds(), metric.WithAttributes(kind, outcome, attribute.Int("status", r.status)))
		if r.State() == Succeeded {
			w.latency.Record(ctx, max(0, time.Since(d.CreatedAt).Seconds()), by)
		}
	}
}

// outcome is what an attempt made of the delivery, in one word.
func (r Result) outcome() string {
	switch {
	case r.later:
		return "later"
	case r.State() == Pending:
		return "retry"
	}
	return string(r.State())
}

func (w watch) warned(ctx context.Context, g Warning) {
	w.warnings.Add(ctx, 1, metric.WithAttributes(attribute.String("renkei.delivery.kind", g.Kind), attribute.String("stage", string(g.Stage))))
}
