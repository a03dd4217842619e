package delivery

import (
	"context"
	"sync"
	"time"
)

// clock follows the store's clock without asking it each time: the two may drift apart for a second.
type clock struct {
	mu    sync.Mutex
	at    time.Time // the store's
	asked time.Time // this process's, when it was asked; what is added to at is never too little
}

const clockAge = time.Second

// now returns the store's time, at most clockAge out of date and otherwise ahead by a round trip at most.
func (e *Engine) now(ctx context.Context) (time.Time, error) {
	e.clock.mu.Lock()
	defer e.clock.mu.Unlock()
	if age := time.Since(e.clock.asked); !e.clock.at.IsZero() && age < clockAge {
		return e.clock.at.Add(age).Truncate(time.Microsecond), nil
	}
	asked := time.Now()
	at, err := e.store.Now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	e.clock.at, e.clock.asked = at, asked
	return at, nil
}

// forget makes the next now ask.
func (c *clock) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}

// claim takes what there is room for. Lanes that are noted are asked first how much they admit, under their lock, so
// that all nodes together send one probe and no more than the limit.
func (e *Engine) claim(ctx context.Context, f found, rooms []Room, noted []Lane) taken {
	t := taken{rooms: rooms, began: f.began, now: f.now}
	c := Claim{Kinds: e.kinds, Ordered: e.ordered, Now: f.now, Until: f.now.Add(e.cfg.Lease), Token: e.cfg.Queue.newID(), Rooms: rooms}
	if len(noted) == 0 {
		t.deliveries, t.err = e.store.Claim(ctx, c)
		return t
	}
	t.err = e.store.Do(ctx, func(ctx context.Context) error {
		ds, err := e.store.LockDestinations(ctx, noted)
		if err != nil {
			return err
		}
		known := make(map[Lane]*Destination, len(ds))
		for i := range ds {
			known[ds[i].Lane] = &ds[i]
		}
		c.Rooms = t.admit(rooms, known)
		if t.deliveries, err = e.store.Claim(ctx, c); err != nil {
			return err
		}
		for _, d := range t.deliveries {
			if known := known[d.Lane()]; known != nil {
				known.took(c.Now, c.Until, 1)
			}
		}
		var changed []Destination
		for _, d := range ds {
			if d.Trips > 0 || d.Limit.PerSecond > 0 {
				changed = append(changed, d)
			}
		}
		return e.store.SaveDestinations(ctx, changed, c.Now)
	})
	return t
}

// admit returns what the destinations that are known let through.
func (t *taken) admit(rooms []Room, known map[Lane]*Destination) []Room {
	t.again, t.probes = time.Time{}, map[Lane]bool{}
	var out []Room
	for _, r := range rooms {
		if d := known[r.Lane]; d != nil {
			var again time.Time
			r.Max, again = d.admit(t.now, r.Max)
			t.probes[r.Lane] = d.Trips > 0
			if !again.IsZero() && (t.again.IsZero() || again.Before(t.again)) {
				t.again = again
			}
		}
		if r.Max > 0 {
			out = append(out, r)
		}
	}
	return out
}
