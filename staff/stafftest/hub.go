package stafftest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

const today staff.Date = "2030-01-15"

func hire(first, last string) staff.Person {
	return staff.Person{
		FirstName: first, LastName: last, Name: first + " " + last, Type: staff.TypeStaff, Active: true, Version: 1, CreatedAt: noon, UpdatedAt: noon,
		Roles: []string{}, Groups: []string{}, Channels: []string{},
	}
}

func insert(t *testing.T, s staff.Store, tenant identity.TenantID, p staff.Person) staff.Person {
	t.Helper()
	id, err := s.Insert(t.Context(), tenant, p)
	if err != nil || id <= 0 {
		t.Fatalf("Insert = %d, %v", id, err)
	}
	p.ID = id
	return p
}

func get(t *testing.T, s staff.Store, id int64) staff.Person {
	t.Helper()
	found, err := s.ByID(t.Context(), "acme", []int64{id})
	if err != nil || len(found) != 1 {
		t.Fatalf("ByID = %v, %v", found, err)
	}
	return found[0]
}

func editing(t *testing.T, s staff.Store) {
	ctx := t.Context()
	p := hire("Ann", "Bell")
	p.Phone, p.DateOfBirth, p.EmployeeReference, p.JobTitle = "+44", "1990-02-03", "E1", "Nurse"
	p.EmploymentStart, p.EmploymentEnd, p.Photo, p.CostCentre, p.SalaryGrade = "2024-01-01", "2031-01-01", staff.PhotoPending, "CC", "G1"
	p = insert(t, s, "acme", p)
	if got := get(t, s, p.ID); fmt.Sprint(got) != fmt.Sprint(p) {
		t.Errorf("stored %+v, want %+v", got, p)
	}
	p.FirstName, p.UserID, p.Email, p.Version, p.Roles, p.Photo = "Anna", "ann", "ann@example.com", 2, []string{"nurse"}, staff.PhotoApproved
	if err := s.Update(ctx, "acme", p); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, p.ID); fmt.Sprint(got) != fmt.Sprint(p) {
		t.Errorf("changed to %+v, want %+v", got, p)
	}
	held, err := s.Holders(ctx, "acme", "nurse")
	wantIDs(t, held, err, "ann")
	if err := s.Update(ctx, "rival", p); !errors.Is(err, staff.ErrUnknownPerson) {
		t.Errorf("Update in another tenant: %v", err)
	}
	twin := hire("Ann", "Other")
	twin.EmployeeReference = "E1"
	if _, err := s.Insert(ctx, "acme", twin); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("the same employee reference: %v", err)
	}
	twin.EmployeeReference, twin.UserID = "", "ann"
	if _, err := s.Insert(ctx, "acme", twin); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("the same user id: %v", err)
	}
	insert(t, s, "rival", twin)
	insert(t, s, "acme", hire("No", "Account"))
	insert(t, s, "acme", hire("Another", "Without"))
	found, err := s.ByReference(ctx, "acme", []string{"E1", "E2", ""})
	if err != nil || len(found) != 1 || found[0].ID != p.ID {
		t.Errorf("ByReference = %v, %v", found, err)
	}
}

// managers: line_manager_id and manager_id say the same, whichever was given and whoever came first.
func managers(t *testing.T, s staff.Store) {
	worker := employee("worker")
	worker.ManagerID = "boss"
	stored := upsert(t, s, "acme", worker)[0]
	if stored.LineManagerID != 0 {
		t.Errorf("somebody unknown leads as %d", stored.LineManagerID)
	}
	boss := upsert(t, s, "acme", employee("boss"))[0]
	if got := get(t, s, stored.ID); got.LineManagerID != boss.ID || got.ManagerID != "boss" {
		t.Errorf("after the manager came: %d %q, want %d", got.LineManagerID, got.ManagerID, boss.ID)
	}
	lead := insert(t, s, "acme", hire("Lee", "Lead"))
	member := hire("Mo", "Member")
	member.LineManagerID = lead.ID
	member = insert(t, s, "acme", member)
	lead.UserID = "lead"
	if err := s.Update(t.Context(), "acme", lead); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, member.ID); got.ManagerID != "lead" {
		t.Errorf("after the manager got an account: %q", got.ManagerID)
	}
	lead.UserID, lead.ErasedAt = "", noon
	if err := s.Update(t.Context(), "acme", lead); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, member.ID); got.ManagerID != "" {
		t.Errorf("the user id of who was erased stays: %q", got.ManagerID)
	}
}

