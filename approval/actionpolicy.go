package approval

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// ActionRule is what an action policy says: on which decisions it bears, and what those need. Its zero value for Actors
// and States bears on every decision of the flow and action.
type ActionRule struct {
	Flow          string           `json:"flow_type" validate:"required,single_line,maxrunes=200"`
	Action        string           `json:"action_key" validate:"oneof=approve reject"` // Approve or Reject
	Priority      int              `json:"priority" validate:"gte=-1000000,lte=1000000"`
	Actors        Actors           `json:"subjects"`
	States        StateConstraints `json:"state_constraints"`
	RequireReason bool             `json:"require_reason"` // the approver says why
	Guards        []GuardSpec      `json:"guards" validate:"max=20,dive"`
	Disabled      bool             `json:"-"` // kept, but bears on nothing
}

// Actors says whose decisions a policy bears on: those of anybody who is named, holds one of the roles, or belongs to one
// of the groups. Nobody named at all means everybody.
type Actors struct {
	Roles  []string `json:"roles,omitempty" validate:"max=200,dive,required,single_line,maxrunes=200"`
	Groups []string `json:"groups,omitempty" validate:"max=200,dive,required,single_line,maxrunes=200"`
	Users  []string `json:"users,omitempty" validate:"max=200,dive,required,single_line,maxrunes=200"`
}

// StateConstraints says in which states of the request a policy bears on decisions. Empty means any.
type StateConstraints struct {
	StatusIn    []Status `json:"statusIn,omitempty" validate:"max=10,dive,oneof=pending approved rejected timed_out withdrawn"`
	StatusNotIn []Status `json:"statusNotIn,omitempty" validate:"max=10,dive,oneof=pending approved rejected timed_out withdrawn"`
}

// GuardSpec names a guard: a key of Config.Guards. A type that is not there is stored all the same, and refuses.
type GuardSpec struct {
	Type string `json:"type" validate:"required,single_line,maxrunes=200"`
}

// ActionPolicy is a stored ActionRule (seed 002, phase 2). Times are UTC in whole microseconds.
type ActionPolicy struct {
	ActionRule

	ID        string
	Tenant    identity.TenantID
	Version   int64 // from 1
	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
	UpdatedBy string
}

// ActionPolicyPatch changes what is not nil; lists are replaced as a whole.
type ActionPolicyPatch struct {
	Flow          *string
	Action        *string
	Priority      *int
	Actors        *Actors
	States        *StateConstraints
	RequireReason *bool
	Guards        *[]GuardSpec
	Disabled      *bool
}

