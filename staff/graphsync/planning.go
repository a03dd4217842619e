package graphsync

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
)

// snapshot reads both sides.
func (s *Service) snapshot(ctx context.Context) (Snapshot, error) {
	out := Snapshot{Accounts: map[string]Account{}, Groups: map[string]Group{}, Now: s.now()}
	p, err := s.cfg.Store.Progress(ctx, s.cfg.Tenant)
	if err != nil {
		return out, err
	}
	out.LastPeople = p.People
	today := s.cfg.Staff.Today()
	for batch, err := range s.cfg.Staff.Records(ctx, s.by, true) {
		if err != nil {
			return out, err
		}
		for _, r := range batch {
			out.People = append(out.People, PersonOf(r, today))
		}
	}
	for request := (page.Request{Limit: page.MaxLimit}); ; {
		units, err := s.cfg.Staff.Units(ctx, s.by, request)
		if err != nil {
			return out, err
		}
		out.Units = append(out.Units, units.Items...)
		if request.Cursor = units.Next; request.Cursor == "" {
			break
		}
	}
	for _, kind := range []Kind{KindUser, KindGroup} {
		links, err := all(func(after Link) ([]Link, error) {
			return s.cfg.Store.AllLinks(ctx, s.cfg.Tenant, kind, after.Local, atOnce)
		})
		if err != nil {
			return out, err
		}
		out.Links = append(out.Links, links...)
		objects, err := all(func(after Object) ([]Object, error) {
			return s.cfg.Store.Objects(ctx, s.cfg.Tenant, kind, after.ID, atOnce)
		})
		if err != nil {
			return out, err
		}
		for _, o := range objects {
			if err := out.put(kind, o.Data); err != nil {
				return out, err
			}
		}
	}
	err = s.lookUp(ctx, &out)
	return out, err
}

// atOnce is how many rows are read at a time.
const atOnce = 1000

// all reads a listing to its end.
func all[T any](list func(after T) ([]T, error)) (out []T, err error) {
	for {
		var after T
		if len(out) > 0 {
			after = out[len(out)-1]
		}
		some, err := list(after)
		if out = append(out, some...); err != nil || len(some) == 0 {
			return out, err
		}
	}
}

// put adds an account or group.
func (s *Snapshot) put(kind Kind, data []byte) error {
	if kind == KindUser {
		var a Account
		if err := json.Unmarshal(data, &a); err != nil {
			return err
		}
		s.Accounts[a.ID] = a
		return nil
	}
	var g Group
	if err := json.Unmarshal(data, &g); err != nil {
		return err
	}
	s.Groups[g.ID] = g
	return nil
}

// lookUp asks for each linked object that the mirror does not have: it may be too new for a delta, or gone.
func (s *Service) lookUp(ctx context.Context, snap *Snapshot) error {
	var missing []Link
	var requests []Request
	for _, l := range snap.Links {
		_, isAccount := snap.Accounts[l.Remote]
		_, isGroup := snap.Groups[l.Remote]
		if l.Remote == "" || isAccount || isGroup {
			continue
		}
		path := "/users/" + url.PathEscape(l.Remote) + "?$select=" + accountSelect
		if l.Kind == KindGroup {
			path = "/groups/" + url.PathEscape(l.Remote) + "?$select=" + groupSelect
		}
		missing, requests = append(missing, l), append(requests, Request{Method: http.MethodGet, Path: path})
	}
	answers, errs := s.cfg.Graph.Batch(ctx, requests)
	for i, l := range missing {
		if isStatus(errs[i], http.StatusNotFound) {
			continue
		}
		if errs[i] != nil {
			return errs[i]
		}
		if snap.put(l.Kind, answers[i].Body) != nil {
			return ErrUnreadable
		}
	}
	return nil
}

// plan makes the plan of a run and stores it. A plan with nothing to do ends the run; one that needs nobody goes on.
func (s *Service) plan(ctx context.Context, run Run) (Run, error) {
	snap, err := s.snapshot(ctx)
	if err != nil {
		return run, err
	}
	p := MakePlan(snap, s.cfg.Rules)
	run.describe(p)
	run.PlannedAt = s.now()
	run.State = RunPlanned
	if !run.Hold && !s.cfg.Approve && len(p.Tripped) == 0 {
		run.State, run.StartedAt = RunApplying, run.PlannedAt
	}
	err = s.keep(ctx, func(ctx context.Context) error {
		if now, err := s.cfg.Store.Run(ctx, s.cfg.Tenant, run.ID); err != nil || now.State != RunRequested {
			run = now // somebody discarded it meanwhile
			return err
		}
		if err := s.replace(ctx, &run); err != nil {
			return err
		}
		if err := s.cfg.Store.SetIssues(ctx, s.cfg.Tenant, p.Issues, run.PlannedAt); err != nil {
			return err
		}
		if err := s.cfg.Store.PutLinks(ctx, s.cfg.Tenant, seen(snap.Links, p.Seen)); err != nil {
			return err
		}
		if run.State != RunDiscarded {
			if err := s.cfg.Store.PutSteps(ctx, s.cfg.Tenant, run.ID, stepsOf(p.Actions)); err != nil {
				return err
			}
		}
		if run.Trigger == TriggerSchedule {
			if err := s.progress(ctx, func(p *Progress) { p.NextAt = run.CreatedAt.Add(s.cfg.Interval) }); err != nil {
				return err
			}
		}
		if len(p.Actions) == 0 && run.State != RunDiscarded {
			return s.end(ctx, &run, RunDone)
		}
		return s.cfg.Store.UpdateRun(ctx, s.cfg.Tenant, run)
	})
	return run, err
}

