package graphsync

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
)

// What the audit trail calls the acts of this package, on the targets "entra.run", "entra.issue", "entra.link" and
// "entra.sync".
const (
	ActionRequest  = "REQUEST_ENTRA_RUN"
	ActionApprove  = "APPROVE_ENTRA_RUN"
	ActionDiscard  = "DISCARD_ENTRA_RUN"
	ActionRollback = "ROLL_BACK_ENTRA_RUN"
	ActionResolve  = "RESOLVE_ENTRA_CONFLICT"
	ActionRetry    = "RETRY_ENTRA_OBJECT"
	ActionPause    = "PAUSE_ENTRA_SYNC"
	ActionResume   = "RESUME_ENTRA_SYNC"
)

// Status is how it stands with the synchronisation.
type Status struct {
	Paused bool
	NextAt time.Time // when the next run is due; zero: at once
	FullAt time.Time // when the last full read began
	People int       // who were to have an account when it last went well
	Live   []Run     // requested, planned or applying
}

// Status returns how it stands. It needs the scope sync:manage, as all that follows. It returns staff.ErrReadForbidden.
func (s *Service) Status(ctx context.Context, by identity.Principal) (Status, error) {
	if err := s.allow(by); err != nil {
		return Status{}, err
	}
	p, err := s.cfg.Store.Progress(ctx, s.cfg.Tenant)
	if err != nil {
		return Status{}, err
	}
	live, err := s.cfg.Store.LiveRuns(ctx, s.cfg.Tenant)
	return Status{p.Paused, p.NextAt, p.FullAt, p.People, live}, err
}

// allow says whether by may see and ask for runs of this tenant.
func (s *Service) allow(by identity.Principal) error {
	if by.Tenant != s.cfg.Tenant {
		return staff.ErrReadForbidden
	}
	return staff.Allow(by, staff.ScopeSync)
}

// decide says whether by may decide: a key that was stolen must not.
func (s *Service) decide(by identity.Principal) error {
	if err := s.allow(by); err != nil {
		return err
	}
	if _, isKey := staff.KeyOf(by); isKey {
		return ErrNeedsPerson
	}
	return nil
}

// RunRequest is what Request asks for.
type RunRequest struct {
	DryRun bool // the plan waits for somebody to approve it, or not
	Full   bool // everything is read anew first
}

// Request asks for a run, which the next Step begins, also while the schedule is paused. If one was asked for and has not
// begun, it returns that one. It returns staff.ErrReadForbidden.
func (s *Service) Request(ctx context.Context, by identity.Principal, r RunRequest) (Run, error) {
	if err := s.allow(by); err != nil {
		return Run{}, err
	}
	run := Run{State: RunRequested, Trigger: TriggerManual, Hold: r.DryRun, Full: r.Full, By: by.Actor, CreatedAt: s.now()}
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		live, err := s.cfg.Store.LiveRuns(ctx, s.cfg.Tenant)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(live, func(o Run) bool { return o.State == RunRequested && o.Hold == run.Hold && o.Full == run.Full }); i >= 0 {
			run = live[i]
			return nil
		}
		if run.ID, err = s.cfg.Store.InsertRun(ctx, s.cfg.Tenant, run); err != nil {
			return err
		}
		return s.audit(ctx, by, ActionRequest, "entra.run", run.ID, map[string]any{"dry_run": r.DryRun, "full": r.Full})
	})
	return run, err
}

func (s *Service) audit(ctx context.Context, by identity.Principal, action, kind string, id int64, meta map[string]any) error {
	entry := audit.By(by, action, kind, strconv.FormatInt(id, 10))
	entry.Metadata = meta
	return s.cfg.Audit.Record(ctx, entry)
}

// Get returns a run. It returns staff.ErrReadForbidden or ErrUnknownRun.
func (s *Service) Get(ctx context.Context, by identity.Principal, id int64) (Run, error) {
	if err := s.allow(by); err != nil {
		return Run{}, err
	}
	return s.cfg.Store.Run(ctx, s.cfg.Tenant, id)
}

