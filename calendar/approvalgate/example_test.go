package approvalgate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/approvalgate"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

type nowhere struct{}

func (nowhere) Record(context.Context, ...audit.Entry) error      { return nil }
func (nowhere) Publish(context.Context, ...transport.Event) error { return nil }

// printer stands for calendar.Service.
type printer struct{}

func (printer) Confirm(_ context.Context, _ identity.TenantID, id string) error {
	fmt.Println("confirmed", id)
	return nil
}

func (printer) Release(_ context.Context, _ identity.TenantID, id string, cause calendar.Cause, text string) error {
	fmt.Println("released", id, cause, text)
	return nil
}

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	must(err)
	defer func() { _ = db.Close() }()
	must(sqldb.Migrate(ctx, db, approvalbun.Migrations))
	people := approvaltest.Company()

	gate := approvalgate.New(approvalgate.Config{Directory: people})
	approvals, err := approval.New(approval.Config{
		Store: approvalbun.New(db), Directory: people, Outbox: nowhere{}, Audit: nowhere{},
		Subjects: map[string]approval.SubjectHandler{approvalgate.Kind: gate},
	})
	must(err)
	gate.Bind(printer{}, approvals) // the calendar, made with Gate: gate

	// What the calendar does for a booking:
	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	start := time.Now().Add(7 * 24 * time.Hour)
	booking := calendar.Event{ID: "e1", Tenant: "acme", OrganizerID: "alice", Title: "All hands", Start: start, End: start.Add(time.Hour)}
	rooms := []calendar.Resource{{ID: "room-large", Name: "大会議室", RequiresApproval: true}}
	reasons, err := gate.Reasons(ctx, booking, rooms)
	fmt.Println(reasons, err)
	id, err := gate.Open(ctx, alice, booking, rooms)
	must(err)

	manager := identity.Principal{Tenant: "acme", Actor: "manager"}
	_, err = approvals.Act(ctx, manager, id, approval.Decision{Action: approval.Reject, Reason: "the room is needed"})
	fmt.Println(err)
	// Output:
	// [resource] <nil>
	// released e1 rejected the room is needed
	// <nil>
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