// describe takes over what a plan is like.
func (r *Run) describe(p Plan) {
	r.Hash, r.Counts, r.Tripped, r.Issues, r.Waiting, r.People = p.Hash(), p.Counts(), p.Tripped, len(p.Issues), p.Waiting, p.People
}

// replace discards the plans that wait for somebody; or the new one, if it is scheduled and says the same as one of them.
func (s *Service) replace(ctx context.Context, run *Run) error {
	live, err := s.cfg.Store.LiveRuns(ctx, s.cfg.Tenant)
	if err != nil {
		return err
	}
	for _, old := range live {
		if old.State != RunPlanned || old.Trigger == TriggerRollback || old.ID == run.ID {
			continue
		}
		fresh := s.now().Before(old.PlannedAt.Add(s.cfg.PlanFor))
		if run.State == RunPlanned && run.Trigger == TriggerSchedule && old.Hash == run.Hash && fresh {
			run.State, run.Reason, run.EndedAt = RunDiscarded, "same_as_waiting", s.now()
			return nil
		}
		old.State, old.Reason, old.EndedAt = RunDiscarded, "superseded", s.now()
		if err := s.cfg.Store.UpdateRun(ctx, s.cfg.Tenant, old); err != nil {
			return err
		}
	}
	return nil
}

// seen returns the links of groups whose members were seen to be others than before.
func seen(links []Link, now map[int64][]int64) []Link {
	var out []Link
	for _, l := range links {
		if members, ok := now[l.Local]; ok && l.Kind == KindGroup && !slices.Equal(l.Seen, members) {
			l.Seen = members
			out = append(out, l)
		}
	}
	return out
}

func stepsOf(actions []Action) []Step {
	out := make([]Step, len(actions))
	for i, a := range actions {
		out[i] = Step{N: i + 1, Action: a, State: StepOpen}
	}
	return out
}

// end closes a run: who failed or not is counted and, if it is done, how many people there are.
func (s *Service) end(ctx context.Context, run *Run, state RunState) error {
	var err error
	if run.Result, err = s.cfg.Store.CountSteps(ctx, s.cfg.Tenant, run.ID); err != nil {
		return err
	}
	run.State, run.EndedAt = state, s.now()
	if err := s.judge(ctx, run.ID); err != nil {
		return err
	}
	if run.Trigger != TriggerRollback && state == RunDone {
		if err := s.progress(ctx, func(p *Progress) { p.People = run.People }); err != nil {
			return err
		}
	}
	return s.cfg.Store.UpdateRun(ctx, s.cfg.Tenant, *run)
}

// object is a person or a unit.
type object struct {
	kind  Kind
	local int64
}

// judge counts the failures in a row of each object of a run, and puts those that failed too often into quarantine.
func (s *Service) judge(ctx context.Context, run int64) error {
	failed := map[object]string{}
	tried := map[object]bool{}
	steps, err := all(func(after Step) ([]Step, error) {
		return s.cfg.Store.Steps(ctx, s.cfg.Tenant, run, "", after.N, atOnce)
	})
	if err != nil {
		return err
	}
	for _, p := range steps {
		o := p.object()
		switch p.State {
		case StepFailed:
			failed[o], tried[o] = p.Reason, true
		case StepDone:
			tried[o] = true
		default: // was not tried
		}
	}
	for _, kind := range []Kind{KindUser, KindGroup} {
		var locals []int64
		for o := range tried {
			if o.kind == kind {
				locals = append(locals, o.local)
			}
		}
		found, err := s.cfg.Store.LinksOf(ctx, s.cfg.Tenant, kind, locals)
		if err != nil {
			return err
		}
		links := map[int64]Link{}
		for _, l := range found {
			links[l.Local] = l
		}
		for local, l := range links {
			reason, bad := failed[object{kind, local}]
			if !bad && l.Failures == 0 {
				delete(links, local)
				continue
			}
			links[local] = s.counted(l, reason, bad)
		}
		for o, reason := range failed {
			if _, has := links[o.local]; o.kind == kind && !has {
				links[o.local] = s.counted(Link{Kind: kind, Local: o.local}, reason, true)
			}
		}
		if err := s.cfg.Store.PutLinks(ctx, s.cfg.Tenant, slices.Collect(maps.Values(links))); err != nil {
			return err
		}
	}
	return nil
}

// counted is a link after one more run.
func (s *Service) counted(l Link, reason string, failed bool) Link {
	if !failed {
		l.Failures, l.Reason = 0, ""
		return l
	}
	l.Failures, l.Reason = l.Failures+1, reason
	if over := l.Failures - s.cfg.QuarantineAfter + 1; over > 0 {
		l.NextTry = s.now().Add(s.cfg.Quarantine.Delay(over, nil))
	}
	return l
}

// personNow is somebody as staff has them now; ok is false for who is no more.
func (s *Service) personNow(ctx context.Context, id int64) (p Person, ok bool, err error) {
	v, err := s.cfg.Staff.Get(ctx, s.by, id)
	if errors.Is(err, staff.ErrUnknownPerson) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	return PersonOf(staff.Record{Person: v.Person}, s.cfg.Staff.Today()), true, nil
}
