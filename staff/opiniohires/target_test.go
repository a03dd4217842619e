package opiniohires_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/opiniohires"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/transport"
)

var (
	admin     = identity.Principal{Tenant: "1", Actor: "admin", Roles: []string{"admin"}}
	confirmed = time.Date(2030, 1, 15, 12, 0, 0, 0, time.UTC)
	noah      = opiniohires.Hire{
		ID: "h-1", ConfirmedAt: confirmed, FirstName: "Noah", LastName: "Weber", Email: "noah@example.com", EmployeeReference: "E1", JobTitle: "Nurse",
		StartDate: "2031-02-01", Unit: "Care Team A", Department: "Adult Services", Manager: "E0",
	}
)

// events are what was published.
type events struct {
	mu    sync.Mutex
	types []string
}

func (e *events) Publish(_ context.Context, all ...transport.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range all {
		e.types = append(e.types, ev.Type)
	}
	return nil
}

type rig struct {
	db        *sqldb.DB
	people    *staff.Service
	target    *opiniohires.Target
	trail     *auditbun.Store
	published *events
}

func each(t *testing.T, f func(t *testing.T, r rig)) {
	t.Helper()
	sqldbtest.Each(t, []sqldb.Migration{auditbun.Migrations, staffbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		r := rig{db: db, trail: auditbun.New(db), published: &events{}}
		var err error
		r.people, err = staff.New(staff.Config{
			Store: staffbun.New(db), Audit: r.trail, Outbox: r.published, Now: db.Clock,
			UserIDs: func(identity.TenantID, staff.Person) string { return "noah" },
		})
		if err != nil {
			t.Fatal(err)
		}
		r.target = opiniohires.New(r.people)
		text := func(s string) *string { return &s }
		parent, err := r.people.CreateUnit(t.Context(), admin, staff.UnitEdit{Name: text("Adult Services")})
		if err == nil {
			_, err = r.people.CreateUnit(t.Context(), admin, staff.UnitEdit{Name: text("Care Team A"), ParentID: &parent.ID})
		}
		if err == nil {
			_, err = r.people.Create(t.Context(), admin, staff.Edit{FirstName: text("The"), LastName: text("Boss"), EmployeeReference: text("E0")})
		}
		if err != nil {
			t.Fatal(err)
		}
		r.published.types = nil
		f(t, r)
	})
}

func TestHandOff(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		ctx := t.Context()
		if _, found, err := r.target.Confirm(ctx, "1", "h-1"); found || err != nil {
			t.Errorf("before: %v, %v", found, err)
		}
		first, err := r.target.HandOff(ctx, "1", noah)
		if err != nil || first.HireID != "h-1" || first.PersonID == 0 || first.UserID != "noah" || first.Repeated {
			t.Fatalf("%+v, %v", first, err)
		}
		v, err := r.people.Get(ctx, admin, first.PersonID)
		if err != nil || v.Person.JobTitle != "Nurse" || v.Person.EmploymentStart != "2031-02-01" || v.Person.LineManagerID == 0 ||
			len(v.Person.Units) != 1 || v.Person.Units[0].UnitName != "Care Team A" || v.Person.Units[0].StartDate != "2031-02-01" {
			t.Errorf("%+v, %v", v.Person, err)
		}
		if !slices.Equal(r.published.types, []string{staff.EventCreated, staff.EventUpdated, staff.EventOnboarding, staff.EventImported}) {
			t.Errorf("published %v", r.published.types)
		}
		trail, err := r.trail.List(ctx, "1", audit.Filter{ActorID: "system:opinio", Action: staff.ActionImport}, page.Request{})
		if err != nil || len(trail.Items) != 1 {
			t.Errorf("audit: %v, %v", trail.Items, err)
		}
		// Again, also when the directory has changed the person since: nothing flows, nothing changes.
		title := "Sister"
		if _, err := r.people.Update(ctx, admin, first.PersonID, staff.AnyVersion, staff.Edit{JobTitle: &title}); err != nil {
			t.Fatal(err)
		}
		again, err := r.target.HandOff(ctx, "1", noah)
		if first.Repeated = true; again != first || err != nil {
			t.Errorf("again: %+v, %v", again, err)
		}
		if receipt, found, err := r.target.Confirm(ctx, "1", "h-1"); receipt != first || !found || err != nil {
			t.Errorf("confirmed: %+v, %v, %v", receipt, found, err)
		}
		if v, err := r.people.Get(ctx, admin, first.PersonID); err != nil || v.Person.JobTitle != "Sister" {
			t.Errorf("%+v, %v", v.Person, err)
		}
		if _, found, err := r.target.Confirm(ctx, "2", "h-1"); found || err != nil {
			t.Errorf("in another tenant: %v, %v", found, err)
		}
		systems, err := r.people.ExternalSystems(ctx, admin, page.Request{})
		if err != nil || len(systems.Items) != 1 || systems.Items[0].Name != opiniohires.Source || systems.Items[0].Type != staff.SystemRecruitment {
			t.Errorf("systems: %+v, %v", systems.Items, err)
		}
		if err := r.people.Erase(ctx, admin, first.PersonID); err != nil {
			t.Fatal(err)
		}
		if _, found, err := r.target.Confirm(ctx, "1", "h-1"); found || err != nil {
			t.Errorf("erased: %v, %v", found, err)
		}
	})
}

