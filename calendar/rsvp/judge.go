package rsvp

import (
	"cmp"
	"time"

	"github.com/renkei-go/renkei/calendar"
)

// Verdict is a decision and, in words, why.
type Verdict struct {
	Decision Decision
	Detail   string
}

// Judge decides on a reply. ev is the event that it names, or nil when there is none. It is a pure function: all that
// it knows is in its arguments.
func Judge(ev *calendar.Event, r Reply, p Proof) Verdict {
	switch {
	case ev == nil:
		return Verdict{UnknownUID, "there is no event with this UID"}
	case !r.Refresh && !isAnswer(r):
		return Verdict{Malformed, "PARTSTAT is no answer"}
	case r.Organizer != "" && r.Organizer != ev.OrganizerEmail:
		return Verdict{Malformed, "ORGANIZER is not the event's"}
	case r.RecurrenceID != nil && !isOccurrence(ev, r):
		return Verdict{NotAnInstance, "RECURRENCE-ID names no occurrence of the event"}
	}
	if v := sentBy(ev, r, p); v.Decision != "" {
		return v
	}
	if ev.Status == calendar.Cancelled {
		return Verdict{Cancelled, "the event is cancelled"}
	}
	if r.Refresh {
		return judgeRefresh(ev, r, p)
	}
	guest := attendee(ev, r.Attendee)
	switch {
	case guest == nil:
		return Verdict{NotInvited, "the sender was not invited"}
	case p.Trust == TrustNone:
		return Verdict{Unverified, "nothing proves who sent the reply"}
	case sequence(ev, r) < ev.Sequence:
		return Verdict{Stale, "it answers an older version of the event"}
	case older(ev, r, *guest):
		return Verdict{OutOfOrder, "a later answer is known already"}
	case r.Counter:
		return judgeCounter(ev, r)
	}
	return Verdict{Decision: Applied}
}

func isAnswer(r Reply) bool {
	switch r.Partstat {
	case calendar.Accepted, calendar.Declined, calendar.Tentative, calendar.Delegated:
		return true
	default:
		return r.Counter // a proposal may leave the answer open
	}
}

// isOccurrence compares instants. An event has the one occurrence that starts with it.
func isOccurrence(ev *calendar.Event, r Reply) bool {
	return r.RecurrenceID.In(zone(ev)).Equal(ev.Start)
}

func zone(ev *calendar.Event) *time.Location {
	if loc, err := time.LoadLocation(ev.TimeZone); err == nil {
		return loc
	}
	return time.UTC
}

// sentBy returns SenderMismatch when the sender is not the one who answers (RFC 5546 §6.1.1), else nothing.
func sentBy(ev *calendar.Event, r Reply, p Proof) Verdict {
	switch p.Trust {
	case TrustInternal:
		return Verdict{}
	case TrustAddress, TrustButton:
		if p.EventID != ev.ID {
			return Verdict{SenderMismatch, "the reply address belongs to another event"}
		}
		// Whoever is on the list has an address of their own: another guest's does not speak for them. Of a stranger it
		// says who passed the invitation on.
		if r.Attendee != p.Guest && attendee(ev, r.Attendee) != nil {
			return Verdict{SenderMismatch, "the reply address belongs to another guest"}
		}
	default:
		if p.From == "" || p.From != r.Attendee {
			return Verdict{SenderMismatch, "the sender answers for somebody else"}
		}
	}
	return Verdict{}
}

func attendee(ev *calendar.Event, email string) *calendar.Attendee {
	for i := range ev.Attendees {
		if ev.Attendees[i].Email == email {
			return &ev.Attendees[i]
		}
	}
	return nil
}

func sequence(ev *calendar.Event, r Reply) int {
	if r.HasSequence {
		return r.Sequence
	}
	return ev.Sequence
}

// older says whether the reply came before the answer that is known, in the order of RFC 5546 §2.1.5 with a tie-break.
// What is equal counts as newer.
func older(ev *calendar.Event, r Reply, known calendar.Attendee) bool {
	if known.ReplyStamp.IsZero() {
		return false
	}
	return cmp.Or(
		cmp.Compare(sequence(ev, r), known.ReplySequence),
		r.Stamp.Compare(known.ReplyStamp),
		r.ReplyTime.Compare(known.ReplyTime),
	) < 0
}

// proposed returns the time that a counter-proposal names, zero when it names none: in the event's zone where it has no
// zone of its own, and as long as the event where it has no length.
func proposed(ev *calendar.Event, r Reply) calendar.Span {
	if r.Start.IsZero() {
		return calendar.Span{}
	}
	start, end := stored(r.Start.In(zone(ev))), stored(r.End.In(zone(ev)))
	if start.Equal(end) {
		end = start.Add(ev.End.Sub(ev.Start))
	}
	if start.IsZero() || !end.After(start) {
		return calendar.Span{}
	}
	return calendar.Span{Start: start, End: end}
}

func judgeCounter(ev *calendar.Event, r Reply) Verdict {
	at := proposed(ev, r)
	if at.Start.IsZero() || at.Start.Equal(ev.Start) && at.End.Equal(ev.End) {
		return Verdict{Malformed, "it proposes no other time"}
	}
	return Verdict{Counter, "proposes " + at.Start.Format(time.RFC3339) + "/" + at.End.Format(time.RFC3339)}
}

// judgeRefresh lets have the invitation again who holds one; how often is for the caller to see.
func judgeRefresh(ev *calendar.Event, r Reply, p Proof) Verdict {
	_, invited := ev.Invitee(r.Attendee)
	switch {
	case !invited:
		return Verdict{RefreshRefused, "no invitation is out to whoever asks"}
	case p.Trust == TrustNone:
		return Verdict{RefreshRefused, "nothing proves who asks"}
	}
	return Verdict{Refreshed, "the invitation was sent again"}
}
