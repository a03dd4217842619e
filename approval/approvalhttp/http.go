package approvalhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

// Instance is an approval request on the wire.
type Instance struct {
	ID          string                `json:"id"`
	Subject     approval.Subject      `json:"subject"`
	FlowType    string                `json:"flow_type" example:"booking"`
	RequesterID string                `json:"requester_id"`
	ActedBy     *string               `json:"acted_by" doc:"Who submitted it in the requester's name; null when they did it themselves."`
	ApproverIDs []string              `json:"approver_ids" nullable:"false" doc:"While it is pending, those who may decide now, besides their substitutes; then everybody who was asked."`
	Steps       []Step                `json:"steps" nullable:"false" doc:"One after the other."`
	Summary     string                `json:"summary"`
	Status      string                `json:"status" enum:"pending,approved,rejected,timed_out,withdrawn"`
	Policy      int64                 `json:"policy_version" doc:"Of the flow's approval policy that asked for it."`
	Reasons     []string              `json:"reasons" nullable:"false"`
	Explanation []string              `json:"explanation" nullable:"false"`
	CreatedAt   time.Time             `json:"created_at"`
	RemindAt    time.Time             `json:"remind_at"`
	ExpiresAt   time.Time             `json:"expires_at" doc:"The deadline; at this instant it is too late."`
	Version     int64                 `json:"version"`
	ContentHash string                `json:"content_hash" doc:"Send it back with the decision."`
	Guards      []approval.GuardState `json:"guards" nullable:"false"`
	Decision    *Decision             `json:"decision" doc:"How it ended; null while it is pending."`
	Timeline    []approval.Moment     `json:"timeline" nullable:"false"`
}

// Step is one round of consent on the wire.
type Step struct {
	Name      string         `json:"name"`
	Mode      string         `json:"mode" enum:"any,all,quorum"`
	Need      int            `json:"need" doc:"How many must agree. One rejection ends it."`
	State     string         `json:"state" enum:"waiting,open,approved,rejected,closed"`
	Approvers []string       `json:"approver_ids" nullable:"false" doc:"Of a step that has not opened: as things stood at the submission."`
	Why       []string       `json:"why" nullable:"false" doc:"How they were found."`
	OpenedAt  *time.Time     `json:"opened_at"`
	EndedAt   *time.Time     `json:"ended_at"`
	Decisions []StepDecision `json:"decisions" nullable:"false"`
}

// StepDecision is one approver's word on the wire.
type StepDecision struct {
	By      string    `json:"by"`
	For     string    `json:"for" doc:"The approver in whose place it was given; by itself without a substitute."`
	ActedBy *string   `json:"acted_by" doc:"Who did it in by's name (secretary mode); else null."`
	Action  string    `json:"action" enum:"approve,reject"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

func stepViews(steps []approval.Step) []Step {
	out := make([]Step, len(steps))
	for i, s := range steps {
		out[i] = Step{
			Name: s.Name, Mode: string(s.Mode), Need: s.Need(), State: string(s.State), Approvers: s.Approvers, Why: s.Why,
			OpenedAt: given(s.OpenedAt), EndedAt: given(s.EndedAt), Decisions: make([]StepDecision, len(s.Decisions)),
		}
		for j, d := range s.Decisions {
			v := StepDecision{By: d.By, For: d.For, Action: d.Action, Reason: d.Reason, At: d.At}
			if d.ActedBy != "" {
				v.ActedBy = &d.ActedBy
			}
			out[i].Decisions[j] = v
		}
	}
	return out
}

// given is null for no time.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Decision is how an instance ended.
type Decision struct {
	By     string    `json:"by"`
	Action string    `json:"action" enum:"approve,reject,timeout,withdraw"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

func view(r approval.Request, guards []approval.GuardState) Instance {
	i := Instance{
		ID: r.ID, Subject: r.Subject, FlowType: r.Flow, RequesterID: r.Requester, ApproverIDs: r.Approvers(), Summary: r.Summary,
		Steps: stepViews(r.Steps), Status: string(r.Status), Policy: r.Policy, Reasons: r.Reasons, Explanation: r.Explanation,
		CreatedAt: r.CreatedAt, RemindAt: r.RemindAt, ExpiresAt: r.ExpiresAt, Version: r.Version, ContentHash: r.ContentHash,
		Guards: guards, Timeline: r.Timeline(),
	}
	if r.Status == approval.Pending {
		i.ApproverIDs = r.Deciders()
	}
	if r.ActedBy != "" {
		i.ActedBy = &r.ActedBy
	}
	if o := r.Outcome; o != nil {
		i.Decision = &Decision{By: o.By, Action: o.Action, Reason: o.Reason, At: o.At}
	}
	return i
}

type listInput struct {
	Role   string `query:"role" enum:"approver,requester" doc:"approver: mine to decide; requester: asked by me. Default: all that I may see."`
	Status string `query:"status" enum:"pending,approved,rejected,timed_out,withdrawn"`
	web.PageParams
}

type listOutput struct{ Body web.List[Instance] }

type idInput struct {
	ID string `path:"id" maxLength:"200"`
}

type instanceOutput struct{ Body Instance }

// ActBody is a decision on the wire.
type ActBody struct {
	Action      string `json:"action" enum:"approve,reject"`
	Reason      string `json:"reason,omitempty" maxLength:"4000" doc:"Required for reject, where an action policy asks for it, and to override a guard."`
	ContentHash string `json:"content_hash,omitempty" maxLength:"200" doc:"Of what was shown; 409 STALE_CONTENT when that is no longer what is asked."`
}

type actInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body ActBody
}

