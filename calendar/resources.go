package calendar

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

const (
	resourceKind = "calendar.resource"
	adminRole    = "admin"
)

// NewResource is a resource to be offered for booking.
type NewResource struct {
	ID               string `json:"id" validate:"omitempty,single_line,maxrunes=200"` // default: made by Config.NewID
	Name             string `json:"name" validate:"required,single_line,maxrunes=200"`
	Kind             string `json:"kind" validate:"omitempty,single_line,maxrunes=50"` // default "room"
	Capacity         int    `json:"capacity" validate:"gte=0,lte=1000000"`             // people; 0: unlimited
	RequiresApproval bool   `json:"requires_approval"`
	BufferMinutes    int    `json:"buffer_minutes" validate:"gte=0,lte=1440"` // kept free between two bookings
}

// ResourcePatch changes what is not nil. What is booked already stays as it is.
type ResourcePatch struct {
	Name             *string
	Kind             *string
	Capacity         *int
	RequiresApproval *bool
	BufferMinutes    *int
	Active           *bool // false: cannot be booked any more
}

func (r Resource) entered() NewResource {
	return NewResource{
		ID: r.ID, Name: r.Name, Kind: r.Kind, Capacity: r.Capacity,
		RequiresApproval: r.RequiresApproval, BufferMinutes: int(r.Buffer / time.Minute),
	}
}

func (in NewResource) fill(r *Resource) {
	r.ID, r.Name, r.Kind, r.Capacity = in.ID, in.Name, in.Kind, in.Capacity
	r.RequiresApproval, r.Buffer = in.RequiresApproval, time.Duration(in.BufferMinutes)*time.Minute
}

// CreateResource offers a resource. It needs the role "admin" and returns ErrNotAdmin, ErrDuplicate or fault.Invalid with
// fields.
func (s *Service) CreateResource(ctx context.Context, by identity.Principal, in NewResource) (Resource, error) {
	if !by.HasRole(adminRole) {
		return Resource{}, ErrNotAdmin
	}
	if in.Kind == "" {
		in.Kind = "room"
	}
	if err := check.Struct(in); err != nil {
		return Resource{}, err
	}
	if in.ID == "" {
		in.ID = s.newID()
	}
	r := Resource{Tenant: by.Tenant, Active: true, Version: 1}
	in.fill(&r)
	err := s.store.Do(ctx, func(ctx context.Context) error {
		if err := s.store.InsertResource(ctx, r); err != nil {
			return err
		}
		return s.audit.Record(ctx, audit.By(by, "CREATE_RESOURCE", resourceKind, r.ID))
	})
	return r, err
}

// UpdateResource changes a resource that is at version, 0 for any. It needs the role "admin" and returns ErrNotAdmin,
// ErrNotFound, ErrVersionMismatch or fault.Invalid with fields.
func (s *Service) UpdateResource(ctx context.Context, by identity.Principal, id string, version int64, p ResourcePatch) (Resource, error) {
	if !by.HasRole(adminRole) {
		return Resource{}, ErrNotAdmin
	}
	var r Resource
	err := s.store.Do(ctx, func(ctx context.Context) error {
		var err error
		if r, err = s.Resource(ctx, by, id); err != nil {
			return err
		}
		if version != 0 && version != r.Version {
			return ErrVersionMismatch
		}
		in := r.entered()
		set(&in.Name, p.Name)
		set(&in.Kind, p.Kind)
		set(&in.Capacity, p.Capacity)
		set(&in.RequiresApproval, p.RequiresApproval)
		set(&in.BufferMinutes, p.BufferMinutes)
		set(&r.Active, p.Active)
		if err := check.Struct(in); err != nil {
			return err
		}
		in.fill(&r)
		r.Version++
		if err := s.store.UpdateResource(ctx, r); err != nil {
			return err
		}
		return s.audit.Record(ctx, audit.By(by, "UPDATE_RESOURCE", resourceKind, r.ID))
	})
	if err != nil {
		return Resource{}, err
	}
	return r, nil
}

// Resource returns one resource, or ErrNotFound.
func (s *Service) Resource(ctx context.Context, by identity.Principal, id string) (Resource, error) {
	found, err := s.store.Resources(ctx, by.Tenant, []string{id})
	if err != nil {
		return Resource{}, err
	}
	if len(found) == 0 {
		return Resource{}, ErrNotFound
	}
	return found[0], nil
}

// Resources lists resources ordered by id; kind "" is all kinds.
func (s *Service) Resources(ctx context.Context, by identity.Principal, kind string, p page.Request) (page.Page[Resource], error) {
	return s.store.ListResources(ctx, by.Tenant, kind, p)
}

// Availability returns when a resource is taken in [from, to), with its buffer, as disjoint spans in order. It does not say
// by what: a PRIVATE event keeps its room all the same. It returns ErrNotFound, or fault.Invalid for more than 366 days.
func (s *Service) Availability(ctx context.Context, by identity.Principal, id string, from, to time.Time) ([]Span, error) {
	from, to = stored(from), stored(to)
	if err := window(from, to); err != nil {
		return nil, err
	}
	if _, err := s.Resource(ctx, by, id); err != nil {
		return nil, err
	}
	held, err := s.store.Holdings(ctx, by.Tenant, []string{id}, from, to)
	if err != nil {
		return nil, err
	}
	spans := make([]Span, len(held))
	for i, h := range held {
		spans[i] = h.Span
	}
	return merge(spans, from, to), nil
}