func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		if _, err := r.target.HandOff(t.Context(), "1", noah); err != nil {
			t.Fatal(err)
		}
		change := func(f func(h *opiniohires.Hire)) opiniohires.Hire {
			h := noah
			h.ID, h.EmployeeReference = "h-2", ""
			f(&h)
			return h
		}
		for name, c := range map[string]struct {
			hire opiniohires.Hire
			want error
			at   string
		}{
			"not confirmed":         {change(func(h *opiniohires.Hire) { h.ConfirmedAt = time.Time{} }), opiniohires.ErrNotConfirmed, ""},
			"other content":         {change(func(h *opiniohires.Hire) { h.ID, h.JobTitle = "h-1", "Doctor" }), opiniohires.ErrChanged, ""},
			"another's reference":   {change(func(h *opiniohires.Hire) { h.EmployeeReference = "E1" }), staff.ErrDuplicateReference, ""},
			"no id":                 {change(func(h *opiniohires.Hire) { h.ID = "" }), nil, "hire.hire_id"},
			"no name":               {change(func(h *opiniohires.Hire) { h.FirstName = " " }), nil, "hire.first_name"},
			"an unknown unit":       {change(func(h *opiniohires.Hire) { h.Unit = "Nowhere" }), nil, "hire.organisational_unit"},
			"an unknown department": {change(func(h *opiniohires.Hire) { h.Department = "Nowhere" }), nil, "hire.department"},
			"an unknown manager":    {change(func(h *opiniohires.Hire) { h.Manager = "E9" }), nil, "hire.line_manager_reference"},
			"no date":               {change(func(h *opiniohires.Hire) { h.StartDate = "soon" }), nil, "hire.employment_start_date"},
		} {
			_, err := r.target.HandOff(t.Context(), "1", c.hire)
			at := ""
			if fields := fault.FieldsOf(err); len(fields) > 0 {
				at = fields[0].Location
			}
			if err == nil || c.want != nil && !errors.Is(err, c.want) || at != c.at || !opiniohires.Final(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		people, err := r.people.List(t.Context(), admin, staff.Filter{Inactive: true}, page.Request{})
		if err != nil || len(people.Items) != 2 {
			t.Errorf("%d people, %v", len(people.Items), err)
		}
	})
}

// TestAtOnce: whoever hands the same hire over at the same time gets the same person.
func TestAtOnce(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		var wg sync.WaitGroup
		receipts, errs := make([]opiniohires.Receipt, 8), make([]error, 8)
		for i := range receipts {
			wg.Go(func() { receipts[i], errs[i] = r.target.HandOff(t.Context(), "1", noah) })
		}
		wg.Wait()
		firsts := 0
		for i, got := range receipts {
			if errs[i] != nil || got.PersonID != receipts[0].PersonID {
				t.Errorf("%+v, %v", got, errs[i])
			}
			if !got.Repeated {
				firsts++
			}
		}
		if firsts != 1 {
			t.Errorf("%d were the first", firsts)
		}
	})
}

// TestJoins: in a transaction that is given up nothing has happened.
func TestJoins(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		gone := errors.New("given up")
		err := r.db.Do(t.Context(), func(ctx context.Context) error {
			_, err := r.target.HandOff(ctx, "1", noah)
			return errors.Join(err, gone)
		})
		if _, found, confirmErr := r.target.Confirm(t.Context(), "1", "h-1"); !errors.Is(err, gone) || found || confirmErr != nil {
			t.Errorf("%v, %v, %v", err, found, confirmErr)
		}
	})
}

func TestFinal(t *testing.T) {
	for _, err := range []error{nil, context.Canceled, fault.New(fault.Unavailable, "x", "x"), fault.New(fault.RateLimited, "x", "x"), errors.New("disk full")} {
		if opiniohires.Final(err) {
			t.Errorf("%v is final", err)
		}
	}
}

// A hire is handed over as often as it takes, and is there once.
func Example() {
	ctx := context.Background()
	db, _ := sqldb.Open(ctx, "sqlite::memory:")
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, auditbun.Migrations, staffbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	people, _ := staff.New(staff.Config{Store: staffbun.New(db), Audit: auditbun.New(db)})
	target := opiniohires.New(people)
	var hire opiniohires.Hire
	_ = json.Unmarshal([]byte(`{"hire_id":"h-1","confirmed_at":"2030-01-15T12:00:00Z","first_name":"Noah","last_name":"Weber"}`), &hire)
	for range 2 {
		receipt, err := target.HandOff(ctx, "1", hire)
		fmt.Println(receipt.PersonID, receipt.Repeated, err)
	}
	_, err := target.HandOff(ctx, "1", opiniohires.Hire{ID: "h-2", FirstName: "Not", LastName: "Yet"})
	fmt.Println(errors.Is(err, opiniohires.ErrNotConfirmed), opiniohires.Final(err))
	// Output:
	// 1 false <nil>
	// 1 true <nil>
	// true true
}
