package approval_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

func from(amount float64) approval.Rules {
	return approval.Rules{approval.When("amount").AtLeast(amount).Because("amount")}
}

func (r *rig) change(tb testing.TB, p approval.Policy) approval.Policy {
	tb.Helper()
	made, err := r.ChangePolicy(tb.Context(), admin, p, 0)
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

// ask submits a purchase of the amount by alice.
func (r *rig) ask(tb testing.TB, amount int) approval.Request {
	tb.Helper()
	return r.submit(tb, as("alice"), func(s *approval.Submission) {
		s.Flow, s.Facts = "purchase", approval.Facts{"amount": amount}
	})
}

// TestPolicyVersions: a change holds for what is asked from then on; what waits goes on by the version that asked for it;
// every version stays readable, the one of the program too.
func TestPolicyVersions(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Policies, r.cfg.Steps = from(100), map[string][]approval.Plan{"purchase": {plan("", 0, "hr")}}
		r.Service = r.open(t)
		first := r.ask(t, 100)
		second := r.change(t, approval.Policy{
			Flow: "purchase", Rules: from(500), Steps: []approval.Plan{plan(approval.All, 0, "manager", "exec")}, Timeout: time.Hour, RemindBefore: 10 * time.Minute, Comment: "up",
		})
		if second.Version != 2 || second.ChangedBy != "admin" {
			t.Errorf("%+v", second)
		}
		if q := r.ask(t, 499); q.Status != approval.NotRequired {
			t.Errorf("%+v", q)
		}
		q := r.ask(t, 500)
		if q.Policy != 2 || !slices.Equal(q.Deciders(), []string{"manager", "exec"}) || q.ExpiresAt.Sub(q.CreatedAt) != time.Hour || q.ExpiresAt.Sub(q.RemindAt) != 10*time.Minute {
			t.Errorf("%+v", q)
		}
		if said := r.says(t, first, "hr"); first.Policy != 1 || !slices.Equal(said, []string{"approved"}) {
			t.Errorf("%+v, %v", first, said)
		}
		for version, want := range map[int64]float64{0: 500, 1: 100, 2: 500} {
			if p, err := r.PolicyVersion(t.Context(), admin, "purchase", version); err != nil || *p.Rules[0].AtLeast != want {
				t.Errorf("version %d: %+v, %v", version, p, err)
			}
		}
		if list, err := r.PolicyVersions(t.Context(), admin, "purchase", page.Request{}); err != nil || len(list.Items) != 2 {
			t.Errorf("%+v, %v", list, err)
		}
		// None of another tenant.
		if p, err := r.Policy(t.Context(), "other", "purchase"); err != nil || p.Version != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		if lines := r.ledger.Lines(t, "audit", approval.ActionPolicyChanged); len(lines) != 1 || lines[0].Target != "approval_policies/purchase" || !strings.Contains(lines[0].Body, `"version":2`) || !strings.Contains(lines[0].Body, `"timeoutSeconds":3600`) {
			t.Errorf("%+v", lines)
		}
	})
}

// TestPolicyRace: of several administrators who change the version that they saw, one does.
func TestPolicyRace(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for round := range int64(4) {
			var won atomic.Int64
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					_, err := r.ChangePolicy(t.Context(), admin, approval.Policy{Flow: "purchase", Rules: from(1)}, round+1)
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, approval.ErrPolicyChanged) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("round %d: %d won", round, won.Load())
			}
		}
	})
}

