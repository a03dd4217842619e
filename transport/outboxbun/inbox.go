package outboxbun

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
)

// Mark implements transport.Inbox.
func (s *Store) Mark(ctx context.Context, handler string, eventIDs ...string) ([]string, error) {
	if len(eventIDs) == 0 {
		return nil, nil
	}
	sorted := slices.Clone(eventIDs) // two transactions that share events must not wait for each other
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	args := make([]any, 0, 3*len(sorted))
	now := sqldb.At(s.db.Clock())
	for _, id := range sorted {
		args = append(args, handler, id, now)
	}
	var q strings.Builder
	q.WriteString("INSERT INTO transport_inbox (handler, event_id, handled_at) VALUES ")
	values(&q, "(?, ?, ?)", len(sorted))
	q.WriteString(" ON CONFLICT DO NOTHING RETURNING event_id")
	var inserted []string
	if err := s.db.IDB(ctx).NewRaw(q.String(), args...).Scan(ctx, &inserted); err != nil {
		return nil, sqldb.Fault(err)
	}
	isNew := make(map[string]bool, len(inserted))
	for _, id := range inserted {
		isNew[id] = true
	}
	fresh := make([]string, 0, len(inserted))
	for _, id := range eventIDs {
		if isNew[id] {
			fresh = append(fresh, id)
			delete(isNew, id)
		}
	}
	return fresh, nil
}

// PruneInbox implements transport.Inbox.
func (s *Store) PruneInbox(ctx context.Context, keep time.Duration, limit int) (int, error) {
	return s.prune(ctx, "DELETE FROM transport_inbox WHERE (handler, event_id) IN (SELECT handler, event_id FROM transport_inbox WHERE handled_at < ? ORDER BY handled_at LIMIT ?)", keep, limit)
}
