package transport

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
)

// RelayConfig configures a Relay. Store and Publisher are needed; the zero value of the rest is the default.
type RelayConfig struct {
	Store     OutboxStore
	Publisher message.Publisher // InProcess(), or a broker's; used concurrently

	Topic    string        // default DefaultTopic
	Batch    int           // events per Step; default 512
	InFlight int           // subjects published at the same time; default 256
	Lease    time.Duration // how long a crashed relay holds up its lanes; extended while it lives; default 30 s
	Loops    int           // most Steps that Run has going, so that one slow event holds up its lane only; default 2
	Poll     time.Duration // how often Run looks without being woken; default 1 s
	Keep     time.Duration // how long sent events stay in the table; default 24 h

	Woken  <-chan struct{} // outboxbun.Store.Woken(); nil: only the poll
	Ready  <-chan struct{} // Run starts when it closes, e.g. Router.Running(); nil: at once
	Logger *slog.Logger    // default slog.Default()

	// Tracer gets a span per event that is published, in the trace of what made it happen. Default none.
	Tracer trace.TracerProvider
	// Meter gets renkei.relay.published (events, by outcome) and renkei.relay.lag (seconds from an event's time until it
	// is published). Default none.
	Meter metric.MeterProvider
}

// Relay publishes committed events from the outbox, in order per subject, and marks them sent. A crash at any point
// publishes again and never loses. Any number of relays may run, in one process or in several nodes. It is safe for
// concurrent use.
type Relay struct {
	RelayConfig
	kick    chan struct{} // a Step gave lanes back before its end
	turn    chan struct{} // holds something while a Step may find all there is
	slow    atomic.Int32  // Steps that have had their turn and are still at work
	watched relayWatch
}

const (
	relayTick       = 100 * time.Millisecond // how often a Step that waits for slow events marks the others
	relayTurn       = 20 * time.Millisecond  // how long a Step has Run to itself
	relayFirstDelay = 100 * time.Millisecond
	relayMaxDelay   = 5 * time.Second
	settleTimeout   = 10 * time.Second
	pruneEvery      = time.Minute
	pruneBatch      = 5000
)

// NewRelay makes a relay; it starts nothing. It returns ErrInvalidConfig.
func NewRelay(c RelayConfig) (*Relay, error) {
	if c.Store == nil || c.Publisher == nil {
		return nil, ErrInvalidConfig.WithMessage("a relay needs a Store and a Publisher")
	}
	setDefault(&c.Topic, DefaultTopic)
	setDefault(&c.Batch, 512)
	setDefault(&c.InFlight, 256)
	setDefault(&c.Lease, 30*time.Second)
	setDefault(&c.Loops, 2)
	setDefault(&c.Poll, time.Second)
	setDefault(&c.Keep, 24*time.Hour)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	watched, err := watchRelay(c)
	if err != nil {
		return nil, err
	}
	return &Relay{RelayConfig: c, kick: make(chan struct{}, 1), turn: make(chan struct{}, 1), watched: watched}, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Step publishes one batch and returns how many events were published and marked. An event that cannot be published
// stays, with those of its subject behind it; the error is the first one of them.
func (r *Relay) Step(ctx context.Context) (n int, err error) {
	claim, err := r.Store.Claim(ctx, r.Batch, r.Lease)
	if err != nil || len(claim.Events) == 0 {
		return 0, err
	}
	b := newBatch(claim)
	results := make(chan result, len(b.subjects))
	go r.publish(ctx, b.subjects, results)

	tick := time.NewTicker(min(relayTick, max(r.Lease/4, time.Millisecond)))
	defer tick.Stop()
	extended := time.Now()
	for open := true; open; {
		select {
		case res, ok := <-results:
			if open = ok; ok {
				b.finish(res)
			}
		case <-tick.C:
			if len(b.done) == 0 && time.Since(extended) < r.Lease/4 {
				continue
			}
			extended = time.Now()
			settleErr := r.settle(ctx, b)
			if settleErr != nil && b.err == nil {
				b.err = settleErr
			}
			select {
			case r.kick <- struct{}{}:
			default:
			}
		}
	}
	b.finishAll()
	if settleErr := r.settle(ctx, b); settleErr != nil && b.err == nil {
		b.err = settleErr
	}
	return b.settled, b.err
}

// settle writes down what is finished, even when ctx has ended: what was published should not be published again.
func (r *Relay) settle(ctx context.Context, b *batch) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err := r.Store.Settle(ctx, b.token, b.sent, b.done, r.Lease); err != nil {
		return err // sent and done stay for the next time
	}
	b.settled += len(b.sent)
	b.sent, b.done = b.sent[:0], b.done[:0]
	return nil
}

