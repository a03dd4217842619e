package broker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/amqp"
	"github.com/renkei-go/renkei/transport/broker/kafka"
	"github.com/renkei-go/renkei/transport/broker/nats"
	"github.com/renkei-go/renkei/transport/broker/redis"
)

// The program says which brokers it knows; the URL chooses. The server need not be there yet.
func ExampleOpen() {
	openers := map[string]broker.Opener{
		"nats": nats.Open, "kafka": kafka.Open, "amqp": amqp.Open, "amqps": amqp.Open, "redis": redis.Open, "rediss": redis.Open,
	}
	for _, url := range []string{
		"nats://127.0.0.1:4222", "kafka://127.0.0.1:9092", "amqp://guest:guest@127.0.0.1:5672/",
		"redis://127.0.0.1:6379/0", "carrier-pigeon://roof", "amqp://127.0.0.1?quues=quorum",
	} {
		b, err := broker.Open(context.Background(), url, broker.Options{}, openers)
		switch {
		case errors.Is(err, broker.ErrUnknownScheme):
			fmt.Println("unknown")
		case err != nil:
			fmt.Println(err)
		default:
			relay := transport.RelayConfig{Publisher: b}                     // and Store, Ready, Woken
			router := transport.RouterConfig{SubscriberFor: b.SubscriberFor} // and DB, Inbox, Poison
			fmt.Println("opened", relay.Publisher != nil && router.SubscriberFor != nil)
			if err := b.Close(); err != nil {
				panic(err)
			}
		}
	}
	// Output:
	// opened true
	// opened true
	// opened true
	// opened true
	// unknown
	// invalid_broker_url: the broker's URL is not valid; query has an unknown parameter
}
