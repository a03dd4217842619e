package delivery_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/delivery"
)

// BenchmarkDrain drains a backlog through a sender that does nothing.
func BenchmarkDrain(b *testing.B) {
	for _, destinations := range []int{1, 50} {
		b.Run(fmt.Sprint("destinations=", destinations), func(b *testing.B) {
			sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
				ctx, stop := context.WithCancel(b.Context())
				var count atomic.Int64
				done, ended := make(chan struct{}), make(chan struct{})
				ks := kinds(func(context.Context, delivery.Delivery) delivery.Result { return delivery.Sent("") })
				note := ks["note"]
				note.Done = func(_ context.Context, ds []delivery.Delivery) error {
					if count.Add(int64(len(ds))) == int64(b.N) {
						close(done)
					}
					return nil
				}
				ks["note"] = note
				s := newSite(b, db, delivery.Config{Kinds: ks})
				jobs := make([]delivery.Job, b.N)
				for i := range jobs {
					jobs[i].Destination = fmt.Sprint("d", i%destinations)
				}
				s.enqueue(b, ctx, jobs...)
				b.ResetTimer()
				go func() {
					defer close(ended)
					_ = s.engine.Run(ctx)
				}()
				<-done
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
				stop()
				<-ended
			})
		})
	}
}

// bare is a plain table: no history, no destinations, no fences.
type bare struct{ db *sqldb.DB }

func newBare(b *testing.B, db *sqldb.DB) bare {
	b.Helper()
	for _, query := range []string{
		"CREATE TABLE bare (id integer PRIMARY KEY, state text NOT NULL, payload text NOT NULL, next_at bigint, attempts integer NOT NULL)",
		"CREATE INDEX bare_due ON bare (next_at) WHERE state = 'pending'",
	} {
		if _, err := db.IDB(b.Context()).ExecContext(b.Context(), query); err != nil {
			b.Fatal(err)
		}
	}
	return bare{db}
}

// drain claims and completes up to 250 rows.
func (t bare) drain(b *testing.B, now int) int {
	b.Helper()
	ctx, skip := b.Context(), ""
	if t.db.IsPostgres() {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	var ids []int64
	err := t.db.IDB(ctx).NewRaw(`UPDATE bare SET state = 'leased', attempts = attempts + 1, next_at = ? WHERE id IN
		(SELECT id FROM bare WHERE state = 'pending' AND next_at <= ? ORDER BY next_at LIMIT 250`+skip+`) RETURNING id`, 2*now, now).Scan(ctx, &ids)
	if err == nil && len(ids) > 0 {
		_, err = t.db.IDB(ctx).ExecContext(ctx, "UPDATE bare SET state = 'succeeded', next_at = NULL WHERE id IN (?)", bun.List(ids))
	}
	if err != nil {
		b.Fatal(err)
	}
	return len(ids)
}

// BenchmarkBare is the shortest program that claims and completes rows in batches of 250, one after the other.
func BenchmarkBare(b *testing.B) {
	sqldbtest.EachBench(b, nil, func(b *testing.B, db *sqldb.DB) {
		ctx := b.Context()
		bare := newBare(b, db)
		if _, err := db.IDB(ctx).ExecContext(ctx, `INSERT INTO bare WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			SELECT i, 'pending', 'null', i, 0 FROM n`, b.N); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for n := b.N; n > 0; {
			n -= bare.drain(b, b.N)
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	})
}
