package ackflowbun

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// AnyDue implements ackflow.Timers.
func (s *Store) AnyDue(ctx context.Context, now time.Time) (bool, error) {
	var due bool
	err := s.db.Reader(ctx).NewRaw("SELECT EXISTS (SELECT 1 FROM chat_ack_requests WHERE next_at <= ?)", sqldb.At(now)).Scan(ctx, &due)
	return due, sqldb.Fault(err)
}

// ClaimDue implements ackflow.Timers.
func (s *Store) ClaimDue(ctx context.Context, now time.Time, limit int) ([]ackflow.Request, error) {
	var rows []requestRow
	q := s.db.IDB(ctx).NewSelect().Model(&rows).Where("next_at <= ?", sqldb.At(now)).OrderExpr("next_at").Limit(int64(limit))
	if s.db.IsPostgres() {
		q = q.For("UPDATE SKIP LOCKED")
	}
	err := q.Scan(ctx)
	return requests(rows), sqldb.Fault(err)
}

// Postpone implements ackflow.Timers.
func (s *Store) Postpone(ctx context.Context, tenant identity.TenantID, id string, until time.Time) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model((*requestRow)(nil)).Set("next_at = ?", sqldb.At(until)).
		Where("tenant = ?", string(tenant)).Where("id = ?", id).Where("next_at IS NOT NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// Escalate implements ackflow.Timers.
func (s *Store) Escalate(ctx context.Context, tenant identity.TenantID, id string, at time.Time, people []string) ([]string, error) {
	if len(people) == 0 {
		return []string{}, nil
	}
	rows := toldRows(tenant, id, at, people, true)
	var fresh []string
	err := s.db.IDB(ctx).NewInsert().Model(&rows).
		On("CONFLICT (tenant, request_id, user_id) DO UPDATE").Set("escalated = EXCLUDED.escalated").Where("NOT e.escalated").
		Returning("user_id").Scan(ctx, &fresh)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	return slices.DeleteFunc(slices.Clone(people), func(who string) bool { return !slices.Contains(fresh, who) }), nil
}

// Tell implements ackflow.Timers.
func (s *Store) Tell(ctx context.Context, tenant identity.TenantID, id string, at time.Time, people []string) error {
	if len(people) == 0 {
		return nil
	}
	rows := toldRows(tenant, id, at, people, false)
	_, err := s.db.IDB(ctx).NewInsert().Model(&rows).On("CONFLICT DO NOTHING").Exec(ctx)
	return sqldb.Fault(err)
}

func toldRows(tenant identity.TenantID, id string, at time.Time, people []string, escalated bool) []escalationRow {
	rows := make([]escalationRow, 0, len(people))
	for _, who := range people {
		rows = append(rows, escalationRow{Tenant: string(tenant), RequestID: id, UserID: who, CreatedAt: sqldb.At(at), Escalated: escalated})
	}
	return rows
}

// WasTold implements ackflow.Timers.
func (s *Store) WasTold(ctx context.Context, tenant identity.TenantID, id, user string) (bool, error) {
	told, err := s.db.Reader(ctx).NewSelect().Model((*escalationRow)(nil)).Where("tenant = ?", string(tenant)).
		Where("request_id = ?", id).Where("user_id = ?", user).Exists(ctx)
	return told, sqldb.Fault(err)
}
