package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Policy is when a flow needs consent and who gives it: data that administrators change while the program runs. Every
// change is a version of its own; old ones stay readable, and a request names the one that it was judged by.
type Policy struct {
	Tenant       identity.TenantID
	Flow         string
	Version      int64         // from 1, which is what Config says
	Rules        Rules         // when; none: never
	Steps        []Plan        // who, one step after the other; none: DefaultSteps
	Timeout      time.Duration // 0: Config.Timeout
	RemindBefore time.Duration // 0: Config.RemindBefore
	Comment      string        // why it was changed
	ChangedBy    string        // empty in version 1
	ChangedAt    time.Time     // zero in version 1
}

// Verdict is what a policy says of facts.
type Verdict struct {
	Version     int64    // of the policy
	Required    bool     // consent is
	Reasons     []string // in words for programs; empty when it is not required
	Explanation []string // in words for people: "attendees 12 ≥ 10"
}

// Judge says whether the facts need consent and explains it. It is a pure function: the dry run and Submit both call it.
func (p Policy) Judge(facts Facts) Verdict {
	reasons, explanation := p.Rules.Evaluate(facts)
	return Verdict{Version: p.Version, Required: len(reasons) > 0, Reasons: reasons, Explanation: explanation}
}

// The limits of a policy.
const (
	MaxRules   = 100
	MaxTimeout = 366 * 24 * time.Hour
)

