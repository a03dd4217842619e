package graphsync_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

// steps are a run's in short.
func (r *rig) steps(t *testing.T, by identity.Principal, run int64) []graphsync.Step {
	t.Helper()
	var out []graphsync.Step
	for p := (page.Request{Limit: 3}); ; {
		cut := must[page.Page[graphsync.Step]](t)(r.Steps(t.Context(), by, run, "", p))
		if out = append(out, cut.Items...); cut.Next == "" {
			return out
		}
		p.Cursor = cut.Next
	}
}

// TestGuarded: a plan that would disable too many waits, tells the administrators, and is applied only by id, hash and
// the names of its guards, by a person.
func TestGuarded(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		if _, err := r.staff.Upsert(ctx, admin, staff.Person{UserID: "admin", Name: "The Admin", Roles: []string{"admin"}, Active: true}); err != nil {
			t.Fatal(err)
		}
		_, people := r.company(t)
		r.step(t, nil)
		for _, id := range people {
			r.leave(t, id)
		}
		// Only the administrator is left, who has no reference: nobody is to have an account.
		no := false
		r.edit(t, must[[]staff.Person](t)(r.staff.Upsert(ctx, admin, staff.Person{UserID: "admin", Name: "The Admin", Roles: []string{"admin"}, Active: true}))[0].ID, staff.Edit{Active: &no})
		r.later(1)
		r.step(t, graphsync.ErrUnapproved)
		run := r.last(t)
		if run.State != graphsync.RunPlanned || !slices.Equal(run.Tripped, []graphsync.Guard{graphsync.GuardEmpty}) {
			t.Fatalf("run %+v", run)
		}
		for _, u := range r.entra.Users() {
			if !u.Enabled {
				t.Errorf("%s is disabled", u.UPN)
			}
		}
		if y := must[page.Page[staff.System]](t)(r.staff.ExternalSystems(ctx, admin, page.Request{})).Items[0]; y.Status != staff.SyncFailed || y.Error != graphsync.ErrUnapproved.Reason {
			t.Errorf("external system %+v", y)
		}

		key := identity.Principal{Tenant: "1", Actor: "key:7", Scopes: []string{string(staff.ScopeSync), "fields:basic"}}
		right := graphsync.Approval{Hash: run.Hash, Confirmed: run.Tripped}
		for name, c := range map[string]struct {
			by   identity.Principal
			a    graphsync.Approval
			want error
		}{
			"a key":            {key, right, graphsync.ErrNeedsPerson},
			"nobody":           {identity.Principal{Tenant: "1", Actor: "alice"}, right, staff.ErrReadForbidden},
			"another tenant":   {identity.Principal{Tenant: "2", Actor: "admin", Roles: []string{"admin"}}, right, staff.ErrReadForbidden},
			"for the admin":    {identity.Principal{Tenant: "1", Actor: "bob", Subject: "admin", Roles: []string{"admin"}}, right, staff.ErrReadForbidden},
			"another hash":     {admin, graphsync.Approval{Hash: "x", Confirmed: run.Tripped}, graphsync.ErrPlanChanged},
			"without a guard":  {admin, graphsync.Approval{Hash: run.Hash}, graphsync.ErrUnconfirmed},
			"the wrong number": {admin, graphsync.Approval{}, graphsync.ErrUnknownRun},
		} {
			id := run.ID
			if name == "the wrong number" {
				id = 999
			}
			if _, err := r.Approve(ctx, c.by, id, c.a); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		if worked, _ := r.Step(ctx); worked {
			t.Error("a plan that waits is worked on")
		}

		// The same plan an hour later changes nothing; the hash stays good.
		r.later(1)
		r.step(t, graphsync.ErrUnapproved)
		if again := r.last(t); again.State != graphsync.RunDiscarded || again.Reason != "same_as_waiting" || again.Hash != run.Hash {
			t.Errorf("run %+v", again)
		}
		if got := must[graphsync.Run](t)(r.Approve(ctx, admin, run.ID, right)); got.State != graphsync.RunApplying || got.ApprovedBy != "admin" {
			t.Errorf("approved %+v", got)
		}
		if _, err := r.Approve(ctx, admin, run.ID, right); !errors.Is(err, graphsync.ErrRunState) {
			t.Errorf("approved twice: %v", err)
		}
		r.step(t, nil)
		r.wantInStep(t)
	})
}

