package webhook

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/telemetry"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/retry"
)

// scope names what this package tells OpenTelemetry.
const scope = "github.com/renkei-go/renkei/transport/webhook"

// Kind is the deliveries' kind, unless Config.Kind says otherwise.
const Kind = "webhook"

// Deliveries is what this package needs of a delivery.Queue.
type Deliveries interface {
	delivery.Enqueuer
	Get(ctx context.Context, tenant identity.TenantID, id string) (delivery.Record, error)
	List(ctx context.Context, tenant identity.TenantID, f delivery.Filter, p page.Request) (page.Page[delivery.Delivery], error)
	History(ctx context.Context, tenant identity.TenantID, kind string, eventIDs ...string) ([]delivery.Record, error)
	Resend(ctx context.Context, by identity.Principal, id, key string) (delivery.Delivery, error)
	Recover(ctx context.Context, by identity.Principal, destination string, since time.Time, dryRun bool) (int, error)
	ReplayMissing(ctx context.Context, jobs iter.Seq2[delivery.Job, error], dryRun bool) (int, error)
	Destination(ctx context.Context, tenant identity.TenantID, destination string) (delivery.Destination, error)
	Destinations(ctx context.Context, tenant identity.TenantID) ([]delivery.Destination, error)
	Disable(ctx context.Context, tenant identity.TenantID, destination, reason string) error
	Enable(ctx context.Context, by identity.Principal, destination string, replay bool) (int, error)
	SetLimit(ctx context.Context, tenant identity.TenantID, destination string, l delivery.Limit) error
}

var _ Deliveries = (*delivery.Queue)(nil)

// View decides what a subscriber sees of an event, e.g. only the fields that its key may read: the data to send instead
// of ev.Data, or false when the event is not for it. It runs in the transaction in ctx and must not call the network.
type View func(ctx context.Context, s Subscription, ev transport.Event) (data any, ok bool, err error)

// Config is what a Service needs. The zero values mean the defaults.
type Config struct {
	Deliveries Deliveries     // required, on the same database as Store
	Store      Store          // required
	Sealer     *secret.Sealer // required: seals secrets and headers at rest
	Guard      *Guard         // which URLs and addresses may be sent to; default NewGuard(GuardConfig{}), the strictest
	Audit      audit.Recorder // told of every change; default none
	Log        Log            // remembers events for ReplayMissing; default none, which saves an insert per event

	Kind       string            // of the deliveries; a second Service on one database needs one of its own; default Kind
	Tenant     identity.TenantID // of events that do not say theirs, where there is only one; default: they are refused
	EventTypes []string          // the ones that exist; default: whatever a subscriber names is accepted
	View       View              // default: everybody sees everything

	Schedule []time.Duration  // delays after each failure; default 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h (Standard Webhooks)
	Jitter   float64          // part of a delay that is random; default 1, full jitter; negative none
	Health   *delivery.Health // when a receiver is spared and given up; default: delivery's defaults
	Ordered  bool             // deliver the events of a subject in order; costs speed, see delivery.Kind

	// OnWarning is told, in the transaction that writes it down, when a subscription's receiver gets worse or well again,
	// e.g. to tell its owner before it is disabled. It must not call the network. Default: none, but the log.
	OnWarning func(ctx context.Context, s Subscription, w delivery.Warning) error

	Timeout     time.Duration // of a whole attempt; default 20 seconds, and no more than the engine's
	BodyTimeout time.Duration // from the head of the answer to its end; what comes later is not read; default 5 seconds
	Overlap     time.Duration // how long the old secret signs too after RotateSecret; default 24 hours
	Keep        time.Duration // how long Sweep leaves events in Log; default 7 days
	Refresh     time.Duration // how soon other nodes see a change; default 1 second
	Most        int           // subscriptions per tenant; default 500
	UserAgent   string        // default "Renkei-Webhooks/1.0"
	Now         func() time.Time
	Stamp       func() time.Time // the time in webhook-timestamp, which receivers compare with their own clocks; default Now
	NewID       func() string    // default UUIDv7
	Logger      *slog.Logger     // default slog.Default()

	// Tracer gets a span per request, in the trace of the event. Default none. With or without it the receiver gets the
	// trace, if there is one, by the header traceparent, and nothing else of it.
	Tracer trace.TracerProvider
}

