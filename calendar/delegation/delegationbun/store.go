package delegationbun

import (
	"context"
	"embed"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the migration line of this package.
var Migrations = sqldb.Migration{Name: "delegation", FS: migrations}

// Store implements delegation.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ delegation.Store = (*Store)(nil)

// New makes a store on a database that has Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

type row struct {
	bun.BaseModel `bun:"table:delegations"`

	Tenant      string                `bun:"tenant,pk"`
	ID          string                `bun:"id,pk"`
	DelegatorID string                `bun:"delegator_id"`
	DelegateeID string                `bun:"delegatee_id"`
	Permissions []calendar.Permission `bun:"permissions"`
	ValidFrom   sqldb.Time            `bun:"valid_from"`
	ValidUntil  sqldb.Time            `bun:"valid_until"`
	RevokedAt   sqldb.Time            `bun:"revoked_at"`
	CreatedAt   sqldb.Time            `bun:"created_at"`
}

func (r row) delegation() delegation.Delegation {
	return delegation.Delegation{
		ID: r.ID, Tenant: identity.TenantID(r.Tenant), DelegatorID: r.DelegatorID, DelegateeID: r.DelegateeID,
		Permissions: r.Permissions, ValidFrom: r.ValidFrom.Time, ValidUntil: r.ValidUntil.Time,
		RevokedAt: r.RevokedAt.Time, CreatedAt: r.CreatedAt.Time,
	}
}

func delegations(rows []row) []delegation.Delegation {
	out := make([]delegation.Delegation, len(rows))
	for i, r := range rows {
		out[i] = r.delegation()
	}
	return out
}

// Do implements delegation.Store.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// Insert implements delegation.Store.
func (s *Store) Insert(ctx context.Context, d delegation.Delegation) error {
	_, err := s.db.IDB(ctx).NewInsert().Model(&row{
		Tenant: string(d.Tenant), ID: d.ID, DelegatorID: d.DelegatorID, DelegateeID: d.DelegateeID,
		Permissions: d.Permissions, ValidFrom: sqldb.At(d.ValidFrom), ValidUntil: sqldb.At(d.ValidUntil),
		RevokedAt: sqldb.At(d.RevokedAt), CreatedAt: sqldb.At(d.CreatedAt),
	}).Exec(ctx)
	return sqldb.Fault(err)
}

// Delegation implements delegation.Store.
func (s *Store) Delegation(ctx context.Context, tenant identity.TenantID, id string) (delegation.Delegation, error) {
	var r row
	err := sqldb.Fault(s.db.Reader(ctx).NewSelect().Model(&r).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		return delegation.Delegation{}, delegation.ErrNotFound
	}
	if err != nil {
		return delegation.Delegation{}, err
	}
	return r.delegation(), nil
}

// Revoke implements delegation.Store.
func (s *Store) Revoke(ctx context.Context, tenant identity.TenantID, id string, at time.Time) (bool, error) {
	res, err := s.db.IDB(ctx).NewUpdate().Model((*row)(nil)).Set("revoked_at = ?", sqldb.At(at)).
		Where("tenant = ?", string(tenant)).Where("id = ?", id).Where("revoked_at IS NULL").Exec(ctx)
	if err != nil {
		return false, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return n > 0, sqldb.Fault(err)
}

// List implements delegation.Store.
func (s *Store) List(ctx context.Context, tenant identity.TenantID, person string, p page.Request) (page.Page[delegation.Delegation], error) {
	const scope = "delegations"
	var last string
	more, err := page.Decode(scope, p.Cursor, &last)
	if err != nil {
		return page.Page[delegation.Delegation]{}, err
	}
	// One half per index; an OR over two columns would read the tenant's whole table.
	half := func(column bun.Ident) *bun.SelectQuery {
		q := s.db.Reader(ctx).NewSelect().Model((*row)(nil)).Where("tenant = ?", string(tenant)).Where("? = ?", column, person)
		if more {
			q = q.Where("id < ?", last)
		}
		return q.OrderExpr("id DESC").Limit(int64(p.Size()) + 1)
	}
	var given, received []row
	if err := half("delegator_id").Scan(ctx, &given); err != nil {
		return page.Page[delegation.Delegation]{}, sqldb.Fault(err)
	}
	if err := half("delegatee_id").Scan(ctx, &received); err != nil {
		return page.Page[delegation.Delegation]{}, sqldb.Fault(err)
	}
	rows := append(delegations(given), delegations(received)...)
	slices.SortFunc(rows, newestFirst)
	return page.Of(scope, rows, p.Size(), func(d delegation.Delegation) any { return d.ID }), nil
}

// newestFirst orders by id: a UUIDv7 rises with time.
func newestFirst(a, b delegation.Delegation) int {
	switch {
	case a.ID > b.ID:
		return -1
	case a.ID < b.ID:
		return 1
	}
	return 0
}

// batch is how many ids a statement names at most.
const batch = 1000

// Effective implements delegation.Store.
func (s *Store) Effective(ctx context.Context, tenant identity.TenantID, delegatee string, delegators []string, at time.Time) ([]delegation.Delegation, error) {
	var found []delegation.Delegation
	for some := range slices.Chunk(delegators, batch) {
		var rows []row
		err := s.effective(ctx, tenant, at).Where("delegatee_id = ?", delegatee).Where("delegator_id IN (?)", bun.List(some)).Scan(ctx, &rows)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		found = append(found, delegations(rows)...)
	}
	return found, nil
}

// EffectiveFrom implements delegation.Store.
func (s *Store) EffectiveFrom(ctx context.Context, tenant identity.TenantID, delegator string, at time.Time) ([]delegation.Delegation, error) {
	var rows []row
	err := s.effective(ctx, tenant, at).Where("delegator_id = ?", delegator).Scan(ctx, &rows)
	return delegations(rows), sqldb.Fault(err)
}

// effective selects what delegation.Delegation.EffectiveAt says.
func (s *Store) effective(ctx context.Context, tenant identity.TenantID, at time.Time) *bun.SelectQuery {
	return s.db.Reader(ctx).NewSelect().Model((*row)(nil)).Where("tenant = ?", string(tenant)).
		Where("revoked_at IS NULL").
		Where("valid_from IS NULL OR valid_from <= ?", sqldb.At(at)).
		Where("valid_until IS NULL OR valid_until > ?", sqldb.At(at))
}
