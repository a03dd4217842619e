package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/renkei-go/renkei/transport/broker"
)

const (
	shortestSession = 6 * time.Second        // Kafka's group.min.session.timeout.ms
	moment          = 100 * time.Millisecond // between two tries
)

var errPartitions = fmt.Errorf("kafka: the topic has fewer than %d partitions", broker.Partitions)

// driver has one client to publish and to administer; each Consume is a member of its group and has its own. A client
// connects at its first use, and from then on again by itself.
type driver struct {
	options  broker.Options
	replicas int16
	common   []kgo.Opt

	mu     sync.Mutex
	shared *kgo.Client
	closed bool
	topics map[string]bool // those that are known to exist
}

// Open makes a Broker for a kafka:// URL. It does not connect. Query parameters: tls (true: TLS is required), sasl (how
// the user signs in: plain, the default, scram-sha-256 or scram-sha-512), replicas (of a new topic, default the
// server's). It returns broker.ErrInvalidURL or transport.ErrInvalidConfig.
func Open(_ context.Context, rawURL string, o broker.Options) (*broker.Broker, error) {
	u, err := broker.ParseURL(rawURL, "9092", "tls", "sasl", "replicas")
	if err != nil {
		return nil, err
	}
	d := &driver{options: o.WithDefaults(), replicas: -1, topics: map[string]bool{}}
	if text := u.Query.Get("replicas"); text != "" {
		n, err := strconv.ParseInt(text, 10, 16)
		if err != nil || n < 1 {
			return nil, broker.ErrInvalidURL.WithField("replicas", "must be a number from 1")
		}
		d.replicas = int16(n)
	}
	patience := max(d.options.Timeout, time.Second)
	d.common = []kgo.Opt{
		kgo.SeedBrokers(u.Hosts...),
		kgo.ClientID("renkei"),
		kgo.DialTimeout(patience),
		kgo.RequestTimeoutOverhead(patience),
		kgo.MetadataMinAge(2 * moment), // how soon a client sees a new topic, or another leader
	}
	switch u.Query.Get("tls") {
	case "true":
		d.common = append(d.common, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	case "", "false":
	default:
		return nil, broker.ErrInvalidURL.WithField("tls", "must be true or false")
	}
	if u.User != nil {
		password, _ := u.User.Password()
		mechanism := signIn(u.Query.Get("sasl"), u.User.Username(), password)
		if mechanism == nil {
			return nil, broker.ErrInvalidURL.WithField("sasl", "must be plain, scram-sha-256 or scram-sha-512")
		}
		d.common = append(d.common, kgo.SASL(mechanism))
	} else if u.Query.Has("sasl") {
		return nil, broker.ErrInvalidURL.WithField("sasl", "needs a user")
	}
	return broker.New(d, o)
}

func signIn(mechanism, user, password string) sasl.Mechanism {
	switch mechanism {
	case "", "plain":
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	}
	return nil
}

// client makes another one with more options.
func (d *driver) client(more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(append([]kgo.Opt(nil), d.common...), more...)...)
}

// publisher is the shared client.
func (d *driver) publisher() (*kgo.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, kgo.ErrClientClosed
	}
	if d.shared != nil {
		return d.shared, nil
	}
	var err error
	d.shared, err = d.client(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// A key has one record under way at a time, so trying again cannot change its order, and the inbox absorbs a
		// repetition. Idempotent writing would hold a record of unknown fate for as long as the server is away.
		kgo.DisableIdempotentWrite(),
		kgo.MaxProduceRequestsInflightPerBroker(5),
		kgo.ProducerLinger(0),
		kgo.ProduceRequestTimeout(max(d.options.Timeout, time.Second)),
		kgo.RecordDeliveryTimeout(max(d.options.Timeout, time.Second)),
	)
	return d.shared, err
}

// groupID is the group's name at Kafka, where it is one for all topics.
func groupID(topic, group string) string { return topic + "." + group }

