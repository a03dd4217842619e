package delegation_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/calendar/delegation/delegationbun"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport"
)

var (
	_  web.ActAs = (*delegation.Service)(nil).ActAs
	t0           = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)
)

// book keeps what was recorded and published; fail makes it refuse.
type book struct {
	mu      sync.Mutex
	entries []audit.Entry
	events  []transport.Event
	fail    error
}

func (b *book) Record(_ context.Context, entries ...audit.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, entries...)
	return b.fail
}

func (b *book) Publish(_ context.Context, events ...transport.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, events...)
	return nil
}

type world struct {
	*delegation.Service
	book *book
	now  time.Time
}

func people() identity.Directory {
	gone := identitytest.Employee("gone", "")
	gone.Active = false
	return identitytest.Directory{
		"acme": {People: []identity.Person{
			identitytest.Employee("exec", "", "Executive"), identitytest.Employee("secretary", "exec"),
			identitytest.Employee("alice", "exec"), identitytest.Employee("bob", "exec"), gone,
		}},
		"rival": {People: []identity.Person{identitytest.Employee("exec", ""), identitytest.Employee("secretary", "")}},
	}
}

func newWorld(t *testing.T) *world {
	w := &world{book: &book{}, now: t0}
	var err error
	w.Service, err = delegation.New(delegation.Config{
		Store: delegationbun.New(sqldbtest.SQLite(t, delegationbun.Migrations)), Audit: w.book, Outbox: w.book,
		Directory: people(), Now: func() time.Time { return w.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func as(actor string, roles ...string) identity.Principal {
	return identity.Principal{Tenant: "acme", Actor: actor, Roles: roles}
}

func (w *world) grant(t *testing.T, from, to string, ps ...calendar.Permission) delegation.Delegation {
	t.Helper()
	d, err := w.Grant(t.Context(), as(from), delegation.NewDelegation{DelegateeID: to, Permissions: ps})
	if err != nil {
		t.Fatalf("Grant: %v", err)
	}
	return d
}

func TestConfig(t *testing.T) {
	_, err := delegation.New(delegation.Config{})
	for _, what := range []string{"Store", "Audit", "Directory"} {
		if err == nil || !strings.Contains(err.Error(), what+" is required") {
			t.Errorf("%v does not name %s", err, what)
		}
	}
}

func TestGrant(t *testing.T) {
	w := newWorld(t)
	d, err := w.Grant(t.Context(), as("exec"), delegation.NewDelegation{
		DelegateeID: "secretary", Permissions: []calendar.Permission{calendar.Respond, calendar.ReadPrivate},
		ValidFrom: t0.In(time.FixedZone("JST", 9*3600)).Add(1500 * time.Nanosecond), ValidUntil: t0.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := delegation.Delegation{
		ID: d.ID, Tenant: "acme", DelegatorID: "exec", DelegateeID: "secretary", CreatedAt: t0,
		Permissions: []calendar.Permission{calendar.ReadPrivate, calendar.Respond},
		ValidFrom:   t0.Add(time.Microsecond), ValidUntil: t0.Add(time.Hour),
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("%+v, want %+v", d, want)
	}
	p, err := w.List(t.Context(), as("secretary"), "", page.Request{})
	if err != nil || len(p.Items) != 1 || !reflect.DeepEqual(p.Items[0], want) {
		t.Errorf("the delegatee's list: %+v, %v", p, err)
	}
	if len(w.book.entries) != 1 || w.book.entries[0].Action != delegation.ActionGrant || w.book.entries[0].TargetID != d.ID {
		t.Errorf("audited: %+v", w.book.entries)
	}
	if len(w.book.events) != 1 || w.book.events[0].Type != delegation.EventGranted || w.book.events[0].Subject != "delegation/"+d.ID {
		t.Errorf("published: %+v", w.book.events)
	}
}

func TestGrantRefuses(t *testing.T) {
	edit := []calendar.Permission{calendar.Edit}
	for name, c := range map[string]struct {
		by     identity.Principal
		in     delegation.NewDelegation
		want   error
		fields []string
	}{
		"nothing":           {as("exec"), delegation.NewDelegation{}, check.ErrInput, []string{"delegatee_id", "permissions"}},
		"empty list":        {as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: []calendar.Permission{}}, check.ErrInput, []string{"permissions"}},
		"unknown value":     {as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: []calendar.Permission{"EDIT", "OWN"}}, check.ErrInput, []string{"permissions[1]"}},
		"twice":             {as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: []calendar.Permission{"EDIT", "EDIT"}}, check.ErrInput, []string{"permissions"}},
		"until = from":      {as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: edit, ValidFrom: t0.Add(time.Hour), ValidUntil: t0.Add(time.Hour)}, check.ErrInput, []string{"valid_until"}},
		"until < from":      {as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: edit, ValidFrom: t0.Add(time.Hour), ValidUntil: t0.Add(time.Minute)}, check.ErrInput, []string{"valid_until"}},
		"until now":         {as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: edit, ValidUntil: t0}, check.ErrInput, []string{"valid_until"}},
		"far away":          {as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: edit, ValidUntil: t0.AddDate(500, 0, 0)}, check.ErrInput, []string{"valid_until"}},
		"oneself":           {as("exec"), delegation.NewDelegation{DelegateeID: "exec", Permissions: edit}, check.ErrInput, []string{"delegatee_id"}},
		"unknown person":    {as("exec"), delegation.NewDelegation{DelegateeID: "nobody", Permissions: edit}, check.ErrInput, []string{"delegatee_id"}},
		"who left":          {as("exec"), delegation.NewDelegation{DelegateeID: "gone", Permissions: edit}, check.ErrInput, []string{"delegatee_id"}},
		"control character": {as("exec"), delegation.NewDelegation{DelegateeID: "a\x00b", Permissions: edit}, check.ErrInput, []string{"delegatee_id"}},
		"proxy":             {as("secretary").For("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: edit}, delegation.ErrNotDelegator, nil},
		"machine":           {identity.System("acme", "sync"), delegation.NewDelegation{DelegateeID: "bob", Permissions: edit}, delegation.ErrNotDelegator, nil},
		"delegator left":    {as("gone"), delegation.NewDelegation{DelegateeID: "bob", Permissions: edit}, delegation.ErrNotDelegator, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.Grant(t.Context(), c.by, c.in)
			var fields []string
			for _, f := range fault.FieldsOf(err) {
				fields = append(fields, f.Location)
			}
			if !errors.Is(err, c.want) || !slices.Equal(fields, c.fields) {
				t.Errorf("%v with fields %v, want %v with %v", err, fields, c.want, c.fields)
			}
			if len(w.book.entries)+len(w.book.events) != 0 {
				t.Errorf("recorded %v, published %v", w.book.entries, w.book.events)
			}
		})
	}
}

