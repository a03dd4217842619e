package ackguard_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/ackguard"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

var migrations = []sqldb.Migration{approvalbun.Migrations, ackflowbun.Migrations}

// rig is approvals and acknowledgements on one database, tied by a bridge; the flow "booking" has the guard on approve.
type rig struct {
	acks      *ackflow.Service
	approvals *approval.Service
	ledger    approvaltest.Ledger
	acksCfg   ackflow.Config
	cfg       approval.Config
	policy    approval.ActionPolicy
	ids       atomic.Int64
}

func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		f(t, newRig(t, db))
	})
}

func newRig(tb testing.TB, db *sqldb.DB) *rig {
	tb.Helper()
	r := &rig{ledger: approvaltest.NewLedger(tb, db)}
	people, requests := approvaltest.Company(), approvalbun.New(db)
	r.acksCfg = ackflow.Config{
		Store: ackflowbun.New(db), Directory: people, Outbox: r.ledger, Audit: r.ledger, Notifier: r.ledger,
		Targets: map[string]ackflow.TargetResolver{approval.TargetKind: ackguard.Targets{
			Requests: requests,
			StandIns: func(ctx context.Context, tenant identity.TenantID, approver string) ([]string, error) {
				return r.approvals.StandIns(ctx, tenant, approver)
			},
		}},
	}
	r.cfg = approval.Config{Store: requests, Directory: people, Outbox: r.ledger, Audit: r.ledger, Notifier: r.ledger}
	r.open(tb)
	p, err := r.approvals.CreateActionPolicy(tb.Context(), as("admin"), approval.ActionRule{
		Flow: approval.BookingFlow, Action: approval.Approve, Guards: []approval.GuardSpec{{Type: approval.ChatAckCompleted}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	r.policy = p
	return r
}

// open makes the services of the rig's configurations.
func (r *rig) open(tb testing.TB) {
	tb.Helper()
	var err error
	if r.acks, err = ackflow.New(r.acksCfg); err != nil {
		tb.Fatal(err)
	}
	bridge := ackguard.New(r.acks)
	r.cfg.Guards, r.cfg.Follower = map[string]approval.Guard{approval.ChatAckCompleted: bridge}, bridge
	if r.approvals, err = approval.New(r.cfg); err != nil {
		tb.Fatal(err)
	}
}

// as is somebody of the tenant acme; admin and mgmt have the roles of their names.
func as(who string) identity.Principal {
	p := identity.Principal{Tenant: "acme", Actor: who}
	if who == "admin" || who == "mgmt" {
		p.Roles = []string{who}
	}
	return p
}

// submit asks for consent to a booking of 12 by alice, whose manager decides.
func (r *rig) submit(tb testing.TB) approval.Request {
	tb.Helper()
	q, err := r.approvals.Submit(tb.Context(), as("alice"), approval.Submission{
		Subject: approval.Subject{Kind: "thing", ID: fmt.Sprint(r.ids.Add(1))}, Flow: approval.BookingFlow, Facts: approval.Facts{"attendees": 12},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// ask asks people for a new message and links it with the request.
func (r *rig) ask(tb testing.TB, q approval.Request, people ...string) (ackflow.Detail, ackflow.Link) {
	tb.Helper()
	d, err := r.acks.Ask(tb.Context(), as("mgmt"), ackflow.NewRequest{
		Message: &ackflow.NewMessage{RoomID: "general", Body: "The large room is taken on Monday."}, Terms: ackflow.Terms{RequiredUserIDs: people},
	})
	if err != nil {
		tb.Fatal(err)
	}
	l, err := r.acks.CreateLink(tb.Context(), as("mgmt"), ackflow.NewLink{AckRequestID: d.ID, TargetTable: approval.TargetKind, TargetID: q.ID})
	if err != nil {
		tb.Fatal(err)
	}
	return d, l
}

func (r *rig) ack(tb testing.TB, id string, people ...string) {
	tb.Helper()
	for _, who := range people {
		if _, err := r.acks.Ack(tb.Context(), as(who), id, 0); err != nil {
			tb.Fatal(err)
		}
	}
}

func (r *rig) act(ctx context.Context, who string, q approval.Request, reason string) error {
	_, err := r.approvals.Act(ctx, as(who), q.ID, approval.Decision{Action: approval.Approve, Reason: reason})
	return err
}

// mgmtLeads is the company with mgmt, an administrator, as alice's manager.
func mgmtLeads() approvaltest.People {
	return approvaltest.Company().With("alice", func(p *identity.Person) { p.ManagerID = "mgmt" })
}

// names is everybody in the company.
func names() []string {
	var ids []string
	for _, p := range approvaltest.Company() {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return ids
}
