package approval_test

import (
	"context"
	"errors"
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

// stand lets the second decide in the place of the first, from now on.
func (r *rig) stand(tb testing.TB, approver, substitute string, change ...func(*approval.NewSubstitution)) approval.Substitution {
	tb.Helper()
	in := approval.NewSubstitution{SubstituteID: substitute}
	for _, f := range change {
		f(&in)
	}
	made, err := r.NameSubstitute(tb.Context(), as(approver), in)
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

// TestSubstitutes: a substitute is told, sees it, decides it, and both names are kept; either of the two may decide, once.
func TestSubstitutes(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.stand(t, "manager", "hr")
		q, other := r.submit(t, as("alice")), r.submit(t, as("alice"))
		if told := r.ledger.Told(t, approval.TemplateRequested); !slices.Equal(told, []string{"manager", "hr", "manager", "hr"}) {
			t.Errorf("told %v", told)
		}
		if said := r.says(t, q, "hr", "manager"); !slices.Equal(said, []string{"approved", "already_decided"}) {
			t.Errorf("%v", said)
		}
		d := r.get(t, q).Steps[0].Decisions
		if len(d) != 1 || d[0].By != "hr" || d[0].For != "manager" {
			t.Errorf("%+v", d)
		}
		if lines := r.ledger.Lines(t, "audit", "approval_approve"); len(lines) != 1 || lines[0].Who != "hr" || !strings.Contains(lines[0].Body, `"substituteFor":"manager"`) {
			t.Errorf("%+v", lines)
		}
		if _, err := r.Get(t.Context(), as("hr"), q.ID); err != nil {
			t.Errorf("who decided it does not see it any more: %v", err)
		}
		if said := r.says(t, other, "manager", "hr"); !slices.Equal(said, []string{"approved", "already_decided"}) {
			t.Errorf("%v", said)
		}
	})
}

// TestSubstitutesList: a substitute finds what they may decide in the approver's place, and nothing else of the approver's:
// no request that has ended, none of their own or of whom they act for, and none that has their word already.
func TestSubstitutesList(t *testing.T) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		r := newRig(t, db, func(c *approval.Config) {
			c.Delegates = func(_ context.Context, _ identity.TenantID, person string) ([]string, error) {
				return map[string][]string{"alice": {"hr"}}[person], nil
			}
			c.Steps = map[string][]approval.Plan{"both": {{Mode: approval.All, Ask: []approval.Source{approval.User("manager"), approval.User("hr")}}}}
			c.Policies = append(approval.DefaultRules(), approval.When("attendees").Present().Because("attendees").In("both"))
		})
		ended := r.submit(t, as("bob"))
		if said := r.says(t, ended, "manager"); !slices.Equal(said, []string{"approved"}) {
			t.Fatal(said)
		}
		r.stand(t, "manager", "hr")
		r.stand(t, "manager", "bob")
		alices := r.submit(t, as("alice"))
		bobs := r.submit(t, as("bob"))
		both := r.submit(t, as("mgmt"), func(s *approval.Submission) { s.Flow = "both" })
		if said := r.says(t, both, "hr"); !slices.Equal(said, []string{"pending"}) {
			t.Fatal(said)
		}
		for _, c := range []struct {
			who    string
			status approval.Status
			want   []string
		}{
			{"hr", approval.Pending, []string{bobs.ID}},
			{"hr", "", []string{both.ID, bobs.ID}},
			{"hr", approval.Approved, []string{}},
			{"bob", approval.Pending, []string{both.ID, alices.ID}},
		} {
			got := []string{}
			p, err := r.List(t.Context(), as(c.who), approval.AsApprover, c.status, page.Request{})
			for _, q := range p.Items {
				got = append(got, q.ID)
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s, %q: %v, want %v, %v", c.who, c.status, got, c.want, err)
			}
		}
	})
}

