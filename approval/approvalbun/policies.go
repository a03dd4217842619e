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

type policyRow struct {
	bun.BaseModel `bun:"table:approval_policies,alias:p"`

	Tenant       string          `bun:"tenant,pk"`
	Flow         string          `bun:"flow,pk"`
	Version      int64           `bun:"version,pk"`
	Rules        approval.Rules  `bun:"rules,type:jsonb"`
	Steps        []approval.Plan `bun:"steps,type:jsonb"`
	Timeout      time.Duration   `bun:"timeout"`
	RemindBefore time.Duration   `bun:"remind_before"`
	Comment      string          `bun:"comment"`
	ChangedBy    string          `bun:"changed_by"`
	ChangedAt    sqldb.Time      `bun:"changed_at"`
}

func (r policyRow) policy() approval.Policy {
	return approval.Policy{
		Tenant: identity.TenantID(r.Tenant), Flow: r.Flow, Version: r.Version, Rules: r.Rules, Steps: r.Steps,
		Timeout: r.Timeout, RemindBefore: r.RemindBefore, Comment: r.Comment, ChangedBy: r.ChangedBy, ChangedAt: r.ChangedAt.Time,
	}
}

func policies(rows []policyRow) []approval.Policy {
	out := make([]approval.Policy, len(rows))
	for i, r := range rows {
		out[i] = r.policy()
	}
	return out
}

// Policy implements approval.PolicyStore.
func (s *Store) Policy(ctx context.Context, tenant identity.TenantID, flow string) (approval.Policy, error) {
	return s.policy(ctx, tenant, flow, 0)
}

// PolicyVersion implements approval.PolicyStore.
func (s *Store) PolicyVersion(ctx context.Context, tenant identity.TenantID, flow string, version int64) (approval.Policy, error) {
	return s.policy(ctx, tenant, flow, version)
}

// policy returns a version, 0 for the newest.
func (s *Store) policy(ctx context.Context, tenant identity.TenantID, flow string, version int64) (approval.Policy, error) {
	var row policyRow
	q := s.db.Reader(ctx).NewSelect().Model(&row).Where("tenant = ?", string(tenant)).Where("flow = ?", flow)
	if version != 0 {
		q = q.Where("version = ?", version)
	}
	err := sqldb.Fault(q.OrderExpr("version DESC").Limit(1).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		err = approval.ErrNoPolicy
	}
	return row.policy(), err
}

// Policies implements approval.PolicyStore.
func (s *Store) Policies(ctx context.Context, tenant identity.TenantID) ([]approval.Policy, error) {
	var rows []policyRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("p.tenant = ?", string(tenant)).
		Where("p.version = (SELECT max(version) FROM approval_policies AS n WHERE n.tenant = p.tenant AND n.flow = p.flow)").
		OrderExpr("p.flow").Scan(ctx)
	return policies(rows), sqldb.Fault(err)
}

// PolicyVersions implements approval.PolicyStore.
func (s *Store) PolicyVersions(ctx context.Context, tenant identity.TenantID, flow string, p page.Request) (page.Page[approval.Policy], error) {
	const scope = "approval_policy"
	var last int64
	more, err := page.Decode(scope, p.Cursor, &last)
	if err != nil {
		return page.Page[approval.Policy]{}, err
	}
	var rows []policyRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("flow = ?", flow)
	if more {
		q = q.Where("version < ?", last)
	}
	if err := q.OrderExpr("version DESC").Limit(int64(p.Size()) + 1).Scan(ctx); err != nil {
		return page.Page[approval.Policy]{}, sqldb.Fault(err)
	}
	return page.Of(scope, policies(rows), p.Size(), func(p approval.Policy) any { return p.Version }), nil
}

// AddPolicy implements approval.PolicyStore.
func (s *Store) AddPolicy(ctx context.Context, p approval.Policy) error {
	_, err := s.db.IDB(ctx).NewInsert().Model(&policyRow{
		Tenant: string(p.Tenant), Flow: p.Flow, Version: p.Version, Rules: p.Rules, Steps: p.Steps,
		Timeout: p.Timeout, RemindBefore: p.RemindBefore, Comment: p.Comment, ChangedBy: p.ChangedBy, ChangedAt: sqldb.At(p.ChangedAt),
	}).Exec(ctx)
	if errors.Is(sqldb.Fault(err), sqldb.ErrDuplicate) {
		return approval.ErrPolicyChanged.Because(err)
	}
	return sqldb.Fault(err)
}
