package chat

import (
	"context"
	"sync"
	"time"
)

// Pace spaces posts out, per key and in this process: a token bucket kept as the time at which it is full again (GCRA).
// The zero Pace spaces nothing and only serves Hold. Set the fields before use; it is safe for concurrent use then.
type Pace struct {
	Every    time.Duration    // one post per Every in the long run; 0: any number
	Burst    int              // how many may go at once after a pause; default 1
	Patience time.Duration    // how long Wait waits rather than give up; default 2 seconds, negative not at all
	Now      func() time.Time // default time.Now

	mu   sync.Mutex
	full map[string]time.Time
}

// mostKeys bounds what is remembered of keys that rest.
const mostKeys = 1024

// Wait returns when a post under key may go, or a *PacedError when that is further away than Patience.
func (p *Pace) Wait(ctx context.Context, key string) error {
	wait, ok := p.reserve(key)
	if !ok {
		return &PacedError{wait}
	}
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// reserve takes the next place and says how far away it is; !ok: too far, and none was taken.
func (p *Pace) reserve(key string) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	full := p.full[key]
	if full.Before(now) {
		full = now
	}
	wait = max(full.Add(-p.slack()).Sub(now), 0)
	patience := p.Patience
	if patience == 0 {
		patience = 2 * time.Second
	}
	if wait > max(patience, 0) {
		return wait, false
	}
	p.set(key, full.Add(p.Every), now)
	return wait, true
}

// Hold lets nothing under key go for d, because the tool asked for it.
func (p *Pace) Hold(key string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if until := now.Add(d + p.slack()); until.After(p.full[key]) {
		p.set(key, until, now)
	}
}

// slack is how far ahead of time the bucket lets posts go.
func (p *Pace) slack() time.Duration { return time.Duration(max(p.Burst-1, 0)) * p.Every }

func (p *Pace) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

func (p *Pace) set(key string, full, now time.Time) {
	if p.full == nil {
		p.full = map[string]time.Time{}
	}
	if len(p.full) >= mostKeys {
		for k, t := range p.full {
			if !t.After(now) {
				delete(p.full, k)
			}
		}
	}
	p.full[key] = full
}
