package web

import (
	"errors"
	"log/slog"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/telemetry"
)

// Config is what Use adds to an API. The zero value serves public operations only.
type Config struct {
	// Authenticate says who is asking. Nil: nobody is known, and every operation but public ones answers 401.
	Authenticate Authenticator
	// ActAs decides on the header X-Act-As-User. Nil: the header is refused with ErrActAs.
	ActAs ActAs
	// Idempotency keeps the answers to POST requests with an Idempotency-Key. Nil: the header means nothing.
	Idempotency IdempotencyStore
	// IdempotencyKeep is how long an answer is replayed. Default 24 hours.
	IdempotencyKeep time.Duration
	// IdempotencyLease is how long an unanswered request blocks its key, should its process die. It must be longer than
	// any handler takes. Default 1 minute.
	IdempotencyLease time.Duration
	// RateLimit caps requests per caller. The zero value is off.
	RateLimit RateLimit
	// Logger gets a line per request: Error with the cause for 5xx, else Info. Default slog.Default(). Unused under
	// Server, which logs itself.
	Logger *slog.Logger
	// Now is the clock of durations in the log and of the rate limit. Default time.Now.
	Now func() time.Time
	// NewID makes request ids and lease tokens. Default UUIDv7.
	NewID func() string
	// Tracer gets a span per request, in the caller's trace if it names one (traceparent). Default none.
	Tracer trace.TracerProvider
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var all []error
	if c.IdempotencyKeep < 0 || c.IdempotencyLease < 0 {
		all = append(all, errors.New("web: the times for idempotency keys cannot be negative"))
	}
	return errors.Join(append(all, c.RateLimit.validate())...)
}

// middleware is a Config with its defaults filled in.
type middleware struct {
	Config
	limiter *limiter // nil: off
	tracer  trace.Tracer
}

const (
	defaultKeep  = 24 * time.Hour
	defaultLease = time.Minute
)

// Use adds the middleware of package web to an API made with HumaConfig, on whatever adapter. Call it before any
// operation is registered, because huma fixes an operation's middleware then. It panics when cfg is not valid, as huma
// does at registration.
func Use(api huma.API, cfg Config) {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg.Logger, cfg.Now, cfg.NewID = defaults(cfg.Logger, cfg.Now, cfg.NewID)
	if cfg.IdempotencyKeep == 0 {
		cfg.IdempotencyKeep = defaultKeep
	}
	if cfg.IdempotencyLease == 0 {
		cfg.IdempotencyLease = defaultLease
	}
	m := &middleware{Config: cfg, limiter: newLimiter(cfg.RateLimit, cfg.Now), tracer: telemetry.Tracer(cfg.Tracer, scope)}
	api.UseMiddleware(m.exchange, m.traced, m.addressText, m.authenticate, m.limit, m.actAs, m.readBody, m.idempotent)
}

func defaults(logger *slog.Logger, now func() time.Time, newID func() string) (*slog.Logger, func() time.Time, func() string) {
	if logger == nil {
		logger = slog.Default()
	}
	if now == nil {
		now = time.Now
	}
	if newID == nil {
		newID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return logger, now, newID
}

// exchange is the outermost: request id, security headers, recovery, access log.
func (m *middleware) exchange(ctx huma.Context, next func(huma.Context)) {
	x := exchangeIn(ctx.Context())
	outer := x != nil // under Server, which logs
	if !outer {
		x = &exchange{start: m.Now()}
		ctx = huma.WithContext(ctx, withExchange(ctx.Context(), x))
	}
	x.matched, x.route = true, operationName(ctx.Operation())
	id := identity.RequestID(ctx.Context())
	if id == "" {
		if id = ctx.Header(HeaderRequestID); !validRequestID(id) {
			id = m.NewID()
		}
		ctx = huma.WithContext(ctx, identity.WithRequestID(ctx.Context(), id))
	}
	ctx.SetHeader(HeaderRequestID, id)
	for _, h := range apiHeaders {
		ctx.SetHeader(h.name, h.value)
	}
	defer func() {
		if v := recover(); v != nil {
			x.panicked(v)
			if ctx.Status() != 0 {
				x.abort = true
			} else if !x.abort {
				ProblemOf(x.cause).write(ctx)
			}
		}
		if !outer {
			x.log(ctx.Context(), m.Logger, ctx.Method(), ctx.Status(), m.Now())
		}
		x.end()
	}()
	next(ctx)
}
