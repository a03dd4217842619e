package approval_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

var (
	anyRole   = rapid.SampledFrom([]string{"admin", "mgmt", "lead", "Executive"})
	anyGroup  = rapid.SampledFrom([]string{"mgmt", "board"})
	anyPerson = rapid.SampledFrom([]string{"manager", "manager", "mgmt", "mgmt", "secretary", "alice", "admin"})
	anyStatus = rapid.SampledFrom([]approval.Status{approval.Pending, approval.Approved, approval.Withdrawn})
	anyAction = rapid.SampledFrom([]string{approval.Approve, approval.Reject})
	// Those of the test's guards, and one that nobody knows.
	anyGuard = rapid.SampledFrom([]string{approval.ChatAckCompleted, "other", "broken", "unheard of"})
)

// few draws a short list, most often an empty one.
func few[T any](rt *rapid.T, of *rapid.Generator[T], label string) []T {
	if rapid.IntRange(0, 2).Draw(rt, label+" at all") > 0 {
		return nil
	}
	return rapid.SliceOfN(of, 0, 2).Draw(rt, label)
}

func drawRule(rt *rapid.T, flow string) approval.ActionRule {
	rule := approval.ActionRule{
		Flow: flow, Action: anyAction.Draw(rt, "action of policy"), Priority: rapid.IntRange(-1, 1).Draw(rt, "priority"),
		Actors:        approval.Actors{Roles: few(rt, anyRole, "roles"), Groups: few(rt, anyGroup, "groups"), Users: few(rt, anyPerson, "users")},
		States:        approval.StateConstraints{StatusIn: few(rt, anyStatus, "status in"), StatusNotIn: few(rt, anyStatus, "status not in")},
		RequireReason: rapid.Bool().Draw(rt, "require reason"), Disabled: rapid.IntRange(0, 9).Draw(rt, "disabled") == 0,
	}
	rule.Guards = guarded(rapid.SliceOfN(anyGuard, 0, 3).Draw(rt, "guards")...)
	return rule
}

// TestGoverningIsTheHighestThatApplies: against the definition in other words, and whatever is added below the policy that
// governs changes nothing.
func TestGoverningIsTheHighestThatApplies(t *testing.T) {
	start := time.Date(2030, 1, 15, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		var policies []approval.ActionPolicy
		for i := range rapid.IntRange(0, 6).Draw(rt, "policies") {
			policies = append(policies, approval.ActionPolicy{
				ActionRule: drawRule(rt, rapid.SampledFrom([]string{"booking", "purchase"}).Draw(rt, "flow")), ID: fmt.Sprint("p", i),
				CreatedAt: start.Add(time.Duration(rapid.IntRange(0, 2).Draw(rt, "age")) * time.Hour),
			})
		}
		c := approval.Circumstances{
			Flow: "booking", Action: anyAction.Draw(rt, "action"),
			Status: rapid.SampledFrom([]approval.Status{"", approval.Pending, approval.Approved}).Draw(rt, "status"),
			Users:  few(rt, anyPerson, "who"), Roles: few(rt, anyRole, "their roles"), Groups: few(rt, anyGroup, "their groups"),
		}
		governing, found := approval.Governing(policies, c)
		if found && !governing.Applies(c) {
			rt.Fatalf("%+v does not apply", governing)
		}
		var below []approval.ActionPolicy
		for _, p := range policies {
			if !p.Applies(c) {
				below = append(below, p)
				continue
			}
			if !found {
				rt.Fatalf("%+v applies and does not govern", p)
			}
			above := p.Priority > governing.Priority || p.Priority == governing.Priority &&
				(p.CreatedAt.After(governing.CreatedAt) || p.CreatedAt.Equal(governing.CreatedAt) && p.ID > governing.ID)
			if above {
				rt.Fatalf("%+v stands above %+v", p, governing)
			}
		}
		without, still := approval.Governing(below, c)
		if still {
			rt.Fatalf("%+v applies to nothing and governs", without)
		}
		if !found {
			return
		}
		if alone, _ := approval.Governing([]approval.ActionPolicy{governing}, c); !reflect.DeepEqual(alone, governing) {
			rt.Fatalf("alone %+v, among others %+v", alone, governing)
		}
		lower := approval.ActionPolicy{ActionRule: drawRule(rt, "booking"), ID: "z", CreatedAt: start.Add(99 * time.Hour)}
		lower.Priority = governing.Priority - 1 - rapid.IntRange(0, 9).Draw(rt, "how much lower")
		if with, _ := approval.Governing(append(slices.Clone(policies), lower), c); !reflect.DeepEqual(with, governing) {
			rt.Fatalf("a lower policy governs: %+v", with)
		}
	})
}

