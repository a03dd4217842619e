package amqp

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	client "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/transport/broker"
)

// lastWord is how long a connection stays when the subscription has ended: longer than Deliver's grace.
const lastWord = 7 * time.Second

// errEnded is what the server says when it ends a consumer: the queue was deleted, or the connection was closed.
var errEnded = errors.New("amqp: the server has ended the consumer")

func (d *driver) Consume(ctx context.Context, topic, group string, deliver broker.Deliver) error {
	conn, err := d.dial(ctx)
	if err != nil {
		return broker.Ended(ctx, err)
	}
	defer conn.end()
	// Handlers at work may still acknowledge; after that no call may wait for a server that does not answer.
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWord, conn.end) })
	defer stop()
	c := &consumer{conn: conn, topic: topic, group: group, deliver: deliver}
	broken := conn.NotifyClose(make(chan *client.Error, 1))
	g, groupCtx := errgroup.WithContext(ctx)
	g.Go(func() error { // so that no more is begun than what is already in a handler's hands
		select {
		case reason := <-broken: // nil when this end has closed it
			return errors.Join(errEnded, asError(reason))
		case <-groupCtx.Done():
			return nil
		}
	})
	for partition := range broker.Partitions {
		c.shares[partition].surplus = make(chan struct{}, 1)
		g.Go(func() error { return c.work(groupCtx, partition) })
	}
	g.Go(func() error { return c.balance(groupCtx) })
	return broker.Ended(ctx, g.Wait())
}

// asError keeps a nil *client.Error from becoming an error.
func asError(e *client.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// consumer is a group's share on this node.
type consumer struct {
	conn         *connection
	topic, group string
	deliver      broker.Deliver
	shares       [broker.Partitions]share
}

// share is what the node knows about its place at a partition's queue.
type share struct {
	active  atomic.Bool   // has been given messages, so it is the active one
	surplus chan struct{} // receives when another node should have it
}

// work is at a partition's queue, and queues up anew when it has handed its place over.
func (c *consumer) work(ctx context.Context, partition int) error {
	for {
		if err := c.hold(ctx, partition); err != nil {
			return err
		}
	}
}

// hold waits for the place and keeps it until it is surplus; then it returns nil.
func (c *consumer) hold(ctx context.Context, partition int) error {
	share := &c.shares[partition]
	ch, err := c.conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Qos(broker.Batch, 0, false); err != nil {
		return err
	}
	incoming, err := ch.Consume(queue(c.topic, c.group, partition), "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	// What has come is taken over at once, so that a batch is all of it. It never blocks: Qos allows no more.
	arrived := make(chan client.Delivery, broker.Batch)
	go func() {
		defer close(arrived)
		for d := range incoming {
			arrived <- d
		}
	}()
	for {
		select {
		case d, ok := <-arrived:
			if !ok {
				return errEnded
			}
			share.active.Store(true)
			if err := c.handle(ctx, ch, d, arrived); err != nil {
				return err
			}
		case <-share.surplus:
			share.active.Store(false)
			return ch.Close() // what has arrived since goes back to its place in the queue, and to the next in line
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handle delivers what has arrived and acknowledges it. When it was not delivered the end of the connection gives it
// back.
func (c *consumer) handle(ctx context.Context, ch *client.Channel, d client.Delivery, arrived <-chan client.Delivery) error {
	last, messages := d.DeliveryTag, []*message.Message{decode(d)}
	for more := true; more && len(messages) < broker.Batch; {
		select {
		case d, ok := <-arrived:
			if more = ok; ok {
				last, messages = d.DeliveryTag, append(messages, decode(d))
			}
		default:
			more = false
		}
	}
	if err := c.deliver(ctx, messages...); err != nil {
		return err
	}
	return ch.Ack(last, true)
}

const balanceEvery = time.Second

// balance gives partitions away while this node is at work on more than its share.
func (c *consumer) balance(ctx context.Context) error {
	ch, err := c.conn.Channel()
	if err != nil {
		return err
	}
	name := members(c.topic, c.group)
	if _, err := ch.Consume(name, "", false, false, false, false, nil); err != nil {
		return err
	}
	tick := time.NewTicker(balanceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			return err
		}
		c.shed(fairShare(q.Consumers))
	}
}

// fairShare is the most partitions that one of so many nodes should have.
func fairShare(nodes int) int {
	nodes = max(nodes, 1)
	return (broker.Partitions + nodes - 1) / nodes
}

// shed marks active partitions as surplus until no more than keep are left.
func (c *consumer) shed(keep int) {
	for i := range c.shares {
		share := &c.shares[i]
		if !share.active.Load() {
			continue
		}
		if keep--; keep >= 0 {
			continue
		}
		select {
		case share.surplus <- struct{}{}:
		default:
		}
	}
}
