package webhookbun

import (
	"context"
	"embed"
	"strings"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/webhook"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables of this package.
var Migrations = sqldb.Migration{Name: "webhook", FS: migrations}

// Store implements webhook.Store and webhook.Log. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var (
	_ webhook.Store = (*Store)(nil)
	_ webhook.Log   = (*Store)(nil)
)

// New makes a Store on a database that has the Migrations.
func New(db *sqldb.DB) *Store { return &Store{db} }

// Do implements webhook.Store.
func (s *Store) Do(ctx context.Context, fn func(context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// AfterCommit implements webhook.Store.
func (s *Store) AfterCommit(ctx context.Context, f func()) { s.db.AfterCommit(ctx, f) }

type row struct {
	bun.BaseModel `bun:"table:webhook_subscriptions,alias:webhook_subscriptions"`

	ID            string `bun:",pk"`
	Tenant        string
	Kind          string
	Number        int64
	URL           string `bun:"url"`
	Events        string
	Description   string
	Owner         string
	Sealed        string
	SecretUntil   sqldb.Time `bun:",nullzero"`
	LastSuccessAt sqldb.Time `bun:",nullzero"`
	LastFailureAt sqldb.Time `bun:",nullzero"`
	CreatedBy     string
	CreatedAt     sqldb.Time
	UpdatedAt     sqldb.Time
}

func toRow(s webhook.Stored) row {
	return row{
		ID: s.ID, Tenant: string(s.Tenant), Kind: s.Kind, Number: s.Number, URL: s.URL, Events: strings.Join(s.Events, " "),
		Description: s.Description, Owner: s.Owner, Sealed: s.Sealed, SecretUntil: sqldb.At(s.SecretUntil),
		LastSuccessAt: sqldb.At(s.LastSuccessAt), LastFailureAt: sqldb.At(s.LastFailureAt), CreatedBy: s.CreatedBy,
		CreatedAt: sqldb.At(s.CreatedAt), UpdatedAt: sqldb.At(s.UpdatedAt),
	}
}

func (r row) stored() webhook.Stored {
	return webhook.Stored{
		Subscription: webhook.Subscription{
			ID: r.ID, Tenant: identity.TenantID(r.Tenant), Number: r.Number, URL: r.URL, Events: strings.Fields(r.Events),
			Description: r.Description, Owner: r.Owner, SecretUntil: r.SecretUntil.Time, LastSuccessAt: r.LastSuccessAt.Time,
			LastFailureAt: r.LastFailureAt.Time, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time,
		},
		Kind: r.Kind, Sealed: r.Sealed,
	}
}

func storeds(rows []row) []webhook.Stored {
	out := make([]webhook.Stored, len(rows))
	for i, r := range rows {
		out[i] = r.stored()
	}
	return out
}

const inScope = "tenant = ? AND kind = ?"

// Insert implements webhook.Store. The row of numbers makes those who insert into a scope follow each other.
func (s *Store) Insert(ctx context.Context, sub webhook.Stored, most int) (int64, error) {
	var number int64
	err := s.db.Do(ctx, func(ctx context.Context) error {
		err := s.db.IDB(ctx).NewRaw(`INSERT INTO webhook_numbers AS n (tenant, kind, last) VALUES (?, ?, 1)
			ON CONFLICT (tenant, kind) DO UPDATE SET last = n.last + 1 RETURNING last`, string(sub.Tenant), sub.Kind).Scan(ctx, &number)
		if err != nil {
			return err
		}
		n, err := s.db.IDB(ctx).NewSelect().Model((*row)(nil)).Where(inScope, string(sub.Tenant), sub.Kind).Count(ctx)
		if err != nil {
			return err
		}
		if int(n) >= most {
			return webhook.ErrTooMany
		}
		r := toRow(sub)
		r.Number = number
		_, err = s.db.IDB(ctx).NewInsert().Model(&r).Returning("NULL").Exec(ctx)
		return err
	})
	return number, err
}

// Get implements webhook.Store.
func (s *Store) Get(ctx context.Context, in webhook.Scope, id string) (webhook.Stored, error) {
	var rows []row
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where(inScope, string(in.Tenant), in.Kind).Where("id = ?", id)
	if sqldb.InTx(ctx) && s.db.IsPostgres() {
		q = q.For("UPDATE")
	}
	if err := q.Scan(ctx); err != nil {
		return webhook.Stored{}, sqldb.Fault(err)
	}
	if len(rows) == 0 {
		return webhook.Stored{}, webhook.ErrUnknown
	}
	return rows[0].stored(), nil
}

const listing = "webhook_subscriptions"

// List implements webhook.Store.
func (s *Store) List(ctx context.Context, in webhook.Scope, f webhook.Filter, p page.Request) (page.Page[webhook.Stored], error) {
	var after int64
	if _, err := page.Decode(listing, p.Cursor, &after); err != nil {
		return page.Page[webhook.Stored]{}, err
	}
	var rows []row
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where(inScope, string(in.Tenant), in.Kind).Where("number > ?", after)
	if f.URL != "" {
		q = q.Where("url = ?", f.URL)
	}
	if f.Owner != "" {
		q = q.Where("owner = ?", f.Owner)
	}
	if f.Number != 0 {
		q = q.Where("number = ?", f.Number)
	}
	if err := q.Order("number").Limit(int64(p.Size()) + 1).Scan(ctx); err != nil {
		return page.Page[webhook.Stored]{}, sqldb.Fault(err)
	}
	return page.Of(listing, storeds(rows), p.Size(), func(s webhook.Stored) any { return s.Number }), nil
}

// All implements webhook.Store.
func (s *Store) All(ctx context.Context, in webhook.Scope) ([]webhook.Stored, error) {
	var rows []row
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where(inScope, string(in.Tenant), in.Kind).Order("number").Scan(ctx)
	return storeds(rows), sqldb.Fault(err)
}

// Scan implements webhook.Store.
func (s *Store) Scan(ctx context.Context, kind, after string, limit int) ([]webhook.Stored, error) {
	var rows []row
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("kind = ? AND id > ?", kind, after).Order("id").Limit(int64(limit)).Scan(ctx)
	return storeds(rows), sqldb.Fault(err)
}

// Update implements webhook.Store.
func (s *Store) Update(ctx context.Context, sub webhook.Stored) error {
	r := toRow(sub)
	res, err := s.db.IDB(ctx).NewUpdate().Model(&r).
		Column("url", "events", "description", "owner", "sealed", "secret_until", "updated_at").
		Where(inScope, r.Tenant, r.Kind).Where("id = ?", r.ID).Exec(ctx)
	return one(res, err)
}

// Delete implements webhook.Store.
func (s *Store) Delete(ctx context.Context, in webhook.Scope, id string) error {
	res, err := s.db.IDB(ctx).NewDelete().Model((*row)(nil)).Where(inScope, string(in.Tenant), in.Kind).Where("id = ?", id).Exec(ctx)
	return one(res, err)
}

func one(res interface{ RowsAffected() (int64, error) }, err error) error {
	if err != nil {
		return sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return webhook.ErrUnknown
	}
	return err
}

// Note implements webhook.Store. On PostgreSQL it passes over a row that somebody else holds, so that nodes that finish
// deliveries to one subscriber do not wait for each other.
func (s *Store) Note(ctx context.Context, outcomes []webhook.Outcome) error {
	query := `UPDATE webhook_subscriptions SET last_success_at = COALESCE(?, last_success_at), last_failure_at = COALESCE(?, last_failure_at) WHERE `
	where := inScope + " AND id = ?"
	if s.db.IsPostgres() {
		query = `UPDATE webhook_subscriptions SET last_success_at = COALESCE(?::timestamptz, last_success_at),
			last_failure_at = COALESCE(?::timestamptz, last_failure_at) WHERE `
		where = "id IN (SELECT id FROM webhook_subscriptions WHERE " + where + " FOR UPDATE SKIP LOCKED)"
	}
	for _, o := range outcomes {
		_, err := s.db.IDB(ctx).ExecContext(ctx, query+where, sqldb.At(o.SucceededAt), sqldb.At(o.FailedAt), string(o.Tenant), o.Kind, o.ID)
		if err != nil {
			return sqldb.Fault(err)
		}
	}
	return nil
}
