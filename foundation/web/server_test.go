package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

func TestRequestID(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		var seen string
		s.hook = func(ctx context.Context, _ identity.Principal) error {
			seen = identity.RequestID(ctx)
			return nil
		}
		w := s.do("GET", "/things", "", "X-Request-Id: abc-1.2:3_4")
		if seen != "abc-1.2:3_4" || w.Header().Get("X-Request-Id") != seen {
			t.Fatalf("got %q, %q", seen, w.Header().Get("X-Request-Id"))
		}
		for _, bad := range []string{"", "a b", "a\"b", "a\nb", strings.Repeat("a", 129), "é"} {
			w := s.do("GET", "/things", "", "X-Request-Id: "+bad)
			if id := w.Header().Get("X-Request-Id"); len(id) != 36 || id[14] != '7' || id != seen {
				t.Errorf("%q: got %q", bad, id)
			}
		}
		if !strings.Contains(s.logs.String(), `"request_id":"abc-1.2:3_4","method":"GET","route":"GET /things","status":200`) {
			t.Fatalf("log: %s", s.logs)
		}
	})
}

func TestSecurityHeaders(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		for _, w := range []*httptest.ResponseRecorder{s.do("GET", "/things", ""), s.do("GET", "/things", "", "Authorization: ")} {
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
				"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
			} {
				if got := w.Header().Values(name); len(got) != 1 || got[0] != want {
					t.Errorf("%s: got %q", name, got)
				}
			}
		}
	})
}

func TestPanics(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		s.hook = func(context.Context, identity.Principal) error { panic("secret") }
		w := s.do("GET", "/things", "")
		wantProblem(t, w, 500, "internal")
		if strings.Contains(w.Body.String(), "secret") || !strings.Contains(s.logs.String(), "panic: secret") {
			t.Fatalf("got %s; log %s", w.Body, s.logs)
		}
		if strings.Count(s.logs.String(), "http request") != 1 {
			t.Fatalf("logged twice: %s", s.logs)
		}
		s.hook = func(context.Context, identity.Principal) error { panic(http.ErrAbortHandler) }
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("got %v", v)
			}
		}()
		s.do("GET", "/things", "")
	})
}

