package identitytest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/identity"
)

// RunDirectory checks an identity.Directory. newDirectory makes one that holds exactly the companies; it is called
// once per test.
func RunDirectory(t *testing.T, newDirectory func(t *testing.T, companies Directory) identity.Directory) {
	t.Helper()
	companies := Directory{
		"acme": {
			Domains: []string{"example.com", "Bücher.example"},
			People: []identity.Person{
				{ID: "boss", Email: "boss@example.com", Name: "Boss", Active: true, Roles: []string{"Executive"}, Groups: []string{"mgmt", "board"}},
				{ID: "alice", Email: "Alice@Example.COM", Name: "佐藤 アリス", ManagerID: "boss", Active: true, OnLeave: true,
					TimeZone: "Asia/Tokyo", Locale: "ja-JP", Channels: []string{"slack", "mail"}, Groups: []string{"board"}},
				{ID: "gone", Email: "gone@example.com", Name: "Gone", Roles: []string{"mgmt"}, ManagerID: "boss"},
				{ID: "Alice", Email: "other@bücher.example", Name: "Another", Active: true, Roles: []string{"mgmt"}},
			},
		},
		"rival": {
			Domains: []string{"rival.example"},
			People: []identity.Person{
				{ID: "alice", Email: "alice@rival.example", Name: "Rival", Active: true, Roles: []string{"mgmt"}},
			},
		},
	}
	ctx := t.Context()
	dir := newDirectory(t, companies)

	t.Run("Person", func(t *testing.T) {
		for _, want := range companies["acme"].People {
			got, err := dir.Person(ctx, "acme", want.ID)
			if err != nil {
				t.Fatalf("Person(%s): %v", want.ID, err)
			}
			if !same(got, want) {
				t.Errorf("Person(%s) = %+v, want %+v", want.ID, got, want)
			}
		}
		for _, id := range []string{"", "nobody", "ALICE", "alice ", "a\x00b", "\xff"} {
			if _, err := dir.Person(ctx, "acme", id); !errors.Is(err, identity.ErrUnknownPerson) {
				t.Errorf("Person(%q): %v, want ErrUnknownPerson", id, err)
			}
		}
	})

	t.Run("People", func(t *testing.T) {
		got, err := dir.People(ctx, "acme", []string{"alice", "nobody", "gone", "alice", "a\x00b"})
		wantIDs(t, got, err, "alice", "gone")
		for _, p := range got {
			want, _ := companies.Person(ctx, "acme", p.ID)
			if !same(p, want) {
				t.Errorf("People: %+v, want %+v", p, want)
			}
		}
		got, err = dir.People(ctx, "acme", nil)
		wantIDs(t, got, err)
		many := []string{"boss"}
		for i := range 3000 {
			many = append(many, "nobody-"+strconv.Itoa(i))
		}
		got, err = dir.People(ctx, "acme", append(many, "alice"))
		wantIDs(t, got, err, "alice", "boss")
	})

	t.Run("ByEmail", func(t *testing.T) {
		got, err := dir.ByEmail(ctx, "acme", []string{"mailto:ALICE@example.com", " alice@example.com ", "other@xn--bcher-kva.example", "guest@outside.example", "", "no address"})
		wantIDs(t, got, err, "Alice", "alice")
		got, err = dir.ByEmail(ctx, "acme", nil)
		wantIDs(t, got, err)
		got, err = dir.ByEmail(ctx, "acme", []string{"alice@rival.example"})
		wantIDs(t, got, err)
	})

	t.Run("Holders", func(t *testing.T) {
		for name, want := range map[string][]string{
			"mgmt":      {"Alice", "boss"}, // by role and by group; the inactive one is left out
			"Executive": {"boss"},
			"executive": {},
			"board":     {"alice", "boss"},
			"":          {},
		} {
			got, err := dir.Holders(ctx, "acme", name)
			wantIDs(t, got, err, want...)
			if !slices.IsSortedFunc(got, func(a, b identity.Person) int { return strings.Compare(a.ID, b.ID) }) {
				t.Errorf("Holders(%q) is not ordered by id", name)
			}
		}
	})

	t.Run("IsInternal", func(t *testing.T) {
		for email, want := range map[string]bool{
			"anybody@example.com":          true,
			"MAILTO:Anybody@EXAMPLE.com":   true,
			"x@bücher.example":             true,
			"x@XN--BCHER-KVA.example":      true,
			"x@sub.example.com":            false,
			"x@example.com.evil.example":   false,
			"x@rival.example":              false,
			"example.com":                  false,
			"":                             false,
			"x@example.com@evil.example":   false,
			"\"x@example.com\"@evil.local": false,
		} {
			got, err := dir.IsInternal(ctx, "acme", email)
			if err != nil || got != want {
				t.Errorf("IsInternal(%q) = %v, %v, want %v", email, got, err, want)
			}
		}
	})

	t.Run("Tenants", func(t *testing.T) {
		p, err := dir.Person(ctx, "rival", "alice")
		if err != nil || p.Name != "Rival" {
			t.Errorf("the rival's alice is %+v, %v", p, err)
		}
		if _, err := dir.Person(ctx, "rival", "boss"); !errors.Is(err, identity.ErrUnknownPerson) {
			t.Errorf("acme's boss at the rival's: %v, want ErrUnknownPerson", err)
		}
		got, err := dir.People(ctx, "rival", []string{"alice", "boss", "gone"})
		wantIDs(t, got, err, "alice")
		got, err = dir.Holders(ctx, "rival", "mgmt")
		wantIDs(t, got, err, "alice")
		got, err = dir.ByEmail(ctx, "nobody's", []string{"alice@example.com"})
		wantIDs(t, got, err)
		if internal, err := dir.IsInternal(ctx, "rival", "x@example.com"); err != nil || internal {
			t.Errorf("acme's domain is the rival's too: %v, %v", internal, err)
		}
	})

	t.Run("Concurrency", func(t *testing.T) {
		failures := make(chan error, 8)
		for range cap(failures) {
			go func() { failures <- ask(ctx, dir) }()
		}
		for range cap(failures) {
			if err := <-failures; err != nil {
				t.Error(err)
			}
		}
	})
}

func ask(ctx context.Context, dir identity.Directory) error {
	if _, err := dir.Person(ctx, "acme", "alice"); err != nil {
		return err
	}
	if _, err := dir.Holders(ctx, "acme", "mgmt"); err != nil {
		return err
	}
	_, err := dir.IsInternal(ctx, "acme", "x@example.com")
	return err
}

// same compares people; an empty list is as good as none, and addresses may come back in their normal form.
func same(a, b identity.Person) bool {
	for _, p := range []*identity.Person{&a, &b} {
		p.Email = identity.NormalEmail(p.Email)
		p.Roles, p.Groups, p.Channels = append([]string{}, p.Roles...), append([]string{}, p.Groups...), append([]string{}, p.Channels...)
		slices.Sort(p.Roles)
		slices.Sort(p.Groups)
	}
	return reflect.DeepEqual(a, b)
}

func wantIDs(t *testing.T, got []identity.Person, err error, want ...string) {
	t.Helper()
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	ids := []string{}
	for _, p := range got {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	slices.Sort(want)
	if !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
}
