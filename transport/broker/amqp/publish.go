package amqp

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	client "github.com/rabbitmq/amqp091-go"

	"github.com/renkei-go/renkei/foundation/fault"
)

// Headers of a message. AMQP's own properties are too short for some values: they take 255 bytes.
const (
	headerID       = "renkei-id"       // the message's UUID
	headerMetadata = "renkei-metadata" // the message's metadata, as JSON
)

const (
	frameSize  = 131072 // RabbitMQ's own limit; a message's headers must fit in a frame
	mostHeader = frameSize - 4096
)

var (
	errHeaders      = fault.New(fault.Invalid, "message_headers_too_large", "the message's metadata do not fit in a frame")
	errNotConfirmed = errors.New("amqp: the server did not confirm the message")
)

// publisher has one connection and a channel for each call that is under way: an error closes the channel where it
// happens, and others go on.
type publisher struct {
	dial func(context.Context) (*connection, error)
	turn chan struct{} // holds a token while nobody opens a connection or a channel

	mu        sync.Mutex
	conn      *connection
	idle      []*client.Channel
	exchanges map[string]bool // those that are known to exist
	closed    bool
}

func newPublisher(dial func(context.Context) (*connection, error)) *publisher {
	p := &publisher{dial: dial, turn: make(chan struct{}, 1), exchanges: map[string]bool{}}
	p.turn <- struct{}{}
	return p
}

func (p *publisher) publish(ctx context.Context, topic string, partition int, messages []*message.Message) error {
	conn, ch, err := p.take(ctx, topic)
	if err != nil {
		return err
	}
	err = conn.during(ctx, func() error {
		for _, msg := range messages { // one after the other: an error in the middle must not let a later one pass
			if err := send(ctx, ch, topic, strconv.Itoa(partition), msg); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		p.forget(topic)
	}
	p.give(conn, ch)
	return err
}

func send(ctx context.Context, ch *client.Channel, exchange, key string, msg *message.Message) error {
	metadata, err := json.Marshal(msg.Metadata)
	if err != nil {
		return err
	}
	if len(msg.UUID)+len(metadata) > mostHeader {
		return errHeaders
	}
	confirmation, err := ch.PublishWithDeferredConfirm(exchange, key, false, false, client.Publishing{
		Headers:      client.Table{headerID: msg.UUID, headerMetadata: string(metadata)},
		DeliveryMode: client.Persistent,
		Body:         msg.Payload,
	})
	if err != nil {
		return err
	}
	confirmed, err := confirmation.WaitContext(ctx)
	if err == nil && !confirmed {
		err = errNotConfirmed
	}
	return err
}

// take returns a channel in confirm mode for the caller alone, and sees to it that the exchange exists.
func (p *publisher) take(ctx context.Context, topic string) (*connection, *client.Channel, error) {
	if conn, ch := p.takeIdle(topic); ch != nil {
		return conn, ch, nil
	}
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	conn, err := p.connection(ctx)
	if err != nil {
		return nil, nil, err
	}
	var ch *client.Channel
	err = conn.during(ctx, func() (err error) {
		if ch, err = conn.Channel(); err != nil {
			return err
		}
		if err := declareExchange(ch, topic); err != nil {
			return err
		}
		return ch.Confirm(false)
	})
	if err != nil {
		return nil, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exchanges[topic] = true
	return conn, ch, nil
}

// takeIdle returns a channel that has been given back, unless the exchange may be missing.
func (p *publisher) takeIdle(topic string) (*connection, *client.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 && p.exchanges[topic] {
		last := len(p.idle) - 1
		ch := p.idle[last]
		p.idle = p.idle[:last]
		if !ch.IsClosed() {
			return p.conn, ch
		}
	}
	return nil, nil
}

func (p *publisher) connection(ctx context.Context) (*connection, error) {
	p.mu.Lock()
	conn, closed := p.conn, p.closed
	p.mu.Unlock()
	if closed {
		return nil, client.ErrClosed
	}
	if conn != nil && !conn.IsClosed() {
		return conn, nil
	}
	conn, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		conn.end()
		return nil, client.ErrClosed
	}
	p.conn, p.idle = conn, nil
	return conn, nil
}

func (p *publisher) give(conn *connection, ch *client.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == conn && !ch.IsClosed() {
		p.idle = append(p.idle, ch)
	}
}

// forget has the exchange declared again: it may have gone with a server's disk.
func (p *publisher) forget(topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.exchanges, topic)
}

func (p *publisher) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.conn != nil {
		p.conn.end()
	}
}

// decode never fails: what does not come from here has no metadata, and the router puts it aside as no event. Its id is
// made of what it says, for it must be the same when it comes again.
func decode(d client.Delivery) *message.Message {
	id, _ := d.Headers[headerID].(string)
	if id == "" {
		id = uuid.NewSHA1(uuid.NameSpaceOID, append([]byte(d.MessageId+"\x00"), d.Body...)).String()
	}
	metadata, _ := d.Headers[headerMetadata].(string)
	msg := message.NewMessage(id, d.Body)
	_ = json.Unmarshal([]byte(metadata), &msg.Metadata)
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	return msg
}
