package staff_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/staffbun"
)

// book keeps what was recorded; fail makes it refuse.
type book struct {
	entries []audit.Entry
	fail    error
}

func (b *book) Record(_ context.Context, entries ...audit.Entry) error {
	b.entries = append(b.entries, entries...)
	return b.fail
}

var (
	admin = identity.Principal{Tenant: "acme", Actor: "admin", Roles: []string{"admin"}}
	t0    = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)
)

func newService(t *testing.T) (*staff.Service, *book) {
	t.Helper()
	b := &book{}
	s, err := staff.New(staff.Config{Store: staffbun.New(sqldbtest.SQLite(t, staffbun.Migrations)), Audit: b, Now: func() time.Time { return t0 }})
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func TestConfig(t *testing.T) {
	if _, err := staff.New(staff.Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
}

func TestUpsert(t *testing.T) {
	s, b := newService(t)
	got, err := s.Upsert(t.Context(), admin, staff.Person{
		ID: 99, UserID: "alice", Email: " Alice@EXAMPLE.com", Name: "Alice", Roles: []string{"b", "a", "b"}, Active: true, CreatedAt: t0.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	p := got[0]
	if p.ID == 99 || p.Email != "alice@example.com" || !slices.Equal(p.Roles, []string{"a", "b"}) || !p.CreatedAt.Equal(t0) || !p.UpdatedAt.Equal(t0) {
		t.Errorf("%+v", p)
	}
	if len(b.entries) != 1 || b.entries[0].Action != staff.ActionUpsert || b.entries[0].TargetID != "alice" {
		t.Errorf("audited: %+v", b.entries)
	}
	b.fail = errors.New("full")
	if _, err := s.Upsert(t.Context(), admin, staff.Person{UserID: "bob", Name: "Bob"}); !errors.Is(err, b.fail) {
		t.Errorf("without an audit entry: %v", err)
	}
	if _, err := s.Person(t.Context(), "acme", "bob"); !errors.Is(err, identity.ErrUnknownPerson) {
		t.Errorf("stored without an audit entry: %v", err)
	}
	if got, err := s.Upsert(t.Context(), admin); err != nil || len(got) != 0 {
		t.Errorf("nobody: %v, %v", got, err)
	}
}

func TestUpsertRefuses(t *testing.T) {
	s, b := newService(t)
	ok := staff.Person{UserID: "ok", Name: "OK"}
	for name, c := range map[string]struct {
		person staff.Person
		field  string
	}{
		"no id":     {staff.Person{Name: "x"}, "people[1].user_id"},
		"bad id":    {staff.Person{UserID: "a\x00", Name: "x"}, "people[1].user_id"},
		"no name":   {staff.Person{UserID: "x"}, "people[1].name"},
		"two lines": {staff.Person{UserID: "x", Name: "a\nb"}, "people[1].name"},
		"address":   {staff.Person{UserID: "x", Name: "x", Email: "x@"}, "people[1].email"},
		"zone":      {staff.Person{UserID: "x", Name: "x", TimeZone: "Mars"}, "people[1].time_zone"},
		"locale":    {staff.Person{UserID: "x", Name: "x", Locale: "!"}, "people[1].locale"},
		"role":      {staff.Person{UserID: "x", Name: "x", Roles: []string{"a", ""}}, "people[1].roles[1]"},
		"manager":   {staff.Person{UserID: "x", Name: "x", ManagerID: "x"}, "people[1].manager_id"},
		"twice":     {ok, "people[1].user_id"},
	} {
		_, err := s.Upsert(t.Context(), admin, ok, c.person)
		fields := fault.FieldsOf(err)
		if !errors.Is(err, check.ErrInput) || len(fields) != 1 || fields[0].Location != c.field {
			t.Errorf("%s: %v, want the field %s", name, err, c.field)
		}
	}
	for _, by := range []identity.Principal{{Tenant: "acme", Actor: "alice"}, admin.For("exec")} {
		if _, err := s.Upsert(t.Context(), by, ok); !errors.Is(err, staff.ErrForbidden) {
			t.Errorf("Upsert by %+v: %v", by, err)
		}
		if err := s.SetDomains(t.Context(), by, "example.com"); !errors.Is(err, staff.ErrForbidden) {
			t.Errorf("SetDomains by %+v: %v", by, err)
		}
	}
	if len(b.entries) != 0 {
		t.Errorf("audited: %+v", b.entries)
	}
}

func TestSetDomains(t *testing.T) {
	s, b := newService(t)
	if err := s.SetDomains(t.Context(), admin, "Example.com", "bücher.example", "example.com"); err != nil {
		t.Fatal(err)
	}
	got, err := s.Domains(t.Context(), "acme")
	if err != nil || !slices.Equal(got, []string{"example.com", "xn--bcher-kva.example"}) {
		t.Errorf("Domains = %v, %v", got, err)
	}
	if len(b.entries) != 1 || b.entries[0].Action != staff.ActionDomains {
		t.Errorf("audited: %+v", b.entries)
	}
	for _, bad := range []string{"", "a b", "x@example.com", "@example.com"} {
		err := s.SetDomains(t.Context(), admin, "example.com", bad)
		if fields := fault.FieldsOf(err); !errors.Is(err, check.ErrInput) || len(fields) != 1 || fields[0].Location != "domains[1]" {
			t.Errorf("SetDomains(%q): %v", bad, err)
		}
	}
}

func Example() {
	ctx := context.Background()
	db, _ := sqldb.Open(ctx, "sqlite::memory:")
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, staffbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	people, err := staff.New(staff.Config{Store: staffbun.New(db), Audit: &book{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	by := identity.Principal{Tenant: "acme", Actor: "admin", Roles: []string{"admin"}}
	_, err = people.Upsert(ctx, by,
		staff.Person{UserID: "exec", Name: "Eiko Fujiwara", Email: "exec@example.com", Roles: []string{"Executive"}, Active: true},
		staff.Person{UserID: "alice", Name: "Alice Sato", Email: "alice@example.com", ManagerID: "exec", Active: true})
	fmt.Println(err)
	fmt.Println(people.SetDomains(ctx, by, "example.com"))

	var directory identity.Directory = people // for the other packages
	alice, _ := directory.Person(ctx, "acme", "alice")
	inside, _ := directory.IsInternal(ctx, "acme", "guest@outside.example")
	fmt.Println(alice.ManagerID, inside)
	// Output:
	// <nil>
	// <nil>
	// exec false
}
