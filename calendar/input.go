package calendar

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

const (
	maxDescription = 64 << 10 // bytes
	maxAttendees   = 500      // as NewEvent's tag says
)

// The years that an event may lie in.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2201, 1, 1, 0, 0, 0, 0, time.UTC)
)

// NewEvent is what somebody wants in their calendar.
type NewEvent struct {
	Title       string        `json:"title" validate:"required,single_line,maxrunes=500"`
	Location    string        `json:"location" validate:"single_line,maxrunes=500"`
	Description string        `json:"description" validate:"text=multiline"` // at most 64 KiB
	Start       time.Time     `json:"start_at"`
	End         time.Time     `json:"end_at"`                                               // after Start, by at most LongestEvent
	TimeZone    string        `json:"time_zone" validate:"omitempty,iana_tz"`               // default: the organizer's, else UTC
	AllDay      bool          `json:"all_day"`                                              // Start and End are midnights in TimeZone
	Visibility  Visibility    `json:"visibility" validate:"oneof=PUBLIC BUSY_ONLY PRIVATE"` // default Public
	Attendees   []NewAttendee `json:"attendees" validate:"max=500,dive"`
	Resources   []string      `json:"resource_ids" validate:"max=20,dive,required,single_line,maxrunes=200"`
	Recurrence  string        `json:"recurrence"` // must be empty
}

// NewAttendee is somebody to invite. The same address twice is one attendee.
type NewAttendee struct {
	Email string `json:"email" validate:"required,email_addr"`
	Name  string `json:"name" validate:"single_line,maxrunes=200"` // default: the directory's
}

// Patch changes what is not nil.
type Patch struct {
	Title       *string
	Location    *string
	Description *string
	Start       *time.Time
	End         *time.Time
	TimeZone    *string
	AllDay      *bool
	Visibility  *Visibility
	Attendees   *[]NewAttendee // the whole list; who stays keeps their answer
	Resources   *[]string      // the whole list
	Recurrence  *string
}