// CancelBody says why a request is withdrawn.
type CancelBody struct {
	Reason string `json:"reason,omitempty" maxLength:"4000" doc:"Required."`
}

type cancelInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body CancelBody
}

type handler struct{ svc *approval.Service }

// Register adds the operations to an API that web.Use has prepared. The pages behind links in mails are RegisterLinks'.
func Register(api huma.API, svc *approval.Service) {
	h := handler{svc}
	tags := []string{"approval"}
	web.Handle(api, huma.Operation{
		OperationID: "list-approval-instances", Method: http.MethodGet, Path: "/approval-instances", Tags: tags,
		Summary: "List approval requests, newest first",
	}, h.list)
	web.Handle(api, huma.Operation{
		OperationID: "get-approval-instance", Method: http.MethodGet, Path: "/approval-instances/{id}", Tags: tags,
		Summary: "Read an approval request", Errors: []int{http.StatusNotFound},
	}, h.get)
	web.Handle(api, huma.Operation{
		OperationID: "act-on-approval-instance", Method: http.MethodPost, Path: "/approval-instances/{id}/act", Tags: tags,
		Summary: "Approve or reject", DefaultStatus: http.StatusOK,
		Errors: []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, h.act)
	web.Handle(api, huma.Operation{
		OperationID: "cancel-approval-instance", Method: http.MethodPost, Path: "/approval-instances/{id}/cancel", Tags: tags,
		Summary: "Withdraw an approval request", DefaultStatus: http.StatusOK,
		Errors: []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, h.cancel)
	registerBulk(api, svc)
	registerSubstitutes(api, svc)
	registerPolicies(api, svc)
	registerActionPolicies(api, svc)
}

func (h handler) list(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
	p, err := h.svc.List(ctx, by, approval.Role(in.Role), approval.Status(in.Status), in.Page())
	if err != nil {
		return nil, err
	}
	return &listOutput{web.ListOf(p, func(r approval.Request) Instance { return view(r, []approval.GuardState{}) })}, nil
}

func (h handler) get(ctx context.Context, by identity.Principal, in *idInput) (*instanceOutput, error) {
	r, err := h.svc.Get(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, by, r)
}

func (h handler) act(ctx context.Context, by identity.Principal, in *actInput) (*instanceOutput, error) {
	r, err := h.svc.Act(ctx, by, in.ID, in.Body.decision())
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, by, r)
}

func (h handler) cancel(ctx context.Context, by identity.Principal, in *cancelInput) (*instanceOutput, error) {
	r, err := h.svc.Withdraw(ctx, by, in.ID, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, by, r)
}

func (h handler) answer(ctx context.Context, by identity.Principal, r approval.Request) (*instanceOutput, error) {
	guards, err := h.svc.GuardStates(ctx, by, r)
	if err != nil {
		return nil, err
	}
	return &instanceOutput{view(r, guards)}, nil
}
