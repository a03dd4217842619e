package identity_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/identity"
)

func Example() {
	secretary := identity.Principal{Tenant: "acme", Actor: "secretary"}
	acting := secretary.For("exec")
	fmt.Println(secretary.User(), secretary.IsProxy())
	fmt.Println(acting.User(), acting.IsProxy(), acting.Actor)
	fmt.Println(identity.System("acme", "timeout").Actor)
	// Output:
	// secretary false
	// exec true secretary
	// system:timeout
}

func ExampleNormalEmail() {
	fmt.Println(identity.NormalEmail("MAILTO:Guest@Outside.Example"))
	fmt.Println(identity.NormalEmail("anna@bücher.example"))
	fmt.Printf("%q\n", identity.NormalEmail("not an address"))
	// Output:
	// guest@outside.example
	// anna@xn--bcher-kva.example
	// ""
}

// TestNormalEmail: whatever comes in, what comes out is stable and can start no mail header.
func TestNormalEmail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`(mailto:|MAILTO:)?[A-Za-z0-9._+"<>\r\n ]{0,12}@[A-Za-z0-9.\-]{0,12}`)).Draw(t, "s")
		n := identity.NormalEmail(s)
		if n == "" {
			return
		}
		if again := identity.NormalEmail(n); again != n {
			t.Fatalf("%q became %q, then %q", s, n, again)
		}
		if strings.ContainsAny(n, "\r\n\x00 <>,") || n != strings.ToLower(n) {
			t.Fatalf("%q became %q", s, n)
		}
	})
}

func FuzzNormalEmail(f *testing.F) {
	f.Add("mailto:a@b.example")
	f.Add("0@xn--0-p10i")
	f.Add("é@bücher.example")
	f.Fuzz(func(t *testing.T, s string) {
		if n := identity.NormalEmail(s); n != "" && identity.NormalEmail(n) != n {
			t.Fatalf("%q became %q, then %q", s, n, identity.NormalEmail(n))
		}
	})
}

func TestRoles(t *testing.T) {
	p := identity.Principal{Roles: []string{"mgmt"}}
	if !p.HasRole("admin", "mgmt") || p.HasRole("admin") || p.HasRole() {
		t.Fatal("roles of the principal")
	}
	if !(identity.Person{Roles: []string{"Executive"}}).HasRole("Executive") {
		t.Fatal("roles of the person")
	}
	if !identity.System("t", "x").IsSystem() || p.For("x").For("").IsProxy() || (identity.Principal{Actor: "a"}).For("a").IsProxy() {
		t.Fatal("who acts for whom")
	}
}

func TestRequestID(t *testing.T) {
	ctx := context.Background()
	if identity.RequestID(ctx) != "" || identity.RequestID(identity.WithRequestID(ctx, "r1")) != "r1" {
		t.Fatal("request id")
	}
}
