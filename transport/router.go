package transport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// RouterConfig configures a Router. DB, Inbox, Poison and one of Subscriber and SubscriberFor are needed; the zero value
// of the rest is the default.
type RouterConfig struct {
	Subscriber    message.Subscriber                               // gives every handler every message, as InProcess() does
	SubscriberFor func(handler string) (message.Subscriber, error) // for brokers: a consumer group per handler; wins
	DB            UnitOfWork
	Inbox         Inbox
	Poison        PoisonStore

	// Retry says whether and when to try again after the given number of tries, e.g. retry.Policy{…}.Next. The message
	// waits in memory, so keep it short. Default: again after 50, 200 and 800 ms; and every second for five minutes while
	// the error is Unavailable, because an event is not at fault when the database is away.
	Retry func(tries int, err error) (delay time.Duration, again bool)

	Topic        string        // default DefaultTopic
	Batch        int           // events of a handler that share a transaction at most; default 128; 1 gives each its own
	Concurrency  int           // transactions of a handler at the same time; default 2
	Timeout      time.Duration // of a handler's transaction, by its context; default 30 s
	Keep         time.Duration // how long the inbox remembers; longer than a broker may redeliver; default 7 days
	CloseTimeout time.Duration // how long Run waits for handlers when ctx ends; default 30 s
	Logger       *slog.Logger  // default slog.Default()

	// Tracer gets a span per call of a handler, in the event's trace. Default none.
	Tracer trace.TracerProvider
	// Meter gets renkei.router.duration (seconds of a handler's call, by handler and outcome) and renkei.router.poisoned
	// (events, by handler). Default none.
	Meter metric.MeterProvider
}

// Router hands events to handlers. Each handler has a subscription of its own: what one does, or fails to do, is
// independent of the others.
//
// A handler runs in a transaction together with its inbox row, so its effect happens once however often the event
// comes. Events that wait at the same time share a transaction; when one of them fails, it is rolled back and each is
// handled in its own. So a handler may be called more often than it takes effect.
//
// An event that fails is tried again as Retry says, then poisoned: stored with a readable reason, listed by
// PoisonStore.Poisoned, and handled again by Replay. Later events of the same subject go on meanwhile.
type Router struct {
	RouterConfig
	handlers map[string]*handler
	mux      *message.Router
	watched  routerWatch
}

// NewRouter makes a router; it starts nothing. It returns ErrInvalidConfig.
func NewRouter(c RouterConfig) (*Router, error) {
	if c.DB == nil || c.Inbox == nil || c.Poison == nil || (c.Subscriber == nil && c.SubscriberFor == nil) {
		return nil, ErrInvalidConfig.WithMessage("a router needs DB, Inbox, Poison and a Subscriber")
	}
	if c.SubscriberFor == nil {
		c.SubscriberFor = func(string) (message.Subscriber, error) { return c.Subscriber, nil }
	}
	if c.Retry == nil {
		c.Retry = retryShortly
	}
	setDefault(&c.Topic, DefaultTopic)
	setDefault(&c.Batch, 128)
	setDefault(&c.Concurrency, 2)
	setDefault(&c.Timeout, 30*time.Second)
	setDefault(&c.Keep, 7*24*time.Hour)
	setDefault(&c.CloseTimeout, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	mux, err := message.NewRouter(message.RouterConfig{CloseTimeout: c.CloseTimeout}, watermill.NewSlogLoggerWithLevelMapping(c.Logger,
		map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug}))
	if err != nil {
		return nil, err
	}
	watched, err := watchRouter(c)
	if err != nil {
		return nil, err
	}
	return &Router{RouterConfig: c, handlers: map[string]*handler{}, mux: mux, watched: watched}, nil
}

func retryShortly(tries int, err error) (time.Duration, bool) {
	const patience = 300 // tries, a second apart
	if tries > 3 && fault.CodeOf(err) == fault.Unavailable {
		return time.Second, tries <= patience
	}
	return 50 * time.Millisecond << (2 * (tries - 1)), tries <= 3
}

// Handle registers a handler before Run. The name is stable: it is what the inbox remembers. The pattern is an event
// type, a prefix such as "calendar.event.*", or "*". Like http.ServeMux it panics on a mistake: a bad pattern, a name
// that is empty or taken, or a router that runs.
func (r *Router) Handle(name, pattern string, h Handler) {
	own := r.register(name, pattern, h == nil)
	own.handle = own.each(h)
}

