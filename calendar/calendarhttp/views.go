package calendarhttp

import (
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/page"
)

// Event is an event on the wire, as the caller may see it: the time and the title, and the details if they see it in
// full. Times are missing from the answer to a delegate who moved what they may not even see the time of.
type Event struct {
	*Details
	Title   string    `json:"title"`
	StartAt time.Time `json:"start_at,omitzero"`
	EndAt   time.Time `json:"end_at,omitzero"`
}

// Details are what only those have who see an event in full; encoding/json leaves every member out when there are none.
type Details struct {
	ID              string     `json:"id"`
	UID             string     `json:"uid"`
	Organizer       Organizer  `json:"organizer"`
	Location        string     `json:"location"`
	Description     string     `json:"description"`
	TimeZone        string     `json:"time_zone" example:"Asia/Tokyo"`
	AllDay          bool       `json:"all_day"`
	Visibility      string     `json:"visibility" enum:"PUBLIC,BUSY_ONLY,PRIVATE"`
	Status          string     `json:"status" enum:"PENDING,CONFIRMED,CANCELLED"`
	Cause           string     `json:"cause,omitempty" doc:"Of a cancelled event: organizer, rejected or timed_out."`
	CauseText       string     `json:"cause_text,omitempty" doc:"The approver's reason."`
	Sequence        int        `json:"sequence" doc:"SEQUENCE of RFC 5546."`
	Version         int64      `json:"version" doc:"As in the ETag."`
	Attendees       []Attendee `json:"attendees" nullable:"false"`
	ResourceIDs     []string   `json:"resource_ids" nullable:"false"`
	Recurrence      string     `json:"recurrence"`
	ApprovalID      *string    `json:"approval_id" nullable:"true"`
	ApprovalReasons []string   `json:"approval_reasons" nullable:"false"`
	CreatedBy       string     `json:"created_by" doc:"The secretary, in secretary mode."`
	CreatedAt       time.Time  `json:"created_at"`
	UpdatedAt       time.Time  `json:"updated_at"`
}

// Organizer is whose event it is.
type Organizer struct {
	UserID string `json:"user_id"`
	Email  string `json:"email"`
	Name   string `json:"name"`
}

// Attendee is somebody invited.
type Attendee struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	UserID   string `json:"user_id" doc:"Empty for somebody outside."`
	External bool   `json:"external" doc:"Invited by mail."`
	Partstat string `json:"partstat" enum:"NEEDS-ACTION,ACCEPTED,DECLINED,TENTATIVE,DELEGATED"`
	Comment  string `json:"comment,omitempty" doc:"For those whom the event concerns."`
	Bounced  bool   `json:"undeliverable,omitempty" doc:"An invitation came back. For those whom the event concerns."`
}

func eventOf(v calendar.View) Event {
	e := Event{StartAt: v.Start, EndAt: v.End, Title: v.Title}
	if !v.Full {
		return e
	}
	e.Details = &Details{
		ID: v.ID, UID: v.UID, Organizer: Organizer{UserID: v.OrganizerID, Email: v.OrganizerEmail, Name: v.OrganizerName},
		Location: v.Location, Description: v.Description,
		TimeZone: v.TimeZone, AllDay: v.AllDay, Visibility: string(v.Visibility), Status: string(v.Status),
		Cause: string(v.Cause), CauseText: v.CauseText, Sequence: v.Sequence, Version: v.Version,
		Attendees: make([]Attendee, len(v.Attendees)), ResourceIDs: list(v.ResourceIDs), Recurrence: v.Recurrence,
		ApprovalReasons: list(v.ApprovalReasons), CreatedBy: v.CreatedBy, CreatedAt: v.CreatedAt, UpdatedAt: v.UpdatedAt,
	}
	if v.ApprovalID != "" {
		e.ApprovalID = &v.ApprovalID
	}
	for i, a := range v.Attendees {
		e.Attendees[i] = Attendee{
			Email: a.Email, Name: a.Name, UserID: a.UserID, External: a.External, Partstat: string(a.Partstat), Comment: a.Comment, Bounced: a.Undeliverable,
		}
	}
	return e
}

// Events is a page of events. It is no web.List, whose MarshalJSON would have everything copied once more: this is the
// answer that is asked for most.
type Events struct {
	Items      []Event `json:"items" nullable:"false"`
	NextCursor string  `json:"next_cursor,omitempty" doc:"Absent on the last page."`
}

