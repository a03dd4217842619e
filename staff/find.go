package staff

import (
	"context"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Known is by what people are looked up; whoever has one of the values is found.
type Known struct {
	IDs        []int64
	UserIDs    []string
	References []string // employee references; needs the group Work
	Emails     []string // needs the group Contact
}

// Find returns the people whom one of the values names, active or not, each once, by ID, as by may see them. What is
// unknown, and what by may not read, finds nobody. It returns ErrReadForbidden.
func (s *Service) Find(ctx context.Context, by identity.Principal, k Known) ([]View, error) {
	groups, err := Readable(by)
	if err != nil {
		return nil, err
	}
	ids := k.IDs
	add := func(found []Person, err error) error {
		for _, p := range found {
			ids = append(ids, p.ID)
		}
		return err
	}
	if names := texts(k.UserIDs); len(names) > 0 {
		if err := add(s.cfg.Store.ByUserID(ctx, by.Tenant, names)); err != nil {
			return nil, err
		}
	}
	if references := texts(k.References); len(references) > 0 && groups.Has(Work) {
		if err := add(s.cfg.Store.ByReference(ctx, by.Tenant, references)); err != nil {
			return nil, err
		}
	}
	if emails := texts(k.Emails); len(emails) > 0 && groups.Has(Contact) {
		for i, e := range emails {
			emails[i] = identity.NormalEmail(e)
		}
		if err := add(s.cfg.Store.ByEmail(ctx, by.Tenant, texts(emails))); err != nil {
			return nil, err
		}
	}
	people, err := s.peopleByID(ctx, by.Tenant, ids)
	if err != nil {
		return nil, err
	}
	byID := map[int64]Person{}
	for _, p := range people {
		byID[p.ID] = p
	}
	var views []View
	for _, id := range distinct(ids) {
		if p, ok := byID[id]; ok && p.ErasedAt.IsZero() {
			views = append(views, View{by.Tenant, p, groups})
		}
	}
	return views, nil
}

// texts are those of the values that can be stored at all, each once.
func texts(values []string) []string {
	var out []string
	for _, v := range values {
		if v != "" && check.IsText(v, false) {
			out = append(out, v)
		}
	}
	return set(out)
}

// FindUnits returns the units with one of the ids or exactly the name, which may be empty. It returns ErrReadForbidden
// or ErrFieldForbidden.
func (s *Service) FindUnits(ctx context.Context, by identity.Principal, name string, ids ...int64) ([]Unit, error) {
	if err := s.readUnits(by); err != nil {
		return nil, err
	}
	var found []Unit
	if name != "" && check.IsText(name, false) {
		named, err := s.cfg.Store.UnitsByName(ctx, by.Tenant, name)
		if err != nil {
			return nil, err
		}
		found = named
	}
	if len(ids) == 0 {
		return found, nil
	}
	others, err := s.cfg.Store.UnitsByID(ctx, by.Tenant, distinct(ids))
	return append(found, others...), err
}

// Provision is Create for a provisioning client, which has the scope scim. The person gets a user account where
// Config.UserIDs gives one, as new hires do. It returns what Create does.
func (s *Service) Provision(ctx context.Context, by identity.Principal, e Edit) (View, error) {
	if err := Allow(by, ScopeSCIM); err != nil {
		return View{}, err
	}
	p := e.apply(Person{Active: true})
	if err := mayEdit(by, Person{}, p, e); err != nil {
		return View{}, err
	}
	err := s.InTurn(ctx, by.Tenant, func(ctx context.Context) (err error) {
		if p.UserID == "" {
			if p.UserID, err = s.accountOf(ctx, by.Tenant, p); err != nil {
				return err
			}
		}
		p, err = s.create(ctx, by, p, ActionCreate)
		return err
	})
	return View{by.Tenant, p, GroupsOf(by)}, err
}
