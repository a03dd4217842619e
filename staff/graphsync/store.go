package graphsync

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Store keeps runs with their plans, links, a mirror of Entra, and the queues for people. Implementations are safe for
// concurrent use, join the transaction in ctx, and pass graphsynctest.Run. Package graphsyncbun is one.
type Store interface {
	// Do runs fn in the transaction in ctx or in a new one.
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	Desk
	Mirror
	Links
	Runs
	Issues
}

// Desk is one tenant's place at which one process works at a time, and how far the work has got.
type Desk interface {
	// Hold takes the tenant's lease for holder until the time given, or extends it. It returns ErrHeld while another
	// one's lasts.
	Hold(ctx context.Context, tenant identity.TenantID, holder string, now, until time.Time) error
	// Release gives up the lease of holder, if it has it.
	Release(ctx context.Context, tenant identity.TenantID, holder string) error
	// Progress returns how far it has got; the zero value for a tenant that never began.
	Progress(ctx context.Context, tenant identity.TenantID) (Progress, error)
	// SaveProgress stores everything but Paused.
	SaveProgress(ctx context.Context, tenant identity.TenantID, p Progress) error
	// SetPaused stops or resumes the schedule.
	SetPaused(ctx context.Context, tenant identity.TenantID, paused bool) error
}

// Progress is how far the work for a tenant has got.
type Progress struct {
	Users, Groups Cursor
	FullAt        time.Time // when the present or last full read began
	NextAt        time.Time // when the next run is due
	RetryAt       time.Time // after a failure: not before
	Failures      int       // in a row
	People        int       // who were to have an account when it last went well
	Paused        bool      // nothing begins by itself
}

// Cursor is how far a delta has been read.
type Cursor struct {
	Link       string // where to read on; empty: never begun
	Generation int64  // of the last full read, from 1
	Full       bool   // it is being read in full: objects of older generations go at its end
}

// Object is an account or group as it was last read: Data are an Account's or a Group's JSON.
type Object struct {
	Kind       Kind
	ID         string
	Generation int64
	Data       []byte
}

// Mirror keeps what was read of Entra.
type Mirror interface {
	// PutObjects stores objects by Kind and ID.
	PutObjects(ctx context.Context, tenant identity.TenantID, objects []Object) error
	// ObjectsByID returns those with one of the ids.
	ObjectsByID(ctx context.Context, tenant identity.TenantID, kind Kind, ids []string) ([]Object, error)
	// Objects returns up to limit of a kind with an ID above after, by ID.
	Objects(ctx context.Context, tenant identity.TenantID, kind Kind, after string, limit int) ([]Object, error)
	// DropObjects removes those with one of the ids.
	DropObjects(ctx context.Context, tenant identity.TenantID, kind Kind, ids []string) error
	// PruneObjects removes those of older generations.
	PruneObjects(ctx context.Context, tenant identity.TenantID, kind Kind, generation int64) error
}

// Links keeps links.
type Links interface {
	// PutLinks stores links by Kind and Local. It returns a fault of code Conflict when a Remote is another's.
	PutLinks(ctx context.Context, tenant identity.TenantID, links []Link) error
	// LinksOf returns those of some people or units.
	LinksOf(ctx context.Context, tenant identity.TenantID, kind Kind, locals []int64) ([]Link, error)
	// AllLinks returns up to limit of a kind with a Local above after, by Local.
	AllLinks(ctx context.Context, tenant identity.TenantID, kind Kind, after int64, limit int) ([]Link, error)
	// DropLinks removes those of some people or units.
	DropLinks(ctx context.Context, tenant identity.TenantID, kind Kind, locals []int64) error
	// Waiting returns up to limit links of a kind in quarantine with a Local above after, by Local.
	Waiting(ctx context.Context, tenant identity.TenantID, kind Kind, now time.Time, after int64, limit int) ([]Link, error)
}

// RunState is how far a Run has got.
type RunState string

// The states of a run.
const (
	RunRequested RunState = "requested" // no plan yet
	RunPlanned   RunState = "planned"   // waits for somebody to approve it
	RunApplying  RunState = "applying"
	RunDone      RunState = "done" // each step was done, failed or was skipped
	RunDiscarded RunState = "discarded"
)

// Trigger is why there is a run.
type Trigger string

// The triggers.
const (
	TriggerSchedule Trigger = "schedule"
	TriggerManual   Trigger = "manual"
	TriggerRollback Trigger = "rollback"
)

// Run is one synchronisation: a plan and what became of it.
type Run struct {
	ID         int64
	State      RunState
	Trigger    Trigger
	Hold       bool   // it waits for somebody to approve it, whatever is in it
	Full       bool   // asks for a full read first
	RollbackOf int64  // the run that this one undoes; 0: none
	By         string // who asked for it

	// Of the plan.
	Hash    string
	Counts  map[Op]int
	Tripped []Guard
	Issues  int
	Waiting int // objects in quarantine
	People  int

	ApprovedBy string // empty: nobody had to
	Reason     string // why it was discarded
	CreatedAt  time.Time
	PlannedAt  time.Time
	StartedAt  time.Time
	EndedAt    time.Time
	Result     map[StepState]int // of a run that ended
}

