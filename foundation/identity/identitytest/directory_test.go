package identitytest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
)

func TestDirectory(t *testing.T) {
	identitytest.RunDirectory(t, func(_ *testing.T, companies identitytest.Directory) identity.Directory { return companies })
}

func Example() {
	people := identitytest.Directory{"acme": {
		Domains: []string{"example.com"},
		People:  []identity.Person{identitytest.Employee("alice", "boss"), identitytest.Employee("boss", "", "Executive")},
	}}
	alice, err := people.Person(context.Background(), "acme", "alice")
	fmt.Println(alice.ManagerID, err)
	inside, _ := people.IsInternal(context.Background(), "acme", "guest@outside.example")
	fmt.Println(inside)
	// Output:
	// boss <nil>
	// false
}
