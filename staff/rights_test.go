package staff_test

import (
	"errors"
	"testing"

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
