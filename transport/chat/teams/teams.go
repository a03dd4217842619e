package teams

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/internal/hook"
	"github.com/renkei-go/renkei/transport/retry"
)

// Config is what a Sender needs: a URL or a Lookup.
type Config struct {
	// URL is the webhook of a workflow that posts to a channel or chat, e.g. "https://….logic.azure.com/workflows/…". All
	// who are there read what is posted.
	URL secret.String
	// Lookup returns the webhook of the workflow that posts to a person, by mail address, for messages that have one; it
	// returns chat.ErrPerson for people without. Such messages never go to URL. It is safe for concurrent use.
	Lookup func(ctx context.Context, email string) (secret.String, error)

	Client   *http.Client     // required; it should have a time-out and, in a server, a guard against private addresses
	Patience time.Duration    // how long Post waits for its turn rather than return *chat.PacedError; default 2 seconds, negative not at all
	Now      func() time.Time // default time.Now
}

// Sender posts by workflow webhooks. It is safe for concurrent use.
type Sender struct {
	cfg    Config
	client *http.Client
	pace   *chat.Pace
}

var _ chat.Sender = (*Sender)(nil)

// New makes a Sender.
func New(cfg Config) (*Sender, error) {
	if cfg.Client == nil || cfg.Lookup == nil && cfg.URL.IsZero() || !cfg.URL.IsZero() && !hook.CheckURL(cfg.URL) {
		return nil, errors.New("teams: a Client and a valid URL or a Lookup are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Sender{
		cfg: cfg, client: hook.Client(cfg.Client),
		pace: &chat.Pace{Every: 250 * time.Millisecond, Burst: 4, Patience: cfg.Patience, Now: cfg.Now},
	}, nil
}

// Post implements chat.Sender.
func (s *Sender) Post(ctx context.Context, m chat.Message) error {
	m, err := m.Clean()
	if err != nil {
		return retry.Permanent(err)
	}
	to := s.cfg.URL
	if m.Email != "" && s.cfg.Lookup != nil {
		if to, err = s.cfg.Lookup(ctx, m.Email); errors.Is(err, chat.ErrPerson) {
			return retry.Permanent(err)
		} else if err != nil {
			return err
		}
		m.For = "" // nobody else reads it
	}
	if !hook.CheckURL(to) {
		return chat.Refuse(chat.ErrChannel, "no_webhook")
	}
	document, err := card(m)
	if err != nil {
		return retry.Permanent(chat.ErrMessage.Because(err))
	}
	key := secret.HashToken(to.Reveal())
	if err := s.pace.Wait(ctx, key); err != nil {
		return err
	}
	answer, err := hook.Post(ctx, s.client, to, document, s.cfg.Now)
	if err == nil {
		err = late(answer)
	}
	if errors.Is(err, chat.ErrBusy) {
		wait, _ := retry.AskedFor(err)
		s.pace.Hold(key, max(wait, time.Second))
	}
	return err
}

// late finds the failure that a connector URL of the old kind reports in an answer of status 200.
func late(answer string) error {
	_, status, failed := strings.Cut(answer, "endpoint returned HTTP error ")
	switch {
	case !failed:
		return nil
	case strings.HasPrefix(status, "429"):
		return chat.Busy(0)
	case strings.HasPrefix(status, "413"):
		return chat.Refuse(chat.ErrMessage, "http_413")
	}
	return chat.Unavailable("late_failure")
}
