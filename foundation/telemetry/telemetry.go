package telemetry

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	nometer "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	notracer "go.opentelemetry.io/otel/trace/noop"
)

// Header is the HTTP header of a trace, and its key in a message's metadata.
const Header = "traceparent"

// Tracer returns the provider's tracer for a package, named by its import path; one that does nothing when p is nil.
func Tracer(p trace.TracerProvider, name string) trace.Tracer {
	if p == nil {
		p = notracer.NewTracerProvider()
	}
	return p.Tracer(name)
}

// Meter returns the provider's meter for a package, named by its import path; one that does nothing when p is nil.
func Meter(p metric.MeterProvider, name string) metric.Meter {
	if p == nil {
		p = nometer.NewMeterProvider()
	}
	return p.Meter(name)
}

// Parent returns the traceparent of the span in ctx, or "" when there is none.
func Parent(ctx context.Context) string {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return ""
	}
	id, span := sc.TraceID(), sc.SpanID()
	text := make([]byte, 0, parentLength)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, id[:])
	text = append(text, '-')
	text = hex.AppendEncode(text, span[:])
	text = append(text, '-')
	text = hex.AppendEncode(text, []byte{byte(sc.TraceFlags() & trace.FlagsSampled)})
	return string(text)
}

// parentLength is that of "00-" + 32 + "-" + 16 + "-" + 2.
const parentLength = 55

// WithParent returns ctx with the remote span that a traceparent names, so that spans begun with it go on with its
// trace; ctx itself when the text is empty or is no traceparent.
func WithParent(ctx context.Context, parent string) context.Context {
	if parent == "" {
		return ctx
	}
	sc, ok := parse(parent)
	if !ok {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, sc)
}

// parse reads a traceparent of version 00, and of later ones what they have in common with it (Trace Context §3.2, 4).
func parse(text string) (trace.SpanContext, bool) {
	if len(text) < parentLength || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return trace.SpanContext{}, false
	}
	version, ok := bytesOf(text[:2], 1)
	if !ok || version[0] == 0xff || version[0] == 0 && len(text) != parentLength || len(text) > parentLength && text[parentLength] != '-' {
		return trace.SpanContext{}, false
	}
	id, idOK := bytesOf(text[3:35], 16)
	span, spanOK := bytesOf(text[36:52], 8)
	flags, flagsOK := bytesOf(text[53:55], 1)
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(id), SpanID: trace.SpanID(span[:8]), TraceFlags: trace.TraceFlags(flags[0]) & trace.FlagsSampled, Remote: true,
	})
	return sc, idOK && spanOK && flagsOK && sc.IsValid()
}

// bytesOf decodes n bytes of lower-case hexadecimal, the only kind that the standard allows.
func bytesOf(text string, n int) (out [16]byte, ok bool) {
	for _, c := range []byte(text) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return out, false
		}
	}
	got, err := hex.Decode(out[:], []byte(text))
	return out, err == nil && got == n
}

// End ends a span; with an error it counts as failed. The error's text is kept: give one that is fit to be seen.
func End(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
