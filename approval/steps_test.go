package approval_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

// chained gives the flow of the rig's requests these steps.
func (r *rig) chained(tb testing.TB, steps ...approval.Plan) {
	tb.Helper()
	r.cfg.Steps = map[string][]approval.Plan{approval.BookingFlow: steps}
	r.Service = r.open(tb)
}

// says lets people decide one after the other and returns what became of it: "approved" and such, or the reason of the
// refusal. "bob:no" rejects, "bob>alice" acts for alice.
func (r *rig) says(tb testing.TB, q approval.Request, who ...string) []string {
	tb.Helper()
	said := []string{}
	for _, w := range who {
		name, no := strings.CutSuffix(w, ":no")
		d := approve
		if no {
			d = approval.Decision{Action: approval.Reject, Reason: "no"}
		}
		actor, subject, _ := strings.Cut(name, ">")
		by := as(actor)
		by.Subject = subject
		foretold := r.Simulate(tb.Context(), by, q.ID, d)
		then, err := r.Act(tb.Context(), by, q.ID, d)
		if !same(foretold, err) {
			tb.Errorf("%s: foretold %v, acted %v", w, foretold, err)
		}
		if err != nil {
			said = append(said, fault.ReasonOf(err))
			continue
		}
		said = append(said, string(then.Status))
	}
	return said
}

func plan(mode approval.Mode, quorum int, who ...string) approval.Plan {
	p := approval.Plan{Mode: mode, Quorum: quorum}
	for _, id := range who {
		p.Ask = append(p.Ask, approval.User(id))
	}
	return p
}

// TestModes: how many of a step's approvers must agree, and that one no ends it.
func TestModes(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		three := []string{"manager", "exec", "hr"}
		for name, c := range map[string]struct {
			steps []approval.Plan
			who   string
			want  string
		}{
			"any":                      {[]approval.Plan{plan(approval.Any, 0, three...)}, "hr exec", "approved already_decided"},
			"any, no":                  {[]approval.Plan{plan(approval.Any, 0, three...)}, "hr:no exec", "rejected already_decided"},
			"all":                      {[]approval.Plan{plan(approval.All, 0, three...)}, "hr manager hr exec", "pending pending already_decided approved"},
			"all, no":                  {[]approval.Plan{plan(approval.All, 0, three...)}, "hr manager:no exec", "pending rejected already_decided"},
			"quorum":                   {[]approval.Plan{plan(approval.Quorum, 2, three...)}, "hr exec manager", "pending approved already_decided"},
			"quorum of one":            {[]approval.Plan{plan(approval.Quorum, 1, three...)}, "hr", "approved"},
			"quorum, no":               {[]approval.Plan{plan(approval.Quorum, 2, three...)}, "hr exec:no", "pending rejected"},
			"named twice":              {[]approval.Plan{plan(approval.All, 0, "hr", "hr")}, "hr", "approved"},
			"chain":                    {[]approval.Plan{plan("", 0, "manager"), plan("", 0, "hr")}, "hr manager manager hr", "step_not_open pending already_decided approved"},
			"chain, no in the second":  {[]approval.Plan{plan("", 0, "manager"), plan("", 0, "hr")}, "manager hr:no", "pending rejected"},
			"chain of modes":           {[]approval.Plan{plan(approval.All, 0, "manager", "exec"), plan(approval.Quorum, 2, "hr", "mgmt", "admin")}, "hr exec admin manager mgmt bob hr", "step_not_open pending step_not_open pending pending not_approver approved"},
			"three of the line":        {[]approval.Plan{{Ask: []approval.Source{approval.Manager()}}, {Ask: []approval.Source{approval.ManagerAbove(2)}}, {Ask: []approval.Source{approval.Holders("mgmt")}}}, "manager exec mgmt", "pending pending approved"},
			"nobody counts twice":      {[]approval.Plan{plan("", 0, "manager"), plan(approval.Any, 0, "manager", "hr")}, "manager manager hr", "pending already_decided approved"},
			"nor in somebody's name":   {[]approval.Plan{plan(approval.All, 0, "manager", "hr")}, "hr hr>manager bob>manager", "pending already_decided approved"},
			"nor who acted for one":    {[]approval.Plan{plan(approval.All, 0, "manager", "hr")}, "bob>manager bob>hr hr", "pending already_decided approved"},
			"the requester in between": {[]approval.Plan{plan(approval.Any, 0, "manager", "hr")}, "alice alice>hr manager>alice hr", "self_approval self_approval self_approval approved"},
		} {
			r.chained(t, c.steps...)
			q := r.submit(t, as("alice"))
			if got := strings.Join(r.says(t, q, strings.Fields(c.who)...), " "); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
	})
}

