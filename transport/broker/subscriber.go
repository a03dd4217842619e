package broker

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	firstDelay = 100 * time.Millisecond // before trying again, then doubled
	mostDelay  = 5 * time.Second
	grace      = 5 * time.Second // for a handler at work when the subscription ends
)

// subscriber is a handler's message.Subscriber.
type subscriber struct {
	broker  *Broker
	group   string
	ctx     context.Context //nolint:containedctx // ends with Close, of this or of the broker
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// Subscribe returns the group's messages of the topic until ctx ends or the subscriber is closed; then the channel is
// closed. It does not wait for the broker. It returns ErrInvalidTopic or ErrClosed.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if err := validTopic(topic); err != nil {
		return nil, err
	}
	b := s.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.ctx.Err() != nil {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	sub := &subscription{broker: b, topic: topic, group: s.group, out: make(chan *message.Message),
		declared: make(chan struct{}), ended: make(chan struct{})}
	b.subscriptions[sub] = struct{}{}
	b.running.Add(1)
	s.running.Add(1)
	go func() {
		defer b.running.Done()
		defer s.running.Done()
		sub.run(ctx)
		stop()
		cancel()
		close(sub.ended)
		close(sub.out) // nothing sends any more: Consume has returned
		b.mu.Lock()
		delete(b.subscriptions, sub)
		b.mu.Unlock()
	}()
	return sub.out, nil
}

// Close ends the subscriptions and waits for them.
func (s *subscriber) Close() error {
	s.broker.mu.Lock()
	s.cancel()
	s.broker.mu.Unlock()
	s.running.Wait()
	return nil
}

// subscription is a group's share of a topic's messages on this node.
type subscription struct {
	broker   *Broker
	topic    string
	group    string
	out      chan *message.Message
	declared chan struct{} // closes when the group is at the broker
	ended    chan struct{} // closes when nobody waits for it any more
}

func (s *subscription) isDeclared() bool {
	select {
	case <-s.declared:
		return true
	default:
		return false
	}
}

// run consumes, and starts anew whenever the broker fails.
func (s *subscription) run(ctx context.Context) {
	o := s.broker.options
	for delay := firstDelay; ctx.Err() == nil; delay = min(2*delay, mostDelay) {
		begin := time.Now()
		err := s.declare(ctx)
		if err == nil {
			if !s.isDeclared() {
				close(s.declared)
			}
			err = s.broker.driver.Consume(ctx, s.topic, s.group, s.deliver)
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(begin) > 2*mostDelay {
			delay = firstDelay
		}
		o.Logger.WarnContext(ctx, "broker: subscription broken, trying again", "handler", s.group, "topic", s.topic, "delay", delay, "error", err)
		pause(ctx, delay)
	}
}

func (s *subscription) declare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.broker.options.Timeout)
	defer cancel()
	return s.broker.driver.Declare(ctx, s.topic, s.group, s.isDeclared())
}

// deliver is the Deliver of the subscription.
func (s *subscription) deliver(ctx context.Context, messages ...*message.Message) error {
	if len(messages) == 1 {
		return s.inOrder(ctx, messages)
	}
	subjects := make(map[string][]*message.Message, len(messages))
	for _, msg := range messages {
		key := keyOf(msg)
		subjects[key] = append(subjects[key], msg)
	}
	errs := make(chan error, len(subjects))
	for _, of := range subjects {
		go func() { errs <- s.inOrder(ctx, of) }()
	}
	var first error
	for range len(subjects) {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return first
}

// inOrder hands the messages out one after the other, each until it is acknowledged.
func (s *subscription) inOrder(ctx context.Context, messages []*message.Message) error {
	for _, msg := range messages {
		for delay := firstDelay; ; delay = min(2*delay, mostDelay) {
			acked, err := s.hand(ctx, msg)
			if err != nil {
				return err
			}
			if acked {
				break
			}
			pause(ctx, delay)
		}
	}
	return nil
}

// hand gives a copy to the handler and waits for its word.
func (s *subscription) hand(ctx context.Context, msg *message.Message) (acked bool, err error) {
	attempt := msg.Copy()
	attempt.SetContext(ctx)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	select {
	case s.out <- attempt:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case <-attempt.Acked():
		return true, nil
	case <-attempt.Nacked():
		return false, nil
	case <-ctx.Done():
	}
	// The handler is at work and may well succeed: its word spares another node the same work.
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-attempt.Acked():
		return true, nil
	case <-attempt.Nacked():
	case <-timer.C:
	}
	return false, ctx.Err()
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