func TestGrantIsOneWithItsAudit(t *testing.T) {
	w := newWorld(t)
	w.book.fail = errors.New("full")
	if _, err := w.Grant(t.Context(), as("exec"), delegation.NewDelegation{DelegateeID: "bob", Permissions: delegation.All()}); !errors.Is(err, w.book.fail) {
		t.Fatalf("Grant: %v", err)
	}
	if got, err := w.Permissions(t.Context(), "acme", "exec", "bob"); err != nil || len(got) != 0 {
		t.Errorf("granted without an audit entry: %v, %v", got, err)
	}
}

func TestWindow(t *testing.T) {
	w := newWorld(t)
	_, err := w.Grant(t.Context(), as("exec"), delegation.NewDelegation{
		DelegateeID: "secretary", Permissions: delegation.All(), ValidFrom: t0.Add(time.Hour), ValidUntil: t0.Add(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]int{
		0: 0, time.Hour - time.Nanosecond: 0, time.Hour: 3, 2*time.Hour - time.Nanosecond: 3, 2 * time.Hour: 0,
	} {
		w.now = t0.Add(after)
		got, err := w.Permissions(t.Context(), "acme", "exec", "secretary")
		if err != nil || len(got) != want {
			t.Errorf("after %v: %v, %v, want %d", after, got, err, want)
		}
	}
}

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "exec", "secretary", calendar.Respond)
	edit := w.grant(t, "exec", "secretary", calendar.Edit)
	w.grant(t, "secretary", "bob", delegation.All()...)
	w.grant(t, "alice", "secretary", calendar.Edit)
	ask := func(delegator, delegatee string, want ...calendar.Permission) {
		t.Helper()
		got, err := w.Permissions(t.Context(), "acme", delegator, delegatee)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s for %s: %v, %v, want %v", delegatee, delegator, got, err, want)
		}
	}
	ask("exec", "secretary", calendar.Edit, calendar.Respond)
	ask("exec", "bob") // not transitive
	ask("secretary", "exec")
	ask("exec", "exec")
	ask("a\x00b", "secretary")
	of := []string{"exec", "alice", "bob", "secretary", "nobody", "alice"}
	got, err := w.Delegators(t.Context(), "acme", "secretary", of, calendar.Edit)
	if err != nil || !slices.Equal(got, []string{"alice", "exec"}) {
		t.Errorf("Delegators = %v, %v", got, err)
	}
	w.grant(t, "exec", "alice", calendar.Respond)
	for delegator, want := range map[string][]string{"exec": {"alice", "secretary"}, "secretary": {"bob"}, "bob": nil, "a\x00b": nil} {
		got, err := w.Delegatees(t.Context(), "acme", delegator)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Delegatees of %q = %v, %v, want %v", delegator, got, err, want)
		}
	}
	if err := w.Revoke(t.Context(), as("exec"), edit.ID); err != nil {
		t.Fatal(err)
	}
	ask("exec", "secretary", calendar.Respond)
	got, err = w.Delegators(t.Context(), "acme", "secretary", of, calendar.Edit)
	if err != nil || !slices.Equal(got, []string{"alice"}) {
		t.Errorf("Delegators after the revocation = %v, %v", got, err)
	}
	got, err = w.Delegators(t.Context(), "rival", "secretary", of, calendar.Edit)
	if err != nil || len(got) != 0 {
		t.Errorf("Delegators of another tenant = %v, %v", got, err)
	}
}

