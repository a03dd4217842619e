package ackguard_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/ackguard"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// BenchmarkCheck is the guard over a request with 100 linked requests for acknowledgement of 200 people each, in a
// transaction as in a decision: with everybody having acknowledged, a last one missing everywhere, and nobody having.
func BenchmarkCheck(b *testing.B) {
	const linked, people = 100, 200
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db)
		company := identitytest.Company{}
		var ids []string
		for i := range people {
			ids = append(ids, fmt.Sprint("user-", i))
			company.People = append(company.People, identitytest.Employee(ids[i], ""))
		}
		acks, err := ackflow.New(ackflow.Config{
			Store: ackflowbun.New(db), Directory: identitytest.Directory{"acme": company}, Outbox: silent{}, Audit: silent{}, Targets: r.acksCfg.Targets,
		})
		if err != nil {
			b.Fatal(err)
		}
		guard, q := ackguard.New(acks), r.submit(b)
		err = db.Do(b.Context(), func(ctx context.Context) error {
			for range linked {
				d, err := acks.Ask(ctx, as("mgmt"), ackflow.NewRequest{
					Message: &ackflow.NewMessage{RoomID: "general", Body: "Monday"}, Terms: ackflow.Terms{RequiredUserIDs: ids},
				})
				if err != nil {
					return err
				}
				if _, err := acks.CreateLink(ctx, as("mgmt"), ackflow.NewLink{AckRequestID: d.ID, TargetTable: approval.TargetKind, TargetID: q.ID}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		exec := func(query string, args ...any) {
			if _, err := db.IDB(b.Context()).ExecContext(b.Context(), query, args...); err != nil {
				b.Fatal(err)
			}
		}
		action := approval.Action{By: identity.Principal{Tenant: "acme", Actor: "manager"}, Flow: q.Flow, Key: approval.Approve, Request: q}
		for _, c := range []struct {
			name    string
			missing int
		}{{"nobody has acknowledged", people}, {"one missing each", 1}, {"complete", 0}} {
			now, err := db.Now(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			exec("UPDATE chat_acks SET acked_at = ?, revision = 1 WHERE position < ?", sqldb.At(now), people-c.missing)
			exec("UPDATE chat_ack_requests SET missing = ?", c.missing)
			if db.IsPostgres() {
				exec("VACUUM ANALYZE")
			}
			b.Run(c.name, func(b *testing.B) {
				for b.Loop() {
					err := db.Do(b.Context(), func(ctx context.Context) error {
						failures, err := guard.Check(ctx, action)
						if err == nil && (len(failures) == 0) != (c.missing == 0) {
							err = fmt.Errorf("failures %+v", failures)
						}
						return err
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}
