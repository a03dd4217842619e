package transport_test

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, outboxbun.Migrations); err != nil {
		panic(err)
	}
	store, pubsub := outboxbun.New(db), transport.InProcess()

	router, err := transport.NewRouter(transport.RouterConfig{Subscriber: pubsub, DB: db, Inbox: store, Poison: store})
	if err != nil {
		panic(err)
	}
	router.Handle("greeter", "staff.person.*", func(_ context.Context, ev transport.Event) error {
		var person struct{ Name string }
		if err := ev.Decode(&person); err != nil {
			return err
		}
		fmt.Println(ev.Type, ev.Sequence, person.Name)
		if ev.Sequence == 2 {
			stop()
		}
		return nil
	})
	relay, err := transport.NewRelay(transport.RelayConfig{Store: store, Publisher: pubsub, Woken: store.Woken(), Ready: router.Running()})
	if err != nil {
		panic(err)
	}

	var g errgroup.Group
	g.Go(func() error { return router.Run(ctx) })
	g.Go(func() error { return relay.Run(ctx) })

	err = db.Do(ctx, func(ctx context.Context) error { // state and events: all or nothing
		hired := transport.Event{Type: "staff.person.hired", Tenant: "acme", Subject: "staff.person/7", Data: map[string]string{"name": "Ito"}}
		moved := transport.Event{Type: "staff.person.moved", Tenant: "acme", Subject: "staff.person/7", Data: map[string]string{"name": "Ito"}}
		return store.Publish(ctx, hired, moved)
	})
	if err != nil {
		panic(err)
	}
	if err := g.Wait(); err != nil {
		panic(err)
	}
	// Output:
	// staff.person.hired 1 Ito
	// staff.person.moved 2 Ito
}
