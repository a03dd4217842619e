package ackguard_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/ackguard"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

// silent takes audit, events and notices and forgets them.
type silent struct{}

func (silent) Record(context.Context, ...audit.Entry) error      { return nil }
func (silent) Publish(context.Context, ...transport.Event) error { return nil }
func (silent) Notify(context.Context, ...transport.Notice) error { return nil }

// A booking is approved once bob has acknowledged what it means for him.
func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	must(err)
	defer func() { _ = db.Close() }()
	must(sqldb.Migrate(ctx, db, approvalbun.Migrations, ackflowbun.Migrations))
	people, requests := approvaltest.Company(), approvalbun.New(db)

	acks, err := ackflow.New(ackflow.Config{
		Store: ackflowbun.New(db), Directory: people, Outbox: silent{}, Audit: silent{},
		Targets: map[string]ackflow.TargetResolver{approval.TargetKind: ackguard.Targets{Requests: requests}},
	})
	must(err)
	bridge := ackguard.New(acks)
	approvals, err := approval.New(approval.Config{
		Store: requests, Directory: people, Outbox: silent{}, Audit: silent{},
		Guards: map[string]approval.Guard{approval.ChatAckCompleted: bridge}, Follower: bridge,
	})
	must(err)
	_, err = approvals.CreateActionPolicy(ctx, as("mgmt"), approval.ActionRule{
		Flow: approval.BookingFlow, Action: approval.Approve, Guards: []approval.GuardSpec{{Type: approval.ChatAckCompleted}},
	})
	must(err)

	booking, err := approvals.Submit(ctx, as("alice"), approval.Submission{
		Subject: approval.Subject{Kind: "booking", ID: "b1"}, Flow: approval.BookingFlow, Facts: approval.Facts{"attendees": 30},
	})
	must(err)
	asked, err := acks.Ask(ctx, as("alice"), ackflow.NewRequest{
		Message: &ackflow.NewMessage{RoomID: "office", Body: "We need your room on Monday."}, Terms: ackflow.Terms{RequiredUserIDs: []string{"bob"}},
	})
	must(err)
	_, err = acks.CreateLink(ctx, as("mgmt"), ackflow.NewLink{AckRequestID: asked.ID, TargetTable: approval.TargetKind, TargetID: booking.ID})
	must(err)

	approve := func() {
		done, err := approvals.Act(ctx, as("manager"), booking.ID, approval.Decision{Action: approval.Approve})
		if errors.Is(err, approval.ErrDenied) {
			failures, _ := fault.As(err).Details["guardFailures"].([]approval.Failure)
			fmt.Println("denied:", failures[0].Type, failures[0].Reason)
			return
		}
		must(err)
		fmt.Println(done.Status)
	}
	approve()
	_, err = acks.Ack(ctx, as("bob"), asked.ID, 0)
	must(err)
	approve()
	// Output:
	// denied: chat_ack_completed incomplete
	// approved
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
