package graphsynctest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff/graphsync"
)

const (
	tenant identity.TenantID = "1"
	other  identity.TenantID = "2"
)

var noon = time.Date(2030, 1, 15, 12, 0, 0, 123456000, time.UTC)

// Run checks a Store. newStore returns an empty one; it is called once per test.
func Run(t *testing.T, newStore func(t *testing.T) graphsync.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, graphsync.Store){
		"Lease": lease, "LeaseConcurrency": leaseConcurrency, "Progress": progress, "Mirror": mirror, "Links": links, "Waiting": waiting, "Runs": runs, "Steps": steps,
		"Pruning": pruning, "Issues": issues, "Transactions": transactions, "Tenants": tenants,
	} {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n%+v, want\n%+v", what, got, want)
	}
}

func lease(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	hold := func(holder string, now time.Duration) error {
		return s.Hold(ctx, tenant, holder, noon.Add(now), noon.Add(now+time.Minute))
	}
	ok(t, hold("a", 0))
	ok(t, hold("a", time.Second)) // until 61 s
	for _, at := range []time.Duration{0, time.Minute, 61*time.Second - time.Microsecond} {
		if err := hold("b", at); !errors.Is(err, graphsync.ErrHeld) {
			t.Errorf("b after %s: %v", at, err)
		}
	}
	ok(t, s.Release(ctx, tenant, "b"))
	if err := hold("b", time.Minute); !errors.Is(err, graphsync.ErrHeld) {
		t.Errorf("b released what it does not have: %v", err)
	}
	ok(t, hold("b", 61*time.Second))
	if err := hold("a", 62*time.Second); !errors.Is(err, graphsync.ErrHeld) {
		t.Errorf("a has lost it: %v", err)
	}
	ok(t, s.Release(ctx, tenant, "b"))
	ok(t, hold("a", 62*time.Second))
}

func leaseConcurrency(t *testing.T, s graphsync.Store) {
	var wg sync.WaitGroup
	got := make([]error, 8)
	for i := range got {
		wg.Go(func() { got[i] = s.Hold(t.Context(), tenant, fmt.Sprint(i), noon, noon.Add(time.Minute)) })
	}
	wg.Wait()
	held := 0
	for _, err := range got {
		if err == nil {
			held++
		} else if !errors.Is(err, graphsync.ErrHeld) {
			t.Error(err)
		}
	}
	if held != 1 {
		t.Errorf("%d hold it", held)
	}
}

func progress(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	same(t, "nothing", must[graphsync.Progress](t)(s.Progress(ctx, tenant)), graphsync.Progress{})
	p := graphsync.Progress{
		Users: graphsync.Cursor{Link: "https://x/users", Generation: 2, Full: true}, Groups: graphsync.Cursor{Link: "https://x/groups", Generation: 1},
		FullAt: noon, NextAt: noon.Add(time.Hour), RetryAt: noon.Add(time.Minute), Failures: 3, People: 4,
	}
	ok(t, s.SaveProgress(ctx, tenant, p))
	ok(t, s.Hold(ctx, tenant, "a", noon, noon.Add(time.Minute)))
	same(t, "progress", must[graphsync.Progress](t)(s.Progress(ctx, tenant)), p)
	ok(t, s.SetPaused(ctx, tenant, true))
	ok(t, s.SaveProgress(ctx, tenant, p)) // which has not seen the pause
	p.Paused = true
	same(t, "paused", must[graphsync.Progress](t)(s.Progress(ctx, tenant)), p)
	ok(t, s.SetPaused(ctx, other, true))
	same(t, "paused before it began", must[graphsync.Progress](t)(s.Progress(ctx, other)), graphsync.Progress{Paused: true})
	if err := s.Hold(ctx, tenant, "b", noon, noon.Add(time.Minute)); !errors.Is(err, graphsync.ErrHeld) {
		t.Errorf("the lease after a pause: %v", err)
	}
}

