package approvalbun

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type actionPolicyRow struct {
	bun.BaseModel `bun:"table:approval_action_policies"`

	Tenant        string                    `bun:"tenant,pk"`
	ID            string                    `bun:"id,pk"`
	Flow          string                    `bun:"flow"`
	Action        string                    `bun:"action"`
	Priority      int                       `bun:"priority"`
	Actors        approval.Actors           `bun:"actors,type:jsonb"`
	States        approval.StateConstraints `bun:"states,type:jsonb"`
	RequireReason bool                      `bun:"require_reason"`
	Guards        []approval.GuardSpec      `bun:"guards,type:jsonb"`
	Disabled      bool                      `bun:"disabled"`
	Version       int64                     `bun:"version"`
	CreatedAt     sqldb.Time                `bun:"created_at"`
	CreatedBy     string                    `bun:"created_by"`
	UpdatedAt     sqldb.Time                `bun:"updated_at"`
	UpdatedBy     string                    `bun:"updated_by"`
}

func actionPolicyRowOf(p approval.ActionPolicy) actionPolicyRow {
	return actionPolicyRow{
		Tenant: string(p.Tenant), ID: p.ID, Flow: p.Flow, Action: p.Action, Priority: p.Priority, Actors: p.Actors, States: p.States,
		RequireReason: p.RequireReason, Guards: append([]approval.GuardSpec{}, p.Guards...), Disabled: p.Disabled, Version: p.Version,
		CreatedAt: sqldb.At(p.CreatedAt), CreatedBy: p.CreatedBy, UpdatedAt: sqldb.At(p.UpdatedAt), UpdatedBy: p.UpdatedBy,
	}
}

func actionPolicies(rows []actionPolicyRow) []approval.ActionPolicy {
	out := make([]approval.ActionPolicy, 0, len(rows))
	for _, row := range rows {
		out = append(out, approval.ActionPolicy{
			ActionRule: approval.ActionRule{
				Flow: row.Flow, Action: row.Action, Priority: row.Priority, Actors: row.Actors, States: row.States,
				RequireReason: row.RequireReason, Guards: row.Guards, Disabled: row.Disabled,
			},
			ID: row.ID, Tenant: identity.TenantID(row.Tenant), Version: row.Version,
			CreatedAt: row.CreatedAt.Time, CreatedBy: row.CreatedBy, UpdatedAt: row.UpdatedAt.Time, UpdatedBy: row.UpdatedBy,
		})
	}
	return out
}

// InsertActionPolicy implements approval.ActionPolicies.
func (s *Store) InsertActionPolicy(ctx context.Context, p approval.ActionPolicy) error {
	row := actionPolicyRowOf(p)
	_, err := s.db.IDB(ctx).NewInsert().Model(&row).Exec(ctx)
	return sqldb.Fault(err)
}

// ActionPolicy implements approval.ActionPolicies.
func (s *Store) ActionPolicy(ctx context.Context, tenant identity.TenantID, id string) (approval.ActionPolicy, error) {
	var row actionPolicyRow
	err := s.db.Reader(ctx).NewSelect().Model(&row).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx)
	if err = sqldb.Fault(err); errors.Is(err, sqldb.ErrNoRows) {
		return approval.ActionPolicy{}, approval.ErrNoActionPolicy
	}
	if err != nil {
		return approval.ActionPolicy{}, err
	}
	return actionPolicies([]actionPolicyRow{row})[0], nil
}

// SetActionPolicy implements approval.ActionPolicies.
func (s *Store) SetActionPolicy(ctx context.Context, p approval.ActionPolicy) error {
	row := actionPolicyRowOf(p)
	res, err := s.db.IDB(ctx).NewUpdate().Model(&row).
		ExcludeColumn("tenant", "id", "created_at", "created_by").
		Where("tenant = ?", row.Tenant).Where("id = ?", row.ID).Where("version = ?", row.Version-1).
		Exec(ctx)
	if err != nil {
		return sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return approval.ErrActionPolicyChanged
	}
	return err
}

const policyListing = "action policies" // the scope of the cursors

// ListActionPolicies implements approval.ActionPolicies.
func (s *Store) ListActionPolicies(
	ctx context.Context, tenant identity.TenantID, f approval.ActionPolicyFilter, p page.Request,
) (page.Page[approval.ActionPolicy], error) {
	var after sortKey
	more, err := page.Decode(policyListing, p.Cursor, &after)
	if err != nil {
		return page.Page[approval.ActionPolicy]{}, err
	}
	var rows []actionPolicyRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant))
	if f.Flow != "" {
		q = q.Where("flow = ?", f.Flow)
	}
	if f.Action != "" {
		q = q.Where("action = ?", f.Action)
	}
	if more {
		q = q.Where("(created_at, id) < (?, ?)", sqldb.At(time.UnixMicro(after.At)), after.ID)
	}
	if err := q.OrderExpr("created_at DESC, id DESC").Limit(int64(p.Size()) + 1).Scan(ctx); err != nil {
		return page.Page[approval.ActionPolicy]{}, sqldb.Fault(err)
	}
	return page.Of(policyListing, actionPolicies(rows), p.Size(), func(p approval.ActionPolicy) any {
		return sortKey{p.CreatedAt.UnixMicro(), p.ID}
	}), nil
}

// ActionPoliciesOn implements approval.ActionPolicies.
func (s *Store) ActionPoliciesOn(ctx context.Context, tenant identity.TenantID, flow, action string) ([]approval.ActionPolicy, error) {
	var rows []actionPolicyRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).
		Where("tenant = ?", string(tenant)).Where("flow = ?", flow).Where("action = ?", action).Where("NOT disabled").
		OrderExpr("priority DESC, created_at DESC, id DESC").Scan(ctx)
	return actionPolicies(rows), sqldb.Fault(err)
}
