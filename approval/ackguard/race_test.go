package ackguard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvaltest"
)

// meanwhile is the owner of a subject who lets something happen while the decision's transaction is open.
type meanwhile struct{ do func() }

func (m *meanwhile) happen() error {
	if m.do != nil {
		m.do()
	}
	return nil
}

func (m *meanwhile) Approved(context.Context, approval.Request) error { return m.happen() }
func (m *meanwhile) Rejected(context.Context, approval.Request) error { return m.happen() }
func (m *meanwhile) TimedOut(context.Context, approval.Request) error { return m.happen() }

// number returns the place in the ledger of the line that has the text; 0: there is none.
func number(lines []approvaltest.Line, text string) int64 {
	for _, l := range lines {
		if strings.Contains(l.Body, text) {
			return l.ID
		}
	}
	return 0
}

// TestAckIsTakenBackMeanwhile: whatever takes the completeness away while an approver decides comes before the decision,
// which is refused, or waits and comes after it. Rounds alternate between a free race and one where the decision's
// transaction is open for sure.
func TestAckIsTakenBackMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		owner := &meanwhile{}
		r.cfg.Subjects = map[string]approval.SubjectHandler{"thing": owner}
		r.open(t)
		for name, take := range map[string]struct {
			action string
			back   func(q approval.Request, d ackflow.Detail) error
		}{
			"revoked": {"chat_ack_revoked", func(_ approval.Request, d ackflow.Detail) error {
				_, err := r.acks.Revoke(t.Context(), as("bob"), d.ID)
				return err
			}},
			"canceled": {"chat_ack_request_canceled", func(_ approval.Request, d ackflow.Detail) error {
				_, err := r.acks.Cancel(t.Context(), as("mgmt"), d.ID, "")
				return err
			}},
			"another link": {"chat_ack_link_created", func(q approval.Request, _ ackflow.Detail) error {
				d, err := r.acks.Ask(t.Context(), as("mgmt"), ackflow.NewRequest{
					Message: &ackflow.NewMessage{RoomID: "general", Body: "One thing more."}, Terms: ackflow.Terms{RequiredUserIDs: []string{"exec"}},
				})
				if err == nil {
					_, err = r.acks.CreateLink(t.Context(), as("mgmt"), ackflow.NewLink{
						AckRequestID: d.ID, TargetTable: approval.TargetKind, TargetID: q.ID, FlowType: "second",
					})
				}
				return err
			}},
		} {
			for round := range 10 {
				q := r.submit(t)
				d, _ := r.ask(t, q, "bob")
				r.ack(t, d.ID, "bob")
				var decided, taken error
				var wg sync.WaitGroup
				begin := make(chan struct{})
				wg.Go(func() {
					<-begin
					taken = take.back(q, d)
				})
				owner.do = sync.OnceFunc(func() { close(begin) })
				if round%2 == 0 {
					owner.do()
				}
				decided = r.act(t.Context(), "manager", q, "")
				owner.do()
				wg.Wait()
				if taken != nil {
					t.Fatalf("%s: %v", name, taken)
				}
				key := d.ID
				if name == "another link" {
					key = `"second"`
				}
				lines := r.ledger.Lines(t, "audit", take.action)
				slices.Reverse(lines)
				back, approved := number(lines, key), number(r.ledger.Lines(t, "audit", "approval_approve"), q.ID)
				switch {
				case decided == nil && approved > 0 && approved < back:
				case errors.Is(decided, approval.ErrDenied) && approved == 0 && round%2 == 0:
				default:
					t.Errorf("%s, round %d: decision %v, approved as line %d, taken back as line %d", name, round, decided, approved, back)
				}
			}
		}
	})
}

