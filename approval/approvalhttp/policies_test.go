package approvalhttp_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
)

// put changes the policy of a flow and returns status, ETag and body.
func (s *server) put(t *testing.T, who, flow, ifMatch, body string) (status int, etag, answer string) {
	t.Helper()
	r := httptest.NewRequest("PUT", "/approval-policies/"+flow, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+who)
	r.Header.Set("Content-Type", "application/json")
	if ifMatch != "" {
		r.Header.Set("If-Match", ifMatch)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Header().Get("ETag"), w.Body.String()
}

const twoSteps = `{"rules":[{"fact":"amount","at_least":100,"reason":"amount"}],"comment":"as agreed",
	"steps":[{"name":"line","approvers":[{"type":"manager"}]},{"mode":"quorum","quorum":2,"approvers":[{"type":"user","id":"hr"},{"type":"role","id":"mgmt"}]}],
	"timeout_seconds":3600,"remind_before_seconds":600}`

func TestApprovalPolicies(t *testing.T) {
	s := newServer(t)
	code, got := s.call(t, "admin", "GET", "/approval-policies", nil)
	if flows := fmt.Sprint(got["items"]); code != 200 || items(got) != 2 || !contains(flows, "flow_type:booking") || !contains(flows, "flow_type:guarded") || !contains(flows, "at_least:10") {
		t.Errorf("what the server was set up with: %d %v", code, got)
	}
	code, got = s.call(t, "mgmt", "GET", "/approval-policies/purchase", nil)
	if code != 200 || got["version"] != 1.0 || fmt.Sprint(got["rules"]) != "[]" || fmt.Sprint(got["steps"]) != "[map[approvers:[map[level:1 type:manager]] mode:any]]" || got["changed_by"] != nil {
		t.Errorf("a flow without rules: %d %v", code, got)
	}
	for _, c := range []struct {
		who, ifMatch, body string
		status             int
		says               string
	}{
		{"manager", "", twoSteps, 403, "admin_only"},
		{"admin", `"v7"`, twoSteps, 412, "version_mismatch"},
		{"admin", `nonsense`, twoSteps, 412, "version_mismatch"},
		{"admin", "", `{}`, 422, "body.rules"},
		{"admin", "", `{"rules":[{"fact":"amount","reason":"amount"}]}`, 422, "invalid_policy"},
		{"admin", "", `{"rules":[{"fact":"amount","at_least":1,"present":true,"reason":"amount"}]}`, 422, "body.rules"},
		{"admin", "", `{"rules":[],"steps":[{"approvers":[]}]}`, 422, "body.steps"},
		{"admin", "", `{"rules":[],"steps":[{"mode":"most","approvers":[{"type":"manager"}]}]}`, 422, "body.steps"},
		{"admin", "", `{"rules":[],"steps":[{"mode":"quorum","approvers":[{"type":"manager"}]}]}`, 422, "body.steps"},
		{"admin", "", `{"rules":[],"steps":[{"approvers":[{"type":"user"}]}]}`, 422, "body.steps"},
		{"admin", "", `{"rules":[],"timeout_seconds":-1}`, 422, "body.timeout_seconds"},
		{"admin", "", `{"rules":[{"flow":"booking","fact":"amount","at_least":1,"reason":"amount"}]}`, 422, "body.rules[0].flow"},
		{"admin", `"v1"`, twoSteps, 200, `"version":2`},
		{"admin", `"v1"`, twoSteps, 412, "version_mismatch"},
		{"mgmt", "", `{"rules":[]}`, 200, `"version":3`},
		{"mgmt", `*`, twoSteps, 200, `"version":4`},
	} {
		status, etag, answer := s.put(t, c.who, "purchase", c.ifMatch, c.body)
		if status != c.status || !strings.Contains(answer, c.says) || (status == 200) != (etag != "") {
			t.Errorf("%+v: %d %s %s", c, status, etag, answer)
		}
	}
	code, got = s.call(t, "admin", "GET", "/approval-policies/purchase/versions?limit=3", nil)
	if versions := fmt.Sprint(got["items"]); code != 200 || items(got) != 3 || got["next_cursor"] == nil || !contains(versions, "changed_by:mgmt") || !contains(versions, "comment:as agreed") {
		t.Errorf("%d %v", code, got)
	}
	code, got = s.call(t, "admin", "GET", "/approval-policies/purchase?version=1", nil)
	if code != 200 || got["version"] != 1.0 || fmt.Sprint(got["rules"]) != "[]" {
		t.Errorf("what was first: %d %v", code, got)
	}
	for path, want := range map[string]int{
		"/approval-policies/purchase?version=9": 404, "/approval-policies/purchase?version=-1": 422, "/approval-policies/purchase/versions?cursor=junk": 422,
	} {
		if code, got := s.call(t, "admin", "GET", path, nil); code != want {
			t.Errorf("%s: %d %v", path, code, got)
		}
	}
	for _, path := range []string{"/approval-policies", "/approval-policies/purchase", "/approval-policies/purchase/versions"} {
		if code, got := s.call(t, "manager", "GET", path, nil); code != 403 || got["reason"] != "admin_only" {
			t.Errorf("%s: %d %v", path, code, got)
		}
	}
}

// TestEvaluatePolicy: the dry run says what asking would do, of a draft too; and asking does it.
func TestEvaluatePolicy(t *testing.T) {
	s := newServer(t)
	if status, _, answer := s.put(t, "admin", "purchase", "", twoSteps); status != 200 {
		t.Fatal(status, answer)
	}
	const path = "/approval-policies/evaluate"
	evaluate := func(who string, body map[string]any) (int, map[string]any) {
		t.Helper()
		body["flow_type"] = "purchase"
		return s.call(t, who, "POST", path, body)
	}
	code, got := evaluate("alice", map[string]any{"facts": map[string]any{"amount": 99}})
	if code != 200 || got["required"] != false || fmt.Sprint(got["reasons"], got["explanation"], got["steps"]) != "[] [] []" || got["policy_version"] != 2.0 {
		t.Errorf("%d %v", code, got)
	}
	code, got = evaluate("alice", map[string]any{"facts": map[string]any{"amount": 100}})
	steps, _ := got["steps"].([]any)
	if code != 200 || got["required"] != true || fmt.Sprint(got["explanation"]) != "[amount 100 ≥ 100]" || got["refusal"] != nil || len(steps) != 2 ||
		!contains(fmt.Sprint(steps[0]), "approver_ids:[manager]") || !contains(fmt.Sprint(steps[1]), "approver_ids:[hr mgmt]") || !contains(fmt.Sprint(steps[1]), "need:2") {
		t.Errorf("%d %v", code, got)
	}
	q, err := s.svc.Submit(t.Context(), identity.Principal{Tenant: "acme", Actor: "alice"}, approval.Submission{
		Subject: approval.Subject{Kind: "po", ID: "1"}, Flow: "purchase", Facts: approval.Facts{"amount": 100},
	})
	if err != nil || q.Policy != 2 || fmt.Sprint(q.Steps[0].Approvers, q.Steps[1].Approvers) != "[manager] [hr mgmt]" {
		t.Errorf("%+v, %v", q, err)
	}
	draft := map[string]any{"rules": []any{map[string]any{"fact": "amount", "at_least": 1, "reason": "amount"}}, "steps": []any{
		map[string]any{"mode": "quorum", "quorum": 5, "approvers": []any{map[string]any{"type": "role", "id": "mgmt"}}}}}
	code, got = evaluate("admin", map[string]any{"facts": map[string]any{"amount": 5}, "requester_id": "bob", "policy": draft})
	if code != 200 || got["required"] != true || got["policy_version"] != 0.0 || got["refusal"] != "no_approver" {
		t.Errorf("a draft that nobody could satisfy: %d %v", code, got)
	}
	if code, got := s.call(t, "admin", "GET", "/approval-policies/purchase", nil); code != 200 || got["version"] != 2.0 {
		t.Errorf("the dry run changed something: %d %v", code, got)
	}
	for name, c := range map[string]struct {
		who    string
		body   map[string]any
		status int
		reason string
	}{
		"for another":      {"alice", map[string]any{"facts": map[string]any{}, "requester_id": "bob"}, 403, "admin_only"},
		"a draft":          {"alice", map[string]any{"facts": map[string]any{}, "policy": draft}, 403, "admin_only"},
		"a bad draft":      {"admin", map[string]any{"facts": map[string]any{}, "policy": map[string]any{"rules": []any{map[string]any{"fact": "", "reason": "x"}}}}, 422, "invalid_policy"},
		"no facts":         {"alice", map[string]any{}, 422, "invalid_input"},
		"facts in a list":  {"alice", map[string]any{"facts": []any{}}, 422, "invalid_input"},
		"a name with a LF": {"admin", map[string]any{"facts": map[string]any{}, "requester_id": "a\nb"}, 422, "invalid_input"},
	} {
		if code, got := evaluate(c.who, c.body); code != c.status || got["reason"] != c.reason {
			t.Errorf("%s: %d %v", name, code, got)
		}
	}
	// Facts that a rule cannot judge ask, rather than pass.
	if code, got := evaluate("alice", map[string]any{"facts": map[string]any{"amount": "a lot"}}); code != 200 || got["required"] != true {
		t.Errorf("%d %v", code, got)
	}
}

// TestStepsInViews: a chain of a manager and two of the rest, through HTTP: who may decide, what is shown of it, and the
// codes of those whose turn it is not.
func TestStepsInViews(t *testing.T) {
	s := newServer(t)
	if status, _, answer := s.put(t, "admin", "purchase", "", twoSteps); status != 200 {
		t.Fatal(status, answer)
	}
	q, err := s.svc.Submit(t.Context(), identity.Principal{Tenant: "acme", Actor: "alice"}, approval.Submission{
		Subject: approval.Subject{Kind: "po", ID: "1"}, Flow: "purchase", Facts: approval.Facts{"amount": 100},
	})
	if err != nil {
		t.Fatal(err)
	}
	act := func(who string, status int, says string) map[string]any {
		t.Helper()
		code, got := s.call(t, who, "POST", "/approval-instances/"+q.ID+"/act", map[string]any{"action": "approve", "content_hash": q.ContentHash})
		if said := fmt.Sprint(got["reason"], got["status"]); code != status || !contains(said, says) {
			t.Errorf("%s: %d %v", who, code, got)
		}
		return got
	}
	act("hr", 409, "step_not_open")
	got := act("manager", 200, "pending")
	if fmt.Sprint(got["approver_ids"]) != "[hr mgmt]" || !contains(fmt.Sprint(got["steps"]), "name:line") || got["decision"] != nil {
		t.Errorf("%v", got)
	}
	act("manager", 409, "already_decided")
	act("hr", 200, "pending")
	act("hr", 409, "already_decided")
	got = act("mgmt", 200, "approved")
	states := []string{}
	steps, _ := got["steps"].([]any)
	for _, step := range steps {
		m, _ := step.(map[string]any)
		states = append(states, fmt.Sprint(m["mode"], m["need"], m["state"]))
	}
	kinds := []string{}
	line, _ := got["timeline"].([]any)
	for _, moment := range line {
		m, _ := moment.(map[string]any)
		kinds = append(kinds, fmt.Sprint(m["kind"], m["step"]))
	}
	if fmt.Sprint(states) != "[any1approved quorum2approved]" || fmt.Sprint(kinds) != "[requested<nil> routed1 agreed1 routed2 agreed2 approved2]" {
		t.Errorf("%v %v", states, kinds)
	}
}
