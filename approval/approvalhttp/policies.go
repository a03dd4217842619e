package approvalhttp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

// PolicyRules is what an approval policy says, on the wire.
type PolicyRules struct {
	Rules               []approval.Rule `json:"rules" nullable:"false" maxItems:"100" doc:"When consent is needed: if any of them is met. None: never."`
	Steps               []approval.Plan `json:"steps" required:"false" nullable:"false" maxItems:"10" doc:"Who is asked, one step after the other. Default: the manager."`
	TimeoutSeconds      int64           `json:"timeout_seconds" required:"false" minimum:"0" maximum:"31622400" doc:"Until the deadline. 0: the default of the server."`
	RemindBeforeSeconds int64           `json:"remind_before_seconds" required:"false" minimum:"0" maximum:"31622400" doc:"Before the deadline. 0: the default of the server."`
	Comment             string          `json:"comment" required:"false" maxLength:"4000" doc:"Why it was changed."`
}

// ApprovalPolicy is a version of a flow's policy on the wire.
type ApprovalPolicy struct {
	FlowType string `json:"flow_type" example:"booking"`
	Version  int64  `json:"version" doc:"1 is what the server was set up with."`
	PolicyRules
	ChangedBy *string    `json:"changed_by" doc:"Null in version 1."`
	ChangedAt *time.Time `json:"changed_at" doc:"Null in version 1."`
}

// PreviewBody is the body of POST /approval-policies/evaluate.
type PreviewBody struct {
	FlowType    string         `json:"flow_type" maxLength:"200" example:"booking"`
	Facts       map[string]any `json:"facts" doc:"What the rules look at: numbers, booleans, strings and lists of strings."`
	RequesterID string         `json:"requester_id,omitempty" maxLength:"200" doc:"Default: the caller. Somebody else is for administrators."`
	Policy      *PolicyRules   `json:"policy,omitempty" doc:"A draft to evaluate instead of the policy in force; for administrators."`
}

// Previewed is the answer of the dry run.
type Previewed struct {
	PolicyVersion int64    `json:"policy_version" doc:"0: the draft."`
	Required      bool     `json:"required" doc:"Consent is needed."`
	Reasons       []string `json:"reasons" nullable:"false"`
	Explanation   []string `json:"explanation" nullable:"false"`
	Steps         []Step   `json:"steps" nullable:"false" doc:"Who would be asked: the first step as it would open, later ones as things stand."`
	Refusal       *string  `json:"refusal" doc:"The reason of the error that asking would have: no_approver. Null: none."`
}

func (b PolicyRules) policy(flow string) approval.Policy {
	return approval.Policy{
		Flow: flow, Rules: b.Rules, Steps: b.Steps, Comment: b.Comment,
		Timeout: time.Duration(b.TimeoutSeconds) * time.Second, RemindBefore: time.Duration(b.RemindBeforeSeconds) * time.Second,
	}
}

func policyOf(p approval.Policy) ApprovalPolicy {
	v := ApprovalPolicy{
		FlowType: p.Flow, Version: p.Version, ChangedAt: given(p.ChangedAt),
		PolicyRules: PolicyRules{
			Rules: append([]approval.Rule{}, p.Rules...), Steps: append([]approval.Plan{}, p.Steps...), Comment: p.Comment,
			TimeoutSeconds: int64(p.Timeout / time.Second), RemindBeforeSeconds: int64(p.RemindBefore / time.Second),
		},
	}
	if p.ChangedBy != "" {
		v.ChangedBy = &p.ChangedBy
	}
	return v
}

type approvalPoliciesOutput struct {
	Body struct {
		Items []ApprovalPolicy `json:"items" nullable:"false"`
	}
}

type approvalPolicyInput struct {
	FlowType string `path:"flow_type" maxLength:"200"`
	Version  int64  `query:"version" minimum:"0" doc:"Default: the one in force."`
}

type approvalPolicyOutput struct {
	ETag string `header:"ETag"`
	Body ApprovalPolicy
}

type versionsInput struct {
	FlowType string `path:"flow_type" maxLength:"200"`
	web.PageParams
}