// Service keeps subscriptions, turns events into deliveries and sends them. It is safe for concurrent use. Whether
// somebody may do what they ask for is for the caller to judge; nothing crosses by.Tenant.
type Service struct {
	cfg       Config
	transport *GuardTransport
	tracer    trace.Tracer
	cache     cache
	noted     throttle
}

// New makes a Service. It starts nothing: give DeliveryKind to a delivery.Engine.
func New(cfg Config) (*Service, error) {
	var errs []error
	if cfg.Store == nil || cfg.Deliveries == nil || cfg.Sealer == nil {
		errs = append(errs, errors.New("Store, Deliveries and Sealer are required"))
	}
	if min(cfg.Timeout, cfg.BodyTimeout, cfg.Overlap, cfg.Keep, cfg.Refresh) < 0 || cfg.Most < 0 {
		errs = append(errs, errors.New("a duration or number is negative"))
	}
	for _, t := range cfg.EventTypes {
		if !pattern.MatchString(t) || strings.Contains(t, "*") {
			errs = append(errs, fmt.Errorf("%q is no event type", t))
		}
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("webhook: %w", errors.Join(errs...))
	}
	if cfg.Guard == nil {
		g, err := NewGuard(GuardConfig{})
		if err != nil {
			return nil, err
		}
		cfg.Guard = g
	}
	if cfg.Schedule == nil {
		cfg.Schedule = []time.Duration{
			5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour,
			20 * time.Hour, 24 * time.Hour,
		}
	}
	if cfg.Health == nil {
		cfg.Health = &delivery.Health{}
	}
	or(&cfg.Kind, Kind)
	or(&cfg.Jitter, 1)
	or(&cfg.Timeout, 20*time.Second)
	or(&cfg.BodyTimeout, 5*time.Second)
	or(&cfg.Overlap, 24*time.Hour)
	or(&cfg.Keep, 7*24*time.Hour)
	or(&cfg.Refresh, time.Second)
	or(&cfg.Most, 500)
	or(&cfg.UserAgent, "Renkei-Webhooks/1.0")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Stamp == nil {
		cfg.Stamp = cfg.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Service{
		cfg: cfg, transport: cfg.Guard.Transport(), tracer: telemetry.Tracer(cfg.Tracer, scope),
		cache: cache{refresh: cfg.Refresh}, noted: throttle{every: cfg.Refresh},
	}, nil
}

func or[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// DeliveryKind is how a delivery.Engine sends webhooks: register it under Config.Kind.
func (s *Service) DeliveryKind() delivery.Kind {
	return delivery.Kind{
		Sender: delivery.SenderFunc(s.send), Schedule: s.cfg.Schedule, Policy: retry.Policy{Jitter: s.cfg.Jitter},
		Health: s.cfg.Health, OnWarning: s.warned, Ordered: s.cfg.Ordered, Done: s.done,
	}
}

// Sweep forgets up to limit events of the Log that are older than Keep, and says how many.
func (s *Service) Sweep(ctx context.Context, limit int) (int, error) {
	if s.cfg.Log == nil {
		return 0, nil
	}
	return s.cfg.Log.PruneLog(ctx, s.now().Add(-s.cfg.Keep), limit)
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) scope(t identity.TenantID) Scope { return Scope{t, s.cfg.Kind} }

// Subscribe adds a subscription for by.Tenant and returns it with its Secret, which is not shown again. It uses URL,
// Events, Description, Owner, Headers, Limit and Secret. It asks no name server, so that it may join a transaction: whether the
// URL's host is public is judged when it is dialled. It returns the Guard's errors, ErrPattern, ErrHeader, ErrSecret,
// ErrTooMany or a fault with code Invalid.
func (s *Service) Subscribe(ctx context.Context, by identity.Principal, in Subscription) (Subscription, error) {
	if by.Tenant == "" {
		return Subscription{}, fault.InvalidField("tenant", "is required")
	}
	in, err := s.cfg.validate(in)
	if err != nil {
		return Subscription{}, err
	}
	if in.Secret.IsZero() {
		in.Secret = NewSecret()
	}
	if _, err := parseSecret(in.Secret.Reveal()); err != nil {
		return Subscription{}, ErrSecret.WithField("secret", "is not valid")
	}
	now := s.now()
	out := Subscription{
		ID: s.cfg.NewID(), Tenant: by.Tenant, URL: in.URL, Events: in.Events, Description: in.Description, Owner: in.Owner,
		Headers: in.Headers, Limit: in.Limit, State: Active, CreatedBy: by.Actor, CreatedAt: now, UpdatedAt: now,
	}
	sealed, err := s.seal(out, sealedPart{Secrets: []datedSecret{{Text: in.Secret.Reveal()}}, Headers: reveal(in.Headers)})
	if err != nil {
		return Subscription{}, err
	}
	err = s.change(ctx, by, "webhook_subscribe", out.ID, func(ctx context.Context) (err error) {
		out.Number, err = s.cfg.Store.Insert(ctx, Stored{Subscription: out, Kind: s.cfg.Kind, Sealed: sealed}, s.cfg.Most)
		if err != nil || in.Limit == (delivery.Limit{}) {
			return err
		}
		return s.cfg.Deliveries.SetLimit(ctx, by.Tenant, out.ID, in.Limit)
	})
	out.Secret, out.Headers = in.Secret, masked(in.Headers)
	if err != nil {
		return Subscription{}, err
	}
	return out, nil
}

// change runs fn with an entry in the audit trail in one transaction, and makes the caches forget.
func (s *Service) change(ctx context.Context, by identity.Principal, action, id string, fn func(ctx context.Context) error) error {
	s.cache.forget(by.Tenant)
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		s.cfg.Store.AfterCommit(ctx, func() { s.cache.forget(by.Tenant) })
		if s.cfg.Audit == nil {
			return nil
		}
		return s.cfg.Audit.Record(ctx, audit.By(by, action, "webhook.subscription", id))
	})
}

