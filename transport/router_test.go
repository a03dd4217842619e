package transport_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

// TestSlowHandlerHoldsUpItsLaneOnly has one handler hang on one event while others flow.
func TestSlowHandlerHoldsUpItsLaneOnly(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, func(c *transport.RouterConfig) { c.Batch = 1 })
		release, hanging := make(chan struct{}), make(chan struct{})
		var once sync.Once
		var flowed atomic.Int64
		allFlowed := make(chan struct{})
		n.router.Handle("h", "*", func(_ context.Context, ev transport.Event) error {
			if flowed.Add(1) == 200 {
				close(allFlowed)
			}
			return nil
		})
		n.start(t, nil)
		// The slow one is a plain subscriber: a transaction that it held open would be SQLite's only one.
		messages, err := n.pubsub.Subscribe(ctx, transport.DefaultTopic)
		must(t, err)
		go func() {
			for msg := range messages {
				go func() {
					if msg.Metadata[transport.MetaSubject] == "slow" {
						once.Do(func() { close(hanging) })
						<-release
					}
					msg.Ack()
				}()
			}
		}()
		r := n.relay(t, transport.RelayConfig{Poll: 10 * time.Millisecond})
		relayCtx, stop := context.WithCancel(ctx)
		ended := make(chan error)
		go func() { ended <- r.Run(relayCtx) }()
		must(t, n.store.Publish(ctx, event("slow")))
		<-hanging
		for i := range 300 { // more than enough outside the slow one's lane
			must(t, n.store.Publish(ctx, event(fmt.Sprint("s/", i))))
		}
		select {
		case <-allFlowed:
		case <-ctx.Done():
			t.Errorf("only %d flowed", flowed.Load())
		}
		close(release)
		stop()
		must(t, <-ended)
	})
}

type noWork struct{}

func (noWork) Do(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

type noInbox struct{}

func (noInbox) Mark(_ context.Context, _ string, ids ...string) ([]string, error) { return ids, nil }
func (noInbox) PruneInbox(context.Context, time.Duration, int) (int, error)       { return 0, nil }

func TestMessageThatIsNoEvent(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, nil)
		n.router.Handle("h", "a.*", func(context.Context, transport.Event) error { t.Error("handled"); return nil })
		n.start(t, nil)
		must(t, n.pubsub.Publish(transport.DefaultTopic, message.NewMessage("m1", []byte("\x00\xff"))))
		list, err := n.store.Poisoned(ctx, "", page.Request{})
		must(t, err)
		if len(list.Items) != 1 || !strings.HasPrefix(list.Items[0].Reason, "invalid_message") || list.Items[0].Event.ID != "m1" {
			t.Errorf("%+v", list.Items)
		}
	})
}

func TestShutdownLosesNothing(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		const total = 400
		store := outboxbun.New(db)
		var events []transport.Event
		for i := range total {
			events = append(events, event(fmt.Sprint("s/", i)))
		}
		must(t, store.Publish(ctx, events...))
		for range 100 { // processes that each end in the middle of their work
			n := newNode(t, db, nil)
			handled := make(chan struct{}, total)
			for _, name := range []string{"h1", "h2", "h3"} {
				n.router.Handle(name, "*", func(ctx context.Context, ev transport.Event) error {
					select {
					case handled <- struct{}{}:
					default:
					}
					return effect(db, name)(ctx, ev)
				})
			}
			n.start(t, &transport.RelayConfig{Batch: 60, Poll: time.Millisecond, Lease: 10 * time.Millisecond})
			select {
			case <-handled:
			case <-time.After(100 * time.Millisecond):
			}
			n.stop()
			if all, _ := countEffects(t, ctx, db, "h3"); all == total {
				break
			}
		}
		n := newNode(t, db, nil)
		for _, name := range []string{"h1", "h2", "h3"} {
			n.router.Handle(name, "*", effect(db, name))
		}
		n.start(t, nil)
		db.AdvanceClock(time.Minute) // leases of the ended ones
		drain(t, ctx, n.relay(t, transport.RelayConfig{}))
		for _, name := range []string{"h1", "h2", "h3"} {
			if all, distinct := countEffects(t, ctx, db, name); all != total || distinct != total {
				t.Errorf("%s: %d effects of %d events, want %d", name, all, distinct, total)
			}
		}
	})
}

