package approval_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// approvers is the company with these people in the fallback group.
func approvers(ids ...string) approvaltest.People {
	people := approvaltest.Company().With("mgmt", func(p *identity.Person) { p.Roles = nil })
	for _, id := range ids {
		people = slices.DeleteFunc(people, func(p identity.Person) bool { return p.ID == id })
		people = append(people, identity.Person{ID: id, Groups: []string{"mgmt"}, Active: true})
	}
	return people
}

func TestRouting(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	company := approvaltest.Company()
	manager := func(id, m string) func(approvaltest.People) approvaltest.People {
		return func(p approvaltest.People) approvaltest.People {
			return p.With(id, func(x *identity.Person) { x.ManagerID = m })
		}
	}
	away := company.With("manager", func(p *identity.Person) { p.OnLeave = true })
	gone := company.With("manager", func(p *identity.Person) { p.Active = false })
	for name, c := range map[string]struct {
		people approvaltest.People
		by     identity.Principal
		want   string // the approvers; empty when nobody is found
		why    string
	}{
		"manager":              {company, as("alice"), "manager", "manager is the manager of alice"},
		"no manager":           {company, as("exec"), "mgmt", "exec has no manager"},
		"on leave":             {away, as("alice"), "exec", "manager is on leave"},
		"inactive":             {gone, as("alice"), "exec", "manager is not active"},
		"manager is requester": {manager("alice", "alice")(company), as("alice"), "mgmt", "lead back to alice"},
		"manager acted":        {company, as("manager").For("alice"), "exec", "manager takes part"},
		"a ring of three": {manager("exec", "alice")(away.With("exec", func(p *identity.Person) { p.OnLeave = true })),
			as("alice"), "mgmt", "lead back to alice"},
		"a ring above":       {manager("exec", "manager")(away.With("exec", func(p *identity.Person) { p.OnLeave = true })), as("alice"), "mgmt", "lead back to manager"},
		"unknown manager":    {manager("alice", "nobody")(company), as("alice"), "mgmt", "nobody cannot be found"},
		"unknown requester":  {company, as("system:import"), "mgmt", "system:import is not in the directory"},
		"one of the group":   {approvers("mgmt", "mgmt2"), as("mgmt"), "mgmt2", "the group mgmt"},
		"the group acted":    {approvers("mgmt", "mgmt2"), as("mgmt2").For("exec"), "mgmt", "the group mgmt"},
		"group on leave":     {approvers("mgmt", "mgmt2").With("mgmt", func(p *identity.Person) { p.OnLeave = true }), as("exec"), "mgmt2", ""},
		"nobody in group":    {approvers(), as("exec"), "", ""},
		"only the requester": {approvers("mgmt"), as("mgmt"), "", ""},
	} {
		r.cfg.Directory = c.people
		q, err := r.open(t).Submit(t.Context(), c.by, approval.Submission{
			Subject: approval.Subject{Kind: "thing", ID: name}, Flow: approval.BookingFlow, Facts: approval.Facts{"attendees": 10},
		})
		if c.want == "" {
			if !errors.Is(err, approval.ErrNoApprover) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || strings.Join(q.Approvers(), ",") != c.want {
			t.Errorf("%s: %v, %v", name, q.Approvers(), err)
			continue
		}
		if why := strings.Join(q.Steps[0].Why, "; "); !strings.Contains(why, c.why) {
			t.Errorf("%s: %s", name, why)
		}
	}
}

func TestDelegatesCountAsTheRequester(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...), func(c *approval.Config) {
		c.Directory = approvers("mgmt", "secretary")
	})
	before := r.submit(t, as("exec"))
	if !slices.Equal(before.Approvers(), []string{"mgmt", "secretary"}) {
		t.Fatal(before.Approvers())
	}
	r.cfg.Delegates = delegates{"exec": {"secretary"}}.of
	r.Service = r.open(t)
	if q := r.submit(t, as("exec")); !slices.Equal(q.Approvers(), []string{"mgmt"}) {
		t.Errorf("a delegate is asked: %v", q.Approvers())
	}
	if _, err := r.Act(t.Context(), as("secretary"), before.ID, approve); !errors.Is(err, approval.ErrSelfApproval) {
		t.Errorf("became a delegate meanwhile: %v", err)
	}
}

