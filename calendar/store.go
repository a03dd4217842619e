package calendar

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// LongestEvent is the cap on an event's length: what lets a listing look at a bounded part of an index.
const LongestEvent = 366 * 24 * time.Hour

// Query selects occurrences that overlap [From, To) of one calendar or of one resource, ordered by start and event id.
type Query struct {
	OwnerID    string // whose calendar; or
	ResourceID string // what they hold
	Status     Status // empty: all but Cancelled
	From, To   time.Time
	AfterStart time.Time // with AfterID: the last one seen; zero: from the beginning
	AfterID    string    // empty with AfterStart: those at AfterStart are wanted too
	Limit      int
}

// Occurrence is an event in somebody's calendar at one of its times.
type Occurrence struct {
	OwnerID string
	Event   Event
}

// Events stores events. Every method sees one tenant only and joins the transaction in ctx.
type Events interface {
	// Insert stores a new event and what it holds. It returns ErrResourceConflict when a holding overlaps another; the
	// transaction can be read from still, but must not commit.
	Insert(ctx context.Context, ev Event, holdings []Holding) error
	// Update replaces was, as read by LockEvent in the same transaction, by ev: fields, attendees and occurrences. It
	// returns ErrVersionMismatch when the stored one is not was.
	Update(ctx context.Context, was, ev Event) error
	// Hold replaces what an event holds, nothing frees all. It returns ErrResourceConflict as Insert does.
	Hold(ctx context.Context, tenant identity.TenantID, eventID string, holdings []Holding) error
	// Event returns one event, or ErrNotFound.
	Event(ctx context.Context, tenant identity.TenantID, id string) (Event, error)
	// LockEvent is Event, and keeps others from changing it until the transaction ends.
	LockEvent(ctx context.Context, tenant identity.TenantID, id string) (Event, error)
	// EventID returns the id of the event with that UID, or ErrNotFound.
	EventID(ctx context.Context, tenant identity.TenantID, uid string) (string, error)
	// List returns events as Query says, each with the times of its occurrence.
	List(ctx context.Context, tenant identity.TenantID, q Query) ([]Event, error)
	// Busy returns what is in the calendars of owners in [from, to) without what is cancelled: id, organizer, visibility
	// and times of each event, and the attendees of those that are not PUBLIC.
	Busy(ctx context.Context, tenant identity.TenantID, owners []string, from, to time.Time) ([]Occurrence, error)
}

// Resources stores resources and tells what holds them.
type Resources interface {
	// InsertResource stores a new resource, or returns ErrDuplicate.
	InsertResource(ctx context.Context, r Resource) error
	// UpdateResource writes r if the stored version is r.Version-1, else it returns ErrVersionMismatch.
	UpdateResource(ctx context.Context, r Resource) error
	// Resources returns those of ids that exist.
	Resources(ctx context.Context, tenant identity.TenantID, ids []string) ([]Resource, error)
	// ListResources returns resources ordered by id; kind "" is all kinds.
	ListResources(ctx context.Context, tenant identity.TenantID, kind string, p page.Request) (page.Page[Resource], error)
	// Holdings returns what overlaps [from, to), ordered by resource and start.
	Holdings(ctx context.Context, tenant identity.TenantID, resourceIDs []string, from, to time.Time) ([]Holding, error)
}

// Store is what the service needs of a database. Package calendarbun implements it; calendartest proves one.
// Implementations are safe for concurrent use.
type Store interface {
	// Do runs fn in the transaction in ctx or in a new one (sqldb.DB.Do).
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	Events
	Resources
}
