package approvalhttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/identity"
)

// policy stores an action policy as an administrator and returns its id.
func (s *server) policy(t *testing.T, body map[string]any) string {
	t.Helper()
	code, got := s.call(t, "admin", "POST", "/action-policies", body)
	id, _ := got["id"].(string)
	if code != 201 || id == "" {
		t.Fatal(code, got)
	}
	return id
}

// patch changes an action policy with an If-Match header and returns status, ETag and body.
func (s *server) patch(t *testing.T, who, id, ifMatch, body string) (status int, etag, answer string) {
	t.Helper()
	r := httptest.NewRequest("PATCH", "/action-policies/"+id, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	r.Header.Set("Content-Type", "application/json")
	if ifMatch != "" {
		r.Header.Set("If-Match", ifMatch)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Header().Get("ETag"), w.Body.String()
}

func TestActionPolicies(t *testing.T) {
	s := newServer(t)
	whole := map[string]any{
		"flow_type": "booking", "action_key": "approve", "priority": 10, "subjects": map[string]any{"roles": []any{"Executive"}, "groups": []any{"g"}, "users": []any{"u"}},
		"state_constraints": map[string]any{"statusIn": []any{"pending"}, "statusNotIn": []any{"approved"}},
		"require_reason":    true, "guards": []any{map[string]any{"type": "chat_ack_completed"}}, "is_enabled": false,
	}
	code, got := s.call(t, "mgmt", "POST", "/action-policies", whole)
	if code != 201 || got["version"] != 1.0 || got["created_by"] != "mgmt" || got["updated_by"] != "mgmt" {
		t.Fatal(code, got)
	}
	for k, want := range whole {
		if fmt.Sprint(got[k]) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", k, got[k], want)
		}
	}
	id, _ := got["id"].(string)
	code, got = s.call(t, "admin", "POST", "/action-policies", map[string]any{"flow_type": "purchase", "action_key": "reject"})
	want := "[0 map[] map[] false [] true]"
	if all := fmt.Sprint([]any{got["priority"], got["subjects"], got["state_constraints"], got["require_reason"], got["guards"], got["is_enabled"]}); code != 201 || all != want {
		t.Errorf("defaults: %d %s", code, all)
	}
	for query, want := range map[string]int{"": 2, "?flow_type=purchase": 1, "?action_key=approve": 1, "?flow_type=x": 0} {
		if code, got := s.call(t, "admin", "GET", "/action-policies"+query, nil); code != 200 || items(got) != want {
			t.Errorf("%q: %d %v", query, code, got)
		}
	}

	for _, c := range []struct {
		who, ifMatch, body string
		status             int
		reason             string
	}{
		{"admin", "", `{"priority":1}`, 428, "if_match_required"},
		{"admin", `"v7"`, `{"priority":1}`, 412, "version_mismatch"},
		{"manager", `"v1"`, `{"priority":1}`, 403, "admin_only"},
		{"admin", `"v1"`, `{"action_key":"submit"}`, 422, "invalid_input"},
		{"admin", `"v1"`, `{"subjects":{"roles":[""]}}`, 422, "invalid_input"},
		{"admin", `"v1"`, `{"colour":"red"}`, 422, "invalid_input"},
		{"admin", `"v1"`, `{"is_enabled":true,"guards":[]}`, 200, ""},
		{"mgmt", `*`, `{"priority":-5,"subjects":{}}`, 200, ""},
	} {
		status, etag, answer := s.patch(t, c.who, id, c.ifMatch, c.body)
		if status != c.status || c.reason != "" && !strings.Contains(answer, `"reason":"`+c.reason+`"`) || (status == 200) != (etag != "") {
			t.Errorf("%+v: %d %s %s", c, status, etag, answer)
		}
	}
	code, got = s.call(t, "admin", "GET", "/action-policies/"+id, nil)
	want = "[-5 map[] [] true 3]"
	if all := fmt.Sprint([]any{got["priority"], got["subjects"], got["guards"], got["is_enabled"], got["version"]}); code != 200 || all != want {
		t.Errorf("in the end: %d %s", code, all)
	}

	for _, c := range []struct {
		who, method, path string
		body              any
		status            int
	}{
		{"manager", "GET", "/action-policies", nil, 403},
		{"exec", "POST", "/action-policies", whole, 403},
		{"alice", "GET", "/action-policies/" + id, nil, 403},
		{"admin", "GET", "/action-policies/nothing", nil, 404},
		{"admin", "POST", "/action-policies", map[string]any{"flow_type": "booking"}, 422},
		{"admin", "POST", "/action-policies", map[string]any{"flow_type": "", "action_key": "approve"}, 422},
		{"admin", "POST", "/action-policies", map[string]any{"flow_type": "a\x00", "action_key": "approve"}, 422},
		{"admin", "POST", "/action-policies", map[string]any{"flow_type": "a", "action_key": "approve", "priority": 1 << 40}, 422},
		{"admin", "POST", "/action-policies", map[string]any{"flow_type": "a", "action_key": "approve", "guards": []any{"chat_ack_completed"}}, 422},
		{"admin", "POST", "/action-policies", map[string]any{"flow_type": "a", "action_key": "approve", "state_constraints": map[string]any{"statusIn": []any{"PENDING"}}}, 422},
	} {
		if code, got := s.call(t, c.who, c.method, c.path, c.body); code != c.status {
			t.Errorf("%s %s %s %v: %d %v", c.who, c.method, c.path, c.body, code, got)
		}
	}
}

// TestGuardsThroughHTTP goes through the section on guards of the specification; mgmt decides on what exec asks.
func TestGuardsThroughHTTP(t *testing.T) {
	s := newServer(t)
	exec := identity.Principal{Tenant: "acme", Actor: "exec"}
	act := func(who, id string, body map[string]any, status int, reason string) map[string]any {
		t.Helper()
		code, got := s.call(t, who, "POST", "/approval-instances/"+id+"/act", body)
		if code != status || status != 200 && got["reason"] != reason {
			t.Errorf("%s %v: %d %v", who, body, code, got)
		}
		return got
	}
	details := func(problem map[string]any) string { return fmt.Sprint(problem["details"]) }
	approve, because := map[string]any{"action": "approve"}, map[string]any{"action": "approve", "reason": "urgent"}
	guard := func(names ...string) []any {
		all := []any{}
		for _, n := range names {
			all = append(all, map[string]any{"type": n})
		}
		return all
	}

	// Nothing is asked where no policy applies.
	s.policy(t, map[string]any{"flow_type": "elsewhere", "action_key": "approve", "guards": guard("chat_ack_completed")})
	s.policy(t, map[string]any{"flow_type": "booking", "action_key": "approve", "guards": guard("x"), "is_enabled": false})
	s.policy(t, map[string]any{"flow_type": "booking", "action_key": "approve", "guards": guard("x"), "subjects": map[string]any{"users": []any{"somebody"}}})
	s.policy(t, map[string]any{"flow_type": "booking", "action_key": "approve", "guards": guard("x"), "state_constraints": map[string]any{"statusIn": []any{"approved"}}})
	act("mgmt", s.submit(t, exec, "e0", "booking").ID, approve, 200, "")

	// An administrator is asked for a reason and overrides by giving one.
	id := s.policy(t, map[string]any{"flow_type": "booking", "action_key": "approve", "priority": 5, "guards": guard("chat_ack_completed")})
	failed := "guardFailures:[map[reason:missing_link type:chat_ack_completed]] matchedPolicyId:" + id
	q := s.submit(t, exec, "e1", "booking").ID
	if got := act("mgmt", q, approve, 400, "REASON_REQUIRED"); details(got) != "map["+failed+"]" {
		t.Errorf("details %s", details(got))
	}
	if got := act("mgmt", q, because, 200, ""); got["status"] != "approved" {
		t.Errorf("%v", got)
	}
	// Everybody else is denied, with or without one.
	q = s.submit(t, identity.Principal{Tenant: "acme", Actor: "alice"}, "e2", "booking").ID
	for _, body := range []map[string]any{approve, because} {
		if got := act("manager", q, body, 403, "ACTION_POLICY_DENIED"); details(got) != "map["+failed+" reason:guard_failed]" {
			t.Errorf("details %s", details(got))
		}
	}
	act("alice", q, because, 403, "self_approval")
	act("admin", q, because, 403, "not_approver")
	act("manager", q, map[string]any{"action": "reject", "reason": "no"}, 200, "")

	// Other failures cannot be overridden; unknown types refuse; all are told; no lower policy rescues.
	id = s.policy(t, map[string]any{"flow_type": "booking", "action_key": "approve", "priority": 6, "guards": guard("chat_ack_completed", "nobody knows")})
	q = s.submit(t, exec, "e3", "booking").ID
	got := act("mgmt", q, because, 403, "ACTION_POLICY_DENIED")
	if want := "map[guardFailures:[map[reason:missing_link type:chat_ack_completed] map[reason:unknown_guard_type type:nobody knows]] matchedPolicyId:" + id + " reason:guard_failed]"; details(got) != want {
		t.Errorf("details %s", details(got))
	}
	_, shown := s.call(t, "exec", "GET", "/approval-instances/"+q, nil)
	want := "[map[action_key:approve failures:[map[reason:missing_link type:chat_ack_completed]] passed:false policy_id:" + id + " type:chat_ack_completed] " +
		"map[action_key:approve failures:[map[reason:unknown_guard_type type:nobody knows]] passed:false policy_id:" + id + " type:nobody knows]]"
	if guards := fmt.Sprint(shown["guards"]); guards != want {
		t.Errorf("guards %s", guards)
	}

	// A policy may want a reason and nothing else.
	s.policy(t, map[string]any{"flow_type": "booking", "action_key": "approve", "priority": 7, "require_reason": true})
	act("mgmt", q, approve, 400, "REASON_REQUIRED")

	// The dry run says the same before.
	for _, c := range []struct {
		who    string
		body   map[string]any
		status int
		want   string
	}{
		{"mgmt", map[string]any{"action_key": "approve", "target_id": q}, 200, "allowed:false guardFailures:[] guardOverride:false reason:reason_required refusal:REASON_REQUIRED requireReason:true"},
		{"mgmt", map[string]any{"action_key": "approve", "target_id": q, "reason": "fine"}, 200, "allowed:true guardFailures:[] guardOverride:false refusal:<nil> requireReason:true"},
		{"admin", map[string]any{"action_key": "approve", "target_table": "approval_instances", "target_id": q, "reason": "fine"}, 200, "allowed:true guardFailures:[] guardOverride:false refusal:not_approver requireReason:true"},
		{"admin", map[string]any{"action_key": "approve", "target_id": q, "reason": "fine", "actor": map[string]any{"user_id": "mgmt", "roles": []any{"mgmt"}}}, 200, "allowed:true guardFailures:[] guardOverride:false refusal:<nil> requireReason:true"},
		{"admin", map[string]any{"flow_type": "elsewhere", "action_key": "approve", "reason": "x"}, 200, "allowed:true guardFailures:[map[reason:missing_link type:chat_ack_completed]] guardOverride:true refusal:<nil> requireReason:true"},
		{"admin", map[string]any{"flow_type": "unheard of", "action_key": "reject", "state": map[string]any{"status": "pending"}}, 200, "allowed:true guardFailures:[] guardOverride:false refusal:<nil> requireReason:false"},
		{"alice", map[string]any{"action_key": "approve", "target_id": q}, 404, ""},
		{"exec", map[string]any{"flow_type": "booking", "action_key": "approve"}, 403, ""},
		{"admin", map[string]any{"flow_type": "other", "action_key": "approve", "target_id": q}, 422, ""},
		{"admin", map[string]any{"action_key": "approve"}, 422, ""},
		{"admin", map[string]any{"action_key": "approve", "target_id": q, "target_table": "chat_messages"}, 422, ""},
	} {
		code, got := s.call(t, c.who, "POST", "/action-policies/evaluate", c.body)
		delete(got, "matchedPolicyId")
		if code != c.status || code == http.StatusOK && fmt.Sprint(got) != "map["+c.want+"]" {
			t.Errorf("%s %v: %d %v", c.who, c.body, code, got)
		}
	}
	act("mgmt", q, map[string]any{"action": "approve", "reason": "fine"}, 200, "")
}
