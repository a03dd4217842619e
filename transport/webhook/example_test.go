package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

func must[T any](v T, err error) T {
	if err != nil {
		slog.Error("the example failed", "error", err)
		os.Exit(1)
	}
	return v
}

func Example() {
	ctx := context.Background()
	db := must(sqldb.Open(ctx, "sqlite::memory:"))
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, deliverybun.Migrations, webhookbun.Migrations); err != nil {
		panic(err)
	}
	queue := must(delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db)}))
	hooks := must(webhook.New(webhook.Config{
		Deliveries: queue, Store: webhookbun.New(db),
		Sealer: must(secret.ParseKeys("2030:" + secret.NewKey().Reveal())),
		Guard:  must(webhook.NewGuard(webhook.GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})), // the receiver below
	}))
	engine := must(delivery.New(delivery.Config{
		Queue: queue, Kinds: map[string]delivery.Kind{webhook.Kind: hooks.DeliveryKind()},
	}))

	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Println(r.Header.Get("X-Webhook-Event"), string(body), err)
	}))
	defer receiver.Close()

	by := identity.Principal{Tenant: "1", Actor: "alice"}
	sub := must(hooks.Subscribe(ctx, by, webhook.Subscription{URL: receiver.URL, Events: []string{"person.*"}}))
	fmt.Println(sub.State, sub.Secret) // Reveal() shows it, this once

	err := db.Do(ctx, func(ctx context.Context) error { // with the change that the event tells of
		return hooks.Publish(ctx, transport.Event{
			Tenant: by.Tenant, Type: "person.updated", Subject: "person/7", Time: now, Data: map[string]any{"id": 7},
		})
	})
	fmt.Println(err)
	fmt.Println(engine.Step(ctx)) // or engine.Run(ctx)
	// Output:
	// active [redacted]
	// <nil>
	// person.updated {"event":"person.updated","timestamp":"2024-01-15T10:30:00Z","organisation_id":1,"data":{"id":7}} <nil>
	// 1 <nil>
}