// Runs returns the runs, newest first. It returns staff.ErrReadForbidden or page.ErrBadCursor.
func (s *Service) Runs(ctx context.Context, by identity.Principal, p page.Request) (page.Page[Run], error) {
	const scope = "entra.runs"
	return listed(s, by, p, scope, func(r Run) int64 { return r.ID }, func(before int64, limit int) ([]Run, error) {
		return s.cfg.Store.Runs(ctx, s.cfg.Tenant, before, limit)
	})
}

// listed is a page of a listing by a number.
func listed[T any](s *Service, by identity.Principal, p page.Request, scope string, key func(T) int64, list func(from int64, limit int) ([]T, error)) (page.Page[T], error) {
	if err := s.allow(by); err != nil {
		return page.Page[T]{}, err
	}
	var from int64
	if _, err := page.Decode(scope, p.Cursor, &from); err != nil {
		return page.Page[T]{}, err
	}
	items, err := list(from, p.Size()+1)
	if err != nil {
		return page.Page[T]{}, err
	}
	return page.Of(scope, items, p.Size(), func(item T) any { return key(item) }), nil
}

// Steps returns the steps of a run in order, those in a state or, with "", all. Values before and after are there only
// for who may read the fields. It returns staff.ErrReadForbidden, ErrUnknownRun or page.ErrBadCursor.
func (s *Service) Steps(ctx context.Context, by identity.Principal, id int64, state StepState, p page.Request) (page.Page[Step], error) {
	if _, err := s.Get(ctx, by, id); err != nil {
		return page.Page[Step]{}, err
	}
	scope := "entra.steps/" + strconv.FormatInt(id, 10) + "/" + string(state)
	out, err := listed(s, by, p, scope, func(p Step) int64 { return int64(p.N) }, func(after int64, limit int) ([]Step, error) {
		return s.cfg.Store.Steps(ctx, s.cfg.Tenant, id, state, int(after), limit)
	})
	groups := staff.GroupsOf(by)
	for i := range out.Items {
		out.Items[i].hide(groups)
	}
	return out, err
}

// fieldGroups says to which of staff's field groups the values of a field belong.
var fieldGroups = map[string]staff.Group{
	FieldName: staff.Basic, FieldUPN: staff.Contact, FieldEmployeeID: staff.Work, FieldJobTitle: staff.Work, FieldManager: staff.Work, FieldDescription: staff.Work,
}

// hide takes away the values that the groups do not let see.
func (p *Step) hide(groups staff.Groups) {
	for i, e := range p.Edits {
		if !groups.Has(fieldGroups[e.Field]) {
			p.Edits[i].Before, p.Edits[i].After = "", ""
		}
	}
	if !groups.Has(staff.Work) {
		p.Unit, p.Manager = 0, 0
	}
}

// Approval is what somebody who approves a plan has seen.
type Approval struct {
	Hash      string  // of the plan
	Confirmed []Guard // each guard that tripped
}

// Approve lets a plan that waits be applied by the next Step. It is for people only. It returns staff.ErrReadForbidden,
// ErrNeedsPerson, ErrUnknownRun, ErrRunState, also for a plan that is too old, ErrPlanChanged or ErrUnconfirmed.
func (s *Service) Approve(ctx context.Context, by identity.Principal, id int64, a Approval) (Run, error) {
	return s.change(ctx, by, id, ActionApprove, func(ctx context.Context, run *Run) error {
		now := s.now()
		switch {
		case run.State != RunPlanned || !now.Before(run.PlannedAt.Add(s.cfg.PlanFor)):
			return ErrRunState
		case run.Hash != a.Hash:
			return ErrPlanChanged
		}
		for _, g := range run.Tripped {
			if !slices.Contains(a.Confirmed, g) {
				return ErrUnconfirmed.With("guard", string(g))
			}
		}
		run.State, run.ApprovedBy, run.StartedAt = RunApplying, by.Actor, now
		return nil
	})
}

