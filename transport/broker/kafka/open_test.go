package kafka_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/brokertest"
	"github.com/renkei-go/renkei/transport/broker/kafka"
)

func TestOpen(t *testing.T) {
	for _, bad := range []string{
		"kafka://", "kafka://host?tls=maybe", "kafka://host?replicas=0", "kafka://host?replicas=many", "kafka://host?acks=1",
		"kafka://user:secret@host?sasl=kerberos", "kafka://host?sasl=plain", "kafka://user:secret@host:x",
	} {
		if _, err := kafka.Open(t.Context(), bad, broker.Options{}); !errors.Is(err, broker.ErrInvalidURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestSignIn publishes as a user whom the server knows, and as one whom it does not.
func TestSignIn(t *testing.T) {
	for mechanism, name := range map[string]string{"PLAIN": "plain", "SCRAM-SHA-256": "scram-sha-256", "SCRAM-SHA-512": "scram-sha-512"} {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(mechanism, "me", "p@ss"),
			kfake.WithLogger(kfake.BasicLogger(io.Discard, kfake.LogLevelNone)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		for password, works := range map[string]bool{"p%40ss": true, "wrong": false} {
			b := opener("kafka://me:"+password+"@"+c.ListenAddrs()[0]+"?sasl="+name, brokertest.LongLease)(t)
			if err := b.Publish("events", message.NewMessage("1", nil)); works != (err == nil) || !works && !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("%s with %s: %v", name, password, err)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestForeigners has a topic that an operator has made too small, and records that another program has written.
func TestForeigners(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "small.events"), kfake.SeedTopics(20, "large.events"),
		kfake.WithLogger(kfake.BasicLogger(io.Discard, kfake.LogLevelNone)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := opener(urlOf(c), brokertest.LongLease)(t)
	defer func() { _ = b.Close() }()
	if err := b.Publish("small.events", message.NewMessage("1", nil)); !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "16 partitions") {
		t.Errorf("too few partitions: %v", err)
	}

	sub, err := b.SubscriberFor("h")
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Subscribe(t.Context(), "large.events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	first := message.NewMessage("first", nil)
	for err = b.Publish("large.events", first); errors.Is(err, broker.ErrNotReady); err = b.Publish("large.events", first) {
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	receive := func() *message.Message {
		t.Helper()
		select {
		case msg := <-messages:
			msg.Ack()
			return msg
		case <-time.After(time.Minute):
			t.Fatal("it did not arrive")
			return nil
		}
	}
	if got := receive(); got.UUID != "first" {
		t.Errorf("got %q", got.UUID)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "large.events", Partition: 18, Value: []byte("hello")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if got := receive(); got.UUID != "large.events/18/0" || string(got.Payload) != "hello" || len(got.Metadata) != 0 {
		t.Errorf("got %q %v %q", got.UUID, got.Metadata, got.Payload)
	}
}
