// Command ack-guard lets a decision wait until everybody whom it concerns has acknowledged it: a purchase is approved once
// finance and the warehouse have read what it means for them. It prints what it checks and ends with status 0 only if
// everything held.
//
//	go run ./examples/ack-guard
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/ackguard"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ack-guard:", err)
		os.Exit(1)
	}
}

// flow is the kind of decision that this program is about.
const flow = "purchase"

// people are the company: the boss decides for ann, and the director, who is in charge of management, for the boss.
var people = identitytest.Directory{"acme": {People: []identity.Person{
	identitytest.Employee("ann", "boss"), identitytest.Employee("boss", "director"), identitytest.Employee("director", "", "mgmt"),
	identitytest.Employee("auditor", "", "auditors"), identitytest.Employee("finance", "director"), identitytest.Employee("warehouse", "director"),
}}}

func as(id string) identity.Principal {
	p := identity.Principal{Tenant: "acme", Actor: id}
	if id == "director" {
		p.Roles = []string{"mgmt"}
	}
	return p
}

// shop is the wiring: two services that know nothing of each other, and the bridge.
type shop struct {
	db        *sqldb.DB
	trail     audit.Reader
	acks      *ackflow.Service
	approvals *approval.Service
}

func open(ctx context.Context) (*shop, error) {
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		return nil, err
	}
	if err := sqldb.Migrate(ctx, db, auditbun.Migrations, outboxbun.Migrations, approvalbun.Migrations, ackflowbun.Migrations); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	trail, outbox, requests := auditbun.New(db), outboxbun.New(db), approvalbun.New(db)
	acks, err := ackflow.New(ackflow.Config{
		Store: ackflowbun.New(db), Directory: people, Outbox: outbox, Audit: trail,
		Targets: map[string]ackflow.TargetResolver{approval.TargetKind: ackguard.Targets{Requests: requests}},
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	bridge := ackguard.New(acks)
	approvals, err := approval.New(approval.Config{
		Store: requests, Directory: people, Outbox: outbox, Audit: trail,
		Policies: approval.Rules{approval.When("amount").AtLeast(100_000).Because("amount")},
		Guards:   map[string]approval.Guard{approval.ChatAckCompleted: bridge}, Follower: bridge,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &shop{db, trail, acks, approvals}, nil
}

// order asks for consent to a purchase.
func (s *shop) order(ctx context.Context, who, id string) (approval.Request, error) {
	return s.approvals.Submit(ctx, as(who), approval.Submission{
		Subject: approval.Subject{Kind: "order", ID: id}, Flow: flow, Facts: approval.Facts{"amount": 250_000}, Content: map[string]any{"amount": 250_000},
	})
}

// ask asks people to acknowledge a message and links that with the purchase.
func (s *shop) ask(ctx context.Context, q approval.Request, text string, who ...string) (ackflow.Detail, error) {
	d, err := s.acks.Ask(ctx, as(q.Requester), ackflow.NewRequest{
		Message: &ackflow.NewMessage{RoomID: "purchasing", Body: text}, Terms: ackflow.Terms{RequiredUserIDs: who},
	})
	if err != nil {
		return d, err
	}
	_, err = s.acks.CreateLink(ctx, as("director"), ackflow.NewLink{
		AckRequestID: d.ID, TargetTable: approval.TargetKind, TargetID: q.ID, FlowType: flow, ActionKey: approval.Approve,
	})
	return d, err
}

func (s *shop) approve(ctx context.Context, who string, q approval.Request, reason string) error {
	_, err := s.approvals.Act(ctx, as(who), q.ID, approval.Decision{Action: approval.Approve, Reason: reason})
	return err
}

// entries counts the audit entries of an action.
func (s *shop) entries(ctx context.Context, action string) int {
	p, err := s.trail.List(ctx, "acme", audit.Filter{Action: action}, page.Request{})
	if err != nil {
		return -1
	}
	return len(p.Items)
}

// missing says who is missing, by the refusal.
func missing(err error) string {
	if !errors.Is(err, approval.ErrDenied) {
		return fmt.Sprint(err)
	}
	failures, _ := fault.As(err).Details["guardFailures"].([]approval.Failure)
	var text []string
	for _, f := range failures {
		text = append(text, f.Reason)
		requests, _ := f.Details["requests"].([]ackflow.RequestFailure)
		for _, r := range requests {
			text = append(text, r.IncompleteUserIDs...)
		}
	}
	return strings.Join(text, " ")
}

// checks prints what holds and counts what does not.
type checks struct {
	out   io.Writer
	wrong int
}

func (c *checks) that(holds bool, what string, seen any) {
	if holds {
		fmt.Fprintln(c.out, "ok   ", what)
		return
	}
	c.wrong++
	fmt.Fprintf(c.out, "WRONG %s: %v\n", what, seen)
}

func run(ctx context.Context, out io.Writer) (err error) {
	s, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	c := &checks{out: out}
	for _, story := range []func(context.Context, *shop, *checks) error{guard, override, template} {
		if err := story(ctx, s, c); err != nil {
			return err
		}
	}
	if c.wrong > 0 {
		return fmt.Errorf("%d checks failed", c.wrong)
	}
	return nil
}
