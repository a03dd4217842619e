package approval_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

// silent takes audit, events and notices and forgets them: the benchmarks measure this package.
type silent struct{}

func (silent) Record(context.Context, ...audit.Entry) error      { return nil }
func (silent) Publish(context.Context, ...transport.Event) error { return nil }
func (silent) Notify(context.Context, ...transport.Notice) error { return nil }
func (silent) Approved(context.Context, approval.Request) error  { return nil }
func (silent) Rejected(context.Context, approval.Request) error  { return nil }
func (silent) TimedOut(context.Context, approval.Request) error  { return nil }

func quiet(c *approval.Config) {
	c.Outbox, c.Audit, c.Notifier = silent{}, silent{}, silent{}
	c.Subjects = map[string]approval.SubjectHandler{"thing": silent{}}
}

// fill writes n pending requests, the first n ids of a series, that are due after the given times.
func fill(b *testing.B, db *sqldb.DB, series string, n int, remind, expire time.Duration) {
	b.Helper()
	now, err := db.Now(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	numbers := "WITH RECURSIVE g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < ?)"
	if db.IsPostgres() {
		numbers = "WITH g(i) AS (SELECT generate_series(1, ?))"
	}
	_, err = db.IDB(b.Context()).ExecContext(b.Context(), `INSERT INTO approval_requests
		(tenant, id, subject_kind, subject_id, flow, requester, acted_by, summary, steps, policy, shown, reasons, explanation, content_hash,
		 status, version, created_at, remind_at, expires_at, due_at, ended_by, ended_action, ended_reason)
		`+numbers+` SELECT 'acme', ? || '-' || i, 'thing', ? || '-' || i, 'booking', 'alice', '', 'Review',
		 '[{"mode":"any","approvers":["manager"],"why":["manager is the manager of alice"],"state":"open","opened_at":"2030-01-01T00:00:00Z"}]', 1, '[]', '["attendees"]', '["attendees 12 ≥ 10"]',
		 'abc', 'pending', 1, ?, ?, ?, ?, '', '', '' FROM g`,
		n, series, series, sqldb.At(now), sqldb.At(now.Add(remind)), sqldb.At(now.Add(expire)), sqldb.At(now.Add(remind)))
	if err != nil {
		b.Fatal(err)
	}
	if db.IsPostgres() {
		if _, err := db.IDB(b.Context()).ExecContext(b.Context(), "ANALYZE approval_requests"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSweepIdle is a sweep over 1,000,000 pending requests of which none is due.
func BenchmarkSweepIdle(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, quiet)
		fill(b, db, "idle", 1_000_000, 24*time.Hour, 48*time.Hour)
		for b.Loop() {
			if n, err := r.Sweep(b.Context(), 0); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}

// BenchmarkSweepDue times out 20,000 due requests among 200,000 waiting ones per round.
func BenchmarkSweepDue(b *testing.B) {
	benchmarkSweepDue(b, func(*sqldb.DB) func(*approval.Config) { return quiet })
}

// BenchmarkSweepDueRecorded is BenchmarkSweepDue with the audit trail and the outbox of the house.
func BenchmarkSweepDueRecorded(b *testing.B) { benchmarkSweepDue(b, recorded) }

// recorded writes audit and events where a deployment does.
func recorded(db *sqldb.DB) func(*approval.Config) {
	return func(c *approval.Config) {
		quiet(c)
		c.Outbox, c.Audit = outboxbun.New(db), auditbun.New(db)
	}
}

func benchmarkSweepDue(b *testing.B, with func(*sqldb.DB) func(*approval.Config)) {
	b.Helper()
	const due = 20_000
	sqldbtest.EachBench(b, whole, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, with(db))
		fill(b, db, "idle", 200_000, 24*time.Hour, 48*time.Hour)
		round := 0
		var spent time.Duration
		for b.Loop() {
			b.StopTimer()
			round++
			fill(b, db, fmt.Sprint("due", round), due, -2*time.Hour, -time.Hour)
			b.StartTimer()
			begin := time.Now()
			if n := sweepAll(b, r.Service); n != due {
				b.Fatal(n)
			}
			spent += time.Since(begin)
		}
		b.ReportMetric(float64(round)*due/spent.Seconds(), "rows/s")
	})
}

// whole is the database of a deployment, as far as this package writes to it.
var whole = []sqldb.Migration{approvalbun.Migrations, outboxbun.Migrations, auditbun.Migrations}

// BenchmarkAct is one decision each, by eight deciders at once, with audit trail and outbox.
func BenchmarkAct(b *testing.B) {
	sqldbtest.EachBench(b, whole, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, recorded(db))
		fill(b, db, "act", b.N, 24*time.Hour, 48*time.Hour)
		var next atomic.Int64
		b.SetParallelism(4)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := r.Act(b.Context(), as("manager"), fmt.Sprint("act-", next.Add(1)), approve); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
	})
}