// TestWhoIsAskedForMoreIsTold: what somebody is asked in a later step is no repetition of what they were asked before, in
// an earlier step or in an earlier request about the same, and so is not suppressed as one.
func TestWhoIsAskedForMoreIsTold(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		told := &recorder{}
		r.cfg.Notifier = told
		r.chained(t, plan("", 0, "manager", "hr"), plan(approval.All, 0, "hr", "mgmt"))
		q := r.submit(t, as("alice"))
		r.says(t, q, "manager")
		if err := r.WithdrawSubject(t.Context(), as("alice"), q.Subject, "moved"); err != nil {
			t.Fatal(err)
		}
		again := r.submit(t, as("alice"), func(s *approval.Submission) { s.Subject = q.Subject })
		r.says(t, again, "manager")
		told.notices = slices.DeleteFunc(told.notices, func(n transport.Notice) bool { return !approval.Asks(n.Template) })
		got := map[string]int{}
		seen := map[string]bool{}
		for _, n := range told.notices {
			if key := n.Template + n.Recipient + n.Subject; !seen[key] { // the others are suppressed
				seen[key] = true
				got[n.Recipient]++
			}
		}
		if want := map[string]int{"manager": 2, "hr": 4, "mgmt": 2}; !maps.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		if first := told.notices[0]; first.Subject != q.Subject.String() {
			t.Errorf("the first is about %q", first.Subject)
		}
	})
}

// TestChain follows one request through two steps: who is asked when, who is told, what is kept.
func TestChain(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.chained(t, plan("", 0, "manager"), plan(approval.All, 0, "hr", "mgmt"))
		q := r.submit(t, as("alice"))
		inbox := func(who string) int {
			t.Helper()
			p, err := r.List(t.Context(), as(who), approval.AsApprover, approval.Pending, page.Request{})
			if err != nil {
				t.Fatal(err)
			}
			return len(p.Items)
		}
		if inbox("manager") != 1 || inbox("hr") != 0 || !slices.Equal(q.Approvers(), []string{"manager"}) || !slices.Equal(q.Steps[1].Approvers, []string{"hr", "mgmt"}) {
			t.Fatalf("%+v", q)
		}
		if _, err := r.Get(t.Context(), as("hr"), q.ID); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("who is not asked yet sees it: %v", err)
		}
		r.says(t, q, "manager")
		if inbox("manager") != 0 || inbox("hr") != 1 || inbox("mgmt") != 1 {
			t.Error("the second step's approvers do not have it")
		}
		if told := r.ledger.Told(t, approval.TemplateRequested); !slices.Equal(told, []string{"manager", "hr", "mgmt"}) {
			t.Errorf("asked %v", told)
		}
		if n := len(r.fates(t)); n != 0 {
			t.Errorf("settled after one of two steps: %v", r.fates(t))
		}
		r.says(t, q, "hr", "mgmt")
		done := r.get(t, q)
		if done.Status != approval.Approved || done.Version != 4 || done.Outcome.By != "mgmt" || r.fates(t)[approval.Approved] != 1 {
			t.Errorf("%+v, %v", done, r.fates(t))
		}
		kinds := []string{}
		for _, m := range done.Timeline() {
			kinds = append(kinds, fmt.Sprint(m.Kind, m.Step))
		}
		if !slices.Equal(kinds, []string{"requested0", "routed1", "agreed1", "routed2", "agreed2", "approved2"}) {
			t.Errorf("%v", kinds)
		}
		if n := len(r.ledger.Lines(t, "audit", "approval_step_approve")); n != 2 {
			t.Errorf("%d steps in the audit trail", n)
		}
		if n := len(r.ledger.Lines(t, "event", approval.EventStepOpened)); n != 1 {
			t.Errorf("%d events", n)
		}
		// A deadline is one for all steps, and closes those that have not opened.
		late := r.submit(t, as("alice"))
		r.says(t, late, "manager")
		r.db.AdvanceClock(49 * time.Hour)
		sweepAll(t, r.Service)
		got := r.get(t, late)
		if got.Status != approval.TimedOut || got.Steps[0].State != approval.StepApproved || got.Steps[1].State != approval.StepClosed {
			t.Errorf("%+v", got)
		}
	})
}