// TestNobodyDecidesAlone: whatever the directory, whoever submits for whom and whoever decides for whom, no effective
// person of the requesting side is on the deciding side. And Simulate foretells Act.
func TestNobodyDecidesAlone(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	guard := &switchGuard{}
	r.cfg.Guards = map[string]approval.Guard{"switch": guard}
	r.policy(t, approval.ActionRule{Action: approval.Approve, Guards: guarded("switch")})
	ids := []string{"a", "b", "c", "d", "e"}
	decided := 0
	rapid.Check(t, func(rt *rapid.T) {
		anyone := rapid.SampledFrom(ids)
		orNobody := rapid.SampledFrom(append([]string{""}, ids...))
		principal := func(label string) identity.Principal {
			p := as(anyone.Draw(rt, label))
			p.Subject = orNobody.Draw(rt, label+" for")
			if rapid.Bool().Draw(rt, label+" is admin") {
				p.Roles = []string{"admin", "mgmt"}
			}
			return p
		}
		people := approvaltest.People{}
		for _, id := range ids {
			p := identity.Person{ID: id, ManagerID: orNobody.Draw(rt, "manager of "+id), Active: rapid.Bool().Draw(rt, id+" active")}
			if rapid.Bool().Draw(rt, id+" in group") {
				p.Groups = []string{"mgmt"}
			}
			people = append(people, p)
		}
		proxies := delegates{}
		for _, id := range ids {
			if d := orNobody.Draw(rt, "delegate of "+id); d != "" {
				proxies[id] = []string{d}
			}
		}
		r.cfg.Directory, r.cfg.Delegates = people, proxies.of
		svc := r.open(t)
		by := principal("submitter")
		q, err := svc.Submit(t.Context(), by, approval.Submission{
			Subject: approval.Subject{Kind: "thing", ID: rapid.StringMatching(`[a-z]{20}`).Draw(rt, "id")},
			Flow:    approval.BookingFlow, Facts: approval.Facts{"attendees": 10}, Content: 1,
		})
		if errors.Is(err, approval.ErrNoApprover) {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		requesting := append([]string{by.Actor, by.User()}, proxies[by.User()]...)
		for _, id := range q.Approvers() {
			if slices.Contains(requesting, id) {
				rt.Fatalf("%s is asked about a request of %v", id, requesting)
			}
		}
		for range 4 {
			decider := principal("decider")
			guard.closed = rapid.Bool().Draw(rt, "guard closed")
			d := approval.Decision{
				Action:      rapid.SampledFrom([]string{approval.Approve, approval.Reject, "other"}).Draw(rt, "action"),
				Reason:      rapid.SampledFrom([]string{"", "because"}).Draw(rt, "reason"),
				ContentHash: rapid.SampledFrom([]string{"", q.ContentHash, "stale"}).Draw(rt, "hash"),
			}
			foretold := svc.Simulate(t.Context(), decider, q.ID, d)
			_, err := svc.Act(t.Context(), decider, q.ID, d)
			if (foretold == nil) != (err == nil) || foretold != nil && !errors.Is(err, foretold) {
				rt.Fatalf("simulated %v, acted %v", foretold, err)
			}
			if err != nil {
				continue
			}
			decided++
			if slices.Contains(requesting, decider.Actor) || slices.Contains(requesting, decider.User()) {
				rt.Fatalf("%+v decided a request of %v", decider, requesting)
			}
		}
	})
	if decided == 0 {
		t.Error("no decision was ever possible: the property says nothing")
	}
}

func TestWhoNoLongerActsCannotWithdraw(t *testing.T) {
	proxies := delegates{"exec": {"secretary"}}
	r := newRig(t, sqldbtest.SQLite(t, migrations...), func(c *approval.Config) { c.Delegates = proxies.of })
	q, again := r.submit(t, as("secretary").For("exec")), r.submit(t, as("secretary").For("exec"))
	if _, err := r.Withdraw(t.Context(), as("secretary"), q.ID, "moved"); err != nil {
		t.Errorf("while they act: %v", err)
	}
	delete(proxies, "exec")
	if _, err := r.Withdraw(t.Context(), as("secretary"), again.ID, "moved"); !errors.Is(err, approval.ErrNotRequester) {
		t.Errorf("revoked: %v", err)
	}
	if _, err := r.Withdraw(t.Context(), as("exec"), again.ID, "moved"); err != nil {
		t.Errorf("the requester: %v", err)
	}
}
