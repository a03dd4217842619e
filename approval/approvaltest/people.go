package approvaltest

import (
	"context"
	"slices"
	"strings"

	"github.com/renkei-go/renkei/foundation/identity"
)

// People is a directory of one tenant's people; it answers the same to every tenant. It must not change while in use.
type People []identity.Person

var _ identity.Directory = People(nil)

// Company returns the demo company: manager leads alice, bob and secretary; exec, an Executive without a manager, leads
// manager; mgmt and admin hold the roles of their names.
func Company() People {
	person := func(id, manager string, roles ...string) identity.Person {
		return identity.Person{ID: id, Email: id + "@example.com", Name: id, ManagerID: manager, Roles: roles, Active: true}
	}
	return People{
		person("admin", "", "admin"), person("alice", "manager"), person("bob", "manager"), person("exec", "", "Executive"),
		person("hr", "exec", "hr"), person("manager", "exec"), person("mgmt", "", "mgmt"), person("secretary", "manager"),
	}
}

// With returns the people with one of them changed.
func (p People) With(id string, change func(*identity.Person)) People {
	c := slices.Clone(p)
	for i := range c {
		if c[i].ID == id {
			change(&c[i])
		}
	}
	return c
}

// Person implements identity.Directory.
func (p People) Person(_ context.Context, _ identity.TenantID, id string) (identity.Person, error) {
	for _, x := range p {
		if x.ID == id {
			return x, nil
		}
	}
	return identity.Person{}, identity.ErrUnknownPerson
}

func (p People) where(keep func(identity.Person) bool) []identity.Person {
	found := []identity.Person{}
	for _, x := range p {
		if keep(x) {
			found = append(found, x)
		}
	}
	slices.SortFunc(found, func(a, b identity.Person) int { return strings.Compare(a.ID, b.ID) })
	return found
}

// People implements identity.Directory.
func (p People) People(_ context.Context, _ identity.TenantID, ids []string) ([]identity.Person, error) {
	return p.where(func(x identity.Person) bool { return slices.Contains(ids, x.ID) }), nil
}

// ByEmail implements identity.Directory.
func (p People) ByEmail(_ context.Context, _ identity.TenantID, emails []string) ([]identity.Person, error) {
	return p.where(func(x identity.Person) bool {
		return slices.ContainsFunc(emails, func(e string) bool { return identity.NormalEmail(e) == identity.NormalEmail(x.Email) })
	}), nil
}

// Holders implements identity.Directory.
func (p People) Holders(_ context.Context, _ identity.TenantID, roleOrGroup string) ([]identity.Person, error) {
	return p.where(func(x identity.Person) bool {
		return x.Active && (slices.Contains(x.Roles, roleOrGroup) || slices.Contains(x.Groups, roleOrGroup))
	}), nil
}

// IsInternal implements identity.Directory for the domain example.com.
func (p People) IsInternal(_ context.Context, _ identity.TenantID, email string) (bool, error) {
	return strings.HasSuffix(identity.NormalEmail(email), "@example.com"), nil
}
