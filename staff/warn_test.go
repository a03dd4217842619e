package staff_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
)

// TestWebhookWarnings tells the administrators of each stage that matters, and not what the URL holds.
func TestWebhookWarnings(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		must[[]staff.Person](t)(h.Upsert(ctx, admin, staff.Person{UserID: "boss", Name: "Boss", Roles: []string{"admin"}, Active: true}))
		sub := webhook.Subscription{ID: "s1", Number: 7, Tenant: "acme", URL: "https://hooks.example.com/s3cret?token=s3cret"}
		for i, stage := range []delivery.WarningStage{delivery.StageTripped, delivery.StageFailing, delivery.StageFailing, delivery.StageDisabled, delivery.StageWell} {
			w := delivery.Warning{Stage: stage, Progress: 0.5, At: t0.Add(time.Duration(i) * time.Hour)}
			w.Failures, w.FailingSince, w.LastError = 12, t0, "it answered with status 500"
			if err := h.WarnOfWebhook(ctx, sub, w); err != nil {
				t.Fatal(err)
			}
		}
		told := func(template string) []string { return h.ledger.Told(t, template) }
		want(t, "told", []int{
			len(told(staff.TemplateWebhookFailing)), len(told(staff.TemplateWebhookDisabled)), len(told(staff.TemplateWebhookWell)),
		}, []int{2, 1, 1})
		for _, line := range h.ledger.Lines(t, "notice", staff.TemplateWebhookFailing) {
			if text := fmt.Sprintf("%+v", line); strings.Contains(text, "s3cret") || !strings.Contains(text, "webhook/7/") {
				t.Errorf("told %s", text)
			}
		}
	})
}
