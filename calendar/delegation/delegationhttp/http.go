package delegationhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
)

// Delegation is a delegation on the wire. Times are RFC 3339 in UTC.
type Delegation struct {
	ID          string                `json:"id"`
	DelegatorID string                `json:"delegator_id" doc:"Whose calendar it is."`
	DelegateeID string                `json:"delegatee_id" doc:"Who may work on it."`
	Permissions []calendar.Permission `json:"permissions" nullable:"false"`
	ValidFrom   *time.Time            `json:"valid_from" nullable:"true" doc:"Null: since it was granted."`
	ValidUntil  *time.Time            `json:"valid_until" nullable:"true" doc:"Exclusive. Null: until it is revoked."`
	RevokedAt   *time.Time            `json:"revoked_at" nullable:"true"`
	CreatedAt   time.Time             `json:"created_at"`
}

// NewDelegation is the body of POST /delegations.
type NewDelegation struct {
	DelegateeID string                `json:"delegatee_id" doc:"An active person of the directory."`
	Permissions []calendar.Permission `json:"permissions" nullable:"false" doc:"READ_PRIVATE, EDIT, RESPOND; none implies another."`
	ValidFrom   *time.Time            `json:"valid_from,omitempty" nullable:"true" doc:"Null: from now on."`
	ValidUntil  *time.Time            `json:"valid_until,omitempty" nullable:"true" doc:"Exclusive. Null: until it is revoked."`
}

// Delegations is a page of the list.
type Delegations struct {
	Items      []Delegation `json:"items" nullable:"false"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

type createInput struct{ Body NewDelegation }

type createOutput struct{ Body Delegation }

type listInput struct {
	PersonID string `query:"person_id" maxLength:"255" doc:"Whose delegations; default the caller's. Others' need the role admin."`
	Limit    int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor   string `query:"cursor"`
}

type listOutput struct{ Body Delegations }

type deleteInput struct {
	ID string `path:"id" maxLength:"255"`
}

// Register adds the operations to an API that web.Use has prepared. Give web.Config the service's ActAs for the header
// X-Act-As-User.
func Register(api huma.API, s *delegation.Service) {
	web.Handle(api, huma.Operation{
		OperationID: "create-delegation", Method: http.MethodPost, Path: "/delegations", Tags: []string{"calendar"},
		Summary: "Let somebody work on one's calendar", DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, by identity.Principal, in *createInput) (*createOutput, error) {
		d, err := s.Grant(ctx, by, delegation.NewDelegation{
			DelegateeID: in.Body.DelegateeID, Permissions: in.Body.Permissions,
			ValidFrom: value(in.Body.ValidFrom), ValidUntil: value(in.Body.ValidUntil),
		})
		if err != nil {
			return nil, err
		}
		return &createOutput{Body: shown(d)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "list-delegations", Method: http.MethodGet, Path: "/delegations", Tags: []string{"calendar"},
		Summary: "Delegations that one gave or received, newest first",
	}, func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
		p, err := s.List(ctx, by, in.PersonID, page.Request{Limit: in.Limit, Cursor: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &listOutput{Body: Delegations{Items: []Delegation{}, NextCursor: p.Next}}
		for _, d := range p.Items {
			out.Body.Items = append(out.Body.Items, shown(d))
		}
		return out, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "revoke-delegation", Method: http.MethodDelete, Path: "/delegations/{id}", Tags: []string{"calendar"},
		Summary: "Revoke a delegation at once", DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, by identity.Principal, in *deleteInput) (*struct{}, error) {
		return nil, s.Revoke(ctx, by, in.ID)
	})
}

func shown(d delegation.Delegation) Delegation {
	return Delegation{
		ID: d.ID, DelegatorID: d.DelegatorID, DelegateeID: d.DelegateeID, Permissions: d.Permissions,
		ValidFrom: pointer(d.ValidFrom), ValidUntil: pointer(d.ValidUntil), RevokedAt: pointer(d.RevokedAt), CreatedAt: d.CreatedAt,
	}
}

func pointer(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
