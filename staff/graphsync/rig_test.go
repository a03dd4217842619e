package graphsync_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphsyncbun"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/transport/transporttest"
)

var admin = identity.Principal{Tenant: "1", Actor: "admin", Roles: []string{"admin"}}

// rig is a staff, a fake Entra and what keeps them in step.
type rig struct {
	*graphsync.Service
	cfg    graphsync.Config
	staff  *staff.Service
	entra  *graphtest.Server
	clock  *clock
	ledger transporttest.Ledger
}

var lines = []sqldb.Migration{staffbun.Migrations, graphsyncbun.Migrations}

func newRig(t testing.TB, db *sqldb.DB, fake graphtest.Config, rules graphsync.Rules) *rig {
	t.Helper()
	r := &rig{clock: &clock{now: t0}, entra: graphtest.New(t, fake), ledger: transporttest.NewLedger(t, db)}
	var err error
	r.staff, err = staff.New(staff.Config{Store: staffbun.New(db), Audit: r.ledger, Outbox: r.ledger, Notifier: r.ledger, Now: r.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	r.cfg = graphsync.Config{
		Tenant: "1", Store: graphsyncbun.New(db), Graph: client(t, r.entra, r.clock, func(c *graphsync.ClientConfig) { c.WritesPerSecond = 1e6 }),
		Staff: r.staff, Audit: r.ledger, Rules: rules, Now: r.clock.Now, Logger: slog.New(slog.DiscardHandler),
	}
	r.restart(t)
	return r
}

// rigs runs f on both databases.
func rigs(t *testing.T, rules graphsync.Rules, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, lines, func(t *testing.T, db *sqldb.DB) { f(t, newRig(t, db, graphtest.Config{PageSize: 3}, rules)) })
}

// restart makes the service anew, as another process would.
func (r *rig) restart(t testing.TB) {
	t.Helper()
	var err error
	if r.Service, err = graphsync.New(r.cfg); err != nil {
		t.Fatal(err)
	}
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (r *rig) unit(t *testing.T, name string) int64 {
	t.Helper()
	return must[staff.Unit](t)(r.staff.CreateUnit(t.Context(), admin, staff.UnitEdit{Name: &name})).ID
}

// hire adds a person with the reference "E" + name, in units.
func (r *rig) hire(t *testing.T, name string, manager int64, units ...int64) int64 {
	t.Helper()
	last, reference, email, title := "Doe", "E-"+name, name+"@"+graphtest.TenantID, "Nurse"
	p := must[staff.View](t)(r.staff.Create(t.Context(), admin, staff.Edit{
		FirstName: &name, LastName: &last, EmployeeReference: &reference, Email: &email, JobTitle: &title, LineManagerID: &manager,
	})).Person
	for _, u := range units {
		must[staff.Assignment](t)(r.staff.Assign(t.Context(), admin, p.ID, staff.NewAssignment{UnitID: u}))
	}
	return p.ID
}

func (r *rig) edit(t *testing.T, id int64, e staff.Edit) {
	t.Helper()
	must[staff.View](t)(r.staff.Update(t.Context(), admin, id, staff.AnyVersion, e))
}

func (r *rig) leave(t *testing.T, id int64) {
	t.Helper()
	no := false
	r.edit(t, id, staff.Edit{Active: &no})
}

// company is two units and four people.
func (r *rig) company(t *testing.T) (units, people []int64) {
	t.Helper()
	units = []int64{r.unit(t, "Care Team A"), r.unit(t, "Head Office")}
	boss := r.hire(t, "boss", 0, units[1])
	return units, []int64{boss, r.hire(t, "ada", boss, units[0]), r.hire(t, "bob", boss, units[0], units[1]), r.hire(t, "cyd", boss)}
}

// step does what is due; wrong is the reason of the error that is expected, or "".
func (r *rig) step(t *testing.T, wrong error) {
	t.Helper()
	worked, err := r.Step(t.Context())
	if !worked || fmt.Sprint(err) != fmt.Sprint(wrong) {
		t.Fatalf("worked %v: %v, want %v", worked, err, wrong)
	}
}

// sync lets an hour pass and does what is due.
func (r *rig) sync(t *testing.T) {
	t.Helper()
	r.later(1)
	r.step(t, nil)
}

func (r *rig) later(hours int) {
	r.clock.mu.Lock()
	defer r.clock.mu.Unlock()
	r.clock.now = r.clock.now.Add(time.Duration(hours) * time.Hour)
}

// last is the newest run.
func (r *rig) last(t *testing.T) graphsync.Run {
	t.Helper()
	return must[page.Page[graphsync.Run]](t)(r.Runs(t.Context(), admin, page.Request{Limit: 1})).Items[0]
}

// issues are the conflicts in short.
func (r *rig) issues(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, i := range must[page.Page[graphsync.StoredIssue]](t)(r.Issues(t.Context(), admin, page.Request{})).Items {
		out = append(out, fmt.Sprintf("%s %d", i.Kind, i.Local))
	}
	return out
}

// account returns the one account of an employee reference.
func (r *rig) account(t *testing.T, name string) graphtest.User {
	t.Helper()
	var found []graphtest.User
	for _, u := range r.entra.Users() {
		if u.EmployeeID == "E-"+name {
			found = append(found, u)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d accounts", name, len(found))
	}
	return found[0]
}

// inStep says in what Entra differs from the staff: nobody has two accounts, everybody here has an enabled one that is as
// staff has them, with their manager and in the groups of their units; whoever left is disabled; nobody else is touched.
func (r *rig) inStep(t *testing.T) []string {
	t.Helper()
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	accounts, names := map[string]graphtest.User{}, map[string]string{}
	for _, u := range r.entra.Users() {
		if _, twice := accounts[u.EmployeeID]; twice && u.EmployeeID != "" {
			say("%s twice", u.EmployeeID)
		}
		accounts[u.EmployeeID], names[u.ID] = u, u.EmployeeID
	}
	ctx, today := context.Background(), r.staff.Today()
	inside, references := map[string][]string{}, map[int64]string{}
	var people []staff.Record
	for batch, err := range r.staff.Records(ctx, identity.System("1", "test"), true) {
		if err != nil {
			t.Fatal(err)
		}
		people = append(people, batch...)
	}
	for _, p := range people {
		references[p.ID] = p.EmployeeReference
	}
	for _, p := range people {
		u, has := accounts[p.EmployeeReference]
		wanted := graphsync.PersonOf(p, today)
		switch {
		case !wanted.Wanted && has && u.Enabled:
			say("%s left and is enabled", p.Name)
		case !wanted.Wanted:
		case !has:
			say("%s has no account", p.Name)
		case !u.Enabled:
			say("%s is disabled", p.Name)
		case u.Name != p.Name || !strings.EqualFold(u.UPN, p.Email) || u.JobTitle != p.JobTitle || names[u.Manager] != references[p.LineManagerID]:
			say("%s is %+v", p.Name, u)
		}
		if wanted.Wanted && has {
			for _, a := range p.Units {
				if a.Current(today) {
					inside[a.UnitName] = append(inside[a.UnitName], p.EmployeeReference)
				}
			}
		}
	}
	groups := map[string]bool{}
	for _, g := range r.entra.Groups() {
		if groups[g.Name] {
			say("group %s twice", g.Name)
		}
		groups[g.Name] = true
		var members []string
		for _, m := range g.Members {
			if wanted := accounts[names[m]]; wanted.Enabled {
				members = append(members, names[m])
			}
		}
		slices.Sort(members)
		slices.Sort(inside[g.Name])
		if !slices.Equal(members, inside[g.Name]) {
			say("in %s are %v, not %v", g.Name, members, inside[g.Name])
		}
	}
	return wrong
}

func (r *rig) wantInStep(t *testing.T) {
	t.Helper()
	if wrong := r.inStep(t); len(wrong) > 0 {
		t.Errorf("out of step:\n%s", strings.Join(wrong, "\n"))
	}
}
