package identitytest

import (
	"context"
	"slices"
	"strings"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Company is the people of one tenant and the mail domains that are its own, e.g. "example.com".
type Company struct {
	People  []identity.Person
	Domains []string
}

// Directory is an identity.Directory in memory, by tenant. A tenant that is missing has nobody. It is safe for
// concurrent use as long as nobody changes it.
type Directory map[identity.TenantID]Company

var _ identity.Directory = Directory{}

// Employee returns an active person named as the id says, with the address id@example.com, for tests that care for no
// more. manager may be empty.
func Employee(id, manager string, roles ...string) identity.Person {
	return identity.Person{ID: id, Email: id + "@example.com", Name: id, ManagerID: manager, Roles: roles, Active: true}
}

// Person implements identity.Directory.
func (d Directory) Person(_ context.Context, tenant identity.TenantID, id string) (identity.Person, error) {
	found := d.where(tenant, func(p identity.Person) bool { return p.ID == id })
	if len(found) == 0 {
		return identity.Person{}, identity.ErrUnknownPerson
	}
	return found[0], nil
}

// People implements identity.Directory.
func (d Directory) People(_ context.Context, tenant identity.TenantID, ids []string) ([]identity.Person, error) {
	return d.where(tenant, func(p identity.Person) bool { return slices.Contains(ids, p.ID) }), nil
}

// ByEmail implements identity.Directory.
func (d Directory) ByEmail(_ context.Context, tenant identity.TenantID, emails []string) ([]identity.Person, error) {
	wanted := map[string]bool{}
	for _, e := range emails {
		wanted[identity.NormalEmail(e)] = true
	}
	delete(wanted, "") // what is no address is nobody's
	return d.where(tenant, func(p identity.Person) bool { return wanted[identity.NormalEmail(p.Email)] }), nil
}

// Holders implements identity.Directory.
func (d Directory) Holders(_ context.Context, tenant identity.TenantID, roleOrGroup string) ([]identity.Person, error) {
	return d.where(tenant, func(p identity.Person) bool {
		return p.Active && (p.HasRole(roleOrGroup) || slices.Contains(p.Groups, roleOrGroup))
	}), nil
}

// IsInternal implements identity.Directory.
func (d Directory) IsInternal(_ context.Context, tenant identity.TenantID, email string) (bool, error) {
	normal := identity.NormalEmail(email)
	domain := normal[strings.LastIndexByte(normal, '@')+1:]
	return domain != "" && slices.ContainsFunc(d[tenant].Domains, func(own string) bool {
		return identity.NormalEmail("x@"+own) == "x@"+domain
	}), nil
}

func (d Directory) where(tenant identity.TenantID, keep func(identity.Person) bool) []identity.Person {
	found := []identity.Person{}
	for _, p := range d[tenant].People {
		if keep(p) {
			p.Roles, p.Groups, p.Channels = slices.Clone(p.Roles), slices.Clone(p.Groups), slices.Clone(p.Channels)
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b identity.Person) int { return strings.Compare(a.ID, b.ID) })
	return found
}
