package server_test

import (
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/renkei-go/renkei/refserver/server"
)

// TestTracesAndMetrics: with a collector, a request's trace arrives there from the request to the mail that it caused, and
// /metrics tells of the parts.
func TestTracesAndMetrics(t *testing.T) {
	const caller = "4bf92f3577b34da6a3ce929d0e0e4736"
	var mu sync.Mutex
	names := map[string]bool{}
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var batch collector.ExportTraceServiceRequest
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = proto.Unmarshal(body, &batch)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, from := range batch.GetResourceSpans() {
			for _, scope := range from.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					if hex.EncodeToString(span.GetTraceId()) == caller {
						names[span.GetName()] = true
					}
				}
			}
		}
	}))
	defer sink.Close()
	t.Run("server", func(t *testing.T) { // at its end the server stops and sends what it has
		r := start(t, server.Config{OTLPEndpoint: sink.URL + "/"})
		a := r.call(t, "alice", http.MethodPost, "/events", booking(object{"attendees": []object{{"email": "guest@outside.example"}}}),
			"traceparent: 00-"+caller+"-00f067aa0ba902b7-01")
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		await(t, t.Context(), func() bool {
			metrics := string(r.call(t, "", http.MethodGet, "/metrics", nil).body)
			for _, name := range []string{"renkei_relay_published_total", "renkei_router_duration_seconds_bucket", "renkei_delivery_latency_seconds_bucket"} {
				if !strings.Contains(metrics, name) {
					return false
				}
			}
			return true
		})
	})
	mu.Lock()
	defer mu.Unlock()
	for _, begins := range []string{"POST /events", "publish calendar.", "process calendar.", "deliver mail.imip"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(names)), func(name string) bool { return strings.HasPrefix(name, begins) }) {
			t.Errorf("no span %q among %v", begins, names)
		}
	}
}