// Validate returns a fault ErrPolicy with everything that is wrong, or nil.
func (p Policy) Validate() error {
	bad := ErrPolicy
	if p.Flow == "" || !check.IsText(p.Flow, false) || len([]rune(p.Flow)) > maxName {
		bad = bad.WithField("flow_type", "a short line of text is required")
	}
	if err := p.Rules.Validate(); err != nil {
		bad = bad.WithField("rules", err.Error())
	}
	if len(p.Rules) > MaxRules {
		bad = bad.WithField("rules", fmt.Sprintf("at most %d", MaxRules))
	}
	for i, r := range p.Rules {
		long := slices.ContainsFunc(slices.Concat(r.AnyOf, []string{r.Fact, r.Reason}), func(s string) bool {
			return !check.IsText(s, false) || len([]rune(s)) > maxName
		})
		if long || len(r.AnyOf) > MaxSources {
			bad = bad.WithField(fmt.Sprintf("rules[%d]", i), "only short lines of text")
		}
		if r.Flow != "" && r.Flow != p.Flow {
			bad = bad.WithField(fmt.Sprintf("rules[%d].flow", i), "the policy's own flow, or none")
		}
	}
	if err := validateSteps(p.Steps); err != nil {
		bad = bad.WithField("steps", err.Error())
	}
	for name, d := range map[string]time.Duration{"timeout": p.Timeout, "remind_before": p.RemindBefore} {
		if d < 0 || d > MaxTimeout {
			bad = bad.WithField(name, "between nothing and 366 days")
		}
	}
	if !check.IsText(p.Comment, true) || len([]rune(p.Comment)) > maxComment {
		bad = bad.WithField("comment", "a text of up to 4000 characters")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

const maxComment = 4000 // characters

// PolicyStore keeps the versions of policies. Every method joins the transaction in ctx and sees one tenant only.
type PolicyStore interface {
	// Policy returns the newest version of a flow's policy, or ErrNoPolicy when none was ever stored.
	Policy(ctx context.Context, tenant identity.TenantID, flow string) (Policy, error)
	// PolicyVersion returns one version, or ErrNoPolicy.
	PolicyVersion(ctx context.Context, tenant identity.TenantID, flow string, version int64) (Policy, error)
	// Policies returns the newest version of every flow's, ordered by flow.
	Policies(ctx context.Context, tenant identity.TenantID) ([]Policy, error)
	// PolicyVersions returns the versions of a flow's policy, newest first.
	PolicyVersions(ctx context.Context, tenant identity.TenantID, flow string, p page.Request) (page.Page[Policy], error)
	// AddPolicy stores a version. It returns ErrPolicyChanged when there is one of that number.
	AddPolicy(ctx context.Context, p Policy) error
}

// ActionPolicyChanged is what the audit trail calls a change; the target is "approval_policies/<flow>".
const ActionPolicyChanged = "approval_policy_changed"

const policyKind = "approval_policies"

// configured is version 1 of a flow's policy.
func (s *Service) configured(tenant identity.TenantID, flow string) Policy {
	return Policy{Tenant: tenant, Flow: flow, Version: 1, Rules: s.cfg.Policies.For(flow), Steps: s.cfg.Steps[flow]}
}

// Policy returns what is in force in a flow: the newest stored version, or what Config says.
func (s *Service) Policy(ctx context.Context, tenant identity.TenantID, flow string) (Policy, error) {
	p, err := s.store.Policy(ctx, tenant, flow)
	if errors.Is(err, ErrNoPolicy) {
		p, err = s.configured(tenant, flow), nil
	}
	return p.complete(), err
}

// complete is the policy with the steps that it goes by.
func (p Policy) complete() Policy {
	if len(p.Steps) == 0 {
		p.Steps = DefaultSteps()
	}
	return p
}

// Evaluate is the dry run of Submit: whether facts need consent in a flow at present, and why. It changes nothing.
func (s *Service) Evaluate(ctx context.Context, tenant identity.TenantID, flow string, facts Facts) (Verdict, error) {
	p, err := s.Policy(ctx, tenant, flow)
	return p.Judge(facts), err
}

// Question asks what the policy of a flow would say.
type Question struct {
	Flow      string  `json:"flow_type" validate:"required,single_line,maxrunes=200"`
	Requester string  `json:"requester_id" validate:"required,single_line,maxrunes=200"` // default by.User()
	Facts     Facts   `json:"facts" validate:"-"`
	Draft     *Policy `json:"policy" validate:"-"` // instead of the policy in force: how a change would work
}

// Preview is Evaluate with the people who would be asked: the first step as it would open, later ones as things stand. A
// requester other than by.User(), and a draft, are for administrators (role admin or mgmt): ErrForbidden. It returns an
// Invalid fault, ErrPolicy for a draft that is not valid, or ErrNoApprover with the steps as far as they were found.
func (s *Service) Preview(ctx context.Context, by identity.Principal, q Question) (Verdict, []Step, error) {
	if q.Requester == "" {
		q.Requester = by.User()
	}
	if err := check.Struct(q); err != nil {
		return Verdict{}, nil, err
	}
	if (q.Requester != by.User() || q.Draft != nil) && !mayOversee(by) {
		return Verdict{}, nil, ErrForbidden
	}
	p, err := s.questioned(ctx, by, q)
	if err != nil {
		return Verdict{}, nil, err
	}
	v := p.Judge(q.Facts)
	if !v.Required {
		return v, []Step{}, nil
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return Verdict{}, nil, err
	}
	r := Request{Tenant: by.Tenant, Flow: q.Flow, Requester: q.Requester, Steps: steps(p)}
	if by.IsProxy() && by.User() == q.Requester {
		r.ActedBy = by.Actor
	}
	return v, r.Steps, s.route(ctx, &r, now)
}

// questioned is the policy that a question is about.
func (s *Service) questioned(ctx context.Context, by identity.Principal, q Question) (Policy, error) {
	if q.Draft == nil {
		return s.Policy(ctx, by.Tenant, q.Flow)
	}
	draft := *q.Draft
	draft.Tenant, draft.Flow, draft.Version = by.Tenant, q.Flow, 0
	if err := draft.Validate(); err != nil {
		return Policy{}, err
	}
	return draft.complete(), nil
}

func steps(p Policy) []Step {
	out := make([]Step, len(p.Steps))
	for i, plan := range p.Steps {
		out[i] = plan.step()
	}
	return out
}

// Policies returns what is in force in every flow that has a stored policy or a rule in Config, ordered by flow; for
// administrators (role admin or mgmt), others get ErrForbidden.
func (s *Service) Policies(ctx context.Context, by identity.Principal) ([]Policy, error) {
	if !mayOversee(by) {
		return nil, ErrForbidden
	}
	stored, err := s.store.Policies(ctx, by.Tenant)
	if err != nil {
		return nil, err
	}
	for _, r := range s.cfg.Policies {
		if r.Flow != "" && !slices.ContainsFunc(stored, func(p Policy) bool { return p.Flow == r.Flow }) {
			stored = append(stored, s.configured(by.Tenant, r.Flow))
		}
	}
	slices.SortFunc(stored, func(a, b Policy) int { return strings.Compare(a.Flow, b.Flow) })
	for i, p := range stored {
		stored[i] = p.complete()
	}
	return stored, nil
}

// PolicyVersion returns one version of a flow's policy, or the one in force for 0. It is for administrators. It returns
// ErrForbidden or ErrNoPolicy.
func (s *Service) PolicyVersion(ctx context.Context, by identity.Principal, flow string, version int64) (Policy, error) {
	if !mayOversee(by) {
		return Policy{}, ErrForbidden
	}
	if version == 0 {
		return s.Policy(ctx, by.Tenant, flow)
	}
	return s.policyAt(ctx, by.Tenant, flow, version)
}

// policyAt is one version; the first one is what Config says as long as there is no other.
func (s *Service) policyAt(ctx context.Context, tenant identity.TenantID, flow string, version int64) (Policy, error) {
	p, err := s.store.PolicyVersion(ctx, tenant, flow, version)
	if errors.Is(err, ErrNoPolicy) && version == 1 {
		p, err = s.configured(tenant, flow), nil
	}
	return p.complete(), err
}

// PolicyVersions lists the stored versions of a flow's policy, newest first, for administrators; none when it was never
// changed. It returns ErrForbidden and page.ErrBadCursor.
func (s *Service) PolicyVersions(ctx context.Context, by identity.Principal, flow string, p page.Request) (page.Page[Policy], error) {
	if !mayOversee(by) {
		return page.Page[Policy]{}, ErrForbidden
	}
	return s.store.PolicyVersions(ctx, by.Tenant, flow, p)
}

// ChangePolicy stores the next version of a flow's policy, if the one in force is the given version (0: whichever it is).
// Requests that wait already go on by theirs. It is for administrators (role admin or mgmt) themselves, never for who
// acts in somebody's name. It returns ErrForbidden, ErrPolicy or ErrPolicyChanged.
func (s *Service) ChangePolicy(ctx context.Context, by identity.Principal, p Policy, version int64) (Policy, error) {
	if !mayOversee(by) || by.IsProxy() {
		return Policy{}, ErrForbidden
	}
	if err := p.Validate(); err != nil {
		return Policy{}, err
	}
	err := s.store.Do(ctx, func(ctx context.Context) error {
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		was, err := s.store.Policy(ctx, by.Tenant, p.Flow)
		if errors.Is(err, ErrNoPolicy) { // what Config said is kept for the record
			was = s.configured(by.Tenant, p.Flow)
			err = s.store.AddPolicy(ctx, was)
		}
		if err != nil {
			return err
		}
		if version != 0 && version != was.Version {
			return ErrPolicyChanged.With("version", was.Version)
		}
		p.Tenant, p.Version, p.ChangedBy, p.ChangedAt = by.Tenant, was.Version+1, by.Actor, now
		if err := s.store.AddPolicy(ctx, p); err != nil {
			return err
		}
		e := audit.By(by, ActionPolicyChanged, policyKind, p.Flow)
		e.Reason = p.Comment
		e.Metadata["version"], e.Metadata["before"], e.Metadata["after"] = p.Version, was.recorded(), p.recorded()
		return s.cfg.Audit.Record(ctx, e)
	})
	if err != nil {
		return Policy{}, err
	}
	return p.complete(), nil
}

// recorded is the policy as audit entries have it.
func (p Policy) recorded() map[string]any {
	return map[string]any{
		"version": p.Version, "rules": append(Rules{}, p.Rules...), "steps": p.complete().Steps,
		"timeoutSeconds": int64(p.Timeout / time.Second), "remindBeforeSeconds": int64(p.RemindBefore / time.Second),
	}
}
