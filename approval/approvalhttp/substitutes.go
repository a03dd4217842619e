package approvalhttp

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

// Substitute is a substitution on the wire.
type Substitute struct {
	ID           string     `json:"id"`
	ApproverID   string     `json:"approver_id" doc:"In whose place."`
	SubstituteID string     `json:"substitute_id" doc:"Who may decide, besides the approver."`
	ValidFrom    time.Time  `json:"valid_from"`
	ValidUntil   *time.Time `json:"valid_until" doc:"Exclusive. Null: until it is ended."`
	EndedAt      *time.Time `json:"ended_at" doc:"Null while it has not been ended."`
	CreatedBy    string     `json:"created_by"`
	CreatedAt    time.Time  `json:"created_at"`
}

// NewSubstitute is the body of POST /approval-substitutes.
type NewSubstitute struct {
	ApproverID   string     `json:"approver_id,omitempty" maxLength:"200" doc:"Default: the caller. Somebody else's are for administrators."`
	SubstituteID string     `json:"substitute_id" maxLength:"200" doc:"An active person of the directory."`
	ValidFrom    *time.Time `json:"valid_from,omitempty" nullable:"true" doc:"Null: from now on."`
	ValidUntil   *time.Time `json:"valid_until,omitempty" nullable:"true" doc:"Exclusive. Null: until it is ended."`
}

func substituteOf(s approval.Substitution) Substitute {
	return Substitute{
		ID: s.ID, ApproverID: s.ApproverID, SubstituteID: s.SubstituteID, ValidFrom: s.From, ValidUntil: given(s.Until),
		EndedAt: given(s.EndedAt), CreatedBy: s.CreatedBy, CreatedAt: s.CreatedAt,
	}
}

type newSubstituteInput struct{ Body NewSubstitute }

type newSubstituteOutput struct {
	Location string `header:"Location"`
	Body     Substitute
}

type substitutesInput struct {
	PersonID string `query:"person_id" maxLength:"200" doc:"Who named them or was named; default the caller. Others are for administrators."`
	web.PageParams
}

type substitutesOutput struct{ Body web.List[Substitute] }

func registerSubstitutes(api huma.API, svc *approval.Service) {
	tags := []string{"approval"}
	web.Handle(api, huma.Operation{
		OperationID: "create-approval-substitute", Method: http.MethodPost, Path: "/approval-substitutes", Tags: tags,
		Summary: "Let somebody decide in an approver's place", DefaultStatus: http.StatusCreated, Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, in *newSubstituteInput) (*newSubstituteOutput, error) {
		made, err := svc.NameSubstitute(ctx, by, approval.NewSubstitution{
			ApproverID: in.Body.ApproverID, SubstituteID: in.Body.SubstituteID, From: orZero(in.Body.ValidFrom), Until: orZero(in.Body.ValidUntil),
		})
		if err != nil {
			return nil, err
		}
		return &newSubstituteOutput{Location: "/approval-substitutes/" + url.PathEscape(made.ID), Body: substituteOf(made)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "list-approval-substitutes", Method: http.MethodGet, Path: "/approval-substitutes", Tags: tags,
		Summary: "Substitutes that one named, or was named as, newest first", Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, in *substitutesInput) (*substitutesOutput, error) {
		p, err := svc.Substitutions(ctx, by, in.PersonID, in.Page())
		if err != nil {
			return nil, err
		}
		return &substitutesOutput{web.ListOf(p, substituteOf)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "end-approval-substitute", Method: http.MethodDelete, Path: "/approval-substitutes/{id}", Tags: tags,
		Summary: "End a substitution at once", DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusForbidden, http.StatusNotFound},
	}, func(ctx context.Context, by identity.Principal, in *idInput) (*struct{}, error) {
		return nil, svc.EndSubstitute(ctx, by, in.ID)
	})
}

// orZero is the opposite of given.
func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
