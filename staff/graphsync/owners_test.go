package graphsync_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

// places are the names of the units that a person is in today.
func (r *rig) places(t *testing.T, person int64) []string {
	t.Helper()
	out := []string{}
	for _, a := range must[[]staff.Assignment](t)(r.staff.Assignments(t.Context(), admin, person)) {
		if a.Current(r.staff.Today()) {
			out = append(out, a.UnitName)
		}
	}
	slices.Sort(out)
	return out
}

// TestBothWays: what Entra owns of a unit comes back: its name, its description and who is in it.
func TestBothWays(t *testing.T) {
	rules := graphsync.Rules{Owners: graphsync.Owners{Name: graphsync.OwnerEntra, Description: graphsync.OwnerEntra, Members: graphsync.OwnerEntra}}
	rigs(t, rules, func(t *testing.T, r *rig) {
		units, people := r.company(t)
		r.step(t, nil)
		r.sync(t)
		r.wantInStep(t)
		team := r.entra.Groups()[0]
		r.entra.EditGroup(team.ID, map[string]any{"displayName": "Care Team Alpha", "description": "Adult Services"})
		r.entra.SetMember(team.ID, r.account(t, "ada").ID, false)
		r.entra.SetMember(team.ID, r.account(t, "cyd").ID, true)
		r.entra.SetMember(team.ID, r.entra.AddUser(graphtest.User{Name: "A printer", UPN: "printer@" + graphtest.TenantID, Enabled: true}), true)
		r.sync(t)
		u := must[staff.Unit](t)(r.staff.Unit(t.Context(), admin, units[0]))
		if u.Name != "Care Team Alpha" || u.Description != "Adult Services" {
			t.Errorf("the unit is %+v", u)
		}
		for who, want := range map[int64][]string{people[1]: {}, people[2]: {"Care Team Alpha", "Head Office"}, people[3]: {"Care Team Alpha"}} {
			if got := r.places(t, who); !slices.Equal(got, want) {
				t.Errorf("person %d is in %v, not %v", who, got, want)
			}
		}
		// Whoever staff assigns comes into the group, and stays there.
		must[staff.Assignment](t)(r.staff.Assign(t.Context(), admin, people[1], staff.NewAssignment{UnitID: units[0], StartDate: staff.DateOf(r.clock.Now().AddDate(0, 0, 1))}))
		r.later(24)
		r.step(t, nil)
		r.sync(t)
		if got := r.places(t, people[1]); !slices.Equal(got, []string{"Care Team Alpha"}) {
			t.Errorf("assigned again, ada is in %v", got)
		}
		r.sync(t)
		if run := r.last(t); len(run.Counts) != 0 {
			t.Errorf("it goes on with %v", run.Counts)
		}
	})
}

// TestDeleted: who left is disabled, deleted when the time has come, and can be had back by a roll-back.
func TestDeleted(t *testing.T) {
	rules := graphsync.Rules{Deprovision: graphsync.DeprovisionDelete, DeleteAfter: 48 * time.Hour}
	rigs(t, rules, func(t *testing.T, r *rig) {
		_, people := r.company(t)
		r.step(t, nil)
		end := staff.DateOf(t0)
		r.edit(t, people[2], staff.Edit{EmploymentEnd: &end})
		r.sync(t)
		if u := r.account(t, "bob"); !u.Enabled {
			t.Fatal("disabled on the last day")
		}
		r.later(24)
		r.step(t, nil)
		if u := r.account(t, "bob"); u.Enabled || len(r.entra.Groups()[0].Members) != 1 {
			t.Fatalf("after the last day: %+v, %v", u, r.entra.Groups())
		}
		r.later(47)
		r.step(t, nil)
		if n := len(r.entra.Users()); n != 4 {
			t.Fatalf("%d accounts: deleted too early", n)
		}
		r.sync(t)
		if n := len(r.entra.Users()); n != 3 {
			t.Fatalf("%d accounts", n)
		}
		back := must[graphsync.Run](t)(r.Rollback(t.Context(), admin, r.last(t).ID))
		must[graphsync.Run](t)(r.Approve(t.Context(), admin, back.ID, graphsync.Approval{Hash: back.Hash}))
		r.step(t, nil)
		if u := r.account(t, "bob"); u.Enabled {
			t.Errorf("restored and enabled: %+v", u)
		}
		none := staff.Date("")
		r.edit(t, people[2], staff.Edit{EmploymentEnd: &none})
		if err := r.Pause(t.Context(), admin, false); err != nil {
			t.Fatal(err)
		}
		r.sync(t)
		r.wantInStep(t)
	})
}

