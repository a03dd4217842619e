package outboxbun

import (
	"context"
	"sync"
	"time"
)

// floor is the position below which everything was sent, so that a claim need not walk over what PostgreSQL has not
// vacuumed out of its index yet: a minute's worth of events.
//
// A transaction draws its positions after it got its number. So who had drawn one and was not committed at a look has a
// lower number than the next that was to be given then, and once all of those have ended nobody can come below the first
// unsent event of that look any more. A transaction that takes longer than patience is not waited for: its events are
// found by looking from the very beginning, but may come behind later ones of their subject.
type floor struct {
	mu     sync.Mutex
	looked time.Time
	below  int64
	looks  []look // those that may still have transactions open, oldest first
	missed int64  // transactions below this number were not waited for
}

// look is what was seen at a time.
type look struct {
	at           time.Time
	first        int64 // unsent position; 0: none
	oldest, next int64 // number of a transaction: of those still open, and to be given
}

const (
	lookEvery = time.Second
	patience  = 30 * time.Second
)

// from returns where to claim from. Now and then it asks see for the first unsent event from a position on.
func (f *floor) from(ctx context.Context, see func(ctx context.Context, from int64) (look, error)) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Sub(f.looked) < lookEvery {
		return f.below, nil
	}
	from := f.below
	if f.missed > 0 {
		from = 0
	}
	seen, err := see(ctx, from)
	if err != nil {
		return 0, err
	}
	f.looked = now
	if seen.oldest >= f.missed {
		f.missed = 0
	}
	for len(f.looks) > 0 && (seen.oldest >= f.looks[0].next || now.Sub(f.looks[0].at) > patience) {
		if done := f.looks[0]; seen.oldest < done.next {
			f.missed = done.next
		}
		f.below = f.looks[0].first
		f.looks = f.looks[1:]
	}
	if seen.first > 0 { // otherwise there is nothing to learn
		f.below = min(f.below, seen.first)
		seen.at = now
		f.looks = append(f.looks, seen)
	}
	return min(from, f.below), nil
}