// TestErasedBeforeApplied: who is erased while a plan waits leaves nothing in it, and comes into Entra no more; who has left
// gets no account.
func TestErasedBeforeApplied(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		_, people := r.company(t)
		r.step(t, nil)
		r.later(1)
		dan, eve := r.hire(t, "dan", 0), r.hire(t, "eve", 0)
		r.edit(t, people[1], staff.Edit{JobTitle: new("Secret Title")})
		must[graphsync.Run](t)(r.Request(ctx, admin, graphsync.RunRequest{DryRun: true}))
		r.step(t, nil)
		run := r.last(t)
		keeper := graphsync.Keeper(r.cfg.Store)
		for _, id := range []int64{dan, people[1]} {
			if err := errors.Join(r.staff.Erase(ctx, admin, id), keeper.Forget(ctx, admin.Tenant, id)); err != nil {
				t.Fatal(err)
			}
		}
		for id, account := range map[int64]string{people[2]: r.account(t, "bob").ID, dan: ""} {
			if kept, err := keeper.Kept(ctx, admin.Tenant, id); err != nil || (kept == nil) != (account == "") || !strings.Contains(fmt.Sprint(kept), account) {
				t.Errorf("kept %v, %v, want the account %q", kept, err, account)
			}
		}
		r.leave(t, eve)
		quiet := func() {
			t.Helper()
			if text := fmt.Sprintf("%+v", r.steps(t, admin, run.ID)); strings.Contains(text, "dan") || strings.Contains(text, "Secret") {
				t.Errorf("the plan has %s", text)
			}
		}
		quiet()
		must[graphsync.Run](t)(r.Approve(ctx, admin, run.ID, graphsync.Approval{Hash: run.Hash}))
		r.step(t, nil)
		quiet()
		for _, a := range r.entra.Users() {
			if strings.HasPrefix(a.UPN, "dan@") || strings.HasPrefix(a.UPN, "eve@") || a.JobTitle == "Secret Title" {
				t.Errorf("account %+v", a)
			}
		}
		reasons := map[int64]string{}
		for _, p := range r.steps(t, admin, run.ID) {
			if p.State == graphsync.StepSkipped {
				reasons[p.Person] = p.Reason
			}
		}
		want := map[int64]string{dan: "person_gone", people[1]: "person_gone", eve: "changed_since"}
		if fmt.Sprint(reasons) != fmt.Sprint(want) {
			t.Errorf("skipped %v, want %v", reasons, want)
		}
	})
}

// TestApprovedTooLate: who comes back between the plan and its approval keeps the account, and an old plan is no good.
func TestApprovedTooLate(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		_, people := r.company(t)
		r.step(t, nil)
		r.later(1)
		r.leave(t, people[1])
		r.leave(t, people[2])
		run := must[graphsync.Run](t)(r.Request(ctx, admin, graphsync.RunRequest{DryRun: true}))
		if same := must[graphsync.Run](t)(r.Request(ctx, admin, graphsync.RunRequest{DryRun: true})); same.ID != run.ID {
			t.Errorf("asked for twice: %d and %d", run.ID, same.ID)
		}
		r.step(t, nil)
		run = r.last(t)
		if y := must[page.Page[staff.System]](t)(r.staff.ExternalSystems(ctx, admin, page.Request{})).Items[0]; y.Status != staff.SyncPending || y.Error != "" || !y.LastSuccessfulAt.Equal(t0) {
			t.Errorf("external system %+v", y)
		}
		if run.State != graphsync.RunPlanned || run.Counts[graphsync.OpDisableUser] != 2 || len(run.Tripped) != 0 {
			t.Fatalf("dry run %+v", run)
		}
		yes := true
		r.edit(t, people[1], staff.Edit{Active: &yes})
		must[graphsync.Run](t)(r.Approve(ctx, admin, run.ID, graphsync.Approval{Hash: run.Hash}))
		r.step(t, nil)
		if ada, bob := r.account(t, "ada"), r.account(t, "bob"); !ada.Enabled || bob.Enabled {
			t.Errorf("ada %v, bob %v", ada.Enabled, bob.Enabled)
		}
		if got := r.steps(t, admin, run.ID); got[0].Reason != "wanted_again" || got[0].State != graphsync.StepSkipped {
			t.Errorf("step %+v", got[0])
		}
		r.edit(t, people[2], staff.Edit{Active: &yes})
		must[graphsync.Run](t)(r.Request(ctx, admin, graphsync.RunRequest{DryRun: true, Full: true}))
		r.step(t, nil)
		old := r.last(t)
		if err := r.Pause(ctx, admin, true); err != nil {
			t.Fatal(err)
		}
		r.later(24)
		if _, err := r.Approve(ctx, admin, old.ID, graphsync.Approval{Hash: old.Hash}); !errors.Is(err, graphsync.ErrRunState) {
			t.Errorf("an old plan: %v", err)
		}
		if worked, err := r.Step(ctx); worked || err != nil {
			t.Errorf("paused, and works: %v", err)
		}
		if got := must[graphsync.Run](t)(r.Discard(ctx, admin, old.ID)); got.State != graphsync.RunDiscarded {
			t.Errorf("discarded %+v", got)
		}
		if err := r.Pause(ctx, admin, false); err != nil {
			t.Fatal(err)
		}
		r.step(t, nil)
		r.wantInStep(t)
	})
}

