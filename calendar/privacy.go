package calendar

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
)

// DefaultBusyTitle is what others read instead of the title of a BUSY_ONLY event (seed 003 §4.1).
const DefaultBusyTitle = "予定あり"

// Viewer is who looks at an event.
type Viewer struct {
	UserID    string   // the one who looks: in secretary mode the secretary
	ReadsFor  []string // people who gave the viewer READ_PRIVATE
	BusyTitle string   // default DefaultBusyTitle
}

// View is what somebody sees of an event. Unless Full, it has Start, End and Title and nothing else.
type View struct {
	Event
	Full bool
	// For is by whose delegation the viewer sees a hidden event; empty when by their own right.
	For string
}

// ViewOf is what v sees of ev, and false for nothing at all (seed 003 §4). It is a pure function and the only source
// of what leaves the calendar: JSON, iCalendar, free/busy, lists.
//
// The organizer and the attendees see everything, and so does who has READ_PRIVATE from one of them. Others see a
// PUBLIC event without what is between the organizer and the guests (comments, delivery, the approver's words).
func ViewOf(ev Event, v Viewer) (View, bool) {
	if concerns(ev, v.UserID) {
		return View{Event: ev, Full: true}, true
	}
	for _, delegator := range v.ReadsFor {
		if concerns(ev, delegator) {
			return View{Event: ev, Full: true, For: delegator}, true
		}
	}
	switch ev.Visibility {
	case Public:
		return View{Event: published(ev), Full: true}, true
	case BusyOnly:
		return View{Event: Event{Start: ev.Start, End: ev.End, Title: v.busyTitle()}}, true
	case Private:
	}
	return View{}, false
}

func (v Viewer) busyTitle() string {
	if v.BusyTitle == "" {
		return DefaultBusyTitle
	}
	return v.BusyTitle
}

// concerns says whether a person organizes or attends the event.
func concerns(ev Event, user string) bool {
	if user == "" {
		return false
	}
	return ev.OrganizerID == user || slices.ContainsFunc(ev.Attendees, func(a Attendee) bool { return a.UserID == user })
}

// published is a PUBLIC event for those whom it does not concern.
func published(ev Event) Event {
	public := Event{
		ID: ev.ID, UID: ev.UID, Tenant: ev.Tenant,
		OrganizerID: ev.OrganizerID, OrganizerEmail: ev.OrganizerEmail, OrganizerName: ev.OrganizerName,
		Title: ev.Title, Location: ev.Location, Description: ev.Description,
		Start: ev.Start, End: ev.End, TimeZone: ev.TimeZone, AllDay: ev.AllDay, Recurrence: ev.Recurrence,
		Visibility: ev.Visibility, Status: ev.Status, Cause: ev.Cause, Sequence: ev.Sequence, Version: ev.Version,
		ApprovalID: ev.ApprovalID, ApprovalReasons: ev.ApprovalReasons,
		CreatedBy: ev.CreatedBy, CreatedAt: ev.CreatedAt, UpdatedAt: ev.UpdatedAt, ResourceIDs: ev.ResourceIDs,
		Attendees: make([]Attendee, len(ev.Attendees)),
	}
	for i, a := range ev.Attendees {
		public.Attendees[i] = Attendee{Email: a.Email, Name: a.Name, UserID: a.UserID, External: a.External, Partstat: a.Partstat}
	}
	return public
}

// viewer returns who looks at the events. A proxy looks with their own eyes and, given READ_PRIVATE, with those of
// whom they act for: never with those of people who trust the latter, because delegation is not transitive.
func (s *Service) viewer(ctx context.Context, by identity.Principal, events ...Event) (Viewer, error) {
	v := Viewer{UserID: by.Actor, BusyTitle: s.busyTitle}
	if s.delegations == nil {
		return v, nil
	}
	if by.IsProxy() {
		permissions, err := s.delegations.Permissions(ctx, by.Tenant, by.Subject, by.Actor)
		if slices.Contains(permissions, ReadPrivate) {
			v.ReadsFor = []string{by.Subject}
		}
		return v, err
	}
	var people []string
	for _, ev := range events {
		if ev.Visibility == Public || concerns(ev, by.Actor) {
			continue
		}
		people = append(people, ev.OrganizerID)
		for _, a := range ev.Attendees {
			if a.UserID != "" {
				people = append(people, a.UserID)
			}
		}
	}
	if len(people) == 0 {
		return v, nil
	}
	slices.Sort(people)
	var err error
	v.ReadsFor, err = s.delegations.Delegators(ctx, by.Tenant, by.Actor, slices.Compact(people), ReadPrivate)
	slices.Sort(v.ReadsFor)
	return v, err
}

// auditViews records which hidden events somebody saw by another's delegation.
func (s *Service) auditViews(ctx context.Context, by identity.Principal, views ...View) error {
	var entries []audit.Entry
	for _, v := range views {
		if v.For != "" && v.Visibility != Public {
			entries = append(entries, audit.By(by.For(v.For), ActionViewPrivate, kind, v.ID))
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return s.store.Do(ctx, func(ctx context.Context) error { return s.audit.Record(ctx, entries...) })
}
