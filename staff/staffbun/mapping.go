package staffbun

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff/export"
)

var _ export.Store = (*Store)(nil)

type mappingRow struct {
	bun.BaseModel `bun:"table:staff_mappings,alias:m"`

	Tenant    string          `bun:"tenant,pk"`
	Name      string          `bun:"name,pk"`
	Version   int64           `bun:"version,pk"`
	Columns   []export.Column `bun:"columns"`
	CreatedBy string          `bun:"created_by"`
	CreatedAt sqldb.Time      `bun:"created_at"`
}

func (r mappingRow) mapping() export.Mapping {
	return export.Mapping{Name: r.Name, Version: r.Version, Columns: r.Columns, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.Time}
}

// InsertMapping implements export.Store.
func (s *Store) InsertMapping(ctx context.Context, tenant identity.TenantID, m export.Mapping) (int64, error) {
	r := mappingRow{Tenant: string(tenant), Name: m.Name, Columns: m.Columns, CreatedBy: m.CreatedBy, CreatedAt: sqldb.At(m.CreatedAt)}
	err := s.db.Do(ctx, func(ctx context.Context) error {
		if err := s.db.Lock(ctx, "staff.mapping/"+string(tenant)+"/"+m.Name); err != nil {
			return err
		}
		err := s.db.IDB(ctx).NewSelect().Model((*mappingRow)(nil)).ColumnExpr("coalesce(max(version), 0) + 1").
			Where("tenant = ?", string(tenant)).Where("name = ?", m.Name).Scan(ctx, &r.Version)
		if err != nil {
			return err
		}
		_, err = s.db.IDB(ctx).NewInsert().Model(&r).Exec(ctx)
		return err
	})
	return r.Version, err
}

// Mapping implements export.Store.
func (s *Store) Mapping(ctx context.Context, tenant identity.TenantID, name string, version int64) (export.Mapping, error) {
	var r mappingRow
	q := s.db.Reader(ctx).NewSelect().Model(&r).Where("tenant = ?", string(tenant)).Where("name = ?", name).Order("version DESC").Limit(1)
	if version != 0 {
		q = q.Where("version = ?", version)
	}
	err := q.Scan(ctx)
	return r.mapping(), orUnknown(err, export.ErrUnknownMapping)
}

// Mappings implements export.Store.
func (s *Store) Mappings(ctx context.Context, tenant identity.TenantID, after string, limit int) ([]export.Mapping, error) {
	var rows []mappingRow
	newest := s.db.Reader(ctx).NewSelect().TableExpr("staff_mappings AS n").ColumnExpr("max(n.version)").Where("n.tenant = m.tenant").Where("n.name = m.name")
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("m.tenant = ?", string(tenant)).Where("m.name > ?", after).
		Where("m.version = (?)", newest).Order("m.name").Limit(int64(limit)).Scan(ctx)
	out := make([]export.Mapping, len(rows))
	for i, r := range rows {
		out[i] = r.mapping()
	}
	return out, sqldb.Fault(err)
}
