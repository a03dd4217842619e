package ackflow_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/ackflow/ackflowtest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/transporttest"
)

var migrations = []sqldb.Migration{ackflowbun.Migrations}

// each runs f on both databases.
func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		f(t, newRig(t, db))
	})
}

const table = "approval_instances"

var target = ackflow.Target{Table: table, ID: "a1"}

// rig is a service on a database with everything around it. The targets a1 and a2 are there; alice and manager take part.
type rig struct {
	*ackflow.Service
	db      *sqldb.DB
	ledger  transporttest.Ledger
	targets *ackflowtest.Targets
	cfg     ackflow.Config
}

func newRig(tb testing.TB, db *sqldb.DB, change ...func(*ackflow.Config)) *rig {
	tb.Helper()
	ledger := transporttest.NewLedger(tb, db)
	r := &rig{db: db, ledger: ledger, targets: &ackflowtest.Targets{}}
	r.targets.Add("a1", "alice", "manager")
	r.targets.Add("a2", "alice", "manager")
	r.cfg = ackflow.Config{
		Store: ackflowbun.New(db), Directory: ackflowtest.Company(), Outbox: ledger, Audit: ledger, Notifier: ledger,
		Targets: map[string]ackflow.TargetResolver{table: r.targets},
		Link:    func(m ackflow.Message) string { return "https://renkei.example/chat/" + m.ID },
	}
	for _, f := range change {
		f(&r.cfg)
	}
	r.Service = r.open(tb)
	return r
}

// open makes a service of the rig's configuration, as another node would.
func (r *rig) open(tb testing.TB) *ackflow.Service {
	tb.Helper()
	svc, err := ackflow.New(r.cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return svc
}

// as is somebody of the tenant acme; admin and mgmt have the roles of their names.
func as(who string) identity.Principal {
	p := identity.Principal{Tenant: "acme", Actor: who}
	if who == "admin" || who == "mgmt" {
		p.Roles = []string{who}
	}
	return p
}

// asking is a request by users for a new message.
func asking(users ...string) ackflow.NewRequest {
	return ackflow.NewRequest{
		Message: &ackflow.NewMessage{RoomID: "general", Body: "The office moves on Monday."}, Terms: ackflow.Terms{RequiredUserIDs: users},
	}
}

func (r *rig) ask(tb testing.TB, who string, n ackflow.NewRequest) ackflow.Detail {
	tb.Helper()
	d, err := r.Ask(tb.Context(), as(who), n)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func (r *rig) ack(tb testing.TB, id string, people ...string) {
	tb.Helper()
	for _, who := range people {
		if _, err := r.Ack(tb.Context(), as(who), id, 0); err != nil {
			tb.Fatal(err)
		}
	}
}

func (r *rig) link(tb testing.TB, id string, t ackflow.Target) ackflow.Link {
	tb.Helper()
	l, err := r.CreateLink(tb.Context(), as("mgmt"), ackflow.NewLink{AckRequestID: id, TargetTable: t.Table, TargetID: t.ID})
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func (r *rig) evaluate(tb testing.TB, t ackflow.Target) ackflow.Verdict {
	tb.Helper()
	v, err := r.Evaluate(tb.Context(), "acme", t)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// lacks returns the reasons of the requests of an incomplete verdict, in their order.
func lacks(tb testing.TB, v ackflow.Verdict) []ackflow.RequestFailure {
	tb.Helper()
	if v.OK || len(v.Failures) != 1 || v.Failures[0].Type != ackflow.FailureType || v.Failures[0].Reason != ackflow.Incomplete {
		tb.Fatalf("verdict %+v", v)
	}
	requests, ok := v.Failures[0].Details["requests"].([]ackflow.RequestFailure)
	if !ok {
		tb.Fatalf("details %+v", v.Failures[0].Details)
	}
	return requests
}

// sweepAll sweeps until nothing is due and returns how many requests had something due.
func sweepAll(tb testing.TB, s *ackflow.Service) int {
	tb.Helper()
	for total := 0; ; {
		n, err := s.Sweep(tb.Context(), 0)
		if err != nil {
			tb.Fatal(err)
		}
		if n == 0 {
			return total
		}
		total += n
	}
}

// told checks whom the notices of a template went to, in any order.
func (r *rig) told(tb testing.TB, template string, want ...string) {
	tb.Helper()
	got := r.ledger.Told(tb, template)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		tb.Errorf("%s to %v, want %v", template, got, want)
	}
}

// audited checks how many audit entries of an action there are.
func (r *rig) audited(tb testing.TB, action string, want int) {
	tb.Helper()
	if got := len(r.ledger.Lines(tb, "audit", action)); got != want {
		tb.Errorf("%d audit entries %s, want %d", got, action, want)
	}
}

func want(tb testing.TB, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("got %v, want %v", err, target)
	}
}

var errUndo = errors.New("undo")

// undone runs f in a transaction that is given up.
func (r *rig) undone(tb testing.TB, f func(ctx context.Context)) {
	tb.Helper()
	err := r.db.Do(tb.Context(), func(ctx context.Context) error {
		f(ctx)
		return errUndo
	})
	want(tb, err, errUndo)
}

func newStore(db *sqldb.DB) ackflow.Store { return ackflowbun.New(db) }

func firstOf(n int) page.Request { return page.Request{Limit: n} }
