package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaflow"
	"github.com/danielgtaylor/huma/v2/adapters/humaflow/flow"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
)

// The domain of these tests: things with a title.

type Thing struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	By      string    `json:"by"`
	StartAt time.Time `json:"start_at"`
}

type NewThing struct {
	Title   string    `json:"title" validate:"required,single_line,maxrunes=10"`
	Count   int       `json:"count,omitempty" minimum:"1" maximum:"9"`
	Email   string    `json:"email,omitempty" format:"email"`
	StartAt time.Time `json:"start_at,omitzero"`
	Tags    []string  `json:"tags,omitempty"`
}

type createInput struct{ Body NewThing }

type createOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     Thing
}

type listInput struct {
	web.PageParams
	Q string `query:"q"`
}
type listOutput struct{ Body web.List[Thing] }

type idInput struct {
	ID string `path:"id"`
}

type patchInput struct {
	web.Precondition
	ID string `path:"id"`
}

type rawInput struct {
	RawBody []byte `contentType:"message/rfc822"`
}

type textOutput struct{ Body string }

// service has a hook for each test to say what happens.
type service struct {
	hook func(ctx context.Context, by identity.Principal) error
}

func (s *service) run(ctx context.Context, by identity.Principal) error {
	if s.hook == nil {
		return nil
	}
	return s.hook(ctx, by)
}

func register(api huma.API, s *service) {
	web.Handle(api, huma.Operation{Method: "POST", Path: "/things", Tags: []string{"Things"}, DefaultStatus: 201, Errors: []int{409}},
		func(ctx context.Context, by identity.Principal, in *createInput) (*createOutput, error) {
			if err := check.Struct(in.Body); err != nil {
				return nil, err
			}
			if err := s.run(ctx, by); err != nil {
				return nil, err
			}
			return &createOutput{Location: "/things/1", ETag: web.ETag(1), Body: Thing{ID: "1", Title: in.Body.Title, By: by.Actor + ">" + by.User()}}, nil
		})
	web.Handle(api, huma.Operation{Method: "GET", Path: "/things"},
		func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
			if err := s.run(ctx, by); err != nil {
				return nil, err
			}
			return &listOutput{Body: web.ListOf(page.Page[string]{Next: strconv.Itoa(in.Page().Size())}, func(id string) Thing { return Thing{ID: id} })}, nil
		})
	web.Handle(api, huma.Operation{Method: "GET", Path: "/things/{id}"},
		func(ctx context.Context, by identity.Principal, in *idInput) (*textOutput, error) {
			return &textOutput{Body: in.ID}, s.run(ctx, by)
		})
	web.Handle(api, huma.Operation{Method: "PATCH", Path: "/things/{id}"},
		func(ctx context.Context, by identity.Principal, in *patchInput) (*textOutput, error) {
			v, err := in.Version()
			return &textOutput{Body: strconv.FormatInt(v, 10)}, err
		})
	web.Handle(api, huma.Operation{Method: "POST", Path: "/things/{id}/touch", DefaultStatus: 204},
		func(ctx context.Context, by identity.Principal, in *idInput) (*struct{}, error) {
			return nil, s.run(ctx, by)
		})
	web.Public(api, huma.Operation{Method: "GET", Path: "/open"},
		func(ctx context.Context, _ *struct{}) (*textOutput, error) {
			return &textOutput{Body: "open"}, s.run(ctx, identity.Principal{})
		})
	web.Public(api, huma.Operation{Method: "POST", Path: "/mail", MaxBodyBytes: 10},
		func(_ context.Context, in *rawInput) (*textOutput, error) {
			return &textOutput{Body: strconv.Itoa(len(in.RawBody))}, nil
		})
	huma.Register(api, huma.Operation{Method: "GET", Path: "/raw", OperationID: "raw"},
		func(ctx context.Context, _ *struct{}) (*textOutput, error) {
			by, _ := web.PrincipalIn(ctx)
			return nil, s.run(ctx, by)
		})
}

var people = map[string]identity.Principal{
	"t-alice":     {Tenant: "acme", Actor: "alice"},
	"t-secretary": {Tenant: "acme", Actor: "secretary"},
	"t-other":     {Tenant: "other", Actor: "alice"},
	"t-broken":    {Actor: "alice"},
}

