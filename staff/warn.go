package staff

import (
	"context"
	"net/url"
	"time"

	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/webhook"
)

// The templates of the notices about webhooks.
const (
	TemplateWebhookFailing  = "staff.webhook_failing"
	TemplateWebhookDisabled = "staff.webhook_disabled"
	TemplateWebhookWell     = "staff.webhook_well"
)

// webhookTemplates are their texts.
var webhookTemplates = map[string]notify.Template{
	TemplateWebhookFailing: {
		Subject: "Webhook {{.Data.number}} to {{.Data.host}} fails",
		Text: "The webhook {{.Data.number}} to {{.Data.host}} has failed since {{.Data.since}}, {{.Data.failures}} times: {{.Data.error}}.\n" +
			"If that goes on it will be disabled; {{.Data.percent}} % of the way there have passed.\n",
	},
	TemplateWebhookDisabled: {
		Subject: "Webhook {{.Data.number}} to {{.Data.host}} was disabled",
		Text: "The webhook {{.Data.number}} to {{.Data.host}} was disabled ({{.Data.reason}}): {{.Data.error}}.\n" +
			"What comes for it is kept until it is resumed.\n",
	},
	TemplateWebhookWell: {
		Subject: "Webhook {{.Data.number}} to {{.Data.host}} works again",
		Text:    "The webhook {{.Data.number}} to {{.Data.host}} accepts what it gets again.\n",
	},
}

// WarnOfWebhook tells the administrators, in the transaction in ctx, that a webhook's receiver comes closer to being
// disabled, is disabled, or is well again: it is a webhook.Config.OnWarning. That the circuit breaker has opened is not
// told by itself, because most receivers are back before anybody could read it. The notices name the receiver's host,
// since the rest of a URL may hold a secret.
func (s *Service) WarnOfWebhook(ctx context.Context, sub webhook.Subscription, w delivery.Warning) error {
	template, ok := map[delivery.WarningStage]string{
		delivery.StageFailing: TemplateWebhookFailing, delivery.StageDisabled: TemplateWebhookDisabled, delivery.StageWell: TemplateWebhookWell,
	}[w.Stage]
	if !ok || s.cfg.Notifier == nil {
		return nil
	}
	u, err := url.Parse(sub.URL)
	if err != nil {
		return err
	}
	// Each stage of each incident is told, though the notices of one webhook would count as the same for a week.
	about := subject("webhook", sub.Number) + "/" + w.At.UTC().Format(time.RFC3339)
	return s.tellAdmins(ctx, transport.Notice{Tenant: sub.Tenant, Template: template, Subject: about, Data: map[string]any{
		"number": sub.Number, "host": u.Hostname(), "since": w.FailingSince.UTC().Format(time.RFC3339), "failures": w.Failures,
		"error": w.LastError, "reason": w.DisabledReason, "percent": int(100 * w.Progress),
	}})
}

// tellAdmins sends a notice to every administrator.
func (s *Service) tellAdmins(ctx context.Context, n transport.Notice) error {
	admins, err := s.Holders(ctx, n.Tenant, RoleAdmin)
	if err != nil {
		return err
	}
	notices := make([]transport.Notice, len(admins))
	for i, p := range admins {
		notices[i] = n
		notices[i].Recipient = p.ID
	}
	return s.cfg.Notifier.Notify(ctx, notices...)
}