func (d *driver) Publish(ctx context.Context, topic string, partition int, key string, messages []*message.Message) error {
	client, err := d.publisher()
	if err != nil {
		return err
	}
	if err := d.ensure(ctx, kadm.NewClient(client), topic); err != nil {
		return err
	}
	for _, msg := range messages { // one after the other: an error in the middle must not let a later one pass
		if err := produce(ctx, client, encode(topic, partition, key, msg)); err != nil {
			d.forget(topic)
			return err
		}
	}
	return nil
}

// produce waits for the server's word, but not longer than ctx, although the record may still be under way.
func produce(ctx context.Context, client *kgo.Client, record *kgo.Record) error {
	done := make(chan error, 1)
	client.Produce(ctx, record, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ensure makes the topic unless it is there.
func (d *driver) ensure(ctx context.Context, admin *kadm.Client, topic string) error {
	d.mu.Lock()
	known := d.topics[topic]
	d.mu.Unlock()
	if known {
		return nil
	}
	details, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	switch detail := details[topic]; {
	case errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
		keep := strconv.FormatInt(d.options.Keep.Milliseconds(), 10)
		_, err := admin.CreateTopic(ctx, broker.Partitions, d.replicas, map[string]*string{"retention.ms": &keep}, topic)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) { // another node was faster
			return err
		}
	case detail.Err != nil:
		return detail.Err
	case len(detail.Partitions) < broker.Partitions:
		return errPartitions
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.topics[topic] = true
	return nil
}

// forget has the topic looked up again: it may have gone with a server's disk.
func (d *driver) forget(topic string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.topics, topic)
}

// Declare gives the group a place in each partition, the present end, or the beginning when it is declared again, unless
// it has one. The ends are read before the places: when there was no place yet, nobody had declared the group before, and
// what is published for it comes later.
func (d *driver) Declare(ctx context.Context, topic, group string, again bool) error {
	client, err := d.publisher()
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client)
	d.forget(topic)
	if err := d.ensure(ctx, admin, topic); err != nil {
		return err
	}
	list := admin.ListEndOffsets
	if again {
		list = admin.ListStartOffsets
	}
	for {
		ends, err := list(ctx, topic)
		if err = errors.Join(err, ends.Error()); errors.Is(err, kerr.UnknownTopicOrPartition) {
			if err := pause(ctx); err != nil { // it has just been made, and the client or the leader does not know yet
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		places, err := admin.FetchOffsets(ctx, groupID(topic, group))
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return err
		}
		var missing kadm.Offsets
		ends.Each(func(end kadm.ListedOffset) {
			if _, ok := places.Lookup(topic, end.Partition); !ok {
				missing.AddOffset(topic, end.Partition, end.Offset, end.LeaderEpoch)
			}
		})
		if len(missing) == 0 {
			return nil
		}
		placed, err := admin.CommitOffsets(ctx, groupID(topic, group), missing)
		if err = errors.Join(err, placed.Error()); !errors.Is(err, kerr.UnknownMemberID) {
			return err
		}
		if err := pause(ctx); err != nil { // the group has members, so another node has declared it meanwhile
			return err
		}
	}
}

func (d *driver) Remove(ctx context.Context, topic string, groups []string) error {
	client, err := d.publisher()
	if err != nil {
		return err
	}
	d.forget(topic)
	admin := kadm.NewClient(client)
	for _, group := range groups {
		for {
			_, err := admin.DeleteGroup(ctx, groupID(topic, group))
			if err == nil || errors.Is(err, kerr.GroupIDNotFound) {
				break
			}
			if !errors.Is(err, kerr.NonEmptyGroup) {
				return err
			}
			if err := pause(ctx); err != nil { // a crashed member is one until its session is over
				return err
			}
		}
	}
	if _, err := admin.DeleteTopic(ctx, topic); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return err
	}
	return nil
}

func (d *driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.shared != nil {
		d.shared.Close()
	}
	return nil
}

// pause waits a moment, or returns ctx's error.
func pause(ctx context.Context) error {
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
