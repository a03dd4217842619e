package staffbun

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/scim"
)

var _ scim.Store = (*Store)(nil)

type linkRow struct {
	bun.BaseModel `bun:"table:staff_scim_links,alias:l"`

	Tenant     string     `bun:"tenant,pk"`
	Kind       scim.Kind  `bun:"kind,pk"`
	ItemID     int64      `bun:"item_id,pk"`
	UserName   string     `bun:"user_name"`
	NameKey    string     `bun:"name_key"`
	ExternalID string     `bun:"external_id"`
	DeletedAt  sqldb.Time `bun:"deleted_at,nullzero"`
	Version    int64      `bun:"version"`
	UpdatedAt  sqldb.Time `bun:"updated_at"`
}

func linksOf(rows []linkRow) []scim.Link {
	out := make([]scim.Link, len(rows))
	for i, r := range rows {
		out[i] = scim.Link{
			Kind: r.Kind, ItemID: r.ItemID, UserName: r.UserName, NameKey: r.NameKey, ExternalID: r.ExternalID,
			DeletedAt: r.DeletedAt.Time, Version: r.Version, UpdatedAt: r.UpdatedAt.Time,
		}
	}
	return out
}

// Links implements scim.Store.
func (s *Store) Links(ctx context.Context, tenant identity.TenantID, kind scim.Kind, items ...int64) ([]scim.Link, error) {
	var out []scim.Link
	for some := range slices.Chunk(items, batch) {
		var rows []linkRow
		err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("kind = ?", kind).
			Where("item_id IN (?)", bun.List(some)).Scan(ctx)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		out = append(out, linksOf(rows)...)
	}
	return out, nil
}

// LinksBy implements scim.Store.
func (s *Store) LinksBy(ctx context.Context, tenant identity.TenantID, kind scim.Kind, nameKey, externalID string) ([]scim.Link, error) {
	if nameKey == "" && externalID == "" {
		return nil, nil
	}
	var rows []linkRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("kind = ?", kind).Order("item_id")
	q = q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		if nameKey != "" {
			q = q.WhereOr("name_key <> '' AND name_key = ?", nameKey)
		}
		if externalID != "" {
			q = q.WhereOr("external_id <> '' AND external_id = ?", externalID)
		}
		return q
	})
	err := q.Scan(ctx)
	return linksOf(rows), sqldb.Fault(err)
}

