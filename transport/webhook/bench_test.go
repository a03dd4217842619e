package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/delivery"
)

// one is a Store with one subscription.
type one struct {
	Store
	st Stored
}

func (o *one) Get(context.Context, Scope, string) (Stored, error) { return o.st, nil }

// BenchmarkSend signs and posts through the whole sender to a sink in the same process.
func BenchmarkSend(b *testing.B) {
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer sink.Close()
	sealer, err := secret.ParseKeys("k1:" + secret.NewKey().Reveal())
	if err != nil {
		b.Fatal(err)
	}
	g, err := NewGuard(GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, IdlePerHost: 64})
	if err != nil {
		b.Fatal(err)
	}
	store := &one{}
	s, err := New(Config{Store: store, Deliveries: &delivery.Queue{}, Sealer: sealer, Guard: g})
	if err != nil {
		b.Fatal(err)
	}
	sub := Subscription{ID: "s1", Tenant: "1", URL: sink.URL}
	sealed, err := s.seal(sub, sealedPart{Secrets: []datedSecret{{Text: NewSecret().Reveal()}}})
	if err != nil {
		b.Fatal(err)
	}
	store.st = Stored{Subscription: sub, Kind: Kind, Sealed: sealed}
	d := delivery.Delivery{
		Tenant: "1", Destination: "s1", EventID: "0197",
		Payload: json.RawMessage(`{"event":"person.updated","timestamp":"2024-01-15T10:30:00Z","organisation_id":1,"data":{"text":"` + strings.Repeat("x", 350) + `"}}`),
	}
	run := func(b *testing.B, post func(ctx context.Context) error) {
		b.ReportAllocs()
		b.SetParallelism(8)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if err := post(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
	}
	b.Run("sender", func(b *testing.B) {
		run(b, func(ctx context.Context) error { return s.send(ctx, d).Err() })
	})
	b.Run("bare", func(b *testing.B) { // the same POST without any of it
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		run(b, func(ctx context.Context) error {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, sink.URL, bytes.NewReader(d.Payload))
			if err != nil {
				return err
			}
			resp, err := client.Do(r)
			if err != nil {
				return err
			}
			return resp.Body.Close()
		})
	})
}

// BenchmarkSign is the part of it that is cryptography.
func BenchmarkSign(b *testing.B) {
	k, err := parseSecret(NewSecret().Reveal())
	if err != nil {
		b.Fatal(err)
	}
	keys, body, now := []key{k}, []byte(strings.Repeat("x", 450)), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		signatures(keys, "0197", now, body)
	}
}

func TestEventType(t *testing.T) {
	for body, want := range map[string]string{
		`{"event":"person.updated","data":{}}`: "person.updated", `{"event":"` + strings.Repeat("a", 200) + `","data":"` + strings.Repeat("b", 1000) + `"}`: strings.Repeat("a", 200),
		`{"event":"caf\u00e9.opened"}`: "café.opened", `{ "event" : "a" }`: "a", `{}`: "", ``: "", `[1]`: "", `{"event":1}`: "",
	} {
		if got := eventType([]byte(body)); got != want {
			t.Errorf("%.40s: %q", body, got)
		}
	}
}
