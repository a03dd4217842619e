package amqp_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	client "github.com/rabbitmq/amqp091-go"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/amqp"
	"github.com/renkei-go/renkei/transport/broker/brokertest"
)

func TestOpen(t *testing.T) {
	for _, bad := range []string{"amqp://", "amqp://host?queues=fast", "amqp://host?quues=quorum", "amqps://user:secret@host:x"} {
		if _, err := amqp.Open(t.Context(), bad, broker.Options{}); !errors.Is(err, broker.ErrInvalidURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestSilentServer is about one that takes connections and never says a word: nothing waits for it longer than told.
func TestSilentServer(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	b, err := amqp.Open(t.Context(), "amqp://"+listener.Addr().String(), broker.Options{Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := b.Publish("events", message.NewMessage("1", nil)); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("publishing: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("waited %v", took)
	}
}

// TestLimitsAndForeigners has messages that do not fit, and some that another program has sent.
func TestLimitsAndForeigners(t *testing.T) {
	if !served(t) {
		return
	}
	b := opener("amqp://"+address, brokertest.LongLease)(t)
	defer func() { _ = b.Close() }()
	const topic, group = "renkei-test-foreign.events", "h"
	remove := func() {
		if err := b.Remove(context.WithoutCancel(t.Context()), topic, group); err != nil {
			t.Error(err)
		}
	}
	remove()
	defer remove()
	sub, err := b.SubscriberFor(group)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Subscribe(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()

	large := message.NewMessage("large", nil)
	large.Metadata["subject"] = strings.Repeat("x", 200_000)
	for err = b.Publish(topic, large); errors.Is(err, broker.ErrNotReady); err = b.Publish(topic, large) {
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("metadata larger than a frame: %v", err)
	}

	conn, err := client.Dial("amqp://guest:guest@" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, headers := range []client.Table{nil, {"renkei-id": int32(7), "renkei-metadata": "{no JSON"}, {"renkei-metadata": client.Table{"a": "b"}}} {
		if err := ch.PublishWithContext(t.Context(), topic, "3", false, false, client.Publishing{Headers: headers, Body: []byte("hello")}); err != nil {
			t.Fatal(err)
		}
		select {
		case msg := <-messages:
			if string(msg.Payload) != "hello" || len(msg.Metadata) != 0 || msg.UUID == "" {
				t.Errorf("%v: got %q %v %q", headers, msg.UUID, msg.Metadata, msg.Payload)
			}
			msg.Ack()
		case <-time.After(time.Minute):
			t.Fatal("it did not arrive")
		}
	}
}