func object(kind graphsync.Kind, id string, generation int64, data string) graphsync.Object {
	return graphsync.Object{Kind: kind, ID: id, Generation: generation, Data: []byte(data)}
}

func mirror(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	user := graphsync.KindUser
	var many []graphsync.Object
	var ids []string
	for i := range 1203 {
		many = append(many, object(user, fmt.Sprintf("u%04d", i), 1, fmt.Sprintf(`{"id":"u%04d","displayName":"佐藤 '%d'"}`, i, i)))
		ids = append(ids, many[i].ID)
	}
	ok(t, s.PutObjects(ctx, tenant, many))
	ok(t, s.PutObjects(ctx, tenant, nil))
	ok(t, s.PutObjects(ctx, tenant, []graphsync.Object{object(graphsync.KindGroup, "u0001", 1, "{}")}))
	var read []graphsync.Object
	for after := ""; ; after = read[len(read)-1].ID {
		some := must[[]graphsync.Object](t)(s.Objects(ctx, tenant, user, after, 500))
		if len(some) == 0 {
			break
		}
		read = append(read, some...)
	}
	same(t, "all", read, many)
	if got := must[[]graphsync.Object](t)(s.ObjectsByID(ctx, tenant, user, append(ids, "nobody"))); len(got) != len(many) {
		t.Errorf("%d by id", len(got))
	}
	same(t, "none", len(must[[]graphsync.Object](t)(s.ObjectsByID(ctx, tenant, user, nil))), 0)
	again := object(user, "u0000", 2, `{"x":1}`)
	ok(t, s.PutObjects(ctx, tenant, []graphsync.Object{again}))
	ok(t, s.DropObjects(ctx, tenant, user, ids[600:]))
	ok(t, s.DropObjects(ctx, tenant, user, nil))
	same(t, "left", len(must[[]graphsync.Object](t)(s.Objects(ctx, tenant, user, "", 2000))), 600)
	ok(t, s.PruneObjects(ctx, tenant, user, 2))
	same(t, "after pruning", must[[]graphsync.Object](t)(s.Objects(ctx, tenant, user, "", 10)), []graphsync.Object{again})
	same(t, "the other kind", len(must[[]graphsync.Object](t)(s.Objects(ctx, tenant, graphsync.KindGroup, "", 10))), 1)
}

func links(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	user := graphsync.KindUser
	a := graphsync.Link{Kind: user, Local: 1, Remote: "r1", Rule: graphsync.RuleCreated, DisabledAt: noon}
	b := graphsync.Link{Kind: user, Local: 2, Pending: "b@example.com", Failures: 2, Reason: "status_500", NextTry: noon}
	c := graphsync.Link{Kind: user, Local: 3, Failures: 1, Reason: "x"}
	g := graphsync.Link{Kind: graphsync.KindGroup, Local: 1, Remote: "r1", Rule: graphsync.RuleUniqueName, Seen: []int64{1, 2, 30}}
	ok(t, s.PutLinks(ctx, tenant, []graphsync.Link{a, b, c, g}))
	ok(t, s.PutLinks(ctx, tenant, nil))
	same(t, "users", must[[]graphsync.Link](t)(s.AllLinks(ctx, tenant, user, 0, 10)), []graphsync.Link{a, b, c})
	same(t, "users after 1", must[[]graphsync.Link](t)(s.AllLinks(ctx, tenant, user, 1, 1)), []graphsync.Link{b})
	same(t, "groups", must[[]graphsync.Link](t)(s.AllLinks(ctx, tenant, graphsync.KindGroup, 0, 10)), []graphsync.Link{g})
	same(t, "some", must[[]graphsync.Link](t)(s.LinksOf(ctx, tenant, user, []int64{3, 9, 1})), []graphsync.Link{a, c})
	if err := s.PutLinks(ctx, tenant, []graphsync.Link{{Kind: user, Local: 4, Remote: "r1"}}); fault.CodeOf(err) != fault.Conflict {
		t.Errorf("a remote of another's: %v", err)
	}
	b.Remote, b.Pending, b.Failures, b.Reason, b.NextTry = "r2", "", 0, "", time.Time{}
	ok(t, s.PutLinks(ctx, tenant, []graphsync.Link{b}))
	ok(t, s.DropLinks(ctx, tenant, user, []int64{1, 3, 77}))
	same(t, "left", must[[]graphsync.Link](t)(s.AllLinks(ctx, tenant, user, 0, 10)), []graphsync.Link{b})
}

