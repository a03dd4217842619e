package ackguard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/ackguard"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// failures writes down what a refusal says of the guard.
func failures(t *testing.T, err error) string {
	t.Helper()
	f := fault.As(err)
	if f == nil {
		return "none"
	}
	var text []string
	found, _ := f.Details["guardFailures"].([]approval.Failure)
	for _, f := range found {
		if f.Type != approval.ChatAckCompleted {
			t.Errorf("a failure of %s", f.Type)
		}
		text = append(text, f.Reason)
		requests, _ := f.Details["requests"].([]ackflow.RequestFailure)
		for _, r := range requests {
			text = append(text, r.Reason+":"+strings.Join(r.IncompleteUserIDs, "+"))
		}
	}
	return f.Reason + " " + strings.Join(text, " ")
}

// TestStory: no link, two requests of which all failures are told, acknowledgement, approval.
func TestStory(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t)
		says := func(want string) {
			t.Helper()
			if got := failures(t, r.act(t.Context(), "manager", q, "please")); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		says("ACTION_POLICY_DENIED missing_link")
		first, _ := r.ask(t, q, "bob", "secretary")
		second, _ := r.ask(t, q, "exec")
		says("ACTION_POLICY_DENIED incomplete incomplete:bob+secretary incomplete:exec")
		r.ack(t, first.ID, "secretary")
		if _, err := r.acks.Cancel(t.Context(), as("mgmt"), second.ID, ""); err != nil {
			t.Fatal(err)
		}
		says("ACTION_POLICY_DENIED incomplete incomplete:bob canceled:exec")
		r.ack(t, first.ID, "bob")
		says("ACTION_POLICY_DENIED incomplete canceled:exec")
		links, err := r.acks.Links(t.Context(), as("alice"), ackflow.LinkQuery{AckRequestID: second.ID})
		if err != nil || len(links) != 1 {
			t.Fatal(links, err)
		}
		if err := r.acks.DeleteLink(t.Context(), as("mgmt"), links[0].ID); err != nil {
			t.Fatal(err)
		}
		says("none")
		if n := len(r.ledger.Lines(t, "audit", "approval_approve")); n != 1 {
			t.Errorf("%d approvals", n)
		}
		// The policy is on approve: a rejection needs nobody's word.
		other := r.submit(t)
		if _, err := r.approvals.Act(t.Context(), as("manager"), other.ID, approval.Decision{Action: approval.Reject, Reason: "no"}); err != nil {
			t.Error(err)
		}
	})
}

// TestNoRequest: the dry run of a policy by itself fails, and says why.
func TestNoRequest(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		v, _, err := r.approvals.EvaluateAction(t.Context(), as("admin"), approval.Evaluation{Flow: approval.BookingFlow, Action: approval.Approve, Actor: "manager"})
		if err != nil || v.Allowed || len(v.Failures) != 1 || v.Failures[0].Reason != ackflow.TargetRequired {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

var errBroken = errors.New("broken")

// brokenLinks is a store that cannot tell what is linked.
type brokenLinks struct{ ackflow.Store }

func (brokenLinks) Linked(context.Context, identity.TenantID, ackflow.Target) ([]ackflow.Linked, error) {
	return nil, errBroken
}

// TestFailsClosed: a guard that cannot answer refuses, and neither an administrator nor a reason helps; nor does a bridge
// to a service that does not know approvals.
func TestFailsClosed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Directory = mgmtLeads()
		whole := r.acksCfg
		for name, c := range map[string]struct {
			change func(*ackflow.Config)
			reason string
			want   string
		}{
			"broken":      {func(c *ackflow.Config) { c.Store = brokenLinks{c.Store} }, "please", "ACTION_POLICY_DENIED guard_error"},
			"unsupported": {func(c *ackflow.Config) { c.Targets = nil }, "", "REASON_REQUIRED unsupported_target"},
			"overridden":  {func(c *ackflow.Config) { c.Targets = nil }, "please", "INVALID_TARGET_TABLE "},
		} {
			r.acksCfg = whole
			c.change(&r.acksCfg)
			r.open(t)
			q := r.submit(t)
			err := r.act(t.Context(), "mgmt", q, c.reason)
			if got := failures(t, err); got != c.want {
				t.Errorf("%s: %s", name, got)
			}
			if name == "broken" && !errors.Is(err, errBroken) {
				t.Errorf("the cause is lost: %v", err)
			}
			if q, err := r.cfg.Store.Request(t.Context(), "acme", q.ID); err != nil || q.Status != approval.Pending {
				t.Errorf("%s: %s, %v", name, q.Status, err)
			}
		}
	})
}

