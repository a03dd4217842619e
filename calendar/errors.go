package calendar

import (
	"github.com/renkei-go/renkei/foundation/fault"
)

// The refusals of this package. Match with errors.Is.
var (
	// ErrNotFound: there is no such event or resource, or the caller may not see it: the two cannot be told apart.
	ErrNotFound = fault.New(fault.NotFound, "not_found", "there is no such thing in the calendar")
	// ErrNotDelegated: the caller acts for somebody without the permission to do this.
	ErrNotDelegated = fault.New(fault.Forbidden, "not_delegated", "there is no delegation that allows this")
	// ErrNotOrganizer: only the organizer, or a delegate with EDIT acting for them, changes an event.
	ErrNotOrganizer = fault.New(fault.Forbidden, "not_organizer", "only the organizer may change this event")
	// ErrNotInvited: the one who answers is no attendee.
	ErrNotInvited = fault.New(fault.Forbidden, "not_invited", "only an attendee may answer")
	// ErrHiddenFields: a delegate changes the visibility, the attendees or only a part of the time of an event that they
	// may not read.
	ErrHiddenFields = fault.New(fault.Forbidden, "hidden_fields", "visibility, attendees and a part of the time of an event that is hidden from the caller cannot be changed")
	// ErrNotAdmin: resources are kept by administrators (role "admin").
	ErrNotAdmin = fault.New(fault.Forbidden, "admin_only", "only an administrator may do this")
	// ErrUnknownOrganizer: the directory does not know the caller, who therefore has no calendar.
	ErrUnknownOrganizer = fault.New(fault.Forbidden, "unknown_person", "the directory does not know who is asking")
	// ErrVersionMismatch: the event or resource was changed since the caller saw it.
	ErrVersionMismatch = fault.New(fault.Precondition, "version_mismatch", "it was changed meanwhile")
	// ErrRecurrence: an event has one occurrence; recurrence rules are not supported.
	ErrRecurrence = fault.New(fault.Invalid, "recurrence_unsupported", "recurring events are not supported").WithField("recurrence", "must be empty")
	// ErrUnknownResource: a resource does not exist or is not in use.
	ErrUnknownResource = fault.New(fault.Invalid, "unknown_resource", "a resource does not exist or is not in use")
	// ErrOverCapacity: more people than a resource has room for.
	ErrOverCapacity = fault.New(fault.Invalid, "over_capacity", "a resource has not enough room for everybody")
	// ErrResourceConflict: a resource is taken at that time. The error is a *ResourceConflict.
	ErrResourceConflict = fault.New(fault.Conflict, "resource_conflict", "a resource is taken at that time")
	// ErrCancelled: a cancelled event does not change any more.
	ErrCancelled = fault.New(fault.Conflict, "event_cancelled", "the event is cancelled")
	// ErrNotPending: the gate answers for an event that does not wait for it.
	ErrNotPending = fault.New(fault.Conflict, "not_pending", "the event does not wait for approval")
	// ErrDuplicate: a resource with that id exists.
	ErrDuplicate = fault.New(fault.Conflict, "duplicate", "a resource with this id exists already")
)

// ResourceConflict is the error for a resource that is taken. It is ErrResourceConflict to errors.Is and a *fault.Error
// with the detail "alternatives" to errors.As.
type ResourceConflict struct { //nolint:errname // the name reads well where it is used: var conflict *calendar.ResourceConflict
	// Alternatives are up to three free slots of the same length: a like resource at the same time, or the same one half
	// an hour or an hour earlier or later. They say nothing about who has the resource.
	Alternatives []Slot
	refusal      *fault.Error
}

func newResourceConflict(alternatives []Slot) *ResourceConflict {
	if alternatives == nil {
		alternatives = []Slot{}
	}
	return &ResourceConflict{Alternatives: alternatives, refusal: ErrResourceConflict.With("alternatives", alternatives)}
}

// Error returns the refusal in words.
func (c *ResourceConflict) Error() string { return c.refusal.Error() }

// Unwrap returns the fault.
func (c *ResourceConflict) Unwrap() error { return c.refusal }
