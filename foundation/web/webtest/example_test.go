package webtest_test

import (
	"context"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/web/webbun"
	"github.com/renkei-go/renkei/foundation/web/webtest"
)

func ExampleIdempotencyStore() {
	test := func(t *testing.T) {
		db, err := sqldb.Open(context.Background(), "sqlite::memory:")
		if err != nil {
			t.Fatal(err)
		}
		if err := sqldb.Migrate(context.Background(), db, webbun.Migrations); err != nil {
			t.Fatal(err)
		}
		webtest.IdempotencyStore(t, webbun.New(db, webbun.Config{}), db.AdvanceClock)
	}
	_ = test // func TestMyStore(t *testing.T)
	// Output:
}
