package approval_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// switchGuard fails while it is closed.
type switchGuard struct{ closed bool }

func (g *switchGuard) Check(context.Context, approval.Action) ([]approval.Failure, error) {
	if g.closed {
		return []approval.Failure{{Type: "whatever", Reason: "closed"}}, nil
	}
	return nil, nil
}

type guardFunc func(ctx context.Context, a approval.Action) ([]approval.Failure, error)

func (f guardFunc) Check(ctx context.Context, a approval.Action) ([]approval.Failure, error) {
	return f(ctx, a)
}

func guarded(types ...string) []approval.GuardSpec {
	specs := []approval.GuardSpec{}
	for _, name := range types {
		specs = append(specs, approval.GuardSpec{Type: name})
	}
	return specs
}

var (
	admin = as("admin", "admin")
	// anyFlow wants consent in whatever flow, so that a case of a table has one of its own.
	anyFlow = approval.Rules{approval.When("attendees").AtLeast(1).Because("attendees")}
)

// policy stores an action policy, of bookings unless it says otherwise.
func (r *rig) policy(tb testing.TB, rule approval.ActionRule) approval.ActionPolicy {
	tb.Helper()
	if rule.Flow == "" {
		rule.Flow = approval.BookingFlow
	}
	p, err := r.CreateActionPolicy(tb.Context(), admin, rule)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// failures writes down the failures in a refusal.
func failures(err error) string {
	f := fault.As(err)
	if f == nil {
		return fmt.Sprint(err)
	}
	found, _ := f.Details["guardFailures"].([]approval.Failure)
	text := []string{}
	for _, f := range found {
		text = append(text, f.Type+" "+f.Reason)
	}
	return strings.Join(text, ", ")
}

func TestAllGuardsAreAskedAndAllFailuresTold(t *testing.T) {
	broken := errors.New("broken")
	var seen approval.Action
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Guards = map[string]approval.Guard{
			"two": guardFunc(func(_ context.Context, a approval.Action) ([]approval.Failure, error) {
				seen = a
				return []approval.Failure{{Type: "posing as another", Reason: "first"}, {Reason: "second", Details: map[string]any{"n": 1}}}, nil
			}),
			"broken": guardFunc(func(context.Context, approval.Action) ([]approval.Failure, error) { return nil, broken }),
			"busy": guardFunc(func(context.Context, approval.Action) ([]approval.Failure, error) {
				return nil, fault.New(fault.Unavailable, "try_again", "")
			}),
			"fine": &switchGuard{},
		}
		r.Service = r.open(t)
		p := r.policy(t, approval.ActionRule{Action: approval.Approve, Guards: guarded("two", "fine", "missing", "broken", "two")})
		busy := r.policy(t, approval.ActionRule{Action: approval.Reject, Guards: guarded("busy")})
		q := r.submit(t, as("alice"))
		_, err := r.Act(t.Context(), as("manager"), q.ID, approval.Decision{Action: approval.Approve, Reason: "please"})
		if !errors.Is(err, approval.ErrDenied) || !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if got := failures(err); got != "two first, two second, missing unknown_guard_type, broken guard_error" {
			t.Errorf("failures %s", got)
		}
		if d := fault.As(err).Details; d["reason"] != approval.GuardFailed || d["matchedPolicyId"] != p.ID {
			t.Errorf("details %v", d)
		}
		if seen.Key != approval.Approve || seen.Flow != "booking" || seen.Request.ID != q.ID || seen.By.Actor != "manager" || seen.For != "manager" || seen.Reason != "please" {
			t.Errorf("the guard saw %+v", seen)
		}
		reject := approval.Decision{Action: approval.Reject, Reason: "no"}
		if _, err := r.Act(t.Context(), as("manager"), q.ID, reject); fault.CodeOf(err) != fault.Unavailable {
			t.Errorf("a busy guard: %v", err)
		}
		// Whoever looks at it, sees what an approver would meet.
		for _, who := range []string{"manager", "alice"} {
			states, err := r.GuardStates(t.Context(), as(who), q)
			if err != nil || len(states) != 5 || states[0].Passed || !states[1].Passed || states[0].PolicyID != p.ID || states[4].PolicyID != busy.ID {
				t.Errorf("states %+v, %v", states, err)
			}
		}
		off := true
		if _, err := r.UpdateActionPolicy(t.Context(), admin, busy.ID, busy.Version, approval.ActionPolicyPatch{Disabled: &off}); err != nil {
			t.Fatal(err)
		}
		done, err := r.Act(t.Context(), as("manager"), q.ID, reject)
		if err != nil {
			t.Fatal(err)
		}
		if states, err := r.GuardStates(t.Context(), as("manager"), done); err != nil || len(states) != 0 {
			t.Errorf("guards of a decided request: %+v, %v", states, err)
		}
	})
}

