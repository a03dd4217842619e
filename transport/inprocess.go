package transport

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// PubSub is Watermill's publisher and subscriber inside one process: what a Relay and a Router on one machine need.
//
// Publish returns when every subscriber has acknowledged, and fails with ErrNotReceived when there is none, when one
// refused, or when one has left, so that the outbox keeps the event. Calls of Publish run side by side; the messages of
// one call follow each other. (Watermill's own gochannel holds a lock per topic until the acknowledgement, which lets
// one message through at a time, and it drops what arrives while its subscribers come or go.)
//
// It is safe for concurrent use.
type PubSub struct {
	mu     sync.RWMutex
	topics map[string][]*subscription
}

// InProcess makes a PubSub.
func InProcess() *PubSub { return &PubSub{topics: map[string][]*subscription{}} }

type subscription struct {
	ctx    context.Context //nolint:containedctx // the subscription lasts as long as it
	mu     sync.RWMutex    // held for reading while sending, for writing to close the channel
	out    chan *message.Message
	closed bool
}

// Publish hands the messages to every subscriber of the topic, one after the other, and waits for them.
func (p *PubSub) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	subs := p.topics[topic]
	p.mu.RUnlock()
	if len(subs) == 0 {
		return ErrNotReceived
	}
	copies := make([]*message.Message, len(subs))
	for _, msg := range messages {
		sent := true
		for i, s := range subs {
			copies[i] = msg.Copy()
			copies[i].SetContext(s.ctx)
			sent = s.send(copies[i]) && sent
		}
		for i, s := range subs {
			if !sent {
				break // one has left: it comes again, and those who handled it know
			}
			select {
			case <-copies[i].Acked():
			case <-copies[i].Nacked():
				sent = false
			case <-s.ctx.Done():
				sent = false
			}
		}
		if !sent {
			return ErrNotReceived
		}
	}
	return nil
}

func (s *subscription) send(msg *message.Message) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	select {
	case s.out <- msg:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// Subscribe returns the messages published to the topic until ctx ends. A subscriber who left is missed: Publish to the
// topic fails from then on, until as many have come anew.
func (p *PubSub) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s := &subscription{ctx: ctx, out: make(chan *message.Message)}
	p.mu.Lock()
	defer p.mu.Unlock()
	subs := append([]*subscription(nil), p.topics[topic]...) // a Publish may be reading the old one
	replaced := false
	for i := range subs {
		if subs[i].ctx.Err() != nil {
			subs[i], replaced = s, true
			break
		}
	}
	if !replaced {
		subs = append(subs, s)
	}
	p.topics[topic] = subs
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = true
		close(s.out)
	})
	return s.out, nil
}

// Close does nothing: subscriptions end with their contexts.
func (p *PubSub) Close() error { return nil }
