// Package approvalgate lets bookings wait for consent: it is calendar's Gate by package approval, and approval's
// SubjectHandler for bookings (seed 003 §6).
//
// The two services need each other, so the gate is made first, given to both, and bound at last:
//
//	gate := approvalgate.New(approvalgate.Config{Directory: people, Events: calendarStore})
//	approvals, err := approval.New(approval.Config{…, Subjects: map[string]approval.SubjectHandler{approvalgate.Kind: gate}})
//	cal, err := calendar.New(calendar.Config{…, Gate: gate})
//	gate.Bind(cal, approvals) // before the first request
//
// A pending booking holds its resources. Consent confirms it; rejection, time-out and withdrawal release it, each in the
// transaction of the decision.
package approvalgate
