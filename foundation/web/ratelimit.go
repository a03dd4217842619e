package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/throttled/throttled/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// RateLimit caps how often a caller may ask, by the generic cell rate algorithm (ITU-T I.371 annex A). Answers carry
// RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers); a refusal is 429 with Retry-After. Callers are
// told apart by tenant and actor, or by address while they are unknown.
type RateLimit struct {
	Requests int           // per Window; 0: off
	Window   time.Duration // default 1 minute
	Burst    int           // how many may come at once; default Requests
	// Key tells callers apart another way; p is empty while the caller is unknown. Behind a proxy it should look at the
	// client's address in a header that the proxy sets. Who gets the empty key is not limited.
	Key func(r Request, p identity.Principal) string
	// Store keeps the counts. Default: MemoryStore; several nodes then count apart.
	Store throttled.GCRAStoreCtx
}

func (r RateLimit) validate() error {
	if r.Requests < 0 || r.Window < 0 || r.Burst < 0 {
		return errors.New("web: a rate limit cannot be negative")
	}
	if r.Requests > 0 && r.Window > 0 && r.Window/time.Duration(r.Requests) <= 0 {
		return errors.New("web: a rate limit cannot be finer than a nanosecond")
	}
	return nil
}

type limiter struct {
	gcra   *throttled.GCRARateLimiterCtx
	key    func(Request, identity.Principal) string
	policy string
}

func newLimiter(cfg RateLimit, now func() time.Time) *limiter {
	if cfg.Requests == 0 {
		return nil
	}
	if cfg.Window == 0 {
		cfg.Window = time.Minute
	}
	if cfg.Burst == 0 {
		cfg.Burst = cfg.Requests
	}
	if cfg.Key == nil {
		cfg.Key = callerKey
	}
	if cfg.Store == nil {
		cfg.Store = MemoryStore(now)
	}
	gcra, err := throttled.NewGCRARateLimiterCtx(cfg.Store,
		throttled.RateQuota{MaxRate: throttled.PerDuration(cfg.Requests, cfg.Window), MaxBurst: cfg.Burst - 1})
	if err != nil {
		panic(err) // excluded by validate
	}
	policy := fmt.Sprintf(`"default";q=%d;w=%d`, cfg.Requests, int(math.Ceil(cfg.Window.Seconds())))
	return &limiter{gcra: gcra, key: cfg.Key, policy: policy}
}

func callerKey(r Request, p identity.Principal) string {
	if p.Actor != "" {
		return "p\x00" + string(p.Tenant) + "\x00" + p.Actor
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr())
	if err != nil {
		host = r.RemoteAddr()
	}
	return "a\x00" + host
}

func (m *middleware) limit(ctx huma.Context, next func(huma.Context)) {
	var by *identity.Principal
	if p, ok := PrincipalIn(ctx.Context()); ok {
		by = &p
	}
	if m.admit(ctx, by) {
		next(ctx)
	}
}

// admit counts the request and says whether it may go on; if not, it has answered. A store that does not answer admits:
// a limit is no reason to be down.
func (m *middleware) admit(ctx huma.Context, by *identity.Principal) bool {
	if m.limiter == nil {
		return true
	}
	var p identity.Principal
	if by != nil {
		p = *by
	}
	refused, err := m.limiter.count(ctx.Context(), ctx, p, ctx.SetHeader)
	if err != nil {
		m.Logger.WarnContext(ctx.Context(), "the rate limit's store does not answer", "error", err)
	}
	if refused != nil {
		ProblemOf(refused).write(ctx)
	}
	return refused == nil
}