// TestWhichPolicyGoverns is the table of matching: each policy that is given refuses by a guard of its own name.
func TestWhichPolicyGoverns(t *testing.T) {
	on := func(change ...func(*approval.ActionRule)) approval.ActionRule {
		r := approval.ActionRule{Action: approval.Approve}
		for _, f := range change {
			f(&r)
		}
		return r
	}
	priority := func(n int) func(*approval.ActionRule) { return func(r *approval.ActionRule) { r.Priority = n } }
	actors := func(a approval.Actors) func(*approval.ActionRule) {
		return func(r *approval.ActionRule) { r.Actors = a }
	}
	states := func(in, notIn []approval.Status) func(*approval.ActionRule) {
		return func(r *approval.ActionRule) { r.States = approval.StateConstraints{StatusIn: in, StatusNotIn: notIn} }
	}
	free := func(r *approval.ActionRule) { r.RequireReason = true } // it is met without a guard: the decision gives a reason
	off := func(r *approval.ActionRule) { r.Disabled = true }
	pending, ended := []approval.Status{approval.Pending}, []approval.Status{approval.Approved, approval.Rejected}
	cases := map[string]struct {
		rules []approval.ActionRule
		by    identity.Principal
		want  string // the policy that refuses, "p<index>"; empty: it is decided
	}{
		"none":                        {nil, as("manager"), ""},
		"one":                         {[]approval.ActionRule{on()}, as("manager"), "p0"},
		"disabled":                    {[]approval.ActionRule{on(off)}, as("manager"), ""},
		"another action":              {[]approval.ActionRule{{Action: approval.Reject}}, as("manager"), ""},
		"another flow":                {[]approval.ActionRule{{Flow: "elsewhere", Action: approval.Approve}}, as("manager"), ""},
		"highest priority":            {[]approval.ActionRule{on(priority(1)), on(priority(2)), on(priority(-3))}, as("manager"), "p1"},
		"of equals the newest":        {[]approval.ActionRule{on(), on(), on(priority(-1))}, as("manager"), "p1"},
		"a lower one rescues nothing": {[]approval.ActionRule{on(free), on(priority(1))}, as("manager"), "p1"},
		"a lower one spoils nothing":  {[]approval.ActionRule{on(), on(priority(1), free)}, as("manager"), ""},
		"a disabled one hides none":   {[]approval.ActionRule{on(), on(priority(1), off)}, as("manager"), "p0"},
		"in this state":               {[]approval.ActionRule{on(states(pending, nil))}, as("manager"), "p0"},
		"in another state":            {[]approval.ActionRule{on(states(ended, nil))}, as("manager"), ""},
		"not in this state":           {[]approval.ActionRule{on(states(nil, pending))}, as("manager"), ""},
		"not in another state":        {[]approval.ActionRule{on(states(nil, ended))}, as("manager"), "p0"},
		"a state ruled out":           {[]approval.ActionRule{on(states(pending, pending))}, as("manager"), ""},
		"the next one may apply":      {[]approval.ActionRule{on(), on(priority(1), states(ended, nil))}, as("manager"), "p0"},
		"this person":                 {[]approval.ActionRule{on(actors(approval.Actors{Users: []string{"bob", "manager"}}))}, as("manager"), "p0"},
		"another person":              {[]approval.ActionRule{on(actors(approval.Actors{Users: []string{"bob"}}))}, as("manager"), ""},
		"in this person's name":       {[]approval.ActionRule{on(actors(approval.Actors{Users: []string{"manager"}}))}, as("secretary").For("manager"), "p0"},
		"this person for another":     {[]approval.ActionRule{on(actors(approval.Actors{Users: []string{"secretary"}}))}, as("secretary").For("manager"), "p0"},
		"a proven role":               {[]approval.ActionRule{on(actors(approval.Actors{Roles: []string{"chief"}}))}, as("manager", "chief"), "p0"},
		"a role of the directory":     {[]approval.ActionRule{on(actors(approval.Actors{Roles: []string{"lead"}}))}, as("manager"), "p0"},
		"another role":                {[]approval.ActionRule{on(actors(approval.Actors{Roles: []string{"mgmt"}}))}, as("manager"), ""},
		"a group":                     {[]approval.ActionRule{on(actors(approval.Actors{Groups: []string{"leads"}}))}, as("manager"), "p0"},
		"another group":               {[]approval.ActionRule{on(actors(approval.Actors{Groups: []string{"lead"}}))}, as("manager"), ""},
		"any of them":                 {[]approval.ActionRule{on(actors(approval.Actors{Groups: []string{"x"}, Users: []string{"y"}, Roles: []string{"lead"}}))}, as("manager"), "p0"},
	}
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Directory = approvaltest.Company().With("manager", func(p *identity.Person) { p.Roles, p.Groups = []string{"lead"}, []string{"leads"} })
		r.cfg.Policies = anyFlow
		r.Service = r.open(t)
		for name, c := range cases {
			for i, rule := range c.rules {
				if !rule.RequireReason {
					rule.Guards = guarded(fmt.Sprint("p", i)) // which nobody knows
				}
				if rule.Flow == "" {
					rule.Flow = name
				}
				r.policy(t, rule)
			}
			q := r.submit(t, as("alice"), func(s *approval.Submission) { s.Flow = name })
			_, err := r.Act(t.Context(), c.by, q.ID, approval.Decision{Action: approval.Approve, Reason: "fine"})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s: refused: %v", name, err)
			case c.want != "" && (!errors.Is(err, approval.ErrDenied) || failures(err) != c.want+" unknown_guard_type"):
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestReasonAndOverride(t *testing.T) {
	cases := map[string]struct {
		guards  []string // "busy" fails to answer, "other" and chat_ack_completed fail
		reason  bool     // the policy requires one
		roles   []string
		given   string
		want    error
		replied string // failures in the refusal
		over    bool
	}{
		"no guard, no reason":              {nil, false, nil, "", nil, "", false},
		"reason required":                  {nil, true, nil, " \n", approval.ErrReasonRequired, "", false},
		"reason given":                     {nil, true, nil, "because", nil, "", false},
		"reason required of an admin":      {nil, true, []string{"admin"}, "", approval.ErrReasonRequired, "", false},
		"no override by nobody":            {[]string{"chat_ack_completed"}, false, nil, "because", approval.ErrDenied, "chat_ack_completed closed", false},
		"nor by another role":              {[]string{"chat_ack_completed"}, false, []string{"Executive"}, "because", approval.ErrDenied, "chat_ack_completed closed", false},
		"denied before a reason is wanted": {[]string{"chat_ack_completed"}, true, nil, "", approval.ErrDenied, "chat_ack_completed closed", false},
		"an admin says why":                {[]string{"chat_ack_completed"}, false, []string{"admin"}, "because", nil, "", true},
		"mgmt says why":                    {[]string{"chat_ack_completed"}, false, []string{"mgmt"}, "because", nil, "", true},
		"both for one reason":              {[]string{"chat_ack_completed"}, true, []string{"mgmt"}, "because", nil, "", true},
		"mgmt says nothing":                {[]string{"chat_ack_completed"}, false, []string{"mgmt"}, "", approval.ErrReasonRequired, "chat_ack_completed closed", false},
		"another guard, too": {
			[]string{"chat_ack_completed", "other"}, false, []string{"mgmt", "admin"}, "because", approval.ErrDenied, "chat_ack_completed closed, other closed", false,
		},
		"another guard":    {[]string{"other"}, false, []string{"mgmt"}, "because", approval.ErrDenied, "other closed", false},
		"an unknown guard": {[]string{"chat_ack"}, false, []string{"mgmt"}, "because", approval.ErrDenied, "chat_ack unknown_guard_type", false},
		"a passing guard":  {[]string{"open"}, false, []string{"mgmt"}, "", nil, "", false},
	}
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		followed := &followers{}
		r.cfg.Follower, r.cfg.Policies = followed, anyFlow
		r.cfg.Guards = map[string]approval.Guard{
			"chat_ack_completed": &switchGuard{closed: true}, "other": &switchGuard{closed: true}, "open": &switchGuard{},
		}
		r.Service = r.open(t)
		overrides := 0
		for name, c := range cases {
			p := r.policy(t, approval.ActionRule{Flow: name, Action: approval.Approve, RequireReason: c.reason, Guards: guarded(c.guards...)})
			q := r.submit(t, as("exec"), func(s *approval.Submission) { s.Flow = name }) // whom mgmt decides on
			followed.actions = nil
			_, err := r.Act(t.Context(), as("mgmt", c.roles...), q.ID, approval.Decision{Action: approval.Approve, Reason: c.given})
			if !errors.Is(err, c.want) || err != nil && failures(err) != c.replied {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if err != nil {
				if got := r.get(t, q); !reflect.DeepEqual(got, q) || len(followed.actions) != 0 {
					t.Errorf("%s: a refusal changed it: %+v, followed by %v", name, got, followed.actions)
				}
			} else if len(followed.actions) != 1 || followed.actions[0].Request.Status != approval.Approved || followed.actions[0].Key != approval.Approve {
				t.Errorf("%s: followed %+v", name, followed.actions)
			}
			if c.over {
				overrides++
			}
			entries, told := r.ledger.Lines(t, "audit", "action_policy_override"), r.ledger.Told(t, approval.TemplateOverridden)
			if len(entries) != overrides || len(told) != overrides || slices.ContainsFunc(told, func(who string) bool { return who != "admin" }) {
				t.Fatalf("%s: audit %v, told %v", name, entries, told)
			}
			if !c.over {
				continue
			}
			for _, part := range []string{
				`"flowType":"` + name + `"`, `"actionKey":"approve"`, `"matchedPolicyId":"` + p.ID + `"`, `"guardOverride":true`,
				`"guardFailures":[{"type":"chat_ack_completed","reason":"closed"}]`, `"Reason":"because"`, `"TargetID":"` + q.ID + `"`,
			} {
				if body := entries[overrides-1].Body; !strings.Contains(body, part) {
					t.Errorf("%s: %s is not in %s", name, part, body)
				}
			}
		}
	})
}

// followers remembers what it is told, and can refuse.
type followers struct {
	actions []approval.Action
	refuses error
}

func (f *followers) Acted(_ context.Context, a approval.Action) error {
	if f.refuses == nil {
		f.actions = append(f.actions, a)
	}
	return f.refuses
}

func TestAFollowerCanTakeTheDecisionBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		broken := errors.New("broken")
		f := &followers{refuses: broken}
		r.cfg.Follower = f
		r.Service = r.open(t)
		q := r.submit(t, as("alice"))
		if _, err := r.Act(t.Context(), as("manager"), q.ID, approve); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if got := r.get(t, q); !reflect.DeepEqual(got, q) || len(r.ledger.Told(t, approval.TemplateApproved)) != 0 {
			t.Errorf("half decided: %+v", got)
		}
		f.refuses = nil
		// Neither a withdrawal nor a time-out is a decision.
		if _, err := r.Withdraw(t.Context(), as("alice"), q.ID, "moot"); err != nil {
			t.Fatal(err)
		}
		late := r.submit(t, as("alice"))
		r.db.AdvanceClock(49 * time.Hour)
		if _, err := r.Act(t.Context(), as("manager"), late.ID, approve); !errors.Is(err, approval.ErrExpired) {
			t.Error(err)
		}
		if len(f.actions) != 0 {
			t.Errorf("followed %+v", f.actions)
		}
	})
}