func waiting(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	var put []graphsync.Link
	for i := range 6 {
		l := graphsync.Link{Kind: graphsync.KindUser, Local: int64(i + 1)}
		if i != 2 {
			l.NextTry = noon.Add(time.Duration(i) * time.Minute)
		}
		put = append(put, l)
	}
	ok(t, s.PutLinks(ctx, tenant, put))
	same(t, "waiting", must[[]graphsync.Link](t)(s.Waiting(ctx, tenant, graphsync.KindUser, noon.Add(time.Minute), 0, 10)), put[3:])
	same(t, "one of them", must[[]graphsync.Link](t)(s.Waiting(ctx, tenant, graphsync.KindUser, noon.Add(time.Minute), 4, 1)), put[4:5])
}

func run(state graphsync.RunState) graphsync.Run {
	return graphsync.Run{
		State: state, Trigger: graphsync.TriggerManual, Hold: true, Full: true, RollbackOf: 7, By: "admin", Hash: "abc", Counts: map[graphsync.Op]int{graphsync.OpCreateUser: 2},
		Tripped: []graphsync.Guard{graphsync.GuardEmpty}, Issues: 1, Waiting: 2, People: 3, ApprovedBy: "hr", Reason: "x", CreatedAt: noon, PlannedAt: noon.Add(1 * time.Second),
		StartedAt: noon.Add(2 * time.Second), Result: map[graphsync.StepState]int{graphsync.StepDone: 4},
	}
}

func runs(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	var all []graphsync.Run
	for i, state := range []graphsync.RunState{graphsync.RunRequested, graphsync.RunDone, graphsync.RunPlanned, graphsync.RunApplying} {
		r := run(state)
		if state == graphsync.RunDone {
			r.EndedAt = noon
		}
		r.ID = must[int64](t)(s.InsertRun(ctx, tenant, r))
		if all = append(all, r); i > 0 && all[i].ID <= all[i-1].ID {
			t.Errorf("ids do not rise: %d", r.ID)
		}
	}
	same(t, "a run", must[graphsync.Run](t)(s.Run(ctx, tenant, all[0].ID)), all[0])
	same(t, "live ones", must[[]graphsync.Run](t)(s.LiveRuns(ctx, tenant)), []graphsync.Run{all[0], all[2], all[3]})
	same(t, "the newest", must[[]graphsync.Run](t)(s.Runs(ctx, tenant, 0, 2)), []graphsync.Run{all[3], all[2]})
	same(t, "older ones", must[[]graphsync.Run](t)(s.Runs(ctx, tenant, all[2].ID, 9)), []graphsync.Run{all[1], all[0]})
	changed := graphsync.Run{ID: all[0].ID, State: graphsync.RunDiscarded, Trigger: graphsync.TriggerSchedule, CreatedAt: noon.Add(time.Hour), EndedAt: noon}
	ok(t, s.UpdateRun(ctx, tenant, changed))
	changed.CreatedAt = noon
	same(t, "changed", must[graphsync.Run](t)(s.Run(ctx, tenant, changed.ID)), changed)
	changed.ID = 999
	if _, err := s.Run(ctx, tenant, 999); !errors.Is(err, graphsync.ErrUnknownRun) {
		t.Errorf("an unknown run: %v", err)
	}
	if err := s.UpdateRun(ctx, tenant, changed); !errors.Is(err, graphsync.ErrUnknownRun) {
		t.Errorf("an unknown run: %v", err)
	}
}

