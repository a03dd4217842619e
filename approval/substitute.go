package approval

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Substitution lets somebody decide in an approver's place for a while. Both may decide then; the first does. It passes
// on: who stands in for a substitute stands in for the approver. It never passes through somebody who counts as the
// requester, so that nobody picks the person who decides on their request. Times are UTC in whole microseconds.
type Substitution struct {
	ID           string // UUIDv7
	Tenant       identity.TenantID
	ApproverID   string
	SubstituteID string
	From         time.Time
	Until        time.Time // exclusive; zero: until it is ended
	CreatedBy    string    // the approver, or an administrator
	CreatedAt    time.Time
	EndedAt      time.Time // zero: not ended
}

// InForce says whether the substitution is effective at the instant t.
func (s Substitution) InForce(t time.Time) bool {
	return s.EndedAt.IsZero() && !t.Before(s.From) && (s.Until.IsZero() || t.Before(s.Until))
}

// NewSubstitution names a substitute.
type NewSubstitution struct {
	ApproverID   string    `json:"approver_id" validate:"required,single_line,maxrunes=200"` // default by.User(); another's is for administrators
	SubstituteID string    `json:"substitute_id" validate:"required,single_line,maxrunes=200"`
	From         time.Time `json:"valid_from"`  // zero: from now on
	Until        time.Time `json:"valid_until"` // zero: until it is ended
}

// Substitutes keeps substitutions. Every method joins the transaction in ctx and sees one tenant only.
type Substitutes interface {
	// AddSubstitution stores a new one.
	AddSubstitution(ctx context.Context, s Substitution) error
	// Substitution returns one, or ErrNoSubstitution.
	Substitution(ctx context.Context, tenant identity.TenantID, id string) (Substitution, error)
	// EndSubstitution ends one and says whether it was not ended before.
	EndSubstitution(ctx context.Context, tenant identity.TenantID, id string, at time.Time) (bool, error)
	// ListSubstitutions returns those of an approver or a substitute, ended ones too, newest first; an empty person is
	// everybody.
	ListSubstitutions(ctx context.Context, tenant identity.TenantID, person string, p page.Request) (page.Page[Substitution], error)
	// SubstitutesOf returns what is in force for any of the approvers, ordered by id.
	SubstitutesOf(ctx context.Context, tenant identity.TenantID, approvers []string, at time.Time) ([]Substitution, error)
	// StandingInFor returns what is in force by any of the substitutes, ordered by id.
	StandingInFor(ctx context.Context, tenant identity.TenantID, substitutes []string, at time.Time) ([]Substitution, error)
}

// What the audit trail calls the naming and ending of substitutes; the target is "approval_substitutes".
const (
	ActionSubstituteNamed = "approval_substitute_named"
	ActionSubstituteEnded = "approval_substitute_ended"
)

const substituteKind = "approval_substitutes"

// maxChain bounds how far a substitution passes on.
const maxChain = 10

// NameSubstitute lets somebody decide in the place of by.User(), or of another approver for an administrator (role admin
// or mgmt). Nobody does it in somebody else's name (secretary mode). Both must be active people of the directory. It
// returns ErrNotOwnSubstitute or an Invalid fault.
func (s *Service) NameSubstitute(ctx context.Context, by identity.Principal, in NewSubstitution) (Substitution, error) {
	if in.ApproverID == "" {
		in.ApproverID = by.Actor
	}
	if by.IsProxy() || in.ApproverID != by.Actor && !mayOversee(by) {
		return Substitution{}, ErrNotOwnSubstitute
	}
	if err := check.Struct(in); err != nil {
		return Substitution{}, err
	}
	var out Substitution
	err := s.store.Do(ctx, func(ctx context.Context) error {
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		sub := Substitution{
			ID: s.cfg.NewID(), Tenant: by.Tenant, ApproverID: in.ApproverID, SubstituteID: in.SubstituteID,
			From: stored(in.From), Until: stored(in.Until), CreatedBy: by.Actor, CreatedAt: now,
		}
		if sub.From.IsZero() {
			sub.From = now
		}
		if err := s.checkSubstitution(ctx, sub, now); err != nil {
			return err
		}
		if err := s.store.AddSubstitution(ctx, sub); err != nil {
			return err
		}
		out = sub
		return s.auditSubstitution(ctx, by, ActionSubstituteNamed, sub)
	})
	return out, err
}

