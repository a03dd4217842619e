package staffbun

import (
	"context"
	"embed"
	"errors"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the migration line of this package.
var Migrations = sqldb.Migration{Name: "staff", FS: migrations}

// Store implements staff.Store, export.Store and scim.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ staff.Store = (*Store)(nil)

// New makes a store on a database that has Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

// Do implements staff.Store.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// Lock implements staff.Store.
func (s *Store) Lock(ctx context.Context, tenant identity.TenantID) error {
	return s.db.Lock(ctx, "staff.people/"+string(tenant))
}

// batch is how many people or ids a statement names at most.
const batch = 500

// head is what is kept per tenant: the numbers of changes, and how many people there are, so that nobody has to count.
type head struct {
	bun.BaseModel `bun:"table:staff_heads,alias:h"`

	Tenant string `bun:"tenant,pk"`
	Last   int64  `bun:"last_seq"`
	Pruned int64  `bun:"pruned_seq"`
	People int64  `bun:"people"`
	Active int64  `bun:"active"`
}

func (s *Store) head(ctx context.Context, tenant identity.TenantID) (head, error) {
	var h head
	err := sqldb.Fault(s.db.Reader(ctx).NewSelect().Model(&h).Where("tenant = ?", string(tenant)).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		err = nil
	}
	return h, err
}

// advance adds to the tenant's head and returns the last number.
func (s *Store) advance(ctx context.Context, tenant identity.TenantID, changes, people, active int64) (int64, error) {
	var last int64
	err := s.db.IDB(ctx).NewRaw(`INSERT INTO staff_heads AS h (tenant, last_seq, pruned_seq, people, active) VALUES (?, ?, 0, ?, ?)
		ON CONFLICT (tenant) DO UPDATE SET last_seq = h.last_seq + EXCLUDED.last_seq, people = h.people + EXCLUDED.people, active = h.active + EXCLUDED.active
		RETURNING last_seq`, string(tenant), changes, people, active).Scan(ctx, &last)
	return last, sqldb.Fault(err)
}

// census counts the people with the ids as staff_heads does.
func (s *Store) census(ctx context.Context, tenant identity.TenantID, column bun.Ident, values any) (people, active int64, err error) {
	err = s.db.IDB(ctx).NewSelect().Model((*personRow)(nil)).
		ColumnExpr("count(*), coalesce(sum(CASE WHEN active THEN 1 ELSE 0 END), 0)").
		Where("tenant = ?", string(tenant)).Where("? IN (?)", column, values).Where("erased_at IS NULL").Scan(ctx, &people, &active)
	return people, active, sqldb.Fault(err)
}

// counted runs a change of people and keeps the head's counts in step.
func (s *Store) counted(ctx context.Context, tenant identity.TenantID, column bun.Ident, values any, change func(ctx context.Context) error) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		people, active, err := s.census(ctx, tenant, column, values)
		if err != nil {
			return err
		}
		if err := change(ctx); err != nil {
			return sqldb.Fault(err)
		}
		nowPeople, nowActive, err := s.census(ctx, tenant, column, values)
		if err != nil || (nowPeople == people && nowActive == active) {
			return err
		}
		_, err = s.advance(ctx, tenant, 0, nowPeople-people, nowActive-active)
		return err
	})
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

func join[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = string(v)
	}
	return strings.Join(texts, " ")
}

func fields[T ~string](text string) []T {
	out := []T{}
	for f := range strings.FieldsSeq(text) {
		out = append(out, T(f))
	}
	return out
}

type domainRow struct {
	bun.BaseModel `bun:"table:staff_domains"`

	Tenant string `bun:"tenant,pk"`
	Domain string `bun:"domain,pk"`
}

// SetDomains implements staff.Domains.
func (s *Store) SetDomains(ctx context.Context, tenant identity.TenantID, domains []string) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		if err := s.db.Lock(ctx, "staff.domains/"+string(tenant)); err != nil {
			return err
		}
		if _, err := s.db.IDB(ctx).NewDelete().Model((*domainRow)(nil)).Where("tenant = ?", string(tenant)).Exec(ctx); err != nil {
			return err
		}
		if len(domains) == 0 {
			return nil
		}
		var rows []domainRow
		for _, d := range domains {
			rows = append(rows, domainRow{Tenant: string(tenant), Domain: d})
		}
		_, err := s.db.IDB(ctx).NewInsert().Model(&rows).Exec(ctx)
		return err
	})
}

// Domains implements staff.Domains.
func (s *Store) Domains(ctx context.Context, tenant identity.TenantID) ([]string, error) {
	var domains []string
	err := s.db.Reader(ctx).NewSelect().Model((*domainRow)(nil)).Column("domain").Where("tenant = ?", string(tenant)).Scan(ctx, &domains)
	slices.Sort(domains)
	return domains, sqldb.Fault(err)
}

// HasDomain implements staff.Domains.
func (s *Store) HasDomain(ctx context.Context, tenant identity.TenantID, domain string) (bool, error) {
	found, err := s.db.Reader(ctx).NewSelect().Model((*domainRow)(nil)).
		Where("tenant = ?", string(tenant)).Where("domain = ?", domain).Exists(ctx)
	return found, sqldb.Fault(err)
}
