package notifybun_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/notify/notifybun"
)

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, notifybun.Migrations); err != nil {
		panic(err)
	}
	cut, err := notifybun.New(db).List(ctx, "acme", notify.Filter{}, page.Request{})
	fmt.Println(len(cut.Items), err)
	// Output: 0 <nil>
}
