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

type runRow struct {
	bun.BaseModel `bun:"table:graphsync_runs,alias:r"`

	ID         int64      `bun:"id,pk,autoincrement"`
	Tenant     string     `bun:"tenant"`
	State      string     `bun:"state"`
	Trigger    string     `bun:"source"`
	Hold       bool       `bun:"hold"`
	Full       bool       `bun:"read_all"`
	RollbackOf int64      `bun:"rollback_of"`
	By         string     `bun:"asked_by"`
	Hash       string     `bun:"hash"`
	Counts     string     `bun:"counts"`
	Tripped    string     `bun:"tripped"`
	Issues     int        `bun:"issues"`
	Waiting    int        `bun:"waiting"`
	People     int        `bun:"people"`
	ApprovedBy string     `bun:"approved_by"`
	Reason     string     `bun:"reason"`
	CreatedAt  sqldb.Time `bun:"created_at"`
	PlannedAt  sqldb.Time `bun:"planned_at,nullzero"`
	StartedAt  sqldb.Time `bun:"started_at,nullzero"`
	EndedAt    sqldb.Time `bun:"ended_at,nullzero"`
	Result     string     `bun:"result"`
}

func (r runRow) run() (graphsync.Run, error) {
	out := graphsync.Run{
		ID: r.ID, State: graphsync.RunState(r.State), Trigger: graphsync.Trigger(r.Trigger), Hold: r.Hold, Full: r.Full, RollbackOf: r.RollbackOf, By: r.By,
		Hash: r.Hash, Issues: r.Issues, Waiting: r.Waiting, People: r.People, ApprovedBy: r.ApprovedBy, Reason: r.Reason,
		CreatedAt: r.CreatedAt.Time, PlannedAt: r.PlannedAt.Time, StartedAt: r.StartedAt.Time, EndedAt: r.EndedAt.Time,
	}
	return out, errors.Join(decode(r.Counts, &out.Counts), decode(r.Tripped, &out.Tripped), decode(r.Result, &out.Result))
}

func runRowOf(tenant identity.TenantID, r graphsync.Run) runRow {
	return runRow{
		ID: r.ID, Tenant: string(tenant), State: string(r.State), Trigger: string(r.Trigger), Hold: r.Hold, Full: r.Full, RollbackOf: r.RollbackOf, By: r.By,
		Hash: r.Hash, Counts: encoded(r.Counts), Tripped: encoded(r.Tripped), Issues: r.Issues, Waiting: r.Waiting, People: r.People,
		ApprovedBy: r.ApprovedBy, Reason: r.Reason, CreatedAt: sqldb.At(r.CreatedAt), PlannedAt: sqldb.At(r.PlannedAt), StartedAt: sqldb.At(r.StartedAt),
		EndedAt: sqldb.At(r.EndedAt), Result: encoded(r.Result),
	}
}

// InsertRun implements graphsync.Runs.
func (s *Store) InsertRun(ctx context.Context, tenant identity.TenantID, r graphsync.Run) (int64, error) {
	row := runRowOf(tenant, r)
	row.ID = 0
	_, err := s.db.IDB(ctx).NewInsert().Model(&row).Returning("id").Exec(ctx)
	return row.ID, sqldb.Fault(err)
}

// UpdateRun implements graphsync.Runs.
func (s *Store) UpdateRun(ctx context.Context, tenant identity.TenantID, r graphsync.Run) error {
	row := runRowOf(tenant, r)
	result, err := s.db.IDB(ctx).NewUpdate().Model(&row).ExcludeColumn("id", "tenant", "created_at").
		Where("id = ?", r.ID).Where("tenant = ?", string(tenant)).Exec(ctx)
	return affected(result, err, graphsync.ErrUnknownRun)
}

// Run implements graphsync.Runs.
func (s *Store) Run(ctx context.Context, tenant identity.TenantID, id int64) (graphsync.Run, error) {
	var row runRow
	q := s.db.Reader(ctx).NewSelect().Model(&row).Where("id = ?", id).Where("tenant = ?", string(tenant))
	if s.db.IsPostgres() && sqldb.InTx(ctx) {
		q = q.For("UPDATE")
	}
	err := sqldb.Fault(q.Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		return graphsync.Run{}, graphsync.ErrUnknownRun
	}
	if err != nil {
		return graphsync.Run{}, err
	}
	return row.run()
}

// Runs implements graphsync.Runs.
func (s *Store) Runs(ctx context.Context, tenant identity.TenantID, before int64, limit int) ([]graphsync.Run, error) {
	var rows []runRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Order("id DESC").Limit(int64(limit))
	if before > 0 {
		q = q.Where("id < ?", before)
	}
	err := q.Scan(ctx)
	return mapped(rows, err, runRow.run)
}

