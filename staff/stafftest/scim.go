package stafftest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/scim"
)

// RunSCIM checks the scim.Store of a directory. newStore returns an empty directory and its scim.Store; it is called once
// per test.
func RunSCIM(t *testing.T, newStore func(t *testing.T) (staff.Store, scim.Store)) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, staff.Store, scim.Store){"Links": links, "Visible": visible, "Members": members} {
		t.Run(name, func(t *testing.T) {
			people, store := newStore(t)
			test(t, people, store)
		})
	}
}

func links(t *testing.T, _ staff.Store, s scim.Store) {
	ctx := t.Context()
	save := func(tenant identity.TenantID, l scim.Link) {
		t.Helper()
		if err := s.SaveLink(ctx, tenant, l); err != nil {
			t.Fatal(err)
		}
	}
	one := scim.Link{Kind: scim.User, ItemID: 1, UserName: "Ann", NameKey: "ann", ExternalID: "x", Version: 1, UpdatedAt: noon}
	save("acme", one)
	save("acme", scim.Link{Kind: scim.User, ItemID: 2, ExternalID: "y", Version: 1, UpdatedAt: noon})
	save("acme", scim.Link{Kind: scim.Group, ItemID: 1, ExternalID: "x", Version: 1, UpdatedAt: noon})
	save("rival", scim.Link{Kind: scim.User, ItemID: 9, NameKey: "ann", ExternalID: "x", Version: 1, UpdatedAt: noon})
	one.UserName, one.NameKey, one.DeletedAt, one.Version = "Anna", "anna", noon, 2
	save("acme", one)
	want := func(what, want string) func([]scim.Link, error) {
		return func(found []scim.Link, err error) {
			t.Helper()
			slices.SortFunc(found, func(a, b scim.Link) int { return int(a.ItemID - b.ItemID) })
			var got []string
			for _, l := range found {
				got = append(got, fmt.Sprint(l.Kind, l.ItemID))
			}
			if fmt.Sprint(got) != want || err != nil {
				t.Errorf("%s: %v, %v, want %s", what, got, err, want)
			}
		}
	}
	found, err := s.Links(ctx, "acme", scim.User, 1)
	if err != nil || len(found) != 1 || found[0] != one {
		t.Errorf("Links = %+v, %v, want %+v", found, err, one)
	}
	want("all", "[User1 User2]")(s.Links(ctx, "acme", scim.User, 1, 2, 3, 9))
	want("none", "[]")(s.Links(ctx, "acme", scim.User))
	want("by name", "[User1]")(s.LinksBy(ctx, "acme", scim.User, "anna", ""))
	want("by a former name", "[]")(s.LinksBy(ctx, "acme", scim.User, "ann", ""))
	want("by external id", "[Group1]")(s.LinksBy(ctx, "acme", scim.Group, "", "x"))
	want("by either", "[User1 User2]")(s.LinksBy(ctx, "acme", scim.User, "anna", "y"))
	want("by nothing", "[]")(s.LinksBy(ctx, "acme", scim.User, "", ""))
	for range 2 {
		if err := s.ForgetLink(ctx, "acme", scim.User, 1); err != nil {
			t.Error(err)
		}
	}
	want("forgotten", "[User2]")(s.Links(ctx, "acme", scim.User, 1, 2))
	want("of another kind", "[Group1]")(s.Links(ctx, "acme", scim.Group, 1))
	want("of another tenant", "[User9]")(s.LinksBy(ctx, "rival", scim.User, "ann", ""))
}

// hide deletes an item for clients.
func hide(t *testing.T, s scim.Store, kind scim.Kind, item int64) {
	t.Helper()
	if err := s.SaveLink(t.Context(), "acme", scim.Link{Kind: kind, ItemID: item, DeletedAt: noon, Version: 1, UpdatedAt: noon}); err != nil {
		t.Fatal(err)
	}
}