func TestUnknownRoutes(t *testing.T) {
	for router := range routers {
		t.Run(router, func(t *testing.T) {
			s := newServer(web.Config{}, router, true)
			wantProblem(t, s.do("GET", "/nowhere", ""), 404, "not_found")
			w := s.do("DELETE", "/things", "")
			wantProblem(t, w, 405, "method_not_allowed")
			if !strings.Contains(w.Header().Get("Allow"), "GET") {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestServerAroundPlainHandlers(t *testing.T) {
	logged := &logs{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret") })
	mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic("secret")
	})
	mux.HandleFunc("GET /page/{token}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<h1>no</h1>"+identity.RequestID(r.Context()))
	})
	mux.HandleFunc("POST /read", func(w http.ResponseWriter, r *http.Request) {
		var tooLarge *http.MaxBytesError
		if _, err := io.ReadAll(r.Body); errors.As(err, &tooLarge) {
			web.WriteError(w, r, web.ErrBodyTooLarge)
		}
	})
	mux.HandleFunc("GET /stream", func(w http.ResponseWriter, _ *http.Request) {
		f, ok := w.(http.Flusher)
		if !ok {
			panic("no http.Flusher")
		}
		f.Flush()
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			panic(err)
		}
	})
	srv := httptest.NewServer(web.Server(mux, web.ServerConfig{MaxBody: 4, Logger: slog.New(slog.NewJSONHandler(logged, nil))}))
	defer srv.Close()
	get := func(method, path, body string) (int, string, error) {
		req, _ := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
		req.Header.Set("X-Request-Id", "id-1")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, string(b), err
	}
	if status, body, err := get("GET", "/panic", ""); status != 500 || err != nil || !strings.Contains(body, `"reason":"internal"`) || strings.Contains(body, "secret") {
		t.Fatalf("got %d %s %v", status, body, err)
	}
	if status, body, err := get("GET", "/half", ""); err == nil {
		t.Fatalf("half an answer looks whole: %d %s", status, body)
	}
	if status, body, _ := get("GET", "/page/tok3n", ""); status != 404 || body != "<h1>no</h1>id-1" {
		t.Fatalf("got %d %s", status, body)
	}
	if status, body, _ := get("POST", "/read", "12345"); status != 413 || !strings.Contains(body, "body_too_large") {
		t.Fatalf("got %d %s", status, body)
	}
	if status, _, _ := get("POST", "/read", "1234"); status != 200 {
		t.Fatalf("got %d", status)
	}
	if status, _, _ := get("GET", "/stream", ""); status != 200 {
		t.Fatalf("got %d", status)
	}
	srv.Close() // waits for the handlers, and so for the log
	if log := logged.String(); strings.Contains(log, "tok3n") || !strings.Contains(log, `"route":"GET /page/{token}"`) || strings.Count(log, "panic: secret") < 2 {
		t.Fatalf("log: %s", log)
	}
}

func TestRateLimit(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg := web.Config{RateLimit: web.RateLimit{Requests: 60, Burst: 2}, Now: func() time.Time { return now }}
	each(t, cfg, func(t *testing.T, s *server) {
		w := s.do("GET", "/things", "")
		wantStatus(t, w, 200)
		if p, l := w.Header().Get("RateLimit-Policy"), w.Header().Get("RateLimit"); p != `"default";q=60;w=60` || l != `"default";r=1;t=1` {
			t.Fatalf("got %q, %q", p, l)
		}
		wantStatus(t, s.do("GET", "/things", ""), 200)
		w = s.do("GET", "/things", "")
		wantProblem(t, w, 429, "rate_limited")
		if w.Header().Get("Retry-After") != "1" {
			t.Fatalf("got %v", w.Header())
		}
		wantStatus(t, s.do("GET", "/things", "", "Authorization: Bearer t-other"), 200) // another caller
		now = now.Add(time.Second)
		wantStatus(t, s.do("GET", "/things", ""), 200)
		for range 2 { // guesses count by address
			wantProblem(t, s.do("GET", "/things", "", "Authorization: Bearer guess"), 401, "unauthenticated")
		}
		wantProblem(t, s.do("GET", "/things", "", "Authorization: Bearer guess"), 429, "rate_limited")
		wantProblem(t, s.do("GET", "/open", ""), 429, "rate_limited")
	})
	if w := newServer(web.Config{}, "net/http", false).do("GET", "/things", ""); w.Header().Get("RateLimit") != "" {
		t.Fatal("a limit that nobody asked for")
	}
}

func TestValidate(t *testing.T) {
	for _, cfg := range []web.Config{
		{RateLimit: web.RateLimit{Requests: -1}}, {RateLimit: web.RateLimit{Requests: 9, Window: 1}}, {IdempotencyKeep: -1},
	} {
		if cfg.Validate() == nil {
			t.Errorf("%+v is valid", cfg)
		}
	}
	if err := (web.Config{}).Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenAPI(t *testing.T) {
	before := huma.NewError(400, "x")
	s := newServer(web.Config{}, "net/http", true)
	if _, ok := before.(*huma.ErrorModel); !ok || huma.NewError(400, "x").Error() != before.Error() {
		t.Fatal("huma's package-level NewError has been replaced")
	}
	w := s.do("GET", "/openapi.json", "", "Authorization: ")
	wantStatus(t, w, 200)
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Security   []map[string][]string `json:"security"`
			Parameters []map[string]any      `json:"parameters"`
			Responses  map[string]struct {
				Content map[string]struct {
					Schema map[string]any `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas    map[string]map[string]any `json:"schemas"`
			Parameters map[string]any            `json:"parameters"`
		} `json:"components"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%v: %s", err, doc.OpenAPI)
	}
	post := doc.Paths["/things"]["post"]
	for _, status := range []string{"default", "409", "422"} {
		if ref := post.Responses[status].Content["application/problem+json"].Schema["$ref"]; ref != "#/components/schemas/Problem" {
			t.Errorf("%s: got %v", status, post.Responses[status])
		}
	}
	if len(post.Security) != 1 || doc.Paths["/open"]["get"].Security != nil || len(post.Parameters) != 2 || len(doc.Components.Parameters) != 2 {
		t.Errorf("security or parameters: %+v", post)
	}
	names := []string{}
	for name := range doc.Components.Schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "Field ListThing NewThing Problem Thing" {
		t.Errorf("schemas: %s", got)
	}
	text := w.Body.String()
	if strings.Contains(text, "ErrorModel") || strings.Contains(text, "$schema") || strings.Contains(text, `"value"`) {
		t.Error("huma's own error model or $schema is still documented")
	}
	if strings.Contains(w.Header().Get("Link"), "describedBy") {
		t.Error("a link to a schema route that does not exist")
	}
}

func TestDocs(t *testing.T) {
	w := httptest.NewRecorder()
	web.DocsHandler(`/openapi.json?a="<b>`).ServeHTTP(w, httptest.NewRequest("GET", "/docs", nil))
	body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	if w.Code != 200 || !strings.Contains(body, `data-spec="/openapi.json?a=&#34;&lt;b&gt;"`) || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("got %d %s", w.Code, body[:300])
	}
	for _, bad := range []string{"http://", "https://", "src=", "innerHTML =", "eval"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || strings.Count(policy, "'sha256-") != 2 {
		t.Fatalf("policy %s", policy)
	}
}

// Two packages with a type of the same name.
func TestSchemaNamesDoNotCollide(t *testing.T) {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("x", "1"))
	web.Use(api, web.Config{})
	web.Public(api, huma.Operation{Method: "GET", Path: "/a"}, func(context.Context, *struct{}) (*struct{ Body http.Cookie }, error) { return nil, nil })
	web.Public(api, huma.Operation{Method: "GET", Path: "/b"}, func(context.Context, *struct{}) (*struct{ Body web.List[slog.Source] }, error) { return nil, nil })
	names := api.OpenAPI().Components.Schemas.Map()
	if names["ListSlogSource"] == nil || names["SlogSource"] == nil {
		t.Fatalf("got %v", names)
	}
}

func TestGroups(t *testing.T) {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("x", "1"))
	web.Use(api, web.Config{Authenticate: web.Bearer(lookUp), Logger: slog.New(slog.DiscardHandler)})
	register(huma.NewGroup(api, "/v1"), &service{})
	s := &server{h: mux}
	wantStatus(t, s.do("POST", "/v1/things", `{"title":"a"}`), 201)
	wantProblem(t, s.do("GET", "/v1/things", "", "Authorization: "), 401, "unauthenticated")
	wantStatus(t, s.do("GET", "/v1/open", "", "Authorization: "), 200)
	if api.OpenAPI().Paths["/v1/things"] == nil {
		t.Fatal("the group's prefix is not documented")
	}
}