// LiveRuns implements graphsync.Runs.
func (s *Store) LiveRuns(ctx context.Context, tenant identity.TenantID) ([]graphsync.Run, error) {
	var rows []runRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("ended_at IS NULL").Order("id").Scan(ctx)
	return mapped(rows, err, runRow.run)
}

type stepRow struct {
	bun.BaseModel `bun:"table:graphsync_steps"`

	Run    int64      `bun:"run_id,pk"`
	N      int        `bun:"n,pk"`
	Tenant string     `bun:"tenant"`
	Person int64      `bun:"person_id"`
	Action string     `bun:"action"`
	State  string     `bun:"state"`
	Reason string     `bun:"reason"`
	At     sqldb.Time `bun:"at,nullzero"`
}

func (r stepRow) step() (graphsync.Step, error) {
	out := graphsync.Step{Run: r.Run, N: r.N, State: graphsync.StepState(r.State), Reason: r.Reason, At: r.At.Time}
	return out, decode(r.Action, &out.Action)
}

// PutSteps implements graphsync.Runs.
func (s *Store) PutSteps(ctx context.Context, tenant identity.TenantID, run int64, steps []graphsync.Step) error {
	return inBatches(steps, func(part []graphsync.Step) error {
		rows := make([]stepRow, len(part))
		for i, p := range part {
			rows[i] = stepRow{
				Run: run, N: p.N, Tenant: string(tenant), Person: p.Person, Action: encoded(p.Action), State: string(p.State), Reason: p.Reason, At: sqldb.At(p.At),
			}
		}
		_, err := s.db.IDB(ctx).NewInsert().Model(&rows).On("CONFLICT (run_id, n) DO UPDATE").
			Set("action = EXCLUDED.action, state = EXCLUDED.state, reason = EXCLUDED.reason, at = EXCLUDED.at").Returning("NULL").Exec(ctx)
		return err
	})
}

// Steps implements graphsync.Runs.
func (s *Store) Steps(ctx context.Context, tenant identity.TenantID, run int64, state graphsync.StepState, after, limit int) ([]graphsync.Step, error) {
	var rows []stepRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("run_id = ?", run).Where("tenant = ?", string(tenant)).Where("n > ?", after).Order("n").Limit(int64(limit))
	if state != "" {
		q = q.Where("state = ?", string(state))
	}
	err := q.Scan(ctx)
	return mapped(rows, err, stepRow.step)
}

// CountSteps implements graphsync.Runs.
func (s *Store) CountSteps(ctx context.Context, tenant identity.TenantID, run int64) (map[graphsync.StepState]int, error) {
	var rows []struct {
		State string
		N     int
	}
	err := s.db.Reader(ctx).NewSelect().Model((*stepRow)(nil)).ColumnExpr("state, count(*) AS n").Where("run_id = ?", run).
		Where("tenant = ?", string(tenant)).Group("state").Scan(ctx, &rows)
	out := map[graphsync.StepState]int{}
	for _, r := range rows {
		out[graphsync.StepState(r.State)] = r.N
	}
	return out, sqldb.Fault(err)
}

// PruneRuns implements graphsync.Runs.
func (s *Store) PruneRuns(ctx context.Context, t time.Time, limit int) (int, error) {
	var n int
	err := s.db.Do(ctx, func(ctx context.Context) error {
		var ids []int64
		err := s.db.IDB(ctx).NewSelect().Model((*runRow)(nil)).Column("id").Where("ended_at < ?", sqldb.At(t)).Order("id").Limit(int64(limit)).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return sqldb.Fault(err)
		}
		if _, err := s.db.IDB(ctx).NewDelete().Model((*stepRow)(nil)).Where("run_id IN (?)", bun.List(ids)).Exec(ctx); err != nil {
			return sqldb.Fault(err)
		}
		_, err = s.db.IDB(ctx).NewDelete().Model((*runRow)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
		n = len(ids)
		return sqldb.Fault(err)
	})
	return n, err
}

// ForgetEdits implements graphsync.Runs.
func (s *Store) ForgetEdits(ctx context.Context, tenant identity.TenantID, person int64) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		var rows []stepRow
		err := s.db.IDB(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("person_id = ?", person).Scan(ctx)
		if err != nil {
			return sqldb.Fault(err)
		}
		for i, r := range rows {
			step, err := r.step()
			if err != nil {
				return err
			}
			step.Edits = nil
			rows[i].Action = encoded(step.Action)
			if _, err := s.db.IDB(ctx).NewUpdate().Model(&rows[i]).Column("action").WherePK().Exec(ctx); err != nil {
				return sqldb.Fault(err)
			}
		}
		return nil
	})
}
