package approvaltest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// actionPolicy makes the n-th policy: created n seconds after t0.
func actionPolicy(n int) approval.ActionPolicy {
	at := t0.Add(time.Duration(n) * time.Second)
	return approval.ActionPolicy{
		ActionRule: approval.ActionRule{
			Flow: "booking", Action: approval.Approve, Priority: -3, RequireReason: true,
			Actors: approval.Actors{Roles: []string{"役員 'quoted' ?0"}, Groups: []string{"g"}, Users: []string{"u", "v"}},
			States: approval.StateConstraints{StatusIn: []approval.Status{approval.Pending}, StatusNotIn: []approval.Status{approval.Approved}},
			Guards: []approval.GuardSpec{{Type: "chat_ack_completed"}, {Type: "other"}},
		},
		ID: fmt.Sprintf("policy-%04d", n), Tenant: "acme", Version: 1, CreatedAt: at, CreatedBy: "admin", UpdatedAt: at, UpdatedBy: "admin",
	}
}

func insertPolicies(t *testing.T, s approval.Store, ps ...approval.ActionPolicy) {
	t.Helper()
	for _, p := range ps {
		if err := s.InsertActionPolicy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func actionPolicies(t *testing.T, s approval.Store) {
	p := actionPolicy(1)
	insertPolicies(t, s, p)
	stored := func() approval.ActionPolicy {
		t.Helper()
		got, err := s.ActionPolicy(t.Context(), p.Tenant, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := stored(); !reflect.DeepEqual(got, p) {
		t.Errorf("got  %+v\nwant %+v", got, p)
	}
	changed := p
	changed.ActionRule = approval.ActionRule{Flow: "purchase", Action: approval.Reject, Guards: []approval.GuardSpec{}, Disabled: true}
	changed.Version, changed.UpdatedAt, changed.UpdatedBy = 2, t0.Add(time.Hour), "mgmt"
	forged := changed
	forged.CreatedBy, forged.CreatedAt = "somebody else", t0.Add(-time.Hour) // where it comes from is never written anew
	if err := s.SetActionPolicy(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	if got := stored(); !reflect.DeepEqual(got, changed) {
		t.Errorf("changed: got  %+v\nwant %+v", got, changed)
	}
	if err := s.SetActionPolicy(t.Context(), changed); !errors.Is(err, approval.ErrActionPolicyChanged) {
		t.Errorf("at an old version: %v", err)
	}
	if _, err := s.ActionPolicy(t.Context(), "acme", "nothing"); !errors.Is(err, approval.ErrNoActionPolicy) {
		t.Errorf("unknown: %v", err)
	}
	if _, err := s.ActionPolicy(t.Context(), "other", p.ID); !errors.Is(err, approval.ErrNoActionPolicy) {
		t.Errorf("another tenant's: %v", err)
	}
	twin := actionPolicy(1)
	twin.Tenant = "other"
	insertPolicies(t, s, twin)
	twin.Version = 2
	twin.Priority = 9
	if err := s.SetActionPolicy(t.Context(), twin); err != nil {
		t.Fatal(err)
	}
	if got := stored(); !reflect.DeepEqual(got, changed) {
		t.Errorf("another tenant's change reached it: %+v", got)
	}
}

func actionPolicyRace(t *testing.T, s approval.Store) {
	p := actionPolicy(1)
	insertPolicies(t, s, p)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			mine := p
			mine.Version, mine.Priority = 2, i
			errs[i] = s.SetActionPolicy(t.Context(), mine)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, approval.ErrActionPolicyChanged) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d winners", won)
	}
}

func actionPoliciesOn(t *testing.T, s approval.Store) {
	var all []approval.ActionPolicy
	for n := range 12 {
		p := actionPolicy(n / 2) // two at each moment: the id decides
		p.ID = fmt.Sprintf("policy-%04d", (n*5)%12)
		p.Priority = n % 3
		p.Disabled = n%4 == 3
		if n == 10 {
			p.Flow = "purchase"
		}
		if n == 8 {
			p.Action = approval.Reject
		}
		all = append(all, p)
	}
	insertPolicies(t, s, all...)
	foreign := actionPolicy(99)
	foreign.Tenant = "other"
	insertPolicies(t, s, foreign)

	got, err := s.ActionPoliciesOn(t.Context(), "acme", "booking", approval.Approve)
	if err != nil || len(got) != 7 {
		t.Fatalf("%d, %v", len(got), err)
	}
	// The order is the one in which they govern.
	c := approval.Circumstances{
		Flow: "booking", Action: approval.Approve, Status: approval.Pending, Users: []string{"u"},
	}
	for i := range got {
		if first, ok := approval.Governing(got[i:], c); !ok || first.ID != got[i].ID {
			t.Errorf("at %d: %s, governing %s", i, got[i].ID, first.ID)
		}
	}
	for name, f := range map[string]approval.ActionPolicyFilter{"": {}, "flow": {Flow: "purchase"}, "action": {Action: approval.Reject}, "nothing": {Flow: "x"}} {
		want := map[string]int{"": 12, "flow": 1, "action": 1, "nothing": 0}[name]
		if ids := policyIDs(t, s, "acme", f); len(ids) != want {
			t.Errorf("%q: %v", name, ids)
		}
	}
	if ids := policyIDs(t, s, "other", approval.ActionPolicyFilter{}); len(ids) != 1 {
		t.Errorf("of another tenant: %v", ids)
	}
	if _, err := s.ListActionPolicies(t.Context(), "acme", approval.ActionPolicyFilter{}, page.Request{Cursor: "junk"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
}

// policyIDs lists policies by small pages and checks that they come newest first, each once.
func policyIDs(t *testing.T, s approval.Store, tenant identity.TenantID, f approval.ActionPolicyFilter) []string {
	t.Helper()
	ids := []string{}
	var last approval.ActionPolicy
	for p := (page.Request{Limit: 5}); ; {
		got, err := s.ListActionPolicies(t.Context(), tenant, f, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range got.Items {
			if len(ids) > 0 && (q.CreatedAt.After(last.CreatedAt) || q.CreatedAt.Equal(last.CreatedAt) && q.ID >= last.ID) {
				t.Errorf("%s after %s", q.ID, last.ID)
			}
			last = q
			ids = append(ids, q.ID)
		}
		if got.Next == "" {
			return ids
		}
		p.Cursor = got.Next
	}
}
