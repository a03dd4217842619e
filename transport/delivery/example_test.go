package delivery_test

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
	if err != nil {
		panic(err)
	}
	engine, err := delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{
		"greeting": {Sender: delivery.SenderFunc(func(_ context.Context, d delivery.Delivery) delivery.Result {
			var name string
			if err := d.Decode(&name); err != nil {
				return delivery.Fail(err)
			}
			fmt.Println("hello,", name)
			return delivery.Sent("")
		})},
	}})
	if err != nil {
		panic(err)
	}

	// In the transaction of a business change:
	err = db.Do(ctx, func(ctx context.Context) error {
		job := delivery.Job{Tenant: "acme", Kind: "greeting", Destination: "stdout", Key: "alice", Payload: "Alice"}
		return queue.Enqueue(ctx, job, job) // the same key: once
	})
	if err != nil {
		panic(err)
	}
	n, err := engine.Step(ctx)
	fmt.Println(n, err)
	// Output:
	// hello, Alice
	// 1 <nil>
}
