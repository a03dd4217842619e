package approval_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

func TestApprove(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		if q.Status != approval.Pending || !slices.Equal(q.Approvers(), []string{"manager"}) ||
			!slices.Equal(q.Reasons, []string{"attendees", "resource"}) ||
			!slices.Equal(q.Explanation, []string{"attendees 12 ≥ 10", "resource 大会議室"}) {
			t.Fatalf("submitted as %+v", q)
		}
		if q.ExpiresAt.Sub(q.CreatedAt) != 48*time.Hour || q.ExpiresAt.Sub(q.RemindAt) != 24*time.Hour {
			t.Errorf("times %v %v %v", q.CreatedAt, q.RemindAt, q.ExpiresAt)
		}
		if got := r.ledger.Told(t, approval.TemplateRequested); !slices.Equal(got, []string{"manager"}) {
			t.Errorf("asked %v", got)
		}
		done, err := r.Act(t.Context(), as("manager"), q.ID, approval.Decision{Action: approval.Approve, ContentHash: q.ContentHash})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.get(t, q); !reflect.DeepEqual(got, done) || got.Status != approval.Approved || got.Outcome.By != "manager" || got.Version != 2 {
			t.Errorf("stored %+v\nanswered %+v", got, done)
		}
		if got := r.ledger.Told(t, approval.TemplateApproved); !slices.Equal(got, []string{"alice"}) {
			t.Errorf("told %v", got)
		}
		if got := r.fates(t); !reflect.DeepEqual(got, map[approval.Status]int{approval.Approved: 1}) {
			t.Errorf("handler %v", got)
		}
		for _, name := range []string{"approval_created", "approval_approve"} {
			if n := len(r.ledger.Lines(t, "audit", name)); n != 1 {
				t.Errorf("%d audit entries %s", n, name)
			}
		}
		if n := len(r.ledger.Lines(t, "event", approval.EventDecided)); n != 1 {
			t.Errorf("%d events", n)
		}
		kinds := []string{}
		for _, m := range done.Timeline() {
			kinds = append(kinds, m.Kind)
		}
		if !slices.Equal(kinds, []string{"requested", "routed", "approved"}) {
			t.Errorf("timeline %v", kinds)
		}
		// Idempotent in effect.
		_, err = r.Act(t.Context(), as("manager"), q.ID, approve)
		if !errors.Is(err, approval.ErrDecided) || fault.As(err).Details["status"] != approval.Approved {
			t.Errorf("again: %v", err)
		}
	})
}

func TestRejectTellsWhy(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("secretary").For("exec"))
		if q.Requester != "exec" || q.ActedBy != "secretary" || !slices.Equal(q.Approvers(), []string{"mgmt"}) {
			t.Fatalf("submitted as %+v", q)
		}
		for _, reason := range []string{"", " \n "} {
			_, err := r.Act(t.Context(), as("mgmt"), q.ID, approval.Decision{Action: approval.Reject, Reason: reason})
			if !errors.Is(err, approval.ErrReasonRequired) {
				t.Errorf("without a reason: %v", err)
			}
		}
		done, err := r.Act(t.Context(), as("mgmt"), q.ID, approval.Decision{Action: approval.Reject, Reason: "too many"})
		if err != nil || done.Status != approval.Rejected || done.Outcome.Reason != "too many" {
			t.Fatalf("%+v, %v", done, err)
		}
		if got := r.ledger.Told(t, approval.TemplateRejected); !slices.Equal(got, []string{"exec", "secretary"}) {
			t.Errorf("told %v", got)
		}
		if line := r.ledger.Lines(t, "notice", approval.TemplateRejected)[0]; !strings.Contains(line.Body, "too many") {
			t.Errorf("no reason in %s", line.Body)
		}
	})
}

