package rsvp

import (
	"context"
	"errors"
	"slices"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
)

// The audit actions of Accept and Decline.
const (
	ActionAccept  = "ACCEPT_PROPOSAL"
	ActionDecline = "DECLINE_PROPOSAL"
)

// Accept moves the event to the time that a guest proposed (COUNTER, RFC 5546 §3.2.7): a change like another, which may
// find a room taken or ask for consent, and of which all guests hear by a new REQUEST. The organizer may, and a delegate
// who acts for them with EDIT. It returns what calendar's Update does, ErrNotFound for an unknown reply, ErrNoProposal,
// ErrSettled, or ErrStale when the event has another SEQUENCE now or the guest is not on the list any more.
func (s *Service) Accept(ctx context.Context, by identity.Principal, eventID, replyID string) (Entry, error) {
	return s.settle(ctx, by, eventID, replyID, ActionAccept, Accepted, func(ctx context.Context, ev calendar.Event, e Entry) error {
		_, err := s.cfg.Events.Update(ctx, by, ev.ID, ev.Version, calendar.Patch{Start: &e.Proposed.Start, End: &e.Proposed.End})
		return err
	})
}

// Decline leaves the event as it is and tells the guest so by mail (DECLINECOUNTER, RFC 5546 §3.2.8). Who may, and what
// it returns, is as with Accept.
func (s *Service) Decline(ctx context.Context, by identity.Principal, eventID, replyID string) (Entry, error) {
	return s.settle(ctx, by, eventID, replyID, ActionDecline, Declined, func(ctx context.Context, ev calendar.Event, e Entry) error {
		return s.cfg.Events.DeclineCounter(ctx, by, ev.ID, e.Attendee)
	})
}

// settle does what follows from the answer to a proposal, in the transaction that notes it.
func (s *Service) settle(
	ctx context.Context, by identity.Principal, eventID, replyID, action string, as Settlement, do func(context.Context, calendar.Event, Entry) error,
) (Entry, error) {
	if err := s.organized(ctx, by, eventID); err != nil {
		return Entry{}, err
	}
	may, err := s.allowed(ctx, by)
	if err != nil {
		return Entry{}, err
	}
	if !slices.Contains(may, calendar.Edit) {
		return Entry{}, errors.Join(calendar.ErrNotDelegated, s.denied(ctx, by, action, eventID))
	}
	var settled Entry
	err = s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		ev, err := s.cfg.Events.ByID(ctx, by.Tenant, eventID) // locked: one answer at a time
		if err != nil {
			return err
		}
		if settled, err = s.cfg.Store.Entry(ctx, by.Tenant, replyID); err != nil {
			return err
		}
		if err := answerable(ev, settled); err != nil {
			return err
		}
		now, err := s.cfg.Store.Now(ctx)
		if err != nil {
			return err
		}
		settled.Settled, settled.SettledBy, settled.SettledAt = as, by.Actor, now
		if err := s.cfg.Store.Settled(ctx, by.Tenant, replyID, as, by.Actor, now); err != nil {
			return err
		}
		if err := s.record(ctx, by, action, eventID, replyID, settled.Decision); err != nil {
			return err
		}
		return do(ctx, ev, settled)
	})
	return settled, err
}

// answerable returns nothing for a proposal that can still be answered.
func answerable(ev calendar.Event, e Entry) error {
	switch {
	case e.EventID != ev.ID:
		return ErrNotFound
	case e.Decision != Counter:
		return ErrNoProposal
	case e.Settled != "":
		return ErrSettled
	case ev.Status == calendar.Cancelled:
		return calendar.ErrCancelled
	case e.Sequence != ev.Sequence || attendee(&ev, e.Attendee) == nil:
		return ErrStale
	}
	return nil
}
