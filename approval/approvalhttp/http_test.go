package approvalhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvalhttp"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
)

type server struct {
	http.Handler
	svc *approval.Service
	db  *sqldb.DB
}

type closed struct{}

func (closed) Check(context.Context, approval.Action) ([]approval.Failure, error) {
	return []approval.Failure{{Type: "chat_ack_completed", Reason: "missing_link"}}, nil
}

// newServer knows the bearer tokens "<user>", lets anybody act for anybody, and guards the flow "guarded".
func newServer(t *testing.T) *server {
	t.Helper()
	db := sqldbtest.SQLite(t, approvalbun.Migrations)
	ledger := approvaltest.NewLedger(t, db)
	rules := append(approval.DefaultRules(), approval.When("attendees").AtLeast(1).Because("attendees").In("guarded"))
	svc, err := approval.New(approval.Config{
		Store: approvalbun.New(db), Directory: approvaltest.Company(), Outbox: ledger, Audit: ledger, Notifier: ledger, Policies: rules,
		Guards: map[string]approval.Guard{"chat_ack_completed": closed{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("test", "1"))
	web.Use(api, web.Config{
		Logger: slog.New(slog.DiscardHandler),
		Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
			return identity.Principal{Tenant: "acme", Actor: token, Roles: []string{token}}, nil
		}),
		ActAs: func(_ context.Context, by identity.Principal, subject, _ string) (identity.Principal, error) {
			return by.For(subject), nil
		},
	})
	approvalhttp.Register(api, svc)
	approvalhttp.RegisterLinks(api, mux, svc)
	return &server{mux, svc, db}
}

func (s *server) submit(t *testing.T, by identity.Principal, id, flow string) approval.Request {
	t.Helper()
	q, err := s.svc.Submit(t.Context(), by, approval.Submission{
		Subject: approval.Subject{Kind: "calendar.event", ID: id}, Flow: flow, Facts: approval.Facts{"attendees": 12},
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// call sends a request as "who" or "who for whom" and returns status and body.
func (s *server) call(t *testing.T, who, method, path string, body any) (int, map[string]any) {
	t.Helper()
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, &b)
	actor, subject, _ := strings.Cut(who, " for ")
	r.Header.Set("Authorization", "Bearer "+actor)
	r.Header.Set("Content-Type", "application/json")
	if subject != "" {
		r.Header.Set(web.HeaderActAs, subject)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, answer
}

func TestInstanceShape(t *testing.T) {
	s := newServer(t)
	q := s.submit(t, identity.Principal{Tenant: "acme", Actor: "alice"}, "e1", "booking")
	status, got := s.call(t, "manager", "GET", "/approval-instances/"+q.ID, nil)
	if status != 200 {
		t.Fatal(status, got)
	}
	keys := []string{}
	for k := range got {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	want := []string{"acted_by", "approver_ids", "content_hash", "created_at", "decision", "expires_at", "explanation", "flow_type", "guards",
		"id", "policy_version", "reasons", "remind_at", "requester_id", "status", "steps", "subject", "summary", "timeline", "version"}
	if !slices.Equal(keys, want) {
		t.Errorf("members %v", keys)
	}
	for k, want := range map[string]string{
		"id": q.ID, "subject": "map[id:e1 kind:calendar.event]", "flow_type": "booking", "requester_id": "alice", "acted_by": "<nil>",
		"approver_ids": "[manager]", "status": "pending", "reasons": "[attendees]", "explanation": "[attendees 12 ≥ 10]",
		"expires_at": q.CreatedAt.Add(48 * time.Hour).Format(time.RFC3339Nano), "remind_at": q.CreatedAt.Add(24 * time.Hour).Format(time.RFC3339Nano),
		"version": "1", "content_hash": q.ContentHash, "guards": "[]", "decision": "<nil>",
	} {
		if v := fmt.Sprint(got[k]); v != want {
			t.Errorf("%s: %s, want %s", k, v, want)
		}
	}
}

func TestAct(t *testing.T) {
	s := newServer(t)
	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	q := s.submit(t, alice, "e1", "booking")
	policy := s.policy(t, map[string]any{"flow_type": "guarded", "action_key": "approve", "guards": []any{map[string]any{"type": "chat_ack_completed"}}})
	guarded := s.submit(t, alice, "e2", "guarded")
	late := s.submit(t, alice, "e3", "booking")
	path := func(q approval.Request) string { return "/approval-instances/" + q.ID + "/act" }
	act := map[string]any{"action": "approve"}
	refused := func(who, path string, body any, status int, reason string) map[string]any {
		t.Helper()
		code, got := s.call(t, who, "POST", path, body)
		if code != status || got["reason"] != reason {
			t.Errorf("%s %v: %d %v", who, body, code, got)
		}
		return got
	}
	refused("alice", path(q), act, 403, "self_approval")
	refused("manager for alice", path(q), act, 403, "self_approval")
	refused("alice for manager", path(q), act, 403, "self_approval")
	refused("bob", path(q), act, 403, "not_approver")
	refused("manager", "/approval-instances/nothing/act", act, 404, "not_found")
	refused("manager", path(q), map[string]any{"action": "reject"}, 400, "REASON_REQUIRED")
	refused("manager", path(q), map[string]any{"action": "delete"}, 422, "invalid_input")
	stale := refused("manager", path(q), map[string]any{"action": "approve", "content_hash": "old"}, 409, "STALE_CONTENT")
	if details := fmt.Sprint(stale["details"]); details != "map[content_hash:"+q.ContentHash+" summary: version:1]" {
		t.Errorf("details %s", details)
	}
	denied := refused("manager", path(guarded), act, 403, "ACTION_POLICY_DENIED")
	if details := fmt.Sprint(denied["details"]); details != "map[guardFailures:[map[reason:missing_link type:chat_ack_completed]] matchedPolicyId:"+policy+" reason:guard_failed]" {
		t.Errorf("details %s", details)
	}
	_, shown := s.call(t, "manager", "GET", "/approval-instances/"+guarded.ID, nil)
	if guards := fmt.Sprint(shown["guards"]); guards != "[map[action_key:approve failures:[map[reason:missing_link type:chat_ack_completed]] passed:false policy_id:"+policy+" type:chat_ack_completed]]" {
		t.Errorf("guards %s", guards)
	}

	code, got := s.call(t, "manager", "POST", path(q), map[string]any{"action": "reject", "reason": "too big", "content_hash": q.ContentHash})
	decision, _ := got["decision"].(map[string]any)
	if code != 200 || got["status"] != "rejected" || decision["by"] != "manager" || decision["action"] != "reject" || decision["reason"] != "too big" {
		t.Errorf("%d %v", code, got)
	}
	refused("manager", path(q), act, 409, "already_decided")

	s.db.AdvanceClock(49 * time.Hour)
	refused("manager", path(late), act, 409, "APPROVAL_EXPIRED")
	if _, got := s.call(t, "alice", "GET", "/approval-instances/"+late.ID, nil); got["status"] != "timed_out" {
		t.Errorf("not at once: %v", got)
	}
}

func TestCancel(t *testing.T) {
	s := newServer(t)
	q := s.submit(t, identity.Principal{Tenant: "acme", Actor: "secretary", Subject: "exec"}, "e1", "booking")
	path := "/approval-instances/" + q.ID + "/cancel"
	for who, want := range map[string]int{"bob": 404, "hr": 404} {
		if code, got := s.call(t, who, "POST", path, map[string]any{"reason": "x"}); code != want {
			t.Errorf("%s: %d %v", who, code, got)
		}
	}
	if code, got := s.call(t, "secretary", "POST", path, map[string]any{}); code != 400 || got["reason"] != "REASON_REQUIRED" {
		t.Errorf("%d %v", code, got)
	}
	code, got := s.call(t, "secretary", "POST", path, map[string]any{"reason": "moved"})
	if code != 200 || got["status"] != "withdrawn" || got["acted_by"] != "secretary" {
		t.Errorf("%d %v", code, got)
	}
}

// status sends a request whose answer has no body.
func (s *server) status(t *testing.T, who, method, path string) int {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Authorization", "Bearer "+who)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

func contains(text, part string) bool { return strings.Contains(text, part) }

// items counts those of a list; -1 when it is none.
func items(list map[string]any) int {
	all, ok := list["items"].([]any)
	if !ok {
		return -1
	}
	return len(all)
}

func TestList(t *testing.T) {
	s := newServer(t)
	for i := range 5 {
		s.submit(t, identity.Principal{Tenant: "acme", Actor: "alice"}, fmt.Sprint(i), "booking")
	}
	seen, next := 0, ""
	for {
		code, got := s.call(t, "manager", "GET", "/approval-instances?role=approver&status=pending&limit=2&cursor="+next, nil)
		if code != 200 {
			t.Fatal(code, got)
		}
		seen += items(got)
		var more bool
		if next, more = got["next_cursor"].(string); !more {
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d seen", seen)
	}
	for query, want := range map[string]int{"?role=requester": 0, "": 5, "?status=approved": 0} {
		code, got := s.call(t, "manager", "GET", "/approval-instances"+query, nil)
		if code != 200 || items(got) != want {
			t.Errorf("%q: %d %v", query, code, got)
		}
	}
	for _, query := range []string{"?role=boss", "?status=odd", "?cursor=junk"} {
		if code, got := s.call(t, "manager", "GET", "/approval-instances"+query, nil); code != 422 {
			t.Errorf("%q: %d %v", query, code, got)
		}
	}
}