// TestNoReasonOverridesTheRest: what is no guard stays closed to administrators.
func TestNoReasonOverridesTheRest(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Guards = map[string]approval.Guard{"chat_ack_completed": &switchGuard{closed: true}}
		r.cfg.Directory = approvaltest.Company().With("bob", func(p *identity.Person) { p.Groups = []string{"mgmt"} })
		r.Service = r.open(t)
		r.policy(t, approval.ActionRule{Action: approval.Approve, Guards: guarded("chat_ack_completed")})
		because := approval.Decision{Action: approval.Approve, Reason: "because"}
		q, own := r.submit(t, as("exec")), r.submit(t, as("mgmt", "mgmt"), func(s *approval.Submission) { s.Requester = "exec" })
		if _, err := r.Act(t.Context(), admin, q.ID, because); !errors.Is(err, approval.ErrNotApprover) {
			t.Errorf("an administrator who is not asked: %v", err)
		}
		if _, err := r.Act(t.Context(), as("mgmt", "mgmt"), own.ID, because); !errors.Is(err, approval.ErrSelfApproval) {
			t.Errorf("their own: %v", err)
		}
		r.db.AdvanceClock(49 * time.Hour)
		if _, err := r.Act(t.Context(), as("mgmt", "mgmt"), q.ID, because); !errors.Is(err, approval.ErrExpired) {
			t.Errorf("after the deadline: %v", err)
		}
		if n := len(r.ledger.Lines(t, "audit", "action_policy_override")); n != 0 {
			t.Errorf("%d overrides", n)
		}
	})
}

