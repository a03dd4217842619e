package ackflowbun

import (
	"context"
	"embed"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the migration line of this package.
var Migrations = sqldb.Migration{Name: "ackflow", FS: migrations}

// Store implements ackflow.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ ackflow.Store = (*Store)(nil)

// New makes a store on a database that has Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

// Do implements ackflow.Store.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// Now implements ackflow.Store by the database's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.db.Now(ctx) }

// locking adds the row lock; SQLite's one writer needs none.
func (s *Store) locking(ctx context.Context) *bun.SelectQuery {
	q := s.db.IDB(ctx).NewSelect()
	if s.db.IsPostgres() {
		return q.For("UPDATE")
	}
	return q
}

// one reads the row of a tenant by its id into row, or returns ErrNotFound.
func one(ctx context.Context, q *bun.SelectQuery, row any, tenant identity.TenantID, id string) error {
	return found(q.Model(row).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx))
}

func found(err error) error {
	err = sqldb.Fault(err)
	if errors.Is(err, sqldb.ErrNoRows) {
		return ackflow.ErrNotFound
	}
	return err
}

// insert stores a row; a duplicate is the error given.
func (s *Store) insert(ctx context.Context, row any, duplicate error) error {
	_, err := s.db.IDB(ctx).NewInsert().Model(row).Exec(ctx)
	err = sqldb.Fault(err)
	if duplicate != nil && errors.Is(err, sqldb.ErrDuplicate) {
		return duplicate
	}
	return err
}

// update writes columns of the row with the model's key.
func (s *Store) update(ctx context.Context, row any, columns ...string) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model(row).Column(columns...).WherePK().Exec(ctx)
	return sqldb.Fault(err)
}

// InsertMessage implements ackflow.Messages.
func (s *Store) InsertMessage(ctx context.Context, m ackflow.Message) error {
	row := messageRowOf(m)
	_, err := s.db.IDB(ctx).NewInsert().Model(&row).On("CONFLICT (tenant, id) DO NOTHING").Exec(ctx)
	return sqldb.Fault(err)
}

// Message implements ackflow.Messages.
func (s *Store) Message(ctx context.Context, tenant identity.TenantID, id string) (ackflow.Message, error) {
	var row messageRow
	err := one(ctx, s.db.Reader(ctx).NewSelect(), &row, tenant, id)
	return row.message(), err
}

// LockMessage implements ackflow.Messages.
func (s *Store) LockMessage(ctx context.Context, tenant identity.TenantID, id string) (ackflow.Message, error) {
	var row messageRow
	err := one(ctx, s.locking(ctx), &row, tenant, id)
	return row.message(), err
}

// SetMessage implements ackflow.Messages.
func (s *Store) SetMessage(ctx context.Context, m ackflow.Message) error {
	row := messageRowOf(m)
	return s.update(ctx, &row, "room", "body", "revision", "updated_at", "deleted_at", "url")
}