// BenchmarkActBare is the limit of the machine for BenchmarkAct: transactions that write the same rows and do nothing else.
func BenchmarkActBare(b *testing.B) {
	sqldbtest.EachBench(b, whole, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		outbox, trail := outboxbun.New(db), auditbun.New(db)
		fill(b, db, "act", b.N, 24*time.Hour, 48*time.Hour)
		const step = `[{"mode":"any","approvers":["manager"],"why":["manager is the manager of alice"],"state":"approved","opened_at":"2030-01-01T00:00:00Z","ended_at":"2030-01-01T00:00:00Z","decisions":[{"by":"manager","for":"manager","action":"approve","at":"2030-01-01T00:00:00Z"}]}]`
		var next atomic.Int64
		b.SetParallelism(4)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				id := fmt.Sprint("act-", next.Add(1))
				err := db.Do(b.Context(), func(ctx context.Context) error {
					_, err := db.IDB(ctx).ExecContext(ctx, `UPDATE approval_requests SET status = 'approved', version = 2, steps = ?,
						ended_by = 'manager', ended_action = 'approve', ended_reason = '', ended_at = due_at WHERE tenant = 'acme' AND id = ?`, step, id)
					if err != nil {
						return err
					}
					e := audit.By(as("manager"), "approval_approve", approval.TargetKind, id)
					e.Metadata["flowType"], e.Metadata["subject"] = "booking", "thing/"+id
					if err := trail.Record(ctx, e); err != nil {
						return err
					}
					return outbox.Publish(ctx, transport.Event{Type: approval.EventDecided, Tenant: "acme", Subject: approval.TargetKind + "/" + id, Time: time.Now(), Data: approval.Event{
						ID: id, Subject: approval.Subject{Kind: "thing", ID: id}, Flow: "booking", Requester: "alice", Approvers: []string{"manager"},
						Status: approval.Approved, Reasons: []string{"attendees"}, DecidedBy: "manager",
					}})
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
	})
}

// BenchmarkSubmit is one request each, with routing, by eight submitters at once, with audit trail and outbox.
func BenchmarkSubmit(b *testing.B) {
	sqldbtest.EachBench(b, whole, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, recorded(db))
		b.SetParallelism(4)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r.submit(b, as("alice"))
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	})
}

// BenchmarkInbox is the first page of "mine to decide" among 300,000 requests: of an approver who is asked about all of
// them, and of one who is asked about five.
func BenchmarkInbox(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, quiet)
		fill(b, db, "inbox", 300_000, 24*time.Hour, 48*time.Hour)
		for who, ids := range map[string]string{"busy": "inbox-%", "rare": "inbox-1234_"} {
			_, err := db.IDB(b.Context()).ExecContext(b.Context(), `INSERT INTO approval_parties (tenant, request_id, user_id, part, created_at)
				SELECT tenant, id, ?, 'approver', created_at FROM approval_requests WHERE id LIKE ?`, who, ids)
			if err != nil {
				b.Fatal(err)
			}
		}
		if db.IsPostgres() {
			if _, err := db.IDB(b.Context()).ExecContext(b.Context(), "ANALYZE approval_parties"); err != nil {
				b.Fatal(err)
			}
		}
		for _, who := range []string{"busy", "rare"} {
			b.Run(who, func(b *testing.B) {
				for b.Loop() {
					p, err := r.List(b.Context(), as(who), approval.AsApprover, approval.Pending, page.Request{})
					if err != nil || len(p.Items) < 5 {
						b.Fatal(len(p.Items), err)
					}
				}
			})
		}
	})
}
