package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/broker"
)

// patience is how long a test waits for what must come, on a machine that is busy with others.
const patience = 2 * time.Minute

// What openers in tests set as Options.Lease: where a node is cut off or killed it is short, because others wait for it;
// elsewhere a machine that stands still for a while must not run it out.
const (
	ShortLease = 2 * time.Second
	LongLease  = 20 * time.Second
)

// Run runs the suite. Open makes a Broker for the server; each call is another node. Topics are the suite's own and are
// removed.
func Run(t *testing.T, open func(tb testing.TB) *broker.Broker) {
	t.Helper()
	s := &suite{open}
	t.Run("fidelity", s.fidelity)
	t.Run("every group gets every message", s.groups)
	t.Run("order per subject over two nodes", s.order)
	t.Run("refused messages come again in order", s.refused)
	t.Run("a group remembers while nobody listens", s.remembers)
	t.Run("a node that leaves with work in hand", s.leaves)
	t.Run("a new group begins with now", s.begins)
	t.Run("a hanging subject holds up few others", s.hangs)
	t.Run("closing", s.closing)
	t.Run("relay and router", s.relayAndRouter)
}

type suite struct {
	open func(testing.TB) *broker.Broker
}

// topic returns a name of its own that is removed with the groups.
func (s *suite) topic(t testing.TB, groups ...string) string {
	topic := newTopic()
	t.Cleanup(func() {
		b := s.open(t)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Remove(ctx, topic, groups...); err != nil {
			t.Errorf("removing the topic: %v", err)
		}
		must(t, b.Close())
	})
	return topic
}

func newTopic() string { return "t" + uuid.NewString()[:13] + ".events" }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newMessage(subject string, sequence int) *message.Message {
	msg, err := transport.ToMessage(transport.Event{
		ID: fmt.Sprintf("%s#%d", subject, sequence), Type: "thing.done", Tenant: "acme", Subject: subject, Sequence: int64(sequence),
		Time: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), Data: map[string]int{"n": sequence},
	})
	if err != nil {
		panic(err) // the event above is complete
	}
	return msg
}

// publish tries until the broker has it, as the relay does.
func publish(t testing.TB, b *broker.Broker, topic string, messages ...*message.Message) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := b.Publish(topic, messages...)
		if err == nil {
			return
		}
		if !errors.Is(err, broker.ErrNotReady) || time.Now().After(deadline) {
			t.Fatalf("publishing: %v", err)
		}
		wait(t, 5*time.Millisecond)
	}
}

func wait(t testing.TB, d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// listener is a group's share on a node.
type listener struct {
	stop context.CancelFunc
	done chan struct{}
}

// listen calls handle for each message, several at a time, as the router does; true acknowledges.
func listen(t testing.TB, b *broker.Broker, topic, group string, handle func(*message.Message) bool) *listener {
	t.Helper()
	sub, err := b.SubscriberFor(group)
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	l := &listener{stop, make(chan struct{})}
	messages, err := sub.Subscribe(ctx, topic)
	must(t, err)
	go func() {
		defer close(l.done)
		var wg sync.WaitGroup
		for msg := range messages {
			wg.Go(func() {
				if handle(msg) {
					msg.Ack()
				} else {
					msg.Nack()
				}
			})
		}
		wg.Wait()
	}()
	t.Cleanup(l.end)
	return l
}

func (l *listener) end() {
	l.stop()
	<-l.done
}

// log notes what has had an effect: the first time that a message came, as the inbox sees it.
type log struct {
	mu      sync.Mutex
	seen    map[string]int // by id
	order   map[string][]string
	by      map[string]int // by node
	changed chan struct{}
}

func newLog() *log {
	return &log{seen: map[string]int{}, order: map[string][]string{}, by: map[string]int{}, changed: make(chan struct{}, 1)}
}

func (l *log) note(node string, msg *message.Message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := msg.Metadata[transport.MetaID]
	if l.seen[id]++; l.seen[id] == 1 {
		subject := msg.Metadata[transport.MetaSubject]
		l.order[subject] = append(l.order[subject], msg.Metadata[transport.MetaSequence])
		l.by[node]++
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
	return true
}

// until waits for n different messages.
func (l *log) until(t testing.TB, n int) {
	t.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		have := len(l.seen)
		l.mu.Unlock()
		if have >= n {
			return
		}
		select {
		case <-l.changed:
		case <-timeout:
			t.Fatalf("%d of %d messages came", have, n)
		}
	}
}

// inOrder says whether each subject's effects came as published, from first on.
func (l *log) inOrder(t testing.TB, first int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for subject, sequences := range l.order {
		for i, sequence := range sequences {
			if sequence != fmt.Sprint(first+i) {
				t.Errorf("%s: order %v", subject, sequences)
				break
			}
		}
	}
}

func (l *log) nodes() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.by)
}

func (l *log) repeated() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.seen {
		n += times - 1
	}
	return n
}
