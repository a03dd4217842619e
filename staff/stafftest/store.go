package stafftest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/staff"
)

var noon = time.Date(2030, 1, 15, 12, 0, 0, 123456000, time.UTC)

func employee(id string, roles ...string) staff.Person {
	return staff.Person{
		UserID: id, Email: id + "@example.com", Name: id, Active: true, CreatedAt: noon, UpdatedAt: noon,
		Roles: append([]string{}, roles...), Groups: []string{}, Channels: []string{},
	}
}

// Run checks a Store, alone and as the directory of a staff.Service. newStore returns an empty one; it is called once
// per test.
func Run(t *testing.T, newStore func(t *testing.T) staff.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, staff.Store){
		"CRUD": crud, "Batches": batches, "Holders": holders, "Domains": domains, "Transactions": transactions,
		"Concurrency": concurrency, "Tenants": tenants, "Editing": editing, "Managers": managers, "Selecting": selecting,
		"Records": batchesOfRecords, "Units": units, "Assignments": assignments, "ChangeOrder": changeOrder, "Changes": changes, "Keys": keys,
		"Imports": imports, "Systems": systems,
	} {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
	t.Run("Directory", func(t *testing.T) {
		identitytest.RunDirectory(t, func(t *testing.T, companies identitytest.Directory) identity.Directory {
			return directory(t, newStore(t), companies)
		})
	})
}

type unrecorded struct{}

func (unrecorded) Record(context.Context, ...audit.Entry) error { return nil }

// directory fills a staff.Service with the companies.
func directory(t *testing.T, s staff.Store, companies identitytest.Directory) identity.Directory {
	t.Helper()
	service, err := staff.New(staff.Config{Store: s, Audit: unrecorded{}})
	if err != nil {
		t.Fatal(err)
	}
	for tenant, c := range companies {
		by := identity.System(tenant, "test")
		if err := service.SetDomains(t.Context(), by, c.Domains...); err != nil {
			t.Fatal(err)
		}
		var people []staff.Person
		for _, p := range c.People {
			people = append(people, staff.Person{
				UserID: p.ID, Email: p.Email, Name: p.Name, ManagerID: p.ManagerID, Roles: p.Roles, Groups: p.Groups,
				Channels: p.Channels, TimeZone: p.TimeZone, Locale: p.Locale, Active: p.Active, OnLeave: p.OnLeave,
			})
		}
		if _, err := service.Upsert(t.Context(), by, people...); err != nil {
			t.Fatal(err)
		}
	}
	return service
}

func crud(t *testing.T, s staff.Store) {
	alice := employee("alice", "admin", "hr")
	alice.Groups, alice.Channels = []string{"mgmt"}, []string{"slack", "mail"}
	alice.ManagerID, alice.TimeZone, alice.Locale, alice.OnLeave = "boss", "Asia/Tokyo", "ja", true
	bob := employee("bob")
	stored := upsert(t, s, "acme", bob, alice)
	if stored[0].ID <= 0 || stored[1].ID <= 0 || stored[0].ID == stored[1].ID {
		t.Errorf("ids %d and %d", stored[0].ID, stored[1].ID)
	}
	bob.ID, alice.ID = stored[0].ID, stored[1].ID
	if !reflect.DeepEqual(stored, []staff.Person{bob, alice}) {
		t.Errorf("stored %+v, want %+v", stored, []staff.Person{bob, alice})
	}

	alice.Name, alice.Active, alice.Roles, alice.Email = "Alice", false, []string{}, "a@example.com"
	alice.CreatedAt, alice.UpdatedAt = noon.Add(time.Hour), noon.Add(time.Hour)
	again := upsert(t, s, "acme", alice)
	alice.CreatedAt = noon
	if !reflect.DeepEqual(again, []staff.Person{alice}) {
		t.Errorf("changed to %+v, want %+v", again[0], alice)
	}
	for name, found := range map[string]func() ([]staff.Person, error){
		"ByUserID": func() ([]staff.Person, error) { return s.ByUserID(t.Context(), "acme", []string{"nobody", "alice"}) },
		"ByEmail": func() ([]staff.Person, error) {
			return s.ByEmail(t.Context(), "acme", []string{"alice@example.com", "a@example.com"})
		},
	} {
		got, err := found()
		if err != nil || !reflect.DeepEqual(got, []staff.Person{alice}) {
			t.Errorf("%s = %+v, %v, want %+v", name, got, err, alice)
		}
	}
}

func batches(t *testing.T, s staff.Store) {
	const n = 1203 // more than a store is likely to put into one statement
	people := make([]staff.Person, n)
	ids, emails := make([]string, n), make([]string, n)
	for i := range people {
		people[i] = employee(fmt.Sprintf("o'person-%04d", n-i), "staff")
		ids[i], emails[i] = people[i].UserID, people[i].Email
	}
	stored := upsert(t, s, "acme", people...)
	for i, p := range stored {
		if p.UserID != ids[i] {
			t.Fatalf("person %d is %s, want %s", i, p.UserID, ids[i])
		}
	}
	byID, err := s.ByUserID(t.Context(), "acme", ids)
	wantIDs(t, byID, err, ids...)
	byEmail, err := s.ByEmail(t.Context(), "acme", emails)
	wantIDs(t, byEmail, err, ids...)
	held, err := s.Holders(t.Context(), "acme", "staff")
	wantIDs(t, held, err, ids...)
}

