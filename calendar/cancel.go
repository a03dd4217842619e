package calendar

import (
	"context"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Cancel ends an event of by.User() that is at version, 0 for any: it frees its resources, takes its request for
// consent back, and tells the guests who hold an invitation. It returns ErrNotFound, ErrNotOrganizer,
// ErrVersionMismatch, ErrCancelled, or ErrNotDelegated for a proxy without EDIT.
func (s *Service) Cancel(ctx context.Context, by identity.Principal, id string, version int64) error {
	if err := s.may(ctx, by, Edit, ActionCancel, id); err != nil {
		return err
	}
	return s.store.Do(ctx, func(ctx context.Context) error {
		was, _, err := s.owned(ctx, by, id, version)
		if err != nil {
			return err
		}
		if was.Status == Pending && s.gate != nil {
			if err := s.gate.Withdraw(ctx, by, was); err != nil {
				return err
			}
		}
		ev := was
		ev.Status, ev.Cause = Cancelled, CauseOrganizer
		actedBy, err := s.actedBy(ctx, by)
		if err != nil {
			return err
		}
		return s.settle(ctx, by, ActionCancel, EventCancelled, was, ev, actedBy)
	})
}

// Confirm is the gate's yes: the PENDING event is CONFIRMED and its guests are invited. Its resources are held already,
// so nothing is checked again. Call it inside the transaction of the decision. It returns ErrNotFound or ErrNotPending.
func (s *Service) Confirm(ctx context.Context, tenant identity.TenantID, id string) error {
	return s.decided(ctx, tenant, id, EventConfirmed, func(ev *Event) { ev.Status = Confirmed })
}

// Release is the gate's no, or its silence until the deadline: the PENDING event is CANCELLED, its resources are free,
// and text is kept as the reason. Call it inside the transaction of the decision. It returns ErrNotFound or ErrNotPending.
func (s *Service) Release(ctx context.Context, tenant identity.TenantID, id string, cause Cause, text string) error {
	return s.decided(ctx, tenant, id, EventReleased, func(ev *Event) {
		ev.Status, ev.Cause, ev.CauseText = Cancelled, cause, text
	})
}

func (s *Service) decided(ctx context.Context, tenant identity.TenantID, id, eventType string, decide func(*Event)) error {
	return s.store.Do(ctx, func(ctx context.Context) error {
		was, err := s.store.LockEvent(ctx, tenant, id)
		if err != nil {
			return err
		}
		if was.Status != Pending {
			return ErrNotPending
		}
		actedBy := ""
		if was.CreatedBy != was.OrganizerID {
			if actedBy, err = s.address(ctx, tenant, was.CreatedBy); err != nil {
				return err
			}
		}
		ev := was
		decide(&ev)
		// The decision itself is in the gate's own audit trail, with who decided.
		return s.settle(ctx, identity.Principal{Tenant: tenant}, "", eventType, was, ev, actedBy)
	})
}

// settle writes a new status.
func (s *Service) settle(ctx context.Context, by identity.Principal, action, eventType string, was, ev Event, actedBy string) error {
	ev.Version, ev.UpdatedAt = was.Version+1, s.now()
	resequence(was, &ev)
	letters := letters(was, &ev, actedBy)
	if err := s.record(ctx, by, action, eventType, ev, letters); err != nil {
		return err
	}
	if err := s.store.Update(ctx, was, ev); err != nil {
		return err
	}
	if ev.Status != Cancelled || len(ev.ResourceIDs) == 0 {
		return nil
	}
	return s.store.Hold(ctx, ev.Tenant, ev.ID, nil)
}
