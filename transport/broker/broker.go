package broker

import (
	"context"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport"
)

// Errors of this package. Match with errors.Is. None of them repeats the URL, which may hold a password.
var (
	ErrInvalidURL    = fault.New(fault.Invalid, "invalid_broker_url", "the broker's URL is not valid")
	ErrUnknownScheme = fault.New(fault.Invalid, "unknown_broker", "there is no broker for this scheme of URL")
	ErrInvalidTopic  = fault.New(fault.Invalid, "invalid_topic", "the topic's name is not valid")
	ErrUnavailable   = fault.New(fault.Unavailable, "broker_unavailable", "the broker did not take the messages")
	ErrNotReady      = fault.New(fault.Unavailable, "broker_not_ready", "a handler's group is not declared at the broker yet")
	ErrClosed        = fault.New(fault.Unavailable, "broker_closed", "the broker is closed")
)

// Partitions is the number of shares into which the subjects of a topic are divided. It is no option, because all nodes
// must agree.
const Partitions = 16

// Batch is the most messages of a partition that a node has in hand.
const Batch = 64

// Options are what all brokers have in common. The zero value is the default.
type Options struct {
	Keep    time.Duration // how long the broker stores messages; default 7 days, at least 1 s; not longer than the router's inbox
	Lease   time.Duration // how long messages of a crashed node wait for another; default 30 s, at least 1 s; extended while it lives
	Timeout time.Duration // of a call to the broker; default 10 s
	Logger  *slog.Logger  // default slog.Default()
}

