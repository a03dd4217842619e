package graphsync_test

import (
	"fmt"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/staff/graphsync"
)

// A client needs an application registration with a secret, and speaks only https.
func ExampleClientConfig_Validate() {
	cfg := graphsync.ClientConfig{TenantID: "contoso.example", ClientID: "app", ClientSecret: secret.NewString("s3cret")}
	fmt.Println(cfg.Validate())
	cfg.BaseURL = "http://graph.example/v1.0"
	fmt.Println(cfg.Validate())
	// Output:
	// <nil>
	// graphsync: BaseURL must be an https URL
}

// A plan is made of what is there, and nothing happens yet.
func ExampleMakePlan() {
	plan := graphsync.MakePlan(graphsync.Snapshot{
		People: []graphsync.Person{
			{ID: 1, Reference: "EMP001", Name: "John Doe", Email: "john.doe@example.com", JobTitle: "Senior Support Worker", Wanted: true},
			{ID: 2, Reference: "EMP002", Name: "Jane Roe", Email: "jane.roe@example.com"}, // has left
		},
		Accounts: map[string]graphsync.Account{
			"6f2b": {ID: "6f2b", EmployeeID: "EMP001", Name: "John Doe", UPN: "john.doe@example.com", JobTitle: "Support Worker", Enabled: true},
			"91cd": {ID: "91cd", EmployeeID: "EMP002", Name: "Jane Roe", UPN: "jane.roe@example.com", Enabled: true},
		},
	}, graphsync.Rules{})
	for _, a := range plan.Actions {
		fmt.Println(a.Op, a.Person, a.Remote, a.Edits)
	}
	fmt.Println(plan.Tripped)
	// Output:
	// link_user 1 6f2b []
	// link_user 2 91cd []
	// update_user 1 6f2b [{jobTitle Support Worker Senior Support Worker}]
	// disable_user 2 91cd []
	// []
}
