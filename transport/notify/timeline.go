package notify

import (
	"context"
	"slices"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport/delivery"
)

// Get returns a notice with its timeline, or ErrUnknown.
func (s *Service) Get(ctx context.Context, tenant identity.TenantID, id string) (Record, error) {
	n, err := s.cfg.Store.Get(ctx, tenant, id)
	if err != nil {
		return Record{}, err
	}
	records, err := s.records(ctx, tenant, []Notice{n})
	if err != nil {
		return Record{}, err
	}
	return records[0], nil
}

// List returns notices with their timelines, newest first. It returns page.ErrBadCursor.
func (s *Service) List(ctx context.Context, tenant identity.TenantID, f Filter, p page.Request) (page.Page[Record], error) {
	cut, err := s.cfg.Store.List(ctx, tenant, f, p)
	if err != nil {
		return page.Page[Record]{}, err
	}
	records, err := s.records(ctx, tenant, cut.Items)
	return page.Page[Record]{Items: records, Next: cut.Next}, err
}

func (s *Service) records(ctx context.Context, tenant identity.TenantID, ns []Notice) ([]Record, error) {
	out := make([]Record, len(ns))
	var ids []string
	about := map[string][]int{} // by notice id: itself, and those that it carried
	for i, n := range ns {
		out[i].Notice = n
		for _, id := range []string{n.ID, n.DigestID} {
			if id == "" || slices.Contains(about[id], i) {
				continue
			}
			if about[id] == nil {
				ids = append(ids, id)
			}
			about[id] = append(about[id], i)
		}
	}
	sent, err := s.cfg.Deliveries.History(ctx, tenant, Kind, ids...)
	if err != nil {
		return nil, err
	}
	for _, d := range sent {
		for _, i := range about[d.EventID] {
			out[i].add(d)
		}
	}
	return out, nil
}

// add adds what a delivery shows of the notice: its own delivery, or the one that carried it.
func (r *Record) add(d delivery.Record) {
	own := d.EventID == r.ID
	if !own && d.Destination != r.Channel {
		return
	}
	for _, a := range d.History {
		// One that found nothing left to do, since another delivery did it, is no attempt.
		if a.State != delivery.Cancelled || own && r.State == Obsolete {
			r.Attempts = append(r.Attempts, Attempt{Channel: d.Destination, Attempt: a})
		}
	}
	if own && !d.State.Final() && r.State == Pending && d.Destination == r.Channel {
		r.NextRetry = d.NextAttemptAt
	}
}

// PruneLedger deletes up to limit rows of the suppression ledger that suppress nothing any more, and says how many.
func (s *Service) PruneLedger(ctx context.Context, limit int) (int, error) {
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return 0, err
	}
	return s.cfg.Store.PruneLedger(ctx, now.Add(-s.cfg.Window), limit)
}

// Sweep deletes what is kept no longer: up to limit rows of the suppression ledger (see PruneLedger), then finished
// notices older than Keep until limit is reached. It says how many it deleted; call it again while that is limit. Any
// number of nodes may.
func (s *Service) Sweep(ctx context.Context, limit int) (int, error) {
	rows, err := s.PruneLedger(ctx, limit)
	if err != nil || rows >= limit || s.cfg.Keep < 0 {
		return rows, err
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return rows, err
	}
	notices, err := s.cfg.Store.PruneNotices(ctx, now.Add(-s.cfg.Keep), limit-rows)
	return rows + notices, err
}
