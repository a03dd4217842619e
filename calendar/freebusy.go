package calendar

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// maxBusyUsers caps the people of one free/busy question.
const maxBusyUsers = 100

// Busy is when a person is busy: disjoint spans in order.
type Busy struct {
	UserID string
	Busy   []Span
}

// FreeBusy tells, for each user in the order given, when they are busy in [from, to), as far as the caller may know: the
// time of a PRIVATE event looks free to others. Somebody unknown is never busy. It returns fault.Invalid with fields for
// more than 100 users or 366 days, or ErrNotDelegated for a proxy without any delegation.
func (s *Service) FreeBusy(ctx context.Context, by identity.Principal, users []string, from, to time.Time) ([]Busy, error) {
	if err := s.may(ctx, by, "", ActionView, ""); err != nil {
		return nil, err
	}
	from, to = stored(from), stored(to)
	if err := window(from, to); err != nil {
		return nil, err
	}
	if len(users) == 0 || len(users) > maxBusyUsers {
		return nil, fault.InvalidField("users", "must name 1 to 100 people")
	}
	occurrences, err := s.store.Busy(ctx, by.Tenant, users, from, to)
	if err != nil {
		return nil, err
	}
	events := make([]Event, len(occurrences))
	for i, o := range occurrences {
		events[i] = o.Event
	}
	viewer, err := s.viewer(ctx, by, events...)
	if err != nil {
		return nil, err
	}
	spans := make(map[string][]Span, len(users))
	for _, o := range occurrences {
		if view, ok := ViewOf(o.Event, viewer); ok {
			spans[o.OwnerID] = append(spans[o.OwnerID], Span{view.Start, view.End})
		}
	}
	busy := make([]Busy, len(users))
	for i, user := range users {
		busy[i] = Busy{UserID: user, Busy: merge(spans[user], from, to)}
	}
	return busy, nil
}

// window refuses a time that is no range of at most LongestEvent.
func window(from, to time.Time) error {
	switch {
	case from.IsZero() || from.Before(earliest):
		return fault.InvalidField("from", "is required")
	case to.IsZero() || !from.Before(to):
		return fault.InvalidField("to", "must be after from")
	case to.Sub(from) > LongestEvent:
		return fault.InvalidField("to", "must be at most 366 days after from")
	}
	return nil
}

// merge joins what touches or overlaps, cut to [from, to), so that the spans do not tell how many events they are.
func merge(spans []Span, from, to time.Time) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	merged := []Span{}
	for _, s := range spans {
		if s.Start.Before(from) {
			s.Start = from
		}
		if s.End.After(to) {
			s.End = to
		}
		if n := len(merged); n > 0 && !s.Start.After(merged[n-1].End) {
			if s.End.After(merged[n-1].End) {
				merged[n-1].End = s.End
			}
			continue
		}
		merged = append(merged, s)
	}
	return merged
}
