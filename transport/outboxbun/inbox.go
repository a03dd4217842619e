package outboxbun

import (
	"context"
	"database/sql"
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
	inserted, err := s.mark(ctx, handler, sorted)
	if err != nil {
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

var markAll = sqldb.NewStatement(`INSERT INTO transport_inbox (handler, event_id, handled_at)
SELECT CAST(? AS text), id, CAST(? AS timestamptz) FROM unnest(CAST(? AS text[])) AS id ON CONFLICT DO NOTHING RETURNING event_id`)

// mark returns the ids that were not there.
func (s *Store) mark(ctx context.Context, handler string, ids []string) (inserted []string, err error) {
	now := sqldb.At(s.db.Clock())
	var rows *sql.Rows
	if s.db.IsPostgres() {
		rows, err = s.db.Query(ctx, markAll, handler, now, ids)
	} else {
		var q strings.Builder
		q.WriteString("INSERT INTO transport_inbox (handler, event_id, handled_at) VALUES ")
		values(&q, "(?, ?, ?)", len(ids))
		q.WriteString(" ON CONFLICT DO NOTHING RETURNING event_id")
		args := make([]any, 0, 3*len(ids))
		for _, id := range ids {
			args = append(args, handler, id, now)
		}
		rows, err = s.db.IDB(ctx).QueryContext(ctx, q.String(), args...)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		inserted = append(inserted, id)
	}
	return inserted, rows.Err()
}

// PruneInbox implements transport.Inbox.
func (s *Store) PruneInbox(ctx context.Context, keep time.Duration, limit int) (int, error) {
	return s.prune(ctx, "DELETE FROM transport_inbox WHERE (handler, event_id) IN (SELECT handler, event_id FROM transport_inbox WHERE handled_at < ? ORDER BY handled_at LIMIT ?)", keep, limit)
}
