package transport_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

// nowhere is the quickest broker there is.
type nowhere struct{}

func (nowhere) Publish(string, ...*message.Message) error { return nil }
func (nowhere) Close() error                              { return nil }

func fill(b *testing.B, db *sqldb.DB, n int) {
	store := outboxbun.New(db)
	events := make([]transport.Event, 0, 1000)
	for i := range n {
		events = append(events, event(fmt.Sprint("thing/", i)))
		if len(events) == cap(events) || i == n-1 {
			must(b, store.Publish(b.Context(), events...))
			events = events[:0]
		}
	}
}

// BenchmarkRelay drains a backlog of b.N events: "bare" to a publisher that does nothing, "router" through the
// in-process publisher to one handler in its transaction with its inbox row.
func BenchmarkRelay(b *testing.B) {
	sqldbtest.EachBench(b, []sqldb.Migration{outboxbun.Migrations}, func(b *testing.B, db *sqldb.DB) {
		run := func(b *testing.B, n *node, c transport.RelayConfig) {
			_, err := db.IDB(b.Context()).ExecContext(b.Context(), "DELETE FROM transport_outbox")
			must(b, err)
			fill(b, db, b.N)
			r := n.relay(b, c)
			b.ResetTimer()
			for sent := 0; sent < b.N; {
				k, err := r.Step(b.Context())
				must(b, err)
				sent += k
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		}
		b.Run("bare", func(b *testing.B) {
			run(b, newNode(b, db, nil), transport.RelayConfig{Publisher: nowhere{}})
		})
		b.Run("router", func(b *testing.B) {
			n := newNode(b, db, nil)
			n.router.Handle("h", "*", func(context.Context, transport.Event) error { return nil })
			n.start(b, nil)
			run(b, n, transport.RelayConfig{})
			n.stop()
		})
	})
}

// BenchmarkPublish measures a transaction with one business row, and with one event beside it, by 16 writers.
func BenchmarkPublish(b *testing.B) {
	sqldbtest.EachBench(b, []sqldb.Migration{outboxbun.Migrations}, func(b *testing.B, db *sqldb.DB) {
		_, err := db.IDB(b.Context()).ExecContext(b.Context(), effectsDDL)
		must(b, err)
		store := outboxbun.New(db)
		for _, with := range []bool{false, true} {
			name := "row"
			if with {
				name = "row+event"
			}
			for _, writers := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/%d", name, writers), func(b *testing.B) {
					var g errgroup.Group
					work := make(chan int, b.N)
					for i := range b.N {
						work <- i
					}
					close(work)
					b.ResetTimer()
					for range writers {
						g.Go(func() error {
							for i := range work {
								ev := event(fmt.Sprint("thing/", b.N, "/", i))
								err := db.Do(b.Context(), func(ctx context.Context) error {
									if err := effect(db, "h")(ctx, ev); err != nil || !with {
										return err
									}
									return store.Publish(ctx, ev)
								})
								if err != nil {
									return err
								}
							}
							return nil
						})
					}
					must(b, g.Wait())
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
				})
			}
		}
	})
}

// BenchmarkLatency is the time from the commit of one event to its handler, with nothing else going on.
func BenchmarkLatency(b *testing.B) {
	sqldbtest.EachBench(b, []sqldb.Migration{outboxbun.Migrations}, func(b *testing.B, db *sqldb.DB) {
		n := newNode(b, db, nil)
		arrived := make(chan struct{}, 1)
		n.router.Handle("h", "*", func(context.Context, transport.Event) error { arrived <- struct{}{}; return nil })
		n.start(b, &transport.RelayConfig{})
		var waited time.Duration
		for i := range b.N {
			must(b, n.store.Publish(b.Context(), event(fmt.Sprint("thing/", i))))
			committed := time.Now()
			<-arrived
			waited += time.Since(committed)
		}
		b.ReportMetric(float64(waited.Microseconds())/float64(b.N)/1000, "ms/commit-to-handler")
		n.stop()
	})
}
