package server_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/refserver/server"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestOpenAPI: the API is what the golden document says; make openapi writes it anew.
func TestOpenAPI(t *testing.T) {
	r := start(t, server.Config{})
	a := r.call(t, "", http.MethodGet, "/openapi.json", nil)
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	var got bytes.Buffer
	if err := json.Indent(&got, a.body, "", " "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	const golden = "testdata/openapi.json"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("the API changed: look at the difference after make openapi, and commit it if it is meant")
	}
}

// TestOperations: health, readiness, metrics, and the reference that needs nothing from elsewhere.
func TestOperations(t *testing.T) {
	r := start(t, server.Config{})
	for _, c := range []struct{ path, want string }{
		{"/healthz", "ok"}, {"/readyz", "ready"}, {"/docs", "<html"},
		{"/metrics", "renkei_http_request_duration_seconds_bucket"}, // last: it shows what was asked before
	} {
		a := r.call(t, "", http.MethodGet, c.path, nil)
		if a.status != http.StatusOK || !strings.Contains(string(a.body), c.want) {
			t.Errorf("%s: %d %.200s", c.path, a.status, a.body)
		}
	}
	// A method of somebody's own does not become a line of its own for ever.
	r.call(t, "", "S3CRET", "/healthz", nil)
	if a := r.call(t, "", http.MethodGet, "/metrics", nil); strings.Contains(string(a.body), "S3CRET") || !strings.Contains(string(a.body), `method="other"`) {
		t.Errorf("%.300s", a.body)
	}
	docs := r.call(t, "", http.MethodGet, "/docs", nil)
	if csp := docs.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(string(docs.body), "//cdn") {
		t.Errorf("the reference may load from elsewhere: %q", csp)
	}
}

// TestEveryAnswer: whatever is asked, the answer has a request id that the log has too, and the headers that keep
// browsers from doing harm; answers of the API also say how much the caller may ask.
func TestEveryAnswer(t *testing.T) {
	r := start(t, server.Config{RateLimit: 1000})
	for _, c := range []struct {
		method, path, user string
		api                bool
	}{
		{http.MethodGet, "/resources", "alice", true},
		{http.MethodGet, "/events/x", "alice", true},
		{http.MethodPost, "/events", "alice", true},
		{http.MethodGet, "/resources", "nobody", true},
		{http.MethodGet, "/nothing", "alice", false},
		{http.MethodPut, "/events", "alice", false},
		{http.MethodGet, "/docs", "", false},
		{http.MethodGet, "/healthz", "", false},
		{http.MethodGet, "/rsvp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", false},
		{http.MethodGet, "/approval-links/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", false},
	} {
		a := r.call(t, c.user, c.method, c.path, nil)
		id := a.header.Get("X-Request-Id")
		for name, want := range map[string]string{
			"X-Request-Id": "-", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'",
		} {
			if !strings.Contains(a.header.Get(name), want) {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, a.header.Get(name))
			}
		}
		if !strings.Contains(r.log.String(), "request_id="+id) {
			t.Errorf("%s %s: the log does not have %s", c.method, c.path, id)
		}
		if c.api && (a.header.Get("Ratelimit-Policy") != `"default";q=1000;w=60` || !strings.Contains(a.header.Get("Ratelimit"), ";r=")) {
			t.Errorf("%s %s: %q %q", c.method, c.path, a.header.Get("Ratelimit-Policy"), a.header.Get("Ratelimit"))
		}
		if a.status >= http.StatusBadRequest && strings.Contains(a.header.Get("Content-Type"), "json") && !strings.Contains(string(a.body), `"instance":"`+id+`"`) {
			t.Errorf("%s %s: the problem does not name %s: %s", c.method, c.path, id, a.body)
		}
	}
	if a := r.call(t, "alice", http.MethodGet, "/resources", nil, "X-Request-Id: mine-1"); a.header.Get("X-Request-Id") != "mine-1" {
		t.Errorf("the caller's request id is not kept: %q", a.header.Get("X-Request-Id"))
	}
}

// TestRateLimit: who asks too much is answered 429 with a time to wait, and nobody else is.
func TestRateLimit(t *testing.T) {
	r := start(t, server.Config{RateLimit: 3})
	var last answer
	for range 4 {
		last = r.call(t, "alice", http.MethodGet, "/resources", nil)
	}
	var p problem
	if last.decode(t, &p); last.status != http.StatusTooManyRequests || p.Reason != "rate_limited" || last.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", last.status, last.header, last.body)
	}
	if a := r.call(t, "bob", http.MethodGet, "/resources", nil); a.status != http.StatusOK {
		t.Errorf("bob: %d %s", a.status, a.body)
	}
	for range 4 {
		last = r.call(t, "nobody", http.MethodGet, "/resources", nil)
	}
	if last.status != http.StatusTooManyRequests {
		t.Errorf("guessing tokens: %d %s", last.status, last.body)
	}
}