func selecting(t *testing.T, s staff.Store) {
	ctx := t.Context()
	unit := addUnit(t, s, "Team", 0)
	var ids []int64
	for i, name := range [][2]string{{"Bea", "adams"}, {"ann", "Adams"}, {"Zoë", "Évans"}, {"Carl", "Zorn%_"}, {"Old", "Aaron"}} {
		p := hire(name[0], name[1])
		p.Active = name[0] != "Old"
		p.EmployeeReference, p.Email = fmt.Sprintf("REF-%d", i), fmt.Sprintf("p%d@example.com", i)
		ids = append(ids, insert(t, s, "acme", p).ID)
	}
	gone := hire("Gone", "Away")
	gone.ErasedAt = noon
	insert(t, s, "acme", gone)
	if _, err := s.InsertAssignment(ctx, "acme", staff.Assignment{PersonID: ids[2], UnitID: unit, Role: "member", StartDate: "2029-01-01"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.InsertAssignment(ctx, "acme", staff.Assignment{PersonID: ids[0], UnitID: unit, Role: "member", StartDate: "2029-01-01", EndDate: "2030-01-14"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    staff.Query
		want []int
	}{
		"order":            {staff.Query{}, []int{1, 0, 3, 2}},
		"inactive":         {staff.Query{Inactive: true}, []int{4, 1, 0, 3, 2}},
		"name":             {staff.Query{Search: "ADAMS"}, []int{1, 0}},
		"beyond ASCII":     {staff.Query{Search: "éVA"}, []int{2}},
		"reference":        {staff.Query{Search: "ref-3"}, []int{3}},
		"hidden reference": {staff.Query{Search: "ref-3", Hidden: staff.Hidden{Reference: true}}, nil},
		"address":          {staff.Query{Search: "p2@example"}, []int{2}},
		"hidden address":   {staff.Query{Search: "p2@example", Hidden: staff.Hidden{Email: true}}, nil},
		"no pattern":       {staff.Query{Search: "%_"}, []int{3}},
		"unit":             {staff.Query{UnitID: unit, Today: today}, []int{2}},
		"quote":            {staff.Query{Search: `'"\`}, nil},
	} {
		q := c.q
		q.Limit = 10
		got, err := s.Select(ctx, "acme", q)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var want, have []int64
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		for _, p := range got {
			have = append(have, p.ID)
		}
		if !slices.Equal(have, want) {
			t.Errorf("%s: got %v, want %v", name, have, want)
		}
		if n, err := s.Count(ctx, "acme", q); err != nil || n != int64(len(want)) {
			t.Errorf("%s: Count = %d, %v, want %d", name, n, err, len(want))
		}
	}
	var paged, byOffset []int64
	for place, i := (*staff.Place)(nil), 0; ; i++ {
		some, err := s.Select(ctx, "acme", staff.Query{Limit: 1, After: place})
		if err != nil {
			t.Fatal(err)
		}
		far, err := s.Select(ctx, "acme", staff.Query{Limit: 1, Offset: i})
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		paged, byOffset = append(paged, some[0].ID), append(byOffset, far[0].ID)
		place = &staff.Place{Key: some[0].SortKey(), ID: some[0].ID}
	}
	if want := []int64{ids[1], ids[0], ids[3], ids[2]}; !slices.Equal(paged, want) || !slices.Equal(byOffset, want) {
		t.Errorf("by place %v, by offset %v, want %v", paged, byOffset, want)
	}
}

func batchesOfRecords(t *testing.T, s staff.Store) {
	ctx := t.Context()
	unit := addUnit(t, s, "Team", 0)
	boss := hire("Big", "Boss")
	boss.EmployeeReference = "B1"
	boss = insert(t, s, "acme", boss)
	var ids []int64
	for i := range 7 {
		p := hire("P", fmt.Sprint(i))
		p.LineManagerID, p.Active, p.SalaryGrade = boss.ID, i != 3, "G"
		ids = append(ids, insert(t, s, "acme", p).ID)
	}
	insert(t, s, "rival", hire("Other", "Tenant"))
	for _, a := range []staff.Assignment{
		{PersonID: ids[1], UnitID: unit, Role: "member", StartDate: "2029-01-01"},
		{PersonID: ids[1], UnitID: unit, Role: "lead", Primary: true, StartDate: "2029-02-01"},
		{PersonID: ids[2], UnitID: unit, Role: "member", StartDate: "2029-01-01", EndDate: "2029-12-31"},
	} {
		if _, err := s.InsertAssignment(ctx, "acme", a); err != nil {
			t.Fatal(err)
		}
	}
	for _, inactive := range []bool{false, true} {
		var got []int64
		for after := int64(0); ; {
			some, err := s.Batch(ctx, "acme", after, inactive, today, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(some) == 0 {
				break
			}
			for _, r := range some {
				got = append(got, r.ID)
				if r.ID != boss.ID && (r.ManagerName != "Big Boss" || r.ManagerReference != "B1" || r.SalaryGrade != "G" || !r.CreatedAt.Equal(noon)) {
					t.Errorf("record %+v", r)
				}
				if units := len(r.Units); (r.ID == ids[1]) != (units == 2) || units > 0 && (!r.Units[0].Primary || r.Units[0].UnitName != "Team") {
					t.Errorf("units of %d: %+v", r.ID, r.Units)
				}
			}
			after = some[len(some)-1].ID
		}
		want := append([]int64{boss.ID}, ids...)
		if !inactive {
			want = slices.Delete(want, 4, 5)
		}
		if !slices.Equal(got, want) {
			t.Errorf("with inactive %v: %v, want %v", inactive, got, want)
		}
	}
}

func addUnit(t *testing.T, s staff.Store, name string, parent int64) int64 {
	t.Helper()
	id, err := s.InsertUnit(t.Context(), "acme", staff.Unit{Name: name, ParentID: parent, Version: 1, CreatedAt: noon, UpdatedAt: noon})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func units(t *testing.T, s staff.Store) {
	ctx := t.Context()
	top := addUnit(t, s, "Top", 0)
	inside := addUnit(t, s, "Team", top)
	if _, err := s.InsertUnit(ctx, "acme", staff.Unit{Name: "Team", ParentID: top, Version: 1, CreatedAt: noon, UpdatedAt: noon}); !errors.Is(err, staff.ErrDuplicateUnit) {
		t.Errorf("the same name at the same place: %v", err)
	}
	u := staff.Unit{ID: inside, Name: "Team 2", Code: "T2", Description: "d", Version: 2, CreatedAt: noon, UpdatedAt: noon.Add(time.Hour)}
	if err := s.UpdateUnit(ctx, "acme", u); err != nil {
		t.Fatal(err)
	}
	if found, err := s.UnitsByID(ctx, "acme", []int64{inside, 999}); err != nil || len(found) != 1 || found[0] != u {
		t.Errorf("UnitsByID = %+v, %v, want %+v", found, err, u)
	}
	if found, err := s.UnitsByName(ctx, "acme", "Team 2"); err != nil || len(found) != 1 {
		t.Errorf("UnitsByName = %+v, %v", found, err)
	}
	if found, err := s.Units(ctx, "acme", top, 5); err != nil || len(found) != 1 || found[0].ID != inside {
		t.Errorf("Units = %+v, %v", found, err)
	}
	for name, err := range map[string]error{"update": s.UpdateUnit(ctx, "rival", u), "delete": s.DeleteUnit(ctx, "rival", inside)} {
		if !errors.Is(err, staff.ErrUnknownUnit) {
			t.Errorf("%s in another tenant: %v", name, err)
		}
	}
	p := insert(t, s, "acme", hire("A", "B"))
	if _, err := s.InsertAssignment(ctx, "acme", staff.Assignment{PersonID: p.ID, UnitID: inside, Role: "member", StartDate: "2020-01-01", EndDate: "2020-01-02"}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUnit(ctx, "acme", inside); !errors.Is(err, staff.ErrUnitInUse) {
		t.Errorf("delete what had somebody: %v", err)
	}
	if err := s.DeleteUnit(ctx, "acme", top); err != nil {
		t.Errorf("delete: %v", err)
	}
}

func assignments(t *testing.T, s staff.Store) {
	ctx := t.Context()
	unit := addUnit(t, s, "Team", 0)
	p := insert(t, s, "acme", hire("A", "B"))
	add := func(a staff.Assignment) staff.Assignment {
		a.PersonID, a.UnitID, a.Role, a.UnitName = p.ID, unit, "member", "Team"
		var err error
		if a.ID, err = s.InsertAssignment(ctx, "acme", a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	past := add(staff.Assignment{StartDate: "2020-01-01", EndDate: "2030-01-14", Told: staff.ToldAssigned})
	open := add(staff.Assignment{StartDate: "2030-01-01", Told: staff.ToldAssigned})
	future := add(staff.Assignment{StartDate: "2030-01-16", Primary: true})
	begun := add(staff.Assignment{StartDate: "2030-01-15", EndDate: "2030-01-15"})
	all, err := s.Assignments(ctx, "acme", []int64{p.ID}, "")
	if want := []staff.Assignment{future, past, open, begun}; err != nil || !slices.Equal(all, want) {
		t.Errorf("Assignments = %+v, %v, want %+v", all, err, want)
	}
	all, err = s.Assignments(ctx, "acme", []int64{p.ID}, today)
	if want := []staff.Assignment{future, open, begun}; err != nil || !slices.Equal(all, want) {
		t.Errorf("that have not ended: %+v, %v, want %+v", all, err, want)
	}
	due, err := s.Untold(ctx, today, 10)
	if err != nil || len(due) != 2 || due[0].Item.ID != begun.ID || due[1].Item.ID != past.ID || due[0].Tenant != "acme" {
		t.Errorf("Untold = %+v, %v", due, err)
	}
	if one, err := s.Untold(ctx, today, 1); err != nil || len(one) != 1 {
		t.Errorf("Untold, one: %v, %v", one, err)
	}
	past.Told, begun.Told, begun.EndDate, begun.Role = staff.ToldRemoved, staff.ToldAssigned, "", "lead"
	for _, a := range []staff.Assignment{past, begun} {
		if err := s.UpdateAssignment(ctx, "acme", a); err != nil {
			t.Fatal(err)
		}
	}
	if due, err := s.Untold(ctx, today, 10); err != nil || len(due) != 0 {
		t.Errorf("Untold after all is told: %+v, %v", due, err)
	}
	if err := s.UpdateAssignment(ctx, "rival", open); !errors.Is(err, staff.ErrUnknownAssignment) {
		t.Errorf("update in another tenant: %v", err)
	}
	members, err := s.Members(ctx, "acme", unit, today, 0, 10)
	if err != nil || !slices.Equal(members, []int64{p.ID}) {
		t.Errorf("Members = %v, %v", members, err)
	}
	if none, err := s.Assignments(ctx, "rival", []int64{p.ID}, ""); err != nil || len(none) != 0 {
		t.Errorf("in another tenant: %v, %v", none, err)
	}
}

// changeOrder: while many write, a reader that goes on from its last number sees every change once and in order.
func changeOrder(t *testing.T, s staff.Store) {
	const writers, each = 6, 12
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				err := s.Do(t.Context(), func(ctx context.Context) error {
					if err := s.Lock(ctx, "acme"); err != nil {
						return err
					}
					c := staff.Change{Time: noon, Event: staff.EventUpdated, Kind: staff.KindPerson, ID: int64(w*each + i + 1), Fields: []string{"email"}}
					return s.Append(ctx, "acme", []staff.Change{c, c})
				})
				if err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	seen, last := map[int64]int{}, int64(0)
	for finished := false; ; {
		some, err := s.Changes(t.Context(), "acme", last, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range some {
			if c.Number != last+1 {
				t.Fatalf("change %d follows %d", c.Number, last)
			}
			last = c.Number
			seen[c.ID]++
		}
		if len(some) == 0 && finished {
			break
		}
		select {
		case <-done:
			finished = true
		default:
		}
	}
	if last != 2*writers*each || len(seen) != writers*each {
		t.Errorf("saw %d changes of %d people", last, len(seen))
	}
}

func changes(t *testing.T, s staff.Store) {
	ctx := t.Context()
	write := func(tenant identity.TenantID, at time.Time, n int) {
		t.Helper()
		err := s.Do(ctx, func(ctx context.Context) error {
			if err := s.Lock(ctx, tenant); err != nil {
				return err
			}
			return s.Append(ctx, tenant, slices.Repeat([]staff.Change{{
				Time: at, Event: staff.EventAssigned, Kind: staff.KindPerson, ID: 5, UnitID: 6, Fields: []string{"a", "b"}, Deleted: true,
			}}, n))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	write("acme", noon, 4)
	write("rival", noon.Add(time.Hour), 1)
	write("acme", noon.Add(time.Hour), 2)
	got, err := s.Changes(ctx, "acme", 4, 1)
	want := staff.Change{
		Number: 5, Time: noon.Add(time.Hour), Event: staff.EventAssigned, Kind: staff.KindPerson, ID: 5, UnitID: 6, Fields: []string{"a", "b"}, Deleted: true,
	}
	if err != nil || len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("Changes = %+v, %v, want %+v", got, err, want)
	}
	span := func(tenant identity.TenantID, wantPruned, wantLast int64) {
		t.Helper()
		if pruned, last, err := s.Span(ctx, tenant); err != nil || pruned != wantPruned || last != wantLast {
			t.Errorf("Span(%s) = %d, %d, %v, want %d, %d", tenant, pruned, last, err, wantPruned, wantLast)
		}
	}
	span("acme", 0, 6)
	span("nobody", 0, 0)
	for _, want := range []int{3, 1, 0} {
		if n, err := s.PruneChanges(ctx, noon.Add(time.Minute), 3); err != nil || n != want {
			t.Errorf("PruneChanges = %d, %v, want %d", n, err, want)
		}
	}
	span("acme", 4, 6)
	span("rival", 0, 1)
	write("acme", noon.Add(time.Hour), 1)
	span("acme", 4, 7)
}