func TestRevoke(t *testing.T) {
	for name, c := range map[string]struct {
		by   identity.Principal
		want error
	}{
		"delegator":           {as("exec"), nil},
		"administrator":       {as("hr", "admin"), nil},
		"delegatee":           {as("secretary"), delegation.ErrNotDelegator},
		"proxy":               {as("secretary").For("exec"), delegation.ErrNotDelegator},
		"delegator as proxy":  {as("exec").For("alice"), delegation.ErrNotDelegator},
		"somebody else":       {as("bob"), delegation.ErrNotFound},
		"somebody's proxy":    {as("bob").For("alice"), delegation.ErrNotFound},
		"other administrator": {identity.Principal{Tenant: "rival", Actor: "exec", Roles: []string{"admin"}}, delegation.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.grant(t, "exec", "secretary", calendar.Edit)
			w.book.entries, w.book.events = nil, nil
			for range 2 { // the second changes nothing
				if err := w.Revoke(t.Context(), c.by, d.ID); !errors.Is(err, c.want) {
					t.Fatalf("Revoke: %v, want %v", err, c.want)
				}
			}
			want := 0
			if c.want == nil {
				want = 1
			}
			if len(w.book.entries) != want || len(w.book.events) != want {
				t.Fatalf("recorded %v, published %v, want %d each", w.book.entries, w.book.events, want)
			}
			if want == 1 && (w.book.entries[0].SubjectID != "exec" || w.book.entries[0].ActorID != c.by.Actor) {
				t.Errorf("audited: %+v", w.book.entries[0])
			}
		})
	}
	w := newWorld(t)
	for _, id := range []string{"", "nothing", "a\x00b"} {
		if err := w.Revoke(t.Context(), as("exec"), id); !errors.Is(err, delegation.ErrNotFound) {
			t.Errorf("Revoke(%q): %v, want ErrNotFound", id, err)
		}
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "exec", "secretary", calendar.Edit)
	w.grant(t, "exec", "alice", calendar.Edit)
	for name, c := range map[string]struct {
		by     identity.Principal
		person string
		want   int
		err    error
	}{
		"own":                     {as("exec"), "", 2, nil},
		"received":                {as("secretary"), "", 1, nil},
		"the proxy's own":         {as("secretary").For("exec"), "", 1, nil},
		"another's":               {as("secretary"), "exec", 0, delegation.ErrNotDelegator},
		"another's as a proxy":    {as("secretary").For("exec"), "exec", 0, delegation.ErrNotDelegator},
		"for an administrator":    {as("hr", "admin"), "exec", 2, nil},
		"in another tenant":       {identity.Principal{Tenant: "rival", Actor: "exec"}, "", 0, nil},
		"of an impossible person": {as("hr", "admin"), "a\x00b", 0, nil},
	} {
		p, err := w.List(t.Context(), c.by, c.person, page.Request{})
		if !errors.Is(err, c.err) || len(p.Items) != c.want {
			t.Errorf("%s: %d, %v, want %d, %v", name, len(p.Items), err, c.want, c.err)
		}
	}
}