// SaveLink implements scim.Store.
func (s *Store) SaveLink(ctx context.Context, tenant identity.TenantID, l scim.Link) error {
	r := linkRow{
		Tenant: string(tenant), Kind: l.Kind, ItemID: l.ItemID, UserName: l.UserName, NameKey: l.NameKey, ExternalID: l.ExternalID,
		DeletedAt: sqldb.At(l.DeletedAt), Version: l.Version, UpdatedAt: sqldb.At(l.UpdatedAt),
	}
	q := s.db.IDB(ctx).NewInsert().Model(&r).On("CONFLICT (tenant, kind, item_id) DO UPDATE")
	for _, column := range []string{"user_name", "name_key", "external_id", "deleted_at", "version", "updated_at"} {
		q = q.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
	}
	_, err := q.Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// ForgetLink implements scim.Store.
func (s *Store) ForgetLink(ctx context.Context, tenant identity.TenantID, kind scim.Kind, item int64) error {
	_, err := s.db.IDB(ctx).NewDelete().Model((*linkRow)(nil)).
		Where("tenant = ?", string(tenant)).Where("kind = ?", kind).Where("item_id = ?", item).Exec(ctx)
	return sqldb.Fault(err)
}

// deleted selects the deletion of an item p.
const deleted = "SELECT 1 FROM staff_scim_links AS l WHERE l.tenant = p.tenant AND l.kind = ? AND l.item_id = p.id AND l.deleted_at IS NOT NULL"

// visible narrows a query to what clients see.
func (s *Store) visible(q *bun.SelectQuery, tenant identity.TenantID, kind scim.Kind) *bun.SelectQuery {
	if kind == scim.Group {
		return q.TableExpr("staff_units AS p").Where("p.tenant = ?", string(tenant)).Where("NOT EXISTS ("+deleted+")", kind)
	}
	return q.TableExpr("staff_people AS p").Where("p.tenant = ?", string(tenant)).Where("p.erased_at IS NULL").
		Where("p.active OR NOT EXISTS ("+deleted+")", kind)
}

// Visible implements scim.Store.
func (s *Store) Visible(ctx context.Context, tenant identity.TenantID, kind scim.Kind, after int64, offset, limit int) ([]int64, error) {
	var ids []int64
	q := s.visible(s.db.Reader(ctx).NewSelect(), tenant, kind).ColumnExpr("p.id").Where("p.id > ?", after).OrderExpr("p.id").Limit(int64(limit))
	if offset > 0 {
		q = q.Offset(int64(offset))
	}
	err := q.Scan(ctx, &ids)
	return ids, sqldb.Fault(err)
}

// CountVisible implements scim.Store. People are counted as they come and go, so that only the hidden ones are left to count.
func (s *Store) CountVisible(ctx context.Context, tenant identity.TenantID, kind scim.Kind) (int64, error) {
	var n int64
	if kind == scim.Group {
		err := s.visible(s.db.Reader(ctx).NewSelect(), tenant, kind).ColumnExpr("count(*)").Scan(ctx, &n)
		return n, sqldb.Fault(err)
	}
	h, err := s.head(ctx, tenant)
	if err != nil {
		return 0, err
	}
	err = s.db.Reader(ctx).NewSelect().Model((*linkRow)(nil)).ColumnExpr("count(*)").
		Join("JOIN staff_people AS p ON p.id = l.item_id").Where("l.tenant = ?", string(tenant)).Where("l.kind = ?", kind).
		Where("l.deleted_at IS NOT NULL").Where("NOT p.active").Where("p.erased_at IS NULL").Scan(ctx, &n)
	return h.People - n, sqldb.Fault(err)
}

// members selects the assignments of people who are or will be in one of the units.
func (s *Store) members(ctx context.Context, tenant identity.TenantID, today staff.Date, units []int64) *bun.SelectQuery {
	return s.db.Reader(ctx).NewSelect().TableExpr("staff_assignments AS a").Join("JOIN staff_people AS p ON p.id = a.person_id").
		Where("a.tenant = ?", string(tenant)).Where("a.unit_id IN (?)", bun.List(units)).Where("a.end_date = '' OR a.end_date >= ?", string(today)).
		Where("p.erased_at IS NULL").Where("p.active OR NOT EXISTS ("+deleted+")", scim.User)
}

// MembersOf implements scim.Store.
func (s *Store) MembersOf(ctx context.Context, tenant identity.TenantID, today staff.Date, unit, after int64, limit int) ([]int64, error) {
	var ids []int64
	err := s.members(ctx, tenant, today, []int64{unit}).ColumnExpr("DISTINCT a.person_id").Where("a.person_id > ?", after).
		OrderExpr("a.person_id").Limit(int64(limit)).Scan(ctx, &ids)
	return ids, sqldb.Fault(err)
}

// Memberships implements scim.Store.
func (s *Store) Memberships(ctx context.Context, tenant identity.TenantID, today staff.Date, units ...int64) (map[int64]scim.Membership, error) {
	out := map[int64]scim.Membership{}
	for some := range slices.Chunk(units, batch) {
		var rows []struct {
			UnitID int64 `bun:"unit_id"`
			People int64 `bun:"people"`
			Last   int64 `bun:"last"`
		}
		err := s.members(ctx, tenant, today, some).ColumnExpr("a.unit_id AS unit_id, count(*) AS people, max(a.id) AS last").GroupExpr("a.unit_id").Scan(ctx, &rows)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		for _, r := range rows {
			out[r.UnitID] = scim.Membership{Count: r.People, Last: r.Last}
		}
	}
	return out, nil
}