type versionsOutput struct{ Body web.List[ApprovalPolicy] }

type putPolicyInput struct {
	FlowType string `path:"flow_type" maxLength:"200"`
	IfMatch  string `header:"If-Match" doc:"The ETag last seen, or * for any, which is the default: no version is lost."`
	Body     PolicyRules
}

type previewInput struct{ Body PreviewBody }

type previewOutput struct{ Body Previewed }

func registerPolicies(api huma.API, svc *approval.Service) {
	tags := []string{"approval policies"}
	web.Handle(api, huma.Operation{
		OperationID: "list-approval-policies", Method: http.MethodGet, Path: "/approval-policies", Tags: tags,
		Summary: "What is in force, by flow (administrators)", Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, _ *struct{}) (*approvalPoliciesOutput, error) {
		ps, err := svc.Policies(ctx, by)
		if err != nil {
			return nil, err
		}
		out := &approvalPoliciesOutput{}
		out.Body.Items = make([]ApprovalPolicy, len(ps))
		for i, p := range ps {
			out.Body.Items[i] = policyOf(p)
		}
		return out, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "get-approval-policy", Method: http.MethodGet, Path: "/approval-policies/{flow_type}", Tags: tags,
		Summary: "Read the policy of a flow (administrators)", Errors: []int{http.StatusForbidden, http.StatusNotFound},
	}, func(ctx context.Context, by identity.Principal, in *approvalPolicyInput) (*approvalPolicyOutput, error) {
		p, err := svc.PolicyVersion(ctx, by, in.FlowType, in.Version)
		if err != nil {
			return nil, err
		}
		return &approvalPolicyOutput{ETag: web.ETag(p.Version), Body: policyOf(p)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "list-approval-policy-versions", Method: http.MethodGet, Path: "/approval-policies/{flow_type}/versions", Tags: tags,
		Summary: "How the policy of a flow has changed, newest first; none when it never has (administrators)", Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, in *versionsInput) (*versionsOutput, error) {
		p, err := svc.PolicyVersions(ctx, by, in.FlowType, in.Page())
		if err != nil {
			return nil, err
		}
		return &versionsOutput{web.ListOf(p, policyOf)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "put-approval-policy", Method: http.MethodPut, Path: "/approval-policies/{flow_type}", Tags: tags,
		Summary:     "Put the next version of a flow's policy in force (administrators)",
		Description: "Requests that wait already go on by the version that asked for them.",
		Errors:      []int{http.StatusForbidden, http.StatusPreconditionFailed},
	}, func(ctx context.Context, by identity.Principal, in *putPolicyInput) (*approvalPolicyOutput, error) {
		version, err := web.IfMatch(in.IfMatch)
		if err != nil && !errors.Is(err, web.ErrIfMatchRequired) {
			return nil, err
		}
		p, err := svc.ChangePolicy(ctx, by, in.Body.policy(in.FlowType), version)
		if err != nil {
			return nil, err
		}
		return &approvalPolicyOutput{ETag: web.ETag(p.Version), Body: policyOf(p)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "evaluate-approval-policy", Method: http.MethodPost, Path: "/approval-policies/evaluate", Tags: tags,
		Summary: "Whether facts would need consent, why, and whose", DefaultStatus: http.StatusOK, Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, in *previewInput) (*previewOutput, error) {
		q := approval.Question{Flow: in.Body.FlowType, Requester: in.Body.RequesterID, Facts: in.Body.Facts}
		if in.Body.Policy != nil {
			draft := in.Body.Policy.policy(in.Body.FlowType)
			q.Draft = &draft
		}
		v, steps, err := svc.Preview(ctx, by, q)
		if err != nil && !errors.Is(err, approval.ErrNoApprover) {
			return nil, err
		}
		out := &previewOutput{Previewed{
			PolicyVersion: v.Version, Required: v.Required, Reasons: v.Reasons, Explanation: v.Explanation, Steps: stepViews(steps),
		}}
		if err != nil {
			reason := fault.ReasonOf(err)
			out.Body.Refusal = &reason
		}
		return out, nil
	})
}
