package approvalhttp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// TestSubstitutes: an approver names who decides in their place, who then sees the request, decides it and is named in
// the steps and the timeline; and nobody else names or ends it.
func TestSubstitutes(t *testing.T) {
	s := newServer(t)
	q := s.submit(t, identity.Principal{Tenant: "acme", Actor: "alice"}, "1", "booking")
	if code, _ := s.call(t, "hr", "GET", "/approval-instances/"+q.ID, nil); code != 404 {
		t.Errorf("hr sees it before: %d", code)
	}
	code, made := s.call(t, "manager", "POST", "/approval-substitutes", map[string]any{"substitute_id": "hr", "valid_until": time.Now().Add(time.Hour)})
	if code != 201 || made["approver_id"] != "manager" || made["substitute_id"] != "hr" || made["created_by"] != "manager" || made["ended_at"] != nil || made["valid_until"] == nil {
		t.Fatal(code, made)
	}
	id, _ := made["id"].(string)
	for _, who := range []string{"manager", "hr"} {
		if code, got := s.call(t, who, "GET", "/approval-substitutes", nil); code != 200 || items(got) != 1 {
			t.Errorf("%s: %d %v", who, code, got)
		}
	}
	if code, got := s.call(t, "hr", "GET", "/approval-instances?role=approver&status=pending", nil); code != 200 || items(got) != 1 {
		t.Errorf("the substitute's inbox: %d %v", code, got)
	}
	code, got := s.call(t, "hr", "POST", "/approval-instances/"+q.ID+"/act", map[string]any{"action": "approve"})
	steps := fmt.Sprint(got["steps"])
	if code != 200 || got["status"] != "approved" {
		t.Fatal(code, got)
	}
	for _, want := range []string{"acted_by:<nil> action:approve", "by:hr for:manager"} {
		if !contains(steps, want) {
			t.Errorf("steps %s", steps)
		}
	}
	if line := fmt.Sprint(got["timeline"]); !contains(line, "by:hr for:manager kind:approved") {
		t.Errorf("timeline %s", line)
	}

	for _, c := range []struct {
		who, method, path string
		body              any
		status            int
		reason            string
	}{
		{"hr", "DELETE", "/approval-substitutes/" + id, nil, 403, "not_own_substitute"},
		{"bob", "DELETE", "/approval-substitutes/" + id, nil, 404, "not_found"},
		{"secretary for manager", "DELETE", "/approval-substitutes/" + id, nil, 403, "not_own_substitute"},
		{"manager", "DELETE", "/approval-substitutes/nothing", nil, 404, "not_found"},
		{"bob", "POST", "/approval-substitutes", map[string]any{"approver_id": "manager", "substitute_id": "bob"}, 403, "not_own_substitute"},
		{"secretary for manager", "POST", "/approval-substitutes", map[string]any{"substitute_id": "hr"}, 403, "not_own_substitute"},
		{"manager", "POST", "/approval-substitutes", map[string]any{"substitute_id": "manager"}, 422, "invalid_input"},
		{"manager", "POST", "/approval-substitutes", map[string]any{"substitute_id": "nobody"}, 422, "invalid_input"},
		{"manager", "POST", "/approval-substitutes", map[string]any{"substitute_id": "hr", "valid_until": "2001-01-01T00:00:00Z"}, 422, "invalid_input"},
		{"manager", "POST", "/approval-substitutes", map[string]any{"substitute_id": "hr", "valid_from": "2031-01-02T00:00:00Z", "valid_until": "2031-01-01T00:00:00Z"}, 422, "invalid_input"},
		{"manager", "POST", "/approval-substitutes", map[string]any{"substitute_id": "hr", "valid_until": "9999-01-01T00:00:00Z"}, 422, "invalid_input"},
		{"manager", "POST", "/approval-substitutes", map[string]any{}, 422, "invalid_input"},
		{"hr", "GET", "/approval-substitutes?person_id=manager", nil, 403, "not_own_substitute"},
		{"hr", "GET", "/approval-substitutes?cursor=junk", nil, 422, "invalid_cursor"},
	} {
		if code, got := s.call(t, c.who, c.method, c.path, c.body); code != c.status || got["reason"] != c.reason {
			t.Errorf("%+v: %d %v", c, code, got)
		}
	}
	// An administrator sees and ends another's.
	if code, got := s.call(t, "admin", "GET", "/approval-substitutes?person_id=manager", nil); code != 200 || items(got) != 1 {
		t.Errorf("%d %v", code, got)
	}
	for range 2 { // the second time it has ended already
		if code := s.status(t, "admin", "DELETE", "/approval-substitutes/"+id); code != 204 {
			t.Errorf("%d", code)
		}
	}
	other := s.submit(t, identity.Principal{Tenant: "acme", Actor: "alice"}, "2", "booking")
	if code, got := s.call(t, "hr", "POST", "/approval-instances/"+other.ID+"/act", map[string]any{"action": "approve"}); code != 403 || got["reason"] != "not_approver" {
		t.Errorf("after the end: %d %v", code, got)
	}
}
