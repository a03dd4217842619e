package approvalhttp

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

// ActionRule is what an action policy says, on the wire.
type ActionRule struct {
	FlowType         string                    `json:"flow_type" maxLength:"200" example:"booking"`
	ActionKey        string                    `json:"action_key" enum:"approve,reject"`
	Priority         int                       `json:"priority" required:"false" minimum:"-1000000" maximum:"1000000" doc:"Of those that apply the highest one governs; of equals the newest."`
	Subjects         approval.Actors           `json:"subjects" required:"false" doc:"Whose decisions it bears on: anybody's who is named, or has a role or group. Nobody named: everybody's."`
	StateConstraints approval.StateConstraints `json:"state_constraints" required:"false" doc:"In which states of the request it bears on decisions. Default: any."`
	RequireReason    bool                      `json:"require_reason" required:"false"`
	Guards           []approval.GuardSpec      `json:"guards" required:"false" nullable:"false" maxItems:"20" doc:"Conditions that must all be met. An unknown type refuses."`
	IsEnabled        *bool                     `json:"is_enabled" required:"false" nullable:"false" doc:"False: kept, but it bears on nothing. Default: true."`
}

// ActionPolicy is an action policy on the wire.
type ActionPolicy struct {
	ID string `json:"id"`
	ActionRule
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	UpdatedAt time.Time `json:"updated_at"`
	UpdatedBy string    `json:"updated_by"`
}

// ActionPolicyPatch is the body of PATCH /action-policies/{id}; what is absent stays. Lists are replaced as a whole.
type ActionPolicyPatch struct {
	FlowType         *string                    `json:"flow_type,omitempty"`
	ActionKey        *string                    `json:"action_key,omitempty"`
	Priority         *int                       `json:"priority,omitempty"`
	Subjects         *approval.Actors           `json:"subjects,omitempty"`
	StateConstraints *approval.StateConstraints `json:"state_constraints,omitempty"`
	RequireReason    *bool                      `json:"require_reason,omitempty"`
	Guards           *[]approval.GuardSpec      `json:"guards,omitempty"`
	IsEnabled        *bool                      `json:"is_enabled,omitempty" doc:"False: kept, but it bears on nothing."`
}

// EvaluateBody is the body of POST /action-policies/evaluate.
type EvaluateBody struct {
	FlowType    string           `json:"flow_type,omitempty" maxLength:"200" doc:"Default: the target's."`
	ActionKey   string           `json:"action_key" enum:"approve,reject"`
	TargetTable string           `json:"target_table,omitempty" enum:"approval_instances" default:"approval_instances"`
	TargetID    string           `json:"target_id,omitempty" maxLength:"200" doc:"The request. Without one the state is the one given, and a guard that looks at the request fails."`
	State       EvaluatedState   `json:"state" required:"false"`
	Actor       *EvaluatedPerson `json:"actor,omitempty" doc:"Who would decide; default the caller. Another is for administrators."`
	Reason      string           `json:"reason,omitempty" maxLength:"4000"`
}

// EvaluatedState is the state of no request in particular.
type EvaluatedState struct {
	Status string `json:"status,omitempty" enum:"pending,approved,rejected,timed_out,withdrawn" doc:"Default: not known, which every constraint takes for its own."`
}

// EvaluatedPerson is who would decide.
type EvaluatedPerson struct {
	UserID string   `json:"user_id" maxLength:"200"`
	Roles  []string `json:"roles,omitempty" maxItems:"200" doc:"Default: those of the directory."`
}

// Evaluated is the answer of the dry run.
type Evaluated struct {
	approval.ActionVerdict
	Refusal *string `json:"refusal" doc:"With a target, the reason of the error that deciding it would have now: also self_approval, not_approver, APPROVAL_EXPIRED and so on. Null: it would be decided."`
}

func (r ActionRule) rule() approval.ActionRule {
	return approval.ActionRule{
		Flow: r.FlowType, Action: r.ActionKey, Priority: r.Priority, Actors: r.Subjects, States: r.StateConstraints,
		RequireReason: r.RequireReason, Guards: r.Guards, Disabled: r.IsEnabled != nil && !*r.IsEnabled,
	}
}

func (b ActionPolicyPatch) patch() approval.ActionPolicyPatch {
	p := approval.ActionPolicyPatch{
		Flow: b.FlowType, Action: b.ActionKey, Priority: b.Priority, Actors: b.Subjects, States: b.StateConstraints,
		RequireReason: b.RequireReason, Guards: b.Guards,
	}
	if b.IsEnabled != nil {
		disabled := !*b.IsEnabled
		p.Disabled = &disabled
	}
	return p
}

