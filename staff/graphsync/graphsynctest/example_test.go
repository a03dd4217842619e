package graphsynctest_test

import (
	"context"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphsyncbun"
	"github.com/renkei-go/renkei/staff/graphsync/graphsynctest"
)

func ExampleRun() {
	test := func(t *testing.T) {
		graphsynctest.Run(t, func(t *testing.T) graphsync.Store {
			db, err := sqldb.Open(context.Background(), "sqlite::memory:")
			if err != nil {
				t.Fatal(err)
			}
			if err := sqldb.Migrate(context.Background(), db, graphsyncbun.Migrations); err != nil {
				t.Fatal(err)
			}
			return graphsyncbun.New(db)
		})
	}
	_ = test // func TestMyStore(t *testing.T)
	// Output:
}
