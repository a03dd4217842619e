package graphsynchttp

import (
	"time"

	"github.com/renkei-go/renkei/staff/graphsync"
)

// Run is a run on the wire.
type Run struct {
	ID         int64          `json:"id"`
	State      string         `json:"state" enum:"requested,planned,applying,done,discarded"`
	Trigger    string         `json:"trigger" enum:"schedule,manual,rollback"`
	DryRun     bool           `json:"dry_run" doc:"It waits for somebody to approve it, whatever is in it."`
	Full       bool           `json:"full"`
	RollbackOf *int64         `json:"rollback_of" doc:"The run that this one undoes."`
	By         string         `json:"requested_by"`
	Hash       string         `json:"hash" doc:"Of the plan; empty: there is none yet."`
	Counts     map[string]int `json:"counts" doc:"Steps of the plan by operation."`
	Tripped    []string       `json:"tripped_guards" nullable:"false" doc:"What must be confirmed by name to approve it."`
	Conflicts  int            `json:"conflicts"`
	Waiting    int            `json:"quarantined"`
	People     int            `json:"people" doc:"How many are to have an account."`
	ApprovedBy *string        `json:"approved_by"`
	Reason     *string        `json:"reason" doc:"Why it was discarded."`
	Result     map[string]int `json:"result" doc:"Of a run that ended: steps by state."`
	CreatedAt  time.Time      `json:"created_at"`
	PlannedAt  *time.Time     `json:"planned_at"`
	StartedAt  *time.Time     `json:"started_at"`
	EndedAt    *time.Time     `json:"ended_at"`
}

func viewRun(r graphsync.Run) Run {
	out := Run{
		ID: r.ID, State: string(r.State), Trigger: string(r.Trigger), DryRun: r.Hold, Full: r.Full, RollbackOf: given(r.RollbackOf), By: r.By, Hash: r.Hash,
		Counts: map[string]int{}, Tripped: []string{}, Conflicts: r.Issues, Waiting: r.Waiting, People: r.People, ApprovedBy: given(r.ApprovedBy),
		Reason: given(r.Reason), Result: map[string]int{}, CreatedAt: r.CreatedAt, PlannedAt: given(r.PlannedAt), StartedAt: given(r.StartedAt), EndedAt: given(r.EndedAt),
	}
	for op, n := range r.Counts {
		out.Counts[string(op)] = n
	}
	for _, g := range r.Tripped {
		out.Tripped = append(out.Tripped, string(g))
	}
	for state, n := range r.Result {
		out.Result[string(state)] = n
	}
	return out
}

// given is nil for a zero value.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Edit is a field before and after a step on the wire.
type Edit struct {
	Field  string `json:"field"`
	Before string `json:"before" doc:"Empty: none, or not for the caller to see."`
	After  string `json:"after"`
}

// Step is a step on the wire.
type Step struct {
	N       int        `json:"n"`
	Op      string     `json:"op" example:"update_user"`
	Person  *int64     `json:"person_id"`
	Unit    *int64     `json:"organisational_unit_id"`
	Remote  *string    `json:"remote_id" doc:"The account or group in Entra."`
	Manager *int64     `json:"manager_person_id"`
	Edits   []Edit     `json:"edits" nullable:"false"`
	Why     string     `json:"why" example:"changed"`
	State   string     `json:"state" enum:"open,done,failed,skipped"`
	Reason  *string    `json:"reason" doc:"Why it failed or was skipped: a code of Microsoft Graph or of this API."`
	At      *time.Time `json:"at"`
}

func viewStep(p graphsync.Step) Step {
	out := Step{
		N: p.N, Op: string(p.Op), Person: given(p.Person), Unit: given(p.Unit), Remote: given(p.Remote), Manager: given(p.Manager), Edits: []Edit{},
		Why: string(p.Why), State: string(p.State), Reason: given(p.Reason), At: given(p.At),
	}
	for _, e := range p.Edits {
		out.Edits = append(out.Edits, Edit(e))
	}
	return out
}

// Status is how it stands on the wire.
type Status struct {
	Paused bool       `json:"paused"`
	NextAt *time.Time `json:"next_at" doc:"When the next run is due; null: at once."`
	FullAt *time.Time `json:"full_at" doc:"When the last full read began."`
	People int        `json:"people"`
	Live   []Run      `json:"live_runs" nullable:"false" doc:"Requested, waiting for approval, or being applied."`
}

func viewStatus(s graphsync.Status) Status {
	out := Status{s.Paused, given(s.NextAt), given(s.FullAt), s.People, []Run{}}
	for _, r := range s.Live {
		out.Live = append(out.Live, viewRun(r))
	}
	return out
}

// Conflict is an issue on the wire.
type Conflict struct {
	ID        int64     `json:"id"`
	Kind      string    `json:"kind" example:"ambiguous_employee_id"`
	Object    string    `json:"object" enum:"user,group"`
	Local     int64     `json:"local_id" doc:"Of the person or unit."`
	Remotes   []string  `json:"remote_ids" nullable:"false" doc:"The accounts or groups in question."`
	FirstAt   time.Time `json:"first_seen_at"`
	LastAt    time.Time `json:"last_seen_at"`
	IgnoredBy *string   `json:"ignored_by"`
}

func viewConflict(i graphsync.StoredIssue) Conflict {
	return Conflict{i.ID, string(i.Kind), string(i.Object), i.Local, append([]string{}, i.Remotes...), i.FirstAt, i.LastAt, given(i.IgnoredBy)}
}

// Waiting is an object in quarantine on the wire.
type Waiting struct {
	Local    int64     `json:"local_id" doc:"Of the person or unit."`
	Remote   *string   `json:"remote_id"`
	Failures int       `json:"failures" doc:"In a row."`
	Reason   string    `json:"reason"`
	NextTry  time.Time `json:"next_try_at"`
}

func viewWaiting(l graphsync.Link) Waiting {
	return Waiting{l.Local, given(l.Remote), l.Failures, l.Reason, l.NextTry}
}