func steps(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	id := must[int64](t)(s.InsertRun(ctx, tenant, run(graphsync.RunApplying)))
	var all []graphsync.Step
	for i := range 1001 {
		all = append(all, graphsync.Step{Run: id, N: i + 1, State: graphsync.StepOpen, Action: graphsync.Action{
			Op: graphsync.OpUpdateUser, Person: int64(i + 1), Unit: 2, Manager: 3, Remote: "r", Why: graphsync.WhyChanged,
			Edits: []graphsync.Edit{{Field: graphsync.FieldName, Before: "a", After: "佐藤 <b>"}},
		}})
	}
	ok(t, s.PutSteps(ctx, tenant, id, all))
	same(t, "steps", must[[]graphsync.Step](t)(s.Steps(ctx, tenant, id, "", 0, 2000)), all)
	all[0].State, all[0].At = graphsync.StepDone, noon
	all[2].State, all[2].At, all[2].Reason = graphsync.StepFailed, noon, "ObjectConflict"
	ok(t, s.PutSteps(ctx, tenant, id, []graphsync.Step{all[0], all[2]}))
	same(t, "open ones", must[[]graphsync.Step](t)(s.Steps(ctx, tenant, id, graphsync.StepOpen, 0, 2)), []graphsync.Step{all[1], all[3]})
	same(t, "those after 2", must[[]graphsync.Step](t)(s.Steps(ctx, tenant, id, "", 2, 1)), []graphsync.Step{all[2]})
	same(t, "counts", must[map[graphsync.StepState]int](t)(s.CountSteps(ctx, tenant, id)), map[graphsync.StepState]int{graphsync.StepOpen: 999, graphsync.StepDone: 1, graphsync.StepFailed: 1})
	ok(t, s.ForgetEdits(ctx, tenant, 1))
	all[0].Edits = nil
	same(t, "forgotten", must[[]graphsync.Step](t)(s.Steps(ctx, tenant, id, "", 0, 2)), all[:2])
}

func pruning(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	var ids []int64
	for i := range 4 {
		r := run(graphsync.RunDone)
		if i < 3 {
			r.EndedAt = noon.Add(time.Duration(i) * time.Hour)
		}
		id := must[int64](t)(s.InsertRun(ctx, []identity.TenantID{tenant, other}[i%2], r))
		ok(t, s.PutSteps(ctx, tenant, id, []graphsync.Step{{Run: id, N: 1, State: graphsync.StepDone}}))
		ids = append(ids, id)
	}
	for _, want := range []int{1, 1, 0} {
		if n := must[int](t)(s.PruneRuns(ctx, noon.Add(2*time.Hour), 1)); n != want {
			t.Errorf("%d pruned, want %d", n, want)
		}
	}
	if _, err := s.Run(ctx, tenant, ids[0]); !errors.Is(err, graphsync.ErrUnknownRun) {
		t.Errorf("a pruned run: %v", err)
	}
	must[graphsync.Run](t)(s.Run(ctx, tenant, ids[2]))
	must[graphsync.Run](t)(s.Run(ctx, other, ids[3]))
}