// stored is a time as it is kept.
func stored(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func (s *Service) checkSubstitution(ctx context.Context, sub Substitution, now time.Time) error {
	for name, t := range map[string]time.Time{"valid_from": sub.From, "valid_until": sub.Until} {
		if y := t.Year(); !t.IsZero() && (y < 1970 || y > 2200) {
			return fault.InvalidField(name, "must be in the years 1970 to 2200")
		}
	}
	switch {
	case sub.SubstituteID == sub.ApproverID:
		return fault.InvalidField("substitute_id", "must be somebody else")
	case !sub.Until.IsZero() && !sub.Until.After(sub.From):
		return fault.InvalidField("valid_until", "must be after valid_from")
	case !sub.Until.IsZero() && !sub.Until.After(now):
		return fault.InvalidField("valid_until", "must be in the future")
	}
	people, err := s.cfg.Directory.People(ctx, sub.Tenant, []string{sub.ApproverID, sub.SubstituteID})
	if err != nil {
		return err
	}
	for name, id := range map[string]string{"approver_id": sub.ApproverID, "substitute_id": sub.SubstituteID} {
		if !slices.ContainsFunc(people, func(p identity.Person) bool { return p.ID == id && p.Active }) {
			return fault.InvalidField(name, "must be an active person of the directory")
		}
	}
	return nil
}

// EndSubstitute ends a substitution at once; one that has ended stays as it is. The approver and administrators may; the
// substitute gets ErrNotOwnSubstitute, as does whoever acts in somebody's name, and everybody else ErrNoSubstitution.
func (s *Service) EndSubstitute(ctx context.Context, by identity.Principal, id string) error {
	return s.store.Do(ctx, func(ctx context.Context) error {
		sub, err := s.store.Substitution(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		party := slices.Contains([]string{sub.ApproverID, sub.SubstituteID}, by.Actor)
		switch {
		case !by.IsProxy() && (sub.ApproverID == by.Actor || mayOversee(by)):
		case party, sub.ApproverID == by.User():
			return ErrNotOwnSubstitute
		default:
			return ErrNoSubstitution
		}
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		ended, err := s.store.EndSubstitution(ctx, by.Tenant, id, now)
		if err != nil || !ended {
			return err
		}
		return s.auditSubstitution(ctx, by, ActionSubstituteEnded, sub)
	})
}

func (s *Service) auditSubstitution(ctx context.Context, by identity.Principal, action string, sub Substitution) error {
	e := audit.By(by, action, substituteKind, sub.ID)
	e.SubjectID = sub.ApproverID
	e.Metadata["substituteId"], e.Metadata["validFrom"] = sub.SubstituteID, sub.From.Format(time.RFC3339Nano)
	if !sub.Until.IsZero() {
		e.Metadata["validUntil"] = sub.Until.Format(time.RFC3339Nano)
	}
	return s.cfg.Audit.Record(ctx, e)
}

// Substitutions lists those that a person named or was named in, newest first. An empty person is the caller themselves;
// another is for administrators. It returns ErrNotOwnSubstitute and page.ErrBadCursor.
func (s *Service) Substitutions(ctx context.Context, by identity.Principal, person string, p page.Request) (page.Page[Substitution], error) {
	if person == "" {
		person = by.Actor
	}
	if person != by.Actor && !mayOversee(by) {
		return page.Page[Substitution]{}, ErrNotOwnSubstitute
	}
	return s.store.ListSubstitutions(ctx, by.Tenant, person, p)
}

// standIns returns who may decide in the place of each approver, nearest first. Nobody of cut stands in or is passed
// through, and nobody comes twice, so that rings end.
func (s *Service) standIns(ctx context.Context, tenant identity.TenantID, approvers, cut []string, now time.Time) (map[string][]string, error) {
	next := map[string][]string{} // by approver: whose substitutes are looked for
	found := map[string][]string{}
	for _, a := range approvers {
		if !slices.Contains(cut, a) {
			next[a] = []string{a}
		}
	}
	for range maxChain {
		if len(next) == 0 {
			break
		}
		subs, err := s.store.SubstitutesOf(ctx, tenant, members(next), now)
		if err != nil {
			return nil, err
		}
		further := map[string][]string{}
		for approver, whose := range next {
			for _, sub := range subs {
				id := sub.SubstituteID
				if !slices.Contains(whose, sub.ApproverID) || id == approver || slices.Contains(found[approver], id) || slices.Contains(cut, id) {
					continue
				}
				found[approver] = append(found[approver], id)
				further[approver] = append(further[approver], id)
			}
		}
		next = further
	}
	return found, nil
}

// StandIns returns those who may decide in the person's place at present, nearest first, whatever the request; four eyes
// may still keep one of them from a particular one. It joins the transaction in ctx.
func (s *Service) StandIns(ctx context.Context, tenant identity.TenantID, person string) ([]string, error) {
	now, err := s.store.Now(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.standIns(ctx, tenant, []string{person}, nil, now)
	return found[person], err
}

// members returns everybody in the lists, each once, ordered.
func members(lists map[string][]string) []string {
	all := []string{}
	for _, l := range lists {
		all = append(all, l...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// represented returns those in whose place the person may decide, nearest first; it is standIns seen from the other
// side.
func (s *Service) represented(ctx context.Context, tenant identity.TenantID, person string, cut []string, now time.Time) ([]string, error) {
	found := []string{}
	if slices.Contains(cut, person) {
		return found, nil
	}
	next := []string{person}
	for range maxChain {
		if len(next) == 0 {
			break
		}
		subs, err := s.store.StandingInFor(ctx, tenant, next, now)
		if err != nil {
			return nil, err
		}
		next = nil
		for _, sub := range subs {
			id := sub.ApproverID
			if id == person || slices.Contains(found, id) || slices.Contains(cut, id) {
				continue
			}
			found = append(found, id)
			next = append(next, id)
		}
	}
	return found, nil
}