// TestStepThatNobodyCanDecide: the decision that would open it is refused, and stands when there is somebody again.
func TestStepThatNobodyCanDecide(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.chained(t, plan("", 0, "manager"), plan("", 0, "hr"))
		q := r.submit(t, as("alice"))
		alone := approvaltest.Company().With("hr", func(p *identity.Person) { p.Active = false }).
			With("exec", func(p *identity.Person) { p.Active = false }).With("mgmt", func(p *identity.Person) { p.OnLeave = true })
		r.cfg.Directory = alone
		r.Service = r.open(t)
		if got := r.says(t, q, "manager"); !slices.Equal(got, []string{"no_approver"}) {
			t.Errorf("%v", got)
		}
		if got := r.get(t, q); got.Version != 1 {
			t.Errorf("it is half decided: %+v", got)
		}
		r.cfg.Directory = approvaltest.Company().With("hr", func(p *identity.Person) { p.OnLeave = true })
		r.Service = r.open(t)
		if got := r.says(t, q, "manager", "hr", "exec"); !slices.Equal(got, []string{"pending", "not_approver", "approved"}) {
			t.Errorf("the manager of who is away: %v", got)
		}
	})
}

// TestReminderFindsOthers: approvers who have left by the time of the reminder are replaced, who has decided stays, and the
// timeline and the audit trail say so.
func TestReminderFindsOthers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.chained(t, plan(approval.All, 0, "hr", "manager", "bob"))
		q := r.submit(t, as("alice"))
		r.says(t, q, "hr")
		left := func(p *identity.Person) { p.Active = false }
		r.cfg.Directory = approvaltest.Company().With("hr", left).With("manager", left)
		r.Service = r.open(t)
		r.db.AdvanceClock(25 * time.Hour)
		sweepAll(t, r.Service)
		got := r.get(t, q)
		if !slices.Equal(got.Steps[0].Approvers, []string{"hr", "bob", "exec"}) || !slices.Equal(got.Deciders(), []string{"bob", "exec"}) {
			t.Fatalf("%+v", got.Steps[0])
		}
		if told := r.ledger.Told(t, approval.TemplateReminder); !slices.Equal(told, []string{"bob", "exec"}) {
			t.Errorf("reminded %v", told)
		}
		if !slices.ContainsFunc(got.Timeline(), func(m approval.Moment) bool {
			return m.Kind == "replaced" && strings.Contains(m.Detail, "manager can no longer decide")
		}) {
			t.Errorf("%+v", got.Timeline())
		}
		if lines := r.ledger.Lines(t, "audit", "approval_rerouted"); len(lines) != 1 || !strings.Contains(lines[0].Body, `"replaced":["manager"]`) {
			t.Errorf("%+v", lines)
		}
		if said := r.says(t, q, "manager", "exec", "bob"); !slices.Equal(said, []string{"not_approver", "pending", "approved"}) {
			t.Errorf("%v", said)
		}
		// Where nobody else is to be found, it stays as it is.
		r.chained(t, plan("", 0, "bob"))
		stuck := r.submit(t, as("alice"))
		r.cfg.Directory = approvaltest.People{}
		r.Service = r.open(t)
		r.db.AdvanceClock(25 * time.Hour)
		sweepAll(t, r.Service)
		if got := r.get(t, stuck); !slices.Equal(got.Deciders(), []string{"bob"}) || got.RemindedAt.IsZero() || got.Version != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// TestReminderPassesOverADelegate: whoever has come to act for the requester meanwhile, and counts as them, is replaced, too.
