package staff

import (
	"context"
	"errors"
	"slices"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
)

// pushed is a system that webhooks went to, and whether the last of them arrived.
type pushed struct {
	tenant  identity.TenantID
	key     int64
	arrived bool
}

// WebhookKind is hooks.DeliveryKind, which also writes down in Systems how the deliveries to an API key's subscriptions
// ended.
func (s *Service) WebhookKind(hooks *webhook.Service) delivery.Kind {
	kind := hooks.DeliveryKind()
	done := kind.Done
	kind.Done = func(ctx context.Context, ds []delivery.Delivery) error {
		if done != nil {
			if err := done(ctx, ds); err != nil {
				return err
			}
		}
		return s.noteDeliveries(ctx, hooks, ds)
	}
	return kind
}

func (s *Service) noteDeliveries(ctx context.Context, hooks *webhook.Service, ds []delivery.Delivery) error {
	last := map[string]delivery.Delivery{}
	for _, d := range ds {
		if d.State == delivery.Succeeded || d.State == delivery.Dead {
			last[d.Destination] = d
		}
	}
	var all []pushed
	for id, d := range last {
		sub, err := hooks.Get(ctx, identity.Principal{Tenant: d.Tenant}, id)
		if errors.Is(err, webhook.ErrUnknown) {
			continue
		}
		if err != nil {
			return err
		}
		if key, ok := KeyOf(identity.Principal{Actor: sub.Owner}); ok {
			all = append(all, pushed{d.Tenant, key, d.State == delivery.Succeeded})
		}
	}
	// In one order everywhere: two that write the same systems must not wait for each other.
	slices.SortFunc(all, func(a, b pushed) int { return int(a.key - b.key) })
	for _, p := range all {
		var failure error
		if !p.arrived {
			failure = ErrNotDelivered
		}
		if err := s.Pushed(ctx, p.tenant, p.key, failure); err != nil && fault.CodeOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}
