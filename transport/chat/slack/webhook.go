package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/internal/hook"
	"github.com/renkei-go/renkei/transport/retry"
)

// WebhookConfig is what a Webhook needs.
type WebhookConfig struct {
	URL      secret.String    // required: "https://hooks.slack.com/services/…"
	Client   *http.Client     // required; see Config.Client
	Patience time.Duration    // see Config.Patience
	Now      func() time.Time // default time.Now
}

// Webhook posts to the one channel of an incoming webhook, whatever Email and Channel of a message say. It is safe for
// concurrent use.
type Webhook struct {
	cfg    WebhookConfig
	client *http.Client
	pace   *chat.Pace
}

var _ chat.Sender = (*Webhook)(nil)

// NewWebhook makes a Webhook.
func NewWebhook(cfg WebhookConfig) (*Webhook, error) {
	if cfg.Client == nil || !hook.CheckURL(cfg.URL) {
		return nil, errors.New("slack: a webhook needs its URL and a Client")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Webhook{cfg: cfg, client: hook.Client(cfg.Client), pace: &chat.Pace{Every: time.Second, Patience: cfg.Patience, Now: cfg.Now}}, nil
}

// Post implements chat.Sender.
func (w *Webhook) Post(ctx context.Context, m chat.Message) error {
	m, err := m.Clean()
	if err != nil {
		return retry.Permanent(err)
	}
	no := false
	document, err := json.Marshal(slackapi.WebhookMessage{
		Text: fallback(m), Blocks: &slackapi.Blocks{BlockSet: blocks(m)}, Parse: "none", UnfurlLinks: &no, UnfurlMedia: &no,
	})
	if err != nil {
		return retry.Permanent(chat.ErrMessage.Because(err))
	}
	if err := w.pace.Wait(ctx, ""); err != nil {
		return err
	}
	_, err = hook.Post(ctx, w.client, w.cfg.URL, document, w.cfg.Now)
	if errors.Is(err, chat.ErrBusy) {
		wait, _ := retry.AskedFor(err)
		w.pace.Hold("", max(wait, time.Second))
	}
	return err
}
