package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
)

// read returns what was measured: a sum, or how often a histogram was told, by name and attributes.
func read(t *testing.T, ctx context.Context, reader *metric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, s := range all.ScopeMetrics {
		for _, m := range s.Metrics {
			key := func(a attribute.Set) string { return m.Name + " " + a.Encoded(attribute.DefaultEncoder()) }
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					out[key(p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					out[key(p.Attributes)] = int64(p.Count)
				}
			default:
				t.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	return out
}

func TestMetrics(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		reader := metric.NewManualReader()
		ks := kinds(func(_ context.Context, d delivery.Delivery) delivery.Result {
			switch {
			case d.Destination == "gone":
				return delivery.Gone(errors.New("no more")).WithAnswer(410, "")
			case d.Attempts == 1:
				return delivery.Throttled(errors.New("busy"), 0).WithAnswer(503, "")
			}
			return delivery.Sent("").WithAnswer(200, "")
		})
		note := ks["note"]
		note.Health = &delivery.Health{}
		ks["note"] = note
		s := newSite(t, db, delivery.Config{Kinds: ks, Meter: metric.NewMeterProvider(metric.WithReader(reader))})
		s.enqueue(t, ctx, delivery.Job{}, delivery.Job{Destination: "gone"})
		s.drain(t, ctx)
		db.AdvanceClock(time.Hour)
		s.drain(t, ctx)
		want := map[string]int64{
			"renkei.delivery.attempt.duration outcome=retry,renkei.delivery.kind=note,status=503":     1,
			"renkei.delivery.attempt.duration outcome=dead,renkei.delivery.kind=note,status=410":      1,
			"renkei.delivery.attempt.duration outcome=succeeded,renkei.delivery.kind=note,status=200": 1,
			"renkei.delivery.latency renkei.delivery.kind=note":                                       1,
			"renkei.delivery.running renkei.delivery.kind=note":                                       0,
			"renkei.delivery.claimed ":                                          3,
			"renkei.delivery.completed ":                                        3,
			"renkei.delivery.warnings renkei.delivery.kind=note,stage=disabled": 1,
		}
		if got := read(t, ctx, reader); !maps.Equal(got, want) {
			t.Error(fmt.Sprint(got))
		}
	})
}
