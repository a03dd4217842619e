package amqp

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
	client "github.com/rabbitmq/amqp091-go"

	"github.com/renkei-go/renkei/transport/broker"
)

// driver connects for each group and each declaration anew, and keeps one connection to publish on: a publisher that
// RabbitMQ slows down must not slow down the acknowledgements.
type driver struct {
	dialer
	options   broker.Options
	queueType string
	publisher *publisher
}

// Open makes a Broker for an amqp:// or amqps:// URL. It does not connect. Query parameter: queues (of new groups:
// quorum, the default, or classic). It returns broker.ErrInvalidURL or transport.ErrInvalidConfig.
func Open(_ context.Context, rawURL string, o broker.Options) (*broker.Broker, error) {
	u, err := broker.ParseURL(rawURL, "5672", "queues")
	if err != nil {
		return nil, err
	}
	if u.Scheme == "amqps" {
		if u, err = broker.ParseURL(rawURL, "5671", "queues"); err != nil {
			return nil, err
		}
	}
	d := &driver{options: o.WithDefaults(), queueType: client.QueueTypeQuorum}
	switch u.Query.Get("queues") {
	case "", client.QueueTypeQuorum:
	case client.QueueTypeClassic:
		d.queueType = client.QueueTypeClassic
	default:
		return nil, broker.ErrInvalidURL.WithField("queues", "must be quorum or classic")
	}
	d.dialer = newDialer(u, d.options)
	d.publisher = newPublisher(d.dial)
	return broker.New(d, o)
}

// queue names a partition's queue.
func queue(topic, group string, partition int) string {
	return topic + "/" + group + "/" + strconv.Itoa(partition)
}

// members names the queue that holds nothing: every node of the group is a consumer there, so that they can be counted.
// The others do not tell who waits for the single place.
func members(topic, group string) string { return topic + "/" + group + "/nodes" }

func (d *driver) Publish(ctx context.Context, topic string, partition int, _ string, messages []*message.Message) error {
	return d.publisher.publish(ctx, topic, partition, messages)
}

// Declare cannot begin with the past: no queue has kept it.
func (d *driver) Declare(ctx context.Context, topic, group string, _ bool) error {
	return d.once(ctx, func(c *connection) error {
		ch, err := c.Channel()
		if err != nil {
			return err
		}
		if err := declareExchange(ch, topic); err != nil {
			return err
		}
		if ch, err = declareQueue(c, ch, members(topic, group), client.Table{client.QueueTypeArg: d.queueType}); err != nil {
			return err
		}
		for partition := range broker.Partitions {
			name := queue(topic, group, partition)
			if ch, err = declareQueue(c, ch, name, d.arguments(c)); err != nil {
				return err
			}
			if err := ch.QueueBind(name, strconv.Itoa(partition), topic, false, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// declareQueue makes the queue unless it is there, and returns the channel to go on with. It asks first: an existing
// queue may have other arguments, of an operator or an earlier version.
func declareQueue(c *connection, ch *client.Channel, name string, args client.Table) (*client.Channel, error) {
	_, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
	if !missing(err) {
		return ch, err
	}
	if ch, err = c.Channel(); err != nil { // the answer has closed the other one
		return nil, err
	}
	_, err = ch.QueueDeclare(name, true, false, false, false, args)
	return ch, err
}

func declareExchange(ch *client.Channel, topic string) error {
	return ch.ExchangeDeclare(topic, client.ExchangeDirect, true, false, false, false, nil)
}

// arguments are those of a partition's new queue.
func (d *driver) arguments(c *connection) client.Table {
	args := client.Table{
		client.QueueTypeArg:            d.queueType,
		client.SingleActiveConsumerArg: true,
		client.QueueMessageTTLArg:      d.options.Keep.Milliseconds(),
	}
	if d.queueType == client.QueueTypeQuorum && c.major() >= 4 {
		args["x-delivery-limit"] = int64(-1) // none; earlier versions have none and take no such value
	}
	return args
}

// major is the server's major version, 0 when it does not say.
func (c *connection) major() int {
	version, _ := c.Properties["version"].(string)
	text, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// missing says whether the server knows no such exchange or queue.
func missing(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && answer.Code == client.NotFound
}

func (d *driver) Remove(ctx context.Context, topic string, groups []string) error {
	d.publisher.forget(topic)
	return d.once(ctx, func(c *connection) error {
		ch, err := c.Channel()
		if err != nil {
			return err
		}
		for _, group := range groups {
			names := []string{members(topic, group)}
			for partition := range broker.Partitions {
				names = append(names, queue(topic, group, partition))
			}
			for _, name := range names { // deleting what is not there is no error
				if _, err := ch.QueueDelete(name, false, false, false); err != nil {
					return err
				}
			}
		}
		return ch.ExchangeDelete(topic, false, false)
	})
}

func (d *driver) Close() error {
	d.publisher.close()
	return nil
}
