package audithttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/audithttp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
)

// trail answers always the same and remembers what it was asked.
type trail struct {
	tenant  identity.TenantID
	filter  audit.Filter
	request page.Request
	answer  page.Page[audit.Entry]
	err     error
}

func (r *trail) List(_ context.Context, tenant identity.TenantID, f audit.Filter, p page.Request) (page.Page[audit.Entry], error) {
	r.tenant, r.filter, r.request = tenant, f, p
	return r.answer, r.err
}

func get(r audit.Reader, user, actAs, query string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Audit", "1"))
	web.Use(api, web.Config{
		Authenticate: web.Bearer(func(_ context.Context, user string) (identity.Principal, error) {
			return identity.Principal{Tenant: "acme", Actor: user, Roles: []string{user}}, nil
		}),
		ActAs: func(_ context.Context, by identity.Principal, subject, _ string) (identity.Principal, error) {
			return by.For(subject), nil
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	audithttp.Register(api, r)
	req := httptest.NewRequest(http.MethodGet, "/audit"+query, nil)
	if user != "" {
		req.Header.Set("Authorization", "Bearer "+user)
	}
	if actAs != "" {
		req.Header.Set("X-Act-As-User", actAs)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	return w
}

func TestShape(t *testing.T) {
	at := time.Date(2030, 1, 15, 18, 0, 0, 0, time.FixedZone("JST", 9*3600))
	r := &trail{answer: page.Page[audit.Entry]{Next: "1.next", Items: []audit.Entry{
		{ID: "hidden", Seq: 2, Time: at, ActorID: "secretary", SubjectID: "exec", Action: "CREATE_EVENT", TargetKind: "calendar.event",
			TargetID: "e1", Metadata: map[string]any{"is_proxy": true}, RequestID: "r1"},
		{Seq: 1, Time: at, ActorID: "boss", SubjectID: "boss", Action: "approval_reject", TargetKind: "approval", TargetID: "a1", Reason: "too late"},
	}}}
	w := get(r, "admin", "", "")
	want := `{"items":[{"seq":2,"time":"2030-01-15T09:00:00Z","actor_id":"secretary","subject_id":"exec","action":"CREATE_EVENT","target_id":"e1","target_kind":"calendar.event","metadata":{"is_proxy":true},"request_id":"r1"},` +
		`{"seq":1,"time":"2030-01-15T09:00:00Z","actor_id":"boss","subject_id":"boss","action":"approval_reject","target_id":"a1","target_kind":"approval","reason":"too late","metadata":{},"request_id":""}],"next_cursor":"1.next"}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want {
		t.Errorf("%d %s\nwant %s", w.Code, got, want)
	}
	if w := get(&trail{}, "admin", "", ""); strings.TrimSpace(w.Body.String()) != `{"items":[]}` {
		t.Errorf("an empty trail: %s", w.Body)
	}
}

func TestFilters(t *testing.T) {
	from, to := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 2, 1, 0, 0, 0, 0, time.UTC)
	all := audit.Filter{ActorID: "a", SubjectID: "s", TargetID: "t", Action: "X", From: from, To: to}
	const query = "?actor_id=a&subject_id=s&target_id=t&action=X&from=2030-01-01T00:00:00Z&to=2030-02-01T00:00:00Z&limit=7&cursor=c"
	own := all
	own.Involving = "alice"
	for name, c := range map[string]struct {
		user, actAs, query string
		want               audit.Filter
		page               page.Request
	}{
		"administrator":          {"admin", "", query, all, page.Request{Limit: 7, Cursor: "c"}},
		"others":                 {"alice", "", query, own, page.Request{Limit: 7, Cursor: "c"}},
		"another's, by a proxy":  {"alice", "exec", "", audit.Filter{Involving: "alice"}, page.Request{Limit: 50}},
		"everything of oneself":  {"alice", "", "", audit.Filter{Involving: "alice"}, page.Request{Limit: 50}},
		"everything there is":    {"admin", "", "", audit.Filter{}, page.Request{Limit: 50}},
		"another's, by a person": {"alice", "", "?actor_id=bob", audit.Filter{ActorID: "bob", Involving: "alice"}, page.Request{Limit: 50}},
	} {
		r := &trail{}
		w := get(r, c.user, c.actAs, c.query)
		if w.Code != 200 || r.filter != c.want || r.request != c.page || r.tenant != "acme" {
			t.Errorf("%s: %d, %q %+v %+v, want %+v %+v", name, w.Code, r.tenant, r.filter, r.request, c.want, c.page)
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		user, query string
		err         error
		status      int
		reason      string
		location    string
	}{
		"nobody":      {"", "", nil, 401, "unauthenticated", ""},
		"no time":     {"admin", "?from=yesterday", nil, 422, "invalid_input", "query.from"},
		"limit":       {"admin", "?limit=201", nil, 422, "invalid_input", "query.limit"},
		"a cursor":    {"admin", "?cursor=x", page.ErrBadCursor, 422, "invalid_cursor", ""},
		"our mistake": {"admin", "", fmt.Errorf("secret"), 500, "internal", ""},
	} {
		w := get(&trail{err: c.err}, c.user, "", c.query)
		var p web.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.status || p.Reason != c.reason {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, c.status, c.reason)
		}
		if c.location != "" && (len(p.Errors) != 1 || p.Errors[0].Location != c.location) {
			t.Errorf("%s: errors %v, want one at %s", name, p.Errors, c.location)
		}
		if strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: the cause is shown: %s", name, w.Body)
		}
	}
}

func Example() {
	reader := &trail{answer: page.Page[audit.Entry]{Items: []audit.Entry{{Seq: 1, ActorID: "alice", SubjectID: "alice", Action: "CREATE_EVENT",
		TargetKind: "calendar.event", TargetID: "e1", Time: time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)}}}}
	w := get(reader, "alice", "", "?action=CREATE_EVENT") // calls Register
	fmt.Print(w.Body)
	// Output:
	// {"items":[{"seq":1,"time":"2030-01-15T09:00:00Z","actor_id":"alice","subject_id":"alice","action":"CREATE_EVENT","target_id":"e1","target_kind":"calendar.event","metadata":{},"request_id":""}]}
}
