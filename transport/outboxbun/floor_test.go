package outboxbun

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
)

// TestFloorLosesNobody has a transaction draw its positions early and commit late. Its events come in order, unless it was
// open for longer than anybody waits.
func TestFloorLosesNobody(t *testing.T) {
	for _, impatient := range []bool{false, true} {
		t.Run(fmt.Sprint("impatient ", impatient), func(t *testing.T) {
			db := sqldbtest.Postgres(t, Migrations)
			s := New(db)
			publish := func(ctx context.Context, subject string) {
				t.Helper()
				if err := s.Publish(ctx, transport.Event{Type: "thing.done", Tenant: "acme", Subject: subject}); err != nil {
					t.Fatal(err)
				}
			}
			relay := func(want ...int64) {
				t.Helper()
				c, err := s.Claim(t.Context(), 10, time.Minute)
				var got, positions []int64
				var lanes []int
				for _, e := range c.Events {
					got, positions, lanes = append(got, e.Event.Sequence), append(positions, e.Position), append(lanes, e.Lane)
				}
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("claimed %v, %v, not %v", got, err, want)
				}
				if len(got) > 0 {
					if err := s.Settle(t.Context(), c.Token, positions, lanes, time.Minute); err != nil {
						t.Fatal(err)
					}
				}
			}
			look := func() { s.floor.looked = time.Time{} }

			tx, err := db.IDB(t.Context()).BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			publish(sqldb.WithTx(t.Context(), tx), "slow")
			for i := range int64(3) {
				look()
				publish(t.Context(), "other") // has a higher position and is sent at once
				relay(i + 1)
				for i := range s.floor.looks {
					if impatient {
						s.floor.looks[i].at = time.Now().Add(-2 * patience)
					}
				}
			}
			if passed := s.floor.below > 1; passed != impatient {
				t.Fatalf("the floor is at %d", s.floor.below)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			publish(t.Context(), "slow")
			if !impatient {
				relay(1, 2)
				return
			}
			relay(2)
			look()
			relay(1)
			for begin := time.Now(); s.floor.missed != 0; { // until what other tests have open has ended
				if time.Since(begin) > time.Minute {
					t.Fatal("it still looks for late ones")
				}
				look()
				relay()
			}
		})
	}
}