func issues(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	a := graphsync.Issue{Kind: graphsync.IssueAmbiguous, Object: graphsync.KindUser, Local: 1, Remotes: []string{"x", "y"}}
	b := graphsync.Issue{Kind: graphsync.IssueGroupGone, Object: graphsync.KindGroup, Local: 1, Remotes: []string{}}
	c := graphsync.Issue{Kind: graphsync.IssueNoEmail, Object: graphsync.KindUser, Local: 2, Remotes: []string{}}
	ok(t, s.SetIssues(ctx, tenant, []graphsync.Issue{a, b}, noon))
	first := must[[]graphsync.StoredIssue](t)(s.Issues(ctx, tenant, 0, 10))
	if len(first) != 2 || !reflect.DeepEqual(first[0].Issue, a) || !first[0].FirstAt.Equal(noon) || !first[1].LastAt.Equal(noon) {
		t.Fatalf("issues %+v", first)
	}
	ok(t, s.IgnoreIssue(ctx, tenant, first[0].ID, "admin"))
	a.Remotes = []string{"y"}
	for range 2 { // at the same time, too
		ok(t, s.SetIssues(ctx, tenant, []graphsync.Issue{a, c}, noon.Add(time.Hour)))
	}
	got := must[[]graphsync.StoredIssue](t)(s.Issues(ctx, tenant, 0, 10))
	want := graphsync.StoredIssue{ID: first[0].ID, Issue: a, FirstAt: noon, LastAt: noon.Add(time.Hour), IgnoredBy: "admin"}
	if len(got) != 2 || !reflect.DeepEqual(got[0], want) || !reflect.DeepEqual(got[1].Issue, c) {
		t.Fatalf("issues %+v", got)
	}
	same(t, "after the first", must[[]graphsync.StoredIssue](t)(s.Issues(ctx, tenant, got[0].ID, 10)), got[1:])
	same(t, "one", must[graphsync.StoredIssue](t)(s.Issue(ctx, tenant, got[1].ID)), got[1])
	ok(t, s.DropIssue(ctx, tenant, got[1].ID))
	for name, f := range map[string]func() error{
		"get":    func() error { _, err := s.Issue(ctx, tenant, got[1].ID); return err },
		"ignore": func() error { return s.IgnoreIssue(ctx, tenant, got[1].ID, "x") },
		"drop":   func() error { return s.DropIssue(ctx, tenant, got[1].ID) },
	} {
		if err := f(); !errors.Is(err, graphsync.ErrUnknownIssue) {
			t.Errorf("%s an unknown issue: %v", name, err)
		}
	}
	ok(t, s.SetIssues(ctx, tenant, nil, noon))
	same(t, "none left", len(must[[]graphsync.StoredIssue](t)(s.Issues(ctx, tenant, 0, 10))), 0)
}

