package staff_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
)

// TestTooManyDeactivations: a key deactivates a few people in a window and no more until an administrator lets it or the
// window has moved on; who is no key is not held up.
func TestTooManyDeactivations(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		must[[]staff.Person](t)(h.Upsert(ctx, admin, staff.Person{UserID: "boss", Name: "Boss", Roles: []string{"admin"}, Active: true}))
		var ids []int64
		for i := range 19 {
			ids = append(ids, h.person(t, "P", fmt.Sprint(i)).ID)
		}
		set := func(by identity.Principal, id int64, active bool) error {
			_, err := h.Update(ctx, by, id, staff.AnyVersion, staff.Edit{Active: &active})
			return err
		}
		key, k, _ := h.key(t, staff.NewKey{Name: "entra", Scopes: []staff.Scope{staff.ScopeWrite}})
		stopped := func(id int64) {
			t.Helper()
			err := set(key, id, false)
			if !errors.Is(err, staff.ErrTooManyDeactivations) || fault.CodeOf(err) != fault.Forbidden || fmt.Sprint(fault.As(err).Details["limit"]) != "5" {
				t.Errorf("%v", err)
			}
			if v := must[staff.View](t)(h.Get(ctx, admin, id)); !v.Person.Active {
				t.Error("the person is not active any more")
			}
		}
		works := func(by identity.Principal, id int64, active bool) {
			t.Helper()
			if err := set(by, id, active); err != nil {
				t.Errorf("%d: %v", id, err)
			}
		}
		for i, id := range ids[:5] {
			h.now = t0.Add(time.Duration(i) * time.Hour)
			works(key, id, false)
		}
		works(key, ids[0], true)
		works(key, ids[0], false) // the same person once more
		stopped(ids[5])
		stopped(ids[6])
		other, _, _ := h.key(t, staff.NewKey{Name: "other", Scopes: []staff.Scope{staff.ScopeWrite}})
		works(other, ids[5], false)
		works(admin, ids[6], false)
		boss := must[[]staff.View](t)(h.Find(ctx, admin, staff.Known{UserIDs: []string{"boss"}}))[0].Person.ID
		for _, by := range []identity.Principal{key, other} {
			if err := set(by, boss, false); !errors.Is(err, staff.ErrLastAdmin) {
				t.Errorf("the only administrator: %v", err)
			}
		}
		want(t, "audited", len(h.ledger.Lines(t, "audit", staff.ActionKeyStop)), 2)
		want(t, "told", h.ledger.Told(t, staff.TemplateKeyStopped), []string{"boss", "boss"}) // which notices make one

		if _, err := h.AllowDeactivations(ctx, key, k.ID, 9, time.Time{}); !errors.Is(err, staff.ErrForbidden) {
			t.Errorf("a key lets itself go on: %v", err)
		}
		rival := identity.Principal{Tenant: "rival", Actor: "admin", Roles: []string{"admin"}}
		if _, err := h.AllowDeactivations(ctx, rival, k.ID, 9, time.Time{}); !errors.Is(err, staff.ErrUnknownKey) {
			t.Errorf("another tenant: %v", err)
		}
		for _, bad := range []struct {
			people int
			until  time.Time
		}{{-1, time.Time{}}, {staff.MostAllowed + 1, time.Time{}}, {1, h.now}, {1, h.now.AddDate(0, 2, 0)}} {
			if _, err := h.AllowDeactivations(ctx, admin, k.ID, bad.people, bad.until); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		allowed := must[staff.Key](t)(h.AllowDeactivations(ctx, admin, k.ID, 2, h.now.Add(time.Hour)))
		want(t, "allowed", []any{allowed.Allowance, allowed.AllowedUntil.Equal(h.now.Add(time.Hour))}, []any{2, true})
		works(key, ids[7], false)
		works(key, ids[8], false)
		stopped(ids[9])
		must[staff.Key](t)(h.AllowDeactivations(ctx, admin, k.ID, 5, h.now.Add(time.Hour)))
		h.now = h.now.Add(time.Hour)
		stopped(ids[9])
		must[staff.Key](t)(h.AllowDeactivations(ctx, admin, k.ID, 5, time.Time{}))
		must[staff.Key](t)(h.AllowDeactivations(ctx, admin, k.ID, 0, time.Time{}))
		stopped(ids[9])
		want(t, "allowances audited", len(h.ledger.Lines(t, "audit", staff.ActionKeyAllow)), 4)

		h.now = t0.Add(25*time.Hour + time.Minute) // the second of them is forgotten; the first was done again later
		works(key, ids[9], false)
		stopped(ids[10])

		// In a transaction that is undone, who called it writes it down.
		err := h.InTurn(ctx, key.Tenant, func(ctx context.Context) error {
			_, err := h.Update(ctx, key, ids[10], staff.AnyVersion, staff.Edit{Active: new(false)})
			return err
		})
		before := len(h.ledger.Lines(t, "audit", staff.ActionKeyStop))
		if stopped := h.Stopped(ctx, key, err); stopped != nil {
			t.Fatal(stopped)
		}
		want(t, "audited then", len(h.ledger.Lines(t, "audit", staff.ActionKeyStop))-before, 1)
	})
}

