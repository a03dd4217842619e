package calendarbun

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// InsertResource implements calendar.Resources.
func (s *Store) InsertResource(ctx context.Context, r calendar.Resource) error {
	row := resourceRowOf(r)
	_, err := s.db.IDB(ctx).NewInsert().Model(&row).Exec(ctx)
	if err = sqldb.Fault(err); errors.Is(err, sqldb.ErrDuplicate) {
		return calendar.ErrDuplicate.Because(err)
	}
	return err
}

// UpdateResource implements calendar.Resources.
func (s *Store) UpdateResource(ctx context.Context, r calendar.Resource) error {
	row := resourceRowOf(r)
	res, err := s.db.IDB(ctx).NewUpdate().Model(&row).ExcludeColumn("tenant", "id").
		Where("tenant = ?", row.Tenant).Where("id = ?", row.ID).Where("version = ?", r.Version-1).Exec(ctx)
	if err != nil {
		return sqldb.Fault(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return calendar.ErrVersionMismatch
}

// Resources implements calendar.Resources.
func (s *Store) Resources(ctx context.Context, tenant identity.TenantID, ids []string) ([]calendar.Resource, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []resourceRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("id IN (?)", bun.List(ids)).
		OrderExpr("id").Scan(ctx)
	return resources(rows), sqldb.Fault(err)
}

const listing = "resources" // the scope of the cursors

// ListResources implements calendar.Resources.
func (s *Store) ListResources(ctx context.Context, tenant identity.TenantID, kind string, p page.Request) (page.Page[calendar.Resource], error) {
	var last string
	more, err := page.Decode(listing, p.Cursor, &last)
	if err != nil {
		return page.Page[calendar.Resource]{}, err
	}
	var rows []resourceRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant))
	if kind != "" {
		q = q.Where("kind = ?", kind)
	}
	if more {
		q = q.Where("id > ?", last)
	}
	if err := q.OrderExpr("id").Limit(int64(p.Size()) + 1).Scan(ctx); err != nil {
		return page.Page[calendar.Resource]{}, sqldb.Fault(err)
	}
	return page.Of(listing, resources(rows), p.Size(), func(r calendar.Resource) any { return r.ID }), nil
}

// Holdings implements calendar.Resources.
func (s *Store) Holdings(ctx context.Context, tenant identity.TenantID, resourceIDs []string, from, to time.Time) ([]calendar.Holding, error) {
	if len(resourceIDs) == 0 {
		return nil, nil
	}
	ids := slices.Compact(slices.Sorted(slices.Values(resourceIDs)))
	var values []any
	for _, id := range ids {
		values = append(values, id)
	}
	list := "(?)" + strings.Repeat(", (?)", len(ids)-1)
	// Holdings of a resource do not overlap: what reaches into the time are those that begin in it, and perhaps the last
	// one before. To look back as far as a holding may be long would read a year of every room.
	var rows []holdingRow
	err := s.db.Reader(ctx).NewRaw(`
WITH r (id) AS (VALUES `+list+`), latest AS MATERIALIZED (
    SELECT id, (SELECT max(start_at) FROM calendar_holdings WHERE tenant = ? AND resource_id = id AND start_at < ?) AS begins FROM r)
SELECT tenant, resource_id, start_at, end_at, event_id FROM calendar_holdings
WHERE tenant = ? AND resource_id IN (?) AND start_at >= ? AND start_at < ?
UNION ALL
SELECT h.tenant, h.resource_id, h.start_at, h.end_at, h.event_id FROM latest
JOIN calendar_holdings AS h ON h.tenant = ? AND h.resource_id = latest.id AND h.start_at = latest.begins WHERE h.end_at > ?
ORDER BY resource_id, start_at`, append(values, string(tenant), sqldb.At(from), string(tenant), bun.List(ids), sqldb.At(from), sqldb.At(to),
		string(tenant), sqldb.At(from))...).Scan(ctx, &rows)
	out := make([]calendar.Holding, len(rows))
	for i, r := range rows {
		out[i] = calendar.Holding{ResourceID: r.ResourceID, EventID: r.EventID, Span: calendar.Span{Start: r.StartAt.Time, End: r.EndAt.Time}}
	}
	return out, sqldb.Fault(err)
}
