package calendarbun

import (
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type eventRow struct {
	bun.BaseModel `bun:"table:calendar_events,alias:e"`

	Tenant          string     `bun:"tenant,pk"`
	ID              string     `bun:"id,pk"`
	UID             string     `bun:"uid"`
	OrganizerID     string     `bun:"organizer_id"`
	OrganizerEmail  string     `bun:"organizer_email"`
	OrganizerName   string     `bun:"organizer_name"`
	Title           string     `bun:"title"`
	Location        string     `bun:"location"`
	Description     string     `bun:"description"`
	StartAt         sqldb.Time `bun:"start_at"`
	EndAt           sqldb.Time `bun:"end_at"`
	TimeZone        string     `bun:"time_zone"`
	AllDay          bool       `bun:"all_day"`
	Recurrence      string     `bun:"recurrence"`
	Visibility      string     `bun:"visibility"`
	Status          string     `bun:"status"`
	Cause           string     `bun:"cause"`
	CauseText       string     `bun:"cause_text"`
	Sequence        int        `bun:"sequence"`
	Version         int64      `bun:"version"`
	ApprovalID      string     `bun:"approval_id"`
	ApprovalReasons []string   `bun:"approval_reasons,type:jsonb,nullzero"`
	ResourceIDs     []string   `bun:"resource_ids,type:jsonb,nullzero"`
	CreatedBy       string     `bun:"created_by"`
	CreatedAt       sqldb.Time `bun:"created_at"`
	UpdatedAt       sqldb.Time `bun:"updated_at"`
}

func eventRowOf(ev calendar.Event) eventRow {
	return eventRow{
		Tenant: string(ev.Tenant), ID: ev.ID, UID: ev.UID,
		OrganizerID: ev.OrganizerID, OrganizerEmail: ev.OrganizerEmail, OrganizerName: ev.OrganizerName,
		Title: ev.Title, Location: ev.Location, Description: ev.Description,
		StartAt: sqldb.At(ev.Start), EndAt: sqldb.At(ev.End), TimeZone: ev.TimeZone, AllDay: ev.AllDay, Recurrence: ev.Recurrence,
		Visibility: string(ev.Visibility), Status: string(ev.Status), Cause: string(ev.Cause), CauseText: ev.CauseText,
		Sequence: ev.Sequence, Version: ev.Version, ApprovalID: ev.ApprovalID, ApprovalReasons: ev.ApprovalReasons, ResourceIDs: ev.ResourceIDs,
		CreatedBy: ev.CreatedBy, CreatedAt: sqldb.At(ev.CreatedAt), UpdatedAt: sqldb.At(ev.UpdatedAt),
	}
}

func (r eventRow) event() calendar.Event {
	return calendar.Event{
		Tenant: identity.TenantID(r.Tenant), ID: r.ID, UID: r.UID,
		OrganizerID: r.OrganizerID, OrganizerEmail: r.OrganizerEmail, OrganizerName: r.OrganizerName,
		Title: r.Title, Location: r.Location, Description: r.Description,
		Start: r.StartAt.Time, End: r.EndAt.Time, TimeZone: r.TimeZone, AllDay: r.AllDay, Recurrence: r.Recurrence,
		Visibility: calendar.Visibility(r.Visibility), Status: calendar.Status(r.Status), Cause: calendar.Cause(r.Cause), CauseText: r.CauseText,
		Sequence: r.Sequence, Version: r.Version, ApprovalID: r.ApprovalID, ApprovalReasons: r.ApprovalReasons, ResourceIDs: r.ResourceIDs,
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
}

type attendeeRow struct {
	bun.BaseModel `bun:"table:calendar_attendees,alias:a"`

	Tenant        string     `bun:"tenant,pk"`
	EventID       string     `bun:"event_id,pk"`
	Email         string     `bun:"email,pk"`
	Position      int        `bun:"position"`
	Name          string     `bun:"name"`
	UserID        string     `bun:"user_id"`
	External      bool       `bun:"external"`
	Partstat      string     `bun:"partstat"`
	Comment       string     `bun:"comment"`
	ReplySequence int        `bun:"reply_sequence"`
	ReplyStamp    sqldb.Time `bun:"reply_stamp"`
	ReplyTime     sqldb.Time `bun:"reply_time"`
	Undeliverable bool       `bun:"undeliverable"`
	Invited       bool       `bun:"invited"`
}

func attendeeRows(ev calendar.Event) []attendeeRow {
	rows := make([]attendeeRow, len(ev.Attendees))
	for i, a := range ev.Attendees {
		rows[i] = attendeeRow{
			Tenant: string(ev.Tenant), EventID: ev.ID, Email: a.Email, Position: i,
			Name: a.Name, UserID: a.UserID, External: a.External, Partstat: string(a.Partstat), Comment: a.Comment,
			ReplySequence: a.ReplySequence, ReplyStamp: sqldb.At(a.ReplyStamp), ReplyTime: sqldb.At(a.ReplyTime),
			Undeliverable: a.Undeliverable, Invited: a.Invited,
		}
	}
	return rows
}

func (r attendeeRow) attendee() calendar.Attendee {
	return calendar.Attendee{
		Email: r.Email, Name: r.Name, UserID: r.UserID, External: r.External, Partstat: calendar.Partstat(r.Partstat), Comment: r.Comment,
		ReplySequence: r.ReplySequence, ReplyStamp: r.ReplyStamp.Time, ReplyTime: r.ReplyTime.Time,
		Undeliverable: r.Undeliverable, Invited: r.Invited,
	}
}

// The lanes of occurrences.
const (
	laneShort     = 0
	laneLong      = 1
	laneCancelled = 2
)

// longestShort is the length up to which an event is in the short lane.
const longestShort = 7 * 24 * time.Hour

type occurrenceRow struct {
	bun.BaseModel `bun:"table:calendar_occurrences,alias:o"`

	Tenant  string     `bun:"tenant,pk"`
	OwnerID string     `bun:"owner_id,pk"`
	Lane    int        `bun:"lane,pk"`
	StartAt sqldb.Time `bun:"start_at,pk"`
	EventID string     `bun:"event_id,pk"`
	EndAt   sqldb.Time `bun:"end_at"`
}

func laneOf(ev calendar.Event) int {
	switch {
	case ev.Status == calendar.Cancelled:
		return laneCancelled
	case ev.End.Sub(ev.Start) > longestShort:
		return laneLong
	}
	return laneShort
}

func occurrenceRows(ev calendar.Event) []occurrenceRow {
	people := ev.Calendars()
	rows := make([]occurrenceRow, len(people))
	for i, who := range people {
		rows[i] = occurrenceRow{
			Tenant: string(ev.Tenant), OwnerID: who, Lane: laneOf(ev),
			StartAt: sqldb.At(ev.Start), EndAt: sqldb.At(ev.End), EventID: ev.ID,
		}
	}
	return rows
}

type resourceRow struct {
	bun.BaseModel `bun:"table:calendar_resources,alias:r"`

	Tenant           string `bun:"tenant,pk"`
	ID               string `bun:"id,pk"`
	Name             string `bun:"name"`
	Kind             string `bun:"kind"`
	Capacity         int    `bun:"capacity"`
	RequiresApproval bool   `bun:"requires_approval"`
	BufferSeconds    int64  `bun:"buffer_seconds"`
	Active           bool   `bun:"active"`
	Version          int64  `bun:"version"`
}

func resourceRowOf(r calendar.Resource) resourceRow {
	return resourceRow{
		Tenant: string(r.Tenant), ID: r.ID, Name: r.Name, Kind: r.Kind, Capacity: r.Capacity,
		RequiresApproval: r.RequiresApproval, BufferSeconds: int64(r.Buffer / time.Second), Active: r.Active, Version: r.Version,
	}
}

func (r resourceRow) resource() calendar.Resource {
	return calendar.Resource{
		Tenant: identity.TenantID(r.Tenant), ID: r.ID, Name: r.Name, Kind: r.Kind, Capacity: r.Capacity,
		RequiresApproval: r.RequiresApproval, Buffer: time.Duration(r.BufferSeconds) * time.Second, Active: r.Active, Version: r.Version,
	}
}

func resources(rows []resourceRow) []calendar.Resource {
	out := make([]calendar.Resource, len(rows))
	for i, r := range rows {
		out[i] = r.resource()
	}
	return out
}

type holdingRow struct {
	bun.BaseModel `bun:"table:calendar_holdings,alias:h"`

	Tenant     string     `bun:"tenant,pk"`
	ResourceID string     `bun:"resource_id,pk"`
	StartAt    sqldb.Time `bun:"start_at,pk"`
	EndAt      sqldb.Time `bun:"end_at"`
	EventID    string     `bun:"event_id"`
}

func holdingRows(tenant identity.TenantID, holdings []calendar.Holding) []holdingRow {
	rows := make([]holdingRow, len(holdings))
	for i, h := range holdings {
		rows[i] = holdingRow{
			Tenant: string(tenant), ResourceID: h.ResourceID, StartAt: sqldb.At(h.Start), EndAt: sqldb.At(h.End), EventID: h.EventID,
		}
	}
	return rows
}

// missing are the rows of a that b does not have.
func missing[R comparable](a, b []R) []R {
	known := make(map[R]bool, len(b))
	for _, r := range b {
		known[r] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(r R) bool { return known[r] })
}
