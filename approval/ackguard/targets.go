package ackguard

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Requests reads approval requests; approval.Store is one. It joins the transaction in ctx.
type Requests interface {
	// Request returns one request, or a fault with the code NotFound.
	Request(ctx context.Context, tenant identity.TenantID, id string) (approval.Request, error)
}

// Targets is the ackflow.TargetResolver of approval requests, for the table approval.TargetKind. It is safe for concurrent
// use.
type Targets struct {
	Requests Requests // required
	// StandIns returns those who may decide in an approver's place at present (approval.Service.StandIns). Nil: nobody does.
	StandIns func(ctx context.Context, tenant identity.TenantID, approver string) ([]string, error)
}

var _ ackflow.TargetResolver = Targets{}

// Participants implements ackflow.TargetResolver: the requester, who acted for them, those who have been asked to decide,
// those who decided, and who stands in for an approver whose word is still missing.
func (t Targets) Participants(ctx context.Context, tenant identity.TenantID, id string) ([]string, error) {
	r, err := t.Requests.Request(ctx, tenant, id)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, ackflow.ErrTargetNotFound
	}
	if err != nil {
		return nil, err
	}
	people := append([]string{r.Requester, r.ActedBy}, r.Approvers()...)
	for _, step := range r.Steps {
		for _, d := range step.Decisions {
			people = append(people, d.By)
		}
	}
	if t.StandIns != nil {
		for _, approver := range r.Deciders() {
			others, err := t.StandIns(ctx, tenant, approver)
			if err != nil {
				return nil, err
			}
			people = append(people, others...)
		}
	}
	slices.Sort(people)
	people = slices.Compact(people)
	return slices.DeleteFunc(people, func(who string) bool { return who == "" }), nil
}