// apply returns the event as its organizer would now enter it.
func (p Patch) apply(ev Event) NewEvent {
	in := NewEvent{
		Title: ev.Title, Location: ev.Location, Description: ev.Description, Start: ev.Start, End: ev.End,
		TimeZone: ev.TimeZone, AllDay: ev.AllDay, Visibility: ev.Visibility, Resources: ev.ResourceIDs, Recurrence: ev.Recurrence,
	}
	for _, a := range ev.Attendees {
		in.Attendees = append(in.Attendees, NewAttendee{Email: a.Email, Name: a.Name})
	}
	set(&in.Title, p.Title)
	set(&in.Location, p.Location)
	set(&in.Description, p.Description)
	set(&in.Start, p.Start)
	set(&in.End, p.End)
	set(&in.TimeZone, p.TimeZone)
	set(&in.AllDay, p.AllDay)
	set(&in.Visibility, p.Visibility)
	set(&in.Attendees, p.Attendees)
	set(&in.Resources, p.Resources)
	set(&in.Recurrence, p.Recurrence)
	return in
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// normal fills the defaults in and checks the whole: the tags first, then what they cannot say.
func (in NewEvent) normal(defaultZone string) (NewEvent, error) {
	if in.Visibility == "" {
		in.Visibility = Public
	}
	if in.TimeZone == "" {
		in.TimeZone = defaultZone
	}
	if in.TimeZone == "" {
		in.TimeZone = "UTC"
	}
	in.Start, in.End = stored(in.Start), stored(in.End)
	if in.Recurrence != "" {
		return in, ErrRecurrence
	}
	err := check.Struct(in)
	if err != nil && fault.As(err) == nil {
		return in, err
	}
	bad := check.ErrInput
	if f := fault.As(err); f != nil {
		bad = f
	}
	bounds := [...]string{"start_at", "end_at"}
	refuse := func(location, message string) { bad = bad.WithField(location, message) }
	if in.Title != "" && strings.TrimSpace(in.Title) == "" {
		refuse("title", "is required")
	}
	if len(in.Description) > maxDescription {
		refuse("description", "must have at most 65536 bytes")
	}
	for i, at := range []time.Time{in.Start, in.End} {
		if at.Before(earliest) || at.After(latest) {
			refuse(bounds[i], "must be a time in the years 1970 to 2200")
		}
	}
	switch length := in.End.Sub(in.Start); {
	case length <= 0:
		refuse("end_at", "must be after start_at")
	case length > LongestEvent:
		refuse("end_at", "must be at most 366 days after start_at")
	}
	if in.AllDay {
		zone, err := time.LoadLocation(in.TimeZone)
		if err != nil {
			return in, bad // the tag has said so
		}
		for i, at := range []time.Time{in.Start, in.End} {
			if !beginsDay(at, zone) {
				refuse(bounds[i], "must be midnight in time_zone for an all-day event")
			}
		}
	}
	if len(bad.Fields) > 0 {
		return in, bad
	}
	in.Resources = slices.Compact(slices.Sorted(slices.Values(in.Resources)))
	return in, nil
}

// beginsDay says whether a local date begins at the instant: at midnight, or later where the clocks skip midnight.
func beginsDay(at time.Time, zone *time.Location) bool {
	return at.Add(-time.Microsecond).In(zone).Format(time.DateOnly) != at.In(zone).Format(time.DateOnly)
}

// Response is an attendee's answer.
type Response struct {
	Partstat Partstat `json:"partstat" validate:"required,oneof=ACCEPTED DECLINED TENTATIVE"`
	Comment  string   `json:"comment" validate:"text=multiline,maxrunes=2000"`
}

// invited resolves the attendees by the directory; who was invited before keeps their answer.
func (s *Service) invited(ctx context.Context, tenant identity.TenantID, organizer string, in []NewAttendee, before []Attendee) ([]Attendee, error) {
	attendees := make([]Attendee, 0, len(in))
	seen := make(map[string]bool, len(in))
	known := make(map[string]Attendee, len(before))
	for _, a := range before {
		known[a.Email] = a
	}
	var unknown []string
	for _, a := range in {
		email := identity.NormalEmail(a.Email)
		if seen[email] {
			continue
		}
		seen[email] = true
		attendee, ok := known[email]
		if !ok {
			attendee = Attendee{Email: email, Partstat: NeedsAction}
			unknown = append(unknown, email)
		}
		if name := strings.TrimSpace(a.Name); name != "" {
			attendee.Name = name
		}
		attendees = append(attendees, attendee)
	}
	if len(unknown) == 0 {
		return attendees, nil
	}
	people, err := s.directory.ByEmail(ctx, tenant, unknown)
	if err != nil {
		return nil, err
	}
	byEmail := make(map[string]identity.Person, len(people))
	for _, p := range people {
		byEmail[identity.NormalEmail(p.Email)] = p
	}
	internal := map[string]bool{} // by domain
	for i := range attendees {
		a := &attendees[i]
		if _, ok := known[a.Email]; ok {
			continue
		}
		if p, ok := byEmail[a.Email]; ok {
			a.UserID = p.ID
			if a.Name == "" {
				a.Name = p.Name
			}
		}
		if a.UserID == organizer && organizer != "" {
			a.Partstat = Accepted
		}
		domain := a.Email[strings.LastIndexByte(a.Email, '@'):]
		inside, asked := internal[domain]
		if !asked {
			if inside, err = s.directory.IsInternal(ctx, tenant, a.Email); err != nil {
				return nil, err
			}
			internal[domain] = inside
		}
		a.External = !inside
	}
	return attendees, nil
}

// active returns the resources, each of which must exist and be in use.
func (s *Service) active(ctx context.Context, tenant identity.TenantID, ids []string) ([]Resource, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.store.Resources(ctx, tenant, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(found, func(r Resource) bool { return r.ID == id && r.Active }) {
			return nil, ErrUnknownResource.WithField("resource_ids", "must be resources in use")
		}
	}
	return found, nil
}

// fits refuses more people than a resource has room for.
func fits(ev Event, resources []Resource) error {
	people := headcount(ev)
	for _, r := range resources {
		if r.Capacity > 0 && people > r.Capacity {
			return ErrOverCapacity.WithField("resource_ids", "must have room for everybody")
		}
	}
	return nil
}

// headcount is the number of attendees, and one for the organizer who is not among them.
func headcount(ev Event) int {
	people := len(ev.Attendees)
	if !slices.ContainsFunc(ev.Attendees, func(a Attendee) bool {
		return a.UserID == ev.OrganizerID || a.Email == ev.OrganizerEmail
	}) {
		people++
	}
	return people
}

// holdings are the resources of ev at its time.
func holdings(ev Event, resources []Resource) []Holding {
	held := make([]Holding, 0, len(resources))
	for _, r := range resources {
		held = append(held, Holding{ResourceID: r.ID, EventID: ev.ID, Span: Span{ev.Start, ev.End.Add(r.Buffer)}})
	}
	slices.SortFunc(held, func(a, b Holding) int { return strings.Compare(a.ResourceID, b.ResourceID) })
	return held
}

// organizer is the person in whose calendar by writes.
func (s *Service) organizer(ctx context.Context, by identity.Principal) (identity.Person, error) {
	p, err := s.directory.Person(ctx, by.Tenant, by.User())
	if errors.Is(err, identity.ErrUnknownPerson) {
		return p, ErrUnknownOrganizer
	}
	return p, err
}
