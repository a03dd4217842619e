package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/telemetry"
	"github.com/renkei-go/renkei/foundation/web"
)

func TestTraces(t *testing.T) {
	const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	recorder := tracetest.NewSpanRecorder()
	cfg := web.Config{Tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))}
	each(t, cfg, func(t *testing.T, s *server) {
		recorder.Reset()
		var inside string
		s.hook = func(ctx context.Context, _ identity.Principal) error { inside = telemetry.Parent(ctx); return nil }
		wantStatus(t, s.do("GET", "/things/7", "", "traceparent: "+caller), 200)
		s.hook = func(context.Context, identity.Principal) error { return errors.New("private") }
		wantStatus(t, s.do("GET", "/things/7", ""), 500)
		s.hook = func(context.Context, identity.Principal) error { panic("private") }
		wantStatus(t, s.do("GET", "/things/7", ""), 500)
		wantStatus(t, s.do("GET", "/things/7", "", "Authorization: "), 401)

		ended := recorder.Ended()
		if len(ended) != 4 {
			t.Fatalf("%d spans", len(ended))
		}
		first := ended[0]
		if got := first.SpanContext(); got.TraceID().String() != caller[3:35] || inside[36:52] != got.SpanID().String() || first.Parent().SpanID().String() != caller[36:52] {
			t.Errorf("trace %s, inside %s, parent %s", got.TraceID(), inside, first.Parent().SpanID())
		}
		for i, want := range []struct {
			status  int64
			problem string
		}{{200, ""}, {500, "the answer is a server error"}, {0, "the handler panicked"}, {401, ""}} {
			var status int64
			for _, a := range ended[i].Attributes() {
				if a.Key == "http.response.status_code" {
					status = a.Value.AsInt64()
				}
				if a.Key == "http.route" && a.Value != attribute.StringValue("/things/{id}") {
					t.Errorf("route %v", a.Value)
				}
			}
			code := map[bool]codes.Code{true: codes.Unset, false: codes.Error}[want.problem == ""]
			if ended[i].Name() != http.MethodGet+" /things/{id}" || status != want.status || ended[i].Status().Description != want.problem || ended[i].Status().Code != code {
				t.Errorf("%s: %d, %+v", ended[i].Name(), status, ended[i].Status())
			}
		}
		if !strings.Contains(s.logs.String(), `"trace_id":"`+caller[3:35]+`"`) {
			t.Errorf("the log does not name the trace: %s", s.logs.String())
		}
	})
}
