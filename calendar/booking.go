package calendar

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/page"
)

const maxAlternatives = 3

// shifts are the other times that a conflict proposes, nearest first.
var shifts = [...]time.Duration{30 * time.Minute, -30 * time.Minute, time.Hour, -time.Hour}

// conflict makes the error for an event whose resources are taken. It looks at holdings only, which know no event's
// text, and runs after the failed transaction, so that nobody waits for it.
func (s *Service) conflict(ctx context.Context, ev Event, wanted []Resource) error {
	all, err := s.store.ListResources(ctx, ev.Tenant, "", page.Request{Limit: page.MaxLimit})
	if err != nil {
		return err
	}
	var ids []string
	for _, r := range slices.Concat(wanted, all.Items) {
		if !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	reach := shifts[2] + longestBuffer(wanted, all.Items)
	held, err := s.store.Holdings(ctx, ev.Tenant, ids, ev.Start.Add(-reach), ev.End.Add(reach))
	if err != nil {
		return err
	}
	b := board{held: held, except: ev.ID}
	return newResourceConflict(b.alternatives(ev, wanted, all.Items, s.now()))
}

func longestBuffer(lists ...[]Resource) time.Duration {
	var longest time.Duration
	for _, r := range slices.Concat(lists...) {
		longest = max(longest, r.Buffer)
	}
	return longest
}

// board is what is taken around a conflict.
type board struct {
	held   []Holding
	except string // the event that asks: what it holds itself is not in its way
}

func (b board) free(r Resource, start, end time.Time) bool {
	end = end.Add(r.Buffer)
	return !slices.ContainsFunc(b.held, func(h Holding) bool {
		return h.ResourceID == r.ID && h.EventID != b.except && h.Start.Before(end) && start.Before(h.End)
	})
}

// alternatives proposes for the first resource that is taken: like ones at the same time, of which one place is kept for
// the same one at another time, at which everything else that is wanted is free too.
func (b board) alternatives(ev Event, wanted, all []Resource, now time.Time) []Slot {
	slices.SortFunc(wanted, func(a, b Resource) int { return strings.Compare(a.ID, b.ID) })
	i := slices.IndexFunc(wanted, func(r Resource) bool { return !b.free(r, ev.Start, ev.End) })
	if i < 0 {
		return nil // it has become free meanwhile: try again
	}
	taken := wanted[i]
	var alike, later []Slot
	for _, r := range all {
		isWanted := slices.ContainsFunc(wanted, func(w Resource) bool { return w.ID == r.ID })
		if !isWanted && like(taken, r) && b.free(r, ev.Start, ev.End) {
			alike = append(alike, Slot{r.ID, ev.Start, ev.End})
		}
	}
	for _, by := range shifts {
		start, end := ev.Start.Add(by), ev.End.Add(by)
		past := start.Before(now) && !ev.Start.Before(now)
		if !past && !slices.ContainsFunc(wanted, func(r Resource) bool { return !b.free(r, start, end) }) {
			later = append(later, Slot{taken.ID, start, end})
		}
	}
	if len(later) > 0 && len(alike) > maxAlternatives-1 {
		alike = alike[:maxAlternatives-1]
	}
	slots := slices.Concat(alike, later)
	return slots[:min(len(slots), maxAlternatives)]
}

// like says whether r can stand in for a resource: of its kind and no smaller.
func like(a, r Resource) bool {
	return r.Active && r.Kind == a.Kind && (r.Capacity == 0 || a.Capacity > 0 && r.Capacity >= a.Capacity)
}
