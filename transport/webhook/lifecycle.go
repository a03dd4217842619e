package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/delivery"
)

// Pause holds everything that waits for the subscription, and what comes, until Resume. It returns ErrUnknown.
func (s *Service) Pause(ctx context.Context, by identity.Principal, id string) error {
	return s.change(ctx, by, "webhook_pause", id, func(ctx context.Context) error {
		if _, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id); err != nil {
			return err
		}
		return s.cfg.Deliveries.Disable(ctx, by.Tenant, id, reasonPaused)
	})
}

const reasonPaused = "paused"

// Resume sends to the subscription again, whether it was paused or disabled for failing: what was held goes out. With
// replay, what was given up since it began to fail is sent again too, and Resume says how many those are. It returns
// ErrUnknown.
func (s *Service) Resume(ctx context.Context, by identity.Principal, id string, replay bool) (int, error) {
	var n int
	err := s.change(ctx, by, "webhook_resume", id, func(ctx context.Context) error {
		_, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id)
		if err != nil {
			return err
		}
		n, err = s.cfg.Deliveries.Enable(ctx, by, id, replay)
		return err
	})
	return n, err
}

// Delete removes a subscription. What waits for it is cancelled when its turn comes; its history stays until it is
// pruned. It returns ErrUnknown.
func (s *Service) Delete(ctx context.Context, by identity.Principal, id string) error {
	return s.change(ctx, by, "webhook_delete", id, func(ctx context.Context) error {
		if err := s.cfg.Store.Delete(ctx, s.scope(by.Tenant), id); err != nil {
			return err
		}
		_, err := s.cfg.Deliveries.Enable(ctx, by, id, false) // else what is held would be held for ever
		if err != nil {
			return err
		}
		return s.cfg.Deliveries.SetLimit(ctx, by.Tenant, id, delivery.Limit{})
	})
}

// warned passes a warning on, with the subscription that it is about, and leaves a trail when the engine disables it.
func (s *Service) warned(ctx context.Context, w delivery.Warning) error {
	st, err := s.cfg.Store.Get(ctx, s.scope(w.Tenant), w.Lane.Destination)
	if errors.Is(err, ErrUnknown) {
		return nil // it was deleted while a request was under way
	}
	if err != nil {
		return err
	}
	if w.Stage == delivery.StageDisabled && s.cfg.Audit != nil {
		by := identity.System(w.Tenant, "webhooks")
		if err := s.cfg.Audit.Record(ctx, audit.By(by, "webhook_disable", "webhook.subscription", st.ID)); err != nil {
			return err
		}
	}
	if s.cfg.OnWarning == nil {
		return nil
	}
	sub, err := s.show(st, w.Destination)
	if err != nil {
		return err
	}
	return s.cfg.OnWarning(ctx, sub, w)
}

// Rotation is how RotateSecret works.
type Rotation struct {
	Secret  secret.String // the new one; default: one is made
	Overlap time.Duration // how long the old one signs too; default Config.Overlap; negative: no more
}

// mostSecrets bounds how many sign at the same time.
const mostSecrets = 4

// RotateSecret gives the subscription a new secret and returns it with that; it is not shown again. During the overlap
// webhook-signature has a signature under each, so that a receiver that knows either accepts; X-Webhook-Signature has
// room for one and is under the new one. It returns ErrUnknown or ErrSecret.
func (s *Service) RotateSecret(ctx context.Context, by identity.Principal, id string, r Rotation) (Subscription, error) {
	if r.Secret.IsZero() {
		r.Secret = NewSecret()
	}
	if _, err := parseSecret(r.Secret.Reveal()); err != nil {
		return Subscription{}, ErrSecret.WithField("secret", "is not valid")
	}
	or(&r.Overlap, s.cfg.Overlap)
	var out Stored
	err := s.change(ctx, by, "webhook_rotate_secret", id, func(ctx context.Context) error {
		st, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id)
		if err != nil {
			return err
		}
		part, err := s.unseal(st)
		if err != nil {
			return err
		}
		now := s.now()
		until := now.Add(max(r.Overlap, 0))
		secrets := []datedSecret{{Text: r.Secret.Reveal()}}
		st.SecretUntil = time.Time{}
		for _, old := range part.Secrets {
			if old.Until.IsZero() || old.Until.After(until) {
				old.Until = until
			}
			if old.Until.After(now) && len(secrets) < mostSecrets && old.Text != r.Secret.Reveal() {
				secrets = append(secrets, old)
				st.SecretUntil = later(st.SecretUntil, old.Until)
			}
		}
		part.Secrets = secrets
		st.UpdatedAt = now
		if st.Sealed, err = s.seal(st.Subscription, part); err != nil {
			return err
		}
		out = st
		return s.cfg.Store.Update(ctx, st)
	})
	if err != nil {
		return Subscription{}, err
	}
	sub, err := s.shown(ctx, out)
	sub.Secret = r.Secret
	return sub, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// shown is a subscription as others see it: no secret, header values hidden, and how it is.
func (s *Service) shown(ctx context.Context, st Stored) (Subscription, error) {
	d, err := s.cfg.Deliveries.Destination(ctx, st.Tenant, st.ID)
	if err != nil {
		return Subscription{}, err
	}
	return s.show(st, d)
}

func (s *Service) show(st Stored, d delivery.Destination) (Subscription, error) {
	part, err := s.unseal(st)
	if err != nil {
		return Subscription{}, err
	}
	out := st.Subscription
	out.Secret = secret.String{}
	out.Headers = nil
	for name := range part.Headers {
		if out.Headers == nil {
			out.Headers = map[string]secret.String{}
		}
		out.Headers[name] = secret.NewString(secret.Redacted)
	}
	out.State, out.Failures, out.LastError, out.Limit = Active, d.Failures, d.LastError, d.Limit
	out.LastFailureAt = later(out.LastFailureAt, d.FailingSince)
	if !d.DisabledAt.IsZero() {
		out.State, out.DisabledReason = Disabled, d.DisabledReason
		if d.DisabledReason == reasonPaused {
			out.State = Paused
		}
	}
	if !out.SecretUntil.After(s.now()) {
		out.SecretUntil = time.Time{}
	}
	return out, nil
}

func masked(headers map[string]secret.String) map[string]secret.String {
	if headers == nil {
		return nil
	}
	out := make(map[string]secret.String, len(headers))
	for name := range headers {
		out[name] = secret.NewString(secret.Redacted)
	}
	return out
}
