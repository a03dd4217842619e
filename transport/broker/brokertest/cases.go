package brokertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/broker"
)

func (s *suite) node(t testing.TB) *broker.Broker {
	b := s.open(t)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

func (s *suite) fidelity(t *testing.T) {
	b, topic := s.node(t), s.topic(t, "h")
	arrived := make(chan *message.Message, 10)
	listen(t, b, topic, "h", func(m *message.Message) bool { arrived <- m; return true })
	large := newMessage("thing/large", 1)
	large.Payload = fmt.Appendf(nil, "%q", strings.Repeat("x", 500_000))
	odd := newMessage("thing/ \r\n連携 \"é\" =2E%00", 1)
	odd.Metadata["empty"] = ""
	odd.Metadata["X-lower-UPPER key"] = " spaces \t"
	bytes := newMessage("thing/bytes", 1)
	bytes.Payload = []byte{0, 0xff, '\n', 0}
	foreign := message.NewMessage("a foreign one", message.Payload("no event"))
	for _, sent := range []*message.Message{newMessage("thing/1", 1), large, odd, bytes, foreign} {
		publish(t, b, topic, sent)
		select {
		case got := <-arrived:
			if got.UUID != sent.UUID || string(got.Payload) != string(sent.Payload) || !maps.Equal(got.Metadata, sent.Metadata) {
				t.Errorf("sent %q %v, got %q %v, same payload: %t", sent.UUID, sent.Metadata, got.UUID, got.Metadata, string(got.Payload) == string(sent.Payload))
			}
		case <-time.After(patience):
			t.Fatalf("%q did not arrive", sent.UUID)
		}
	}
	for _, topic := range []string{"", ".a", "a.", "a..b", "a b", "a*", "a>", "é", strings.Repeat("x", 101)} {
		if err := b.Publish(topic, newMessage("thing/1", 1)); !errors.Is(err, broker.ErrInvalidTopic) {
			t.Errorf("topic %q: %v", topic, err)
		}
	}
}

func (s *suite) groups(t *testing.T) {
	const n = 200
	names := []string{"mail", "web.hook/ü *>", "audit"}
	topic := s.topic(t, names...)
	one, two := s.node(t), s.node(t)
	logs := map[string]*log{}
	for _, name := range names {
		l := newLog()
		logs[name] = l
		listen(t, one, topic, name, func(m *message.Message) bool { return l.note("one", m) })
		listen(t, two, topic, name, func(m *message.Message) bool { return l.note("two", m) })
	}
	for i := range n {
		publish(t, []*broker.Broker{one, two}[i%2], topic, newMessage(fmt.Sprint("thing/", i), 1))
	}
	for name, l := range logs {
		l.until(t, n)
		if r := l.repeated(); r > 0 {
			t.Logf("group %s: %d of %d came again, which the inbox absorbs", name, r, n)
		}
	}
}

func (s *suite) order(t *testing.T) {
	const subjects, each = 40, 25
	b, topic := s.node(t), s.topic(t, "h")
	one, two := s.node(t), s.node(t)
	l := newLog()
	var mu sync.Mutex
	busy := map[string]bool{}
	handle := func(node string) func(*message.Message) bool {
		return func(m *message.Message) bool {
			subject := m.Metadata[transport.MetaSubject]
			mu.Lock()
			if busy[subject] {
				t.Errorf("two messages of %s at the same time", subject)
			}
			busy[subject] = true
			mu.Unlock()
			wait(t, time.Millisecond)
			mu.Lock()
			busy[subject] = false
			mu.Unlock()
			return l.note(node, m)
		}
	}
	listen(t, one, topic, "h", handle("one"))
	listen(t, two, topic, "h", handle("two"))
	publish(t, one, topic, newMessage("thing/0", 1)) // both are at work from here on
	publish(t, two, topic, newMessage("thing/1", 1))
	l.until(t, 2)
	// Some brokers take a while to share out the work anew: go on until they have.
	deadline, rounds := time.Now().Add(patience), 0
	for rounds < each || l.nodes() < 2 && time.Now().Before(deadline) {
		rounds++
		for k := range subjects {
			if rounds > 1 || k > 1 {
				publish(t, b, topic, newMessage(fmt.Sprint("thing/", k), rounds))
			}
		}
		if rounds > each {
			wait(t, 20*time.Millisecond)
		}
	}
	l.until(t, subjects*rounds)
	l.inOrder(t, 1)
	t.Logf("effects by node: %v, again: %d", l.by, l.repeated())
	if l.nodes() < 2 {
		t.Errorf("one node did all the work: %v", l.by)
	}
}

func (s *suite) refused(t *testing.T) {
	b, topic := s.node(t), s.topic(t, "h")
	l := newLog()
	var tries atomic.Int32
	listen(t, b, topic, "h", func(m *message.Message) bool {
		if m.Metadata[transport.MetaSubject] == "thing/bad" && m.Metadata[transport.MetaSequence] == "2" && tries.Add(1) < 4 {
			return false
		}
		return l.note("", m)
	})
	for i := 1; i <= 3; i++ {
		publish(t, b, topic, newMessage("thing/bad", i), newMessage("thing/good", i))
	}
	l.until(t, 6)
	l.inOrder(t, 1)
	if n := tries.Load(); n != 4 {
		t.Errorf("handled %d times, want 4", n)
	}
}

func (s *suite) remembers(t *testing.T) {
	topic := s.topic(t, "h")
	l := newLog()
	first := s.node(t)
	listening := listen(t, first, topic, "h", func(m *message.Message) bool { return l.note("", m) })
	publish(t, first, topic, newMessage("thing/1", 1))
	l.until(t, 1)
	listening.end()
	must(t, first.Close())
	if err := first.Publish(topic, newMessage("thing/1", 2)); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("publishing after Close: %v", err)
	}

	other := s.node(t)
	for i := 2; i <= 20; i++ {
		publish(t, other, topic, newMessage("thing/1", i))
	}
	listen(t, s.node(t), topic, "h", func(m *message.Message) bool { return l.note("", m) })
	l.until(t, 20)
	l.inOrder(t, 1)
	if r := l.repeated(); r > 0 {
		t.Errorf("%d acknowledged messages came again", r)
	}
}