// HandleBatch is Handle for a handler that takes the events of a transaction together.
func (r *Router) HandleBatch(name, pattern string, h BatchHandler) {
	own := r.register(name, pattern, h == nil)
	own.handle = own.all(h)
}

func (r *Router) register(name, pattern string, missing bool) *handler {
	if r.mux.IsRunning() {
		panic(fmt.Sprintf("transport: handler %q comes after Run", name))
	}
	if name == "" || missing || r.handlers[name] != nil {
		panic(fmt.Sprintf("transport: handler %q is unnamed, nil or registered twice", name))
	}
	if !validPattern(pattern) {
		panic(fmt.Sprintf("transport: handler %q has the bad pattern %q", name, pattern))
	}
	h := &handler{router: r, name: name, pattern: pattern}
	r.handlers[name] = h
	return h
}

func validPattern(p string) bool {
	if p == "*" {
		return true
	}
	p = strings.TrimSuffix(p, ".*")
	return p != "" && !strings.ContainsAny(p, "* ") && !strings.HasPrefix(p, ".") && !strings.HasSuffix(p, ".")
}

func matches(pattern, eventType string) bool {
	if pattern == "*" || pattern == eventType {
		return true
	}
	prefix, ok := strings.CutSuffix(pattern, "*")
	return ok && strings.HasPrefix(eventType, prefix) && len(eventType) > len(prefix)
}

// Run subscribes the handlers and serves until ctx ends, then waits for those at work up to CloseTimeout. It can be
// called once. It also prunes the inbox.
func (r *Router) Run(ctx context.Context) error {
	for name, h := range r.handlers {
		sub, err := r.SubscriberFor(name)
		if err != nil {
			return fmt.Errorf("transport: subscribing %s: %w", name, err)
		}
		r.mux.AddConsumerHandler(name, r.Topic, sub, func(msg *message.Message) error { return h.receive(ctx, msg) })
	}
	g, running := errgroup.WithContext(ctx) // handlers keep ctx: they are not cut off when the group ends
	g.Go(func() error {
		every(running, pruneEvery, r.Logger, "pruning the inbox", r.Sweep)
		return nil
	})
	if len(r.handlers) == 0 { // Watermill's router ends with its handlers only
		g.Go(func() error {
			<-running.Done()
			return r.mux.Close()
		})
	}
	g.Go(func() error {
		if err := r.mux.Run(running); err != nil {
			return err
		}
		if running.Err() == nil {
			return errors.New("transport: the subscriptions ended")
		}
		return nil
	})
	return g.Wait()
}

// Running returns a channel that closes when every handler is subscribed.
func (r *Router) Running() <-chan struct{} { return r.mux.Running() }

// Sweep forgets up to limit inbox rows older than Keep. Run calls it once a minute.
func (r *Router) Sweep(ctx context.Context, limit int) (int, error) {
	return r.Inbox.PruneInbox(ctx, r.Keep, limit)
}

// Replay handles a poisoned event again and takes it off the list, in one transaction. It returns ErrNotPoisoned,
// ErrUnknownHandler, or the handler's error; then it stays on the list. It works without Run.
func (r *Router) Replay(ctx context.Context, tenant identity.TenantID, id string) error {
	return r.DB.Do(ctx, func(ctx context.Context) error {
		p, err := r.Poison.Exhume(ctx, tenant, id)
		if err != nil {
			return err
		}
		h := r.handlers[p.Handler]
		if h == nil {
			return ErrUnknownHandler
		}
		// The inbox has known the event since it was buried; it is told again in case it has forgotten.
		if _, err := r.Inbox.Mark(ctx, h.name, p.Event.ID); err != nil {
			return err
		}
		return h.handle(ctx, []Event{p.Event})
	})
}

const maxReason = 500 // bytes

// reason is what an operator reads: the words of a fault without its cause, or the foreign error's.
func reason(err error) string {
	text := err.Error()
	if f := fault.As(err); f != nil && f.Code != fault.Internal {
		text = f.Reason + ": " + f.Message
		for _, field := range f.Fields {
			text += "; " + field.Location + " " + field.Message
		}
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
	if len(text) > maxReason {
		text = text[:maxReason]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return text
}
