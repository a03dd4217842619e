package graphsync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

// mortal is a store of a process that can be killed: from then on nothing is written, and the lease stays.
type mortal struct {
	graphsync.Store
	dead bool
	dos  int
	last int // dies at this Do, before it; 0: never
}

var errKilled = errors.New("killed")

func (m *mortal) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	if m.dos++; m.dos == m.last {
		m.dead = true
	}
	if m.dead {
		return errKilled
	}
	return m.Store.Do(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		if m.dead {
			return errKilled // between the last statement and the commit
		}
		return nil
	})
}

func (m *mortal) Hold(ctx context.Context, tenant identity.TenantID, holder string, now, until time.Time) error {
	if m.dead {
		return errKilled
	}
	return m.Store.Hold(ctx, tenant, holder, now, until)
}

func (m *mortal) Release(ctx context.Context, tenant identity.TenantID, holder string) error {
	if m.dead {
		return errKilled
	}
	return m.Store.Release(ctx, tenant, holder)
}

// change is what the interrupted run has to do: all kinds of steps.
func (r *rig) change(t *testing.T) {
	t.Helper()
	units, people := r.company(t)
	r.step(t, nil)
	title := "Matron"
	r.edit(t, people[1], staff.Edit{JobTitle: &title, LineManagerID: &people[3]})
	r.leave(t, people[0])
	r.hire(t, "dot", people[1], units[0])
	r.unit(t, "Kitchen")
	a := must[[]staff.Assignment](t)(r.staff.Assignments(t.Context(), admin, people[2]))[0]
	if err := r.staff.Unassign(t.Context(), admin, people[2], a.ID, ""); err != nil {
		t.Fatal(err)
	}
	r.later(1)
}

// survive is what another process makes of it: it ends in step, with everything made once.
func (r *rig) survive(t *testing.T, calls int) {
	t.Helper()
	r.entra.SetFaults(nil)
	r.later(1) // the lease of the dead has ended, and the next run is due
	for range 3 {
		r.restart(t)
		r.later(1)
		if _, err := r.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.wantInStep(t)
	if n := len(r.entra.Users()); n != 5 {
		t.Errorf("%d accounts", n)
	}
	if n := len(r.entra.Groups()); n != 3 {
		t.Errorf("%d groups", n)
	}
	if run := r.last(t); run.State != graphsync.RunDone || len(run.Counts) != 0 {
		t.Errorf("the last run is %s and does %v", run.State, run.Counts)
	}
	if t.Failed() {
		for _, c := range r.entra.Calls()[calls:] {
			t.Logf("%d %s %s", c.N, c.Method, c.Path)
		}
	}
}

// TestKilledAtEveryCall: a run that is killed at a call to Graph, before or after Graph did it, is gone on with by
// another process, for each call that there is.
func TestKilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		killed := 0
		for n, more := 1, true; more; n++ {
			name := fmt.Sprintf("call %d, done %v", n, after)
			t.Run(name, func(t *testing.T) {
				r := newRig(t, sqldbtest.SQLite(t, lines...), graphtest.Config{PageSize: 3}, graphsync.Rules{})
				r.change(t)
				store := &mortal{Store: r.cfg.Store}
				ctx, kill := context.WithCancel(t.Context())
				defer kill()
				before := len(r.entra.Calls())
				more = false
				r.entra.SetFaults(func(c graphtest.Call) graphtest.Fault {
					if c.N != before+n {
						return graphtest.Fault{}
					}
					more, store.dead = true, true
					killed++
					kill()
					if after {
						return graphtest.Fault{Lose: true}
					}
					return graphtest.Fault{Status: http.StatusServiceUnavailable}
				})
				cfg := r.cfg
				cfg.Store = store
				dying := must[*graphsync.Service](t)(graphsync.New(cfg))
				if _, err := dying.Step(ctx); (err == nil) == more {
					t.Fatalf("killed %v, and the run ended with %v", more, err)
				}
				r.survive(t, before)
			})
			if t.Failed() {
				return
			}
		}
		if t.Logf("killed at each of %d calls", killed); killed < 15 {
			t.Errorf("only %d calls", killed)
		}
	}
}

// killEach runs a due run that dies at a transaction of the store, for each that there is, of which there are at least
// some, and then survive.
func killEach(t *testing.T, rules graphsync.Rules, least int, prepare, survive func(t *testing.T, r *rig)) {
	t.Helper()
	killed := 0
	for n, more := 1, true; more; n++ {
		t.Run(fmt.Sprint("transaction ", n), func(t *testing.T) {
			r := newRig(t, sqldbtest.SQLite(t, lines...), graphtest.Config{PageSize: 3}, rules)
			prepare(t, r)
			store := &mortal{Store: r.cfg.Store, last: n}
			cfg := r.cfg
			cfg.Store = store
			dying := must[*graphsync.Service](t)(graphsync.New(cfg))
			_, err := dying.Step(t.Context())
			if more = store.dead; more {
				killed++
			}
			if (err == nil) == more {
				t.Fatalf("killed %v, and the run ended with %v", more, err)
			}
			survive(t, r)
		})
		if t.Failed() {
			return
		}
	}
	if t.Logf("killed at each of %d transactions", killed); killed < least {
		t.Errorf("only %d transactions", killed)
	}
}

// TestKilledAtEveryTransaction: the same at each transaction of the store.
func TestKilledAtEveryTransaction(t *testing.T) {
	killEach(t, graphsync.Rules{}, 15, func(t *testing.T, r *rig) { r.change(t) }, func(t *testing.T, r *rig) { r.survive(t, 0) })
}

