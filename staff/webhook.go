package staff

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/webhook"
)

// Owner is what a subscription's Owner says for an API key.
func Owner(keyID int64) string { return keyActor + personID(keyID) }

// Webhook is the webhook.View of this package's events: a subscriber gets the person as they are now, with the fields
// that the key which owns the subscription may read, or the default groups when no key does. It gets nothing of changes
// in fields that it may not read, and nothing once the key is revoked or has expired. It runs in the transaction in ctx.
func (s *Service) Webhook(ctx context.Context, sub webhook.Subscription, ev transport.Event) (any, bool, error) {
	var data EventData
	if err := ev.Decode(&data); err != nil || data.PersonID == 0 {
		return nil, false, nil //nolint:nilerr // another package's event
	}
	groups, keyID := DefaultGroups(), int64(0)
	if strings.HasPrefix(sub.Owner, keyActor) {
		k, err := s.ownerKey(ctx, sub)
		if errors.Is(err, ErrUnknownKey) || err == nil && !k.live(s.now()) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		groups, keyID = k.Groups, k.ID
	}
	if ev.Type == EventImported {
		if keyID == 0 || keyID != data.KeyID {
			return nil, false, nil
		}
		return imported(data, groups), true, nil
	}
	if len(data.Fields) > 0 {
		if data.Fields = groups.Readable(data.Fields); len(data.Fields) == 0 {
			return nil, false, nil
		}
	}
	return s.webhookPerson(ctx, ev, data, groups)
}

func (s *Service) ownerKey(ctx context.Context, sub webhook.Subscription) (StoredKey, error) {
	id, ok := KeyOf(identity.Principal{Actor: sub.Owner})
	if !ok {
		return StoredKey{}, ErrUnknownKey
	}
	return s.cfg.Store.Key(ctx, sub.Tenant, id)
}

func (s *Service) webhookPerson(ctx context.Context, ev transport.Event, data EventData, groups Groups) (any, bool, error) {
	found, err := s.peopleByID(ctx, ev.Tenant, []int64{data.PersonID})
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	p := found[0]
	if !p.ErasedAt.IsZero() {
		if ev.Type != EventDeactivated {
			return nil, false, nil // what was to be told of them is gone
		}
		return map[string]any{"id": p.ID, "organisation_id": json.RawMessage(AppendOrganisation(nil, ev.Tenant)), "is_active": false, "erased": true}, true, nil
	}
	raw, err := View{ev.Tenant, p, groups}.Append(nil)
	if err != nil {
		return nil, false, err
	}
	raw = raw[:len(raw)-1]
	if len(data.Fields) > 0 {
		names, _ := json.Marshal(data.Fields) // strings: cannot fail
		raw = append(append(raw, `,"changed_fields":`...), names...)
	}
	if data.UnitID != 0 && groups.Has(Work) {
		u, err := s.unit(ctx, ev.Tenant, data.UnitID)
		if err != nil && fault.CodeOf(err) != fault.NotFound {
			return nil, false, err
		}
		unit, _ := json.Marshal(map[string]any{"id": data.UnitID, "name": u.Name, "code": optional(u.Code)}) // plain: cannot fail
		raw = append(append(raw, `,"organisational_unit":`...), unit...)
	}
	return json.RawMessage(append(raw, '}')), true, nil
}

// imported is the answer to a recruitment system.
func imported(data EventData, groups Groups) map[string]any {
	out := map[string]any{"person_id": data.PersonID, "source_system": data.Source, "external_id": optional(data.ExternalID), "status": "created"}
	if groups.Has(Work) {
		out["employee_reference"] = optional(data.EmployeeReference)
	}
	return out
}