// TestEvaluateForetellsAct: over random policies, guards, states of the request, people and reasons, the dry run says what
// Act then does. Neither does a lower policy rescue what the governing one refuses: taking all others away changes
// nothing.
func TestEvaluateForetellsAct(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	acks, other := &switchGuard{}, &switchGuard{}
	r.cfg.Guards = map[string]approval.Guard{
		approval.ChatAckCompleted: acks, "other": other,
		"broken": guardFunc(func(context.Context, approval.Action) ([]approval.Failure, error) { return nil, errors.New("broken") }),
	}
	r.cfg.Policies = anyFlow
	r.cfg.Directory = approvaltest.Company().
		With("manager", func(p *identity.Person) { p.Roles, p.Groups = []string{"lead"}, []string{"board"} }).
		With("exec", func(p *identity.Person) { p.ManagerID = "mgmt" })
	r.Service = r.open(t)
	if _, err := r.NameSubstitute(t.Context(), as("manager"), approval.NewSubstitution{SubstituteID: "secretary"}); err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		flow := fmt.Sprint("flow ", round)
		var stored []approval.ActionPolicy
		for range rapid.IntRange(1, 5).Draw(rt, "policies") {
			stored = append(stored, r.policy(t, drawRule(rt, flow)))
		}
		q := r.submit(t, as(rapid.SampledFrom([]string{"alice", "exec"}).Draw(rt, "requester")), func(s *approval.Submission) { s.Flow = flow })
		for range 4 {
			acks.closed, other.closed = rapid.IntRange(0, 3).Draw(rt, "acks") > 0, rapid.Bool().Draw(rt, "other closed")
			if reason := foretell(t, rt, r, q, stored); reason != "hidden" {
				ends[reason]++
			}
		}
	})
	t.Log(ends)
	for _, reason := range []string{"", "ACTION_POLICY_DENIED"} {
		if ends[reason] == 0 {
			t.Errorf("%q never came: the property says nothing", reason)
		}
	}
}

