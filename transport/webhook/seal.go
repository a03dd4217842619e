package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
)

// sealedPart is what a subscription keeps encrypted.
type sealedPart struct {
	Secrets []datedSecret     `json:"s"` // the newest first
	Headers map[string]string `json:"h,omitempty"`
}

type datedSecret struct {
	Text  string    `json:"t"`
	Until time.Time `json:"u,omitzero"` // zero: for good
}

func reveal(headers map[string]secret.String) map[string]string {
	out := make(map[string]string, len(headers))
	for name, value := range headers {
		out[name] = value.Reveal()
	}
	return out
}

// purpose binds a sealed value to its row.
func (s *Service) purpose(sub Subscription) []byte {
	return []byte(strings.Join([]string{"webhook_subscriptions", s.cfg.Kind, string(sub.Tenant), sub.ID}, "\x00"))
}

func (s *Service) seal(sub Subscription, part sealedPart) (string, error) {
	plain, err := json.Marshal(part)
	if err != nil {
		return "", err
	}
	return s.cfg.Sealer.Seal(plain, s.purpose(sub)), nil
}

func (s *Service) unseal(st Stored) (sealedPart, error) {
	var part sealedPart
	plain, err := s.cfg.Sealer.Open(st.Sealed, s.purpose(st.Subscription))
	if err != nil {
		return part, err
	}
	if err := json.Unmarshal(plain, &part); err != nil || len(part.Secrets) == 0 {
		return part, secret.ErrBroken
	}
	return part, nil
}

// Reseal seals with the Sealer's newest key what was sealed with another, of all tenants, and says how many
// subscriptions that was. Call it after a key was put in front and before an old one is dropped. It can be called again
// when it fails in between.
func (s *Service) Reseal(ctx context.Context) (int, error) {
	total := 0
	for after := ""; ; {
		found, err := s.cfg.Store.Scan(ctx, s.cfg.Kind, after, resealRows)
		if err != nil {
			return total, err
		}
		for _, st := range found {
			after = st.ID
			if !s.cfg.Sealer.NeedsReseal(st.Sealed) {
				continue
			}
			if err := s.reseal(ctx, st); err != nil {
				return total, err
			}
			total++
		}
		if len(found) < resealRows {
			return total, nil
		}
	}
}

// resealRows is how many are read at once.
const resealRows = 200

func (s *Service) reseal(ctx context.Context, st Stored) error {
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		st, err := s.cfg.Store.Get(ctx, Scope{st.Tenant, st.Kind}, st.ID) // it may have changed
		if err != nil {
			return err
		}
		part, err := s.unseal(st)
		if err != nil {
			return err
		}
		if st.Sealed, err = s.seal(st.Subscription, part); err != nil {
			return err
		}
		return s.cfg.Store.Update(ctx, st)
	})
	if errors.Is(err, ErrUnknown) { // it was deleted meanwhile
		return nil
	}
	return err
}
