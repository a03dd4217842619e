package approvalbun

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type substituteRow struct {
	bun.BaseModel `bun:"table:approval_substitutes"`

	Tenant       string     `bun:"tenant,pk"`
	ID           string     `bun:"id,pk"`
	ApproverID   string     `bun:"approver_id"`
	SubstituteID string     `bun:"substitute_id"`
	From         sqldb.Time `bun:"valid_from"`
	Until        sqldb.Time `bun:"valid_until"`
	CreatedBy    string     `bun:"created_by"`
	CreatedAt    sqldb.Time `bun:"created_at"`
	EndedAt      sqldb.Time `bun:"ended_at"`
}

func (r substituteRow) substitution() approval.Substitution {
	return approval.Substitution{
		ID: r.ID, Tenant: identity.TenantID(r.Tenant), ApproverID: r.ApproverID, SubstituteID: r.SubstituteID,
		From: r.From.Time, Until: r.Until.Time, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt.Time, EndedAt: r.EndedAt.Time,
	}
}

func substitutions(rows []substituteRow) []approval.Substitution {
	out := make([]approval.Substitution, len(rows))
	for i, r := range rows {
		out[i] = r.substitution()
	}
	return out
}

// AddSubstitution implements approval.Substitutes.
func (s *Store) AddSubstitution(ctx context.Context, sub approval.Substitution) error {
	_, err := s.db.IDB(ctx).NewInsert().Model(&substituteRow{
		Tenant: string(sub.Tenant), ID: sub.ID, ApproverID: sub.ApproverID, SubstituteID: sub.SubstituteID,
		From: sqldb.At(sub.From), Until: sqldb.At(sub.Until), CreatedBy: sub.CreatedBy, CreatedAt: sqldb.At(sub.CreatedAt), EndedAt: sqldb.At(sub.EndedAt),
	}).Exec(ctx)
	return sqldb.Fault(err)
}

// Substitution implements approval.Substitutes.
func (s *Store) Substitution(ctx context.Context, tenant identity.TenantID, id string) (approval.Substitution, error) {
	var row substituteRow
	err := sqldb.Fault(s.db.Reader(ctx).NewSelect().Model(&row).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		err = approval.ErrNoSubstitution
	}
	return row.substitution(), err
}

// EndSubstitution implements approval.Substitutes.
func (s *Store) EndSubstitution(ctx context.Context, tenant identity.TenantID, id string, at time.Time) (bool, error) {
	return changedOne(s.db.IDB(ctx).NewUpdate().Model((*substituteRow)(nil)).Set("ended_at = ?", sqldb.At(at)).
		Where("tenant = ?", string(tenant)).Where("id = ?", id).Where("ended_at IS NULL").Exec(ctx))
}

// ListSubstitutions implements approval.Substitutes. It asks once per index.
func (s *Store) ListSubstitutions(ctx context.Context, tenant identity.TenantID, person string, p page.Request) (page.Page[approval.Substitution], error) {
	const scope = "approval_substitutes"
	var last string
	more, err := page.Decode(scope, p.Cursor, &last)
	if err != nil {
		return page.Page[approval.Substitution]{}, err
	}
	columns := []string{"approver_id", "substitute_id"}
	if person == "" {
		columns = []string{""}
	}
	var rows []substituteRow
	for _, column := range columns {
		var some []substituteRow
		q := s.db.Reader(ctx).NewSelect().Model(&some).Where("tenant = ?", string(tenant))
		if column != "" {
			q = q.Where("? = ?", bun.Ident(column), person)
		}
		if more {
			q = q.Where("id < ?", last)
		}
		if err := q.OrderExpr("id DESC").Limit(int64(p.Size()) + 1).Scan(ctx); err != nil {
			return page.Page[approval.Substitution]{}, sqldb.Fault(err)
		}
		rows = append(rows, some...)
	}
	slices.SortFunc(rows, func(a, b substituteRow) int { return cmp.Compare(b.ID, a.ID) })
	return page.Of(scope, substitutions(rows), p.Size(), func(sub approval.Substitution) any { return sub.ID }), nil
}

// SubstitutesOf implements approval.Substitutes.
func (s *Store) SubstitutesOf(ctx context.Context, tenant identity.TenantID, approvers []string, at time.Time) ([]approval.Substitution, error) {
	return s.inForce(ctx, tenant, "approver_id", approvers, at)
}

// StandingInFor implements approval.Substitutes.
func (s *Store) StandingInFor(ctx context.Context, tenant identity.TenantID, substitutes []string, at time.Time) ([]approval.Substitution, error) {
	return s.inForce(ctx, tenant, "substitute_id", substitutes, at)
}

const idsPerQuery = 1000

func (s *Store) inForce(ctx context.Context, tenant identity.TenantID, column bun.Ident, ids []string, at time.Time) ([]approval.Substitution, error) {
	found := []approval.Substitution{}
	for some := range slices.Chunk(ids, idsPerQuery) {
		var rows []substituteRow
		err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).
			Where("? IN (?)", column, bun.List(some)).
			Where("ended_at IS NULL").
			Where("valid_from <= ?", sqldb.At(at)).
			Where("valid_until IS NULL OR valid_until > ?", sqldb.At(at)).
			OrderExpr("id").Scan(ctx)
		if err != nil {
			return nil, sqldb.Fault(err)
		}
		found = append(found, substitutions(rows)...)
	}
	return found, nil
}
