package graphsyncbun

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff/graphsync"
)

type objectRow struct {
	bun.BaseModel `bun:"table:graphsync_objects"`

	Tenant     string `bun:"tenant,pk"`
	Kind       string `bun:"kind,pk"`
	ID         string `bun:"id,pk"`
	Generation int64  `bun:"generation"`
	Data       string `bun:"data"`
}

func (r objectRow) object() (graphsync.Object, error) {
	return graphsync.Object{Kind: graphsync.Kind(r.Kind), ID: r.ID, Generation: r.Generation, Data: []byte(r.Data)}, nil
}

// PutObjects implements graphsync.Mirror.
func (s *Store) PutObjects(ctx context.Context, tenant identity.TenantID, objects []graphsync.Object) error {
	return inBatches(objects, func(part []graphsync.Object) error {
		rows := make([]objectRow, len(part))
		for i, o := range part {
			rows[i] = objectRow{Tenant: string(tenant), Kind: string(o.Kind), ID: o.ID, Generation: o.Generation, Data: string(o.Data)}
		}
		_, err := s.db.IDB(ctx).NewInsert().Model(&rows).On("CONFLICT (tenant, kind, id) DO UPDATE").
			Set("generation = EXCLUDED.generation, data = EXCLUDED.data").Returning("NULL").Exec(ctx)
		return err
	})
}

// ObjectsByID implements graphsync.Mirror.
func (s *Store) ObjectsByID(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, ids []string) ([]graphsync.Object, error) {
	var rows []objectRow
	err := inBatches(ids, func(part []string) error {
		var some []objectRow
		err := s.db.Reader(ctx).NewSelect().Model(&some).Where("tenant = ?", string(tenant)).Where("kind = ?", string(kind)).
			Where("id IN (?)", bun.List(part)).Scan(ctx)
		rows = append(rows, some...)
		return err
	})
	return mapped(rows, err, objectRow.object)
}

// Objects implements graphsync.Mirror.
func (s *Store) Objects(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, after string, limit int) ([]graphsync.Object, error) {
	var rows []objectRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("kind = ?", string(kind)).
		Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	return mapped(rows, err, objectRow.object)
}

// DropObjects implements graphsync.Mirror.
func (s *Store) DropObjects(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, ids []string) error {
	return inBatches(ids, func(part []string) error {
		_, err := s.db.IDB(ctx).NewDelete().Model((*objectRow)(nil)).Where("tenant = ?", string(tenant)).Where("kind = ?", string(kind)).
			Where("id IN (?)", bun.List(part)).Exec(ctx)
		return err
	})
}

// PruneObjects implements graphsync.Mirror.
func (s *Store) PruneObjects(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, generation int64) error {
	_, err := s.db.IDB(ctx).NewDelete().Model((*objectRow)(nil)).Where("tenant = ?", string(tenant)).Where("kind = ?", string(kind)).
		Where("generation < ?", generation).Exec(ctx)
	return sqldb.Fault(err)
}

type linkRow struct {
	bun.BaseModel `bun:"table:graphsync_links"`

	Tenant     string     `bun:"tenant,pk"`
	Kind       string     `bun:"kind,pk"`
	Local      int64      `bun:"local_id,pk"`
	Remote     string     `bun:"remote_id"`
	Rule       string     `bun:"rule"`
	Pending    string     `bun:"pending"`
	DisabledAt sqldb.Time `bun:"disabled_at,nullzero"`
	Seen       string     `bun:"seen"`
	Failures   int        `bun:"failures"`
	Reason     string     `bun:"reason"`
	NextTry    sqldb.Time `bun:"next_try,nullzero"`
}

func (r linkRow) link() (graphsync.Link, error) {
	l := graphsync.Link{
		Kind: graphsync.Kind(r.Kind), Local: r.Local, Remote: r.Remote, Rule: graphsync.Rule(r.Rule), Pending: r.Pending, DisabledAt: r.DisabledAt.Time,
		Failures: r.Failures, Reason: r.Reason, NextTry: r.NextTry.Time,
	}
	return l, decode(r.Seen, &l.Seen)
}

// PutLinks implements graphsync.Links.
func (s *Store) PutLinks(ctx context.Context, tenant identity.TenantID, links []graphsync.Link) error {
	return inBatches(links, func(part []graphsync.Link) error {
		rows := make([]linkRow, len(part))
		for i, l := range part {
			rows[i] = linkRow{
				Tenant: string(tenant), Kind: string(l.Kind), Local: l.Local, Remote: l.Remote, Rule: string(l.Rule), Pending: l.Pending,
				DisabledAt: sqldb.At(l.DisabledAt), Failures: l.Failures, Reason: l.Reason, NextTry: sqldb.At(l.NextTry),
			}
			if len(l.Seen) > 0 {
				rows[i].Seen = encoded(l.Seen)
			}
		}
		_, err := s.db.IDB(ctx).NewInsert().Model(&rows).On("CONFLICT (tenant, kind, local_id) DO UPDATE").
			Set("remote_id = EXCLUDED.remote_id, rule = EXCLUDED.rule, pending = EXCLUDED.pending, disabled_at = EXCLUDED.disabled_at").
			Set("seen = EXCLUDED.seen, failures = EXCLUDED.failures, reason = EXCLUDED.reason, next_try = EXCLUDED.next_try").Returning("NULL").Exec(ctx)
		return err
	})
}

// LinksOf implements graphsync.Links.
func (s *Store) LinksOf(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, locals []int64) ([]graphsync.Link, error) {
	var rows []linkRow
	err := inBatches(locals, func(part []int64) error {
		var some []linkRow
		err := s.links(ctx, tenant, kind, &some).Where("local_id IN (?)", bun.List(part)).Scan(ctx)
		rows = append(rows, some...)
		return err
	})
	return mapped(rows, err, linkRow.link)
}

func (s *Store) links(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, rows *[]linkRow) *bun.SelectQuery {
	return s.db.Reader(ctx).NewSelect().Model(rows).Where("tenant = ?", string(tenant)).Where("kind = ?", string(kind)).Order("local_id")
}

// AllLinks implements graphsync.Links.
func (s *Store) AllLinks(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, after int64, limit int) ([]graphsync.Link, error) {
	var rows []linkRow
	err := s.links(ctx, tenant, kind, &rows).Where("local_id > ?", after).Limit(int64(limit)).Scan(ctx)
	return mapped(rows, err, linkRow.link)
}

// DropLinks implements graphsync.Links.
func (s *Store) DropLinks(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, locals []int64) error {
	return inBatches(locals, func(part []int64) error {
		_, err := s.db.IDB(ctx).NewDelete().Model((*linkRow)(nil)).Where("tenant = ?", string(tenant)).Where("kind = ?", string(kind)).
			Where("local_id IN (?)", bun.List(part)).Exec(ctx)
		return err
	})
}

// Waiting implements graphsync.Links.
func (s *Store) Waiting(ctx context.Context, tenant identity.TenantID, kind graphsync.Kind, now time.Time, after int64, limit int) ([]graphsync.Link, error) {
	var rows []linkRow
	err := s.links(ctx, tenant, kind, &rows).Where("next_try > ?", sqldb.At(now)).Where("local_id > ?", after).Limit(int64(limit)).Scan(ctx)
	return mapped(rows, err, linkRow.link)
}