// foretell lets somebody evaluate a decision and then take it, and returns the reason of the refusal.
func foretell(t *testing.T, rt *rapid.T, r *rig, q approval.Request, stored []approval.ActionPolicy) string {
	t.Helper()
	who := as(anyPerson.Draw(rt, "who"), few(rt, anyRole, "proven roles")...)
	if rapid.IntRange(0, 3).Draw(rt, "for the manager") == 0 {
		who.Subject = "manager"
	}
	d := approval.Decision{Action: anyAction.Draw(rt, "action"), Reason: rapid.SampledFrom([]string{"", " ", "because"}).Draw(rt, "reason")}
	ask := approval.Evaluation{Action: d.Action, Target: q.ID, Reason: d.Reason}
	asker := who
	if !who.IsProxy() && rapid.Bool().Draw(rt, "asked by an administrator") {
		asker, ask.Actor, ask.Roles = admin, who.Actor, append([]string{}, who.Roles...)
	}
	verdict, foretold, err := r.EvaluateAction(t.Context(), asker, ask)
	hidden := errors.Is(err, approval.ErrNotFound)
	if err != nil && !hidden {
		rt.Fatal(err)
	}
	before := len(r.ledger.Lines(t, "audit", "action_policy_override"))
	_, err = r.Act(t.Context(), who, q.ID, d)
	overridden := len(r.ledger.Lines(t, "audit", "action_policy_override")) > before
	if hidden { // those who may not see it cannot decide it either
		if err == nil {
			rt.Fatal("hidden, and yet decided")
		}
		return "hidden"
	}
	if !same(foretold, err) {
		rt.Fatalf("foretold %+v, acted %+v", fault.As(foretold), fault.As(err))
	}
	switch {
	case err == nil && (!verdict.Allowed || verdict.Override != overridden):
		rt.Fatalf("decided, overridden %v, in spite of %+v", overridden, verdict)
	case errors.Is(err, approval.ErrDenied) && (verdict.Allowed || verdict.Reason != approval.GuardFailed || len(verdict.Failures) == 0):
		rt.Fatalf("%v, in spite of %+v", err, verdict)
	case err != nil && overridden:
		rt.Fatalf("%v, and overridden", err)
	}
	if errors.Is(err, approval.ErrDenied) || errors.Is(err, approval.ErrReasonRequired) && verdict.Reason == approval.ReasonRequired {
		off := true
		for _, p := range stored {
			if p.ID != verdict.PolicyID {
				if _, err := r.UpdateActionPolicy(t.Context(), admin, p.ID, 0, approval.ActionPolicyPatch{Disabled: &off}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if _, alone := r.Act(t.Context(), who, q.ID, d); !same(alone, err) {
			rt.Fatalf("among others %v, alone %v", err, alone)
		}
	}
	return fault.ReasonOf(err)
}

// same says whether two refusals tell a client the same.
func same(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	x, y := fault.As(a), fault.As(b)
	return errors.Is(x, y) && x.Message == y.Message && reflect.DeepEqual(x.Details, y.Details)
}

func TestEvaluateActionForWhom(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		p := r.policy(t, approval.ActionRule{
			Action: approval.Approve, Guards: guarded("x"), Actors: approval.Actors{Roles: []string{"Executive"}},
			States: approval.StateConstraints{StatusIn: []approval.Status{approval.Pending}},
		})
		for name, c := range map[string]struct {
			by     identity.Principal
			ask    approval.Evaluation
			want   error
			policy string
		}{
			"an approver":                   {as("manager"), approval.Evaluation{Target: q.ID}, nil, ""},
			"an executive":                  {as("manager", "Executive"), approval.Evaluation{Target: q.ID, Flow: "booking"}, nil, p.ID},
			"the requester":                 {as("alice"), approval.Evaluation{Target: q.ID}, nil, ""},
			"a stranger":                    {as("bob"), approval.Evaluation{Target: q.ID}, approval.ErrNotFound, ""},
			"unknown request":               {admin, approval.Evaluation{Target: "nothing"}, approval.ErrNotFound, ""},
			"another flow":                  {as("manager"), approval.Evaluation{Target: q.ID, Flow: "purchase"}, fault.InvalidField("", ""), ""},
			"for another":                   {as("manager"), approval.Evaluation{Target: q.ID, Actor: "exec"}, approval.ErrForbidden, ""},
			"with roles of one's own":       {as("manager"), approval.Evaluation{Target: q.ID, Roles: []string{"mgmt"}}, approval.ErrForbidden, ""},
			"about nothing":                 {as("manager"), approval.Evaluation{Flow: "booking"}, approval.ErrForbidden, ""},
			"admin for an executive":        {admin, approval.Evaluation{Target: q.ID, Actor: "exec"}, nil, p.ID},
			"admin for one without it":      {admin, approval.Evaluation{Target: q.ID, Actor: "manager"}, nil, ""},
			"admin for one who has it then": {admin, approval.Evaluation{Target: q.ID, Actor: "manager", Roles: []string{"Executive"}}, nil, p.ID},
			"admin with a role":             {admin, approval.Evaluation{Target: q.ID, Roles: []string{"Executive"}}, nil, p.ID},
			"no request":                    {admin, approval.Evaluation{Flow: "booking", Actor: "exec"}, nil, p.ID},
			"no request, pending":           {admin, approval.Evaluation{Flow: "booking", Actor: "exec", Status: approval.Pending}, nil, p.ID},
			"no request, approved":          {admin, approval.Evaluation{Flow: "booking", Actor: "exec", Status: approval.Approved}, nil, ""},
			"no flow":                       {admin, approval.Evaluation{}, fault.InvalidField("", ""), ""},
		} {
			c.ask.Action = approval.Approve
			v, _, err := r.EvaluateAction(t.Context(), c.by, c.ask)
			if c.want != nil {
				if !errors.Is(err, c.want) {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if err != nil || v.PolicyID != c.policy || v.Allowed != (c.policy == "") {
				t.Errorf("%s: %+v, %v", name, v, err)
			}
		}
	})
}