// count counts a request and returns ErrRateLimited with retry_after if it is one too many. An error of the store comes
// apart, for the log.
func (l *limiter) count(ctx context.Context, r Request, p identity.Principal, setHeader func(name, value string)) (*fault.Error, error) {
	key := l.key(r, p)
	if key == "" {
		return nil, nil
	}
	limited, state, err := l.gcra.RateLimitCtx(ctx, key, 1)
	if err != nil {
		return nil, err
	}
	setHeader("RateLimit-Policy", l.policy)
	setHeader("RateLimit", `"default";r=`+strconv.Itoa(max(state.Remaining, 0))+";t="+strconv.Itoa(int(math.Ceil(state.ResetAfter.Seconds()))))
	if !limited {
		return nil, nil
	}
	return ErrRateLimited.With("retry_after", max(1, int(math.Ceil(state.RetryAfter.Seconds())))), nil
}

// Limiter applies a RateLimit to plain handlers, which Use does not reach. With the same Store and Key both count
// together. It is safe for concurrent use.
type Limiter struct {
	limiter *limiter // nil: off
	logger  *slog.Logger
}

// NewLimiter makes a Limiter. now is the clock of its MemoryStore, nil for time.Now. It fails when cfg is not valid.
func NewLimiter(cfg RateLimit, logger *slog.Logger, now func() time.Time) (*Limiter, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	logger, now, _ = defaults(logger, now, nil)
	return &Limiter{newLimiter(cfg, now), logger}, nil
}

// Admit counts a request, sets the headers of the limit, and says whether it may go on; if not, it returns
// ErrRateLimited with the detail retry_after in seconds, and has set Retry-After. A nil Limiter admits everything.
func (l *Limiter) Admit(w http.ResponseWriter, r *http.Request, p identity.Principal) error {
	if l == nil || l.limiter == nil {
		return nil
	}
	refused, err := l.limiter.count(r.Context(), FromHTTP(r), p, w.Header().Set)
	if err != nil {
		l.logger.WarnContext(r.Context(), "the rate limit's store does not answer", "error", err)
	}
	if refused == nil {
		return nil
	}
	w.Header().Set("Retry-After", strconv.Itoa(seconds(refused.Details["retry_after"])))
	return refused
}

// MemoryStore keeps the counts of rate limits in this process, for at most 100,000 callers.
func MemoryStore(now func() time.Time) throttled.GCRAStoreCtx {
	return &memory{now: now, cells: map[string]cell{}}
}

const maxCells = 100_000

type cell struct {
	value   int64
	expires time.Time
}

// memory is a throttled.GCRAStoreCtx with a cap.
type memory struct {
	now   func() time.Time
	mu    sync.Mutex
	cells map[string]cell
}

var _ throttled.GCRAStoreCtx = (*memory)(nil)

func (m *memory) GetWithTime(_ context.Context, key string) (int64, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if c, ok := m.live(key, now); ok {
		return c.value, now, nil
	}
	return -1, now, nil
}

func (m *memory) SetIfNotExistsWithTTL(_ context.Context, key string, value int64, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if _, ok := m.live(key, now); ok {
		return false, nil
	}
	if len(m.cells) >= maxCells {
		m.makeRoom(now)
	}
	m.cells[key] = cell{value, now.Add(ttl)}
	return true, nil
}

func (m *memory) CompareAndSwapWithTTL(_ context.Context, key string, old, value int64, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if c, ok := m.live(key, now); !ok || c.value != old {
		return false, nil
	}
	m.cells[key] = cell{value, now.Add(ttl)}
	return true, nil
}

func (m *memory) live(key string, now time.Time) (cell, bool) {
	c, ok := m.cells[key]
	return c, ok && now.Before(c.expires)
}

// makeRoom drops what has expired; under a flood of new callers also some that have not.
func (m *memory) makeRoom(now time.Time) {
	for key, c := range m.cells {
		if !now.Before(c.expires) {
			delete(m.cells, key)
		}
	}
	for key := range m.cells {
		if len(m.cells) < maxCells*9/10 {
			return
		}
		delete(m.cells, key)
	}
}

// RetryAfter returns err, a fault, with what becomes the Retry-After header.
func RetryAfter(err *fault.Error, wait time.Duration) *fault.Error {
	return err.With("retry_after", int(math.Ceil(wait.Seconds())))
}