func TestAuditors(t *testing.T) {
	in := func(group string) func(*identity.Person) {
		return func(p *identity.Person) { p.Groups = append(p.Groups, group) }
	}
	for name, c := range map[string]struct {
		people approvaltest.People
		group  string
		want   []string
	}{
		"the group":             {approvaltest.Company().With("hr", in("auditors")).With("bob", in("auditors")), "", []string{"bob", "hr"}},
		"another group":         {approvaltest.Company().With("hr", in("auditors")).With("bob", in("watch")), "watch", []string{"bob"}},
		"none: administrators":  {approvaltest.Company(), "", []string{"admin"}},
		"the one who did it":    {approvaltest.Company().With("mgmt", in("auditors")), "", []string{"admin"}},
		"no administrator else": {approvaltest.Company().With("admin", func(p *identity.Person) { p.Active = false }).With("bob", in("mgmt")), "", []string{"bob"}},
		"nobody":                {approvaltest.Company().With("admin", func(p *identity.Person) { p.Active = false }), "", []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sqldbtest.SQLite(t, migrations...), func(cfg *approval.Config) {
				cfg.Directory, cfg.Auditors = c.people, c.group
				cfg.Guards = map[string]approval.Guard{"chat_ack_completed": &switchGuard{closed: true}}
			})
			r.policy(t, approval.ActionRule{Action: approval.Approve, Guards: guarded("chat_ack_completed")})
			q := r.submit(t, as("exec"))
			if _, err := r.Act(t.Context(), as("mgmt", "mgmt"), q.ID, approval.Decision{Action: approval.Approve, Reason: "because"}); err != nil {
				t.Fatal(err)
			}
			if told := r.ledger.Told(t, approval.TemplateOverridden); !slices.Equal(told, c.want) {
				t.Errorf("told %v", told)
			}
		})
	}
}

