package approval_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// orders owns the subjects of kind "purchase_order".
type orders struct{}

func (orders) Approved(_ context.Context, r approval.Request) error {
	fmt.Println("order", r.Subject.ID, "is released by", r.Outcome.By)
	return nil
}
func (orders) Rejected(context.Context, approval.Request) error { return nil }
func (orders) TimedOut(context.Context, approval.Request) error { return nil }

// An embedder's own object under approval, in the embedder's own transaction.
func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	must(err)
	defer func() { _ = db.Close() }()
	must(sqldb.Migrate(ctx, db, approvalbun.Migrations))
	approvals, err := approval.New(approval.Config{
		Store: approvalbun.New(db), Directory: approvaltest.Company(), Outbox: silent{}, Audit: silent{},
		Policies: approval.Rules{approval.When("amount").AtLeast(100_000).Because("amount")},
		Subjects: map[string]approval.SubjectHandler{"purchase_order": orders{}},
	})
	must(err)

	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	var request approval.Request
	err = db.Do(ctx, func(ctx context.Context) error {
		// … the order itself is written here …
		request, err = approvals.Submit(ctx, alice, approval.Submission{
			Subject: approval.Subject{Kind: "purchase_order", ID: "4711"}, Flow: "purchase",
			Facts: approval.Facts{"amount": 250_000}, Content: map[string]any{"amount": 250_000},
		})
		return err
	})
	fmt.Println(request.Status, request.Explanation, request.Approvers(), err)

	_, err = approvals.Act(ctx, alice, request.ID, approval.Decision{Action: approval.Approve})
	fmt.Println(err)
	manager := identity.Principal{Tenant: "acme", Actor: "manager"}
	done, err := approvals.Act(ctx, manager, request.ID, approval.Decision{Action: approval.Approve, ContentHash: request.ContentHash})
	fmt.Println(done.Status, err)
	// Output:
	// pending [amount 250000 ≥ 100000] [manager] <nil>
	// self_approval: nobody decides on a request of their own
	// order 4711 is released by manager
	// approved <nil>
}

func ExampleRules_Evaluate() {
	reasons, explanation := approval.DefaultRules().For(approval.BookingFlow).Evaluate(approval.Facts{
		"attendees": 12, "resource": []string{"大会議室"},
	})
	fmt.Println(reasons, explanation)
	// Output: [attendees resource] [attendees 12 ≥ 10 resource 大会議室]
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