func actionPolicyOf(p approval.ActionPolicy) ActionPolicy {
	enabled := !p.Disabled
	return ActionPolicy{
		ID: p.ID,
		ActionRule: ActionRule{
			FlowType: p.Flow, ActionKey: p.Action, Priority: p.Priority, Subjects: p.Actors, StateConstraints: p.States,
			RequireReason: p.RequireReason, Guards: append([]approval.GuardSpec{}, p.Guards...), IsEnabled: &enabled,
		},
		Version: p.Version, CreatedAt: p.CreatedAt, CreatedBy: p.CreatedBy, UpdatedAt: p.UpdatedAt, UpdatedBy: p.UpdatedBy,
	}
}

type newPolicyInput struct{ Body ActionRule }

type newPolicyOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     ActionPolicy
}

type policyOutput struct {
	ETag string `header:"ETag"`
	Body ActionPolicy
}

type policiesInput struct {
	FlowType  string `query:"flow_type" maxLength:"200"`
	ActionKey string `query:"action_key" enum:"approve,reject"`
	web.PageParams
}

type policiesOutput struct{ Body web.List[ActionPolicy] }

type policyPatchInput struct {
	ID string `path:"id" maxLength:"200"`
	web.Precondition
	Body ActionPolicyPatch
}

type evaluateInput struct{ Body EvaluateBody }

type evaluateOutput struct{ Body Evaluated }

func registerActionPolicies(api huma.API, svc *approval.Service) {
	tags := []string{"action policies"}
	web.Handle(api, huma.Operation{
		OperationID: "list-action-policies", Method: http.MethodGet, Path: "/action-policies", Tags: tags,
		Summary: "List action policies, newest first (administrators)", Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, in *policiesInput) (*policiesOutput, error) {
		p, err := svc.ActionPolicies(ctx, by, approval.ActionPolicyFilter{Flow: in.FlowType, Action: in.ActionKey}, in.Page())
		if err != nil {
			return nil, err
		}
		return &policiesOutput{web.ListOf(p, actionPolicyOf)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "create-action-policy", Method: http.MethodPost, Path: "/action-policies", Tags: tags,
		Summary: "Make the decisions of a flow depend on conditions (administrators)", DefaultStatus: http.StatusCreated,
		Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, in *newPolicyInput) (*newPolicyOutput, error) {
		p, err := svc.CreateActionPolicy(ctx, by, in.Body.rule())
		if err != nil {
			return nil, err
		}
		return &newPolicyOutput{Location: "/action-policies/" + url.PathEscape(p.ID), ETag: web.ETag(p.Version), Body: actionPolicyOf(p)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "get-action-policy", Method: http.MethodGet, Path: "/action-policies/{id}", Tags: tags,
		Summary: "Read an action policy (administrators)", Errors: []int{http.StatusForbidden, http.StatusNotFound},
	}, func(ctx context.Context, by identity.Principal, in *idInput) (*policyOutput, error) {
		p, err := svc.ActionPolicy(ctx, by, in.ID)
		if err != nil {
			return nil, err
		}
		return &policyOutput{ETag: web.ETag(p.Version), Body: actionPolicyOf(p)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "update-action-policy", Method: http.MethodPatch, Path: "/action-policies/{id}", Tags: tags,
		Summary: "Change an action policy (administrators)",
		Errors:  []int{http.StatusForbidden, http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, by identity.Principal, in *policyPatchInput) (*policyOutput, error) {
		version, err := in.Version()
		if err != nil {
			return nil, err
		}
		p, err := svc.UpdateActionPolicy(ctx, by, in.ID, version, in.Body.patch())
		if err != nil {
			return nil, err
		}
		return &policyOutput{ETag: web.ETag(p.Version), Body: actionPolicyOf(p)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "evaluate-action-policies", Method: http.MethodPost, Path: "/action-policies/evaluate", Tags: tags,
		Summary: "What the action policies would say of a decision now", DefaultStatus: http.StatusOK,
		Errors: []int{http.StatusForbidden, http.StatusNotFound},
	}, func(ctx context.Context, by identity.Principal, in *evaluateInput) (*evaluateOutput, error) {
		verdict, refusal, err := svc.EvaluateAction(ctx, by, in.Body.evaluation())
		if err != nil {
			return nil, err
		}
		out := &evaluateOutput{Evaluated{ActionVerdict: verdict}}
		if refusal != nil {
			reason := fault.ReasonOf(refusal)
			out.Body.Refusal = &reason
		}
		return out, nil
	})
}

func (b EvaluateBody) evaluation() approval.Evaluation {
	e := approval.Evaluation{
		Flow: b.FlowType, Action: b.ActionKey, Target: b.TargetID, Status: approval.Status(b.State.Status), Reason: b.Reason,
	}
	if b.Actor != nil {
		e.Actor, e.Roles = b.Actor.UserID, b.Actor.Roles
	}
	return e
}