// TestKilledOnTheWayBack: what comes from Entra into staff is there once, too.
func TestKilledOnTheWayBack(t *testing.T) {
	rules := graphsync.Rules{Owners: graphsync.Owners{Name: graphsync.OwnerEntra, Members: graphsync.OwnerEntra}}
	var units, people []int64
	killEach(t, rules, 10, func(t *testing.T, r *rig) {
		units, people = r.company(t)
		r.step(t, nil)
		r.sync(t)
		team := r.entra.Groups()[0]
		r.entra.EditGroup(team.ID, map[string]any{"displayName": "Alpha"})
		r.entra.SetMember(team.ID, r.account(t, "ada").ID, false)
		r.entra.SetMember(team.ID, r.account(t, "cyd").ID, true)
		r.later(1)
	}, func(t *testing.T, r *rig) {
		r.restart(t)
		r.later(1)
		r.step(t, nil)
		r.sync(t)
		if run := r.last(t); len(run.Counts) != 0 {
			t.Errorf("it goes on with %v", run.Counts)
		}
		if u := must[staff.Unit](t)(r.staff.Unit(t.Context(), admin, units[0])); u.Name != "Alpha" {
			t.Errorf("the unit is %s", u.Name)
		}
		for i, want := range [][]string{{"Head Office"}, {}, {"Alpha", "Head Office"}, {"Alpha"}} {
			if got := r.places(t, people[i]); !slices.Equal(got, want) {
				t.Errorf("person %d is in %v, not %v", i, got, want)
			}
		}
	})
}

// TestKilledInARollback: a roll-back that dies goes on as well.
func TestKilledInARollback(t *testing.T) {
	before := ""
	state := func(r *rig) string {
		users := r.entra.Users()
		for i := range users {
			users[i].Revoked = 0
		}
		return fmt.Sprint(users, r.entra.Groups())
	}
	killEach(t, graphsync.Rules{}, 5, func(t *testing.T, r *rig) {
		_, people := r.company(t)
		r.step(t, nil)
		before = state(r)
		title := "Matron"
		r.edit(t, people[1], staff.Edit{JobTitle: &title, LineManagerID: &people[3]})
		r.leave(t, people[2])
		r.sync(t)
		back := must[graphsync.Run](t)(r.Rollback(t.Context(), admin, r.last(t).ID))
		must[graphsync.Run](t)(r.Approve(t.Context(), admin, back.ID, graphsync.Approval{Hash: back.Hash}))
	}, func(t *testing.T, r *rig) {
		r.restart(t)
		r.later(1)
		if _, err := r.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := state(r); after != before {
			t.Errorf("after the roll-back\n%s\nbefore the run\n%s", after, before)
		}
	})
}

// TestStorm: 429, 5xx, lost answers, a delta that lags and repeats itself and forgets its links; in the end Entra is as
// planned, whatever came to pass, and nobody was ever disabled who is here.
func TestStorm(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint32().Draw(rt, "seed")
		lag := rapid.IntRange(0, 30).Draw(rt, "lag")
		replay := rapid.Bool().Draw(rt, "replay")
		r := newRig(t, sqldbtest.SQLite(t, lines...), graphtest.Config{PageSize: 2, Lag: lag, Replay: replay}, graphsync.Rules{Deprovision: graphsync.DeprovisionLeave})
		hash := seed
		quiet := false
		r.entra.SetFaults(func(c graphtest.Call) graphtest.Fault {
			hash = hash*1664525 + 1013904223
			if quiet {
				return graphtest.Fault{}
			}
			switch hash >> 16 % 16 {
			case 0:
				return graphtest.Fault{Status: http.StatusTooManyRequests, RetryAfter: int(hash >> 24 % 60)}
			case 1:
				return graphtest.Fault{Status: []int{500, 502, 503, 504}[hash>>24%4]}
			case 2:
				return graphtest.Fault{Lose: true}
			}
			return graphtest.Fault{}
		})
		units, people := r.company(t)
		here := map[string]bool{"boss": true, "ada": true, "bob": true, "cyd": true}
		for day := range rapid.IntRange(1, 4).Draw(rt, "days") {
			name := fmt.Sprint("new", day)
			people = append(people, r.hire(t, name, people[0], units[day%2]))
			here[name] = true
			if gone := rapid.IntRange(0, 3).Draw(rt, "gone"); gone < len(people) && day == 1 {
				r.leave(t, people[gone])
				delete(here, []string{"boss", "ada", "bob", "cyd"}[gone])
			}
			title := fmt.Sprint("Title ", day)
			r.edit(t, people[day%4], staff.Edit{JobTitle: &title})
			if rapid.Bool().Draw(rt, "expired") {
				r.entra.ExpireDelta()
			}
			r.later(rapid.SampledFrom([]int{1, 30}).Draw(rt, "hours"))
			_, _ = r.Step(t.Context()) // what does not work now is gone on with
			for _, u := range r.entra.Users() {
				if here[u.EmployeeID[len("E-"):]] && !u.Enabled {
					rt.Fatalf("%s is disabled", u.EmployeeID)
				}
			}
		}
		quiet = true
		for left := range 8 {
			r.later(25)
			// A lag may outlast the first of these: what Graph tells then is older than what it has forgotten.
			if _, err := r.Step(t.Context()); err != nil && left > 4 {
				rt.Fatalf("in the calm: %v", err)
			}
			if left > 1 && len(r.inStep(t)) == 0 && len(r.last(t).Counts) == 0 {
				break
			}
		}
		if wrong := r.inStep(t); len(wrong) > 0 {
			rt.Fatalf("%v\nissues %v, last run %+v", wrong, r.issues(t), r.last(t))
		}
		if n := len(r.entra.Users()); n != len(people) {
			rt.Fatalf("%d accounts of %d people", n, len(people))
		}
		if run := r.last(t); len(run.Counts) != 0 {
			rt.Fatalf("it goes on with %v", run.Counts)
		}
	})
}
