package calendar

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Respond records the answer of by.User(), who must be among the attendees. A declined event leaves their calendar and
// comes back when they change their mind. It returns fault.Invalid with fields, ErrNotFound, ErrNotInvited,
// ErrCancelled, or ErrNotDelegated for a proxy without RESPOND.
func (s *Service) Respond(ctx context.Context, by identity.Principal, id string, r Response) (View, error) {
	if err := s.may(ctx, by, Respond, ActionRespond, id); err != nil {
		return View{}, err
	}
	if err := check.Struct(r); err != nil {
		return View{}, err
	}
	var result View
	err := s.store.Do(ctx, func(ctx context.Context) error {
		was, err := s.store.LockEvent(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		viewer, err := s.viewer(ctx, by, was)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(was.Attendees, func(a Attendee) bool { return a.UserID != "" && a.UserID == by.User() })
		if i < 0 {
			if view, _ := ViewOf(was, viewer); !view.Full {
				return ErrNotFound
			}
			return ErrNotInvited
		}
		ev, err := s.answer(ctx, by, ActionRespond, was, i, func(a *Attendee) { a.Partstat, a.Comment = r.Partstat, r.Comment })
		if err != nil {
			return err
		}
		if result, _ = ViewOf(ev, viewer); !result.Full {
			result = View{Event: Event{Title: s.busyTitle}}
		}
		return nil
	})
	return result, err
}

// ByUID returns the event with that UID in full, for the ingestion of replies; it shows nothing to anybody. Inside a
// transaction the event stays locked, so that what the caller judges is still true when they write. It returns
// ErrNotFound.
func (s *Service) ByUID(ctx context.Context, tenant identity.TenantID, uid string) (Event, error) {
	var ev Event
	err := s.store.Do(ctx, func(ctx context.Context) error {
		id, err := s.store.EventID(ctx, tenant, uid)
		if err != nil {
			return err
		}
		ev, err = s.store.LockEvent(ctx, tenant, id)
		return err
	})
	return ev, err
}

// ByID is ByUID for the id.
func (s *Service) ByID(ctx context.Context, tenant identity.TenantID, id string) (Event, error) {
	var ev Event
	err := s.store.Do(ctx, func(ctx context.Context) error {
		var err error
		ev, err = s.store.LockEvent(ctx, tenant, id)
		return err
	})
	return ev, err
}

// ApplyReply writes the answer of a, i.e. Partstat, Comment and what orders replies, with the attendee of its Email.
// Whether it is newer than the last one and who sent it is for the caller to judge, in the same transaction as ByUID. It
// returns ErrNotFound, ErrNotInvited or ErrCancelled.
func (s *Service) ApplyReply(ctx context.Context, tenant identity.TenantID, eventID string, a Attendee) error {
	return s.onAttendee(ctx, tenant, eventID, a.Email, func(ctx context.Context, was Event, i int) error {
		_, err := s.answer(ctx, identity.Principal{Tenant: tenant}, "", was, i, func(to *Attendee) {
			to.Partstat, to.Comment, to.Undeliverable = a.Partstat, a.Comment, false // who answers has been reached
			to.ReplySequence, to.ReplyStamp, to.ReplyTime = a.ReplySequence, stored(a.ReplyStamp), stored(a.ReplyTime)
		})
		return err
	})
}

// AddAttendee puts a guest on the list whose reply the organizer, or by for them, has admitted: no invitation is sent,
// but they hear of later changes. Whether by may do that is for the caller to judge. One guest more must fit into the
// rooms, and asks the gate anew where a change of the list would. Somebody who is on the list already stays as they are.
// It returns ErrNotFound, ErrCancelled, ErrOverCapacity or fault.Invalid with fields.
func (s *Service) AddAttendee(ctx context.Context, by identity.Principal, eventID string, a Attendee) error {
	guest := NewAttendee{Email: a.Email, Name: a.Name}
	if err := check.Struct(guest); err != nil {
		return err
	}
	return s.store.Do(ctx, func(ctx context.Context) error {
		was, err := s.store.LockEvent(ctx, by.Tenant, eventID)
		switch {
		case err != nil:
			return err
		case was.Status == Cancelled:
			return ErrCancelled
		case attends(was, identity.NormalEmail(a.Email)):
			return nil
		case len(was.Attendees) >= maxAttendees:
			return fault.InvalidField("attendees", "must have at most 500 items")
		}
		added, err := s.invited(ctx, by.Tenant, was.OrganizerID, []NewAttendee{guest}, nil)
		if err != nil {
			return err
		}
		one := added[0]
		if a.Partstat != "" {
			one.Partstat = a.Partstat
		}
		one.Comment, one.ReplySequence, one.ReplyStamp, one.ReplyTime = a.Comment, a.ReplySequence, stored(a.ReplyStamp), stored(a.ReplyTime)
		one.Invited = one.External
		ev := s.touched(was)
		ev.Attendees = append(ev.Attendees, one)
		resources, err := s.store.Resources(ctx, by.Tenant, ev.ResourceIDs)
		if err != nil {
			return err
		}
		if err := fits(ev, resources); err != nil {
			return err
		}
		return s.replace(ctx, by, was, &ev, resources)
	})
}

// MarkUndeliverable notes that an invitation to the attendee bounced. It returns ErrNotFound or ErrNotInvited.
func (s *Service) MarkUndeliverable(ctx context.Context, tenant identity.TenantID, eventID, email string) error {
	return s.onAttendee(ctx, tenant, eventID, email, func(ctx context.Context, was Event, i int) error {
		ev := s.touched(was)
		ev.Attendees[i].Undeliverable = true
		if err := s.record(ctx, identity.Principal{Tenant: tenant}, "", EventUpdated, ev, nil); err != nil {
			return err
		}
		return s.store.Update(ctx, was, ev)
	})
}

func (s *Service) onAttendee(ctx context.Context, tenant identity.TenantID, eventID, email string, do func(ctx context.Context, was Event, i int) error) error {
	email = identity.NormalEmail(email)
	return s.store.Do(ctx, func(ctx context.Context) error {
		was, err := s.store.LockEvent(ctx, tenant, eventID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(was.Attendees, func(a Attendee) bool { return a.Email == email })
		if i < 0 {
			return ErrNotInvited
		}
		return do(ctx, was, i)
	})
}

// answer writes one attendee's answer. It is no change of the event: SEQUENCE stays and no guest is told.
func (s *Service) answer(ctx context.Context, by identity.Principal, action string, was Event, i int, set func(*Attendee)) (Event, error) {
	if was.Status == Cancelled {
		return Event{}, ErrCancelled
	}
	ev := s.touched(was)
	set(&ev.Attendees[i])
	if err := s.record(ctx, by, action, EventUpdated, ev, nil); err != nil {
		return Event{}, err
	}
	return ev, s.store.Update(ctx, was, ev)
}

// touched is the next version of an event, with attendees of its own.
func (s *Service) touched(was Event) Event {
	ev := was
	ev.Attendees = slices.Clone(was.Attendees)
	ev.Version, ev.UpdatedAt = was.Version+1, s.now()
	return ev
}
