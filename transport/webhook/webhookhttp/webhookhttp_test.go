package webhookhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
	"github.com/renkei-go/renkei/transport/webhook/webhookhttp"
)

// site is a server on a database of its own.
type site struct {
	http.Handler
	hooks  *webhook.Service
	engine *delivery.Engine
	sink   *httptest.Server
	logs   *strings.Builder
}

func newSite(t testing.TB, options ...webhookhttp.Option) *site {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &site{logs: &strings.Builder{}}
	logger := slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.sink = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/bad") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.sink.Close)
	db := sqldbtest.SQLite(t, deliverybun.Migrations, webhookbun.Migrations)
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db)})
	must(err)
	sealer, err := secret.ParseKeys("k1:" + secret.NewKey().Reveal())
	must(err)
	g, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	must(err)
	store := webhookbun.New(db)
	s.hooks, err = webhook.New(webhook.Config{Deliveries: queue, Store: store, Log: store, Sealer: sealer, Guard: g, Logger: logger})
	must(err)
	s.engine, err = delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{webhook.Kind: s.hooks.DeliveryKind()}, Logger: logger})
	must(err)
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Webhooks", "1.0"))
	web.Use(api, web.Config{
		Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
			p := identity.Principal{Tenant: "1", Actor: token}
			switch token {
			case "admin":
				p.Roles = []string{"admin"}
			case "key":
				p.Scopes = []string{"webhooks:manage"}
			case "other":
				p.Tenant, p.Roles = "2", []string{"admin"}
			}
			return p, nil
		}),
		Logger: logger,
	})
	webhookhttp.Register(api, s.hooks, "/webhooks/", options...)
	s.Handler = mux
	return s
}

