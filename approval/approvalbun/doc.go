// Package approvalbun keeps approval requests in PostgreSQL or SQLite.
//
// A pending request carries the one instant at which something is due next (due_at: the reminder, then the deadline) in a
// partial index, so that a sweep costs what is due and not what waits. Who is asked is kept twice: in the request's steps,
// as it was decided, and in approval_parties, for the lists of a person.
package approvalbun
