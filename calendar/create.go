package calendar

import (
	"context"
	"errors"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Create stores an event in the calendar of by.User() and returns it in full. It is CONFIRMED, and guests outside are
// invited; or PENDING when the gate wants consent, holding its resources meanwhile.
//
// It returns fault.Invalid with fields, ErrRecurrence, ErrUnknownResource, ErrOverCapacity, a *ResourceConflict,
// ErrUnknownOrganizer, or ErrNotDelegated for a proxy without EDIT. The transaction in ctx is joined.
func (s *Service) Create(ctx context.Context, by identity.Principal, in NewEvent) (View, error) {
	if err := s.may(ctx, by, Edit, ActionCreate, ""); err != nil {
		return View{}, err
	}
	organizer, err := s.organizer(ctx, by)
	if err != nil {
		return View{}, err
	}
	if in, err = in.normal(organizer.TimeZone); err != nil {
		return View{}, err
	}
	now := s.now()
	draft := Event{
		ID: s.newID(), Tenant: by.Tenant,
		OrganizerID: organizer.ID, OrganizerEmail: identity.NormalEmail(organizer.Email), OrganizerName: organizer.Name,
		Status: Confirmed, Version: 1, CreatedBy: by.Actor, CreatedAt: now, UpdatedAt: now,
	}
	draft.UID = draft.ID
	in.fill(&draft)
	if draft.Attendees, err = s.invited(ctx, by.Tenant, organizer.ID, in.Attendees, nil); err != nil {
		return View{}, err
	}
	resources, err := s.active(ctx, by.Tenant, draft.ResourceIDs)
	if err != nil {
		return View{}, err
	}
	if err := fits(draft, resources); err != nil {
		return View{}, err
	}
	if s.gate != nil {
		if draft.ApprovalReasons, err = s.gate.Reasons(ctx, draft, resources); err != nil {
			return View{}, err
		}
	}
	actedBy, err := s.actedBy(ctx, by)
	if err != nil {
		return View{}, err
	}
	var ev Event
	err = s.store.Do(ctx, func(ctx context.Context) error {
		ev = draft
		return s.insert(ctx, by, &ev, resources, actedBy)
	})
	if errors.Is(err, ErrResourceConflict) {
		err = s.conflict(ctx, draft, resources)
	}
	if err != nil {
		return View{}, err
	}
	return View{Event: ev, Full: true}, nil
}

// insert writes the event and all that goes with it. The holdings come last, so that a busy resource is kept from others
// for one round trip and the commit only.
func (s *Service) insert(ctx context.Context, by identity.Principal, ev *Event, resources []Resource, actedBy string) error {
	if len(ev.ApprovalReasons) > 0 {
		ev.Status = Pending
		var err error
		if ev.ApprovalID, err = s.gate.Open(ctx, by, *ev, resources); err != nil {
			return err
		}
	}
	letters := letters(Event{}, ev, actedBy)
	if err := s.record(ctx, by, ActionCreate, EventCreated, *ev, letters); err != nil {
		return err
	}
	return s.store.Insert(ctx, *ev, holdings(*ev, resources))
}

// fill sets the fields of ev that need no looking up.
func (in NewEvent) fill(ev *Event) {
	ev.Title, ev.Location, ev.Description = in.Title, in.Location, in.Description
	ev.Start, ev.End, ev.TimeZone, ev.AllDay = in.Start, in.End, in.TimeZone, in.AllDay
	ev.Visibility, ev.ResourceIDs = in.Visibility, in.Resources
}