// template asks bob to acknowledge what was approved.
func (r *rig) template(t *testing.T, users ...string) ackflow.Template {
	t.Helper()
	made, err := r.acks.CreateTemplate(t.Context(), as("mgmt"), ackflow.NewTemplate{
		FlowType: approval.BookingFlow, ActionKey: approval.Approve, MessageBody: "Read the rules of the house.", IsEnabled: true,
		Terms: ackflow.Terms{RequiredUserIDs: users},
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// unguarded takes the guard off.
func (r *rig) unguarded(t *testing.T) {
	t.Helper()
	off := true
	if _, err := r.approvals.UpdateActionPolicy(t.Context(), as("admin"), r.policy.ID, 0, approval.ActionPolicyPatch{Disabled: &off}); err != nil {
		t.Fatal(err)
	}
}

// TestTemplateIsAppliedOnce: a request that all of three approvers must agree to, decided by all at once and again: the
// template makes one message, one request and one link.
func TestTemplateIsAppliedOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Steps = map[string][]approval.Plan{approval.BookingFlow: {{
			Mode: approval.All, Ask: []approval.Source{approval.User("manager"), approval.User("exec"), approval.User("hr")},
		}}}
		r.open(t)
		r.unguarded(t)
		made := r.template(t, "bob")
		for range 5 {
			q := r.submit(t)
			var wg sync.WaitGroup
			for _, who := range []string{"manager", "exec", "hr", "manager", "exec", "hr"} {
				wg.Go(func() {
					if err := r.act(t.Context(), who, q, ""); err != nil && !errors.Is(err, approval.ErrDecided) {
						t.Errorf("%s: %v", who, err)
					}
				})
			}
			wg.Wait()
			links, err := r.acks.Links(t.Context(), as("alice"), ackflow.LinkQuery{TargetTable: approval.TargetKind, TargetID: q.ID})
			if err != nil || len(links) != 1 || links[0].TemplateID != made.ID || links[0].FlowType != approval.BookingFlow || links[0].ActionKey != approval.Approve {
				t.Fatalf("links %+v, %v", links, err)
			}
			d, err := r.acks.Get(t.Context(), as("bob"), links[0].RequestID)
			if err != nil || d.TemplateID != made.ID || !slices.Equal(d.UserIDs(), []string{"bob"}) {
				t.Errorf("request %+v, %v", d, err)
			}
			about := func(action string) (n int) {
				for _, l := range r.ledger.Lines(t, "audit", action) {
					if l.Target == approval.TargetKind+"/"+q.ID {
						n++
					}
				}
				return n
			}
			if applied, skipped := about("chat_ack_template_applied"), about("chat_ack_template_skipped"); applied != 1 || skipped != 2 {
				t.Errorf("applied %d times, skipped %d times", applied, skipped)
			}
		}
	})
}

// TestTemplateAndDecisionAreOne: when the decision is undone, so is what the template made; a template that names somebody
// who is gone is skipped, and the decision stands.
func TestTemplateAndDecisionAreOne(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.unguarded(t)
		r.template(t, "bob")
		undo := errors.New("undo")
		q := r.submit(t)
		err := r.cfg.Store.Do(t.Context(), func(ctx context.Context) error {
			if err := r.act(ctx, "manager", q, ""); err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		links := func(q approval.Request) []ackflow.Link {
			l, err := r.acks.Links(t.Context(), as("mgmt"), ackflow.LinkQuery{TargetTable: approval.TargetKind, TargetID: q.ID})
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		if l, told := links(q), r.ledger.Told(t, ackflow.TemplateRequested); len(l) != 0 || len(told) != 0 {
			t.Errorf("undone, yet %+v, told %v", l, told)
		}
		// A dry run makes nothing.
		if err := r.approvals.Simulate(t.Context(), as("manager"), q.ID, approval.Decision{Action: approval.Approve}); err != nil || len(links(q)) != 0 {
			t.Errorf("%v, %+v", err, links(q))
		}
		if err := r.act(t.Context(), "manager", q, ""); err != nil || len(links(q)) != 1 {
			t.Errorf("%v, %+v", err, links(q))
		}
		// Rejection has no template, and time-outs are no actions.
		rejected := r.submit(t)
		if _, err := r.approvals.Act(t.Context(), as("manager"), rejected.ID, approval.Decision{Action: approval.Reject, Reason: "no"}); err != nil || len(links(rejected)) != 0 {
			t.Errorf("%v, %+v", err, links(rejected))
		}
		r.acksCfg.Directory = mgmtLeads()[:1] // everybody but admin is gone
		r.open(t)
		q = r.submit(t)
		if err := r.act(t.Context(), "manager", q, ""); err != nil || len(links(q)) != 0 {
			t.Errorf("%v, %+v", err, links(q))
		}
		if skipped := r.ledger.Lines(t, "audit", "chat_ack_template_skipped"); len(skipped) != 1 || !strings.Contains(skipped[0].Body, "required_users_invalid") {
			t.Errorf("skipped %+v", skipped)
		}
	})
}
