package deliverybun_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
)

// TestClaimDespiteStatistics has PostgreSQL believe that the queue is empty, as after a vacuum at the wrong moment, and
// holds the claim to what it must read.
func TestClaimDespiteStatistics(t *testing.T) {
	const lanes, each, room = 20, 500, 25
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprint("ordered ", ordered), func(t *testing.T) {
			ctx := t.Context()
			db := one(t, ctx)
			s := deliverybun.New(db)
			fill := func(run string) {
				for l := range lanes {
					ds := make([]delivery.Delivery, each)
					for i := range ds {
						ds[i] = delivery.Delivery{
							ID: fmt.Sprint(run, l, "/", i), Tenant: "acme", Kind: "k", Destination: fmt.Sprint("d", l), State: delivery.Pending,
							OrderKey: fmt.Sprint(i), Payload: []byte("1"), CreatedAt: time.Unix(1, 0), NextAttemptAt: time.Unix(1, 0),
						}
					}
					if err := s.Insert(ctx, ds); err != nil {
						t.Fatal(err)
					}
				}
			}
			fill("a")
			exec(t, ctx, db, "DELETE FROM delivery_queue")
			exec(t, ctx, db, "VACUUM (TRUNCATE false) delivery_queue")
			fill("b")
			c := delivery.Claim{Kinds: []string{"k"}, Now: time.Unix(2, 0), Until: time.Unix(60, 0), Token: "t"}
			if ordered {
				c.Ordered = c.Kinds
			}
			for l := range lanes / 2 {
				c.Rooms = append(c.Rooms, delivery.Room{Lane: delivery.Lane{Tenant: "acme", Destination: fmt.Sprint("d", l)}, Max: room})
			}
			before := fetched(t, ctx, db)
			ds, err := s.Claim(ctx, c)
			if err != nil || len(ds) != lanes/2*room {
				t.Fatalf("claimed %d, %v", len(ds), err)
			}
			most := lanes/2*each + 3*len(ds) // what somebody's snapshot keeps of the first fill, and each claimed a few times
			if ordered {
				most += 3 * lanes / 2 * each // a window of each lane, and who is the first of each key in it
			}
			if n := fetched(t, ctx, db) - before; n > most {
				t.Errorf("%d rows were read to claim %d", n, len(ds))
			}
		})
	}
}

// one opens a database through one connection, because PostgreSQL's counters are each connection's own at first.
func one(t *testing.T, ctx context.Context) *sqldb.DB {
	t.Helper()
	url := sqldbtest.PostgresURL(t)
	for _, conns := range []int{2, 1} {
		db, err := sqldb.Open(ctx, url, sqldb.MaxConns(conns))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if conns == 1 {
			return db
		}
		if err := sqldb.Migrate(ctx, db, deliverybun.Migrations); err != nil { // needs two
			t.Fatal(err)
		}
	}
	return nil
}

func exec(t *testing.T, ctx context.Context, db *sqldb.DB, query string) {
	t.Helper()
	if _, err := db.IDB(ctx).ExecContext(ctx, query); err != nil {
		t.Fatal(err)
	}
}

// fetched is how many rows of the queue have been read, by whatever index.
func fetched(t *testing.T, ctx context.Context, db *sqldb.DB) (n int) {
	t.Helper()
	exec(t, ctx, db, "SELECT pg_stat_force_next_flush()")
	err := db.IDB(ctx).NewRaw("SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'delivery_queue' AND schemaname = current_schema()").Scan(ctx, &n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