func holders(t *testing.T, s staff.Store) {
	both := employee("both", "mgmt")
	both.Groups = []string{"mgmt"}
	left := employee("left", "mgmt")
	left.Active = false
	group := employee("group")
	group.Groups = []string{"mgmt", "board"}
	upsert(t, s, "acme", both, left, group, employee("none", "Mgmt"))
	ask := func(name string, want ...string) {
		t.Helper()
		got, err := s.Holders(t.Context(), "acme", name)
		wantIDs(t, got, err, want...)
	}
	ask("mgmt", "both", "group")
	ask("Mgmt", "none")
	ask("board", "group")
	ask("nothing")
	group.Groups, left.Active = []string{"board"}, true
	upsert(t, s, "acme", group, left)
	ask("mgmt", "both", "left")
	ask("board", "group")
}

func domains(t *testing.T, s staff.Store) {
	ctx := t.Context()
	for _, want := range [][]string{{"a.example", "b.example"}, {"b.example", "c.example"}, {}} {
		if err := s.SetDomains(ctx, "acme", want); err != nil {
			t.Fatalf("SetDomains: %v", err)
		}
		got, err := s.Domains(ctx, "acme")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Domains = %v, %v, want %v", got, err, want)
		}
		for _, d := range []string{"a.example", "b.example", "c.example", "x.a.example"} {
			has, err := s.HasDomain(ctx, "acme", d)
			if err != nil || has != slices.Contains(want, d) {
				t.Errorf("HasDomain(%s) = %v, %v of %v", d, has, err, want)
			}
		}
	}
}

func transactions(t *testing.T, s staff.Store) {
	ctx := t.Context()
	upsert(t, s, "acme", employee("alice", "before"))
	stop := errors.New("stop")
	err := s.Do(ctx, func(ctx context.Context) error {
		if _, err := s.Upsert(ctx, "acme", []staff.Person{employee("alice", "after"), employee("bob", "after")}); err != nil {
			return err
		}
		if err := s.SetDomains(ctx, "acme", []string{"example.com"}); err != nil {
			return err
		}
		got, err := s.Holders(ctx, "acme", "after")
		wantIDs(t, got, err, "alice", "bob")
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("Do: %v", err)
	}
	got, err := s.Holders(ctx, "acme", "after")
	wantIDs(t, got, err)
	got, err = s.Holders(ctx, "acme", "before")
	wantIDs(t, got, err, "alice")
	if has, err := s.HasDomain(ctx, "acme", "example.com"); err != nil || has {
		t.Errorf("a domain set in a transaction that failed: %v, %v", has, err)
	}
}

func concurrency(t *testing.T, s staff.Store) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			people := []staff.Person{employee("alice", fmt.Sprint(i)), employee("bob", fmt.Sprint(i))}
			if i%2 == 1 {
				slices.Reverse(people) // the other order must not lead to a deadlock
			}
			if _, err := s.Upsert(t.Context(), "acme", people); err != nil {
				t.Errorf("Upsert: %v", err)
			}
			if err := s.SetDomains(t.Context(), "acme", []string{"example.com", "example.net"}); err != nil {
				t.Errorf("SetDomains: %v", err)
			}
		})
	}
	wg.Wait()
	found, err := s.ByUserID(t.Context(), "acme", []string{"alice", "bob"})
	wantIDs(t, found, err, "alice", "bob")
	n := 0
	for i := range 8 {
		held, err := s.Holders(t.Context(), "acme", fmt.Sprint(i))
		if err != nil {
			t.Error(err)
		}
		n += len(held)
	}
	if n != 2 {
		t.Errorf("%d roles are held after all, want 2", n)
	}
}

func tenants(t *testing.T, s staff.Store) {
	ctx := t.Context()
	first := upsert(t, s, "acme", employee("alice", "mgmt"))[0]
	second := upsert(t, s, "rival", employee("alice"))[0]
	if first.ID == second.ID {
		t.Error("two tenants share a person")
	}
	if err := s.SetDomains(ctx, "acme", []string{"example.com"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetDomains(ctx, "rival", nil); err != nil {
		t.Fatal(err)
	}
	for name, found := range map[string]func() ([]staff.Person, error){
		"ByUserID": func() ([]staff.Person, error) { return s.ByUserID(ctx, "other", []string{"alice"}) },
		"ByEmail":  func() ([]staff.Person, error) { return s.ByEmail(ctx, "other", []string{"alice@example.com"}) },
		"Holders":  func() ([]staff.Person, error) { return s.Holders(ctx, "rival", "mgmt") },
	} {
		if got, err := found(); err != nil || len(got) != 0 {
			t.Errorf("%s in another tenant = %v, %v", name, got, err)
		}
	}
	for tenant, want := range map[identity.TenantID]bool{"acme": true, "rival": false} {
		if has, err := s.HasDomain(ctx, tenant, "example.com"); err != nil || has != want {
			t.Errorf("HasDomain of %s = %v, %v, want %v", tenant, has, err, want)
		}
	}
	held, err := s.Holders(ctx, "acme", "mgmt")
	wantIDs(t, held, err, "alice")
}

func upsert(t *testing.T, s staff.Store, tenant identity.TenantID, people ...staff.Person) []staff.Person {
	t.Helper()
	stored, err := s.Upsert(t.Context(), tenant, people)
	if err != nil || len(stored) != len(people) {
		t.Fatalf("Upsert: %d people, %v", len(stored), err)
	}
	return stored
}

func wantIDs(t *testing.T, got []staff.Person, err error, want ...string) {
	t.Helper()
	ids := []string{}
	for _, p := range got {
		ids = append(ids, p.UserID)
	}
	slices.Sort(ids)
	want = slices.Sorted(slices.Values(want))
	if err != nil || !slices.Equal(ids, want) {
		t.Errorf("got %v, %v, want %v", ids, err, want)
	}
}
