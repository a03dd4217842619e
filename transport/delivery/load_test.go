package delivery_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/delivery"
)

// arrivals notes when each delivery came, since the time that its payload tells.
type arrivals struct {
	mu    sync.Mutex
	waits []time.Duration
	want  int
	done  chan struct{}
}

func expect(n int) *arrivals { return &arrivals{want: n, done: make(chan struct{})} }

func (a *arrivals) came(d delivery.Delivery) delivery.Result {
	var at int64
	if err := d.Decode(&at); err != nil {
		return delivery.Fail(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waits = append(a.waits, time.Since(time.UnixMicro(at))); len(a.waits) == a.want {
		close(a.done)
	}
	return delivery.Sent("")
}

func (a *arrivals) report(b *testing.B) {
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.Sort(a.waits)
	for _, q := range []int{50, 99} {
		b.ReportMetric(float64(a.waits[(len(a.waits)-1)*q/100].Microseconds())/1000, fmt.Sprint("p", q, "-ms"))
	}
}

// run runs the engine until the benchmark's function ends.
func (s site) run(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.engine.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// BenchmarkPath is the whole way: 16 publishers commit one delivery at a time while the engine runs.
func BenchmarkPath(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		a := expect(b.N)
		ks := kinds(func(_ context.Context, d delivery.Delivery) delivery.Result { return a.came(d) })
		s := newSite(b, db, delivery.Config{Kinds: ks})
		defer s.run(b.Context())()
		var next atomic.Int64
		var wg sync.WaitGroup
		b.ResetTimer()
		for range 16 {
			wg.Go(func() {
				for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
					s.enqueue(b, b.Context(), delivery.Job{Destination: fmt.Sprint("d", i%10), Payload: time.Now().UnixMicro()})
				}
			})
		}
		wg.Wait()
		<-a.done
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		a.report(b)
	})
}

// BenchmarkLight is one delivery at a time: the time from before its commit until it is sent.
func BenchmarkLight(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		a, came := expect(b.N), make(chan struct{})
		ks := kinds(func(_ context.Context, d delivery.Delivery) delivery.Result {
			r := a.came(d)
			came <- struct{}{}
			return r
		})
		s := newSite(b, db, delivery.Config{Kinds: ks})
		defer s.run(b.Context())()
		b.ResetTimer()
		for range b.N {
			s.enqueue(b, b.Context(), delivery.Job{Payload: time.Now().UnixMicro()})
			<-came
		}
		b.StopTimer()
		a.report(b)
	})
}

// BenchmarkHanging puts 500 deliveries to a destination that hangs in front of b.N to healthy ones.
func BenchmarkHanging(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		a := expect(b.N)
		ks := kinds(func(ctx context.Context, d delivery.Delivery) delivery.Result {
			if d.Destination == "hangs" {
				<-ctx.Done()
				return delivery.Retry(ctx.Err())
			}
			return a.came(d)
		})
		s := newSite(b, db, delivery.Config{Kinds: ks, Drain: time.Millisecond})
		defer s.run(b.Context())()
		hanging := make([]delivery.Job, 500)
		for i := range hanging {
			hanging[i].Destination = "hangs"
		}
		s.enqueue(b, b.Context(), hanging...)
		b.ResetTimer()
		for i := range b.N {
			s.enqueue(b, b.Context(), delivery.Job{Destination: fmt.Sprint("well", i%3), Payload: time.Now().UnixMicro()})
		}
		<-a.done
		b.StopTimer()
		a.report(b)
	})
}

// BenchmarkBacklog drains the first 50,000 of a million waiting deliveries that PostgreSQL has no statistics of, and
// tells how much memory that takes. One iteration is one such drain.
func BenchmarkBacklog(b *testing.B) {
	const drained = 50_000
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		for _, insert := range []string{
			`INSERT INTO deliveries (id, tenant, kind, destination, subject, event_id, order_key, payload, state, attempts, max_attempts, last_error,
				created_at, resend_of, resent_by)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
			SELECT 'backlog-' || CAST(10000000 + i AS text), 'acme', 'note', 'd' || CAST(i % 50 AS text), '', '', '', '{"greeting": "hello, hello, hello, hello"}',
				'pending', 0, 0, '', ?, '', '' FROM n`,
			`INSERT INTO delivery_queue (id, lane, kind, order_key, next_attempt_at, attempts)
			SELECT id, '4:acme' || destination, kind, '', created_at, 0 FROM deliveries ORDER BY id`,
		} {
			if _, err := db.IDB(b.Context()).NewRaw(insert, sqldb.At(time.Now())).Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		var sent atomic.Int64
		enough := make(chan struct{})
		s := newSite(b, db, delivery.Config{Kinds: kinds(func(context.Context, delivery.Delivery) delivery.Result {
			if sent.Add(1) == int64(drained*b.N) {
				close(enough)
			}
			return delivery.Sent("")
		})})
		b.ResetTimer()
		stop := s.run(b.Context())
		<-enough
		b.StopTimer()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(drained*b.N)/b.Elapsed().Seconds(), "deliveries/s")
		b.ReportMetric(float64(m.HeapInuse)/(1<<20), "heap-MB")
		stop()
	})
}

// BenchmarkBarePath is the shortest program that does what BenchmarkPath does: 16 publishers insert one row at a time
// into a plain table, one loop claims and completes them in batches.
func BenchmarkBarePath(b *testing.B) {
	sqldbtest.EachBench(b, nil, func(b *testing.B, db *sqldb.DB) {
		ctx := b.Context()
		bare := newBare(b, db)
		var next atomic.Int64
		var wg sync.WaitGroup
		b.ResetTimer()
		for range 16 {
			wg.Go(func() {
				for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
					if _, err := db.IDB(ctx).ExecContext(ctx, "INSERT INTO bare VALUES (?, 'pending', 'null', ?, 0)", i, i); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for n := b.N; n > 0; {
			n -= bare.drain(b, b.N)
		}
		wg.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	})
}