func (s *site) call(method, path, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *site) deliver(t *testing.T) {
	t.Helper()
	for {
		n, err := s.engine.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func TestLife(t *testing.T) {
	s := newSite(t)
	publish := func(id string) {
		t.Helper()
		if err := s.hooks.Publish(t.Context(), transport.Event{ID: id, Tenant: "1", Type: "person.updated", Subject: "person/1", Data: 1}); err != nil {
			t.Fatal(err)
		}
		s.deliver(t)
	}
	publish("e0")
	ids := map[string]string{}
	var shownOnce []string
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		has, hasNot                     string
	}{
		{"subscribe", "POST", "", "key", `{"url":"$SINK/ok","events":["person.*"],"headers":{"X-Key":"t0ps3cret"},"description":"payroll"}`, 201, `"secret":"whsec_`, "t0ps3cret"},
		{"get", "GET", "/{id}", "admin", "", 200, `"header_names":["X-Key"]`, "whsec_"},
		{"list", "GET", "?url=$SINK/ok", "admin", "", 200, `"items":[{"id"`, "whsec_"},
		{"list others", "GET", "?owner=nobody", "admin", "", 200, `"items":[]`, "whsec_"},
		{"update", "PATCH", "/{id}", "admin", `{"description":"lms","headers":{}}`, 200, `"header_names":[]`, "whsec_"},
		{"limit", "PATCH", "/{id}", "admin", `{"rate_limit":{"per_second":1000,"burst":5}}`, 200, `"rate_limit":{"per_second":1000,"burst":5}`, "whsec_"},
		{"a bad limit", "PATCH", "/{id}", "admin", `{"rate_limit":{"per_second":-1}}`, 422, `rate_limit.per_second`, "whsec_"},
		{"unlimit", "PATCH", "/{id}", "admin", `{"rate_limit":{"per_second":0}}`, 200, `"description":"lms"`, "rate_limit"},
		{"rotate", "POST", "/{id}/rotate-secret", "admin", `{"overlap_seconds":60}`, 200, `"old_secret_until"`, "zzz"},
		{"rotate at once", "POST", "/{id}/rotate-secret", "admin", `{"overlap_seconds":0,"secret":"my-own-secret"}`, 200, `"secret":"my-own-secret"`, "old_secret_until"},
		{"pause", "POST", "/{id}/pause", "admin", "", 200, `"state":"paused"`, "whsec_"},
		{"test while paused", "POST", "/{id}/test", "admin", "", 409, "subscription_inactive", "zzz"},
		{"resume", "POST", "/{id}/resume", "admin", `{"replay":true}`, 200, `{"count":0}`, "zzz"},
		{"test", "POST", "/{id}/test", "admin", "", 202, `"event_id"`, "zzz"},
		{"deliveries", "GET", "/{id}/deliveries?state=succeeded", "admin", "", 200, `"event":"webhook.test"`, `"state":"pending"`},
		{"to a bad address", "PATCH", "/{id}", "admin", `{"url":"$SINK/bad"}`, 200, "/bad", "zzz"},
		{"test it", "POST", "/{id}/test", "admin", "", 202, `"event_id"`, "zzz"},
		{"dead", "GET", "/{id}/deliveries?state=dead", "admin", "", 200, `"status":500`, "succeeded"},
		{"resend", "POST", "/{id}/deliveries/{delivery}/resend", "admin", "", 201, `"resend_of":"{delivery}"`, "zzz"},
		{"resend of another", "POST", "/other/deliveries/{delivery}/resend", "admin", "", 404, "unknown_delivery", "zzz"},
		{"recover preview", "POST", "/{id}/recover", "admin", `{"since":"2020-01-01T00:00:00Z","dry_run":true}`, 200, `{"count":1,"dry_run":true}`, "zzz"},
		{"recover", "POST", "/{id}/recover", "admin", `{"since":"2020-01-01T00:00:00Z"}`, 200, `{"count":1}`, "zzz"},
		{"replay preview", "POST", "/{id}/replay", "admin", `{"since":"2020-01-01T00:00:00Z","dry_run":true}`, 200, `{"count":1,"dry_run":true}`, "zzz"},
		{"replay", "POST", "/{id}/replay", "admin", `{"since":"2020-01-01T00:00:00Z"}`, 200, `{"count":1}`, "zzz"},
		{"nobody else's", "GET", "/{id}", "other", "", 404, "unknown_subscription", "lms"},
		{"delete", "DELETE", "/{id}", "admin", "", 204, "", "zzz"},
		{"gone", "GET", "/{id}", "admin", "", 404, "unknown_subscription", "zzz"},
	} {
		fill := strings.NewReplacer("$SINK", s.sink.URL, "{id}", ids["id"], "{delivery}", ids["delivery"])
		w := s.call(c.method, fill.Replace("/webhooks"+c.path), c.token, fill.Replace(c.body))
		if got := w.Body.String(); w.Code != c.status || !strings.Contains(got, fill.Replace(c.has)) || strings.Contains(got, c.hasNot) {
			t.Fatalf("%s: %d %s", c.name, w.Code, got)
		}
		if m := regexp.MustCompile(`"secret":"([^"]+)"`).FindStringSubmatch(w.Body.String()); m != nil {
			shownOnce = append(shownOnce, m[1])
		}
		var out struct {
			ID    string
			Items []struct{ ID string }
		}
		_ = json.Unmarshal(w.Body.Bytes(), &out)
		switch c.name {
		case "subscribe":
			ids["id"] = out.ID
			if w.Header().Get("Location") != "/webhooks/"+out.ID {
				t.Errorf("Location %q", w.Header().Get("Location"))
			}
		case "dead":
			ids["delivery"] = out.Items[0].ID
		}
		s.deliver(t)
	}
	for _, text := range append(shownOnce, "t0ps3cret") {
		if strings.Contains(s.logs.String(), text) {
			t.Error("a secret is in the log")
		}
	}
	if len(shownOnce) != 3 {
		t.Errorf("%d secrets were shown", len(shownOnce))
	}
}

func TestRefuses(t *testing.T) {
	s := newSite(t)
	good := fmt.Sprintf(`{"url":%q,"events":["*"]}`, s.sink.URL)
	for name, c := range map[string]struct {
		method, path, token, body string
		status                    int
		has                       string
	}{
		"nobody's permission": {"POST", "/webhooks", "bob", good, 403, "webhooks_forbidden"},
		"reading too":         {"GET", "/webhooks", "bob", "", 403, "webhooks_forbidden"},
		"no body":             {"POST", "/webhooks", "admin", "", 422, "body"},
		"no JSON":             {"POST", "/webhooks", "admin", "{", 400, "malformed_json"},
		"no URL":              {"POST", "/webhooks", "admin", `{"events":["*"]}`, 422, "url"},
		"no events":           {"POST", "/webhooks", "admin", `{"url":"https://example.com/"}`, 422, "events"},
		"events null":         {"POST", "/webhooks", "admin", `{"url":"https://example.com/","events":null}`, 422, "events"},
		"a bad event":         {"POST", "/webhooks", "admin", `{"url":"https://example.com/","events":["a b"]}`, 422, "body.events"},
		"unknown member":      {"POST", "/webhooks", "admin", `{"url":"https://example.com/","events":["*"],"x":1}`, 422, "body"},
		"a private URL":       {"POST", "/webhooks", "admin", `{"url":"https://10.0.0.1/","events":["*"]}`, 422, `"reason":"private_address"`},
		"where it is":         {"POST", "/webhooks", "admin", `{"url":"https://10.0.0.1/","events":["*"]}`, 422, `"location":"body.url"`},
		"a bad header":        {"POST", "/webhooks", "admin", `{"url":"https://example.com/","events":["*"],"headers":{"Host":"x"}}`, 422, `"reason":"invalid_header"`},
		"a header's type":     {"POST", "/webhooks", "admin", `{"url":"https://example.com/","events":["*"],"headers":{"X":1}}`, 422, "headers"},
		"a bad secret":        {"POST", "/webhooks", "admin", `{"url":"https://example.com/","events":["*"],"secret":"whsec_!"}`, 422, `"reason":"invalid_secret"`},
		"NUL":                 {"POST", "/webhooks", "admin", `{"url":"https://example.com/","events":["*"],"owner":"\u0000"}`, 422, `"reason":"invalid_text"`},
		"a bad cursor":        {"GET", "/webhooks?cursor=x", "admin", "", 422, "invalid_cursor"},
		"a bad limit":         {"GET", "/webhooks?limit=201", "admin", "", 422, "query.limit"},
		"a bad state":         {"GET", "/webhooks/x/deliveries?state=lost", "admin", "", 422, "query.state"},
		"an unknown id":       {"POST", "/webhooks/x/recover", "admin", `{"since":"2020-01-01T00:00:00Z"}`, 404, "unknown_subscription"},
		"no since":            {"POST", "/webhooks/x/replay", "admin", `{}`, 422, "since"},
		"a bad since":         {"POST", "/webhooks/x/replay", "admin", `{"since":"yesterday"}`, 422, "body.since"},
		"a negative overlap":  {"POST", "/webhooks/x/rotate-secret", "admin", `{"overlap_seconds":-1}`, 422, "overlap"},
		"an unknown delivery": {"POST", "/webhooks/x/deliveries/y/resend", "admin", "", 404, "unknown_delivery"},
	} {
		w := s.call(c.method, c.path, c.token, c.body)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) || strings.Contains(w.Body.String(), "10.0.0.1") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestAllow(t *testing.T) {
	no := errors.New("no")
	s := newSite(t, webhookhttp.Name("hooks"), webhookhttp.Allow(func(by identity.Principal) error {
		if by.Actor == "bob" {
			return nil
		}
		return webhookhttp.ErrForbidden.Because(no)
	}))
	if a, b := s.call("GET", "/webhooks", "bob", ""), s.call("GET", "/webhooks", "admin", ""); a.Code != 200 || b.Code != 403 {
		t.Errorf("%d, %d", a.Code, b.Code)
	}
}

// FuzzSubscribe makes sure that no body breaks it.
func FuzzSubscribe(f *testing.F) {
	s := newSite(f)
	for _, seed := range []string{`{"url":"https://example.com/","events":["*"]}`, `{"url":"https://[::1]/","events":["a.*"],"headers":{"A":"b"},"secret":"12345678"}`, `[]`, `{"events":[null]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		if w := s.call("POST", "/webhooks", "admin", body); w.Code >= 500 {
			t.Fatalf("%q: %d %s", body, w.Code, w.Body)
		}
	})
}

func Example() {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Webhooks", "1.0"))
	web.Use(api, web.Config{Logger: slog.New(slog.DiscardHandler)}) // an Authenticator belongs here
	var hooks *webhook.Service                                      // from webhook.New
	webhookhttp.Register(api, hooks, "/api/webhooks")

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/webhooks", nil))
	fmt.Println(w.Code)
	// Output: 401
}
