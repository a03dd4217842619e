package calendar

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Update changes an event of by.User() that is at version, 0 for any, and returns it as by may see it: a delegate with
// EDIT but without READ_PRIVATE gets the busy title of what they moved and no more.
//
// A new time asks the attendees anew (PARTSTAT is NEEDS-ACTION again). A change of the time or the resources, or one of
// the attendees that changes the gate's reasons, asks the gate anew.
//
// It returns what Create does, ErrNotFound, ErrNotOrganizer, ErrVersionMismatch, ErrCancelled or ErrHiddenFields.
func (s *Service) Update(ctx context.Context, by identity.Principal, id string, version int64, p Patch) (View, error) {
	if err := s.may(ctx, by, Edit, ActionUpdate, id); err != nil {
		return View{}, err
	}
	var ev Event
	var readable bool
	var resources []Resource
	err := s.store.Do(ctx, func(ctx context.Context) error {
		var was Event
		var err error
		if was, readable, err = s.owned(ctx, by, id, version); err != nil {
			return err
		}
		if !readable && p.discloses(was) {
			return ErrHiddenFields
		}
		if ev, resources, err = s.patched(ctx, was, p); err != nil {
			return err
		}
		return s.replace(ctx, by, was, &ev, resources)
	})
	switch {
	case errors.Is(err, ErrHiddenFields):
		err = errors.Join(err, s.denied(ctx, by, ReadPrivate, ActionUpdate, id))
	case !errors.Is(err, ErrResourceConflict):
	case readable || p.Start != nil && p.End != nil && p.Resources != nil:
		err = s.conflict(ctx, ev, resources)
	default:
		err = newResourceConflict(nil) // alternatives would tell when the event is, or where
	}
	switch {
	case err != nil:
		return View{}, err
	case !readable:
		return View{Event: Event{Title: s.busyTitle}}, nil
	}
	return View{Event: ev, Full: true}, nil
}

// discloses says whether the answer to the patch would tell of ev what is hidden: as an attendee its author would see
// everything, and part of a PRIVATE event's time is refused or not by what the rest of it is.
func (p Patch) discloses(ev Event) bool {
	whole := p.Start != nil && p.End != nil
	timed := p.Start != nil || p.End != nil || p.TimeZone != nil || p.AllDay != nil
	return p.Visibility != nil || p.Attendees != nil || timed && !whole && ev.Visibility != BusyOnly
}

// patched is the event after the patch, before anything follows from it, with its resources.
func (s *Service) patched(ctx context.Context, was Event, p Patch) (Event, []Resource, error) {
	in, err := p.apply(was).normal(was.TimeZone)
	if err != nil {
		return Event{}, nil, err
	}
	ev := was
	in.fill(&ev)
	if p.Attendees != nil {
		if ev.Attendees, err = s.invited(ctx, was.Tenant, was.OrganizerID, in.Attendees, was.Attendees); err != nil {
			return Event{}, nil, err
		}
	}
	var resources []Resource
	if slices.Equal(was.ResourceIDs, ev.ResourceIDs) {
		resources, err = s.store.Resources(ctx, was.Tenant, ev.ResourceIDs) // one that went out of use stays booked
	} else {
		resources, err = s.active(ctx, was.Tenant, ev.ResourceIDs)
	}
	if err == nil && (p.Resources != nil || p.Attendees != nil) {
		err = fits(ev, resources)
	}
	return ev, resources, err
}

// replace writes ev over was with all that follows.
func (s *Service) replace(ctx context.Context, by identity.Principal, was Event, ev *Event, resources []Resource) error {
	ev.Version, ev.UpdatedAt = was.Version+1, s.now()
	if moved(was, *ev) {
		ev.Attendees = slices.Clone(ev.Attendees)
		for i := range ev.Attendees {
			a := &ev.Attendees[i]
			a.ReplySequence, a.ReplyStamp, a.ReplyTime = 0, time.Time{}, time.Time{} // answers to what was are stale by SEQUENCE
			if a.UserID != ev.OrganizerID {
				a.Partstat = NeedsAction
			}
		}
	}
	if err := s.consent(ctx, by, was, ev, resources); err != nil {
		return err
	}
	resequence(was, ev)
	actedBy, err := s.actedBy(ctx, by)
	if err != nil {
		return err
	}
	letters := letters(was, ev, actedBy)
	if err := s.record(ctx, by, ActionUpdate, EventUpdated, *ev, letters); err != nil {
		return err
	}
	if err := s.store.Update(ctx, was, *ev); err != nil {
		return err
	}
	if !moved(was, *ev) && slices.Equal(was.ResourceIDs, ev.ResourceIDs) || len(was.ResourceIDs)+len(ev.ResourceIDs) == 0 {
		return nil
	}
	return s.store.Hold(ctx, ev.Tenant, ev.ID, holdings(*ev, resources))
}

// reasonAttendees is the reason that grows with the number of attendees (seed 003 §6.1).
const reasonAttendees = "attendees"

// consent asks the gate again after a material change, and sets the status that follows. Of what changes less, a pending
// request is told.
func (s *Service) consent(ctx context.Context, by identity.Principal, was Event, ev *Event, resources []Resource) error {
	if s.gate == nil {
		return nil
	}
	if ev.Visibility != was.Visibility && ev.Visibility != Public { // before anything is told of it
		if err := s.gate.Conceal(ctx, by, *ev); err != nil {
			return err
		}
	}
	rebooked := moved(was, *ev) || !slices.Equal(was.ResourceIDs, ev.ResourceIDs)
	// Not only the change counts for the reasons: roles, resources and the rules may be other ones by now. That asks nobody anew.
	if !rebooked && sameGuests(was, *ev) {
		return s.revise(ctx, by, was, *ev, resources)
	}
	reasons, err := s.gate.Reasons(ctx, *ev, resources)
	if err != nil {
		return err
	}
	if !rebooked {
		before, err := s.gate.Reasons(ctx, was, resources)
		if err != nil {
			return err
		}
		// What was approved for ten is not approved for three hundred.
		grown := was.Status != Pending && len(ev.Attendees) > len(was.Attendees) && slices.Contains(reasons, reasonAttendees)
		if !grown && slices.Equal(reasons, before) {
			return s.revise(ctx, by, was, *ev, resources)
		}
	}
	if was.ApprovalID != "" {
		if err := s.gate.Withdraw(ctx, by, was); err != nil {
			return err
		}
	}
	ev.Status, ev.ApprovalID, ev.ApprovalReasons = Confirmed, "", reasons
	if len(reasons) > 0 {
		ev.Status = Pending
		ev.ApprovalID, err = s.gate.Open(ctx, by, *ev, resources)
	}
	return err
}

func (s *Service) revise(ctx context.Context, by identity.Principal, was, ev Event, resources []Resource) error {
	if was.Status != Pending {
		return nil
	}
	return s.gate.Revise(ctx, by, ev, resources)
}

func sameGuests(was, ev Event) bool {
	return slices.EqualFunc(was.Attendees, ev.Attendees, func(a, b Attendee) bool { return a.Email == b.Email })
}