func TestDeactivationsConfig(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		for _, bad := range []staff.Deactivations{{Count: -1}, {Share: 1.1}, {Share: math.NaN()}, {Window: -1}} {
			if (staff.Config{Deactivations: bad}).Validate() == nil {
				t.Errorf("%+v is valid", bad)
			}
		}
		// Of a few people a key deactivates no more than half.
		ctx := t.Context()
		key, _, _ := h.key(t, staff.NewKey{Name: "k", Scopes: []staff.Scope{staff.ScopeWrite}})
		var left int
		for i := range 5 {
			h.person(t, "P", fmt.Sprint(i))
		}
		for _, v := range must[staff.Found](t)(h.Page(ctx, admin, staff.Filter{}, 1, 10)).Items {
			if _, err := h.Update(ctx, key, v.Person.ID, staff.AnyVersion, staff.Edit{Active: new(false)}); err != nil {
				left++
			}
		}
		want(t, "left", left, 3)
	})
}

// TestDisabledSystem: whose synchronisation is switched off, or whose key is revoked, is not told to be late.
func TestDisabledSystem(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		must[[]staff.Person](t)(h.Upsert(ctx, admin, staff.Person{UserID: "boss", Name: "Boss", Roles: []string{"admin"}, Active: true}))
		key, k, _ := h.key(t, staff.NewKey{Name: "hr", SystemType: staff.SystemHR})
		if err := errors.Join(h.Pulled(ctx, key, "people", 1, nil), h.Note(ctx, "acme", staff.System{Name: "Entra", Type: staff.SystemEntra}, nil)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(h.RevokeKey(ctx, admin, k.ID), h.Disable(ctx, "acme", "Entra"), h.Disable(ctx, "acme", "nobody")); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(h.Pulled(ctx, key, "people", 1, nil), h.Pushed(ctx, "acme", k.ID, staff.ErrNotDelivered)); err != nil { // what was under way
			t.Fatal(err)
		}
		h.now = t0.AddDate(0, 1, 0)
		must[int](t)(h.Sweep(ctx, 100))
		for _, y := range must[page.Page[staff.System]](t)(h.ExternalSystems(ctx, admin, page.Request{})).Items {
			want(t, y.Name, []any{y.Status, y.Error}, []any{staff.SyncDisabled, ""})
		}
		want(t, "told", len(h.ledger.Lines(t, "notice", "")), 0)
		if err := h.Note(ctx, "acme", staff.System{Name: "Entra", Type: staff.SystemEntra}, staff.ErrNotDelivered); err != nil { // it is on again
			t.Fatal(err)
		}
		must[int](t)(h.Sweep(ctx, 100))
		want(t, "told then", h.ledger.Told(t, staff.TemplateFailing), []string{"boss"})
	})
}
