package calendar

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// The actions in the audit log (seed 003 §2.3).
const (
	ActionCreate      = "CREATE_EVENT"
	ActionUpdate      = "UPDATE_EVENT"
	ActionCancel      = "CANCEL_EVENT"
	ActionRespond     = "RESPOND_EVENT"
	ActionViewPrivate = "VIEW_PRIVATE" // a hidden event was read by a delegate
	ActionView        = "VIEW_EVENTS"  // only ever as the attempt of a DENIED
	ActionDenied      = "DENIED"       // metadata: attempted (an action), permission (what was missing)
)

// The events in the outbox. Each has the subject "calendar.event/<id>"; all but the invitation carry a Change.
const (
	EventCreated    = "calendar.event.created"
	EventUpdated    = "calendar.event.updated"
	EventConfirmed  = "calendar.event.confirmed" // the gate agreed
	EventReleased   = "calendar.event.released"  // the gate refused, or nobody answered it in time
	EventCancelled  = "calendar.event.cancelled"
	EventInvitation = "calendar.invitation" // carries an Invitation
)

const kind = "calendar.event"

// Change is what an event in the outbox says: enough to look the event up, and nothing that its visibility hides.
type Change struct {
	EventID     string `json:"event_id"`
	OrganizerID string `json:"organizer_id"`
	ActorID     string `json:"actor_id"` // empty when the gate did it
	Status      Status `json:"status"`
	Cause       Cause  `json:"cause,omitempty"`
	Sequence    int    `json:"sequence"`
	Version     int64  `json:"version"`
}

// Config is what a Service needs. Store, Outbox, Audit and Directory are required.
type Config struct {
	Store     Store
	Outbox    transport.Outbox
	Audit     audit.Recorder
	Directory identity.Directory
	// Delegations answers who may act for whom. Nil: nobody for anybody.
	Delegations Delegations
	// Gate says which bookings need consent. Nil: none.
	Gate Gate
	// BusyTitle replaces the title of a BUSY_ONLY event. Default DefaultBusyTitle.
	BusyTitle string
	// Now stamps what is stored. Default time.Now.
	Now func() time.Time
	// NewID makes the ids of events. Default UUIDv7.
	NewID func() string
}

// Service is the calendar. It is safe for concurrent use.
type Service struct {
	store       Store
	outbox      transport.Outbox
	audit       audit.Recorder
	directory   identity.Directory
	delegations Delegations
	gate        Gate
	busyTitle   string
	clock       func() time.Time
	newID       func() string
}

// New makes a Service. It starts nothing. The error joins everything that is missing.
func New(cfg Config) (*Service, error) {
	var missing []error
	need := func(name string, absent bool) {
		if absent {
			missing = append(missing, errors.New("calendar: Config."+name+" is required"))
		}
	}
	need("Store", cfg.Store == nil)
	need("Outbox", cfg.Outbox == nil)
	need("Audit", cfg.Audit == nil)
	need("Directory", cfg.Directory == nil)
	if len(missing) > 0 {
		return nil, errors.Join(missing...)
	}
	s := &Service{
		store: cfg.Store, outbox: cfg.Outbox, audit: cfg.Audit, directory: cfg.Directory,
		delegations: cfg.Delegations, gate: cfg.Gate, busyTitle: cfg.BusyTitle, clock: cfg.Now, newID: cfg.NewID,
	}
	if s.busyTitle == "" {
		s.busyTitle = DefaultBusyTitle
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.newID == nil {
		s.newID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return s, nil
}

func (s *Service) now() time.Time { return stored(s.clock()) }

// stored is a time as databases keep it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// may refuses a proxy without the permission, and records the attempt; with "" any delegation will do.
func (s *Service) may(ctx context.Context, by identity.Principal, p Permission, action, id string) error {
	if !by.IsProxy() {
		return nil
	}
	if s.delegations != nil {
		permissions, err := s.delegations.Permissions(ctx, by.Tenant, by.Subject, by.Actor)
		if err != nil {
			return err
		}
		if slices.Contains(permissions, p) || p == "" && len(permissions) > 0 {
			return nil
		}
	}
	return errors.Join(ErrNotDelegated, s.denied(ctx, by, p, action, id))
}

// denied records what a proxy was not let do, in a transaction of its own, which an embedder's in ctx takes over.
func (s *Service) denied(ctx context.Context, by identity.Principal, p Permission, action, id string) error {
	entry := audit.By(by, ActionDenied, kind, id)
	entry.Metadata["attempted"] = action
	if p != "" {
		entry.Metadata["permission"] = string(p)
	}
	return s.store.Do(ctx, func(ctx context.Context) error { return s.audit.Record(ctx, entry) })
}

// owned locks an event that by may change and says whether by may also read it. It needs a transaction.
func (s *Service) owned(ctx context.Context, by identity.Principal, id string, version int64) (ev Event, readable bool, err error) {
	ev, err = s.store.LockEvent(ctx, by.Tenant, id)
	if err != nil {
		return Event{}, false, err
	}
	viewer, err := s.viewer(ctx, by, ev)
	if err != nil {
		return Event{}, false, err
	}
	view, _ := ViewOf(ev, viewer)
	switch {
	case ev.OrganizerID == by.User():
	case view.Full:
		return Event{}, false, ErrNotOrganizer
	default:
		return Event{}, false, ErrNotFound
	}
	switch {
	case version != 0 && version != ev.Version:
		return Event{}, false, ErrVersionMismatch
	case ev.Status == Cancelled:
		return Event{}, false, ErrCancelled
	}
	return ev, view.Full, nil
}

// record writes what happened to ev into the audit log and the outbox.
func (s *Service) record(ctx context.Context, by identity.Principal, action, eventType string, ev Event, letters []Invitation) error {
	if action != "" {
		entry := audit.By(by, action, kind, ev.ID)
		entry.Time = ev.UpdatedAt
		if err := s.audit.Record(ctx, entry); err != nil {
			return err
		}
	}
	subject := kind + "/" + ev.ID
	events := []transport.Event{{Type: eventType, Tenant: ev.Tenant, Subject: subject, Time: ev.UpdatedAt, Data: Change{
		EventID: ev.ID, OrganizerID: ev.OrganizerID, ActorID: by.Actor,
		Status: ev.Status, Cause: ev.Cause, Sequence: ev.Sequence, Version: ev.Version,
	}}}
	for _, letter := range letters {
		events = append(events, transport.Event{Type: EventInvitation, Tenant: ev.Tenant, Subject: subject, Time: ev.UpdatedAt, Data: letter})
	}
	return s.outbox.Publish(ctx, events...)
}
