package ackflow_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/ackflow/ackflowtest"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

// silent takes audit, events and notices and forgets them.
type silent struct{}

func (silent) Record(context.Context, ...audit.Entry) error      { return nil }
func (silent) Publish(context.Context, ...transport.Event) error { return nil }
func (silent) Notify(context.Context, ...transport.Notice) error { return nil }

// A contract may be signed once the lawyers have acknowledged its terms.
func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	must(err)
	defer func() { _ = db.Close() }()
	must(sqldb.Migrate(ctx, db, ackflowbun.Migrations))
	var contracts ackflowtest.Targets // your own ackflow.TargetResolver
	contracts.Add("4711", "alice")
	acks, err := ackflow.New(ackflow.Config{
		Store: ackflowbun.New(db), Directory: ackflowtest.Company(), Outbox: silent{}, Audit: silent{},
		Targets: map[string]ackflow.TargetResolver{"contracts": &contracts},
	})
	must(err)
	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	bob := identity.Principal{Tenant: "acme", Actor: "bob"}
	carol := identity.Principal{Tenant: "acme", Actor: "carol"}
	mgmt := identity.Principal{Tenant: "acme", Actor: "mgmt", Roles: []string{"mgmt"}}

	request, err := acks.Ask(ctx, alice, ackflow.NewRequest{
		Message: &ackflow.NewMessage{RoomID: "legal", Body: "Terms of contract 4711, second draft"},
		Terms:   ackflow.Terms{RequiredGroupIDs: []string{"sales"}},
	})
	must(err)
	_, err = acks.CreateLink(ctx, mgmt, ackflow.NewLink{AckRequestID: request.ID, TargetTable: "contracts", TargetID: "4711"})
	must(err)

	sign := func() {
		must(db.Do(ctx, func(ctx context.Context) error {
			v, err := acks.Evaluate(ctx, "acme", ackflow.Target{Table: "contracts", ID: "4711"})
			if err == nil && v.OK {
				// … the contract is signed here, in the same transaction …
				fmt.Println("signed")
			}
			for _, f := range v.Failures {
				requests, _ := f.Details["requests"].([]ackflow.RequestFailure)
				for _, r := range requests {
					fmt.Println(f.Reason, r.IncompleteUserIDs)
				}
			}
			return err
		}))
	}
	sign()
	_, err = acks.Ack(ctx, bob, request.ID, 0)
	must(err)
	_, err = acks.Ack(ctx, carol, request.ID, 0)
	must(err)
	sign()
	// Output:
	// incomplete [bob carol]
	// signed
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
