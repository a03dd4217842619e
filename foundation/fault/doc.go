// Package fault is the one error vocabulary of Renkei: a closed list of codes, and an [Error] that says
// what went wrong in a form that a program can match (Code, Reason), a person can read (Message, Fields)
// and a log can explain (the cause).
//
// A domain declares its errors once, as sentinels, and returns them enriched:
//
//	var ErrVersionMismatch = fault.New(fault.Precondition, "version_mismatch", "the event was changed meanwhile")
//
//	return ErrVersionMismatch.With("current", ev.Version)
//
// errors.Is(err, ErrVersionMismatch) still holds: two faults are the same when Code and Reason are.
// An error that is no fault has the code [Internal]: nothing of its text ever reaches a client.
package fault
