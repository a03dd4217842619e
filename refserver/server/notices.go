package server

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalhttp"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/notify"
)

// wording is every template of the notices.
func wording() map[string]notify.Template {
	// These two are written over the notice's data alone.
	over := func(text string) string { return "{{with .Data}}" + text + "{{end}}" }
	templates := map[string]notify.Template{}
	for name, t := range approval.Templates() {
		templates[name] = notify.Template{Subject: over(t.Subject), Text: over(t.Text)}
	}
	for name, t := range ackflow.Templates() {
		templates[name] = notify.Template{Subject: over(t.Subject), Text: over(t.Text), Informational: t.Informational}
	}
	maps.Copy(templates, staff.Templates())
	return templates
}

// moot says which notices are asked, right before they are sent, whether what they say is still so.
func (p *parts) moot() map[string]func(context.Context, notify.Notice) (bool, error) {
	checks := map[string]func(context.Context, notify.Notice) (bool, error){}
	ask := func(holds func(context.Context, transport.Notice) (bool, error), templates ...string) {
		for _, name := range templates {
			checks[name] = func(ctx context.Context, n notify.Notice) (bool, error) {
				asked, err := asAsked(n)
				if err != nil {
					return false, err
				}
				still, err := holds(ctx, asked)
				return !still, err
			}
		}
	}
	ask(func(ctx context.Context, n transport.Notice) (bool, error) { return p.approvals.StillPending(ctx, n) },
		deciding[:]...)
	ask(func(ctx context.Context, n transport.Notice) (bool, error) { return p.acks.StillNeeded(ctx, n) },
		ackflow.TemplateRequested, ackflow.TemplateReminder, ackflow.TemplateEdited, ackflow.TemplateStandIn, ackflow.TemplateEscalated,
		ackflow.TemplateCompleted)
	return checks
}

// deciding are the templates of the notices that ask for a decision.
var deciding = [...]string{approval.TemplateRequested, approval.TemplateReminder, approval.TemplateChanged}

// fill says what is added to a notice right before it is sent: what the approval is called now, or the message says, and
// the link by which its recipient can decide. That is kept nowhere, and for them alone, so it does not go into a room.
func (p *parts) fill(cfg Config) map[string]func(context.Context, notify.Notice) (map[string]any, error) {
	address := func(token string) string { return cfg.PublicURL + approvalhttp.LinkPath(token) }
	fills := map[string]func(context.Context, notify.Notice) (map[string]any, error){}
	for name := range approval.Templates() {
		fills[name] = func(ctx context.Context, n notify.Notice) (map[string]any, error) {
			asked, err := asAsked(n)
			if err != nil {
				return nil, err
			}
			if !cfg.reachesOne(n.Channel) {
				return p.approvals.Fill(ctx, asked, nil)
			}
			return p.approvals.Fill(ctx, asked, address)
		}
	}
	for name := range ackflow.Templates() {
		fills[name] = func(ctx context.Context, n notify.Notice) (map[string]any, error) {
			asked, err := asAsked(n)
			if err != nil {
				return nil, err
			}
			return p.acks.Fill(ctx, asked)
		}
	}
	return fills
}

// asAsked is a notice as its package asked for it.
func asAsked(n notify.Notice) (transport.Notice, error) {
	asked := transport.Notice{Tenant: n.Tenant, Template: n.Template, Recipient: n.Recipient, Subject: n.Subject}
	return asked, json.Unmarshal(n.Data, &asked.Data)
}
