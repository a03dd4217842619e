package webhook

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport/delivery"
)

// Deliveries returns the deliveries to a subscription with their attempts, newest first; states narrow it. It returns
// ErrUnknown or page.ErrBadCursor.
func (s *Service) Deliveries(ctx context.Context, by identity.Principal, id string, p page.Request, states ...delivery.State) (page.Page[delivery.Record], error) {
	var none page.Page[delivery.Record]
	if _, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id); err != nil {
		return none, err
	}
	f := delivery.Filter{Kind: s.cfg.Kind, Destination: id, States: states}
	cut, err := s.cfg.Deliveries.List(ctx, by.Tenant, f, p)
	if err != nil {
		return none, err
	}
	events := make([]string, len(cut.Items))
	out := page.Page[delivery.Record]{Items: make([]delivery.Record, len(cut.Items)), Next: cut.Next}
	place := make(map[string]int, len(cut.Items))
	for i, d := range cut.Items {
		out.Items[i].Delivery, events[i], place[d.ID] = d, d.EventID, i
	}
	records, err := s.cfg.Deliveries.History(ctx, by.Tenant, s.cfg.Kind, events...)
	if err != nil {
		return none, err
	}
	for _, r := range records {
		if i, ok := place[r.ID]; ok {
			out.Items[i].History = r.History
		}
	}
	return out, nil
}

// Resend sends a finished delivery of the subscription again as a new one under the same webhook-id, and returns that.
// The same key returns the same one again. It returns delivery.ErrUnknown, delivery.ErrNotFinal or delivery.ErrForgotten.
func (s *Service) Resend(ctx context.Context, by identity.Principal, id, deliveryID, key string) (delivery.Delivery, error) {
	d, err := s.cfg.Deliveries.Get(ctx, by.Tenant, deliveryID)
	if err != nil {
		return delivery.Delivery{}, err
	}
	if d.Kind != s.cfg.Kind || d.Destination != id {
		return delivery.Delivery{}, delivery.ErrUnknown
	}
	var out delivery.Delivery
	err = s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		err := s.record(ctx, by, "webhook_resend", id, false)
		if err != nil {
			return err
		}
		out, err = s.cfg.Deliveries.Resend(ctx, by, deliveryID, key)
		return err
	})
	return out, err
}

// Recover sends again what was given up at or after since, each once, and says how many; with dryRun it only counts. It
// returns ErrUnknown.
func (s *Service) Recover(ctx context.Context, by identity.Principal, id string, since time.Time, dryRun bool) (int, error) {
	if _, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id); err != nil {
		return 0, err
	}
	if err := s.record(ctx, by, "webhook_recover", id, dryRun); err != nil {
		return 0, err
	}
	return s.cfg.Deliveries.Recover(ctx, by, id, since, dryRun)
}

// record writes down what somebody asked for. Recover and ReplayMissing work in several transactions, so there it comes
// before.
func (s *Service) record(ctx context.Context, by identity.Principal, action, id string, dryRun bool) error {
	if s.cfg.Audit == nil || dryRun {
		return nil
	}
	return s.cfg.Audit.Record(ctx, audit.By(by, action, "webhook.subscription", id))
}
