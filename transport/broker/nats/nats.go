package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/transport/broker"
)

const (
	headerID       = "Renkei-Id"       // the message's UUID, as JSON
	headerMetadata = "Renkei-Metadata" // the message's metadata, as JSON
)

// driver connects at the first use; from then on the client connects again by itself.
type driver struct {
	url      string
	replicas int
	options  broker.Options
	connect  []client.Option

	mu      sync.Mutex
	js      jetstream.JetStream
	streams map[string]bool // those that are known to exist
}

// Open makes a Broker for a nats:// URL. It does not connect. Query parameters: replicas (of a new stream, default 1)
// and tls (true: TLS is required). It returns broker.ErrInvalidURL or transport.ErrInvalidConfig.
func Open(_ context.Context, rawURL string, o broker.Options) (*broker.Broker, error) {
	u, err := broker.ParseURL(rawURL, "4222", "replicas", "tls")
	if err != nil {
		return nil, err
	}
	d := &driver{options: o.WithDefaults(), replicas: 1, streams: map[string]bool{}}
	if text := u.Query.Get("replicas"); text != "" {
		if d.replicas, err = strconv.Atoi(text); err != nil || d.replicas < 1 || d.replicas > 5 {
			return nil, broker.ErrInvalidURL.WithField("replicas", "must be a number from 1 to 5")
		}
	}
	d.url = "nats://" + strings.Join(u.Hosts, ",nats://")
	d.connect = []client.Option{
		client.Name("renkei"),
		client.Timeout(min(d.options.Timeout, 5*time.Second)),
		client.MaxReconnects(-1),
		client.ReconnectWait(250 * time.Millisecond),
		client.ReconnectBufSize(-1), // while the server is away, publishing fails at once: the outbox is the buffer
	}
	switch u.Query.Get("tls") {
	case "true":
		d.connect = append(d.connect, client.Secure())
	case "", "false":
	default:
		return nil, broker.ErrInvalidURL.WithField("tls", "must be true or false")
	}
	if u.User != nil {
		if password, ok := u.User.Password(); ok {
			d.connect = append(d.connect, client.UserInfo(u.User.Username(), password))
		} else {
			d.connect = append(d.connect, client.Token(u.User.Username()))
		}
	}
	return broker.New(d, o)
}

func (d *driver) jetStream() (jetstream.JetStream, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.js != nil {
		return d.js, nil
	}
	conn, err := client.Connect(d.url, d.connect...)
	if err != nil {
		return nil, err
	}
	d.js, err = jetstream.New(conn)
	return d.js, err
}

func streamName(topic string) string { return strings.ReplaceAll(topic, ".", "_") }

func subject(topic string, partition int) string { return topic + "." + strconv.Itoa(partition) }

// durable names the consumer of a group's partition: what NATS does not take in a name is written as =XX.
func durable(group string, partition int) string {
	var name strings.Builder
	for i := range len(group) {
		switch c := group[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-':
			name.WriteByte(c)
		default:
			fmt.Fprintf(&name, "=%02X", c)
		}
	}
	return name.String() + "_" + strconv.Itoa(partition)
}

// stream makes the topic's stream unless it is there.
func (d *driver) stream(ctx context.Context, js jetstream.JetStream, topic string) error {
	d.mu.Lock()
	known := d.streams[topic]
	d.mu.Unlock()
	if known {
		return nil
	}
	_, err := js.Stream(ctx, streamName(topic))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name:     streamName(topic),
			Subjects: []string{topic + ".*"},
			Storage:  jetstream.FileStorage,
			MaxAge:   d.options.Keep,
			Replicas: d.replicas,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			err = nil // another node was faster
		}
	}
	if err == nil {
		d.mu.Lock()
		d.streams[topic] = true
		d.mu.Unlock()
	}
	return err
}

// forget has the stream looked up again: it may have gone with a server's disk.
func (d *driver) forget(topic string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.streams, topic)
}

func (d *driver) Publish(ctx context.Context, topic string, partition int, _ string, messages []*message.Message) error {
	js, err := d.jetStream()
	if err != nil {
		return err
	}
	if err := d.stream(ctx, js, topic); err != nil {
		return err
	}
	for _, msg := range messages { // one after the other: an error in the middle must not let a later one pass
		m, err := encode(subject(topic, partition), msg)
		if err != nil {
			return err
		}
		if _, err := js.PublishMsg(ctx, m); err != nil {
			d.forget(topic)
			return err
		}
	}
	return nil
}