// publish hands the subjects to InFlight goroutines and closes results. When nearly everything fails it gives the rest
// up, for then the broker is away.
func (r *Relay) publish(ctx context.Context, subjects [][]Claimed, results chan<- result) {
	defer close(results)
	var mu sync.Mutex
	next, published, failed := 0, 0, 0
	take := func() []Claimed {
		mu.Lock()
		defer mu.Unlock()
		if next == len(subjects) || failed-published >= r.InFlight || ctx.Err() != nil {
			return nil
		}
		next++
		return subjects[next-1]
	}
	var g sync.WaitGroup
	for range min(r.InFlight, len(subjects)) {
		g.Go(func() {
			for events := take(); events != nil; events = take() {
				err := r.publishSubject(ctx, events)
				mu.Lock()
				if err != nil {
					failed++
				} else {
					published++
				}
				mu.Unlock()
				results <- result{events, err}
			}
		})
	}
	g.Wait()
}

func (r *Relay) publishSubject(ctx context.Context, events []Claimed) (err error) {
	events, end := r.watched.publish(ctx, r.Topic, events)
	defer func() { end(err) }()
	messages := make([]*message.Message, len(events))
	for i, e := range events {
		if messages[i], err = ToMessage(e.Event); err != nil {
			return err
		}
	}
	return r.Publisher.Publish(r.Topic, messages...)
}

type result struct {
	events []Claimed // of one subject
	err    error
}

// batch is a claim at work.
type batch struct {
	token    string
	subjects [][]Claimed
	open     map[int]int // unfinished subjects per lane

	sent    []int64 // published, not marked yet
	done    []int   // lanes to give back
	settled int
	err     error
}

func newBatch(c Claim) *batch {
	b := &batch{token: c.Token, open: map[int]int{}}
	type key struct{ tenant, subject string }
	at := make(map[key]int, len(c.Events))
	for _, e := range c.Events {
		k := key{string(e.Event.Tenant), e.Event.Subject}
		i, ok := at[k]
		if !ok {
			i = len(b.subjects)
			at[k] = i
			b.subjects = append(b.subjects, nil)
			b.open[e.Lane]++
		}
		b.subjects[i] = append(b.subjects[i], e)
	}
	return b
}

func (b *batch) finish(r result) {
	if r.err != nil {
		if b.err == nil {
			b.err = r.err
		}
	} else {
		for _, e := range r.events {
			b.sent = append(b.sent, e.Position)
		}
	}
	lane := r.events[0].Lane
	if b.open[lane]--; b.open[lane] == 0 {
		delete(b.open, lane)
		b.done = append(b.done, lane)
	}
}

// finishAll gives back the lanes whose subjects were not tried.
func (b *batch) finishAll() {
	for lane := range b.open {
		b.done = append(b.done, lane)
	}
	clear(b.open)
}

// Run publishes until ctx ends: at once when woken, else every Poll, without a pause while there is work. When
// publishing fails it waits from 0.1 s, doubling up to 5 s, and goes on. It also prunes. It returns nil.
func (r *Relay) Run(ctx context.Context) error {
	if r.Ready != nil {
		select {
		case <-ctx.Done():
			return nil
		case <-r.Ready:
		}
	}
	var g errgroup.Group
	for range r.Loops {
		g.Go(func() error {
			r.loop(ctx)
			return nil
		})
	}
	g.Go(func() error {
		every(ctx, pruneEvery, r.Logger, "pruning the outbox", r.Sweep)
		return nil
	})
	return g.Wait()
}

func (r *Relay) loop(ctx context.Context) {
	delay := relayFirstDelay
	for ctx.Err() == nil {
		n, err := r.inTurn(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.Logger.WarnContext(ctx, "relay: events could not be published and stay in the outbox", "error", err, "published", n)
			pause(ctx, delay)
			if delay = min(2*delay, relayMaxDelay); n > 0 {
				delay = relayFirstDelay
			}
			continue
		case n > 0:
			delay = relayFirstDelay
			continue
		}
		delay = relayFirstDelay
		if r.slow.Load() > 0 { // what woke this loop is most likely in a lane of theirs
			pause(ctx, relayTurn)
		}
		timer := time.NewTimer(r.Poll)
		select {
		case <-ctx.Done():
		case <-r.Woken:
		case <-r.kick:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// inTurn is a Step that the other loops leave alone for a moment: they would claim again and again what is just being
// published, and only a slow event needs another to go on beside it.
func (r *Relay) inTurn(ctx context.Context) (int, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, nil
	}
	next := sync.OnceFunc(func() { <-r.turn })
	defer next()
	timer := time.AfterFunc(relayTurn, func() {
		r.slow.Add(1)
		next()
	})
	defer func() {
		if !timer.Stop() {
			r.slow.Add(-1)
		}
	}()
	return r.Step(ctx)
}

// Sweep deletes up to limit events that were sent longer than Keep ago. Run calls it once a minute.
func (r *Relay) Sweep(ctx context.Context, limit int) (int, error) {
	return r.Store.PruneOutbox(ctx, r.Keep, limit)
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

// every calls sweep until nothing is left, then again after the interval.
func every(ctx context.Context, interval time.Duration, log *slog.Logger, what string, sweep func(context.Context, int) (int, error)) {
	for ctx.Err() == nil {
		n, err := sweep(ctx, pruneBatch)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "transport: "+what+" failed", "error", err)
		}
		if n < pruneBatch {
			pause(ctx, interval)
		}
	}
}