// TestOverride: an administrator who decides is asked for a reason, and with it passes; audit and auditors know.
func TestOverride(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Directory = mgmtLeads()
		r.open(t)
		q := r.submit(t)
		r.ask(t, q, "bob")
		err := r.act(t.Context(), "mgmt", q, " ")
		if !errors.Is(err, approval.ErrReasonRequired) || failures(t, err) != "REASON_REQUIRED incomplete incomplete:bob" {
			t.Errorf("without a reason: %v", err)
		}
		if err := r.act(t.Context(), "mgmt", q, "the customer is waiting"); err != nil {
			t.Fatal(err)
		}
		lines := r.ledger.Lines(t, "audit", "action_policy_override")
		if len(lines) != 1 || !strings.Contains(lines[0].Body, `"incompleteUserIds":["bob"]`) || !strings.Contains(lines[0].Body, r.policy.ID) {
			t.Errorf("audit %+v", lines)
		}
		if told := r.ledger.Told(t, approval.TemplateOverridden); !slices.Equal(told, []string{"admin"}) {
			t.Errorf("told %v", told)
		}
	})
}

// TestParticipants: who may read the links of a request, and what cannot be linked.
func TestParticipants(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		if _, err := r.approvals.NameSubstitute(t.Context(), as("manager"), approval.NewSubstitution{SubstituteID: "hr"}); err != nil {
			t.Fatal(err)
		}
		q, err := r.approvals.Submit(t.Context(), as("secretary").For("alice"), approval.Submission{
			Subject: approval.Subject{Kind: "thing", ID: "for alice"}, Flow: approval.BookingFlow, Facts: approval.Facts{"attendees": 12},
		})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := r.ask(t, q, "bob")
		readers := func() (who []string) {
			for _, p := range names() {
				links, err := r.acks.Links(t.Context(), as(p), ackflow.LinkQuery{TargetTable: approval.TargetKind, TargetID: q.ID})
				if err == nil && len(links) == 1 {
					who = append(who, p)
				} else if !errors.Is(err, ackflow.ErrForbidden) {
					t.Errorf("%s: %v, %v", p, links, err)
				}
			}
			return who
		}
		if got, want := readers(), []string{"admin", "alice", "hr", "manager", "mgmt", "secretary"}; !slices.Equal(got, want) {
			t.Errorf("read by %v, want %v", got, want)
		}
		r.ack(t, d.ID, "bob")
		if err := r.act(t.Context(), "hr", q, ""); err != nil {
			t.Fatal(err)
		}
		// Who decided in somebody's place took part, also when they do not stand in any more.
		if got, want := readers(), []string{"admin", "alice", "hr", "manager", "mgmt", "secretary"}; !slices.Equal(got, want) {
			t.Errorf("afterwards read by %v, want %v", got, want)
		}
		for id, tenant := range map[string]identity.TenantID{"nothing": "acme", q.ID: "other"} {
			people, err := ackguard.Targets{Requests: r.cfg.Store}.Participants(t.Context(), tenant, id)
			if !errors.Is(err, ackflow.ErrTargetNotFound) || people != nil {
				t.Errorf("%s in %s: %v, %v", id, tenant, people, err)
			}
		}
	})
}