// TestConflicts: accounts that cannot be told apart wait for somebody, who decides.
func TestConflicts(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		_, people := r.company(t)
		one := r.entra.AddUser(graphtest.User{Name: "Ada", UPN: "ada@" + graphtest.TenantID, EmployeeID: "E-ada", Enabled: true})
		r.entra.AddUser(graphtest.User{Name: "Ada", UPN: "ada2@" + graphtest.TenantID, EmployeeID: "e-ADA", Enabled: true})
		taken := r.entra.AddUser(graphtest.User{Name: "Another Bob", UPN: "bob@" + graphtest.TenantID, Enabled: true})
		off := r.entra.AddUser(graphtest.User{Name: "Cyd", UPN: "cyd@" + graphtest.TenantID, EmployeeID: "E-cyd"})
		r.step(t, nil)
		want := []string{fmt.Sprint("ambiguous_employee_id ", people[1]), fmt.Sprint("name_taken ", people[2]), fmt.Sprint("disabled_in_entra ", people[3])}
		if got := r.issues(t); !slices.Equal(got, want) {
			t.Fatalf("issues %v, want %v", got, want)
		}
		all := must[page.Page[graphsync.StoredIssue]](t)(r.Issues(ctx, admin, page.Request{})).Items
		for _, c := range []struct {
			issue  int
			how    graphsync.Resolution
			remote string
			bad    bool
		}{
			{0, graphsync.ResolveLink, "elsewhere", true}, {0, "burn", "", true}, {0, graphsync.ResolveEnable, "", true}, {0, graphsync.ResolveLink, one, false},
			{1, graphsync.ResolveLink, taken, false}, {2, graphsync.ResolveEnable, "", false},
		} {
			if err := r.Resolve(ctx, admin, all[c.issue].ID, c.how, c.remote); (err != nil) != c.bad {
				t.Errorf("%v: %v", c, err)
			}
		}
		if err := r.Resolve(ctx, admin, all[0].ID, graphsync.ResolveIgnore, ""); !errors.Is(err, graphsync.ErrUnknownIssue) {
			t.Errorf("resolved twice: %v", err)
		}
		r.sync(t)
		if got := r.issues(t); len(got) != 0 {
			t.Errorf("issues %v", got)
		}
		for _, u := range r.entra.Users() {
			if u.ID == one && u.Name != "ada Doe" || u.ID == taken && u.EmployeeID != "E-bob" || u.ID == off && !u.Enabled {
				t.Errorf("account %+v", u)
			}
		}
	})
}

// TestLinkedMeanwhile: an account that was linked to another person since the plan was made fails its step, and no other.
func TestLinkedMeanwhile(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		_, people := r.company(t)
		must[graphsync.Run](t)(r.Request(ctx, admin, graphsync.RunRequest{DryRun: true}))
		r.step(t, nil)
		run := r.last(t)
		taken := r.entra.AddUser(graphtest.User{Name: "Bob", UPN: "bob@" + graphtest.TenantID, EmployeeID: "E-bob", Enabled: true})
		if err := r.cfg.Store.PutLinks(ctx, "1", []graphsync.Link{{Kind: graphsync.KindUser, Local: 999, Remote: taken, Rule: graphsync.RuleManual}}); err != nil {
			t.Fatal(err)
		}
		must[graphsync.Run](t)(r.Approve(ctx, admin, run.ID, graphsync.Approval{Hash: run.Hash}))
		r.step(t, graphsync.ErrStepsFailed)
		for _, p := range r.steps(t, admin, run.ID) {
			want := graphsync.StepDone
			switch {
			case p.Op == graphsync.OpCreateUser && p.Person == people[2]:
				want = graphsync.StepFailed
			case p.Person == people[2]:
				want = graphsync.StepSkipped
			}
			if p.State != want {
				t.Errorf("step %+v", p)
			}
		}
	})
}

