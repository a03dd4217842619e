package outboxbun

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
)

// TestFloorLosesNobody has a transaction draw its position early and commit late, when the floor is above it.
func TestFloorLosesNobody(t *testing.T) {
	db := sqldbtest.Postgres(t, Migrations)
	s := New(db)
	publish := func(ctx context.Context, subject string) {
		t.Helper()
		if err := s.Publish(ctx, transport.Event{Type: "thing.done", Tenant: "acme", Subject: subject}); err != nil {
			t.Fatal(err)
		}
	}
	relay := func(want string) {
		t.Helper()
		c, err := s.Claim(t.Context(), 10, time.Minute)
		if err != nil || len(c.Events) != 1 || c.Events[0].Event.Subject != want {
			t.Fatalf("claimed %+v, %v, not %s", c.Events, err, want)
		}
		if err := s.Settle(t.Context(), c.Token, []int64{c.Events[0].Position}, []int{c.Events[0].Lane}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.IDB(t.Context()).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	publish(sqldb.WithTx(t.Context(), tx), "late")
	for i := range 3 {
		s.floor.looked = time.Time{}
		publish(t.Context(), fmt.Sprint("early/", i))
		relay(fmt.Sprint("early/", i))
	}
	if s.floor.below <= 1 {
		t.Fatalf("the floor is at %d", s.floor.below)
	}
	publish(t.Context(), "new")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	relay("new")  // there is something above the floor
	relay("late") // there is not
	if c, err := s.Claim(t.Context(), 10, time.Minute); err != nil || len(c.Events) != 0 {
		t.Errorf("left %+v, %v", c.Events, err)
	}
}