func TestPublishWithoutSubscribersFails(t *testing.T) {
	p := transport.InProcess()
	msg, err := transport.ToMessage(transport.Event{ID: "1", Type: "a", Tenant: "t", Subject: "s"})
	must(t, err)
	if err := p.Publish("topic", msg); !errors.Is(err, transport.ErrNotReceived) {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	messages, err := p.Subscribe(ctx, "topic")
	must(t, err)
	go func() { (<-messages).Nack() }()
	if err := p.Publish("topic", msg); !errors.Is(err, transport.ErrNotReceived) {
		t.Errorf("refused: %v", err)
	}
	cancel()
	if err := p.Publish("topic", msg); !errors.Is(err, transport.ErrNotReceived) {
		t.Errorf("has left: %v", err)
	}
	again, err := p.Subscribe(t.Context(), "topic")
	must(t, err)
	go func() { (<-again).Ack() }()
	must(t, p.Publish("topic", msg))
}

func TestRouterWithoutHandlers(t *testing.T) {
	n := newNode(t, sqldbtest.SQLite(t, outboxbun.Migrations), nil)
	n.start(t, nil)
	n.stop()
}

// TestHandlerTimeout has a handler that waits for something that never comes. The others have the same little time, so
// on a busy machine they may need several tries; only who hangs is given up.
func TestHandlerTimeout(t *testing.T) {
	eachDB(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		n := newNode(t, db, func(c *transport.RouterConfig) {
			c.Timeout = 50 * time.Millisecond
			c.Retry = func(tries int, err error) (time.Duration, bool) {
				return time.Millisecond, tries < 3 || !errors.Is(err, errHung)
			}
		})
		n.router.Handle("h", "*", func(ctx context.Context, ev transport.Event) error {
			if ev.Subject == "hangs" {
				<-ctx.Done()
				return errHung
			}
			return effect(db, "h")(ctx, ev)
		})
		n.start(t, nil)
		must(t, n.store.Publish(ctx, event("a"), event("hangs"), event("b")))
		drain(t, ctx, n.relay(t, transport.RelayConfig{}))
		list, err := n.store.Poisoned(ctx, "acme", page.Request{})
		must(t, err)
		if all, _ := countEffects(t, ctx, db, "h"); all != 2 || len(list.Items) != 1 || list.Items[0].Event.Subject != "hangs" {
			t.Errorf("%d effects, poisoned %+v", all, list.Items)
		}
	})
}

var errHung = errors.New("it hung")

func TestConfigs(t *testing.T) {
	if _, err := transport.NewRelay(transport.RelayConfig{}); !errors.Is(err, transport.ErrInvalidConfig) {
		t.Error(err)
	}
	if _, err := transport.NewRouter(transport.RouterConfig{}); !errors.Is(err, transport.ErrInvalidConfig) {
		t.Error(err)
	}
	for _, pattern := range []string{"", "a*", "*.a", "a.*.b", ".*", "a..*", ".a", "a b"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("pattern %q was taken", pattern)
				}
			}()
			r, err := transport.NewRouter(transport.RouterConfig{DB: noWork{}, Inbox: noInbox{}, Poison: (*outboxbun.Store)(nil), Subscriber: transport.InProcess()})
			must(t, err)
			r.Handle("h", pattern, func(context.Context, transport.Event) error { return nil })
		}()
	}
}

func FuzzFromMessage(f *testing.F) {
	f.Add("1", "a.b", "t", "s", "1", "2026-03-08T01:30:00Z", []byte(`{"a":1}`))
	f.Add("", "", "", "", "", "", []byte(nil))
	f.Add("1", "a\x00", "t\xff", "s", "-1", "2026-03-08T01:30:00.123456789+09:00", []byte("{"))
	f.Fuzz(func(t *testing.T, id, typ, tenant, subject, sequence, at string, payload []byte) {
		msg := message.NewMessage("m", payload)
		msg.Metadata = message.Metadata{"id": id, "type": typ, "tenant": tenant, "subject": subject, "sequence": sequence, "time": at}
		ev, err := transport.FromMessage(msg)
		if err != nil {
			if !errors.Is(err, transport.ErrInvalidMessage) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := transport.ToMessage(ev)
		if err != nil {
			t.Fatal(err)
		}
		back, err := transport.FromMessage(again)
		if err != nil {
			t.Fatal(err)
		}
		if back.ID != ev.ID || back.Type != ev.Type || back.Tenant != ev.Tenant || back.Subject != ev.Subject || back.Sequence != ev.Sequence ||
			!back.Time.Equal(ev.Time) || !reflect.DeepEqual(back.Data, ev.Data) {
			t.Fatalf("%+v became %+v", ev, back)
		}
	})
}