// transactions: what a transaction that fails did is not there.
func transactions(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	failed := errors.New("failed")
	err := s.Do(ctx, func(ctx context.Context) error {
		ok(t, s.PutLinks(ctx, tenant, []graphsync.Link{{Kind: graphsync.KindUser, Local: 1}}))
		ok(t, s.PutObjects(ctx, tenant, []graphsync.Object{object(graphsync.KindUser, "a", 1, "{}")}))
		id := must[int64](t)(s.InsertRun(ctx, tenant, run(graphsync.RunPlanned)))
		ok(t, s.PutSteps(ctx, tenant, id, []graphsync.Step{{N: 1}}))
		ok(t, s.SetIssues(ctx, tenant, []graphsync.Issue{{Kind: "x", Object: graphsync.KindUser}}, noon))
		ok(t, s.SaveProgress(ctx, tenant, graphsync.Progress{People: 1}))
		if n := len(must[[]graphsync.Run](t)(s.LiveRuns(ctx, tenant))); n != 1 {
			t.Errorf("%d runs inside", n)
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	n := len(must[[]graphsync.Link](t)(s.AllLinks(ctx, tenant, graphsync.KindUser, 0, 1))) + len(must[[]graphsync.Object](t)(s.Objects(ctx, tenant, graphsync.KindUser, "", 1))) +
		len(must[[]graphsync.Run](t)(s.Runs(ctx, tenant, 0, 1))) + len(must[[]graphsync.StoredIssue](t)(s.Issues(ctx, tenant, 0, 1))) +
		must[graphsync.Progress](t)(s.Progress(ctx, tenant)).People
	if n != 0 {
		t.Errorf("%d things are left", n)
	}
}

// tenants: nothing of one is seen or changed by another.
func tenants(t *testing.T, s graphsync.Store) {
	ctx := t.Context()
	user := graphsync.KindUser
	ok(t, s.Hold(ctx, tenant, "a", noon, noon.Add(time.Minute)))
	ok(t, s.Hold(ctx, other, "b", noon, noon.Add(time.Minute)))
	ok(t, s.PutObjects(ctx, tenant, []graphsync.Object{object(user, "a", 1, "{}")}))
	ok(t, s.PutLinks(ctx, tenant, []graphsync.Link{{Kind: user, Local: 1, Remote: "r", NextTry: noon}}))
	ok(t, s.PutLinks(ctx, other, []graphsync.Link{{Kind: user, Local: 2, Remote: "r"}}))
	id := must[int64](t)(s.InsertRun(ctx, tenant, run(graphsync.RunPlanned)))
	ok(t, s.PutSteps(ctx, tenant, id, []graphsync.Step{{Run: id, N: 1, State: graphsync.StepOpen, Action: graphsync.Action{Person: 1}}}))
	ok(t, s.SetIssues(ctx, tenant, []graphsync.Issue{{Kind: "x", Object: user, Local: 1, Remotes: []string{}}}, noon))
	issue := must[[]graphsync.StoredIssue](t)(s.Issues(ctx, tenant, 0, 1))[0].ID

	ok(t, s.DropObjects(ctx, other, user, []string{"a"}))
	ok(t, s.PruneObjects(ctx, other, user, 9))
	ok(t, s.DropLinks(ctx, other, user, []int64{1}))
	ok(t, s.SetIssues(ctx, other, nil, noon))
	ok(t, s.ForgetEdits(ctx, other, 1))
	missing := []error{s.UpdateRun(ctx, other, graphsync.Run{ID: id}), s.IgnoreIssue(ctx, other, issue, "x"), s.DropIssue(ctx, other, issue)}
	_, err := s.Run(ctx, other, id)
	_, err2 := s.Issue(ctx, other, issue)
	for _, err := range append(missing, err, err2) {
		if fault.CodeOf(err) != fault.NotFound {
			t.Errorf("another tenant's: %v", err)
		}
	}
	seen := len(must[[]graphsync.Object](t)(s.Objects(ctx, other, user, "", 9))) + len(must[[]graphsync.Object](t)(s.ObjectsByID(ctx, other, user, []string{"a"}))) +
		len(must[[]graphsync.Link](t)(s.LinksOf(ctx, other, user, []int64{1}))) + len(must[[]graphsync.Link](t)(s.Waiting(ctx, other, user, noon.Add(-1), 0, 9))) +
		len(must[[]graphsync.Run](t)(s.Runs(ctx, other, 0, 9))) + len(must[[]graphsync.Run](t)(s.LiveRuns(ctx, other))) +
		len(must[[]graphsync.Step](t)(s.Steps(ctx, other, id, "", 0, 9))) + len(must[map[graphsync.StepState]int](t)(s.CountSteps(ctx, other, id))) +
		len(must[[]graphsync.StoredIssue](t)(s.Issues(ctx, other, 0, 9)))
	if seen != 0 {
		t.Errorf("%d things of another tenant", seen)
	}
	kept := []int{
		len(must[[]graphsync.Object](t)(s.Objects(ctx, tenant, user, "", 9))), len(must[[]graphsync.Link](t)(s.AllLinks(ctx, tenant, user, 0, 9))),
		len(must[[]graphsync.Step](t)(s.Steps(ctx, tenant, id, graphsync.StepOpen, 0, 9))), len(must[[]graphsync.StoredIssue](t)(s.Issues(ctx, tenant, 0, 9))),
	}
	if !slices.Equal(kept, []int{1, 1, 1, 1}) {
		t.Errorf("kept %v", kept)
	}
}