func TestReminderPassesOverADelegate(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		r.cfg.Delegates = func(_ context.Context, _ identity.TenantID, person string) ([]string, error) {
			return map[string][]string{"alice": {"manager"}}[person], nil
		}
		r.Service = r.open(t)
		if said := r.says(t, q, "manager"); !slices.Equal(said, []string{"self_approval"}) {
			t.Errorf("%v", said)
		}
		r.db.AdvanceClock(25 * time.Hour)
		sweepAll(t, r.Service)
		if told := r.ledger.Told(t, approval.TemplateReminder); !slices.Equal(told, []string{"exec"}) {
			t.Errorf("reminded %v", told)
		}
		if said := r.says(t, q, "exec"); !slices.Equal(said, []string{"approved"}) {
			t.Errorf("%v", said)
		}
	})
}

// crowd is n people in a group, and alice, who leads nobody.
func crowd(n int) (approvaltest.People, []string) {
	people := approvaltest.Company()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("member%03d", i)
		people = append(people, identity.Person{ID: ids[i], Name: ids[i], Groups: []string{"board"}, Active: true})
	}
	return people, ids
}

// TestTwoHundredApprovers: 200 people, of whom 120 must agree, decide at once, on two nodes and some of them twice: 120
// words are kept, each of somebody else, and the last of them approves.
func TestTwoHundredApprovers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		const size, need, at = 200, 120, 16
		people, ids := crowd(size)
		r.cfg.Directory = people
		r.chained(t, approval.Plan{Mode: approval.Quorum, Quorum: need, Ask: []approval.Source{approval.Holders("board")}})
		nodes := []*approval.Service{r.Service, r.open(t)}
		q := r.submit(t, as("alice"))
		if n := len(q.Deciders()); n != size {
			t.Fatalf("%d are asked", n)
		}
		work := make(chan int)
		var mu sync.Mutex
		ended, refused := 0, 0
		var wg sync.WaitGroup
		for range at {
			wg.Go(func() {
				for i := range work {
					then, err := nodes[i%2].Act(t.Context(), as(ids[i%size]), q.ID, approve)
					mu.Lock()
					switch {
					case errors.Is(err, approval.ErrDecided):
						refused++
					case err != nil:
						t.Error(err)
					case then.Status == approval.Approved:
						ended++
					}
					mu.Unlock()
				}
			})
		}
		for i := range size + 50 {
			work <- i
		}
		close(work)
		wg.Wait()
		got := r.get(t, q)
		words := map[string]bool{}
		for _, d := range got.Steps[0].Decisions {
			words[d.For] = true
		}
		if got.Status != approval.Approved || len(words) != need || len(got.Steps[0].Decisions) != need || ended != 1 || refused != size+50-need {
			t.Errorf("%s, %d words by %d people, ended %d times, %d refused", got.Status, len(got.Steps[0].Decisions), len(words), ended, refused)
		}
		if got := r.fates(t); got[approval.Approved] != 1 {
			t.Errorf("%v", got)
		}
		if got.Version != int64(need)+1 {
			t.Errorf("version %d", got.Version)
		}
	})
}

// TestNoAgainstQuorum: while a quorum agrees at once, somebody says no: it ends once, one way or the other, and nothing is
// kept after its end.
func TestNoAgainstQuorum(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		people, ids := crowd(12)
		r.cfg.Directory = people
		r.chained(t, approval.Plan{Mode: approval.Quorum, Quorum: 6, Ask: []approval.Source{approval.Holders("board")}})
		for range 6 {
			q := r.submit(t, as("alice"))
			var wg sync.WaitGroup
			for i, who := range ids {
				wg.Go(func() {
					d := approve
					if i == 5 {
						d = approval.Decision{Action: approval.Reject, Reason: "no"}
					}
					if _, err := r.Act(t.Context(), as(who), q.ID, d); err != nil && !errors.Is(err, approval.ErrDecided) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			got := r.get(t, q)
			words := got.Steps[0].Decisions
			last := words[len(words)-1]
			switch {
			case got.Status == approval.Rejected && last.Action == approval.Reject && len(words) <= 6:
			case got.Status == approval.Approved && last.Action == approval.Approve && len(words) == 6:
			default:
				t.Errorf("%s by %+v", got.Status, words)
			}
		}
	})
}