func TestRefusals(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		for name, c := range map[string]struct {
			by   identity.Principal
			id   string
			d    approval.Decision
			want error
		}{
			"unknown":         {as("manager"), "nothing", approve, approval.ErrNotFound},
			"other tenant":    {identity.Principal{Tenant: "other", Actor: "manager"}, q.ID, approve, approval.ErrNotFound},
			"self":            {as("alice"), q.ID, approve, approval.ErrSelfApproval},
			"self as manager": {as("alice").For("manager"), q.ID, approve, approval.ErrSelfApproval},
			"manager as self": {as("manager").For("alice"), q.ID, approve, approval.ErrSelfApproval},
			"stranger":        {as("bob"), q.ID, approve, approval.ErrNotApprover},
			"admin":           {as("admin", "admin"), q.ID, approve, approval.ErrNotApprover},
			"stale":           {as("manager"), q.ID, approval.Decision{Action: approval.Approve, ContentHash: "old"}, approval.ErrStaleContent},
			"no such action":  {as("manager"), q.ID, approval.Decision{Action: "maybe"}, fault.New(fault.Invalid, "invalid_input", "")},
			"a NUL":           {as("manager"), q.ID, approval.Decision{Action: approval.Reject, Reason: "\x00"}, fault.New(fault.Invalid, "invalid_input", "")},
		} {
			if _, err := r.Act(t.Context(), c.by, c.id, c.d); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if err := r.Simulate(t.Context(), c.by, c.id, c.d); !errors.Is(err, c.want) {
				t.Errorf("%s simulated: %v", name, err)
			}
		}
		if got := r.get(t, q); !reflect.DeepEqual(got, q) {
			t.Errorf("a refusal changed it: %+v", got)
		}
		if _, err := r.Act(t.Context(), as("secretary").For("manager"), q.ID, approve); err != nil {
			t.Errorf("an uninvolved delegate of the approver: %v", err)
		}
	})
}

func TestSubmitRefusals(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		free, err := r.Submit(t.Context(), as("alice"), approval.Submission{
			Subject: approval.Subject{Kind: "thing", ID: "x"}, Flow: approval.BookingFlow, Facts: approval.Facts{"attendees": 9},
		})
		if err != nil || free.Status != approval.NotRequired || free.ID != "" {
			t.Errorf("no rule is met: %+v, %v", free, err)
		}
		q := r.submit(t, as("alice"))
		sub := approval.Submission{Subject: q.Subject, Flow: q.Flow, Facts: approval.Facts{"attendees": 10}}
		if _, err := r.Submit(t.Context(), as("alice"), sub); !errors.Is(err, approval.ErrAlreadyPending) {
			t.Errorf("twice: %v", err)
		}
		sub.Subject.ID = "y"
		sub.NotAfter = time.Now().Add(-time.Hour)
		if _, err := r.Submit(t.Context(), as("alice"), sub); !errors.Is(err, approval.ErrTooLate) {
			t.Errorf("in the past: %v", err)
		}
		sub.NotAfter, sub.Flow, sub.Summary = time.Time{}, "", "two\nlines"
		if _, err := r.Submit(t.Context(), as("alice"), sub); len(fault.FieldsOf(err)) != 2 {
			t.Errorf("incomplete: %v", err)
		}
		sub.Flow, sub.Summary = approval.BookingFlow, ""
		sub.Content = struct { // whose tags are the embedder's own business
			Order string `validate:"required,of_the_embedder"`
		}{}
		if _, err := r.Submit(t.Context(), as("alice"), sub); err != nil {
			t.Errorf("content with tags: %v", err)
		}
		sub.Content = func() {}
		if _, err := r.Submit(t.Context(), as("alice"), sub); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("content that is no data: %v", err)
		}
	})
}

func TestJoinsTheCallersTransaction(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		stop := errors.New("stop")
		var q approval.Request
		err := r.db.Do(t.Context(), func(ctx context.Context) error {
			var err error
			q, err = r.Submit(ctx, as("alice"), approval.Submission{
				Subject: approval.Subject{Kind: "thing", ID: "x"}, Flow: approval.BookingFlow, Facts: approval.Facts{"attendees": 99},
			})
			if err != nil {
				return err
			}
			return stop
		})
		if !errors.Is(err, stop) {
			t.Fatal(err)
		}
		if _, err := r.Get(t.Context(), as("alice"), q.ID); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("the request stayed: %v", err)
		}
		for _, kind := range []string{"audit", "event", "notice"} {
			if lines := r.ledger.Lines(t, kind, ""); len(lines) != 0 {
				t.Errorf("%s stayed: %v", kind, lines)
			}
		}
	})
}

func TestHandlerErrorTakesTheDecisionBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		broken := errors.New("broken")
		r.things.broken = func(approval.Request) error { return broken }
		if _, err := r.Act(t.Context(), as("manager"), q.ID, approve); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		r.things.broken = nil
		if got := r.get(t, q); got.Status != approval.Pending || len(r.ledger.Told(t, approval.TemplateApproved)) != 0 {
			t.Errorf("half decided: %+v", got)
		}
		if _, err := r.Act(t.Context(), as("manager"), q.ID, approve); err != nil {
			t.Error(err)
		}
	})
}

func TestWithdraw(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		for name, c := range map[string]struct {
			by     identity.Principal
			reason string
			want   error
		}{
			"hidden":    {as("bob"), "x", approval.ErrNotFound},
			"approver":  {as("manager"), "x", approval.ErrNotRequester},
			"no reason": {as("alice"), "", approval.ErrReasonRequired},
		} {
			if _, err := r.Withdraw(t.Context(), c.by, q.ID, c.reason); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		done, err := r.Withdraw(t.Context(), as("alice"), q.ID, "not needed")
		if err != nil || done.Status != approval.Withdrawn {
			t.Fatalf("%+v, %v", done, err)
		}
		if got := r.fates(t); got[approval.Withdrawn] != 1 {
			t.Errorf("handler %v", got)
		}
		if _, err := r.Withdraw(t.Context(), as("alice"), q.ID, "again"); !errors.Is(err, approval.ErrDecided) {
			t.Errorf("again: %v", err)
		}
		if got := r.ledger.Told(t, approval.TemplateWithdrawn); !slices.Equal(got, []string{"manager"}) {
			t.Errorf("told %v", got)
		}
		byAdmin := r.submit(t, as("alice"))
		if _, err := r.Withdraw(t.Context(), as("admin", "admin"), byAdmin.ID, "policy"); err != nil {
			t.Error(err)
		}
	})
}

func TestWithdrawSubject(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		for range 2 { // the second time there is nothing to do
			if err := r.WithdrawSubject(t.Context(), as("secretary").For("alice"), q.Subject, "changed"); err != nil {
				t.Fatal(err)
			}
		}
		got := r.get(t, q)
		if got.Status != approval.Withdrawn || got.Outcome.By != "alice" || len(r.fates(t)) != 0 {
			t.Errorf("%+v, handler %v", got, r.fates(t))
		}
		again := r.submit(t, as("alice"), func(s *approval.Submission) { s.Subject = q.Subject })
		if again.Status != approval.Pending {
			t.Errorf("asked anew: %+v", again)
		}
		// Inside the owner's transaction a decided request is no failure either.
		if _, err := r.Act(t.Context(), as("manager"), again.ID, approve); err != nil {
			t.Fatal(err)
		}
		err := r.db.Do(t.Context(), func(ctx context.Context) error {
			return r.WithdrawSubject(ctx, as("alice"), q.Subject, "cancelled")
		})
		if err != nil || r.get(t, again).Status != approval.Approved {
			t.Errorf("%v, %s", err, r.get(t, again).Status)
		}
	})
}

func TestWhoSeesWhat(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		mine := r.submit(t, as("alice"))
		theirs := r.submit(t, as("secretary").For("exec"))
		for who, want := range map[string][]approval.Request{
			"alice": {mine}, "manager": {mine}, "exec": {theirs}, "secretary": {theirs}, "mgmt": {theirs}, "bob": {},
		} {
			list, err := r.List(t.Context(), as(who), "", "", page.Request{})
			if err != nil || len(list.Items) != len(want) {
				t.Errorf("%s lists %d, %v", who, len(list.Items), err)
			}
			for _, q := range []approval.Request{mine, theirs} {
				_, err := r.Get(t.Context(), as(who), q.ID)
				sees := slices.ContainsFunc(want, func(w approval.Request) bool { return w.ID == q.ID })
				if sees != (err == nil) || !sees && !errors.Is(err, approval.ErrNotFound) {
					t.Errorf("%s and %s: %v", who, q.Requester, err)
				}
			}
		}
		list, err := r.List(t.Context(), as("admin", "admin"), "", approval.Pending, page.Request{})
		if err != nil || len(list.Items) != 2 {
			t.Errorf("admin lists %d, %v", len(list.Items), err)
		}
		for role, want := range map[approval.Role]int{approval.AsApprover: 1, approval.AsRequester: 0} {
			list, err := r.List(t.Context(), as("manager"), role, approval.Pending, page.Request{})
			if err != nil || len(list.Items) != want {
				t.Errorf("manager as %s lists %d, %v", role, len(list.Items), err)
			}
		}
		if _, err := r.List(t.Context(), as("alice"), "boss", "", page.Request{}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("an unknown role: %v", err)
		}
		if _, err := r.List(t.Context(), as("alice"), "", "odd", page.Request{}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("an unknown status: %v", err)
		}
	})
}

