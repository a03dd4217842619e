package approvalgate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Kind is the kind of the subjects: bookings, by event id.
const Kind = "calendar.event"

// Calendar is what the gate asks of the calendar; calendar.Service is one. Both join the transaction in ctx.
type Calendar interface {
	// Confirm makes a pending event confirmed; invitations go out.
	Confirm(ctx context.Context, tenant identity.TenantID, id string) error
	// Release cancels a pending event and frees its resources.
	Release(ctx context.Context, tenant identity.TenantID, id string, cause calendar.Cause, text string) error
}

// Events locks events as the calendar does; calendar.Store is one.
type Events interface {
	LockEvent(ctx context.Context, tenant identity.TenantID, id string) (calendar.Event, error)
}

// Config says what a Gate works with.
type Config struct {
	Directory identity.Directory // required: who holds which role
	// Events is the calendar's store. A decision then waits for somebody who is changing the booking. Nil: they may
	// deadlock, which costs PostgreSQL a second to break up and one of them another try.
	Events Events
	Flow   string // the flow of the rules and guards; default approval.BookingFlow
}

// Gate is a calendar.Gate, and an approval.SubjectHandler with what else a handler can be. It is safe for concurrent use
// once it is bound.
type Gate struct {
	cfg       Config
	calendar  Calendar
	approvals *approval.Service
}

var (
	_ calendar.Gate            = (*Gate)(nil)
	_ approval.SubjectHandler  = (*Gate)(nil)
	_ approval.WithdrawHandler = (*Gate)(nil)
	_ approval.SubjectLocker   = (*Gate)(nil)
)

// New makes a gate that is of use after Bind.
func New(cfg Config) *Gate {
	if cfg.Flow == "" {
		cfg.Flow = approval.BookingFlow
	}
	return &Gate{cfg: cfg}
}

// Bind completes the wiring. Call it once, before the first request is served; until then the gate's methods return
// approval.ErrNotBound.
func (g *Gate) Bind(c Calendar, approvals *approval.Service) {
	g.calendar, g.approvals = c, approvals
}

func (g *Gate) bound() error {
	if g.calendar == nil || g.approvals == nil || g.cfg.Directory == nil {
		return approval.ErrNotBound
	}
	return nil
}

// Reasons implements calendar.Gate by the rules of the flow.
func (g *Gate) Reasons(ctx context.Context, ev calendar.Event, resources []calendar.Resource) ([]string, error) {
	if err := g.bound(); err != nil {
		return nil, err
	}
	facts, err := g.facts(ctx, ev, resources)
	if err != nil {
		return nil, err
	}
	verdict, err := g.approvals.Evaluate(ctx, ev.Tenant, g.cfg.Flow, facts)
	return verdict.Reasons, err
}

// facts states what the rules look at: attendees, the number of the invited (the organizer only if listed); role, the
// roles that the organizer and the attendees of the organisation hold; resource, the names of those that require
// approval.
func (g *Gate) facts(ctx context.Context, ev calendar.Event, resources []calendar.Resource) (approval.Facts, error) {
	ids := []string{ev.OrganizerID}
	for _, a := range ev.Attendees {
		if a.UserID != "" && !slices.Contains(ids, a.UserID) {
			ids = append(ids, a.UserID)
		}
	}
	people, err := g.cfg.Directory.People(ctx, ev.Tenant, ids)
	if err != nil {
		return nil, err
	}
	roles, important := []string{}, []string{}
	for _, p := range people {
		roles = append(roles, p.Roles...)
	}
	slices.Sort(roles)
	for _, r := range resources {
		if r.RequiresApproval {
			important = append(important, r.Name)
		}
	}
	return approval.Facts{"attendees": len(ev.Attendees), "role": slices.Compact(roles), "resource": important}, nil
}

// material is what the approver decides on. A change of the time or the resources asks anew; one of the rest makes a
// decision on what was shown before stale. Its hash is shown to them, and a title is easily guessed by one: what the
// visibility hides is no part of it.
type material struct {
	Title       string    `json:"title"`
	Start       time.Time `json:"start_at"`
	End         time.Time `json:"end_at"`
	Recurrence  string    `json:"recurrence"`
	ResourceIDs []string  `json:"resource_ids"`
	Attendees   []string  `json:"attendees"` // empty ones where only their number is shown
}

func materialOf(ev calendar.Event) material {
	m := material{
		Start: ev.Start.UTC(), End: ev.End.UTC(), Recurrence: ev.Recurrence,
		ResourceIDs: slices.Sorted(slices.Values(ev.ResourceIDs)), Attendees: make([]string, len(ev.Attendees)),
	}
	if ev.Visibility != calendar.Public {
		return m
	}
	m.Title = ev.Title
	for i, a := range ev.Attendees {
		m.Attendees[i] = a.Email
	}
	slices.Sort(m.Attendees)
	return m
}

const maxSummary = 1000 // characters

const untitled = "予約 / booking"

