package deliverybun

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/renkei-go/renkei/transport/delivery"
)

// floors spare searches the walk over what has left the queue when PostgreSQL cannot vacuum it: a backup, like any
// transaction that stays open, keeps in the indexes all that was there when it began, be it a million rows.
//
// While a search of the whole queue is quick it is made each time, and nothing is kept here. When one is slow the next
// waits for some twenty times as long, and meanwhile only the lanes that are known are searched, each from its first place
// on. What comes below that, by a clock that is behind or a slow commit, is found by the next search of the whole.
type floors struct {
	worth time.Duration // a search that takes longer is spared

	mu    sync.Mutex
	lanes map[string]time.Time // that are known, and when their first places are due; nil: nothing is spared
	next  time.Time            // search of the whole
}

const (
	worthSparing = 20 * time.Millisecond
	sparing      = 20 // a search of the whole may take a twentieth of the time
)

// known returns the lanes after the given one and their first places, nil when nothing is spared, or that it is time to
// search the whole.
func (f *floors) known(after string) (lanes []string, from []time.Time, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lanes == nil {
		return nil, nil, false
	}
	if !time.Now().Before(f.next) {
		return nil, nil, true
	}
	lanes = []string{} // not nil
	for _, name := range slices.Sorted(maps.Keys(f.lanes)) {
		if name > after {
			lanes, from = append(lanes, name), append(from, f.lanes[name])
		}
	}
	return lanes, from, false
}

// took begins to spare when a search took long: the next is one of the whole.
func (f *floors) took(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d >= f.worth && f.lanes == nil {
		f.lanes, f.next = map[string]time.Time{}, time.Time{}
	}
}

// searched takes down what a search of the whole has found, and how long it took.
func (f *floors) searched(found []delivery.Waiting, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lanes = nil; took < f.worth {
		return
	}
	f.lanes, f.next = make(map[string]time.Time, len(found)), time.Now().Add(sparing*took)
	for _, w := range found {
		f.lanes[lane(w.Lane)] = beginning // to see what has come below the first place that was known
	}
}

// beginning is before anything is due.
var beginning = time.Unix(0, 0).UTC()

// came makes the lanes of new deliveries known.
func (f *floors) came(ds []delivery.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lanes == nil {
		return
	}
	for _, d := range ds {
		if name := lane(d.Lane()); f.lanes[name].IsZero() {
			f.lanes[name] = beginning
		}
	}
}

// from returns where to search each lane from, and whether it is worth while to look where their first places are now.
func (f *floors) from(lanes []string) (from []time.Time, raise bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from = make([]time.Time, len(lanes))
	for i, name := range lanes {
		if from[i] = f.lanes[name]; from[i].IsZero() {
			from[i] = beginning
		}
	}
	return from, f.lanes != nil
}

// raise notes where the first place of a lane is.
func (f *floors) raise(name string, first time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lanes != nil && first.After(f.lanes[name]) {
		f.lanes[name] = first
	}
}
