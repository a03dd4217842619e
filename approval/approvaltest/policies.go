package approvaltest

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/page"
)

func policy(flow string, version int64) approval.Policy {
	return approval.Policy{
		Tenant: "acme", Flow: flow, Version: version, Rules: approval.Rules{approval.When("amount").AtLeast(1.5).Because("amount"), approval.When("role").AnyOf("a", "b").Because("role")},
		Steps:   []approval.Plan{{Name: "何か", Mode: approval.Quorum, Quorum: 2, Ask: []approval.Source{approval.ManagerAbove(2), approval.Holders("x")}}},
		Timeout: 90 * time.Minute, RemindBefore: time.Second, Comment: "why\nnot", ChangedBy: "admin", ChangedAt: t0,
	}
}

func policies(t *testing.T, s approval.Store) {
	add := func(p approval.Policy) {
		t.Helper()
		if err := s.AddPolicy(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Policy(t.Context(), "acme", "a"); !errors.Is(err, approval.ErrNoPolicy) {
		t.Errorf("none: %v", err)
	}
	first := approval.Policy{Tenant: "acme", Flow: "a", Version: 1, Rules: approval.Rules{}, Steps: []approval.Plan{}}
	other := policy("a", 7)
	other.Tenant = "other"
	add(first)
	add(policy("b", 1))
	add(policy("a", 2))
	add(policy("a", 3))
	add(other)
	for version, want := range map[int64]approval.Policy{1: first, 2: policy("a", 2), 3: policy("a", 3)} {
		if got, err := s.PolicyVersion(t.Context(), "acme", "a", version); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	if got, err := s.Policy(t.Context(), "acme", "a"); err != nil || got.Version != 3 {
		t.Errorf("the newest is %+v, %v", got, err)
	}
	if _, err := s.PolicyVersion(t.Context(), "acme", "a", 7); !errors.Is(err, approval.ErrNoPolicy) {
		t.Errorf("another tenant's: %v", err)
	}
	if got, err := s.Policies(t.Context(), "acme"); err != nil || len(got) != 2 || got[0].Flow != "a" || got[0].Version != 3 || got[1].Flow != "b" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.AddPolicy(t.Context(), policy("a", 3)); !errors.Is(err, approval.ErrPolicyChanged) {
		t.Errorf("a version again: %v", err)
	}
	p, err := s.PolicyVersions(t.Context(), "acme", "a", page.Request{Limit: 2})
	if err != nil || len(p.Items) != 2 || p.Items[0].Version != 3 || p.Items[1].Version != 2 || p.Next == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = s.PolicyVersions(t.Context(), "acme", "a", page.Request{Limit: 2, Cursor: p.Next}); err != nil || len(p.Items) != 1 || p.Items[0].Version != 1 || p.Next != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := s.PolicyVersions(t.Context(), "acme", "a", page.Request{Cursor: "junk"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
}

// policyRace: of several who make the same version one wins.
func policyRace(t *testing.T, s approval.Store) {
	var wg sync.WaitGroup
	var won atomic.Int64
	for range 8 {
		wg.Go(func() {
			err := s.AddPolicy(t.Context(), policy("a", 1))
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, approval.ErrPolicyChanged) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d won", won.Load())
	}
}
