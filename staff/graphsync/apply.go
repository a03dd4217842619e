package graphsync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
)

// Reasons of steps that were skipped.
const (
	reasonNotMade     = "not_made"     // the account or group is not there, because making it failed
	reasonWantedAgain = "wanted_again" // the person is to have the account after all
	reasonChanged     = "changed_since"
	reasonErased      = "person_gone" // the person was erased: what the plan says of them is not to come into Entra
)

// apply does the open steps of a run in order, some at a time, and ends the run. What was done is written down after each
// call to Graph; whatever is not is done again, which changes nothing.
func (s *Service) apply(ctx context.Context, run Run) error {
	if !s.now().Before(run.StartedAt.Add(s.cfg.PlanFor)) {
		run.Reason = "expired"
		return s.finish(ctx, &run, RunDiscarded)
	}
	for {
		now, err := s.cfg.Store.Run(ctx, s.cfg.Tenant, run.ID)
		if err != nil || now.State != RunApplying {
			return err // somebody discarded it meanwhile
		}
		open, err := s.cfg.Store.Steps(ctx, s.cfg.Tenant, run.ID, StepOpen, 0, MaxBatch*MaxBind)
		if err != nil {
			return err
		}
		if len(open) == 0 {
			break
		}
		if err := s.some(ctx, run, alike(open)); err != nil {
			return err
		}
	}
	if err := s.finish(ctx, &run, RunDone); err != nil {
		return err
	}
	if run.Result[StepFailed] > 0 {
		return ErrStepsFailed
	}
	return nil
}

// finish ends a run that is being applied.
func (s *Service) finish(ctx context.Context, run *Run, state RunState) error {
	return s.keep(ctx, func(ctx context.Context) error {
		now, err := s.cfg.Store.Run(ctx, s.cfg.Tenant, run.ID)
		if err != nil || now.State != RunApplying {
			return err
		}
		return s.end(ctx, run, state)
	})
}

// alike returns the first steps that are done together.
func alike(open []Step) []Step {
	n, most := 1, MaxBatch*Parallel
	switch open[0].Op {
	case OpAddMember:
		most = MaxBatch * MaxBind
	case OpLinkUser, OpUnlinkUser, OpLinkGroup, OpChangeUnit, OpAssign, OpUnassign:
		most = 1
	default:
	}
	for n < min(len(open), most) && open[n].Op == open[0].Op {
		n++
	}
	return open[:n]
}

// some does steps of one operation and writes down what became of them.
func (s *Service) some(ctx context.Context, run Run, steps []Step) error {
	w := &worker{Service: s, links: map[object]*Link{}, fresh: run.Counts[OpCreateUser]+run.Counts[OpCreateGroup] > 0}
	if err := w.load(ctx, steps); err != nil {
		return err
	}
	switch steps[0].Op {
	case OpLinkUser, OpUnlinkUser, OpLinkGroup, OpChangeUnit, OpAssign, OpUnassign:
		return w.inStaff(ctx, &steps[0])
	default:
	}
	var tasks []*task
	for i := range steps {
		tasks = append(tasks, &task{step: &steps[i]})
	}
	if err := w.attempt(ctx, tasks); err != nil {
		return err
	}
	for _, delay := range replication {
		if tasks = w.early(tasks); len(tasks) == 0 {
			break
		}
		if err := s.cfg.Graph.cfg.Sleep(ctx, delay); err != nil {
			return err
		}
		if err := w.attempt(ctx, tasks); err != nil {
			return err
		}
	}
	return w.save(ctx, steps)
}

// attempt does tasks of one operation.
func (w *worker) attempt(ctx context.Context, tasks []*task) error {
	switch tasks[0].step.Op {
	case OpCreateUser:
		return w.createUsers(ctx, tasks)
	case OpDisableUser:
		return w.disableUsers(ctx, tasks)
	case OpAddMember:
		return w.addMembers(ctx, tasks)
	default:
		return w.each(ctx, tasks)
	}
}

// replication is how long Entra is given until all of it knows of an account or group that was just made.
var replication = []time.Duration{5 * time.Second, 15 * time.Second, 40 * time.Second}

// early returns the tasks that failed, perhaps because what they are about was made a moment ago.
func (w *worker) early(tasks []*task) []*task {
	var out []*task
	for _, t := range tasks {
		op := t.step.Op
		unknown := isStatus(t.err, http.StatusNotFound) || isStatus(t.err, http.StatusBadRequest)
		if w.fresh && unknown && (op == OpAddMember || op == OpSetManager) {
			out = append(out, &task{step: t.step})
		}
	}
	return out
}

// worker does some steps.
type worker struct {
	*Service
	links   map[object]*Link // those that the steps are about; missing: none
	changed map[object]bool  // links to be written
	gone    map[object]bool  // links to be removed
	fresh   bool             // the run makes accounts or groups
}

// task is a step that is being done.
type task struct {
	step    *Step
	request Request
	skip    string // why the step is not to be done; empty: do it
	answer  Response
	err     error
}

