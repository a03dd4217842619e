package deliverybun_test

import (
	"context"
	"fmt"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
)

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, deliverybun.Migrations); err != nil {
		panic(err)
	}
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db)})
	fmt.Println(queue != nil, err)
	// Output: true <nil>
}
