package server

import (
	"context"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/ackguard"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

// wireAcks makes the acknowledgements, and the bridge by which approvals wait for them. Substitutes are asked of the
// approvals, which are made after it.
func (p *parts) wireAcks(cfg Config, requests approval.Store, outbox transport.Outbox) (bridge *ackguard.Bridge, err error) {
	standIns := func(ctx context.Context, tenant identity.TenantID, person string) ([]string, error) {
		return p.approvals.StandIns(ctx, tenant, person)
	}
	p.acks, err = ackflow.New(ackflow.Config{
		Store: ackflowbun.New(p.db), Directory: p.staff, Outbox: outbox, Audit: p.audit, Notifier: p.notices,
		Targets:  map[string]ackflow.TargetResolver{approval.TargetKind: ackguard.Targets{Requests: requests, StandIns: standIns}},
		Link:     func(m ackflow.Message) string { return cfg.PublicURL + "/chat-messages/" + m.ID },
		StandIns: standIns,
	})
	return ackguard.New(p.acks), err
}

// seedAcks makes the template by which an approved booking asks those who run the house to take note. It blocks nothing:
// an action policy with the guard would.
func (p *parts) seedAcks(ctx context.Context, by identity.Principal) error {
	return p.staff.InTurn(ctx, by.Tenant, func(ctx context.Context) error {
		made, err := p.acks.ListTemplates(ctx, by, ackflow.TemplateFilter{FlowType: approval.BookingFlow, ActionKey: approval.Approve}, page.Request{Limit: 1})
		if err != nil || len(made.Items) > 0 {
			return err
		}
		due, escalation := 24, 24
		_, err = p.acks.CreateTemplate(ctx, by, ackflow.NewTemplate{
			FlowType: approval.BookingFlow, ActionKey: approval.Approve, IsEnabled: true, DueInHours: &due,
			MessageBody: "予約が承認されました。会場の準備を確認してください。 / A booking was approved. Please see that the room is prepared.",
			Terms: ackflow.Terms{
				RequiredGroupIDs: []string{"mgmt"}, RemindIntervalHours: 24, EscalationAfterHours: &escalation, EscalationRoles: []string{roleAdmin},
			},
		})
		return err
	})
}
