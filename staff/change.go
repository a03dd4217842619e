package staff

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

// The kinds of things that change.
const (
	KindPerson = "person"
	KindUnit   = "unit"
)

// Change is a line of the change log. It says what changed, never how it was or is: personal data are read when the log
// is, and are gone from it when they are erased.
type Change struct {
	Number  int64     // rises by one per tenant; gaps do not occur
	Time    time.Time // when it was made
	Event   string    // what happened, such as EventUpdated
	Kind    string    // KindPerson or KindUnit
	ID      int64     // of the person or unit
	UnitID  int64     // of the unit in question, for EventAssigned and EventRemoved
	Fields  []string  // that changed; empty: all
	Deleted bool      // a tombstone: it exists no more
}

// The events of this package. The first six are those of seed 001; subscribers may ask for these and EventImported.
const (
	EventCreated       = "person.created"
	EventUpdated       = "person.updated"
	EventDeactivated   = "person.deactivated"
	EventPhotoApproved = "person.photo.approved"
	EventAssigned      = "person.unit.assigned"
	EventRemoved       = "person.unit.removed"

	EventImported    = "recruitment.import.completed" // the answer to who imported; only for subscriptions of the same API key
	EventOnboarding  = "staff.onboarding.started"
	EventErased      = "staff.person.erased" // for who keeps copies: they must go
	EventUnitCreated = "staff.unit.created"
	EventUnitUpdated = "staff.unit.updated"
	EventUnitDeleted = "staff.unit.deleted"
)

// EventTypes returns what others may subscribe to.
func EventTypes() []string {
	return []string{EventCreated, EventUpdated, EventDeactivated, EventPhotoApproved, EventAssigned, EventRemoved, EventImported}
}

// EventData is what events of this package carry: references only, since events are kept in many places. Subscribers get
// the person as they may see them from Service.Webhook.
type EventData struct {
	PersonID int64    `json:"person_id,omitempty"`
	UserID   string   `json:"user_id,omitempty"`
	UnitID   int64    `json:"unit_id,omitempty"`
	Fields   []string `json:"fields,omitempty"`
	Erased   bool     `json:"erased,omitempty"`

	// Of EventImported and EventOnboarding.
	KeyID             int64  `json:"key_id,omitempty"`
	Source            string `json:"source_system,omitempty"`
	ExternalID        string `json:"external_id,omitempty"`
	EmployeeReference string `json:"employee_reference,omitempty"`
}

// emit writes changes and the events that they are, in the transaction in ctx.
func (s *Service) emit(ctx context.Context, tenant identity.TenantID, userID string, changes ...Change) error {
	if len(changes) == 0 {
		return nil
	}
	events := make([]transport.Event, len(changes))
	for i := range changes {
		c := &changes[i]
		if c.Time.IsZero() {
			c.Time = s.now()
		}
		data := EventData{UnitID: c.UnitID, Fields: c.Fields, Erased: c.Deleted}
		if c.Kind == KindPerson {
			data.PersonID, data.UserID = c.ID, userID
		} else {
			data.UnitID = c.ID
		}
		events[i] = transport.Event{Type: c.Event, Tenant: tenant, Subject: subject(c.Kind, c.ID), Time: c.Time, Data: data}
	}
	if err := s.cfg.Store.Append(ctx, tenant, changes); err != nil {
		return err
	}
	return s.publish(ctx, events...)
}

func (s *Service) publish(ctx context.Context, events ...transport.Event) error {
	if s.cfg.Outbox == nil {
		return nil
	}
	return s.cfg.Outbox.Publish(ctx, events...)
}

// ErrCursorExpired is returned when changes after the cursor have been pruned: read everything anew. It is 410 in HTTP.
var ErrCursorExpired = fault.New(fault.NotFound, "cursor_expired", "changes after this cursor are no longer kept; read everything anew")

// CursorNow is the cursor that stands for the present end of the change log.
const CursorNow = "now"

const changesScope = "staff.changes"

// Feed is a cut of the change log.
type Feed struct {
	Items  []Seen
	Cursor string // where to go on, now or later; never empty
	More   bool   // there is more already
}

// Seen is a change as somebody may see it.
type Seen struct {
	Change
	Person *View // as they are now; nil for units and for who is no more
	Unit   *Unit // as it is now
}

// Changes returns what changed after the cursor, oldest first, as by may see it: changes of fields that by may not read
// do not show, but count towards the limit. An empty cursor is the beginning of what is kept, CursorNow its end. No
// change ever appears behind a cursor that was handed out, because writers of a tenant follow each other. It returns
// ErrReadForbidden, page.ErrBadCursor or ErrCursorExpired.
func (s *Service) Changes(ctx context.Context, by identity.Principal, p page.Request) (Feed, error) {
	groups, err := Readable(by)
	if err != nil {
		return Feed{}, err
	}
	pruned, last, err := s.cfg.Store.Span(ctx, by.Tenant)
	if err != nil {
		return Feed{}, err
	}
	if p.Cursor == CursorNow {
		return Feed{Cursor: page.Encode(changesScope, last)}, nil
	}
	after := pruned
	if given, err := page.Decode(changesScope, p.Cursor, &after); err != nil {
		return Feed{}, err
	} else if given && after < pruned {
		return Feed{}, ErrCursorExpired
	}
	changes, err := s.cfg.Store.Changes(ctx, by.Tenant, after, p.Size()+1)
	if err != nil {
		return Feed{}, err
	}
	if len(changes) > 0 && changes[0].Number != after+1 {
		return Feed{}, ErrCursorExpired // pruned since Span
	}
	out := Feed{}
	if len(changes) > p.Size() {
		changes, out.More = changes[:p.Size()], true
	}
	if len(changes) > 0 {
		after = changes[len(changes)-1].Number
	}
	out.Cursor = page.Encode(changesScope, after)
	out.Items, err = s.see(ctx, by.Tenant, groups, changes)
	return out, err
}

// see leaves out what groups hide and adds the things as they are now.
func (s *Service) see(ctx context.Context, tenant identity.TenantID, groups Groups, changes []Change) ([]Seen, error) {
	people, units := map[int64]*View{}, map[int64]*Unit{}
	var out []Seen
	var personIDs, unitIDs []int64
	for _, c := range changes {
		if c.Kind == KindUnit && !groups.Has(Work) {
			continue
		}
		if len(c.Fields) > 0 && c.Kind == KindPerson {
			if c.Fields = groups.Readable(c.Fields); len(c.Fields) == 0 {
				continue
			}
		}
		out = append(out, Seen{Change: c})
		if c.Kind == KindPerson {
			personIDs = append(personIDs, c.ID)
		} else {
			unitIDs = append(unitIDs, c.ID)
		}
	}
	found, err := s.peopleByID(ctx, tenant, personIDs)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		if p.ErasedAt.IsZero() {
			people[p.ID] = &View{tenant, p, groups}
		}
	}
	all, err := s.cfg.Store.UnitsByID(ctx, tenant, distinct(unitIDs))
	if err != nil {
		return nil, err
	}
	for _, u := range all {
		units[u.ID] = &u
	}
	for i, c := range out {
		if c.Kind == KindPerson {
			out[i].Person = people[c.ID]
			out[i].Deleted = out[i].Person == nil
		} else {
			out[i].Unit = units[c.ID]
			out[i].Deleted = out[i].Unit == nil
		}
	}
	return out, nil
}
