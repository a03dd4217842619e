package graphsyncbun

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff/graphsync"
)

type issueRow struct {
	bun.BaseModel `bun:"table:graphsync_issues,alias:i"`

	ID        int64      `bun:"id,pk,autoincrement"`
	Tenant    string     `bun:"tenant"`
	Kind      string     `bun:"kind"`
	Object    string     `bun:"object"`
	Local     int64      `bun:"local_id"`
	Remotes   string     `bun:"remotes"`
	FirstAt   sqldb.Time `bun:"first_at"`
	LastAt    sqldb.Time `bun:"last_at"`
	IgnoredBy string     `bun:"ignored_by"`
}

func (r issueRow) issue() (graphsync.StoredIssue, error) {
	out := graphsync.StoredIssue{
		ID: r.ID, Issue: graphsync.Issue{Kind: graphsync.IssueKind(r.Kind), Object: graphsync.Kind(r.Object), Local: r.Local},
		FirstAt: r.FirstAt.Time, LastAt: r.LastAt.Time, IgnoredBy: r.IgnoredBy,
	}
	return out, decode(r.Remotes, &out.Remotes)
}

// SetIssues implements graphsync.Issues.
func (s *Store) SetIssues(ctx context.Context, tenant identity.TenantID, issues []graphsync.Issue, now time.Time) error {
	at := sqldb.At(now)
	return s.db.Do(ctx, func(ctx context.Context) error {
		err := inBatches(issues, func(part []graphsync.Issue) error {
			rows := make([]issueRow, len(part))
			for i, p := range part {
				rows[i] = issueRow{
					Tenant: string(tenant), Kind: string(p.Kind), Object: string(p.Object), Local: p.Local, Remotes: encoded(p.Remotes), FirstAt: at, LastAt: at,
				}
			}
			_, err := s.db.IDB(ctx).NewInsert().Model(&rows).On("CONFLICT (tenant, kind, object, local_id) DO UPDATE").
				Set("remotes = EXCLUDED.remotes, last_at = EXCLUDED.last_at").Returning("NULL").Exec(ctx)
			return err
		})
		if err != nil {
			return err
		}
		return s.dropOthers(ctx, tenant, issues)
	})
}

type issueKey struct {
	kind, object string
	local        int64
}

// dropOthers removes the issues that are not given.
func (s *Store) dropOthers(ctx context.Context, tenant identity.TenantID, issues []graphsync.Issue) error {
	keep := make(map[issueKey]bool, len(issues))
	for _, i := range issues {
		keep[issueKey{string(i.Kind), string(i.Object), i.Local}] = true
	}
	var rows []issueRow
	err := s.db.IDB(ctx).NewSelect().Model(&rows).Column("id", "kind", "object", "local_id").Where("tenant = ?", string(tenant)).Scan(ctx)
	if err != nil {
		return sqldb.Fault(err)
	}
	var gone []int64
	for _, r := range rows {
		if !keep[issueKey{r.Kind, r.Object, r.Local}] {
			gone = append(gone, r.ID)
		}
	}
	return inBatches(gone, func(part []int64) error {
		_, err := s.db.IDB(ctx).NewDelete().Model((*issueRow)(nil)).Where("id IN (?)", bun.List(part)).Exec(ctx)
		return err
	})
}

// Issues implements graphsync.Issues.
func (s *Store) Issues(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]graphsync.StoredIssue, error) {
	var rows []issueRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	return mapped(rows, err, issueRow.issue)
}

// Issue implements graphsync.Issues.
func (s *Store) Issue(ctx context.Context, tenant identity.TenantID, id int64) (graphsync.StoredIssue, error) {
	var row issueRow
	err := sqldb.Fault(s.db.Reader(ctx).NewSelect().Model(&row).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		err = graphsync.ErrUnknownIssue
	}
	if err != nil {
		return graphsync.StoredIssue{}, err
	}
	return row.issue()
}

// IgnoreIssue implements graphsync.Issues.
func (s *Store) IgnoreIssue(ctx context.Context, tenant identity.TenantID, id int64, by string) error {
	result, err := s.db.IDB(ctx).NewUpdate().Model((*issueRow)(nil)).Set("ignored_by = ?", by).Where("tenant = ?", string(tenant)).Where("id = ?", id).Exec(ctx)
	return affected(result, err, graphsync.ErrUnknownIssue)
}

// DropIssue implements graphsync.Issues.
func (s *Store) DropIssue(ctx context.Context, tenant identity.TenantID, id int64) error {
	result, err := s.db.IDB(ctx).NewDelete().Model((*issueRow)(nil)).Where("tenant = ?", string(tenant)).Where("id = ?", id).Exec(ctx)
	return affected(result, err, graphsync.ErrUnknownIssue)
}
