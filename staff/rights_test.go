package staff_test

import (
	"errors"
	"testing"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

// TestNoGuessing: who may not read a field does not find its value out by writing guesses.
func TestNoGuessing(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		p := h.person(t, "Ann", "Bell")
		must[staff.View](t)(h.Update(ctx, admin, p.ID, staff.AnyVersion, staff.Edit{SalaryGrade: new("G6"), Roles: &[]string{"boss"}}))
		key, _, _ := h.key(t, staff.NewKey{Name: "k", Scopes: []staff.Scope{staff.ScopeWrite}})
		for _, grade := range []string{"G5", "G6", ""} {
			if _, err := h.Update(ctx, key, p.ID, staff.AnyVersion, staff.Edit{SalaryGrade: &grade}); !errors.Is(err, staff.ErrFieldForbidden) {
				t.Errorf("guess %q: %v", grade, err)
			}
		}
		for _, roles := range [][]string{{"boss"}, {}} {
			if _, err := h.Update(ctx, key, p.ID, staff.AnyVersion, staff.Edit{Roles: &roles}); !errors.Is(err, staff.ErrForbidden) {
				t.Errorf("guess %v: %v", roles, err)
			}
		}
		must[staff.View](t)(h.Update(ctx, key, p.ID, staff.AnyVersion, staff.Edit{JobTitle: new("Nurse")}))
	})
}

// TestAdminEmail: an address is what people sign in by, so nobody becomes an administrator, or shuts one out, by one.
func TestAdminEmail(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		people := must[[]staff.Person](t)(h.Upsert(ctx, admin,
			staff.Person{UserID: "u1", Name: "Big Boss", Email: "boss@example.com", Roles: []string{"admin"}, Active: true},
			staff.Person{UserID: "eve", Name: "Eve Mallory", Email: "eve@example.com", Active: true}))
		boss, eve := people[0].ID, people[1].ID
		key, _, _ := h.key(t, staff.NewKey{
			Name: "k", Scopes: []staff.Scope{staff.ScopeWrite, staff.ScopeImport, staff.ScopeSCIM}, Groups: staff.AllGroups(),
		})
		hr := identity.Principal{Tenant: "acme", Actor: "hr", Roles: []string{"hr"}}
		for _, by := range []identity.Principal{key, hr} {
			for id, email := range map[int64]string{boss: "eve2@example.com", eve: "Boss@Example.com"} {
				if _, err := h.Update(ctx, by, id, staff.AnyVersion, staff.Edit{Email: &email}); !errors.Is(err, staff.ErrAdminEmail) {
					t.Errorf("%s gives %s: %v", by.Actor, email, err)
				}
			}
			must[staff.View](t)(h.Update(ctx, by, boss, staff.AnyVersion, staff.Edit{Email: new("boss@example.com"), JobTitle: new("Boss " + by.Actor)}))
		}
		// New people may have it, but no account by it, and are nobody who signs in.
		must[staff.Hired](t)(h.Import(ctx, key, "ats", staff.NewHire{FirstName: "A", LastName: "B", Email: "boss@example.com"}))
		must[staff.View](t)(h.Provision(ctx, key, staff.Edit{FirstName: new("C"), LastName: new("D"), Email: new("boss@example.com")}))
		must[staff.View](t)(h.Create(ctx, key, staff.Edit{FirstName: new("E"), LastName: new("F"), Email: new("boss@example.com")}))
		found := must[[]identity.Person](t)(h.ByEmail(ctx, "acme", []string{"boss@example.com"}))
		if len(found) != 1 || found[0].ID != "u1" {
			t.Errorf("found %+v", found)
		}
		must[staff.View](t)(h.Update(ctx, key, eve, staff.AnyVersion, staff.Edit{Email: new("eve.m@example.com")}))
		must[staff.View](t)(h.Update(ctx, admin, boss, staff.AnyVersion, staff.Edit{Email: new("big@example.com")}))
	})
}
