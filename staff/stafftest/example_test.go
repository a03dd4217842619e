package stafftest_test

import (
	"context"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/staff/stafftest"
)

func ExampleRun() {
	test := func(t *testing.T) {
		stafftest.Run(t, func(t *testing.T) staff.Store {
			db, err := sqldb.Open(context.Background(), "sqlite::memory:")
			if err != nil {
				t.Fatal(err)
			}
			if err := sqldb.Migrate(context.Background(), db, staffbun.Migrations); err != nil {
				t.Fatal(err)
			}
			return staffbun.New(db)
		})
	}
	_ = test // func TestMyStore(t *testing.T)
	// Output:
}