func visible(t *testing.T, people staff.Store, s scim.Store) {
	ctx := t.Context()
	var all []staff.Person
	for _, first := range []string{"active", "inactive", "deleted", "back", "erased"} {
		p := hire(first, "Doe")
		p.Active = first == "active" || first == "back"
		if first == "erased" {
			p.ErasedAt = noon
		}
		all = append(all, insert(t, people, "acme", p))
	}
	insert(t, people, "rival", hire("Else", "Where"))
	hide(t, s, scim.User, all[2].ID)
	hide(t, s, scim.User, all[3].ID)
	ids := []int64{all[0].ID, all[1].ID, all[3].ID}
	check := func(kind scim.Kind, after int64, offset, limit int, want []int64) {
		t.Helper()
		got, err := s.Visible(ctx, "acme", kind, after, offset, limit)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Visible(%s, %d, %d, %d) = %v, %v, want %v", kind, after, offset, limit, got, err, want)
		}
	}
	check(scim.User, 0, 0, 10, ids)
	check(scim.User, 0, 1, 1, ids[1:2])
	check(scim.User, ids[0], 1, 10, ids[2:])
	check(scim.User, ids[2], 0, 10, nil)
	unit := func(name string) int64 {
		t.Helper()
		id, err := people.InsertUnit(ctx, "acme", staff.Unit{Name: name, Version: 1, CreatedAt: noon, UpdatedAt: noon})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	units := []int64{unit("a"), unit("b"), unit("c")}
	hide(t, s, scim.Group, units[1])
	check(scim.Group, 0, 0, 10, []int64{units[0], units[2]})
	check(scim.Group, units[0], 0, 10, units[2:])
	for kind, want := range map[scim.Kind]int64{scim.User: 3, scim.Group: 2} {
		if n, err := s.CountVisible(ctx, "acme", kind); err != nil || n != want {
			t.Errorf("CountVisible(%s) = %d, %v, want %d", kind, n, err, want)
		}
	}
}

func members(t *testing.T, people staff.Store, s scim.Store) {
	ctx := t.Context()
	unit, err := people.InsertUnit(ctx, "acme", staff.Unit{Name: "a", Version: 1, CreatedAt: noon, UpdatedAt: noon})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	var last int64
	for _, first := range []string{"present", "future", "former", "deleted"} {
		p := hire(first, "Doe")
		p.Active = first != "deleted"
		p = insert(t, people, "acme", p)
		a := staff.Assignment{PersonID: p.ID, UnitID: unit, Role: "member", StartDate: "2030-01-01"}
		switch first {
		case "future":
			a.StartDate = "2031-01-01"
		case "former":
			a.EndDate = "2030-01-14"
		case "deleted":
			hide(t, s, scim.User, p.ID)
		}
		id, err := people.InsertAssignment(ctx, "acme", a)
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, p.ID); first == "future" {
			last = id
		}
	}
	for after, want := range map[int64][]int64{0: ids[:2], ids[0]: ids[1:2], ids[1]: nil} {
		if got, err := s.MembersOf(ctx, "acme", today, unit, after, 10); err != nil || !slices.Equal(got, want) {
			t.Errorf("MembersOf after %d = %v, %v, want %v", after, got, err, want)
		}
	}
	if got, err := s.MembersOf(ctx, "acme", today, unit, 0, 1); err != nil || !slices.Equal(got, ids[:1]) {
		t.Errorf("one member: %v, %v", got, err)
	}
	if got, err := s.MembersOf(ctx, "rival", today, unit, 0, 10); err != nil || len(got) != 0 {
		t.Errorf("of another tenant: %v, %v", got, err)
	}
	counts, err := s.Memberships(ctx, "acme", today, unit, unit+1)
	if err != nil || len(counts) != 1 || counts[unit] != (scim.Membership{Count: 2, Last: last}) {
		t.Errorf("Memberships = %v, %v", counts, err)
	}
}
