package approvaltest_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/identity"
)

func ExamplePeople() {
	people := approvaltest.Company().With("manager", func(p *identity.Person) { p.OnLeave = true })
	manager, err := people.Person(context.Background(), "acme", "manager")
	fmt.Println(manager.ManagerID, manager.OnLeave, err)
	// Output: exec true <nil>
}
