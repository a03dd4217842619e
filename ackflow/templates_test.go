package ackflow_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/page"
)

func template(users ...string) ackflow.NewTemplate {
	return ackflow.NewTemplate{
		FlowType: "booking", ActionKey: "approve", MessageBody: "Please read the house rules.", IsEnabled: true,
		Terms: ackflow.Terms{RequiredUserIDs: users}, DueInHours: new(48),
	}
}

func (r *rig) template(tb testing.TB, n ackflow.NewTemplate) ackflow.Template {
	tb.Helper()
	t, err := r.CreateTemplate(tb.Context(), as("mgmt"), n)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func (r *rig) linked(tb testing.TB, t ackflow.Target) []ackflow.Link {
	tb.Helper()
	links, err := r.Links(tb.Context(), as("mgmt"), ackflow.LinkQuery{TargetTable: t.Table, TargetID: t.ID, Limit: page.MaxLimit})
	if err != nil {
		tb.Fatal(err)
	}
	return links
}

func TestTemplateIsApplied(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		tpl := r.template(t, template("bob", "carol"))
		disabled := template("dave")
		disabled.IsEnabled = false
		r.template(t, disabled)
		other := template("dave")
		other.ActionKey = "reject"
		r.template(t, other)
		r.undone(t, func(ctx context.Context) {
			if err := r.ApplyTemplates(ctx, as("manager"), target, "booking", "approve"); err != nil {
				t.Error(err)
			}
		})
		if links := r.linked(t, target); len(links) != 0 {
			t.Errorf("%d links of an action that was not taken", len(links))
		}
		before, _ := r.db.Now(t.Context())
		for range 2 {
			if err := r.ApplyTemplates(t.Context(), as("manager"), target, "booking", "approve"); err != nil {
				t.Fatal(err)
			}
		}
		links := r.linked(t, target)
		if len(links) != 1 || links[0].TemplateID != tpl.ID || links[0].FlowType != "booking" || links[0].ActionKey != "approve" {
			t.Fatalf("%+v", links)
		}
		d, err := r.Get(t.Context(), as("bob"), links[0].RequestID)
		if err != nil || d.TemplateID != tpl.ID || d.CreatedBy != "manager" || strings.Join(d.UserIDs(), " ") != "bob carol" ||
			d.Message.Body != tpl.Body || d.Room != target.String() {
			t.Errorf("%+v, %v", d, err)
		}
		if in := d.DueAt.Sub(before); in < 48*time.Hour || in > 49*time.Hour {
			t.Errorf("due in %v", in)
		}
		r.audited(t, "chat_ack_template_applied", 1)
		r.audited(t, "chat_ack_template_skipped", 1)
		if l := r.ledger.Lines(t, "audit", "chat_ack_template_skipped")[0]; !strings.Contains(l.Body, "already_applied") || l.Target != target.String() {
			t.Errorf("%+v", l)
		}
		// Another target and another action are applied anew.
		if err := r.ApplyTemplates(t.Context(), as("manager"), ackflow.Target{Table: table, ID: "a2"}, "booking", "approve"); err != nil {
			t.Fatal(err)
		}
		if err := r.ApplyTemplates(t.Context(), as("manager"), target, "booking", "reject"); err != nil {
			t.Fatal(err)
		}
		r.audited(t, "chat_ack_template_applied", 3)
		want(t, r.ApplyTemplates(t.Context(), as("manager"), ackflow.Target{Table: "invoices", ID: "1"}, "booking", "approve"), ackflow.ErrTargetTable)
	})
}

// TestTemplateIsAppliedOnce has two nodes take the same action at once.
func TestTemplateIsAppliedOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.template(t, template("bob"))
		r.template(t, template("carol"))
		nodes := []*ackflow.Service{r.open(t), r.open(t)}
		for i := range 10 {
			to := ackflow.Target{Table: table, ID: strings.Repeat("x", i+1)}
			r.targets.Add(to.ID, "alice")
			var wg sync.WaitGroup
			for _, node := range nodes {
				for range 2 {
					wg.Go(func() {
						err := r.db.Do(t.Context(), func(ctx context.Context) error {
							return node.ApplyTemplates(ctx, as("manager"), to, "booking", "approve")
						})
						if err != nil {
							t.Error(err)
						}
					})
				}
			}
			wg.Wait()
			if links := r.linked(t, to); len(links) != 2 {
				t.Errorf("%d links", len(links))
			}
		}
		r.audited(t, "chat_ack_template_applied", 20)
		r.audited(t, "chat_ack_template_skipped", 60)
	})
}

func TestTemplateThatNobodyCanAnswer(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		group := template()
		group.RequiredGroupIDs = []string{"nobody"}
		escalation := template("bob")
		escalation.EscalationAfterHours, escalation.EscalationUserIDs = new(1), []string{"gone"}
		for reason, n := range map[string]ackflow.NewTemplate{
			"required_users_invalid": template("stranger", "bob"), "required_users_inactive": template("gone"),
			"required_users_empty": group, "escalation_users_invalid": escalation,
		} {
			n.FlowType = reason
			r.template(t, n)
			if err := r.ApplyTemplates(t.Context(), as("manager"), target, reason, "approve"); err != nil {
				t.Errorf("%s: the action does not go on: %v", reason, err)
			}
			skipped := r.ledger.Lines(t, "audit", "chat_ack_template_skipped")
			if last := skipped[len(skipped)-1]; !strings.Contains(last.Body, `"`+reason+`"`) {
				t.Errorf("%s: %s", reason, last.Body)
			}
		}
		r.audited(t, "chat_ack_template_applied", 0)
		if links := r.linked(t, target); len(links) != 0 {
			t.Errorf("%d links", len(links))
		}
	})
}
