package webhook

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// cache remembers subscriptions for Config.Refresh, so that neither an event nor a delivery costs a query. What this
// process changes is forgotten at once; and for as long again nothing of that tenant is remembered, because a
// transaction that has not ended yet shows, to itself or to others, what may not be so.
type cache struct {
	refresh time.Duration
	mu      sync.Mutex
	tenants map[identity.TenantID]*cached
}

type cached struct {
	quiet   time.Time // remember nothing before
	at      time.Time // when subs was read; zero: it was not
	subs    []Subscription
	targets map[string]target
}

// target is what a delivery needs of its subscription.
type target struct {
	at     time.Time
	url    *url.URL
	header http.Header // the subscriber's
	keys   []datedKey  // the newest first
}

type datedKey struct {
	key
	until time.Time // zero: for good
}

// mostCached bounds how many tenants and targets are remembered.
const mostCached = 10000

// The cache goes by this process's own clock, which tests of Config.Now do not move.

func (c *cache) forget(tenant identity.TenantID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entry(tenant)
	*e = cached{quiet: time.Now().Add(c.refresh), targets: map[string]target{}}
}

// entry needs the lock.
func (c *cache) entry(tenant identity.TenantID) *cached {
	e := c.tenants[tenant]
	if e == nil {
		now := time.Now()
		if len(c.tenants) >= mostCached {
			for t, old := range c.tenants {
				if now.After(old.quiet) {
					delete(c.tenants, t)
				}
			}
		}
		if c.tenants == nil {
			c.tenants = map[identity.TenantID]*cached{}
		}
		e = &cached{targets: map[string]target{}}
		c.tenants[tenant] = e
	}
	return e
}

// subscriptions are those of a tenant, without secrets.
func (s *Service) subscriptions(ctx context.Context, tenant identity.TenantID) ([]Subscription, error) {
	c := &s.cache
	now := time.Now()
	c.mu.Lock()
	e := c.entry(tenant)
	subs, fresh, quiet := e.subs, !e.at.IsZero() && now.Sub(e.at) < c.refresh, e.quiet
	c.mu.Unlock()
	if fresh {
		return subs, nil
	}
	all, err := s.cfg.Store.All(ctx, s.scope(tenant))
	if err != nil {
		return nil, err
	}
	subs = make([]Subscription, len(all))
	for i, st := range all {
		subs[i] = st.Subscription
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entry(tenant); e.quiet.Equal(quiet) && now.After(quiet) { // else it changed meanwhile
		e.at, e.subs = now, subs
	}
	return subs, nil
}

// target returns where to and how to send, or ErrUnknown.
func (s *Service) target(ctx context.Context, tenant identity.TenantID, id string) (target, error) {
	c := &s.cache
	now := time.Now()
	c.mu.Lock()
	e := c.entry(tenant)
	t, quiet := e.targets[id], e.quiet
	c.mu.Unlock()
	if !t.at.IsZero() && now.Sub(t.at) < c.refresh {
		return t, nil
	}
	st, err := s.cfg.Store.Get(ctx, s.scope(tenant), id)
	if err != nil {
		return target{}, err
	}
	if t, err = s.prepare(st); err != nil {
		return target{}, err
	}
	t.at = now
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entry(tenant); e.quiet.Equal(quiet) && now.After(quiet) {
		if len(e.targets) >= mostCached {
			clear(e.targets)
		}
		e.targets[id] = t
	}
	return t, nil
}

// prepare reads what is sealed and judges the URL again: the Guard may have become stricter since it was stored.
func (s *Service) prepare(st Stored) (target, error) {
	u, err := s.cfg.Guard.CheckURL(st.URL)
	if err != nil {
		return target{}, err
	}
	part, err := s.unseal(st)
	if err != nil {
		return target{}, err
	}
	t := target{url: u, header: make(http.Header, len(part.Headers))}
	for name, value := range part.Headers {
		t.header.Set(name, value)
	}
	for _, d := range part.Secrets {
		k, err := parseSecret(d.Text)
		if err != nil {
			return target{}, err
		}
		t.keys = append(t.keys, datedKey{k, d.Until})
	}
	return t, nil
}

// valid are the keys that sign at a time.
func (t target) valid(at time.Time) []key {
	keys := make([]key, 0, len(t.keys))
	for _, k := range t.keys {
		if k.until.IsZero() || at.Before(k.until) {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// throttle lets one in per key and time.
type throttle struct {
	every time.Duration
	mu    sync.Mutex
	last  map[string]time.Time
}

func (t *throttle) pass(key string) bool {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.last[key]) < t.every {
		return false
	}
	if t.last == nil || len(t.last) >= mostCached {
		t.last = map[string]time.Time{}
	}
	t.last[key] = now
	return true
}