func TestActAs(t *testing.T) {
	w := newWorld(t)
	w.grant(t, "exec", "secretary", calendar.Respond)
	w.grant(t, "secretary", "bob", calendar.Edit)
	w.book.entries = nil
	for _, by := range []identity.Principal{as("secretary"), as("secretary").For("exec")} {
		got, err := w.ActAs(t.Context(), by, by.User(), "GET /events")
		if err != nil || !reflect.DeepEqual(got, by) {
			t.Errorf("as oneself: %+v, %v", got, err)
		}
	}
	got, err := w.ActAs(t.Context(), as("secretary"), "exec", "GET /events")
	if err != nil || got.User() != "exec" || !got.IsProxy() {
		t.Errorf("as the delegator: %+v, %v", got, err)
	}
	if len(w.book.entries) != 0 {
		t.Errorf("audited: %+v", w.book.entries)
	}

	for name, c := range map[string]struct {
		by      identity.Principal
		subject string
		audited string
	}{
		"no delegation":     {as("bob"), "alice", "alice"},
		"the other way":     {as("exec"), "secretary", "secretary"},
		"a chain":           {as("bob"), "exec", "exec"},
		"a proxy":           {as("bob").For("secretary"), "exec", "exec"},
		"a machine":         {identity.System("acme", "x"), "exec", "exec"},
		"an administrator":  {as("hr", "admin"), "exec", "exec"},
		"unknown person":    {as("secretary"), "nobody", "nobody"},
		"impossible person": {as("secretary"), "a\x00b", ""},
		"too long":          {as("secretary"), strings.Repeat("x", 300), ""},
		"another tenant":    {identity.Principal{Tenant: "rival", Actor: "secretary"}, "exec", "exec"},
	} {
		t.Run(name, func(t *testing.T) {
			w.book.entries = nil
			_, err := w.ActAs(t.Context(), c.by, c.subject, "POST /events")
			if !errors.Is(err, delegation.ErrNotDelegated) || !errors.Is(err, web.ErrActAs) || fault.As(err).Message != web.ErrActAs.Message {
				t.Errorf("%v, want ErrNotDelegated", err)
			}
			if len(w.book.entries) != 1 {
				t.Fatalf("audited: %+v", w.book.entries)
			}
			e := w.book.entries[0]
			if e.Action != "ACT_AS_DENIED" || e.ActorID != c.by.Actor || e.TargetID != c.audited || e.Tenant != c.by.Tenant || e.Metadata["operation"] != "POST /events" {
				t.Errorf("audited: %+v", e)
			}
		})
	}
	w.book.fail = errors.New("full")
	if got, err := w.ActAs(t.Context(), as("bob"), "exec", "POST /events"); err == nil || got.Actor != "" {
		t.Errorf("without an audit entry: %+v, %v", got, err)
	}
}

func Example() {
	ctx := context.Background()
	db, _ := sqldb.Open(ctx, "sqlite::memory:")
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, delegationbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	delegations, err := delegation.New(delegation.Config{Store: delegationbun.New(db), Audit: &book{}, Directory: people()})
	if err != nil {
		fmt.Println(err)
		return
	}
	exec, secretary := identity.Principal{Tenant: "acme", Actor: "exec"}, identity.Principal{Tenant: "acme", Actor: "secretary"}
	d, err := delegations.Grant(ctx, exec, delegation.NewDelegation{DelegateeID: "secretary", Permissions: []calendar.Permission{calendar.Edit}})
	fmt.Println(d.Permissions, err)

	proxy, err := delegations.ActAs(ctx, secretary, "exec", "POST /events") // for web.Config.ActAs
	fmt.Println(proxy.Actor, "acts for", proxy.User(), err)

	_, err = delegations.ActAs(ctx, exec, "secretary", "POST /events")
	fmt.Println(errors.Is(err, delegation.ErrNotDelegated))
	// Output:
	// [EDIT] <nil>
	// secretary acts for exec <nil>
	// true
}
