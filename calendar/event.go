package calendar

import (
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Visibility is what others see of an event (seed 003 §4.1). A value that is none of the three counts as Private.
type Visibility string

// The three levels.
const (
	Public   Visibility = "PUBLIC"    // everything
	BusyOnly Visibility = "BUSY_ONLY" // the time only, titled 「予定あり」
	Private  Visibility = "PRIVATE"   // nothing at all
)

// Class is the level as CLASS, which tells other calendar programs how far an event may be shown on (RFC 5545 §3.8.1.3).
func (v Visibility) Class() string {
	switch v {
	case Public:
		return "PUBLIC"
	case BusyOnly:
		return "CONFIDENTIAL"
	case Private:
	}
	return "PRIVATE"
}

// Status is where an event stands.
type Status string

// An event holds its resources while it is Pending or Confirmed.
const (
	Pending   Status = "PENDING" // waits for approval
	Confirmed Status = "CONFIRMED"
	Cancelled Status = "CANCELLED"
)

// Cause says why an event was cancelled.
type Cause string

// The causes.
const (
	CauseOrganizer Cause = "organizer" // by the organizer or a delegate
	CauseRejected  Cause = "rejected"  // the approver said no
	CauseTimedOut  Cause = "timed_out" // nobody decided in time
)

// Partstat is an attendee's answer (RFC 5545 §3.2.12).
type Partstat string

// The answers.
const (
	NeedsAction Partstat = "NEEDS-ACTION"
	Accepted    Partstat = "ACCEPTED"
	Declined    Partstat = "DECLINED"
	Tentative   Partstat = "TENTATIVE"
	Delegated   Partstat = "DELEGATED"
)

// Event is an entry in a person's calendar. Times are UTC in whole microseconds, [Start, End).
type Event struct {
	ID              string // UUIDv7
	UID             string // RFC 7986 §5.3: the id, no host or user data in it
	Tenant          identity.TenantID
	OrganizerID     string // whose calendar it is in; in secretary mode the executive
	OrganizerEmail  string
	OrganizerName   string
	Title           string
	Location        string
	Description     string
	Start, End      time.Time
	TimeZone        string // IANA
	AllDay          bool
	Recurrence      string // RFC 5545 RRULE; empty: one occurrence
	Visibility      Visibility
	Status          Status
	Cause           Cause  // of a cancelled event
	CauseText       string // the reason that the approver gave
	Sequence        int    // RFC 5546 §2.1.4
	Version         int64  // the ETag; rises with every change
	ApprovalID      string // the approval request it waits or waited for
	ApprovalReasons []string
	CreatedBy       string // the actor: the secretary in secretary mode
	CreatedAt       time.Time
	UpdatedAt       time.Time
	Attendees       []Attendee
	ResourceIDs     []string
}

// Calendars are the people in whose calendars the event is: the organizer, and the attendees of the directory who have
// not declined.
func (ev Event) Calendars() []string {
	people := []string{ev.OrganizerID}
	for _, a := range ev.Attendees {
		if a.UserID != "" && a.Partstat != Declined {
			people = append(people, a.UserID)
		}
	}
	slices.Sort(people)
	return slices.Compact(people)
}

// Attendee is somebody invited. Email is in the form of identity.NormalEmail.
type Attendee struct {
	Email    string
	Name     string
	UserID   string // of the directory; empty for somebody outside
	External bool   // outside the tenant's domains: invited by iMIP
	Partstat Partstat
	Comment  string

	// Of the reply that set Partstat: what orders later ones (RFC 5546 §2.1.5).
	ReplySequence int
	ReplyStamp    time.Time // DTSTAMP
	ReplyTime     time.Time // the tie-break: X-MICROSOFT-CDO-REPLYTIME, else the mail's Date
	Undeliverable bool      // an invitation bounced
	Invited       bool      // a REQUEST went out to them and no CANCEL since: they must hear of changes
}

// Resource is a room or a thing that one event at a time can hold.
type Resource struct {
	ID               string
	Tenant           identity.TenantID
	Name             string
	Kind             string        // "room"
	Capacity         int           // people; 0: unlimited
	RequiresApproval bool          // an important resource (seed 003 §6.1)
	Buffer           time.Duration // kept free between two bookings, for setting up and cleaning
	Active           bool
	Version          int64
}

// Slot is a resource and a time that is free.
type Slot struct {
	ResourceID string    `json:"resource_id"`
	Start      time.Time `json:"start_at"`
	End        time.Time `json:"end_at"`
}

// Span is a time, [Start, End).
type Span struct{ Start, End time.Time }

// Holding is a resource kept by an event. Its time includes the resource's buffer after the event, so that two
// bookings of a resource never come closer than that.
type Holding struct {
	ResourceID string
	EventID    string
	Span
}

// Permission is what a delegation allows (seed 003 §2.1).
type Permission string

// The permissions. None implies another.
const (
	ReadPrivate Permission = "READ_PRIVATE"
	Edit        Permission = "EDIT"
	Respond     Permission = "RESPOND"
)