func TestPolicyFaults(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	long := strings.Repeat("x", 201)
	source := func(s approval.Source) approval.Policy {
		return approval.Policy{Flow: "f", Steps: []approval.Plan{{Ask: []approval.Source{s}}}}
	}
	for name, c := range map[string]struct {
		p  approval.Policy
		at string // the field; empty: it is good
	}{
		"nothing at all":        {approval.Policy{Flow: "f"}, ""},
		"no flow":               {approval.Policy{}, "flow_type"},
		"a flow of two lines":   {approval.Policy{Flow: "a\nb"}, "flow_type"},
		"a rule without a fact": {approval.Policy{Flow: "f", Rules: approval.Rules{approval.When("").Present().Because("x")}}, "rules"},
		"a rule of another":     {approval.Policy{Flow: "f", Rules: approval.Rules{approval.When("x").Present().Because("x").In("g")}}, "rules[0].flow"},
		"a long reason":         {approval.Policy{Flow: "f", Rules: approval.Rules{approval.When("x").Present().Because(long)}}, "rules[0]"},
		"101 rules":             {approval.Policy{Flow: "f", Rules: slices.Repeat(from(1), 101)}, "rules"},
		"11 steps":              {approval.Policy{Flow: "f", Steps: slices.Repeat([]approval.Plan{plan("", 0, "x")}, 11)}, "steps"},
		"a step of nobody":      {approval.Policy{Flow: "f", Steps: []approval.Plan{{}}}, "steps"},
		"a mode":                {approval.Policy{Flow: "f", Steps: []approval.Plan{plan("some", 0, "x")}}, "steps"},
		"a quorum of 0":         {approval.Policy{Flow: "f", Steps: []approval.Plan{plan(approval.Quorum, 0, "x")}}, "steps"},
		"a quorum of all":       {approval.Policy{Flow: "f", Steps: []approval.Plan{plan(approval.All, 2, "x")}}, "steps"},
		"a long name":           {approval.Policy{Flow: "f", Steps: []approval.Plan{{Name: long, Ask: []approval.Source{approval.Manager()}}}}, "steps"},
		"a type":                {source(approval.Source{Type: "friend", ID: "x"}), "steps"},
		"a manager's id":        {source(approval.Source{Type: approval.FromManager, ID: "x"}), "steps"},
		"level 11":              {source(approval.ManagerAbove(11)), "steps"},
		"level 10":              {source(approval.ManagerAbove(10)), ""},
		"a role without id":     {source(approval.Holders("")), "steps"},
		"a group":               {source(approval.Source{Type: approval.FromGroup, ID: "x"}), ""},
		"a user with a level":   {source(approval.Source{Type: approval.FromUser, ID: "x", Level: 1}), "steps"},
		"before the beginning":  {approval.Policy{Flow: "f", Timeout: -1}, "timeout"},
		"after two years":       {approval.Policy{Flow: "f", RemindBefore: 2 * approval.MaxTimeout}, "remind_before"},
		"a NUL":                 {approval.Policy{Flow: "f", Comment: "\x00"}, "comment"},
	} {
		_, err := r.ChangePolicy(t.Context(), admin, c.p, 0)
		switch {
		case c.at == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.at != "" && (!errors.Is(err, approval.ErrPolicy) || !slices.ContainsFunc(fault.FieldsOf(err), func(f fault.Field) bool { return f.Location == c.at })):
			t.Errorf("%s: %v at %v", name, err, fault.FieldsOf(err))
		}
	}
	for name, by := range map[string]identity.Principal{"anybody": as("manager"), "in somebody's name": as("admin", "admin").For("exec")} {
		if _, err := r.ChangePolicy(t.Context(), by, approval.Policy{Flow: "f"}, 0); !errors.Is(err, approval.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]func() error{
		"policies": func() error { return second(r.Policies(t.Context(), as("manager"))) },
		"version":  func() error { return second(r.PolicyVersion(t.Context(), as("manager"), "f", 0)) },
		"versions": func() error { return second(r.PolicyVersions(t.Context(), as("manager"), "f", page.Request{})) },
	} {
		if err := f(); !errors.Is(err, approval.ErrForbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPreviewForetellsSubmit: for whatever policy, facts and people, the dry run of a draft says what submitting under it
// does.
func TestPreviewForetellsSubmit(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	who := rapid.SampledFrom([]string{"alice", "bob", "exec", "hr", "manager", "mgmt", "nobody"})
	asked, refused := 0, 0
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		draft := approval.Policy{Flow: fmt.Sprint("flow", n), Rules: from(10)}
		for range rapid.IntRange(0, 3).Draw(rt, "steps") {
			p := approval.Plan{Mode: rapid.SampledFrom([]approval.Mode{"", approval.Any, approval.All, approval.Quorum}).Draw(rt, "mode")}
			if p.Mode == approval.Quorum {
				p.Quorum = rapid.IntRange(1, 3).Draw(rt, "quorum")
			}
			for range rapid.IntRange(1, 3).Draw(rt, "sources") {
				p.Ask = append(p.Ask, rapid.OneOf(
					rapid.Just(approval.Manager()), rapid.Just(approval.ManagerAbove(2)), rapid.Just(approval.Holders("mgmt")), rapid.Map(who, approval.User),
				).Draw(rt, "source"))
			}
			draft.Steps = append(draft.Steps, p)
		}
		by, amount := as(who.Draw(rt, "requester")), rapid.IntRange(8, 12).Draw(rt, "amount")
		v, steps, perr := r.Preview(t.Context(), admin, approval.Question{Flow: draft.Flow, Requester: by.Actor, Facts: approval.Facts{"amount": amount}, Draft: &draft})
		if perr != nil && !errors.Is(perr, approval.ErrNoApprover) {
			rt.Fatal(perr)
		}
		r.change(t, draft)
		q, err := r.Submit(t.Context(), by, approval.Submission{Subject: approval.Subject{Kind: "thing", ID: "1"}, Flow: draft.Flow, Facts: approval.Facts{"amount": amount}})
		if !same(perr, err) {
			rt.Fatalf("foretold %v, submitted %v", perr, err)
		}
		if err != nil {
			refused++
			return
		}
		if (q.Status == approval.Pending) != v.Required || !reflect.DeepEqual(q.Reasons, v.Reasons) || !reflect.DeepEqual(q.Explanation, v.Explanation) {
			rt.Fatalf("foretold %+v, submitted %+v", v, q)
		}
		for i := range q.Steps {
			q.Steps[i].OpenedAt, steps[i].OpenedAt = time.Time{}, time.Time{}
		}
		if v.Required && !reflect.DeepEqual(q.Steps, steps) {
			rt.Fatalf("foretold %+v\nsubmitted %+v", steps, q.Steps)
		}
		if v.Required {
			asked++
		}
	})
	if asked == 0 || refused == 0 {
		t.Errorf("%d asked, %d refused: the property says nothing", asked, refused)
	}
}
