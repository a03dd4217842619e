package calendar

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Get returns an event that the caller sees in full, else ErrNotFound: a BUSY_ONLY event of others has no id. A proxy
// without any delegation gets ErrNotDelegated.
func (s *Service) Get(ctx context.Context, by identity.Principal, id string) (View, error) {
	if err := s.may(ctx, by, "", ActionView, id); err != nil {
		return View{}, err
	}
	ev, err := s.store.Event(ctx, by.Tenant, id)
	if err != nil {
		return View{}, err
	}
	viewer, err := s.viewer(ctx, by, ev)
	if err != nil {
		return View{}, err
	}
	view, _ := ViewOf(ev, viewer)
	if !view.Full {
		return View{}, ErrNotFound
	}
	return view, s.auditViews(ctx, by, view)
}

// Filter selects events; empty fields select all. From and To select what overlaps [From, To).
type Filter struct {
	OwnerID    string // whose calendar; default: the caller's own, unless ResourceID is given
	ResourceID string // with OwnerID: both
	Status     Status // default: all but Cancelled
	From, To   time.Time
}

// place is where a page ends: at a time, after so many that begin then. It holds no id, because the last item may be one
// whose id the caller must not know.
type place struct {
	Start int64 `json:"t"` // microseconds
	Seen  int   `json:"n"`
}

// List returns the events of a calendar or of a resource as the caller may see them, ordered by start. What hides its
// status or resource from the caller does not answer to a filter by it. It returns fault.Invalid with fields,
// page.ErrBadCursor, or ErrNotDelegated for a proxy without any delegation.
func (s *Service) List(ctx context.Context, by identity.Principal, f Filter, p page.Request) (page.Page[View], error) {
	none := page.Page[View]{}
	if err := s.may(ctx, by, "", ActionView, ""); err != nil {
		return none, err
	}
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return none, fault.InvalidField("to", "must be after from")
	}
	switch f.Status {
	case "", Pending, Confirmed, Cancelled:
	default:
		return none, fault.InvalidField("status", "must be one of PENDING, CONFIRMED, CANCELLED")
	}
	if f.OwnerID == "" && f.ResourceID == "" {
		f.OwnerID = by.User()
	}
	const scope = "events"
	var from place
	resumed, err := page.Decode(scope, p.Cursor, &from)
	if err != nil {
		return none, err
	}
	q := Query{OwnerID: f.OwnerID, ResourceID: f.ResourceID, Status: f.Status, From: stored(f.From), To: stored(f.To), Limit: p.Size() + 1}
	skip := 0
	if resumed {
		q.AfterStart, skip = time.UnixMicro(from.Start).UTC(), from.Seen
	}
	start := q.AfterStart
	narrow := f.Status != "" || f.ResourceID != ""
	views := make([]View, 0, q.Limit)
	for {
		events, err := s.store.List(ctx, by.Tenant, q)
		if err != nil {
			return none, err
		}
		viewer, err := s.viewer(ctx, by, events...)
		if err != nil {
			return none, err
		}
		for _, ev := range events {
			view, ok := ViewOf(ev, viewer)
			if !ok || narrow && !view.Full {
				continue
			}
			if skip > 0 && ev.Start.Equal(start) {
				skip--
				continue
			}
			views = append(views, view)
		}
		if len(events) < q.Limit || len(views) > p.Size() {
			break
		}
		last := events[len(events)-1]
		q.AfterStart, q.AfterID = last.Start, last.ID
		q.Limit = page.MaxLimit + 1 // much is hidden: a small page must not ask for it bit by bit
	}
	out := page.Page[View]{Items: views}
	if len(views) > p.Size() {
		out.Items = views[:p.Size()]
		out.Next = page.Encode(scope, ended(out.Items, from))
	}
	return out, s.auditViews(ctx, by, out.Items...)
}

// ended is the place after the last of views, of which the page before ended at from.
func ended(views []View, from place) place {
	last := views[len(views)-1].Start
	to := place{Start: last.UnixMicro()}
	for i := len(views) - 1; i >= 0 && views[i].Start.Equal(last); i-- {
		to.Seen++
	}
	if to.Start == from.Start {
		to.Seen += from.Seen
	}
	return to
}
