package ackflow_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

func quiet(c *ackflow.Config) {
	c.Outbox, c.Audit, c.Notifier, c.Directory = silent{}, silent{}, silent{}, everybody{}
}

// fill writes requests 1 to n of a series, each of so many people, due after the given time.
func fill(b *testing.B, db *sqldb.DB, series string, n, people int, due time.Duration) {
	b.Helper()
	now, err := db.Now(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	numbers := func(name string) string {
		if db.IsPostgres() {
			return name + "(i) AS (SELECT generate_series(1, ?))"
		}
		return name + "(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM " + name + " WHERE i < ?)"
	}
	exec := func(query string, args ...any) {
		b.Helper()
		if _, err := db.IDB(b.Context()).ExecContext(b.Context(), query, args...); err != nil {
			b.Fatal(err)
		}
	}
	exec(`INSERT INTO chat_messages (tenant, id, room, author, body, revision, url, created_at, updated_at)
		WITH RECURSIVE `+numbers("g")+` SELECT 'acme', ? || '-m' || i, 'general', 'alice', 'The office moves on Monday.', 1, '', ?, ? FROM g`,
		n, series, sqldb.At(now), sqldb.At(now))
	exec(`INSERT INTO chat_ack_requests (tenant, id, message_id, room, named, due_at, remind_hours, escalation, template_id, created_at, created_by,
		canceled_by, cancel_reason, revision, message_deleted, required, missing, reminders, remind_at, next_at)
		WITH RECURSIVE `+numbers("g")+` SELECT 'acme', ? || '-' || i, ? || '-m' || i, 'general', '{}', ?, 24, '{}', '', ?, 'alice', '', '', 1, ?, ?, ?, 0, ?, ? FROM g`,
		n, series, series, sqldb.At(now.Add(due)), sqldb.At(now), false, people, people, sqldb.At(now.Add(due)), sqldb.At(now.Add(due)))
	exec(`INSERT INTO chat_acks (tenant, request_id, user_id, position, created_at, acked_by, revision)
		WITH RECURSIVE `+numbers("g")+", "+numbers("p")+` SELECT 'acme', ? || '-' || g.i, 'user-' || p.i, p.i, ?, '', 0 FROM g, p`,
		n, people, series, sqldb.At(now))
	if db.IsPostgres() {
		exec("ANALYZE chat_messages, chat_ack_requests, chat_acks")
	}
}

// BenchmarkEvaluate is the verdict over 100 linked requests of 200 people each, among 1,000 others: outside of a
// transaction and inside of one, with everybody having acknowledged, a last one missing everywhere, and nobody having.
func BenchmarkEvaluate(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, quiet)
		fill(b, db, "other", 1000, 5, time.Hour)
		for _, c := range []struct {
			name    string
			missing int
		}{{"complete", 0}, {"one missing each", 1}, {"all missing", 200}} {
			fill(b, db, c.name, 100, 200, time.Hour)
			now, _ := db.Now(b.Context())
			for _, query := range []string{
				"UPDATE chat_acks SET acked_at = ?, revision = 1 WHERE request_id LIKE ? AND position <= ?",
			} {
				if _, err := db.IDB(b.Context()).ExecContext(b.Context(), query, sqldb.At(now), c.name+"-%", 200-c.missing); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := db.IDB(b.Context()).ExecContext(b.Context(), "UPDATE chat_ack_requests SET missing = ? WHERE id LIKE ?", c.missing, c.name+"-%"); err != nil {
				b.Fatal(err)
			}
			to := ackflow.Target{Table: table, ID: c.name}
			_, err := db.IDB(b.Context()).ExecContext(b.Context(), `INSERT INTO chat_ack_links
				(tenant, id, request_id, message_id, target_table, target_id, flow_type, action_key, template_id, created_by, created_at, updated_at)
				SELECT tenant, 'l-' || id, id, message_id, ?, ?, '', '', '', 'mgmt', created_at, created_at FROM chat_ack_requests WHERE id LIKE ?`,
				table, to.ID, c.name+"-%")
			if err != nil {
				b.Fatal(err)
			}
			if db.IsPostgres() {
				if _, err := db.IDB(b.Context()).ExecContext(b.Context(), "VACUUM ANALYZE"); err != nil {
					b.Fatal(err)
				}
			}
			judge := func(ctx context.Context) error {
				v, err := r.Evaluate(ctx, "acme", to)
				if err == nil && v.OK != (c.missing == 0) {
					err = fmt.Errorf("verdict %+v", v.OK)
				}
				return err
			}
			b.Run(c.name+"/dry", func(b *testing.B) {
				for b.Loop() {
					if err := judge(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(c.name+"/deciding", func(b *testing.B) {
				for b.Loop() {
					if err := db.Do(b.Context(), judge); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

// BenchmarkSweepIdle is a sweep over 1,000,000 open requests of which none is due.
func BenchmarkSweepIdle(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, quiet)
		fill(b, db, "idle", 1_000_000, 1, 240*time.Hour)
		for b.Loop() {
			if n, err := r.Sweep(b.Context(), 0); n != 0 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
}

// whole is the database of a deployment, as far as this package writes to it; notices are another package's.
var whole = append([]sqldb.Migration{outboxbun.Migrations, auditbun.Migrations}, migrations...)

func recorded(db *sqldb.DB) func(*ackflow.Config) {
	return func(c *ackflow.Config) {
		quiet(c)
		c.Outbox, c.Audit = outboxbun.New(db), auditbun.New(db)
	}
}

// BenchmarkSweepDue reminds of 2,000 due requests, of 20 people each, among 100,000 that are not due, per round.
func BenchmarkSweepDue(b *testing.B) {
	const due = 2000
	sqldbtest.EachBench(b, whole, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, recorded(db))
		fill(b, db, "idle", 100_000, 1, 240*time.Hour)
		round := 0
		var spent time.Duration
		for b.Loop() {
			b.StopTimer()
			round++
			fill(b, db, fmt.Sprint("due", round), due, 20, -time.Hour)
			b.StartTimer()
			begin := time.Now()
			if n := sweepAll(b, r.Service); n != due {
				b.Fatal(n)
			}
			spent += time.Since(begin)
		}
		b.ReportMetric(float64(round)*due/spent.Seconds(), "requests/s")
	})
}

// BenchmarkAck is one acknowledgement each, of requests of 20 people.
func BenchmarkAck(b *testing.B) {
	sqldbtest.EachBench(b, whole, func(b *testing.B, db *sqldb.DB) {
		b.Helper()
		r := newRig(b, db, recorded(db))
		fill(b, db, "ack", b.N/20+1, 20, time.Hour)
		b.ResetTimer()
		for i := range b.N {
			if _, err := r.Ack(b.Context(), as(fmt.Sprint("user-", i%20+1)), fmt.Sprint("ack-", i/20+1), 0); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
	})
}