func (t *task) object() object { return t.step.object() }

// object is what a step is counted for: a person, or else a unit.
func (a Action) object() object {
	if a.Person != 0 {
		return object{KindUser, a.Person}
	}
	return object{KindGroup, a.Unit}
}

// after returns a field's new value.
func (a Action) after(field string) string {
	for _, e := range a.Edits {
		if e.Field == field {
			return e.After
		}
	}
	return ""
}

func (w *worker) load(ctx context.Context, steps []Step) error {
	w.changed, w.gone = map[object]bool{}, map[object]bool{}
	var people, units []int64
	for _, p := range steps {
		people, units = append(people, p.Person, p.Manager), append(units, p.Unit)
	}
	for kind, locals := range map[Kind][]int64{KindUser: people, KindGroup: units} {
		slices.Sort(locals)
		found, err := w.cfg.Store.LinksOf(ctx, w.cfg.Tenant, kind, slices.Compact(locals))
		if err != nil {
			return err
		}
		for _, l := range found {
			w.links[object{kind, l.Local}] = &l
		}
	}
	return nil
}

// link returns the link of an object to change.
func (w *worker) link(o object) *Link {
	if w.links[o] == nil {
		w.links[o] = &Link{Kind: o.kind, Local: o.local}
	}
	w.changed[o] = true
	return w.links[o]
}

// remote returns the account or group of an object; empty: there is none.
func (w *worker) remote(kind Kind, local int64) string {
	if l := w.links[object{kind, local}]; l != nil {
		return l.Remote
	}
	return ""
}

// save writes down what became of steps. A step whose account turns out to be linked to another person has failed.
func (w *worker) save(ctx context.Context, steps []Step) error {
	err := w.keep(ctx, func(ctx context.Context) error { return w.write(ctx, steps) })
	if fault.CodeOf(err) != fault.Conflict {
		return err
	}
	all := w.changed
	for i := range steps {
		o := steps[i].object()
		w.changed = map[object]bool{}
		if all[o] {
			w.changed[o] = true
		}
		one := steps[i : i+1]
		err := w.keep(ctx, func(ctx context.Context) error { return w.write(ctx, one) })
		if fault.CodeOf(err) == fault.Conflict {
			w.changed = map[object]bool{}
			one[0].State, one[0].Reason = StepFailed, ErrLinked.Reason
			err = w.keep(ctx, func(ctx context.Context) error { return w.write(ctx, one) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write is save in a transaction.
func (w *worker) write(ctx context.Context, steps []Step) error {
	var put []Link
	for o := range w.changed {
		if !w.gone[o] {
			put = append(put, *w.links[o])
		}
	}
	for o := range w.gone {
		if err := w.cfg.Store.DropLinks(ctx, w.cfg.Tenant, o.kind, []int64{o.local}); err != nil {
			return err
		}
	}
	if err := w.cfg.Store.PutLinks(ctx, w.cfg.Tenant, put); err != nil || len(steps) == 0 {
		return err
	}
	return w.cfg.Store.PutSteps(ctx, w.cfg.Tenant, steps[0].Run, steps)
}

// call makes the requests of those tasks that are not to be skipped. It returns an error when nothing works, so that it
// makes no sense to go on; else each task has its answer or error.
func (w *worker) call(ctx context.Context, tasks []*task) error {
	var requests []Request
	var asked []*task
	for _, t := range tasks {
		if t.skip == "" {
			requests, asked = append(requests, t.request), append(asked, t)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	answers, errs := w.cfg.Graph.Batch(ctx, requests)
	later := 0
	for i, t := range asked {
		t.answer, t.err = answers[i], errs[i]
		var no *Error
		if t.err != nil && !errors.As(t.err, &no) {
			return t.err
		}
		if t.err != nil && again(t.err) {
			later++
		}
	}
	if later < len(asked) {
		return nil
	}
	// All were put off to the end. If Graph does work, it is them.
	if _, err := w.cfg.Graph.Do(ctx, Request{Method: http.MethodGet, Path: "/users?$top=1&$select=id"}); err != nil {
		return err
	}
	return nil
}

// settle says what became of a step.
func (w *worker) settle(t *task) {
	t.step.State, t.step.Reason, t.step.At = StepDone, "", w.now()
	switch {
	case t.skip != "":
		t.step.State, t.step.Reason = StepSkipped, t.skip
	case t.err != nil:
		t.step.State, t.step.Reason = StepFailed, reason(t.err)
	}
}

// longestReason bounds what is kept of a code of Graph, in characters.
const longestReason = 100

// reason is an error in a word: a code of Graph, or a reason of this module.
func reason(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		switch {
		case len(e.Details) > 0 && e.Details[0].Code != "":
			return cut(e.Details[0].Code, longestReason)
		case e.Code != "":
			return cut(e.Code, longestReason)
		}
		return fmt.Sprint("status_", e.Status)
	}
	return fault.ReasonOf(err)
}
