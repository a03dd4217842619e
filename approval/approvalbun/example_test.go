package approvalbun_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:") // or "postgres://…"
	must(err)
	defer func() { _ = db.Close() }()
	must(sqldb.Migrate(ctx, db, approvalbun.Migrations))
	store := approvalbun.New(db) // for approval.Config.Store
	now, err := store.Now(ctx)
	must(err)
	fmt.Println(store.AnyDue(ctx, now))
	// Output: false <nil>
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
