package telemetry_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/telemetry"
)

const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

var parents = []struct {
	text, want string // what is kept of it; empty: nothing
}{
	{valid, valid},
	{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"},
	{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", valid}, // flags of later standards
	{"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", valid}, // a later version
	{"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-follows", valid},
	{"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", ""},
	{"", ""},
	{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", ""},
	{"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
	{"00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""},
	{"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", ""},
	{"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", ""},
	{"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", ""},
	{"00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
	{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", ""},
}

func TestParent(t *testing.T) {
	for _, c := range parents {
		if got := telemetry.Parent(telemetry.WithParent(context.Background(), c.text)); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
	before := telemetry.WithParent(context.Background(), valid)
	if after := telemetry.WithParent(before, "nonsense"); after != before {
		t.Error("nonsense changed the context")
	}
}

// FuzzParent takes all that OpenTelemetry's own reader takes, for the same; and what it writes can be read again. (Theirs
// refuses flags that a later standard may set, ours ignores them, as the present one asks for.)
func FuzzParent(f *testing.F) {
	for _, c := range parents {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ctx := telemetry.WithParent(context.Background(), text)
		theirs := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{telemetry.Header: text})
		got, want := trace.SpanContextFromContext(ctx), trace.SpanContextFromContext(theirs)
		if want.IsValid() && (got.TraceID() != want.TraceID() || got.SpanID() != want.SpanID() || got.IsSampled() != want.IsSampled()) {
			t.Errorf("%q: %v, theirs is %v", text, got, want)
		}
		if written := telemetry.Parent(ctx); written != telemetry.Parent(telemetry.WithParent(context.Background(), written)) {
			t.Errorf("%q does not survive", written)
		}
	})
}

func TestProviders(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tracer := telemetry.Tracer(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)), "test")
	ctx, span := tracer.Start(telemetry.WithParent(t.Context(), valid), "work")
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	if got := telemetry.Parent(ctx); got != carrier[telemetry.Header] {
		t.Errorf("%q, theirs is %q", got, carrier[telemetry.Header])
	}
	telemetry.End(span, errors.New("it broke"))
	_, span = tracer.Start(ctx, "more work")
	telemetry.End(span, nil)
	ended := recorder.Ended()
	if len(ended) != 2 || ended[0].Status().Code != codes.Error || ended[0].Status().Description != "it broke" ||
		ended[1].Status().Code != codes.Unset || ended[1].SpanContext().TraceID().String() != valid[3:35] {
		t.Errorf("%+v", ended)
	}

	ctx, span = telemetry.Tracer(nil, "test").Start(t.Context(), "nothing")
	counter, err := telemetry.Meter(nil, "test").Int64Counter("nothing")
	if err != nil || span.IsRecording() || telemetry.Parent(ctx) != "" {
		t.Errorf("a nil provider records: %v", err)
	}
	counter.Add(ctx, 1)
	span.End()
}
