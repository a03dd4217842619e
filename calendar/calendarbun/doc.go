// Package calendarbun stores a calendar in PostgreSQL or SQLite.
//
// A booking is written in one statement group, one round trip: on PostgreSQL the resources' advisory locks (sorted, so
// that bookings of several resources never deadlock and those of a hot one queue), the event, its attendees and
// occurrences, and last its holdings with ON CONFLICT DO NOTHING, so that a collision is an answer and no aborted
// transaction. The exclusion constraint, or SQLite's trigger, is what guarantees that nothing is booked twice.
package calendarbun