func (p ActionPolicyPatch) apply(r *ActionRule) {
	set(&r.Flow, p.Flow)
	set(&r.Action, p.Action)
	set(&r.Priority, p.Priority)
	set(&r.Actors, p.Actors)
	set(&r.States, p.States)
	set(&r.RequireReason, p.RequireReason)
	set(&r.Guards, p.Guards)
	set(&r.Disabled, p.Disabled)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// ActionPolicyFilter selects action policies; empty fields select all.
type ActionPolicyFilter struct{ Flow, Action string }

// ActionPolicies stores action policies. Every method joins the transaction in ctx and sees one tenant only.
type ActionPolicies interface {
	// InsertActionPolicy stores a new one.
	InsertActionPolicy(ctx context.Context, p ActionPolicy) error
	// ActionPolicy returns one, or ErrNoActionPolicy.
	ActionPolicy(ctx context.Context, tenant identity.TenantID, id string) (ActionPolicy, error)
	// SetActionPolicy writes all of p but its origin if the stored one is at version p.Version-1; else it returns
	// ErrActionPolicyChanged.
	SetActionPolicy(ctx context.Context, p ActionPolicy) error
	// ListActionPolicies returns them, newest first, disabled ones too.
	ListActionPolicies(ctx context.Context, tenant identity.TenantID, f ActionPolicyFilter, p page.Request) (page.Page[ActionPolicy], error)
	// ActionPoliciesOn returns those of a flow and action that are not disabled, in the order of Governing.
	ActionPoliciesOn(ctx context.Context, tenant identity.TenantID, flow, action string) ([]ActionPolicy, error)
}

// ActionPolicyKind names action policies in audit entries.
const ActionPolicyKind = "action_policies"

// keepsPolicies says whether the caller may read and change action policies: administrators (role admin or mgmt), for
// themselves and never in somebody's name.
func keepsPolicies(by identity.Principal) bool { return mayOversee(by) && !by.IsProxy() }

// CreateActionPolicy stores an action policy, in force at once unless it is Disabled. It is for administrators (role admin
// or mgmt). It returns ErrForbidden or an Invalid fault with fields.
func (s *Service) CreateActionPolicy(ctx context.Context, by identity.Principal, rule ActionRule) (ActionPolicy, error) {
	if !keepsPolicies(by) {
		return ActionPolicy{}, ErrForbidden
	}
	if err := check.Struct(rule); err != nil {
		return ActionPolicy{}, err
	}
	p := ActionPolicy{ActionRule: rule, ID: s.cfg.NewID(), Tenant: by.Tenant, Version: 1, CreatedBy: by.Actor, UpdatedBy: by.Actor}
	err := s.store.Do(ctx, func(ctx context.Context) error {
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		p.CreatedAt, p.UpdatedAt = now, now
		if err := s.store.InsertActionPolicy(ctx, p); err != nil {
			return err
		}
		e := audit.By(by, "action_policy_created", ActionPolicyKind, p.ID)
		e.Metadata["after"] = p.recorded()
		return s.cfg.Audit.Record(ctx, e)
	})
	return p, err
}

// UpdateActionPolicy changes an action policy that is at version, 0 for any. Decisions that are being taken go by the one
// or the other. It is for administrators (role admin or mgmt). It returns ErrForbidden, ErrNoActionPolicy,
// ErrActionPolicyChanged or an Invalid fault with fields.
func (s *Service) UpdateActionPolicy(ctx context.Context, by identity.Principal, id string, version int64, patch ActionPolicyPatch) (ActionPolicy, error) {
	if !keepsPolicies(by) {
		return ActionPolicy{}, ErrForbidden
	}
	var p ActionPolicy
	err := s.store.Do(ctx, func(ctx context.Context) error {
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		if p, err = s.store.ActionPolicy(ctx, by.Tenant, id); err != nil {
			return err
		}
		if version != 0 && version != p.Version {
			return ErrActionPolicyChanged
		}
		before := p.recorded()
		patch.apply(&p.ActionRule)
		if err := check.Struct(p.ActionRule); err != nil {
			return err
		}
		p.Version++
		p.UpdatedAt, p.UpdatedBy = now, by.Actor
		if err := s.store.SetActionPolicy(ctx, p); err != nil {
			return err
		}
		e := audit.By(by, "action_policy_updated", ActionPolicyKind, p.ID)
		e.Metadata["before"], e.Metadata["after"] = before, p.recorded()
		return s.cfg.Audit.Record(ctx, e)
	})
	if err != nil {
		return ActionPolicy{}, err
	}
	return p, nil
}

// recorded is the policy as audit entries have it.
func (p ActionPolicy) recorded() map[string]any {
	return map[string]any{
		"flowType": p.Flow, "actionKey": p.Action, "priority": p.Priority, "subjects": p.Actors, "stateConstraints": p.States,
		"requireReason": p.RequireReason, "guards": append([]GuardSpec{}, p.Guards...), "isEnabled": !p.Disabled, "version": p.Version,
	}
}

// ActionPolicy returns one action policy, for administrators (role admin or mgmt). It returns ErrForbidden or
// ErrNoActionPolicy.
func (s *Service) ActionPolicy(ctx context.Context, by identity.Principal, id string) (ActionPolicy, error) {
	if !keepsPolicies(by) {
		return ActionPolicy{}, ErrForbidden
	}
	return s.store.ActionPolicy(ctx, by.Tenant, id)
}

// ActionPolicies lists action policies, newest first, for administrators (role admin or mgmt). It returns ErrForbidden
// and page.ErrBadCursor.
func (s *Service) ActionPolicies(ctx context.Context, by identity.Principal, f ActionPolicyFilter, p page.Request) (page.Page[ActionPolicy], error) {
	if !keepsPolicies(by) {
		return page.Page[ActionPolicy]{}, ErrForbidden
	}
	return s.store.ListActionPolicies(ctx, by.Tenant, f, p)
}
