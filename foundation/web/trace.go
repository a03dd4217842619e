package web

import (
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/telemetry"
)

// scope names what this package tells OpenTelemetry.
const scope = "github.com/renkei-go/renkei/foundation/web"

var (
	errStatus   = errors.New("the answer is a server error")
	errPanicked = errors.New("the handler panicked")
)

// traced gives a request its span. A span that a wrapper around the router has begun wins over the caller's.
func (m *middleware) traced(ctx huma.Context, next func(huma.Context)) {
	if m.Tracer == nil {
		next(ctx)
		return
	}
	parent := ctx.Context()
	if telemetry.Parent(parent) == "" {
		parent = telemetry.WithParent(parent, ctx.Header(telemetry.Header))
	}
	op := ctx.Operation()
	inner, span := m.tracer.Start(parent, op.Method+" "+op.Path, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", op.Method), attribute.String("http.route", op.Path),
		attribute.String("renkei.request_id", identity.RequestID(parent)),
	))
	if x := exchangeIn(parent); x != nil {
		x.trace = span.SpanContext().TraceID().String()
	}
	err := errPanicked
	defer func() {
		if status := ctx.Status(); status != 0 {
			span.SetAttributes(attribute.Int("http.response.status_code", status))
		}
		telemetry.End(span, err)
	}()
	next(huma.WithContext(ctx, inner))
	if err = nil; ctx.Status() >= http.StatusInternalServerError {
		err = errStatus
	}
}
