package notify_test

import (
	"context"
	"fmt"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/mail"
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
	if err := sqldb.Migrate(ctx, db, deliverybun.Migrations, notifybun.Migrations); err != nil {
		panic(err)
	}
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db)})
	if err != nil {
		panic(err)
	}
	outbox := &mail.Memory{From: "renkei@example.com"}
	service, err := notify.New(notify.Config{
		Store: notifybun.New(db), Deliveries: queue, Directory: staff,
		Channels:  map[string]notify.Channel{"mail": notify.Mail(outbox, "example.com")},
		Templates: map[string]notify.Template{"approval.requested": {Subject: "Please decide: {{.Data.title}}", Text: "Dear {{.Recipient.Name}}, …"}},
	})
	if err != nil {
		panic(err)
	}
	engine, err := delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{notify.Kind: service.DeliveryKind()}})
	if err != nil {
		panic(err)
	}

	ask := transport.Notice{
		Tenant: "acme", Template: "approval.requested", Recipient: "alice", Subject: "approval/7", Data: map[string]any{"title": "Design review"},
	}
	for range 2 {
		if err := service.Notify(ctx, ask); err != nil {
			panic(err)
		}
		if _, err := engine.Step(ctx); err != nil {
			panic(err)
		}
	}
	for _, m := range outbox.Messages() {
		fmt.Println(m.To[0], m.Subject)
	}
	all, err := service.List(ctx, "acme", notify.Filter{Recipient: "alice"}, page.Request{})
	if err != nil {
		panic(err)
	}
	fmt.Println(all.Items[0].State, all.Items[1].State)
	// Output:
	// "Alice" <alice@example.com> Please decide: Design review
	// suppressed sent
}

func ExampleService_SetSettings() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, deliverybun.Migrations, notifybun.Migrations); err != nil {
		panic(err)
	}
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db), Now: db.Clock})
	if err != nil {
		panic(err)
	}
	outbox := &mail.Memory{From: "renkei@example.com"}
	service, err := notify.New(notify.Config{
		Store: notifybun.New(db), Deliveries: queue, Directory: staff, Now: db.Clock,
		Channels:  map[string]notify.Channel{"mail": notify.Mail(outbox, "example.com")},
		Templates: map[string]notify.Template{"event.changed": {Subject: "Changed: {{.Data.title}}", Text: "See the calendar.", Informational: true}},
	})
	if err != nil {
		panic(err)
	}
	engine, err := delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{notify.Kind: service.DeliveryKind()}})
	if err != nil {
		panic(err)
	}

	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	if _, err := service.SetSettings(ctx, alice, notify.Settings{Digest: notify.Daily}); err != nil {
		panic(err)
	}
	for _, title := range []string{"Review", "Lunch"} {
		err := service.Notify(ctx, transport.Notice{Tenant: "acme", Template: "event.changed", Recipient: "alice", Data: map[string]any{"title": title}})
		if err != nil {
			panic(err)
		}
	}
	send := func() {
		if _, err := engine.Step(ctx); err != nil {
			panic(err)
		}
	}
	send()
	fmt.Println(len(outbox.Messages()), "mails today")
	db.AdvanceClock(24 * time.Hour)
	send()
	m := outbox.Messages()[0]
	fmt.Println(m.Subject)
	fmt.Println(m.Text)
	// Output:
	// 0 mails today
	// 2 notices
	// ■ Changed: Review
	// See the calendar.
	//
	// ■ Changed: Lunch
	// See the calendar.
}
