package ical

import "time"

// Reply is one attendee's answer to one event or one of its instances (RFC 5546 §3.2.3). These are the only values of a
// reply that an organizer may take over; who is believed is decided by others.
type Reply struct {
	UID           string
	RecurrenceID  *Time // nil: the whole series
	ThisAndFuture bool
	Sequence      int
	HasSequence   bool      // false: the answer is to the current sequence
	DTStamp       time.Time // zero when absent: use the mail's date
	ReplyTime     time.Time // X-MICROSOFT-CDO-REPLYTIME, breaks ties of DTStamp; zero when absent
	Attendee      Attendee
	Others        []Attendee // attendees beyond the one that RFC 5546 allows, e.g. a delegate
	Organizer     *Organizer // often missing
	Comment       string
	Start, End    Time // of the event as the attendee has it, or proposes it; zero when absent
}

// Replies returns the answers of a METHOD:REPLY object, one for each of its events; events that lack the UID or an
// attendee with a mail address are left out. The first such attendee is the one who answers.
// It returns ErrNotReply or ErrMalformedReply (fault.Invalid).
func (o Object) Replies() ([]Reply, error) {
	if o.Method != MethodReply {
		return nil, ErrNotReply
	}
	var replies []Reply
	for _, e := range o.Events {
		var known []Attendee
		for _, a := range e.Attendees {
			if a.Email != "" {
				known = append(known, a)
			}
		}
		if e.UID == "" || len(known) == 0 {
			continue
		}
		replies = append(replies, Reply{
			UID: e.UID, RecurrenceID: e.RecurrenceID, ThisAndFuture: e.ThisAndFuture,
			Sequence: e.Sequence, HasSequence: e.HasSequence, DTStamp: e.DTStamp, ReplyTime: e.ReplyTime,
			Attendee: known[0], Others: known[1:], Organizer: e.Organizer, Comment: e.Comment,
			Start: e.Start, End: e.End,
		})
	}
	if len(replies) == 0 {
		return nil, ErrMalformedReply
	}
	return replies, nil
}
