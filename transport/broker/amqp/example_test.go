package amqp_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/amqp"
)

// Opening does not connect: while the server is away publishing fails, and the outbox keeps the events.
func ExampleOpen() {
	b, err := amqp.Open(context.Background(), "amqp://127.0.0.1:1,127.0.0.1:2/events?queues=classic", broker.Options{Timeout: 100 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	err = b.Publish(transport.DefaultTopic, message.NewMessage("1", nil))
	fmt.Println(errors.Is(err, broker.ErrUnavailable))
	if err := b.Close(); err != nil {
		panic(err)
	}
	// Output: true
}