// TestQuarantine: an object that always fails does not stop the others, and is left alone for ever longer times.
func TestQuarantine(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		_, people := r.company(t)
		r.step(t, nil)
		boss := r.account(t, "boss").ID
		tries := 0
		r.entra.SetFaults(func(c graphtest.Call) graphtest.Fault {
			if c.Method == http.MethodPatch && strings.HasSuffix(c.Path, boss) {
				tries++
				return graphtest.Fault{Status: http.StatusForbidden}
			}
			return graphtest.Fault{}
		})
		for i := range 3 {
			title := fmt.Sprint("Title ", i)
			r.edit(t, people[0], staff.Edit{JobTitle: &title})
			r.edit(t, people[1], staff.Edit{JobTitle: &title})
			r.later(1)
			r.step(t, graphsync.ErrStepsFailed)
			if ada := r.account(t, "ada"); ada.JobTitle != title {
				t.Errorf("ada is %s", ada.JobTitle)
			}
		}
		waiting := must[page.Page[graphsync.Link]](t)(r.Quarantine(ctx, admin, graphsync.KindUser, page.Request{})).Items
		if len(waiting) != 1 || waiting[0].Local != people[0] || waiting[0].Reason != graphsync.CodeDenied || waiting[0].Failures != 3 {
			t.Fatalf("quarantine %+v", waiting)
		}
		r.sync(t)
		if run := r.last(t); tries != 3 || run.Waiting != 1 || len(run.Counts) != 0 {
			t.Errorf("tried %d times, run %+v", tries, run)
		}
		r.later(24)
		r.step(t, graphsync.ErrStepsFailed)
		r.later(24)
		r.step(t, nil) // two days, this time
		if tries != 4 {
			t.Errorf("tried %d times", tries)
		}
		r.entra.SetFaults(nil)
		if err := r.Retry(ctx, admin, graphsync.KindUser, people[0]); err != nil {
			t.Fatal(err)
		}
		if err := r.Retry(ctx, admin, graphsync.KindGroup, 999); !errors.Is(err, graphsync.ErrUnknownLink) {
			t.Errorf("retried nobody: %v", err)
		}
		r.sync(t)
		r.wantInStep(t)
	})
}

// TestRollback: what a run did is undone, by a plan that is approved like any other; what has changed since stays, and
// the schedule waits.
func TestRollback(t *testing.T) {
	rigs(t, graphsync.Rules{Deprovision: graphsync.DeprovisionLeave}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		units, people := r.company(t)
		r.step(t, nil)
		before := fmt.Sprint(r.entra.Users(), r.entra.Groups())
		title, name := "Matron", "Adelaide"
		r.edit(t, people[1], staff.Edit{JobTitle: &title, LineManagerID: &people[3]})
		r.edit(t, people[2], staff.Edit{FirstName: &name})
		r.leave(t, people[3])
		must[staff.Assignment](t)(r.staff.Assign(ctx, admin, people[1], staff.NewAssignment{UnitID: units[1]}))
		r.hire(t, "dot", 0)
		r.sync(t)
		r.wantInStep(t)
		done := r.last(t)
		dot := r.account(t, "dot").ID
		r.entra.EditUser(r.account(t, "bob").ID, map[string]any{"displayName": "Changed since"})

		back := must[graphsync.Run](t)(r.Rollback(ctx, admin, done.ID))
		if back.State != graphsync.RunPlanned || back.RollbackOf != done.ID {
			t.Fatalf("roll-back %+v", back)
		}
		r.later(2)
		if worked, err := r.Step(ctx); worked || err != nil {
			t.Fatalf("the schedule goes on: %v", err)
		}
		must[graphsync.Run](t)(r.Approve(ctx, admin, back.ID, graphsync.Approval{Hash: back.Hash}))
		r.step(t, nil)
		r.entra.EditUser(r.account(t, "bob").ID, map[string]any{"displayName": "bob Doe"})
		var rest []graphtest.User
		for _, u := range r.entra.Users() {
			if u.ID == dot {
				if u.Enabled {
					t.Error("a new account is still enabled")
				}
				continue
			}
			u.Revoked = 0
			rest = append(rest, u)
		}
		if after := fmt.Sprint(rest, r.entra.Groups()); after != before {
			t.Errorf("after the roll-back\n%s\nbefore the run\n%s", after, before)
		}
		skipped := 0
		for _, p := range r.steps(t, admin, back.ID) {
			if p.Reason == "changed_since" {
				skipped++
			}
		}
		if skipped != 1 {
			t.Errorf("%d steps skipped", skipped)
		}
		if err := r.Pause(ctx, admin, false); err != nil {
			t.Fatal(err)
		}
		r.step(t, nil)
		r.wantInStep(t)
	})
}