// Change is what Update changes; nil leaves it as it is.
type Change struct {
	URL         *string
	Events      []string
	Description *string
	Owner       *string
	Headers     map[string]secret.String // all of them; empty and not nil: none
	Limit       *delivery.Limit          // zero: none
}

// Update changes a subscription and returns it. Deliveries that wait go to the new URL. It returns ErrUnknown and what
// Subscribe returns.
func (s *Service) Update(ctx context.Context, by identity.Principal, id string, c Change) (Subscription, error) {
	var out Stored
	err := s.change(ctx, by, "webhook_update", id, func(ctx context.Context) error {
		old, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id)
		if err != nil {
			return err
		}
		part, err := s.unseal(old)
		if err != nil {
			return err
		}
		next := old.Subscription
		set(&next.URL, c.URL)
		set(&next.Description, c.Description)
		set(&next.Owner, c.Owner)
		if c.Events != nil {
			next.Events = c.Events
		}
		next.Headers = c.Headers
		set(&next.Limit, c.Limit)
		if next, err = s.cfg.validate(next); err != nil {
			return err
		}
		if c.Headers != nil {
			part.Headers = reveal(next.Headers)
		}
		next.UpdatedAt = s.now()
		out = Stored{Subscription: next, Kind: old.Kind}
		if out.Sealed, err = s.seal(next, part); err != nil {
			return err
		}
		if err := s.cfg.Store.Update(ctx, out); err != nil || c.Limit == nil {
			return err
		}
		return s.cfg.Deliveries.SetLimit(ctx, by.Tenant, id, *c.Limit)
	})
	if err != nil {
		return Subscription{}, err
	}
	return s.shown(ctx, out)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// Get returns a subscription, or ErrUnknown.
func (s *Service) Get(ctx context.Context, by identity.Principal, id string) (Subscription, error) {
	st, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id)
	if err != nil {
		return Subscription{}, err
	}
	return s.shown(ctx, st)
}

// List returns subscriptions, oldest first. A URL to filter by is brought into the form in which URLs are stored. It
// returns page.ErrBadCursor.
func (s *Service) List(ctx context.Context, by identity.Principal, f Filter, p page.Request) (page.Page[Subscription], error) {
	if u, err := s.cfg.Guard.CheckURL(f.URL); err == nil {
		f.URL = u.String()
	}
	cut, err := s.cfg.Store.List(ctx, s.scope(by.Tenant), f, p)
	if err != nil {
		return page.Page[Subscription]{}, err
	}
	health, err := s.cfg.Deliveries.Destinations(ctx, by.Tenant)
	if err != nil {
		return page.Page[Subscription]{}, err
	}
	of := make(map[string]delivery.Destination, len(health))
	for _, d := range health {
		of[d.Lane.Destination] = d
	}
	out := page.Page[Subscription]{Items: make([]Subscription, len(cut.Items)), Next: cut.Next}
	for i, st := range cut.Items {
		if out.Items[i], err = s.show(st, of[st.ID]); err != nil {
			return page.Page[Subscription]{}, err
		}
	}
	return out, nil
}
