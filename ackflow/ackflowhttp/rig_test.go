package ackflowhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/ackflow/ackflowhttp"
	"github.com/renkei-go/renkei/ackflow/ackflowtest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/foundation/web/webbun"
	"github.com/renkei-go/renkei/transport/transporttest"
)

type object = map[string]any

type server struct {
	http.Handler
	svc     *ackflow.Service
	db      *sqldb.DB
	ledger  transporttest.Ledger
	targets *ackflowtest.Targets
}

// newServer knows the bearer tokens "<user>" of the tenant acme and "<user>@other"; admin and mgmt have the roles of their
// names. The target a1 is there; alice and manager take part in it.
func newServer(t *testing.T) *server {
	t.Helper()
	db := sqldbtest.SQLite(t, ackflowbun.Migrations, webbun.Migrations)
	s := &server{db: db, ledger: transporttest.NewLedger(t, db), targets: &ackflowtest.Targets{}}
	s.targets.Add("a1", "alice", "manager")
	var err error
	s.svc, err = ackflow.New(ackflow.Config{
		Store: ackflowbun.New(db), Directory: ackflowtest.Company(), Outbox: s.ledger, Audit: s.ledger, Notifier: s.ledger,
		Targets: map[string]ackflow.TargetResolver{"approval_instances": s.targets},
		Link:    func(m ackflow.Message) string { return "https://renkei.example/chat/" + m.ID },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("test", "1"))
	web.Use(api, web.Config{
		Logger: slog.New(slog.DiscardHandler), Idempotency: webbun.New(db, webbun.Config{}),
		Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
			user, tenant, _ := strings.Cut(token, "@")
			if tenant == "" {
				tenant = "acme"
			}
			return identity.Principal{Tenant: identity.TenantID(tenant), Actor: user, Roles: []string{user}}, nil
		}),
		ActAs: func(_ context.Context, by identity.Principal, subject, _ string) (identity.Principal, error) {
			return by.For(subject), nil
		},
	})
	ackflowhttp.Register(api, s.svc)
	s.Handler = mux
	return s
}

// call sends a request as who and returns status and body.
func (s *server) call(t *testing.T, who, method, path string, body any, headers ...string) (int, object) {
	t.Helper()
	var b bytes.Buffer
	switch v := body.(type) {
	case nil:
	case string:
		b.WriteString(v)
	default:
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, &b)
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer object
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, answer
}

// ok is call for what must succeed with the status.
func (s *server) ok(t *testing.T, status int, who, method, path string, body any) object {
	t.Helper()
	code, got := s.call(t, who, method, path, body)
	if code != status {
		t.Fatalf("%s %s by %s: %d %v", method, path, who, code, got)
	}
	return got
}

// refused is call for what must be refused with status and code, in both forms.
func (s *server) refused(t *testing.T, status int, code, who, method, path string, body any) object {
	t.Helper()
	got, problem := s.call(t, who, method, path, body)
	old, _ := problem["error"].(object)
	if got != status || problem["reason"] != code || problem["status"] != float64(status) || old["code"] != code || old["message"] != problem["detail"] ||
		problem["title"] != http.StatusText(status) {
		t.Errorf("%s %s by %s with %v: %d %v; want %d %s", method, path, who, body, got, problem, status, code)
	}
	return problem
}

func asking(users ...string) object {
	return object{"message": object{"roomId": "general", "body": "The office moves on Monday."}, "requiredUserIds": users}
}

func (s *server) ask(t *testing.T, who string, users ...string) (id, message string) {
	t.Helper()
	got := s.ok(t, 201, who, "POST", "/chat-ack-requests", asking(users...))
	return to[string](got["id"]), to[string](got["messageId"])
}

func link(id, target string) object {
	return object{"ackRequestId": id, "targetTable": "approval_instances", "targetId": target}
}

// to is v as a T, or the zero value.
func to[T any](v any) T {
	t, _ := v.(T)
	return t
}

func keys(o object) string { return strings.Join(slices.Sorted(maps.Keys(o)), " ") }

func items(t *testing.T, o object) []object {
	t.Helper()
	list, ok := o["items"].([]any)
	if !ok {
		t.Fatalf("no items in %v", o)
	}
	out := []object{}
	for _, i := range list {
		out = append(out, to[object](i))
	}
	return out
}
