package delegationtest_test

import (
	"context"
	"testing"

	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/calendar/delegation/delegationbun"
	"github.com/renkei-go/renkei/calendar/delegation/delegationtest"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

func ExampleRun() {
	test := func(t *testing.T) {
		delegationtest.Run(t, func(t *testing.T) delegation.Store {
			db, err := sqldb.Open(context.Background(), "sqlite::memory:")
			if err != nil {
				t.Fatal(err)
			}
			if err := sqldb.Migrate(context.Background(), db, delegationbun.Migrations); err != nil {
				t.Fatal(err)
			}
			return delegationbun.New(db)
		})
	}
	_ = test // func TestMyStore(t *testing.T)
	// Output:
}