// title is what an approver may know the event by. They are none of those whom its visibility lets see the title, unless it
// is public (seed 003 §4).
func title(ev calendar.Event) string {
	if name := strings.Join(strings.Fields(ev.Title), " "); ev.Visibility == calendar.Public && name != "" {
		return name
	}
	return untitled
}

// summary is the line that the approver reads.
func summary(title string, ev calendar.Event, resources []calendar.Resource) string {
	zone, err := time.LoadLocation(ev.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	start, end := ev.Start.In(zone), ev.End.In(zone)
	from, to := "2006-01-02 15:04", "15:04 MST"
	if start.Format("MST") != end.Format("MST") { // the clocks change meanwhile: 01:30 may come twice
		from += " MST"
	}
	if start.Format(time.DateOnly) != end.Format(time.DateOnly) {
		to = "2006-01-02 " + to
	}
	parts := []string{title, start.Format(from) + "–" + end.Format(to)}
	for _, r := range resources {
		parts = append(parts, r.Name)
	}
	line := []rune(strings.Join(parts, ", "))
	return string(line[:min(len(line), maxSummary)])
}

// Open implements calendar.Gate. The deadline is no later than the start of the event. It returns what
// approval.Service.Submit does.
func (g *Gate) Open(ctx context.Context, by identity.Principal, ev calendar.Event, resources []calendar.Resource) (string, error) {
	if err := g.bound(); err != nil {
		return "", err
	}
	sub, err := g.submission(ctx, ev, resources)
	if err != nil {
		return "", err
	}
	by.Tenant = ev.Tenant
	r, err := g.approvals.Submit(ctx, by, sub)
	return r.ID, err
}

func (g *Gate) submission(ctx context.Context, ev calendar.Event, resources []calendar.Resource) (approval.Submission, error) {
	facts, err := g.facts(ctx, ev, resources)
	return approval.Submission{
		Subject: subject(ev.ID), Flow: g.cfg.Flow, Facts: facts, Content: materialOf(ev),
		Summary: summary(title(ev), ev, resources), Discreet: summary(untitled, ev, resources),
		Requester: ev.OrganizerID, NotAfter: ev.Start,
	}, err
}

// Revise implements calendar.Gate.
func (g *Gate) Revise(ctx context.Context, by identity.Principal, ev calendar.Event, resources []calendar.Resource) error {
	if err := g.bound(); err != nil {
		return err
	}
	sub, err := g.submission(ctx, ev, resources)
	if err != nil {
		return err
	}
	by.Tenant = ev.Tenant
	return g.approvals.Revise(ctx, by, sub)
}

// Conceal implements calendar.Gate: the requests about the event no longer say its title.
func (g *Gate) Conceal(ctx context.Context, by identity.Principal, ev calendar.Event) error {
	if err := g.bound(); err != nil {
		return err
	}
	by.Tenant = ev.Tenant
	return g.approvals.Conceal(ctx, by, subject(ev.ID))
}

// Withdraw implements calendar.Gate.
func (g *Gate) Withdraw(ctx context.Context, by identity.Principal, ev calendar.Event) error {
	if err := g.bound(); err != nil {
		return err
	}
	by.Tenant = ev.Tenant
	return g.approvals.WithdrawSubject(ctx, by, subject(ev.ID), "the booking was changed or cancelled")
}

func subject(id string) approval.Subject { return approval.Subject{Kind: Kind, ID: id} }

// Approved implements approval.SubjectHandler: the booking is confirmed.
func (g *Gate) Approved(ctx context.Context, r approval.Request) error {
	if err := g.bound(); err != nil {
		return err
	}
	return g.calendar.Confirm(ctx, r.Tenant, r.Subject.ID)
}

// Rejected implements approval.SubjectHandler: the booking is cancelled with the approver's reason.
func (g *Gate) Rejected(ctx context.Context, r approval.Request) error {
	return g.release(ctx, r, calendar.CauseRejected)
}

// TimedOut implements approval.SubjectHandler: the booking is cancelled.
func (g *Gate) TimedOut(ctx context.Context, r approval.Request) error {
	return g.release(ctx, r, calendar.CauseTimedOut)
}

// Withdrawn implements approval.WithdrawHandler: who takes the request back gives the booking up.
func (g *Gate) Withdrawn(ctx context.Context, r approval.Request) error {
	return g.release(ctx, r, calendar.CauseOrganizer)
}

func (g *Gate) release(ctx context.Context, r approval.Request, cause calendar.Cause) error {
	if err := g.bound(); err != nil {
		return err
	}
	return g.calendar.Release(ctx, r.Tenant, r.Subject.ID, cause, r.Outcome.Reason)
}

// LockSubject implements approval.SubjectLocker by Config.Events.
func (g *Gate) LockSubject(ctx context.Context, tenant identity.TenantID, id string) error {
	if g.cfg.Events == nil {
		return nil
	}
	_, err := g.cfg.Events.LockEvent(ctx, tenant, id)
	return err
}
