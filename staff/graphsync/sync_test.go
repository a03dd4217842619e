package graphsync_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

// TestReplication: that a part of Entra does not know yet of what was just made is waited for, and is no failure.
func TestReplication(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		early := map[string]int{}
		r.entra.SetFaults(func(c graphtest.Call) graphtest.Fault {
			member := strings.HasSuffix(c.Path, "/members/$ref") || (c.Method == http.MethodPatch && strings.HasPrefix(c.Path, "/groups/"))
			if !member && !strings.HasSuffix(c.Path, "/manager/$ref") {
				return graphtest.Fault{}
			}
			if early[c.Path]++; early[c.Path] > 2 {
				return graphtest.Fault{}
			}
			return graphtest.Fault{Status: http.StatusNotFound, Code: graphsync.CodeNotFound}
		})
		r.company(t)
		r.step(t, nil)
		r.wantInStep(t)
		if waited := r.clock.Now().Sub(t0); waited < 5*time.Second || waited > 10*time.Minute {
			t.Errorf("waited %s", waited)
		}
	})
}

// TestInStep: people come, change, move, leave and come back, and Entra follows.
func TestInStep(t *testing.T) {
	rigs(t, graphsync.Rules{}, func(t *testing.T, r *rig) {
		stranger := r.entra.AddUser(graphtest.User{Name: "Break glass", UPN: "glass@" + graphtest.TenantID, Enabled: true})
		units, people := r.company(t)
		r.step(t, nil)
		r.wantInStep(t)
		if run := r.last(t); run.State != graphsync.RunDone || run.Counts[graphsync.OpCreateUser] != 4 || run.Result[graphsync.StepDone] != 4+3+2+4 {
			t.Errorf("run %+v", run)
		}
		if worked, err := r.Step(t.Context()); worked || err != nil {
			t.Errorf("worked %v before it was due: %v", worked, err)
		}
		r.sync(t)
		if run := r.last(t); len(run.Counts) != 0 || run.State != graphsync.RunDone {
			t.Errorf("a second run does %v", run.Counts)
		}

		title, name, mail := "Matron", "Ada", "ada.king@"+graphtest.TenantID
		r.edit(t, people[1], staff.Edit{JobTitle: &title, FirstName: &name, Email: &mail, LineManagerID: &people[2]})
		none := ""
		r.edit(t, people[2], staff.Edit{JobTitle: &none})
		must[staff.Assignment](t)(r.staff.Assign(t.Context(), admin, people[3], staff.NewAssignment{UnitID: units[0]}))
		for _, a := range must[[]staff.Assignment](t)(r.staff.Assignments(t.Context(), admin, people[2])) {
			if a.UnitID == units[0] {
				if err := r.staff.Unassign(t.Context(), admin, people[2], a.ID, ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		r.leave(t, people[0])
		r.sync(t)
		r.wantInStep(t)
		if boss := r.account(t, "boss"); boss.Enabled || boss.Revoked != 1 {
			t.Errorf("who left is %+v", boss)
		}
		yes := true
		r.edit(t, people[0], staff.Edit{Active: &yes})
		r.sync(t)
		r.wantInStep(t)

		// Somebody changes what staff owns, and deletes an account.
		r.entra.EditUser(r.account(t, "bob").ID, map[string]any{"jobTitle": "King", "displayName": "Bob the Great"})
		r.entra.SetMember(r.entra.Groups()[0].ID, r.account(t, "ada").ID, false)
		r.entra.EditGroup(r.entra.Groups()[0].ID, map[string]any{"displayName": "Theirs"})
		r.sync(t)
		r.wantInStep(t)
		r.entra.RemoveUser(r.account(t, "cyd").ID)
		r.sync(t)
		if got := r.issues(t); !slices.Equal(got, []string{fmt.Sprint("account_gone ", people[3])}) {
			t.Errorf("issues %v", got)
		}
		for _, u := range r.entra.Users() {
			if u.ID == stranger && (!u.Enabled || u.Name != "Break glass") {
				t.Errorf("a stranger was touched: %+v", u)
			}
		}
		systems := must[page.Page[staff.System]](t)(r.staff.ExternalSystems(t.Context(), admin, page.Request{}))
		if y := systems.Items[0]; y.Name != graphsync.SystemName || y.Type != staff.SystemEntra || y.Status != staff.SyncActive || y.LastSuccessfulAt.IsZero() {
			t.Errorf("external system %+v", y)
		}
	})
}
