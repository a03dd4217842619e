package outboxbun

import (
	"context"
	"sync"
	"time"
)

// floor is the position below which everything was sent, so that a claim need not walk over what PostgreSQL has not
// vacuumed out of its index yet: a minute's worth of events.
//
// It is where the unsent ones began the look before the last, for a transaction may commit after others that drew higher
// positions. One that takes longer than that is found when there is nothing above, or by the next look.
type floor struct {
	mu     sync.Mutex
	looked time.Time
	below  int64 // by the look before the last
	last   int64
}

// lookEvery is how often the whole index is read.
const lookEvery = time.Second

// from returns where to claim from: at the very beginning once in a while.
func (f *floor) from(ctx context.Context, look func(context.Context) (int64, error)) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < lookEvery {
		return f.below, nil
	}
	first, err := look(ctx)
	if err != nil {
		return 0, err
	}
	f.looked = time.Now()
	if first > 0 { // otherwise there is nothing to learn
		f.below, f.last = min(f.last, first), first
	}
	return 0, nil
}