func lookUp(_ context.Context, token string) (identity.Principal, error) {
	switch p, ok := people[token]; {
	case ok:
		return p, nil
	case token == "t-down":
		return p, fault.New(fault.Unavailable, "directory_down", "the directory does not answer")
	}
	return identity.Principal{}, web.ErrUnauthenticated
}

func actAs(_ context.Context, by identity.Principal, subject, operation string) (identity.Principal, error) {
	switch {
	case by.Actor == "secretary" && subject == "exec":
		return by.For(subject), nil
	case subject == "foreign":
		return identity.Principal{Tenant: "other", Actor: by.Actor, Subject: subject}, nil
	}
	return by, web.ErrActAs
}

// logs is a slog destination that may be read while it is written.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type server struct {
	*service
	api  huma.API
	h    http.Handler
	logs *logs
}

// routers are the ways to mount: the standard library, the same under Server, and another router.
var routers = map[string]func() (func(huma.Config) huma.API, http.Handler){
	"net/http": func() (func(huma.Config) huma.API, http.Handler) {
		mux := http.NewServeMux()
		return func(c huma.Config) huma.API { return humago.New(mux, c) }, mux
	},
	"flow": func() (func(huma.Config) huma.API, http.Handler) {
		mux := flow.New()
		return func(c huma.Config) huma.API { return humaflow.New(mux, c) }, mux
	},
}

func newServer(cfg web.Config, router string, wrapped bool) *server {
	newAPI, h := routers[router]()
	s := &server{service: &service{}, logs: &logs{}}
	logger := slog.New(slog.NewJSONHandler(s.logs, nil))
	cfg.Logger = logger
	if cfg.Authenticate == nil {
		cfg.Authenticate = web.Bearer(lookUp)
	}
	cfg.ActAs = actAs
	s.api = newAPI(web.HumaConfig("Things", "1.0"))
	web.Use(s.api, cfg)
	register(s.api, s.service)
	s.h = h
	if wrapped {
		s.h = web.Server(h, web.ServerConfig{Logger: logger})
	}
	return s
}

// each runs f on every router, bare and under Server.
func each(t *testing.T, cfg web.Config, f func(t *testing.T, s *server)) {
	for router := range routers {
		t.Run(router, func(t *testing.T) { f(t, newServer(cfg, router, false)) })
		t.Run(router+" under Server", func(t *testing.T) { f(t, newServer(cfg, router, true)) })
	}
}

// do sends a request as alice; headers are "Name: value".
func (s *server) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer t-alice")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func wantProblem(t *testing.T, w *httptest.ResponseRecorder, status int, reason string) web.Problem {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("%d %q is no problem: %v", w.Code, w.Body, err)
	}
	if w.Code != status || p.Status != status || p.Reason != reason {
		t.Fatalf("got %d %s, want %d %s", w.Code, w.Body, status, reason)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("content type %q", ct)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Detail == "" || p.Instance == "" || p.Instance != w.Header().Get("X-Request-Id") {
		t.Fatalf("incomplete: %s, request %q", w.Body, w.Header().Get("X-Request-Id"))
	}
	return p
}

func wantStatus(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("got %d %s, want %d", w.Code, w.Body, status)
	}
}

func TestCodesBecomeStatuses(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		for _, c := range []struct {
			err    error
			status int
			reason string
		}{
			{fault.New(fault.Invalid, "a", "m"), 422, "a"},
			{fault.New(fault.Unauthenticated, "a", "m"), 401, "a"},
			{fault.New(fault.Forbidden, "a", "m"), 403, "a"},
			{fault.New(fault.NotFound, "a", "m"), 404, "a"},
			{fault.New(fault.Conflict, "a", "m"), 409, "a"},
			{fault.New(fault.Precondition, "a", "m"), 412, "a"},
			{fault.New(fault.RateLimited, "a", "m"), 429, "a"},
			{fault.New(fault.Unavailable, "a", "m"), 503, "a"},
			{fault.New(fault.Internal, "a", "secret"), 500, "internal"},
			{fault.New("unheard_of", "a", "secret"), 500, "internal"},
			{errors.New("secret"), 500, "internal"},
			{fault.New(fault.Precondition, "if_match_required", "m"), 428, "if_match_required"},
			{fault.New(fault.Invalid, "REASON_REQUIRED", "m"), 400, "REASON_REQUIRED"},
			{web.ErrBodyTooLarge, 413, "body_too_large"},
			{context.DeadlineExceeded, 503, "cancelled"},
			{errors.Join(errors.New("x"), fault.New(fault.Conflict, "wrapped", "m").Because(errors.New("secret"))), 409, "wrapped"},
		} {
			s.hook = func(context.Context, identity.Principal) error { return c.err }
			w := s.do("GET", "/things", "")
			wantProblem(t, w, c.status, c.reason)
			if strings.Contains(w.Body.String(), "secret") {
				t.Fatalf("it tells too much: %s", w.Body)
			}
			if c.status == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
				t.Fatal("no WWW-Authenticate")
			}
		}
		if log := s.logs.String(); strings.Count(log, `"error":"secret"`) != 1 || strings.Count(log, "\n") != 16 {
			t.Fatalf("the log does not have each cause once:\n%s", log)
		}
	})
}

