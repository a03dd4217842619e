package calendar

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// reschedules says whether a change of fields makes SEQUENCE rise: DTSTART, DTEND or RRULE become others (RFC 5546
// §2.1.4). The text of DTSTART holds the zone and whether it is a date.
func reschedules(was, ev Event) bool {
	return moved(was, ev) || was.TimeZone != ev.TimeZone || was.AllDay != ev.AllDay || was.Recurrence != ev.Recurrence
}

func moved(was, ev Event) bool { return !was.Start.Equal(ev.Start) || !was.End.Equal(ev.End) }

// resequence raises ev's SEQUENCE when the change from was to ev asks for it: a new time, a cancellation, a guest who
// gets a CANCEL, or a new STATUS that guests had been told otherwise. A description never does.
func resequence(was Event, ev *Event) {
	told := slices.ContainsFunc(was.Attendees, func(a Attendee) bool { return a.Invited })
	uninvited := slices.ContainsFunc(was.Attendees, func(a Attendee) bool { return a.Invited && !attends(*ev, a.Email) })
	if reschedules(was, *ev) || ev.Status == Cancelled || uninvited || told && was.Status != ev.Status {
		ev.Sequence = was.Sequence + 1
	}
}

func attends(ev Event, email string) bool {
	return slices.ContainsFunc(ev.Attendees, func(a Attendee) bool { return a.Email == email })
}

// rewritten says whether a guest's copy of the event is out of date.
func rewritten(was, ev Event) bool {
	return was.Sequence != ev.Sequence || was.Title != ev.Title || was.Location != ev.Location ||
		was.Description != ev.Description || was.Visibility != ev.Visibility || was.Status != ev.Status
}

// letters says which guests outside are told of the change from was (zero: a new event) to ev, and notes in ev who holds
// an invitation. While ev waits for consent nobody is invited; who is taken off the list hears of it at once.
func letters(was Event, ev *Event, actedBy string) []Invitation {
	var uninvited, updated, invited []Attendee
	for _, a := range was.Attendees {
		if a.Invited && (ev.Status == Cancelled || !attends(*ev, a.Email)) {
			uninvited = append(uninvited, a)
		}
	}
	ev.Attendees = slices.Clone(ev.Attendees)
	for i := range ev.Attendees {
		a := &ev.Attendees[i]
		switch {
		case ev.Status == Cancelled:
			a.Invited = false
		case !a.External || ev.Status != Confirmed:
		case !a.Invited:
			a.Invited = true
			invited = append(invited, *a)
		case rewritten(was, *ev):
			updated = append(updated, *a)
		}
	}
	var all []Invitation
	add := func(m Method, of Event, guests []Attendee, isUpdate bool) {
		if len(guests) > 0 {
			all = append(all, Invitation{Method: m, Event: of, Guests: guests, ActedBy: actedBy, Updated: isUpdate})
		}
	}
	// Who is taken off the list is told of the event as it was: what it has become is not for them.
	gone := was
	gone.Status, gone.Cause, gone.Sequence, gone.Version, gone.UpdatedAt = ev.Status, ev.Cause, ev.Sequence, ev.Version, ev.UpdatedAt
	add(Cancel, gone, uninvited, false)
	add(Request, *ev, updated, true)
	add(Request, *ev, invited, false)
	return all
}

// actedBy is the address for SENT-BY: the secretary's, or "" when the organizer acts.
func (s *Service) actedBy(ctx context.Context, by identity.Principal) (string, error) {
	if !by.IsProxy() {
		return "", nil
	}
	return s.address(ctx, by.Tenant, by.Actor)
}

// address is a person's mail address, "" for a stranger to the directory.
func (s *Service) address(ctx context.Context, tenant identity.TenantID, id string) (string, error) {
	people, err := s.directory.People(ctx, tenant, []string{id})
	if err != nil || len(people) == 0 {
		return "", err
	}
	return identity.NormalEmail(people[0].Email), nil
}

// Invitee returns the attendee who holds an invitation to the event as it is: nobody does while it waits for consent or
// after it was cancelled. email is in the form of identity.NormalEmail.
func (ev Event) Invitee(email string) (Attendee, bool) {
	i := slices.IndexFunc(ev.Attendees, func(a Attendee) bool { return a.Email == email && a.Invited })
	if i < 0 || ev.Status != Confirmed {
		return Attendee{}, false
	}
	return ev.Attendees[i], true
}

// Resend sends the present REQUEST once more to a guest who asks for it (REFRESH, RFC 5546 §3.2.6): SEQUENCE stays. Who
// asks, and how often, is for the caller to judge. It returns ErrNotFound, or ErrNotInvited for who is no Invitee.
func (s *Service) Resend(ctx context.Context, tenant identity.TenantID, eventID, email string) error {
	return s.store.Do(ctx, func(ctx context.Context) error {
		ev, err := s.store.Event(ctx, tenant, eventID)
		if err != nil {
			return err
		}
		guest, ok := ev.Invitee(identity.NormalEmail(email))
		if !ok {
			return ErrNotInvited
		}
		return s.post(ctx, Invitation{Method: Request, Event: ev, Guests: []Attendee{guest}, Updated: true})
	})
}

// DeclineCounter tells an attendee that the time that they proposed was declined, by the organizer or by for them, and
// that the event stays as it is (RFC 5546 §3.2.8). Whether by may do that is for the caller to judge. It returns
// ErrNotFound or ErrNotInvited.
func (s *Service) DeclineCounter(ctx context.Context, by identity.Principal, eventID, email string) error {
	return s.onAttendee(ctx, by.Tenant, eventID, email, func(ctx context.Context, ev Event, i int) error {
		actedBy, err := s.actedBy(ctx, by)
		if err != nil {
			return err
		}
		return s.post(ctx, Invitation{Method: DeclineCounter, Event: ev, Guests: ev.Attendees[i : i+1], ActedBy: actedBy})
	})
}

// post sends a letter that goes with no change of its event.
func (s *Service) post(ctx context.Context, letter Invitation) error {
	return s.outbox.Publish(ctx, transport.Event{
		Type: EventInvitation, Tenant: letter.Event.Tenant, Subject: kind + "/" + letter.Event.ID, Time: s.now(), Data: letter,
	})
}
