package ackflow

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// MostRequired is how many people one request can ask.
const MostRequired = 500

// The reasons in the details of ErrRequiredUsers, and of a template that is skipped.
const (
	RequiredUsersEmpty    = "required_users_empty"
	RequiredUsersInvalid  = "required_users_invalid" // unknown to the directory
	RequiredUsersInactive = "required_users_inactive"
	RequiredUsersTooMany  = "required_users_too_many"
)

// Asked is one of those whom a request would ask, and how they came to be among them.
type Asked struct {
	UserID string
	Name   string
	Via    []string // "user", "group:<name>", "role:<name>"
}

// expand turns names into people, each once: those named one by one in their order, then groups, then roles. Strangers
// and the inactive are given by id; of groups and roles only active members count.
func (s *Service) expand(ctx context.Context, tenant identity.TenantID, a Audience) (people []Asked, strangers, inactive []string, err error) {
	at := map[string]int{}
	add := func(p identity.Person, via string) {
		i, known := at[p.ID]
		if !known {
			i = len(people)
			at[p.ID] = i
			people = append(people, Asked{UserID: p.ID, Name: p.Name})
		}
		if !slices.Contains(people[i].Via, via) {
			people[i].Via = append(people[i].Via, via)
		}
	}
	if len(a.Users) > 0 {
		found, err := s.cfg.Directory.People(ctx, tenant, a.Users)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, id := range a.Users {
			i := slices.IndexFunc(found, func(p identity.Person) bool { return p.ID == id })
			switch {
			case i < 0:
				strangers = append(strangers, id)
			case !found[i].Active:
				inactive = append(inactive, id)
			default:
				add(found[i], "user")
			}
		}
	}
	for i, name := range slices.Concat(a.Groups, a.Roles) {
		via := "group:"
		if i >= len(a.Groups) {
			via = "role:"
		}
		holders, err := s.cfg.Directory.Holders(ctx, tenant, name)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, p := range holders {
			add(p, via+name)
		}
	}
	return people, strangers, inactive, nil
}

// required returns whom a request asks, or ErrRequiredUsers. Creation, preview and templates all ask here, so that none of
// them can differ.
func (s *Service) required(ctx context.Context, tenant identity.TenantID, a Audience) ([]Asked, error) {
	people, strangers, inactive, err := s.expand(ctx, tenant, a)
	refuse := func(reason string, ids []string) error {
		e := ErrRequiredUsers.With("reason", reason)
		if len(ids) > 0 {
			e = e.With("userIds", ids)
		}
		return e
	}
	switch {
	case err != nil:
		return nil, err
	case len(strangers) > 0:
		return nil, refuse(RequiredUsersInvalid, strangers)
	case len(inactive) > 0:
		return nil, refuse(RequiredUsersInactive, inactive)
	case len(people) == 0:
		return nil, refuse(RequiredUsersEmpty, nil)
	case len(people) > MostRequired:
		return nil, refuse(RequiredUsersTooMany, nil)
	}
	return people, nil
}

// escalatees returns whom an escalation would tell now, or ErrEscalationUsers. Who is named by group or role is decided
// when it happens.
func (s *Service) escalatees(ctx context.Context, tenant identity.TenantID, a Audience) ([]Asked, error) {
	people, strangers, inactive, err := s.expand(ctx, tenant, a)
	if err != nil {
		return nil, err
	}
	if bad := slices.Concat(strangers, inactive); len(bad) > 0 {
		return nil, ErrEscalationUsers.With("userIds", bad)
	}
	return people, nil
}

func ids(people []Asked) []string {
	out := make([]string, 0, len(people))
	for _, p := range people {
		out = append(out, p.UserID)
	}
	return out
}

// managers returns the active managers of the people, each once, in order.
func (s *Service) managers(ctx context.Context, tenant identity.TenantID, people []string) ([]string, error) {
	found, err := s.cfg.Directory.People(ctx, tenant, people)
	if err != nil {
		return nil, err
	}
	var wanted []string
	for _, id := range people {
		i := slices.IndexFunc(found, func(p identity.Person) bool { return p.ID == id })
		if i >= 0 && found[i].ManagerID != "" && !slices.Contains(wanted, found[i].ManagerID) {
			wanted = append(wanted, found[i].ManagerID)
		}
	}
	return s.active(ctx, tenant, wanted)
}

// active returns those of the people who are in the directory and active, in order.
func (s *Service) active(ctx context.Context, tenant identity.TenantID, people []string) ([]string, error) {
	if len(people) == 0 {
		return nil, nil
	}
	found, err := s.cfg.Directory.People(ctx, tenant, people)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(people), func(id string) bool {
		return !slices.ContainsFunc(found, func(p identity.Person) bool { return p.ID == id && p.Active })
	}), nil
}

// participants returns who takes part in a target, or ErrTargetTable or ErrTargetNotFound.
func (s *Service) participants(ctx context.Context, tenant identity.TenantID, t Target) ([]string, error) {
	resolver, ok := s.cfg.Targets[t.Table]
	if !ok {
		return nil, ErrTargetTable
	}
	people, err := resolver.Participants(ctx, tenant, t.ID)
	if isGone(err) {
		return nil, ErrTargetNotFound.Because(err)
	}
	return people, err
}

// takesPart says whether the caller takes part in the target; in one that is gone nobody does.
func (s *Service) takesPart(ctx context.Context, by identity.Principal, t Target) (bool, error) {
	people, err := s.participants(ctx, by.Tenant, t)
	if code := fault.CodeOf(err); code == fault.NotFound || code == fault.Invalid {
		return false, nil
	}
	return slices.Contains(people, by.User()), err
}