// TestSubstitutionPassesOn: through substitutes of substitutes, nearest first, through rings, and never through somebody
// who counts as the requester.
func TestSubstitutionPassesOn(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for _, pair := range []string{"manager hr", "hr bob", "bob mgmt", "mgmt manager", "mgmt hr"} { // with two rings
			approver, substitute, _ := strings.Cut(pair, " ")
			r.stand(t, approver, substitute)
		}
		if got, err := r.StandIns(t.Context(), "acme", "manager"); err != nil || !slices.Equal(got, []string{"hr", "bob", "mgmt"}) {
			t.Errorf("%v, %v", got, err)
		}
		if said := r.says(t, r.submit(t, as("alice")), "admin", "mgmt"); !slices.Equal(said, []string{"not_approver", "approved"}) {
			t.Errorf("%v", said)
		}
		// hr is bob's own way to mgmt: a substitute of bob's would be of his choice.
		byBob := r.submit(t, as("bob"))
		if said := r.says(t, byBob, "bob", "mgmt", "hr"); !slices.Equal(said, []string{"self_approval", "not_approver", "approved"}) {
			t.Errorf("passing through the requester: %v", said)
		}
		// Nor is somebody heard who has acted for another approver, not even through a substitute of theirs.
		r.chained(t, plan(approval.All, 0, "manager", "hr"))
		if said := r.says(t, r.submit(t, as("alice")), "hr>manager", "hr", "bob"); !slices.Equal(said, []string{"pending", "already_decided", "already_decided"}) {
			t.Errorf("%v", said)
		}
		// Two words of a step cannot come from one person, whomever they stand in for.
		r.chained(t, plan(approval.All, 0, "manager", "exec"))
		r.stand(t, "exec", "hr")
		both := r.submit(t, as("alice"))
		if said := r.says(t, both, "hr", "hr", "exec"); !slices.Equal(said, []string{"pending", "already_decided", "approved"}) {
			t.Errorf("%v", said)
		}
	})
}

// TestSubstitutionWindow: it holds from its beginning to just before its end, by the store's clock.
func TestSubstitutionWindow(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		clock := &fixedClock{Store: r.cfg.Store, at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
		r.cfg.Store = clock
		r.Service = r.open(t)
		from, until := clock.at.Add(time.Hour), clock.at.Add(2*time.Hour)
		r.stand(t, "manager", "hr", func(in *approval.NewSubstitution) {
			in.From, in.Until = from.In(time.FixedZone("", 9*3600)).Add(100*time.Nanosecond), until
		})
		q := r.submit(t, as("alice"))
		for at, want := range map[time.Time]error{
			from.Add(-time.Microsecond): approval.ErrNotApprover, from: nil, until.Add(-time.Microsecond): nil, until: approval.ErrNotApprover,
		} {
			clock.at = at
			if err := r.Simulate(t.Context(), as("hr"), q.ID, approve); !errors.Is(err, want) {
				t.Errorf("at %v: %v", at, err)
			}
		}
	})
}

// TestOnLeaveWithSubstitute: who is on leave is asked all the same when somebody is there in their place, and else not.
func TestOnLeaveWithSubstitute(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		sub := r.stand(t, "manager", "hr")
		r.cfg.Directory = approvaltest.Company().With("manager", func(p *identity.Person) { p.OnLeave = true })
		r.Service = r.open(t)
		q := r.submit(t, as("alice"))
		if !slices.Equal(q.Approvers(), []string{"manager"}) || !strings.Contains(q.Steps[0].Why[0], "on leave, with a substitute") {
			t.Errorf("%+v", q.Steps)
		}
		if said := r.says(t, q, "hr"); !slices.Equal(said, []string{"approved"}) {
			t.Errorf("%v", said)
		}
		if err := r.EndSubstitute(t.Context(), as("manager"), sub.ID); err != nil {
			t.Fatal(err)
		}
		if q := r.submit(t, as("alice")); !slices.Equal(q.Approvers(), []string{"exec"}) {
			t.Errorf("%+v", q.Steps)
		}
		// A substitute who takes part in the request is none.
		r.stand(t, "manager", "alice")
		if q := r.submit(t, as("alice")); !slices.Equal(q.Approvers(), []string{"exec"}) {
			t.Errorf("%+v", q.Steps)
		}
	})
}