func (d *driver) Declare(ctx context.Context, topic, group string, again bool) error {
	js, err := d.jetStream()
	if err != nil {
		return err
	}
	d.forget(topic)
	if err := d.stream(ctx, js, topic); err != nil {
		return err
	}
	begin := jetstream.DeliverNewPolicy
	if again {
		begin = jetstream.DeliverAllPolicy
	}
	for partition := range broker.Partitions {
		name := durable(group, partition)
		_, err := js.Consumer(ctx, streamName(topic), name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			_, err = js.CreateOrUpdateConsumer(ctx, streamName(topic), jetstream.ConsumerConfig{
				Durable:       name,
				FilterSubject: subject(topic, partition),
				AckPolicy:     jetstream.AckExplicitPolicy,
				AckWait:       d.options.Lease,
				MaxAckPending: 1,
				DeliverPolicy: begin,
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *driver) Consume(ctx context.Context, topic, group string, deliver broker.Deliver) error {
	js, err := d.jetStream()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	for partition := range broker.Partitions {
		g.Go(func() error { return d.consume(ctx, js, topic, durable(group, partition), deliver) })
	}
	return g.Wait()
}

// pull is for how many messages a request asks, which the server still gives one at a time (MaxAckPending). Asking for one
// would do, but the client forgets to ask for the next when a message overtakes its bookkeeping of the request before, and
// notices only by the missing heartbeat. With more it has as many chances to ask again.
const pull = 32

// heartbeat is how often the server says that a request still stands; after two that do not come, as from a server that
// has lost the consumer, the subscription starts anew.
const heartbeat = 5 * time.Second

func (d *driver) consume(ctx context.Context, js jetstream.JetStream, topic, name string, deliver broker.Deliver) error {
	consumer, err := js.Consumer(ctx, streamName(topic), name)
	if err != nil {
		return broker.Ended(ctx, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(pull), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return broker.Ended(ctx, err)
	}
	defer messages.Stop()
	unwatch := context.AfterFunc(ctx, messages.Stop)
	defer unwatch()
	for {
		m, err := messages.Next()
		if err != nil {
			return broker.Ended(ctx, err)
		}
		if err := d.handle(ctx, m, deliver); err != nil {
			return broker.Ended(ctx, err)
		}
	}
}

// handle delivers a message and tells the server meanwhile that it is at work.
func (d *driver) handle(ctx context.Context, m jetstream.Msg, deliver broker.Deliver) error {
	done := make(chan error, 1)
	go func() { done <- deliver(ctx, decode(m)) }()
	tick := time.NewTicker(d.options.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				_ = m.Nak() // for another node, at once; else after the lease
				return err
			}
			return m.Ack() // a lost one has the message delivered again
		case <-tick.C:
			_ = m.InProgress()
		}
	}
}

func (d *driver) Remove(ctx context.Context, topic string, _ []string) error {
	js, err := d.jetStream()
	if err != nil {
		return err
	}
	d.forget(topic)
	err = js.DeleteStream(ctx, streamName(topic)) // the consumers go with it
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

func (d *driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.js == nil {
		return nil
	}
	conn := d.js.Conn()
	_ = conn.FlushTimeout(min(d.options.Timeout, time.Second)) // the last acknowledgements; a lost one is no harm
	conn.Close()
	return nil
}

func encode(subject string, msg *message.Message) (*client.Msg, error) {
	id, err := json.Marshal(msg.UUID)
	if err != nil {
		return nil, err
	}
	metadata, err := json.Marshal(msg.Metadata)
	if err != nil {
		return nil, err
	}
	return &client.Msg{Subject: subject, Data: msg.Payload, Header: client.Header{headerID: {string(id)}, headerMetadata: {string(metadata)}}}, nil
}

// decode never fails: what does not come from here has no metadata, and the router puts it aside as no event.
func decode(m jetstream.Msg) *message.Message {
	msg := message.NewMessage("", m.Data())
	_ = json.Unmarshal([]byte(m.Headers().Get(headerID)), &msg.UUID)
	_ = json.Unmarshal([]byte(m.Headers().Get(headerMetadata)), &msg.Metadata)
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	if meta, err := m.Metadata(); err == nil && msg.UUID == "" {
		msg.UUID = meta.Stream + "/" + strconv.FormatUint(meta.Sequence.Stream, 10)
	}
	return msg
}
