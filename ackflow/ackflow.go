package ackflow

import (
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// TargetKind names requests in audit entries and event subjects.
const TargetKind = "chat_ack_requests"

// The other kinds of things in audit entries.
const (
	MessageKind  = "chat_messages"
	TemplateKind = "chat_ack_templates"
)

// State is where a request stands. It is derived, never stored.
type State string

// The states.
const (
	Open      State = "open"
	Completed State = "completed" // everybody has acknowledged what the message says now, in time or late
	Canceled  State = "canceled"
	Expired   State = "expired" // past DueAt and not complete; it can still be completed
)

// Message is what is to be acknowledged. Times are UTC in whole microseconds, here and below.
type Message struct {
	ID        string
	Tenant    identity.TenantID
	Room      string
	Author    string
	Body      string
	Revision  int64 // from 1; every edit raises it
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt time.Time // zero: not deleted
	URL       string    // where it is shown; empty: see Config.Link
}

// Audience names people: one by one, by group and by role.
type Audience struct {
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
	Roles  []string `json:"roles,omitempty"`
}

// IsEmpty says whether nobody is named.
func (a Audience) IsEmpty() bool { return len(a.Users)+len(a.Groups)+len(a.Roles) == 0 }

// Escalation says who is told, and when, that a request is still not complete.
type Escalation struct {
	AfterHours *int     // after DueAt; nil: never
	To         Audience // empty: the managers of those who are missing
}

// Request asks people to acknowledge a message.
type Request struct {
	ID         string
	Tenant     identity.TenantID
	MessageID  string
	Room       string
	Named      Audience  // how those who are asked were named; who they are was decided when it was made
	DueAt      time.Time // zero: no hurry, so no reminders and no escalation
	RemindHour int       // hours between reminders
	Escalation Escalation
	TemplateID string // that made it; empty: somebody did
	CreatedAt  time.Time
	CreatedBy  string

	CanceledAt   time.Time // zero: not
	CanceledBy   string
	CancelReason string

	Revision       int64 // of the message, as acknowledgements must have it
	MessageDeleted bool
	Required       int       // how many are asked
	Missing        int       // how many of them have not acknowledged it
	CompletedAt    time.Time // when Missing became 0; zero: it is not

	Reminders  int       // rounds sent
	RemindedAt time.Time // the last one
	RemindAt   time.Time // the next one; zero: none
	EscalateAt time.Time // zero: never, or done
}

// State derives where the request stands at an instant.
func (r Request) State(now time.Time) State {
	switch {
	case !r.CanceledAt.IsZero():
		return Canceled
	case r.Required > 0 && r.Missing == 0:
		return Completed
	case !r.DueAt.IsZero() && r.DueAt.Before(now):
		return Expired
	}
	return Open
}

// reopen notes that so many people are missing again. Who has just taken an acknowledgement back, or been told that it is
// void, needs no reminder at once; and where nobody was missing when the escalation was due, it is not due at once either,
// but as long after the next reminder as it was to be after the first.
func (r *Request) reopen(missing int, now time.Time) {
	complete := r.Missing == 0
	r.Missing, r.CompletedAt = missing, time.Time{}
	if !r.RemindAt.IsZero() && !r.RemindAt.After(now) {
		r.RemindAt = now.Add(time.Duration(r.RemindHour) * time.Hour)
	}
	if hours := r.Escalation.AfterHours; complete && hours != nil && !r.EscalateAt.IsZero() && !r.EscalateAt.After(now) {
		r.EscalateAt = r.RemindAt.Add(time.Duration(*hours) * time.Hour)
	}
}

// NextAt is when something is to be done for the request without anybody asking: a reminder or the escalation. It is
// zero while nobody can be missing.
func (r Request) NextAt() time.Time {
	switch {
	case !r.CanceledAt.IsZero(), r.MessageDeleted, r.Missing == 0:
		return time.Time{}
	case r.EscalateAt.IsZero():
		return r.RemindAt
	case r.RemindAt.IsZero(), r.EscalateAt.Before(r.RemindAt):
		return r.EscalateAt
	}
	return r.RemindAt
}

// Person is somebody who is asked, and their acknowledgement if there is one.
type Person struct {
	UserID   string
	AckedAt  time.Time // zero: not acknowledged, or what they acknowledged was edited since
	AckedBy  string    // who did it: somebody who acted for them, or they themselves
	Revision int64     // of the message that was acknowledged
}

// Acked says whether the person has acknowledged what the message says now.
func (p Person) Acked() bool { return !p.AckedAt.IsZero() }

// Detail is a request with what belongs to it.
type Detail struct {
	Request
	State   State
	Message *Message // nil: it is not there any more
	People  []Person // in the order in which they were named
	Links   []Link   // those that the caller may read, newest first
}

// UserIDs returns everybody who is asked.
func (d Detail) UserIDs() []string {
	ids := make([]string, 0, len(d.People))
	for _, p := range d.People {
		ids = append(ids, p.UserID)
	}
	return ids
}

// Acks returns the people whose acknowledgement holds, the earliest first.
func (d Detail) Acks() []Person {
	acks := []Person{}
	for _, p := range d.People {
		if p.Acked() {
			acks = append(acks, p)
		}
	}
	slices.SortStableFunc(acks, func(a, b Person) int { return a.AckedAt.Compare(b.AckedAt) })
	return acks
}

// Target is what a request is linked with, in its owner's terms: {"approval_instances", "0197…"}.
type Target struct{ Table, ID string }

// String returns "<table>/<id>".
func (t Target) String() string { return t.Table + "/" + t.ID }

// Link ties a request to a target (seed 002, case B).
type Link struct {
	ID         string
	Tenant     identity.TenantID
	RequestID  string
	MessageID  string
	Target     Target
	FlowType   string
	ActionKey  string
	TemplateID string // that made it; empty: somebody did
	CreatedBy  string
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Template says what is asked of whom when an action of a flow is taken. It is retired by Enabled=false.
type Template struct {
	ID         string
	Tenant     identity.TenantID
	FlowType   string
	ActionKey  string
	Body       string // of the message
	Required   Audience
	DueInHours *int // after the action; nil: no hurry
	RemindHour int  // hours between reminders
	Escalation Escalation
	Enabled    bool
	CreatedAt  time.Time
	CreatedBy  string
	UpdatedAt  time.Time
	UpdatedBy  string
}