// StepState is what became of a Step.
type StepState string

// The states of a step.
const (
	StepOpen    StepState = "open"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepSkipped StepState = "skipped"
)

// Step is an action of a run's plan and what became of it.
type Step struct {
	Run int64
	N   int // from 1, in the order in which they are applied
	Action
	State  StepState
	Reason string // why it failed or was skipped: an error code of Graph or a reason of this package
	At     time.Time
}

// Runs keeps runs and their steps.
type Runs interface {
	// InsertRun adds a run and returns its ID.
	InsertRun(ctx context.Context, tenant identity.TenantID, r Run) (int64, error)
	// UpdateRun stores everything but ID and CreatedAt, or returns ErrUnknownRun.
	UpdateRun(ctx context.Context, tenant identity.TenantID, r Run) error
	// Run returns a run, or ErrUnknownRun. In a transaction it keeps others from changing it until the end.
	Run(ctx context.Context, tenant identity.TenantID, id int64) (Run, error)
	// Runs returns up to limit runs with an ID below before (0: all), newest first.
	Runs(ctx context.Context, tenant identity.TenantID, before int64, limit int) ([]Run, error)
	// LiveRuns returns those that are requested, planned or applying, oldest first.
	LiveRuns(ctx context.Context, tenant identity.TenantID) ([]Run, error)
	// PutSteps stores steps of a run by N.
	PutSteps(ctx context.Context, tenant identity.TenantID, run int64, steps []Step) error
	// Steps returns up to limit steps of a run with an N above after, in order; state "" is all.
	Steps(ctx context.Context, tenant identity.TenantID, run int64, state StepState, after, limit int) ([]Step, error)
	// CountSteps says how many steps of a run are in each state.
	CountSteps(ctx context.Context, tenant identity.TenantID, run int64) (map[StepState]int, error)
	// PruneRuns deletes up to limit runs of all tenants that ended before t, and says how many.
	PruneRuns(ctx context.Context, t time.Time, limit int) (int, error)
	// ForgetEdits empties the Edits of all steps of a person.
	ForgetEdits(ctx context.Context, tenant identity.TenantID, person int64) error
}

// StoredIssue is an Issue in the queue.
type StoredIssue struct {
	ID int64
	Issue
	FirstAt   time.Time
	LastAt    time.Time
	IgnoredBy string // who does not want to see it; empty: nobody
}

// Issues keeps what somebody should look at.
type Issues interface {
	// SetIssues makes issues, each Kind, Object and Local once, the ones there are: those already there keep their ID,
	// FirstAt and IgnoredBy.
	SetIssues(ctx context.Context, tenant identity.TenantID, issues []Issue, now time.Time) error
	// Issues returns up to limit issues with an ID above after, by ID.
	Issues(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]StoredIssue, error)
	// Issue returns an issue, or ErrUnknownIssue.
	Issue(ctx context.Context, tenant identity.TenantID, id int64) (StoredIssue, error)
	// IgnoreIssue notes who does not want to see it.
	IgnoreIssue(ctx context.Context, tenant identity.TenantID, id int64, by string) error
	// DropIssue removes an issue.
	DropIssue(ctx context.Context, tenant identity.TenantID, id int64) error
}

// What can be wrong with a request of people, or stands in the way of a run.
var (
	ErrUnknownRun   = fault.New(fault.NotFound, "unknown_sync_run", "there is no such run")
	ErrUnknownIssue = fault.New(fault.NotFound, "unknown_sync_issue", "there is no such conflict")
	ErrUnknownLink  = fault.New(fault.NotFound, "unknown_sync_link", "there is no such link")
	ErrRunState     = fault.New(fault.Conflict, "sync_run_state", "the run is in a state in which this cannot be done")
	ErrPlanChanged  = fault.New(fault.Precondition, "sync_plan_changed", "the hash is not that of the run's plan")
	ErrUnconfirmed  = fault.New(fault.Conflict, "sync_guard_tripped", "each tripped guard must be confirmed by name")
	ErrLinked       = fault.New(fault.Conflict, "sync_already_linked", "the account or group is linked already")
	ErrNeedsPerson  = fault.New(fault.Forbidden, "sync_needs_a_person", "this is for a person, not for an API key")
	ErrHeld         = fault.New(fault.Unavailable, "sync_held_elsewhere", "another process works for this tenant")
	ErrUnapproved   = fault.New(fault.Unavailable, "entra_plan_waits", "a plan tripped a guard and waits for somebody to approve it")
	ErrStepsFailed  = fault.New(fault.Unavailable, "entra_steps_failed", "some steps of a run failed")
)
