package staff

import (
	"context"
	"slices"
	"strings"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Person implements identity.Directory.
func (s *Service) Person(ctx context.Context, tenant identity.TenantID, id string) (identity.Person, error) {
	found, err := s.People(ctx, tenant, []string{id})
	if err != nil {
		return identity.Person{}, err
	}
	if len(found) == 0 {
		return identity.Person{}, identity.ErrUnknownPerson
	}
	return found[0], nil
}

// People implements identity.Directory; the answer is ordered by id.
func (s *Service) People(ctx context.Context, tenant identity.TenantID, ids []string) ([]identity.Person, error) {
	ids = set(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" || !check.IsText(id, false) }))
	if len(ids) == 0 {
		return nil, nil
	}
	return identities(s.cfg.Store.ByUserID(ctx, tenant, ids))
}

// ByEmail implements identity.Directory; the answer is ordered by id. Several people may share an address. Whoever has no
// user account is none of them: the other packages know people by their user ids.
func (s *Service) ByEmail(ctx context.Context, tenant identity.TenantID, emails []string) ([]identity.Person, error) {
	var normal []string
	for _, e := range emails {
		if n := identity.NormalEmail(e); n != "" && check.IsText(n, false) {
			normal = append(normal, n)
		}
	}
	if len(normal) == 0 {
		return nil, nil
	}
	found, err := s.cfg.Store.ByEmail(ctx, tenant, set(normal))
	return identities(slices.DeleteFunc(found, func(p Person) bool { return p.UserID == "" }), err)
}

// Holders implements identity.Directory.
func (s *Service) Holders(ctx context.Context, tenant identity.TenantID, roleOrGroup string) ([]identity.Person, error) {
	if roleOrGroup == "" || !check.IsText(roleOrGroup, false) {
		return nil, nil
	}
	return identities(s.cfg.Store.Holders(ctx, tenant, roleOrGroup))
}

// IsInternal implements identity.Directory.
func (s *Service) IsInternal(ctx context.Context, tenant identity.TenantID, email string) (bool, error) {
	domain := domainOf(email)
	if domain == "" {
		return false, nil
	}
	return s.cfg.Store.HasDomain(ctx, tenant, domain)
}

// domainOf returns the domain of an address in its normal form, or "".
func domainOf(email string) string {
	normal := identity.NormalEmail(email)
	return normal[strings.LastIndexByte(normal, '@')+1:]
}

// identities orders here and not in the database, whose collation may differ from Go's order.
func identities(people []Person, err error) ([]identity.Person, error) {
	if err != nil {
		return nil, err
	}
	out := make([]identity.Person, len(people))
	for i, p := range people {
		out[i] = p.Identity()
	}
	slices.SortFunc(out, func(a, b identity.Person) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}