// Discard ends a run that is requested or planned, or one that is being applied: what was done stays done. It is for
// people only. It returns what Approve does.
func (s *Service) Discard(ctx context.Context, by identity.Principal, id int64) (Run, error) {
	return s.change(ctx, by, id, ActionDiscard, func(ctx context.Context, run *Run) (err error) {
		if !run.EndedAt.IsZero() {
			return ErrRunState
		}
		run.State, run.Reason, run.EndedAt = RunDiscarded, "discarded_by_"+by.Actor, s.now()
		run.Result, err = s.cfg.Store.CountSteps(ctx, s.cfg.Tenant, id)
		return err
	})
}

func (s *Service) change(ctx context.Context, by identity.Principal, id int64, action string, fn func(ctx context.Context, run *Run) error) (Run, error) {
	if err := s.decide(by); err != nil {
		return Run{}, err
	}
	var run Run
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) (err error) {
		if run, err = s.cfg.Store.Run(ctx, s.cfg.Tenant, id); err != nil {
			return err
		}
		if err := fn(ctx, &run); err != nil {
			return err
		}
		if err := s.cfg.Store.UpdateRun(ctx, s.cfg.Tenant, run); err != nil {
			return err
		}
		return s.audit(ctx, by, action, "entra.run", id, map[string]any{"hash": run.Hash, "guards": run.Tripped})
	})
	return run, err
}

// Rollback makes the plan that undoes what a run did, to be approved like any other, and pauses the schedule, which would
// do it all again. It is for people only. It returns what Approve does; ErrRunState for a run that has not ended.
func (s *Service) Rollback(ctx context.Context, by identity.Principal, id int64) (Run, error) {
	if err := s.decide(by); err != nil {
		return Run{}, err
	}
	var run Run
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		old, err := s.cfg.Store.Run(ctx, s.cfg.Tenant, id)
		if err != nil {
			return err
		}
		if old.EndedAt.IsZero() {
			return ErrRunState
		}
		done, err := all(func(after Step) ([]Step, error) {
			return s.cfg.Store.Steps(ctx, s.cfg.Tenant, id, StepDone, after.N, atOnce)
		})
		if err != nil {
			return err
		}
		plan := Plan{Actions: inverse(done)}
		now := s.now()
		run = Run{State: RunPlanned, Trigger: TriggerRollback, Hold: true, RollbackOf: id, By: by.Actor, CreatedAt: now, PlannedAt: now}
		run.describe(plan)
		if run.ID, err = s.cfg.Store.InsertRun(ctx, s.cfg.Tenant, run); err != nil {
			return err
		}
		if err := s.cfg.Store.PutSteps(ctx, s.cfg.Tenant, run.ID, stepsOf(plan.Actions)); err != nil {
			return err
		}
		if err := s.cfg.Store.SetPaused(ctx, s.cfg.Tenant, true); err != nil {
			return err
		}
		return s.audit(ctx, by, ActionRollback, "entra.run", id, map[string]any{"run": run.ID})
	})
	return run, err
}

// Pause stops the schedule, or lets it go on. What was asked for or approved is done all the same. It is for people only.
// It returns staff.ErrReadForbidden or ErrNeedsPerson.
func (s *Service) Pause(ctx context.Context, by identity.Principal, paused bool) error {
	if err := s.decide(by); err != nil {
		return err
	}
	action := ActionResume
	if paused {
		action = ActionPause
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.SetPaused(ctx, s.cfg.Tenant, paused); err != nil {
			return err
		}
		return s.audit(ctx, by, action, "entra.sync", 0, nil)
	})
}

// Forget removes from runs what they say of a person who was erased from staff. Steps that would need it are skipped.
func (s *Service) Forget(ctx context.Context, person int64) error {
	return s.cfg.Store.ForgetEdits(ctx, s.cfg.Tenant, person)
}
