package ackflowbun

import (
	"context"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// LockTarget implements ackflow.Links.
func (s *Store) LockTarget(ctx context.Context, tenant identity.TenantID, t ackflow.Target) error {
	return s.db.Lock(ctx, "ackflow.target/"+string(tenant)+"/"+t.String())
}

// InsertLink implements ackflow.Links.
func (s *Store) InsertLink(ctx context.Context, l ackflow.Link) error {
	row := linkRowOf(l)
	return s.insert(ctx, &row, ackflow.ErrDuplicateLink)
}

// Link implements ackflow.Links.
func (s *Store) Link(ctx context.Context, tenant identity.TenantID, id string) (ackflow.Link, error) {
	var row linkRow
	err := one(ctx, s.db.Reader(ctx).NewSelect(), &row, tenant, id)
	return row.link(), err
}

// DeleteLink implements ackflow.Links.
func (s *Store) DeleteLink(ctx context.Context, tenant identity.TenantID, id string) (bool, error) {
	res, err := s.db.IDB(ctx).NewDelete().Model((*linkRow)(nil)).Where("tenant = ?", string(tenant)).Where("id = ?", id).Exec(ctx)
	if err != nil {
		return false, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Links implements ackflow.Links.
func (s *Store) Links(ctx context.Context, tenant identity.TenantID, f ackflow.LinkFilter, limit int) ([]ackflow.Link, error) {
	var rows []linkRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("l.tenant = ?", string(tenant))
	for _, c := range []struct{ column, value string }{
		{"request_id", f.RequestID}, {"message_id", f.MessageID}, {"target_table", f.Target.Table}, {"target_id", f.Target.ID},
	} {
		if c.value != "" {
			q = q.Where("l."+c.column+" = ?", c.value)
		}
	}
	if b := f.Before; b != nil {
		q = q.Where("(l.created_at, l.id) < (?, ?)", sqldb.At(b.CreatedAt), b.ID)
	}
	err := q.OrderExpr("l.created_at DESC, l.id DESC").Limit(int64(limit)).Scan(ctx)
	links := make([]ackflow.Link, 0, len(rows))
	for _, row := range rows {
		links = append(links, row.link())
	}
	return links, sqldb.Fault(err)
}

// Linked implements ackflow.Links. The target is locked first, in a statement of its own, so that the next one sees every
// link that was made before; the requests are locked for sharing, in the order of their ids.
func (s *Store) Linked(ctx context.Context, tenant identity.TenantID, t ackflow.Target) ([]ackflow.Linked, error) {
	q := s.db.Reader(ctx).NewSelect()
	if sqldb.InTx(ctx) {
		if err := s.LockTarget(ctx, tenant, t); err != nil {
			return nil, err
		}
		if s.db.IsPostgres() {
			q = q.For("SHARE OF r")
		}
	}
	var rows []struct {
		ID             string     `bun:"id"`
		DueAt          sqldb.Time `bun:"due_at"`
		CanceledAt     sqldb.Time `bun:"canceled_at"`
		MessageDeleted bool       `bun:"message_deleted"`
		Required       int        `bun:"required"`
		Missing        int        `bun:"missing"`
		MessageFound   bool       `bun:"message_found"`
	}
	err := q.TableExpr("chat_ack_links AS l").
		ColumnExpr("r.id, r.due_at, r.canceled_at, r.message_deleted, r.required, r.missing, m.id IS NOT NULL AS message_found").
		Join("JOIN chat_ack_requests AS r ON r.tenant = l.tenant AND r.id = l.request_id").
		Join("LEFT JOIN chat_messages AS m ON m.tenant = r.tenant AND m.id = r.message_id").
		Where("l.tenant = ?", string(tenant)).Where("l.target_table = ?", t.Table).Where("l.target_id = ?", t.ID).
		OrderExpr("r.id").Scan(ctx, &rows)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	linked := make([]ackflow.Linked, 0, len(rows))
	for _, row := range rows {
		linked = append(linked, ackflow.Linked{MessageFound: row.MessageFound, Request: ackflow.Request{
			ID: row.ID, Tenant: tenant, DueAt: row.DueAt.Time, CanceledAt: row.CanceledAt.Time, MessageDeleted: row.MessageDeleted,
			Required: row.Required, Missing: row.Missing,
		}})
	}
	return linked, nil
}
