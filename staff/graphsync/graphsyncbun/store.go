package graphsyncbun

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff/graphsync"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the migration line of this package.
var Migrations = sqldb.Migration{Name: "graphsync", FS: migrations}

// Store implements graphsync.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ graphsync.Store = (*Store)(nil)

// New makes a store on a database that has Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

// Do implements graphsync.Store.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// batch is how many rows or ids a statement has at most.
const batch = 500

// inBatches runs fn for parts of a list.
func inBatches[T any](list []T, fn func(part []T) error) error {
	for len(list) > 0 {
		n := min(len(list), batch)
		if err := fn(list[:n]); err != nil {
			return sqldb.Fault(err)
		}
		list = list[n:]
	}
	return nil
}

// encoded is a value as JSON. What this package stores can always be written so.
func encoded(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

func decode(text string, v any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), v)
}

// mapped turns rows into values.
func mapped[R, T any](rows []R, err error, f func(R) (T, error)) ([]T, error) {
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	out := make([]T, len(rows))
	for i, r := range rows {
		if out[i], err = f(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// affected returns missing when a statement changed nothing.
func affected(result interface{ RowsAffected() (int64, error) }, err, missing error) error {
	if err != nil {
		return sqldb.Fault(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, missing)
	}
	return nil
}

type deskRow struct {
	bun.BaseModel `bun:"table:graphsync_desks,alias:d"`

	Tenant   string     `bun:"tenant,pk"`
	Holder   string     `bun:"holder"`
	Until    sqldb.Time `bun:"until,nullzero"`
	Progress string     `bun:"progress"`
	Paused   bool       `bun:"paused"`
}

// Hold implements graphsync.Desk.
func (s *Store) Hold(ctx context.Context, tenant identity.TenantID, holder string, now, until time.Time) error {
	r := deskRow{Tenant: string(tenant), Holder: holder, Until: sqldb.At(until), Progress: "{}"}
	result, err := s.db.IDB(ctx).NewInsert().Model(&r).On("CONFLICT (tenant) DO UPDATE").Set("holder = EXCLUDED.holder, until = EXCLUDED.until").
		Where("d.holder = EXCLUDED.holder OR d.until IS NULL OR d.until <= ?", sqldb.At(now)).Returning("NULL").Exec(ctx)
	return affected(result, err, graphsync.ErrHeld)
}

// Release implements graphsync.Desk.
func (s *Store) Release(ctx context.Context, tenant identity.TenantID, holder string) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model((*deskRow)(nil)).Set("holder = '', until = NULL").
		Where("tenant = ?", string(tenant)).Where("holder = ?", holder).Exec(ctx)
	return sqldb.Fault(err)
}

// Progress implements graphsync.Desk.
func (s *Store) Progress(ctx context.Context, tenant identity.TenantID) (graphsync.Progress, error) {
	var r deskRow
	var p graphsync.Progress
	err := sqldb.Fault(s.db.Reader(ctx).NewSelect().Model(&r).Where("tenant = ?", string(tenant)).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		return p, nil
	}
	if err == nil {
		err = decode(r.Progress, &p)
	}
	p.Paused = r.Paused
	return p, err
}

// SaveProgress implements graphsync.Desk.
func (s *Store) SaveProgress(ctx context.Context, tenant identity.TenantID, p graphsync.Progress) error {
	r := deskRow{Tenant: string(tenant), Progress: encoded(p)}
	_, err := s.db.IDB(ctx).NewInsert().Model(&r).On("CONFLICT (tenant) DO UPDATE").Set("progress = EXCLUDED.progress").Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// SetPaused implements graphsync.Desk.
func (s *Store) SetPaused(ctx context.Context, tenant identity.TenantID, paused bool) error {
	r := deskRow{Tenant: string(tenant), Progress: "{}", Paused: paused}
	_, err := s.db.IDB(ctx).NewInsert().Model(&r).On("CONFLICT (tenant) DO UPDATE").Set("paused = EXCLUDED.paused").Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}
