// Command embed-approval puts a program's own purchase orders under approval: its own bun.DB, its own table, its own
// transaction. Orders of 100,000 and more take two steps, the manager and then finance; and when the manager agrees, the
// warehouse is asked to acknowledge what is coming, which finance has to wait for.
//
//	go run ./examples/embed-approval
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver of our own database

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/ackguard"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embed-approval:", err)
		os.Exit(1)
	}
}

const (
	kind = "purchase_order" // of our subjects
	flow = "purchase"       // the kind of decision
)

// people are the company; ours would come from wherever they are kept.
var people = identitytest.Directory{"acme": {People: []identity.Person{
	identitytest.Employee("ann", "boss"), identitytest.Employee("boss", ""), identitytest.Employee("fin1", "boss", "finance"),
	identitytest.Employee("fin2", "boss", "finance"), identitytest.Employee("store", "boss", "warehouse"), identitytest.Employee("mia", "", "mgmt"),
}}}

func as(id string, roles ...string) identity.Principal {
	return identity.Principal{Tenant: "acme", Actor: id, Roles: roles}
}

// shop is the program.
type shop struct {
	own       *bun.DB // ours, as it was before
	db        *sqldb.DB
	acks      *ackflow.Service
	approvals *approval.Service
}

func open(ctx context.Context) (*shop, error) {
	pool, err := sql.Open("sqlite", "file::memory:?_txlock=immediate")
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	s := &shop{own: bun.NewDB(pool, sqlitedialect.New())}
	if _, err := s.own.NewCreateTable().Model((*Order)(nil)).Exec(ctx); err != nil {
		return nil, err
	}
	s.db = sqldb.Wrap(s.own)
	if err := sqldb.Migrate(ctx, s.db, auditbun.Migrations, outboxbun.Migrations, approvalbun.Migrations, ackflowbun.Migrations); err != nil {
		return nil, err
	}
	trail, outbox, requests := auditbun.New(s.db), outboxbun.New(s.db), approvalbun.New(s.db)
	s.acks, err = ackflow.New(ackflow.Config{
		Store: ackflowbun.New(s.db), Directory: people, Outbox: outbox, Audit: trail,
		Targets: map[string]ackflow.TargetResolver{approval.TargetKind: ackguard.Targets{Requests: requests}},
	})
	if err != nil {
		return nil, err
	}
	bridge := ackguard.New(s.acks)
	s.approvals, err = approval.New(approval.Config{
		Store: requests, Directory: people, Outbox: outbox, Audit: trail,
		Policies: approval.Rules{approval.When("amount").AtLeast(100_000).Because("amount")},
		Steps: map[string][]approval.Plan{flow: {
			{Name: "line", Ask: []approval.Source{approval.Manager()}},
			{Name: "finance", Mode: approval.All, Ask: []approval.Source{approval.Holders("finance")}},
		}},
		Guards:   map[string]approval.Guard{approval.ChatAckCompleted: bridge},
		Follower: bridge,
		Subjects: map[string]approval.SubjectHandler{kind: orders{s.db}},
	})
	if err != nil {
		return nil, err
	}
	if err := s.setUp(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// setUp is what an administrator does once: finance's decisions wait for acknowledgements, and the manager's decision asks
// the warehouse for one.
func (s *shop) setUp(ctx context.Context) error {
	mia := as("mia", "mgmt")
	_, err := s.approvals.CreateActionPolicy(ctx, mia, approval.ActionRule{
		Flow: flow, Action: approval.Approve, Actors: approval.Actors{Roles: []string{"finance"}},
		Guards: []approval.GuardSpec{{Type: approval.ChatAckCompleted}},
	})
	if err != nil {
		return err
	}
	_, err = s.acks.CreateTemplate(ctx, mia, ackflow.NewTemplate{
		FlowType: flow, ActionKey: approval.Approve, MessageBody: "A large order is coming. Is there room for it?", IsEnabled: true,
		Terms: ackflow.Terms{RequiredRoles: []string{"warehouse"}},
	})
	return err
}

func run(ctx context.Context, out io.Writer) error {
	s, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.own.Close() }()
	for _, story := range []func(context.Context, *shop, io.Writer) error{small, chain, rejected, undone, lapsed} {
		if err := story(ctx, s, out); err != nil {
			return err
		}
	}
	return nil
}

// small orders need nobody.
func small(ctx context.Context, s *shop, out io.Writer) error {
	if _, err := s.place(ctx, as("ann"), Order{ID: "1", Item: "a lamp", Amount: 90}); err != nil {
		return err
	}
	return s.print(ctx, out, "1")
}

// chain: the manager, the acknowledgement, and both of finance.
func chain(ctx context.Context, s *shop, out io.Writer) error {
	q, err := s.place(ctx, as("ann"), Order{ID: "2", Item: "a press", Amount: 250_000})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "order 2 asks", q.Deciders(), "because", q.Explanation)
	fmt.Fprintln(out, "finance before its turn:", s.approve(ctx, "fin1", q))
	if err := s.approve(ctx, "boss", q); err != nil {
		return err
	}
	fmt.Fprintln(out, "finance before the warehouse has acknowledged:", s.approve(ctx, "fin1", q))
	asked, err := s.acks.Links(ctx, as("ann"), ackflow.LinkQuery{TargetTable: approval.TargetKind, TargetID: q.ID})
	if err != nil {
		return err
	}
	if _, err := s.acks.Ack(ctx, as("store"), asked[0].RequestID, 0); err != nil {
		return err
	}
	for _, who := range []string{"fin1", "fin2"} {
		if err := s.print(ctx, out, "2"); err != nil {
			return err
		}
		if err := s.approve(ctx, who, q); err != nil {
			return err
		}
	}
	return s.print(ctx, out, "2")
}

// rejected: one no ends it, and ann is told why.
func rejected(ctx context.Context, s *shop, out io.Writer) error {
	q, err := s.place(ctx, as("ann"), Order{ID: "3", Item: "a second press", Amount: 250_000})
	if err != nil {
		return err
	}
	if _, err := s.approvals.Act(ctx, as("boss"), q.ID, approval.Decision{Action: approval.Reject, Reason: "one is enough"}); err != nil {
		return err
	}
	return s.print(ctx, out, "3")
}

// undone: what fails in our own transaction takes the question for consent with it.
func undone(ctx context.Context, s *shop, out io.Writer) error {
	_, err := s.place(ctx, as("ann"), Order{ID: "3", Item: "the same number again", Amount: 250_000})
	waiting, lerr := s.approvals.List(ctx, as("mia", "mgmt"), "", approval.Pending, page.Request{})
	if lerr != nil {
		return lerr
	}
	fmt.Fprintln(out, "an order that cannot be stored:", err != nil, "asks nobody:", len(waiting.Items) == 0)
	return nil
}

// lapsed: nobody decides for two days.
func lapsed(ctx context.Context, s *shop, out io.Writer) error {
	q, err := s.place(ctx, as("ann"), Order{ID: "4", Item: "a forklift", Amount: 120_000})
	if err != nil {
		return err
	}
	s.db.AdvanceClock(49 * time.Hour)
	if _, err := s.approvals.Sweep(ctx, 0); err != nil { // yours would run every second or so
		return err
	}
	fmt.Fprintln(out, "the manager, too late:", errors.Is(s.approve(ctx, "boss", q), approval.ErrExpired))
	return s.print(ctx, out, "4")
}
