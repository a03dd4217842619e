package ackflow

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

// Get returns a request with message, people and links to those whom it concerns: who made it, who is asked, who was told
// that others are missing, who takes part in a target that it is linked with, and who oversees (role admin or mgmt). Links show as
// far as the caller may read them. It returns ErrNotFound.
func (s *Service) Get(ctx context.Context, by identity.Principal, id string) (Detail, error) {
	r, err := s.store.Request(ctx, by.Tenant, id)
	if err != nil {
		return Detail{}, err
	}
	seen, err := s.sees(ctx, by, r)
	if err != nil {
		return Detail{}, err
	}
	if !seen {
		return Detail{}, ErrNotFound
	}
	now, err := s.now(ctx)
	if err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, by, r, now)
}

// detail collects what belongs to a request.
func (s *Service) detail(ctx context.Context, by identity.Principal, r Request, now time.Time) (Detail, error) {
	d := Detail{Request: r, State: r.State(now)}
	m, err := s.store.Message(ctx, r.Tenant, r.MessageID)
	switch {
	case err == nil:
		d.Message = &m
	case !isGone(err):
		return Detail{}, err
	}
	if d.People, err = s.store.People(ctx, r.Tenant, r.ID); err != nil {
		return Detail{}, err
	}
	d.Links, err = s.readable(ctx, by, LinkFilter{RequestID: r.ID}, page.MaxLimit)
	return d, err
}

// sees says whether the request concerns the caller.
func (s *Service) sees(ctx context.Context, by identity.Principal, r Request) (bool, error) {
	if oversees(by) || r.CreatedBy == by.User() {
		return true, nil
	}
	_, err := s.store.Person(ctx, r.Tenant, r.ID, by.User())
	if err == nil || fault.CodeOf(err) != fault.Forbidden {
		return err == nil, err
	}
	if told, err := s.store.WasTold(ctx, r.Tenant, r.ID, by.User()); err != nil || told {
		return told, err
	}
	links, err := s.readable(ctx, by, LinkFilter{RequestID: r.ID}, 1)
	return len(links) > 0, err
}

// Role is in what part the caller of List stands.
type Role string

// The roles.
const (
	AsRequired Role = "required" // asked to acknowledge
	AsCreator  Role = "creator"  // who asked
)

// Query selects requests for List.
type Query struct {
	Role  Role  // empty: AsRequired
	State State // empty: any
	Acked *bool // with AsRequired: whether the caller has acknowledged what the message says now; nil: either
}

// List returns the caller's requests, newest first; "mine to acknowledge" is Query{Acked: &no, State: …}. It returns
// ErrInvalidQuery for an unknown role or state, and page.ErrBadCursor.
func (s *Service) List(ctx context.Context, by identity.Principal, q Query, p page.Request) (page.Page[Listed], error) {
	now, err := s.now(ctx)
	if err != nil {
		return page.Page[Listed]{}, err
	}
	f := RequestFilter{State: q.State, Acked: q.Acked, Now: now}
	switch q.Role {
	case AsRequired, "":
		f.Required = by.User()
	case AsCreator:
		f.Creator = by.User()
		if q.Acked != nil {
			return page.Page[Listed]{}, ErrInvalidQuery.WithField("acked", "needs role=required")
		}
	default:
		return page.Page[Listed]{}, ErrInvalidQuery.WithField("role", "must be required or creator")
	}
	switch q.State {
	case "", Open, Completed, Canceled, Expired:
	default:
		return page.Page[Listed]{}, ErrInvalidQuery.WithField("state", "must be open, completed, canceled or expired")
	}
	return s.store.ListRequests(ctx, by.Tenant, f, p)
}

// StillNeeded says whether what a notice of this package asks for is still to be done, or what it says is still so. Notices
// of other templates, and other packages', are never out of date: it answers true. A sender asks right before it sends, so
// that nobody is reminded of what they have just done.
func (s *Service) StillNeeded(ctx context.Context, n transport.Notice) (bool, error) {
	if !slices.Contains([]string{TemplateRequested, TemplateReminder, TemplateEdited, TemplateStandIn, TemplateEscalated, TemplateCompleted}, n.Template) {
		return true, nil
	}
	id, _ := n.Data["request_id"].(string)
	r, err := s.store.Request(ctx, n.Tenant, id)
	if isGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !r.CanceledAt.IsZero() || r.MessageDeleted || (r.Missing == 0) != (n.Template == TemplateCompleted) {
		return false, nil
	}
	if slices.Contains([]string{TemplateEscalated, TemplateStandIn, TemplateCompleted}, n.Template) {
		return true, nil
	}
	p, err := s.store.Person(ctx, n.Tenant, id, n.Recipient)
	if fault.CodeOf(err) == fault.Forbidden {
		return false, nil
	}
	return err == nil && !p.Acked(), err
}
