package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/retry"
)

// Kind is how the deliveries of one kind are sent.
type Kind struct {
	Sender Sender       // required
	Policy retry.Policy // how often and when; zero: the defaults of package retry; Jitter 1 is full jitter

	// Schedule, if there is one, says instead of Policy how long to wait after the first failure, the second and so on;
	// after its last the delivery is dead. Policy.Jitter holds for it too, and negative Policy.Tries repeat its last
	// delay without end.
	Schedule []time.Duration

	// Health makes the engine remember how each destination of this kind is, spare those that fail and in the end disable
	// them. Nil: it does not. Such a destination should have no deliveries of other kinds.
	Health *Health

	// OnWarning is told, in the transaction that writes it down, when such a destination gets worse or well again: what it
	// writes through ctx commits with it. It must not call the network.
	OnWarning func(ctx context.Context, w Warning) error

	// Ordered makes deliveries to a destination that have the same OrderKey leave in the order in which they were
	// enqueued, each after the one before is final. Who enqueues in transactions that overlap sets no order. One that is
	// tried again holds up those behind it, and each costs a claim of its own.
	Ordered bool

	// Done is told of deliveries that became final, in the transaction that makes them so: what it writes through ctx
	// commits with them. It must not call the network. If it fails, they stay leased and are sent again later, so it
	// should fail only when the database does. Deliveries have their final State and FinishedAt.
	Done func(ctx context.Context, ds []Delivery) error
}

// Config is how an Engine works. The zero values mean the defaults.
type Config struct {
	Queue          *Queue          // required
	Kinds          map[string]Kind // required; deliveries of other kinds are left to other engines
	Lease          time.Duration   // how long a claim holds, i.e. after a crash until another try; default 1 minute
	Timeout        time.Duration   // of one attempt; default and at most half of Lease
	Batch          int             // most deliveries in one claim or completion; default 250. At most four batches are held in memory
	Workers        int             // most attempts at the same time; default 64
	PerDestination int             // most attempts at the same time to one destination; default 4
	Poll           time.Duration   // how often Run looks without being woken; default 1 second
	Drain          time.Duration   // how long Run lets attempts finish when its ctx ends; default 10 seconds
	Keep           time.Duration   // how long Sweep leaves finished deliveries; default 30 days, negative for ever

	// Tracer gets a span per attempt, in the trace that the delivery was enqueued in. Default none: the Sender goes on with
	// that trace itself.
	Tracer trace.TracerProvider
	// Meter gets renkei.delivery.attempt.duration (by kind, outcome and status), renkei.delivery.latency (from being
	// enqueued until success, by kind), renkei.delivery.running, .claimed, .completed and .lost, and
	// renkei.delivery.warnings (by kind and stage). Destinations are in the spans, not here: there may be many. Default none.
	Meter metric.MeterProvider

	Random func() float64 // in [0, 1), for jitter, safe for concurrent use; default math/rand/v2
	Logger *slog.Logger   // default slog.Default
}

// Engine sends deliveries. It is safe for concurrent use; several may share a database.
type Engine struct {
	cfg     Config
	store   Store
	kinds   []string
	ordered []string
	health  map[string]Health // by kind
	clock   clock
	woken   <-chan struct{}
	watch   watch
}

// New makes an Engine. It starts nothing: call Run or Step.
func New(cfg Config) (*Engine, error) {
	var errs []error
	if cfg.Queue == nil {
		errs = append(errs, errors.New("a Queue is missing"))
	}
	if len(cfg.Kinds) == 0 {
		errs = append(errs, errors.New("there are no Kinds"))
	}
	var kinds, ordered []string
	health := map[string]Health{}
	for name, k := range cfg.Kinds {
		kinds = append(kinds, name)
		if k.Ordered {
			ordered = append(ordered, name)
		}
		if k.Health != nil {
			health[name] = k.Health.withDefaults()
		}
		if k.Sender == nil {
			errs = append(errs, fmt.Errorf("kind %q has no Sender", name))
		}
	}
	slices.Sort(kinds)
	cfg.Lease = or(cfg.Lease, time.Minute)
	cfg.Timeout = or(cfg.Timeout, cfg.Lease/2)
	cfg.Batch = or(cfg.Batch, 250)
	cfg.Workers = or(cfg.Workers, 64)
	cfg.PerDestination = or(cfg.PerDestination, 4)
	cfg.Poll = or(cfg.Poll, time.Second)
	cfg.Drain = or(cfg.Drain, 10*time.Second)
	cfg.Keep = or(cfg.Keep, 30*24*time.Hour)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if min(cfg.Lease, cfg.Timeout, cfg.Poll, cfg.Drain) < 0 || min(cfg.Batch, cfg.Workers, cfg.PerDestination) < 0 {
		errs = append(errs, errors.New("a duration or number is negative"))
	}
	if cfg.Timeout > cfg.Lease/2 {
		errs = append(errs, errors.New("the Timeout is more than half of the Lease"))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("delivery: %w", errors.Join(errs...))
	}
	w, err := newWatch(cfg)
	if err != nil {
		return nil, fmt.Errorf("delivery: %w", err)
	}
	return &Engine{
		cfg: cfg, store: cfg.Queue.store, kinds: kinds, ordered: ordered, health: health, woken: cfg.Queue.store.Woken(), watch: w,
	}, nil
}

func or[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

// Step claims up to Batch due deliveries, sends them, writes the results down and returns how many it claimed; 0 means
// that nothing is due. When ctx ends it lets attempts finish as Run does.
func (e *Engine) Step(ctx context.Context) (int, error) {
	e.clock.forget()
	d := e.newDispatch(true)
	err := d.loop(ctx)
	return d.claimed, err
}

// Run sends what becomes due until ctx ends, then stops claiming, gives back what it has not begun, lets attempts finish
// for Drain, interrupts those that have not, and returns nil. A failing database is logged and tried again. Several
// Runs may work at once.
func (e *Engine) Run(ctx context.Context) error {
	return e.newDispatch(false).loop(ctx)
}

// Sweep deletes up to limit deliveries that have been finished for longer than Config.Keep, with their history, and says
// how many. Call it now and then until it deletes fewer than limit.
func (e *Engine) Sweep(ctx context.Context, limit int) (int, error) {
	if e.cfg.Keep < 0 {
		return 0, nil
	}
	now, err := e.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	return e.store.Prune(ctx, now.Add(-e.cfg.Keep), limit)
}

// Cancel makes a pending delivery Cancelled. It returns ErrUnknown or ErrNotPending.
func (e *Engine) Cancel(ctx context.Context, tenant identity.TenantID, id, reason string) error {
	return e.store.Do(ctx, func(ctx context.Context) error {
		now, err := e.store.Now(ctx)
		if err != nil {
			return err
		}
		d, err := e.store.Cancel(ctx, tenant, id, clean(reason), now)
		if err != nil {
			return err
		}
		return e.done(ctx, []Delivery{d})
	})
}

// done tells the kinds of their final deliveries.
func (e *Engine) done(ctx context.Context, ds []Delivery) error {
	byKind := map[string][]Delivery{}
	for _, d := range ds {
		byKind[d.Kind] = append(byKind[d.Kind], d)
	}
	for _, kind := range e.kinds {
		if done := e.cfg.Kinds[kind].Done; done != nil && len(byKind[kind]) > 0 {
			if err := done(ctx, byKind[kind]); err != nil {
				return err
			}
		}
	}
	return nil
}
