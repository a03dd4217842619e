package approvalhttp_test

import (
	"fmt"
	"testing"

	"github.com/renkei-go/renkei/foundation/identity"
)

// TestBulk: a row for each, in the order given, with the status that it would have had alone; one refusal holds up none.
func TestBulk(t *testing.T) {
	s := newServer(t)
	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	one, two, three := s.submit(t, alice, "1", "booking"), s.submit(t, alice, "2", "booking"), s.submit(t, identity.Principal{Tenant: "acme", Actor: "exec"}, "3", "booking")
	item := func(id, action, reason, hash string) map[string]any {
		m := map[string]any{"id": id, "action": action}
		if reason != "" {
			m["reason"] = reason
		}
		if hash != "" {
			m["content_hash"] = hash
		}
		return m
	}
	code, got := s.call(t, "manager", "POST", "/approval-instances/act", map[string]any{"items": []any{
		item(one.ID, "approve", "", "old"), item(one.ID, "approve", "", one.ContentHash), item("nothing", "approve", "", ""),
		item(two.ID, "reject", "", ""), item(two.ID, "reject", "too many", ""), item(three.ID, "approve", "", ""), item(one.ID, "approve", "", ""),
	}})
	rows, _ := got["items"].([]any)
	want := []string{"409 STALE_CONTENT", "200 approved", "404 not_found", "400 REASON_REQUIRED", "200 rejected", "403 not_approver", "409 already_decided"}
	if code != 200 || len(rows) != len(want) {
		t.Fatal(code, got)
	}
	for i, row := range rows {
		r, _ := row.(map[string]any)
		problem, _ := r["problem"].(map[string]any)
		instance, _ := r["instance"].(map[string]any)
		said := fmt.Sprint(r["status"], " ", instance["status"])
		if problem != nil {
			said = fmt.Sprint(r["status"], " ", problem["reason"])
			if fmt.Sprint(problem["status"]) != fmt.Sprint(r["status"]) || problem["detail"] == "" || instance != nil {
				t.Errorf("row %d: %v", i, r)
			}
		}
		if said != want[i] {
			t.Errorf("row %d: %s, want %s", i, said, want[i])
		}
	}
	for name, body := range map[string]any{
		"none": map[string]any{"items": []any{}}, "no list": map[string]any{}, "null": map[string]any{"items": nil},
		"no action": map[string]any{"items": []any{map[string]any{"id": one.ID}}}, "too many": map[string]any{"items": make([]any, 101)},
	} {
		if code, got := s.call(t, "manager", "POST", "/approval-instances/act", body); code != 422 {
			t.Errorf("%s: %d %v", name, code, got)
		}
	}
}