// recorder keeps notices in memory.
type recorder struct{ notices []transport.Notice }

func (n *recorder) Notify(_ context.Context, notices ...transport.Notice) error {
	n.notices = append(n.notices, notices...)
	return nil
}

func TestNoticesAndTheirWording(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		told := &recorder{}
		r.cfg.Notifier = told
		r.cfg.Guards = map[string]approval.Guard{approval.ChatAckCompleted: &switchGuard{closed: true}}
		svc := r.open(t)
		r.Service = svc
		approved, rejected, late, gone := r.submit(t, as("secretary").For("exec")), r.submit(t, as("alice")), r.submit(t, as("bob")), r.submit(t, as("hr"))
		for _, err := range []error{
			second(svc.Act(t.Context(), as("mgmt"), approved.ID, approval.Decision{Action: approval.Approve, Reason: "fine"})),
			second(svc.Act(t.Context(), as("manager"), rejected.ID, approval.Decision{Action: approval.Reject, Reason: "too big"})),
			second(svc.Withdraw(t.Context(), as("hr"), gone.ID, "moot")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := svc.Revise(t.Context(), as("bob"), approval.Submission{
			Subject: late.Subject, Flow: late.Flow, Facts: approval.Facts{"attendees": 12}, Content: map[string]any{"title": "Other"}, Summary: "Other",
		}); err != nil {
			t.Fatal(err)
		}
		r.policy(t, approval.ActionRule{Action: approval.Approve, Guards: guarded(approval.ChatAckCompleted)})
		overridden := r.submit(t, as("exec"))
		if _, err := svc.Act(t.Context(), as("mgmt", "mgmt"), overridden.ID, approval.Decision{Action: approval.Approve, Reason: "urgent"}); err != nil {
			t.Fatal(err)
		}
		r.db.AdvanceClock(25 * time.Hour)
		sweepAll(t, svc)
		for _, n := range told.notices {
			asks := approval.Asks(n.Template)
			still, err := svc.StillPending(t.Context(), n)
			if want := !asks || n.Data["approval_id"] == late.ID; err != nil || still != want {
				t.Errorf("%s to %s: still pending %v, %v", n.Template, n.Recipient, still, err)
			}
		}
		r.db.AdvanceClock(25 * time.Hour)
		sweepAll(t, svc)
		used := map[string]bool{}
		for _, n := range told.notices {
			used[n.Template] = true
			wording, ok := approval.Templates()[n.Template]
			if !ok {
				t.Fatalf("no wording for %s", n.Template)
			}
			for part, text := range map[string]string{"subject": wording.Subject, "text": wording.Text} {
				tmpl, err := template.New(part).Option("missingkey=error").Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				if err := tmpl.Execute(&b, n.Data); err != nil {
					t.Errorf("%s %s: %v", n.Template, part, err)
				}
				if part == "text" && !strings.Contains(b.String(), "https://renkei.example/approvals/") {
					t.Errorf("%s has no link: %s", n.Template, b.String())
				}
			}
			free := n.Template == approval.TemplateChanged || n.Template == approval.TemplateOverridden
			if n.Tenant != "acme" || !strings.HasPrefix(n.Subject, "thing/") && !free {
				t.Errorf("%s: tenant %q, subject %q", n.Template, n.Tenant, n.Subject)
			}
		}
		for name := range approval.Templates() {
			if !used[name] {
				t.Errorf("%s was never sent", name)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
