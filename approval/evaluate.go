package approval

import (
	"cmp"
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Circumstances are what action policies are matched with.
type Circumstances struct {
	Flow   string
	Action string // Approve or Reject
	Status Status // of the request; empty: not known, which every constraint takes for its own
	Users  []string
	Roles  []string
	Groups []string
}

// Applies says whether the policy bears on a decision: it is not disabled, flow and action are its own, the state is
// within its constraints and somebody who decides is among its actors. A policy that does not apply says nothing, neither
// yes nor no: the next one may. It is a pure function.
func (p ActionPolicy) Applies(c Circumstances) bool {
	if p.Disabled || p.Flow != c.Flow || p.Action != c.Action {
		return false
	}
	if c.Status != "" {
		in, notIn := p.States.StatusIn, p.States.StatusNotIn
		if len(in) > 0 && !slices.Contains(in, c.Status) || slices.Contains(notIn, c.Status) {
			return false
		}
	}
	a := p.Actors
	if len(a.Roles)+len(a.Groups)+len(a.Users) == 0 {
		return true
	}
	return overlap(a.Users, c.Users) || overlap(a.Roles, c.Roles) || overlap(a.Groups, c.Groups)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

// Governing returns the one policy that a decision goes by: of those that apply the one of the highest priority; of equal
// ones the one that was created last, or has the greater id. Without one, false: the decision needs nothing more. It is a
// pure function.
func Governing(policies []ActionPolicy, c Circumstances) (ActionPolicy, bool) {
	applying := slices.DeleteFunc(slices.Clone(policies), func(p ActionPolicy) bool { return !p.Applies(c) })
	if len(applying) == 0 {
		return ActionPolicy{}, false
	}
	return slices.MaxFunc(applying, func(a, b ActionPolicy) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}), true
}

// The reasons for which an action policy refuses.
const (
	GuardFailed    = "guard_failed"
	ReasonRequired = "reason_required"
)

// ActionVerdict is what the action policies say of a decision. Its JSON form is the one of seed 002, as in the details of
// ErrDenied and in audit entries.
type ActionVerdict struct {
	Allowed       bool      `json:"allowed"`
	Reason        string    `json:"reason,omitempty" enum:"guard_failed,reason_required" doc:"Why not."`
	PolicyID      string    `json:"matchedPolicyId,omitempty" doc:"The policy that decides; absent when there is none, which allows."`
	RequireReason bool      `json:"requireReason" doc:"A reason must be given: the policy asks for one, or it is what overrides the guards."`
	Failures      []Failure `json:"guardFailures" nullable:"false" doc:"Every condition that is not met."`
	Override      bool      `json:"guardOverride" doc:"It is allowed in spite of them."`

	guards []GuardState
	cause  error // the first error of a guard
}

// err is the refusal, or nil.
func (v ActionVerdict) err() error {
	switch {
	case v.Allowed:
		return nil
	case v.Reason == ReasonRequired && len(v.Failures) == 0:
		return ErrReasonRequired.With("matchedPolicyId", v.PolicyID)
	case v.Reason == ReasonRequired:
		return ErrReasonRequired.With("matchedPolicyId", v.PolicyID).With("guardFailures", v.Failures)
	}
	return ErrDenied.With("reason", v.Reason).With("matchedPolicyId", v.PolicyID).With("guardFailures", v.Failures).Because(v.cause)
}

// weigh is the one function that action policies are evaluated by: before a decision, in its transaction; in dry runs;
// and to show where a request stands.
func (s *Service) weigh(ctx context.Context, a Action) (ActionVerdict, error) {
	v := ActionVerdict{Failures: []Failure{}}
	policies, err := s.store.ActionPoliciesOn(ctx, a.By.Tenant, a.Flow, a.Key)
	if err != nil {
		return v, err
	}
	c, err := s.circumstances(ctx, a, policies)
	if err != nil {
		return v, err
	}
	p, ok := Governing(policies, c)
	if !ok {
		v.Allowed = true
		return v, nil
	}
	v.PolicyID, v.RequireReason = p.ID, p.RequireReason
	v.guards, v.cause = s.ask(ctx, p, a)
	for _, g := range v.guards {
		v.Failures = append(v.Failures, g.Failures...)
	}
	if len(v.Failures) > 0 {
		if !overridable(a.By, v.Failures) {
			v.Reason = GuardFailed
			return v, nil
		}
		v.RequireReason = true
	}
	if v.RequireReason && blank(a.Reason) {
		v.Reason = ReasonRequired
		return v, nil
	}
	v.Allowed, v.Override = true, len(v.Failures) > 0
	return v, nil
}

// permit returns the refusal of the action policies as an error. A guard that is merely unavailable refuses as such, so
// that a transaction that was aborted for others' sake is tried again.
func (s *Service) permit(ctx context.Context, a Action) (ActionVerdict, error) {
	v, err := s.weigh(ctx, a)
	if err != nil {
		return v, err
	}
	if fault.CodeOf(v.cause) == fault.Unavailable {
		return v, v.cause
	}
	return v, v.err()
}

// circumstances are those of an action. Policies restrict, so they look at everybody who has a part in the decision: who
// takes it, in whose name, and whose place they take. Roles are those that the caller has proven and those of the
// directory.
func (s *Service) circumstances(ctx context.Context, a Action, policies []ActionPolicy) (Circumstances, error) {
	c := Circumstances{Flow: a.Flow, Action: a.Key, Status: a.Request.Status, Users: []string{a.By.Actor}, Roles: slices.Clone(a.By.Roles)}
	for _, id := range []string{a.By.User(), a.For} {
		if id != "" && !slices.Contains(c.Users, id) {
			c.Users = append(c.Users, id)
		}
	}
	if !slices.ContainsFunc(policies, func(p ActionPolicy) bool { return len(p.Actors.Roles)+len(p.Actors.Groups) > 0 }) {
		return c, nil
	}
	people, err := s.cfg.Directory.People(ctx, a.By.Tenant, c.Users)
	for _, p := range people {
		c.Roles, c.Groups = append(c.Roles, p.Roles...), append(c.Groups, p.Groups...)
	}
	return c, err
}

// Evaluation asks what the action policies would say of a decision.
type Evaluation struct {
	Flow   string   `json:"flow_type" validate:"required_without=Target,single_line,maxrunes=200"` // default: the request's
	Action string   `json:"action_key" validate:"oneof=approve reject"`                            // Approve or Reject
	Target string   `json:"target_id"`                                                             // the request; empty: none in particular
	Status Status   `json:"status" validate:"omitempty,oneof=pending approved rejected timed_out withdrawn"`
	Actor  string   `json:"actor" validate:"single_line,maxrunes=200"` // who would decide; empty: the caller
	Roles  []string `json:"roles" validate:"max=200"`                  // that Actor has proven; nil: those of the directory
	Reason string   `json:"reason" validate:"text=multiline,maxrunes=4000"`
}

// EvaluateAction is the dry run of the action policies: what they would say if the actor took the action now. It runs the
// function that runs in Act, and changes nothing. On a request (Target), the status is the request's and the second answer
// is what Act as a whole would say, as of Simulate; without one it is nil, the status is the one given, and a guard that
// looks at the request fails.
//
// People may ask it for themselves about requests that they may see; to ask it for somebody else, or about no request, is
// for administrators (role admin or mgmt). It returns ErrForbidden, ErrNotFound or an Invalid fault with fields.
func (s *Service) EvaluateAction(ctx context.Context, by identity.Principal, e Evaluation) (v ActionVerdict, refusal, err error) {
	if err := check.Struct(e); err != nil {
		return v, nil, err
	}
	if !keepsPolicies(by) && (e.Target == "" || e.Actor != "" && e.Actor != by.User() || e.Roles != nil) {
		return v, nil, ErrForbidden
	}
	who, err := s.evaluated(ctx, by, e)
	if err != nil {
		return v, nil, err
	}
	a := Action{By: who, For: who.User(), Flow: e.Flow, Key: e.Action, Request: Request{Tenant: by.Tenant, Status: e.Status}, Reason: e.Reason}
	if e.Target == "" {
		v, err = s.weigh(ctx, a)
		return v, nil, err
	}
	if a.Request, err = s.Get(ctx, by, e.Target); err != nil {
		return v, nil, err
	}
	if e.Flow != "" && e.Flow != a.Request.Flow {
		return v, nil, fault.InvalidField("flow_type", "must be the flow of the target")
	}
	a.Flow = a.Request.Flow
	if seat, err := s.seatOf(ctx, who, a.Request); err != nil {
		return v, nil, err
	} else if seat != "" {
		a.For = seat
	}
	if v, err = s.weigh(ctx, a); err != nil {
		return v, nil, err
	}
	return v, s.Simulate(ctx, who, e.Target, Decision{Action: e.Action, Reason: e.Reason}), nil
}

// evaluated is who would decide.
func (s *Service) evaluated(ctx context.Context, by identity.Principal, e Evaluation) (identity.Principal, error) {
	if e.Actor == "" || e.Actor == by.User() && e.Roles == nil {
		if e.Roles != nil {
			by.Roles = e.Roles
		}
		return by, nil
	}
	who := identity.Principal{Tenant: by.Tenant, Actor: e.Actor, Roles: e.Roles}
	if e.Roles != nil {
		return who, nil
	}
	people, err := s.cfg.Directory.People(ctx, by.Tenant, []string{e.Actor})
	for _, p := range people {
		who.Roles = p.Roles
	}
	return who, err
}

// GuardStates returns what the guards of approving and of rejecting a pending request say at present, for display; none
// once it is decided. They are those that the caller would meet, or the first who may decide when the caller may not. A
// guard that fails to answer counts as failed.
func (s *Service) GuardStates(ctx context.Context, by identity.Principal, r Request) ([]GuardState, error) {
	states := []GuardState{}
	if r.Status != Pending {
		return states, nil
	}
	seat, err := s.seatOf(ctx, by, r)
	if err != nil {
		return nil, err
	}
	if deciders := r.Deciders(); seat == "" && len(deciders) > 0 {
		seat, by = deciders[0], identity.Principal{Tenant: r.Tenant, Actor: deciders[0]}
	}
	for _, key := range []string{Approve, Reject} {
		v, err := s.weigh(ctx, Action{By: by, For: seat, Flow: r.Flow, Key: key, Request: r})
		if err != nil {
			return nil, err
		}
		states = append(states, v.guards...)
	}
	return states, nil
}
