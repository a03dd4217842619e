package approval_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

var migrations = []sqldb.Migration{approvalbun.Migrations}

// each runs f on both databases.
func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		f(t, newRig(t, db))
	})
}

// rig is a service on a database with everything around it.
type rig struct {
	*approval.Service
	db     *sqldb.DB
	ledger approvaltest.Ledger
	cfg    approval.Config
	things *things
	ids    atomic.Int64
}

func newRig(tb testing.TB, db *sqldb.DB, change ...func(*approval.Config)) *rig {
	tb.Helper()
	ledger := approvaltest.NewLedger(tb, db)
	r := &rig{db: db, ledger: ledger, things: &things{ledger: ledger}}
	r.cfg = approval.Config{
		Store: approvalbun.New(db), Directory: approvaltest.Company(), Outbox: ledger, Audit: ledger, Notifier: ledger,
		Subjects: map[string]approval.SubjectHandler{"thing": r.things},
		Link:     func(q approval.Request) string { return "https://renkei.example/approvals/" + q.ID },
	}
	for _, f := range change {
		f(&r.cfg)
	}
	r.Service = r.open(tb)
	return r
}

// open makes a service of the rig's configuration, as another node would.
func (r *rig) open(tb testing.TB) *approval.Service {
	tb.Helper()
	svc, err := approval.New(r.cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return svc
}

func as(who string, roles ...string) identity.Principal {
	return identity.Principal{Tenant: "acme", Actor: who, Roles: roles}
}

// submit asks for consent to a booking of 12 by somebody.
func (r *rig) submit(tb testing.TB, by identity.Principal, change ...func(*approval.Submission)) approval.Request {
	tb.Helper()
	sub := approval.Submission{
		Subject: approval.Subject{Kind: "thing", ID: fmt.Sprint(r.ids.Add(1))}, Flow: approval.BookingFlow,
		Facts: approval.Facts{"attendees": 12, "resource": []string{"大会議室"}}, Content: map[string]any{"title": "Review"}, Summary: "Review", Discreet: "a booking",
	}
	for _, f := range change {
		f(&sub)
	}
	q, err := r.Submit(tb.Context(), by, sub)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

func (r *rig) get(tb testing.TB, q approval.Request) approval.Request {
	tb.Helper()
	got, err := r.cfg.Store.Request(tb.Context(), q.Tenant, q.ID)
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

// sweepAll sweeps until nothing is due and returns how many timers fired.
func sweepAll(tb testing.TB, s *approval.Service) int {
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

var approve = approval.Decision{Action: approval.Approve}

// things are subjects whose fate is written in the transaction.
type things struct {
	ledger approvaltest.Ledger
	broken func(approval.Request) error
}

func (h *things) settle(ctx context.Context, q approval.Request) error {
	if h.broken != nil {
		if err := h.broken(q); err != nil {
			return err
		}
	}
	return h.ledger.Record(ctx, audit.Entry{Action: "THING_" + string(q.Status), TargetKind: q.Subject.Kind, TargetID: q.Subject.ID})
}

func (h *things) Approved(ctx context.Context, q approval.Request) error  { return h.settle(ctx, q) }
func (h *things) Rejected(ctx context.Context, q approval.Request) error  { return h.settle(ctx, q) }
func (h *things) TimedOut(ctx context.Context, q approval.Request) error  { return h.settle(ctx, q) }
func (h *things) Withdrawn(ctx context.Context, q approval.Request) error { return h.settle(ctx, q) }

// fates returns how often each end was told to the owner of the subjects.
func (r *rig) fates(tb testing.TB) map[approval.Status]int {
	tb.Helper()
	n := map[approval.Status]int{}
	for _, s := range []approval.Status{approval.Approved, approval.Rejected, approval.TimedOut, approval.Withdrawn} {
		if c := len(r.ledger.Lines(tb, "audit", "THING_"+string(s))); c > 0 {
			n[s] = c
		}
	}
	return n
}

// fixedClock is a store whose clock stands where it is put.
type fixedClock struct {
	approval.Store
	at time.Time
}

func (c *fixedClock) Now(context.Context) (time.Time, error) { return c.at, nil }
