// Package calendar books events with people and rooms, and shows everyone as much of them as they may see.
//
//	cal, err := calendar.New(calendar.Config{Store: calendarbun.New(db), Outbox: outbox, Audit: audit, Directory: people})
//	ev, err := cal.Create(ctx, by, calendar.NewEvent{Title: "Design review", Start: t, End: t.Add(time.Hour), Resources: []string{"room-a"}})
//
// # Calendars
//
// An event is in the calendar of its organizer and of every attendee of the directory who has not declined. Listings and
// free/busy look at occurrences, one row per calendar and time. Recurrence is not offered yet: a rule is refused with
// ErrRecurrence.
//
// # Privacy
//
// [ViewOf] is the one place that decides what somebody sees (seed 003 §4), and it builds the answer before anything is
// encoded. The organizer, the attendees, and whoever holds READ_PRIVATE from one of them see everything; others see a
// PUBLIC event, the bare time of a BUSY_ONLY one, and nothing of a PRIVATE one. An event that is not seen in full cannot
// be found by id, by status or by resource.
//
// # Acting for somebody
//
// A principal that acts for another (secretary mode, seed 003 §2) needs EDIT, RESPOND or READ_PRIVATE of [Delegations];
// what is refused is audited too. EDIT does not imply READ_PRIVATE: a delegate may move an event that they cannot read.
//
// # Booking
//
// A resource is held by one event at a time, from the moment the event is stored, PENDING or CONFIRMED. A collision is a
// [ResourceConflict] with alternatives. The database itself proves that no two holdings overlap.
//
// # Consent
//
// With a [Gate], a booking that needs consent waits as PENDING, holding its resources; the gate answers by
// [Service.Confirm] or [Service.Release] in its own transaction. A material change of such a booking asks again.
//
// # Guests
//
// Attendees outside the tenant's domains are told by iMIP: the event "calendar.invitation" goes through the outbox with an
// [Invitation], in the transaction of the change. SEQUENCE follows RFC 5546 §2.1.4.
package calendar