func TestKeepingActionPolicies(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		rule := approval.ActionRule{Flow: "booking", Action: approval.Approve, Guards: guarded("chat_ack_completed")}
		for _, by := range []identity.Principal{as("manager"), as("exec", "Executive"), admin.For("mgmt")} {
			_, create := r.CreateActionPolicy(t.Context(), by, rule)
			_, update := r.UpdateActionPolicy(t.Context(), by, "x", 0, approval.ActionPolicyPatch{})
			_, get := r.ActionPolicy(t.Context(), by, "x")
			_, list := r.ActionPolicies(t.Context(), by, approval.ActionPolicyFilter{}, page.Request{})
			for _, err := range []error{create, update, get, list} {
				if !errors.Is(err, approval.ErrForbidden) {
					t.Errorf("%+v: %v", by, err)
				}
			}
		}
		p, err := r.CreateActionPolicy(t.Context(), as("mgmt", "mgmt"), rule)
		if err != nil || p.Version != 1 || p.CreatedBy != "mgmt" || p.CreatedAt.IsZero() {
			t.Fatalf("%+v, %v", p, err)
		}
		five := 5
		q, err := r.UpdateActionPolicy(t.Context(), admin, p.ID, 1, approval.ActionPolicyPatch{Priority: &five})
		if err != nil || q.Version != 2 || q.Priority != 5 || q.UpdatedBy != "admin" || q.CreatedBy != "mgmt" || !slices.Equal(q.Guards, p.Guards) {
			t.Fatalf("%+v, %v", q, err)
		}
		if got, err := r.ActionPolicy(t.Context(), admin, p.ID); err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("stored %+v, %v", got, err)
		}
		if _, err := r.UpdateActionPolicy(t.Context(), admin, p.ID, 1, approval.ActionPolicyPatch{Priority: &five}); !errors.Is(err, approval.ErrActionPolicyChanged) {
			t.Errorf("at an old version: %v", err)
		}
		if _, err := r.UpdateActionPolicy(t.Context(), admin, "nothing", 0, approval.ActionPolicyPatch{}); !errors.Is(err, approval.ErrNoActionPolicy) {
			t.Errorf("unknown: %v", err)
		}
		typo := "aprove"
		if _, err := r.UpdateActionPolicy(t.Context(), admin, p.ID, 0, approval.ActionPolicyPatch{Action: &typo}); len(fault.FieldsOf(err)) != 1 {
			t.Errorf("a typo: %v", err)
		}
		bad := approval.ActionRule{
			Flow: "a\nb", Action: "submit", Priority: 1 << 40, Guards: guarded("", strings.Repeat("x", 201)),
			Actors: approval.Actors{Roles: []string{""}, Users: []string{"a\x00"}}, States: approval.StateConstraints{StatusIn: []approval.Status{"PENDING"}},
		}
		_, err = r.CreateActionPolicy(t.Context(), admin, bad)
		var places []string
		for _, f := range fault.FieldsOf(err) {
			places = append(places, f.Location)
		}
		want := []string{
			"flow_type", "action_key", "priority", "subjects.roles[0]", "subjects.users[0]", "state_constraints.statusIn[0]", "guards[0].type", "guards[1].type",
		}
		if !slices.Equal(places, want) {
			t.Errorf("bad fields %v", places)
		}
		created, updated := r.ledger.Lines(t, "audit", "action_policy_created"), r.ledger.Lines(t, "audit", "action_policy_updated")
		if len(created) != 1 || created[0].Target != "action_policies/"+p.ID || len(updated) != 1 {
			t.Fatalf("audit %v %v", created, updated)
		}
		if body := updated[0].Body; !strings.Contains(body, `"before":{`) || !strings.Contains(body, `"priority":5`) || !strings.Contains(body, `"priority":0`) {
			t.Errorf("audited as %s", body)
		}
	})
}

// TestConcurrentChangesOfAPolicy: of several changes of one version, one is made.
func TestConcurrentChangesOfAPolicy(t *testing.T) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		r := newRig(t, db)
		p := r.policy(t, approval.ActionRule{Action: approval.Approve})
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() {
				_, err := r.UpdateActionPolicy(t.Context(), admin, p.ID, p.Version, approval.ActionPolicyPatch{Priority: &i})
				errs <- err
			}()
		}
		made := 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				made++
			case !errors.Is(err, approval.ErrActionPolicyChanged):
				t.Error(err)
			}
		}
		if made != 1 {
			t.Errorf("%d made", made)
		}
	})
}