// Validate returns ErrInvalidConfig of the transport package with the fields.
func (o Options) Validate() error {
	bad := transport.ErrInvalidConfig
	if o.Keep != 0 && o.Keep < time.Second {
		bad = bad.WithField("keep", "must be at least a second")
	}
	if o.Lease != 0 && o.Lease < time.Second {
		bad = bad.WithField("lease", "must be at least a second")
	}
	if o.Timeout < 0 {
		bad = bad.WithField("timeout", "must not be negative")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// WithDefaults fills in what is zero.
func (o Options) WithDefaults() Options {
	if o.Keep == 0 {
		o.Keep = 7 * 24 * time.Hour
	}
	if o.Lease == 0 {
		o.Lease = 30 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Deliver hands messages of one partition to the handler and returns nil when it has acknowledged all of them. Those of
// a subject follow each other, others go side by side. An error means that none may be acknowledged to the broker. It
// ends with ctx, up to a grace of five seconds later when the handler is at work.
type Deliver func(ctx context.Context, messages ...*message.Message) error

// Driver is what an adapter implements. It is safe for concurrent use. Before its first use it has not talked to the
// broker, and after a failure it connects again by itself or at the next call.
type Driver interface {
	// Publish stores the messages, in their order, in the partition of the topic, which it makes if need be. Key is the
	// same for messages whose order counts. It returns when the broker has taken responsibility for all.
	Publish(ctx context.Context, topic string, partition int, key string, messages []*message.Message) error
	// Declare makes the group of a topic, or finds it. From then on the broker keeps for it what is published. Again says
	// that it was there before: if it is not, the broker has lost it, and it begins with all that the topic holds.
	Declare(ctx context.Context, topic, group string, again bool) error
	// Consume gives the group's messages to deliver, calling it for each partition in order and for several at the same
	// time, and acknowledges what it has delivered. It returns an error when it cannot go on, nil when ctx has ended; by
	// then no call of deliver is running, and what was not delivered is free for other nodes if the broker is there.
	Consume(ctx context.Context, topic, group string, deliver Deliver) error
	// Remove deletes the topic with all that it holds, and the groups.
	Remove(ctx context.Context, topic string, groups []string) error
	// Close ends the connections.
	Close() error
}

// Ended is what Driver.Consume returns: err, or nil when it comes from the end of ctx.
func Ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// Broker is a Watermill publisher, and a source of Watermill subscribers. It is safe for concurrent use.
type Broker struct {
	driver  Driver
	options Options

	ctx    context.Context //nolint:containedctx // of the broker's life
	cancel context.CancelFunc

	mu            sync.Mutex
	subscriptions map[*subscription]struct{}
	running       sync.WaitGroup
}

// New makes a Broker of a driver: what an adapter's Open returns. It starts nothing. It returns ErrInvalidConfig.
func New(driver Driver, o Options) (*Broker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Broker{driver: driver, options: o.WithDefaults(), ctx: ctx, cancel: cancel, subscriptions: map[*subscription]struct{}{}}, nil
}

// Publish stores the messages at the broker; it is message.Publisher. Messages of the same tenant and subject keep their
// order. It returns ErrUnavailable, ErrNotReady, ErrClosed or ErrInvalidTopic; then some of the messages may be stored.
func (b *Broker) Publish(topic string, messages ...*message.Message) error {
	if b.ctx.Err() != nil {
		return ErrClosed
	}
	if err := validTopic(topic); err != nil {
		return err
	}
	if !b.await(topic) {
		return ErrNotReady
	}
	ctx, cancel := context.WithTimeout(b.ctx, b.options.Timeout)
	defer cancel()
	for len(messages) > 0 { // runs of the same key, which a relay's calls always are
		key, n := keyOf(messages[0]), 1
		for n < len(messages) && keyOf(messages[n]) == key {
			n++
		}
		if err := b.driver.Publish(ctx, topic, partitionOf(key), key, messages[:n]); err != nil {
			if f := fault.As(err); f != nil && f.Code != fault.Internal {
				return err
			}
			return ErrUnavailable.Because(err)
		}
		messages = messages[n:]
	}
	return nil
}

// SubscriberFor returns the subscriber of a handler: its group at the broker is named after it, so the name is stable.
// Several nodes that subscribe for the same handler share the messages. It is RouterConfig.SubscriberFor.
func (b *Broker) SubscriberFor(handler string) (message.Subscriber, error) {
	if handler == "" {
		return nil, transport.ErrInvalidConfig.WithField("handler", "is required")
	}
	if b.ctx.Err() != nil {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(b.ctx)
	return &subscriber{broker: b, group: handler, ctx: ctx, cancel: cancel}, nil
}

// Remove deletes a topic with all that it holds at the broker, and the groups of the handlers: for tests, and to clear
// up. No node may be at work on it.
func (b *Broker) Remove(ctx context.Context, topic string, handlers ...string) error {
	if err := validTopic(topic); err != nil {
		return err
	}
	return b.driver.Remove(ctx, topic, handlers)
}

// Close ends the subscriptions, waits for them, and ends the connections. Publish fails from then on.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.cancel() // no subscription begins after this
	b.mu.Unlock()
	b.running.Wait()
	return b.driver.Close()
}

// readyWait is how long Publish waits for the groups: a start takes some milliseconds.
const readyWait = time.Second

// await says whether all subscriptions to the topic have their groups, and gives them a moment.
func (b *Broker) await(topic string) bool {
	var missing []*subscription
	b.mu.Lock()
	for s := range b.subscriptions {
		if s.topic == topic && !s.isDeclared() {
			missing = append(missing, s)
		}
	}
	b.mu.Unlock()
	if len(missing) == 0 {
		return true
	}
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	for _, s := range missing {
		select {
		case <-s.declared:
		case <-s.ended:
		case <-timer.C:
			return false
		case <-b.ctx.Done():
			return false
		}
	}
	return true
}

// keyOf is what decides about the order: the tenant and the subject.
func keyOf(msg *message.Message) string {
	if subject := msg.Metadata[transport.MetaSubject]; subject != "" {
		return msg.Metadata[transport.MetaTenant] + "\x00" + subject
	}
	return msg.UUID
}

func partitionOf(key string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	return int(h.Sum32() % Partitions)
}

const maxTopic = 100 // bytes; leaves room for the groups in the brokers' limits

// validTopic accepts what every broker takes.
func validTopic(topic string) error {
	if topic == "" || len(topic) > maxTopic || topic[0] == '.' || topic[len(topic)-1] == '.' {
		return ErrInvalidTopic
	}
	for i := range len(topic) {
		switch c := topic[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && topic[i-1] != '.':
		default:
			return ErrInvalidTopic
		}
	}
	return nil
}