func eventsOf(p page.Page[calendar.View]) Events {
	out := Events{Items: make([]Event, len(p.Items)), NextCursor: p.Next}
	for i, v := range p.Items {
		out.Items[i] = eventOf(v)
	}
	return out
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// NewAttendee is somebody to invite.
type NewAttendee struct {
	Email string `json:"email"`
	Name  string `json:"name,omitempty"`
}

func attendees(in []NewAttendee) []calendar.NewAttendee {
	out := make([]calendar.NewAttendee, len(in))
	for i, a := range in {
		out[i] = calendar.NewAttendee{Email: a.Email, Name: a.Name}
	}
	return out
}

// NewEvent is the body of POST /events.
type NewEvent struct {
	Title       string        `json:"title" doc:"One line of at most 500 characters."`
	Location    *string       `json:"location,omitempty" nullable:"true"`
	Description *string       `json:"description,omitempty" nullable:"true" doc:"At most 64 KiB."`
	StartAt     time.Time     `json:"start_at"`
	EndAt       time.Time     `json:"end_at" doc:"Exclusive; at most 366 days after start_at."`
	TimeZone    *string       `json:"time_zone,omitempty" nullable:"true" doc:"IANA; default the organizer's." example:"Asia/Tokyo"`
	AllDay      bool          `json:"all_day,omitempty" doc:"start_at and end_at are midnights in time_zone."`
	Visibility  *string       `json:"visibility,omitempty" nullable:"true" doc:"PUBLIC (default), BUSY_ONLY or PRIVATE."`
	Attendees   []NewAttendee `json:"attendees,omitempty" doc:"At most 500."`
	ResourceIDs []string      `json:"resource_ids,omitempty" doc:"At most 20."`
	Recurrence  *string       `json:"recurrence,omitempty" nullable:"true" doc:"Not supported: 422 recurrence_unsupported unless empty."`
}

func (b NewEvent) event() calendar.NewEvent {
	return calendar.NewEvent{
		Title: b.Title, Location: value(b.Location), Description: value(b.Description), Start: b.StartAt, End: b.EndAt,
		TimeZone: value(b.TimeZone), AllDay: b.AllDay, Visibility: calendar.Visibility(value(b.Visibility)),
		Attendees: attendees(b.Attendees), Resources: b.ResourceIDs, Recurrence: value(b.Recurrence),
	}
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// EventPatch is the body of PATCH /events/{id}; what is absent or null stays. Lists are replaced as a whole.
type EventPatch struct {
	Title       *string        `json:"title,omitempty" nullable:"true"`
	Location    *string        `json:"location,omitempty" nullable:"true"`
	Description *string        `json:"description,omitempty" nullable:"true"`
	StartAt     *time.Time     `json:"start_at,omitempty" nullable:"true"`
	EndAt       *time.Time     `json:"end_at,omitempty" nullable:"true"`
	TimeZone    *string        `json:"time_zone,omitempty" nullable:"true"`
	AllDay      *bool          `json:"all_day,omitempty" nullable:"true"`
	Visibility  *string        `json:"visibility,omitempty" nullable:"true"`
	Attendees   *[]NewAttendee `json:"attendees,omitempty" doc:"Who stays keeps their answer."`
	ResourceIDs *[]string      `json:"resource_ids,omitempty"`
	Recurrence  *string        `json:"recurrence,omitempty" nullable:"true"`
}

func (b EventPatch) patch() calendar.Patch {
	p := calendar.Patch{
		Title: b.Title, Location: b.Location, Description: b.Description, Start: b.StartAt, End: b.EndAt,
		TimeZone: b.TimeZone, AllDay: b.AllDay, Resources: b.ResourceIDs, Recurrence: b.Recurrence,
	}
	if b.Visibility != nil {
		v := calendar.Visibility(*b.Visibility)
		p.Visibility = &v
	}
	if b.Attendees != nil {
		a := attendees(*b.Attendees)
		p.Attendees = &a
	}
	return p
}

// RSVP is the body of POST /events/{id}/rsvp.
type RSVP struct {
	Partstat string `json:"partstat" doc:"ACCEPTED, DECLINED or TENTATIVE."`
	Comment  string `json:"comment,omitempty"`
}

// Resource is a resource on the wire.
type Resource struct {
	ID               string `json:"id"`
	Name             string `json:"name"`
	Kind             string `json:"kind" example:"room"`
	Capacity         int    `json:"capacity" doc:"People; 0: unlimited."`
	RequiresApproval bool   `json:"requires_approval"`
	BufferMinutes    int    `json:"buffer_minutes" doc:"Kept free between two bookings."`
	Active           bool   `json:"active"`
	Version          int64  `json:"version"`
}

func resourceOf(r calendar.Resource) Resource {
	return Resource{
		ID: r.ID, Name: r.Name, Kind: r.Kind, Capacity: r.Capacity, RequiresApproval: r.RequiresApproval,
		BufferMinutes: int(r.Buffer / time.Minute), Active: r.Active, Version: r.Version,
	}
}

// NewResource is the body of POST /resources.
type NewResource struct {
	ID               string `json:"id,omitempty" doc:"Default: made by the server."`
	Name             string `json:"name"`
	Kind             string `json:"kind,omitempty" doc:"Default room."`
	Capacity         int    `json:"capacity,omitempty"`
	RequiresApproval bool   `json:"requires_approval,omitempty"`
	BufferMinutes    int    `json:"buffer_minutes,omitempty"`
}

// ResourcePatch is the body of PATCH /resources/{id}; what is absent or null stays.
type ResourcePatch struct {
	Name             *string `json:"name,omitempty" nullable:"true"`
	Kind             *string `json:"kind,omitempty" nullable:"true"`
	Capacity         *int    `json:"capacity,omitempty" nullable:"true"`
	RequiresApproval *bool   `json:"requires_approval,omitempty" nullable:"true"`
	BufferMinutes    *int    `json:"buffer_minutes,omitempty" nullable:"true"`
	Active           *bool   `json:"active,omitempty" nullable:"true" doc:"False: cannot be booked any more."`
}

// Span is a time, [start_at, end_at).
type Span struct {
	StartAt time.Time `json:"start_at"`
	EndAt   time.Time `json:"end_at"`
}

func spans(in []calendar.Span) []Span {
	out := make([]Span, len(in))
	for i, s := range in {
		out[i] = Span{StartAt: s.Start, EndAt: s.End}
	}
	return out
}

// UserBusy is when somebody is busy, as far as the caller may know.
type UserBusy struct {
	UserID string `json:"user_id"`
	Busy   []Span `json:"busy" nullable:"false"`
}

// Availability is when a resource is taken, not by what.
type Availability struct {
	ResourceID string `json:"resource_id"`
	Busy       []Span `json:"busy" nullable:"false"`
}
