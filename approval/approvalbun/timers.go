package approvalbun

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

// AnyDue implements approval.Timers.
func (s *Store) AnyDue(ctx context.Context, now time.Time) (bool, error) {
	var due bool
	err := s.db.Reader(ctx).NewRaw(
		"SELECT EXISTS (SELECT 1 FROM approval_requests WHERE status = 'pending' AND due_at <= ?)", sqldb.At(now)).Scan(ctx, &due)
	return due, sqldb.Fault(err)
}

// The claim is materialised: PostgreSQL must not run a subquery that locks rows more than once.
const (
	claimHead = `WITH claimed AS MATERIALIZED (
	SELECT tenant, id FROM approval_requests
	WHERE status = 'pending' AND due_at <= ? AND `
	claimTail = ` ORDER BY due_at LIMIT ?`
	change    = `) UPDATE approval_requests SET `
	those     = ` WHERE (tenant, id) IN (SELECT tenant, id FROM claimed) RETURNING *`
)

func (s *Store) claim(condition, assignment string) string {
	query := claimHead + condition + claimTail
	if s.db.IsPostgres() {
		query += " FOR UPDATE SKIP LOCKED"
	}
	return query + change + assignment + those
}

// TimeOut implements approval.Timers.
func (s *Store) TimeOut(ctx context.Context, now time.Time, by string, limit int) ([]approval.Request, error) {
	var rows []requestRow
	at := sqldb.At(now)
	err := s.db.IDB(ctx).NewRaw(s.claim("expires_at <= ?",
		"status = ?, version = version + 1, ended_by = ?, ended_action = ?, ended_at = ?"),
		at, at, limit, string(approval.TimedOut), by, approval.ActionTimeout, at).Scan(ctx, &rows)
	return requests(rows), sqldb.Fault(err)
}

// Remind implements approval.Timers.
func (s *Store) Remind(ctx context.Context, now time.Time, limit int) ([]approval.Request, error) {
	var rows []requestRow
	at := sqldb.At(now)
	err := s.db.IDB(ctx).NewRaw(s.claim("expires_at > ? AND reminded_at IS NULL", "reminded_at = ?, due_at = expires_at"),
		at, at, limit, at).Scan(ctx, &rows)
	return requests(rows), sqldb.Fault(err)
}

// Postpone implements approval.Timers.
func (s *Store) Postpone(ctx context.Context, tenant identity.TenantID, id string, until time.Time) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model((*requestRow)(nil)).
		Set("due_at = ?", sqldb.At(until)).
		Where("tenant = ?", string(tenant)).Where("id = ?", id).Where("status = 'pending'").
		Exec(ctx)
	return sqldb.Fault(err)
}
