package approvalbun

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type linkRow struct {
	bun.BaseModel `bun:"table:approval_links"`

	Hash        string     `bun:"hash,pk"`
	Tenant      string     `bun:"tenant"`
	RequestID   string     `bun:"request_id"`
	Person      string     `bun:"person"`
	ContentHash string     `bun:"content_hash"`
	CreatedAt   sqldb.Time `bun:"created_at"`
	ExpiresAt   sqldb.Time `bun:"expires_at"`
	UsedAt      sqldb.Time `bun:"used_at"`
}

// AddLink implements approval.LinkStore.
func (s *Store) AddLink(ctx context.Context, l approval.Link) error {
	_, err := s.db.IDB(ctx).NewInsert().Model(&linkRow{
		Hash: l.Hash, Tenant: string(l.Tenant), RequestID: l.RequestID, Person: l.Person, ContentHash: l.ContentHash,
		CreatedAt: sqldb.At(l.CreatedAt), ExpiresAt: sqldb.At(l.ExpiresAt), UsedAt: sqldb.At(l.UsedAt),
	}).Exec(ctx)
	return sqldb.Fault(err)
}

// LinkByHash implements approval.LinkStore.
func (s *Store) LinkByHash(ctx context.Context, hash string) (approval.Link, error) {
	var r linkRow
	err := sqldb.Fault(s.db.Reader(ctx).NewSelect().Model(&r).Where("hash = ?", hash).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		err = approval.ErrLink
	}
	return approval.Link{
		Hash: r.Hash, Tenant: identity.TenantID(r.Tenant), RequestID: r.RequestID, Person: r.Person, ContentHash: r.ContentHash,
		CreatedAt: r.CreatedAt.Time, ExpiresAt: r.ExpiresAt.Time, UsedAt: r.UsedAt.Time,
	}, err
}

// UseLink implements approval.LinkStore.
func (s *Store) UseLink(ctx context.Context, hash string, at time.Time) (bool, error) {
	return changedOne(s.db.IDB(ctx).NewUpdate().Model((*linkRow)(nil)).Set("used_at = ?", sqldb.At(at)).
		Where("hash = ?", hash).Where("used_at IS NULL").Exec(ctx))
}

// PruneLinks implements approval.LinkStore.
func (s *Store) PruneLinks(ctx context.Context, t time.Time, limit int) (int, error) {
	old := s.db.IDB(ctx).NewSelect().Model((*linkRow)(nil)).Column("hash").Where("expires_at < ?", sqldb.At(t)).OrderExpr("expires_at").Limit(int64(limit))
	res, err := s.db.IDB(ctx).NewDelete().Model((*linkRow)(nil)).Where("hash IN (?)", old).Exec(ctx)
	if err != nil {
		return 0, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return int(n), sqldb.Fault(err)
}

// changedOne says whether a statement changed a row.
func changedOne(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return n > 0, sqldb.Fault(err)
}