// TestErased: the account of who was erased from staff is disabled, and runs no longer tell of them.
func TestErased(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		_, people := r.company(t)
		r.step(t, nil)
		first := r.last(t).ID
		if err := r.staff.Erase(t.Context(), admin, people[1]); err != nil {
			t.Fatal(err)
		}
		if err := r.Forget(t.Context(), people[1]); err != nil {
			t.Fatal(err)
		}
		for _, p := range r.steps(t, admin, first) {
			if p.Op == graphsync.OpCreateUser && (len(p.Edits) == 0) != (p.Person == people[1]) {
				t.Errorf("step %+v", p)
			}
		}
		r.sync(t)
		if u := r.account(t, "ada"); u.Enabled {
			t.Error("the account is enabled")
		}
		r.later(24 * 91)
		if n, err := r.Sweep(t.Context(), 10); n != 2 || err != nil {
			t.Errorf("%d runs pruned, %v", n, err)
		}
	})
}

// TestHiddenValues: a key sees of plans what its field groups let it see.
func TestHiddenValues(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		r.company(t)
		r.step(t, nil)
		key := admin
		key.Actor, key.Roles, key.Scopes = "key:7", nil, []string{string(staff.ScopeSync), "fields:basic"}
		for _, p := range r.steps(t, key, r.last(t).ID) {
			for _, e := range p.Edits {
				if shown := e.After != "" || e.Before != ""; shown != (e.Field == graphsync.FieldName) {
					t.Errorf("%s: %+v", p.Op, e)
				}
			}
		}
	})
}

// TestOneAtATime: while one process works for a tenant, another one does not; a lost credential is a failure to be told.
func TestOneAtATime(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		ctx := t.Context()
		r.company(t)
		now := r.clock.Now()
		if err := r.cfg.Store.Hold(ctx, "1", "another", now, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if worked, err := r.Step(ctx); worked || err != nil {
			t.Errorf("worked %v, %v", worked, err)
		}
		r.later(1)
		r.cfg.Graph = client(t, r.entra, r.clock, func(c *graphsync.ClientConfig) { c.ClientID = "wrong" })
		r.restart(t)
		if _, err := r.Step(ctx); !errors.Is(err, graphsync.ErrCredentials) {
			t.Errorf("a wrong client id: %v", err)
		}
		if worked, err := r.Step(ctx); worked || err != nil {
			t.Errorf("at once again: %v, %v", worked, err)
		}
		y := must[page.Page[staff.System]](t)(r.staff.ExternalSystems(ctx, admin, page.Request{})).Items[0]
		if y.Status != staff.SyncFailed || y.Error != graphsync.ErrCredentials.Reason {
			t.Errorf("external system %+v", y)
		}
		if status := must[graphsync.Status](t)(r.Status(ctx, admin)); len(status.Live) != 1 || status.Live[0].State != graphsync.RunRequested {
			t.Errorf("status %+v", status)
		}
	})
}

// TestConfig: what cannot be is refused.
func TestConfig(t *testing.T) {
	if _, err := graphsync.New(graphsync.Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
	if err := (graphsync.Config{Interval: -1, Rules: graphsync.Rules{Deprovision: "burn"}}).Validate(); err == nil {
		t.Error("a bad configuration is accepted")
	}
}