// TestParts: the failure of a part shows nothing of itself, and is in the log of the answer that succeeds as a whole.
func TestParts(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		s.hook = func(ctx context.Context, _ identity.Principal) error {
			for err, want := range map[error]string{errors.New("secret"): "500 internal", fault.New(fault.Conflict, "busy", "m"): "409 busy"} {
				if p := web.PartOf(ctx, err); fmt.Sprint(p.Status, " ", p.Reason) != want || strings.Contains(p.Detail, "secret") {
					t.Errorf("%+v, want %s", p, want)
				}
			}
			return nil
		}
		wantStatus(t, s.do("GET", "/things", ""), 200)
		if log := s.logs.String(); !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, `"parts":"secret"`) || strings.Contains(log, "busy") {
			t.Errorf("the log: %s", log)
		}
		if p := web.PartOf(t.Context(), nil); p != nil {
			t.Errorf("%+v", p)
		}
	})
}

func TestDetailsFieldsAndRetryAfter(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		s.hook = func(context.Context, identity.Principal) error {
			return web.RetryAfter(fault.New(fault.RateLimited, "slow_down", "m"), 1500*time.Millisecond).With("alternatives", []string{"room-b"})
		}
		w := s.do("GET", "/things", "")
		p := wantProblem(t, w, 429, "slow_down")
		if w.Header().Get("Retry-After") != "2" || p.Details["alternatives"] == nil {
			t.Fatalf("got %v %s", w.Header(), w.Body)
		}
		s.hook = func(context.Context, identity.Principal) error {
			return fault.InvalidField("end_at", "must be later").WithField("attendees[3].email", "is bad")
		}
		p = wantProblem(t, s.do("POST", "/things", `{"title":"a"}`), 422, "invalid_input")
		if len(p.Errors) != 2 || p.Errors[0].Location != "body.end_at" || p.Errors[1].Location != "body.attendees[3].email" {
			t.Fatalf("got %+v", p.Errors)
		}
		p = wantProblem(t, s.do("GET", "/things", ""), 422, "invalid_input")
		if p.Errors[0].Location != "query.end_at" {
			t.Fatalf("got %+v", p.Errors)
		}
		s.hook = func(context.Context, identity.Principal) error {
			return fault.New(fault.Conflict, "odd", "m").With("f", func() {})
		}
		if p = wantProblem(t, s.do("GET", "/raw", ""), 500, "internal"); p.Details != nil {
			t.Fatalf("a plain huma operation tells %v", p)
		}
	})
}