// TestWhoNamesSubstitutes: the approver themselves or an administrator, and nobody in somebody's name.
func TestWhoNamesSubstitutes(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		now := time.Now()
		invalid := fault.New(fault.Invalid, "invalid_input", "")
		for name, c := range map[string]struct {
			by   identity.Principal
			in   approval.NewSubstitution
			want error
		}{
			"themselves":          {as("manager"), approval.NewSubstitution{SubstituteID: "hr"}, nil},
			"an administrator":    {as("mgmt", "mgmt"), approval.NewSubstitution{ApproverID: "manager", SubstituteID: "hr"}, nil},
			"somebody else":       {as("bob"), approval.NewSubstitution{ApproverID: "manager", SubstituteID: "bob"}, approval.ErrNotOwnSubstitute},
			"their secretary":     {as("secretary").For("manager"), approval.NewSubstitution{SubstituteID: "secretary"}, approval.ErrNotOwnSubstitute},
			"an acting admin":     {as("admin", "admin").For("manager"), approval.NewSubstitution{ApproverID: "manager", SubstituteID: "hr"}, approval.ErrNotOwnSubstitute},
			"themselves as such":  {as("manager"), approval.NewSubstitution{SubstituteID: "manager"}, invalid},
			"nobody":              {as("manager"), approval.NewSubstitution{}, invalid},
			"a stranger":          {as("manager"), approval.NewSubstitution{SubstituteID: "x"}, invalid},
			"a NUL":               {as("manager"), approval.NewSubstitution{SubstituteID: "h\x00r"}, invalid},
			"over already":        {as("manager"), approval.NewSubstitution{SubstituteID: "hr", From: now.Add(-2 * time.Hour), Until: now.Add(-time.Hour)}, invalid},
			"the wrong way round": {as("manager"), approval.NewSubstitution{SubstituteID: "hr", From: now.Add(2 * time.Hour), Until: now.Add(time.Hour)}, invalid},
			"in the year 3000":    {as("manager"), approval.NewSubstitution{SubstituteID: "hr", Until: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}, invalid},
		} {
			if _, err := r.NameSubstitute(t.Context(), c.by, c.in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		p, err := r.Substitutions(t.Context(), as("hr"), "", page.Request{})
		if err != nil || len(p.Items) != 2 {
			t.Fatalf("%+v, %v", p, err)
		}
		id := p.Items[0].ID
		for name, c := range map[string]struct {
			by   identity.Principal
			want error
		}{
			"the substitute": {as("hr"), approval.ErrNotOwnSubstitute}, "a stranger": {as("bob"), approval.ErrNoSubstitution},
			"in their name": {as("secretary").For("manager"), approval.ErrNotOwnSubstitute}, "an acting admin": {as("admin", "admin").For("bob"), approval.ErrNoSubstitution},
			"another tenant": {identity.Principal{Tenant: "other", Actor: "manager"}, approval.ErrNoSubstitution}, "the approver": {as("manager"), nil}, "an administrator": {as("admin", "admin"), nil},
		} {
			if err := r.EndSubstitute(t.Context(), c.by, id); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n, m := len(r.ledger.Lines(t, "audit", approval.ActionSubstituteNamed)), len(r.ledger.Lines(t, "audit", approval.ActionSubstituteEnded)); n != 2 || m != 1 {
			t.Errorf("%d named and %d ended in the audit trail", n, m)
		}
		if _, err := r.Substitutions(t.Context(), as("bob"), "hr", page.Request{}); !errors.Is(err, approval.ErrNotOwnSubstitute) {
			t.Errorf("somebody else's: %v", err)
		}
	})
}