func (s *suite) leaves(t *testing.T) {
	const subjects, each = 10, 5
	topic := s.topic(t, "h")
	one := s.node(t)
	l := newLog()
	holding := make(chan struct{}, subjects*each)
	stuck := make(chan struct{})
	leaver := listen(t, one, topic, "h", func(*message.Message) bool {
		holding <- struct{}{}
		<-stuck
		return false
	})
	for i := 1; i <= each; i++ {
		for k := range subjects {
			publish(t, one, topic, newMessage(fmt.Sprint("thing/", k), i))
		}
	}
	<-holding
	leaver.stop()
	close(stuck)
	<-leaver.done
	begin := time.Now()
	listen(t, s.node(t), topic, "h", func(m *message.Message) bool { return l.note("", m) })
	l.until(t, subjects*each)
	l.inOrder(t, 1)
	t.Logf("all handled %v after the first node had left", time.Since(begin).Round(time.Millisecond))
}

func (s *suite) begins(t *testing.T) {
	topic := s.topic(t, "old", "new")
	b := s.node(t)
	old, fresh := newLog(), newLog()
	listen(t, b, topic, "old", func(m *message.Message) bool { return old.note("", m) })
	publish(t, b, topic, newMessage("thing/1", 1))
	old.until(t, 1)
	listen(t, b, topic, "new", func(m *message.Message) bool { return fresh.note("", m) })
	publish(t, b, topic, newMessage("thing/1", 2))
	fresh.until(t, 1)
	old.until(t, 2)
	fresh.inOrder(t, 2)
}

func (s *suite) hangs(t *testing.T) {
	const subjects = 64
	b, topic := s.node(t), s.topic(t, "h")
	l := newLog()
	release := make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(release) })) // before listen's, which waits for the handlers
	hanging := make(chan struct{})
	var once sync.Once
	listening := listen(t, b, topic, "h", func(m *message.Message) bool {
		if m.Metadata[transport.MetaSubject] == "thing/hanging" {
			once.Do(func() { close(hanging) })
			select {
			case <-release:
			case <-m.Context().Done():
			}
		}
		return l.note("", m)
	})
	publish(t, b, topic, newMessage("thing/hanging", 1))
	<-hanging
	for k := range subjects {
		publish(t, b, topic, newMessage(fmt.Sprint("thing/", k), 1))
	}
	l.until(t, subjects*3/4) // a partition of 16 stands still
	listening.stop()
	<-listening.done
}

func (s *suite) closing(t *testing.T) {
	topic := s.topic(t, "h")
	b := s.open(t)
	sub, err := b.SubscriberFor("h")
	must(t, err)
	messages, err := sub.Subscribe(context.Background(), topic)
	must(t, err)
	publish(t, b, topic, newMessage("thing/1", 1), newMessage("thing/1", 2), newMessage("thing/2", 1))
	msg := <-messages // in hand, never acknowledged
	closed := make(chan error, 1)
	go func() { closed <- sub.Close() }()
	msg.Nack()
	for msg := range messages {
		msg.Nack()
	}
	must(t, <-closed)
	if _, err := sub.Subscribe(t.Context(), topic); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("subscribing after Close: %v", err)
	}
	must(t, b.Close())
	must(t, b.Close())
	if _, err := b.SubscriberFor("h"); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("a subscriber after Close: %v", err)
	}
}
