package staffbun

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
)

type systemRow struct {
	bun.BaseModel `bun:"table:external_system_sync,alias:y"`

	ID               int64          `bun:"id,pk,autoincrement"`
	Tenant           string         `bun:"organisation_id"`
	Name             string         `bun:"system_name"`
	Type             string         `bun:"system_type"`
	LastSyncAt       sqldb.Time     `bun:"last_sync_at,nullzero"`
	LastSuccessfulAt sqldb.Time     `bun:"last_successful_sync_at,nullzero"`
	Status           string         `bun:"sync_status"`
	Error            string         `bun:"sync_error"`
	Metadata         map[string]any `bun:"sync_metadata"`
	AlertedAt        sqldb.Time     `bun:"alerted_at,nullzero"`
	CreatedAt        sqldb.Time     `bun:"created_at"`
	UpdatedAt        sqldb.Time     `bun:"updated_at"`
}

func (r systemRow) system() staff.System {
	return staff.System{
		ID: r.ID, Name: r.Name, Type: r.Type, LastSyncAt: r.LastSyncAt.Time, LastSuccessfulAt: r.LastSuccessfulAt.Time, Status: r.Status,
		Error: r.Error, Metadata: r.Metadata, AlertedAt: r.AlertedAt.Time, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
	}
}

// SyncSystem implements staff.Systems.
func (s *Store) SyncSystem(ctx context.Context, tenant identity.TenantID, y staff.System) error {
	at := sqldb.At(y.LastSyncAt)
	r := systemRow{
		Tenant: string(tenant), Name: y.Name, Type: y.Type, LastSyncAt: at, LastSuccessfulAt: sqldb.At(y.LastSuccessfulAt), Status: y.Status,
		Error: y.Error, Metadata: y.Metadata, CreatedAt: at, UpdatedAt: at,
	}
	if r.Type == "" {
		r.Type = staff.SystemOther
	}
	if r.Metadata == nil {
		r.Metadata = map[string]any{}
	}
	q := s.db.IDB(ctx).NewInsert().Model(&r).On("CONFLICT (organisation_id, system_name) DO UPDATE").
		Set("last_sync_at = EXCLUDED.last_sync_at, sync_status = EXCLUDED.sync_status, sync_error = EXCLUDED.sync_error").
		Set("sync_metadata = EXCLUDED.sync_metadata, updated_at = EXCLUDED.updated_at")
	if y.Type != "" {
		q = q.Set("system_type = EXCLUDED.system_type")
	}
	if !y.LastSuccessfulAt.IsZero() {
		q = q.Set("last_successful_sync_at = EXCLUDED.last_successful_sync_at, alerted_at = NULL")
	}
	if y.Type == staff.SystemRecruitment {
		q = q.Where("y.system_type IN (?, ?)", staff.SystemRecruitment, staff.SystemOther)
	}
	_, err := q.Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// DisableSystem implements staff.Systems.
func (s *Store) DisableSystem(ctx context.Context, tenant identity.TenantID, name string, at time.Time) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model((*systemRow)(nil)).
		Set("sync_status = ?, sync_error = '', alerted_at = NULL, updated_at = ?", staff.SyncDisabled, sqldb.At(at)).
		Where("organisation_id = ?", string(tenant)).Where("system_name = ?", name).Where("sync_status <> ?", staff.SyncDisabled).Exec(ctx)
	return sqldb.Fault(err)
}

// Systems implements staff.Systems.
func (s *Store) Systems(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]staff.System, error) {
	var rows []systemRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("organisation_id = ?", string(tenant)).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	out := make([]staff.System, len(rows))
	for i, r := range rows {
		out[i] = r.system()
	}
	return out, sqldb.Fault(err)
}

// Unhealthy implements staff.Systems.
func (s *Store) Unhealthy(ctx context.Context, before map[string]time.Time, limit int) ([]staff.Owned[staff.System], error) {
	var rows []systemRow
	types := make([]string, 0, len(before))
	for systemType := range before {
		types = append(types, systemType)
	}
	slices.Sort(types)
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("alerted_at IS NULL").Where("sync_status <> ?", staff.SyncDisabled).
		WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			q = q.Where("sync_status = ?", staff.SyncFailed)
			for _, systemType := range types {
				q = q.WhereOr("system_type = ? AND coalesce(last_successful_sync_at, created_at) < ?", systemType, sqldb.At(before[systemType]))
			}
			return q
		}).Order("id").Limit(int64(limit)).Scan(ctx)
	out := make([]staff.Owned[staff.System], len(rows))
	for i, r := range rows {
		out[i] = staff.Owned[staff.System]{Tenant: identity.TenantID(r.Tenant), Item: r.system()}
	}
	return out, sqldb.Fault(err)
}

// Alerted implements staff.Systems.
func (s *Store) Alerted(ctx context.Context, tenant identity.TenantID, id int64, at time.Time) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model((*systemRow)(nil)).Set("alerted_at = ?", sqldb.At(at)).
		Where("organisation_id = ?", string(tenant)).Where("id = ?", id).Exec(ctx)
	return sqldb.Fault(err)
}
