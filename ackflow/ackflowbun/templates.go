package ackflowbun

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// InsertTemplate implements ackflow.Templating.
func (s *Store) InsertTemplate(ctx context.Context, t ackflow.Template) error {
	row := templateRowOf(t)
	return s.insert(ctx, &row, nil)
}

// LockTemplate implements ackflow.Templating.
func (s *Store) LockTemplate(ctx context.Context, tenant identity.TenantID, id string) (ackflow.Template, error) {
	var row templateRow
	err := one(ctx, s.locking(ctx), &row, tenant, id)
	return row.template(), err
}

// SetTemplate implements ackflow.Templating.
func (s *Store) SetTemplate(ctx context.Context, t ackflow.Template) error {
	row := templateRowOf(t)
	return s.update(ctx, &row, "flow_type", "action_key", "body", "required", "due_in_hours", "remind_hours", "escalation", "enabled",
		"updated_at", "updated_by")
}

const templateListing = "chat_ack_templates"

// ListTemplates implements ackflow.Templating.
func (s *Store) ListTemplates(ctx context.Context, tenant identity.TenantID, f ackflow.TemplateFilter, p page.Request) (page.Page[ackflow.Template], error) {
	var after sortKey
	more, err := page.Decode(templateListing, p.Cursor, &after)
	if err != nil {
		return page.Page[ackflow.Template]{}, err
	}
	var rows []templateRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("t.tenant = ?", string(tenant))
	if f.FlowType != "" {
		q = q.Where("t.flow_type = ?", f.FlowType)
	}
	if f.ActionKey != "" {
		q = q.Where("t.action_key = ?", f.ActionKey)
	}
	if more {
		q = q.Where("(t.created_at, t.id) < (?, ?)", sqldb.At(time.UnixMicro(after.At)), after.ID)
	}
	if err := q.OrderExpr("t.created_at DESC, t.id DESC").Limit(int64(p.Size()) + 1).Scan(ctx); err != nil {
		return page.Page[ackflow.Template]{}, sqldb.Fault(err)
	}
	return page.Of(templateListing, templates(rows), p.Size(), func(t ackflow.Template) any { return sortKey{t.CreatedAt.UnixMicro(), t.ID} }), nil
}

func templates(rows []templateRow) []ackflow.Template {
	out := make([]ackflow.Template, 0, len(rows))
	for _, row := range rows {
		out = append(out, row.template())
	}
	return out
}

// Enabled implements ackflow.Templating.
func (s *Store) Enabled(ctx context.Context, tenant identity.TenantID, flowType, actionKey string) ([]ackflow.Template, error) {
	var rows []templateRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).
		Where("flow_type = ?", flowType).Where("action_key = ?", actionKey).Where("enabled = ?", true).
		OrderExpr("created_at, id").Scan(ctx)
	return templates(rows), sqldb.Fault(err)
}

// ClaimUse implements ackflow.Templating.
func (s *Store) ClaimUse(ctx context.Context, u ackflow.Use) (bool, error) {
	row := useRow{
		Tenant: string(u.Tenant), TargetTable: u.Target.Table, TargetID: u.Target.ID, FlowType: u.FlowType, ActionKey: u.ActionKey,
		TemplateID: u.TemplateID, RequestID: u.RequestID, CreatedAt: sqldb.At(u.At),
	}
	res, err := s.db.IDB(ctx).NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return false, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