func TestInputOnTheWire(t *testing.T) {
	long := strings.Repeat("x", web.DefaultMaxBody-len(`{"title":"a","tags":[""]}`))
	each(t, web.Config{}, func(t *testing.T, s *server) {
		for _, c := range []struct {
			name, body string
			status     int
			reason     string
			location   string
			header     string
		}{
			{"fine", `{"title":"a"}`, 201, "", "", ""},
			{"charset", `{"title":"a"}`, 201, "", "", "Content-Type: application/json; charset=utf-8"},
			{"json suffix", `{"title":"a"}`, 201, "", "", "Content-Type: application/scim+json"},
			{"unknown field", `{"title":"a","hunter2":"hunter3"}`, 422, "invalid_input", "body.hunter2", ""},
			{"wrong type", `{"title":77777}`, 422, "invalid_input", "body.title", ""},
			{"missing field", `{}`, 422, "invalid_input", "body.title", ""},
			{"out of range", `{"title":"a","count":77777}`, 422, "invalid_input", "body.count", ""},
			{"format", `{"title":"a","email":"77777"}`, 422, "invalid_input", "body.email", ""},
			{"time", `{"title":"a","start_at":"77777"}`, 422, "invalid_input", "body.start_at", ""},
			{"no object", `"77777"`, 422, "invalid_input", "body", ""},
			{"domain rule", `{"title":"77777777777"}`, 422, "invalid_input", "body.title", ""},
			{"malformed", `{"title":"77777`, 400, "malformed_json", "", ""},
			{"two values", `{"title":"a"} {}`, 400, "malformed_json", "", ""},
			{"empty", ``, 422, "invalid_input", "body", ""},
			{"no content type", `{"title":"a"}`, 415, "unsupported_media_type", "", "Content-Type: "},
			{"form", `title=77777`, 415, "unsupported_media_type", "", "Content-Type: application/x-www-form-urlencoded"},
			{"as long as allowed", `{"title":"a","tags":["` + long + `"]}`, 201, "", "", ""},
			{"too long", `{"title":"a","tags":["x` + long + `"]}`, 413, "body_too_large", "", ""},
			{"NUL", `{"title":"a","tags":["b","77777\u0000"]}`, 422, "invalid_text", "body.tags[1]", ""},
			{"NUL in a name", `{"title":"a","a\u0000":1}`, 422, "invalid_text", "body", ""},
			{"an escaped backslash is no NUL", `{"title":"a\\u0000"}`, 201, "", "", ""},
			{"bare NUL", "{\"title\":\"a\x00\"}", 422, "invalid_text", "body", ""},
			{"bad UTF-8", "{\"title\":\"\xff\"}", 422, "invalid_text", "body", ""},
			{"half a pair", `{"title":"\ud83d"}`, 422, "invalid_text", "body", ""},
			{"two first halves", `{"title":"\ud83d\ud83d"}`, 422, "invalid_text", "body", ""},
			{"a pair", `{"title":"\ud83d\ude00"}`, 201, "", "", ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				w := s.do("POST", "/things", c.body, c.header)
				if c.reason == "" {
					wantStatus(t, w, c.status)
					return
				}
				p := wantProblem(t, w, c.status, c.reason)
				if c.location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.location) {
					t.Fatalf("got %+v", p.Errors)
				}
				if strings.Contains(w.Body.String(), "77777") || strings.Contains(w.Body.String(), "hunter3") || strings.Contains(w.Body.String(), `"value"`) {
					t.Fatalf("the value is repeated: %s", w.Body)
				}
			})
		}
	})
}

func TestAddressText(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		for path, want := range map[string]struct{ reason, location string }{
			"/things?q=a%00":         {"invalid_text", "query.q"},
			"/things?q=%ff":          {"invalid_text", "query.q"},
			"/things?q=%zz":          {"invalid_input", "query"},
			"/things?%00=1":          {"invalid_text", "query"},
			"/things/a%00b":          {"invalid_text", "path"},
			"/things/%ff":            {"invalid_text", "path"},
			"/things?limit=0":        {"invalid_input", "query.limit"},
			"/things?limit=201":      {"invalid_input", "query.limit"},
			"/things?limit=hunter2":  {"invalid_input", "query.limit"},
			"/things?limit=99999999": {"invalid_input", "query.limit"},
		} {
			w := s.do("GET", path, "")
			p := wantProblem(t, w, 422, want.reason)
			if p.Errors[0].Location != want.location || strings.Contains(w.Body.String(), "hunter2") {
				t.Errorf("%s: got %s", path, w.Body)
			}
		}
		wantStatus(t, s.do("GET", "/things/%E4%BC%9A?q=%E4%BC%9A", ""), 200)
	})
}

func TestRawBodiesHaveTheirOwnTypeAndLimit(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		w := s.do("POST", "/mail", "\x00\xff34567890", "Content-Type: message/rfc822", "Authorization: ")
		wantStatus(t, w, 200)
		if w.Body.String() != "\"10\"\n" {
			t.Fatalf("got %q", w.Body)
		}
		wantProblem(t, s.do("POST", "/mail", "12345678901", "Content-Type: message/rfc822"), 413, "body_too_large")
		wantProblem(t, s.do("POST", "/mail", "1", "Content-Type: text/plain"), 415, "unsupported_media_type")
	})
}

func TestUnreadableBody(t *testing.T) {
	s := newServer(web.Config{}, "net/http", false)
	r := httptest.NewRequest("POST", "/mail", io.MultiReader(strings.NewReader("1"), broken{}))
	r.Header.Set("Content-Type", "message/rfc822")
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	wantProblem(t, w, 422, "invalid_input")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("secret") }
