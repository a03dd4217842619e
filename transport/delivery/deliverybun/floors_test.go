package deliverybun_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
)

// TestFloors has somebody else's transaction keep in the indexes all that leaves the queue, as a backup does: a claim reads
// only what is new since the last one. What comes below the floor, or in a lane that is not known, is found in the end.
func TestFloors(t *testing.T) {
	ctx := t.Context()
	backup, err := sqldb.Open(ctx, sqldbtest.PostgresURL(t), sqldb.MaxConns(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = backup.Close() }()
	db := one(t, ctx)
	s := deliverybun.New(db)
	waiting := func(destination string, at time.Time, n int) {
		t.Helper()
		ds := make([]delivery.Delivery, n)
		for i := range ds {
			due := at.Add(time.Duration(i) * time.Microsecond)
			ds[i] = delivery.Delivery{
				ID: fmt.Sprint(destination, due.UnixMicro()), Tenant: "acme", Kind: "k", Destination: destination, State: delivery.Pending,
				Payload: []byte("1"), CreatedAt: due, NextAttemptAt: due,
			}
		}
		if err := deliverybun.New(db).Insert(ctx, ds); err != nil { // as another node
			t.Fatal(err)
		}
	}
	now := time.Unix(1000, 0)
	step := func() (sent int) {
		t.Helper()
		lanes, err := s.Due(ctx, []string{"k"}, now, delivery.Lane{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		s.SearchNoMore()
		c := delivery.Claim{Kinds: []string{"k"}, Now: now, Until: now.Add(time.Minute), Token: "t"}
		for _, l := range lanes {
			c.Rooms = append(c.Rooms, delivery.Room{Lane: l.Lane, Max: 100})
		}
		ds, err := s.Claim(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		var done []delivery.Outcome
		for _, d := range ds {
			done = append(done, delivery.Outcome{ID: d.ID, Token: "t", Lane: d.Lane(), State: delivery.Succeeded, Attempts: 1, Finished: now})
		}
		if held, err := s.Complete(ctx, done); err != nil || len(held) != len(ds) {
			t.Fatalf("completed %d of %d, %v", len(held), len(ds), err)
		}
		return len(ds)
	}

	waiting("a", time.Unix(1, 0), 3000)
	tx, err := backup.IDB(ctx).BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	s.Spare()
	for range 29 {
		if n := step(); n != 100 {
			t.Fatalf("sent %d", n)
		}
	}
	before := fetched(t, ctx, db)
	if n := step(); n != 100 {
		t.Fatalf("sent %d", n)
	}
	if n := fetched(t, ctx, db) - before; n > 1500 { // some times 100; the whole is 2900 each time
		t.Errorf("%d places were read to send 100", n)
	}

	waiting("a", time.Unix(0, 1000), 1)
	waiting("b", time.Unix(2, 0), 1)
	if n := step(); n != 0 {
		t.Errorf("sent %d that nobody could know of", n)
	}
	s.SearchWhole()
	if n := step(); n != 2 {
		t.Errorf("sent %d", n)
	}
}
