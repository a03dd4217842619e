package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

var (
	migrations = []sqldb.Migration{deliverybun.Migrations, webhookbun.Migrations}
	alice      = identity.Principal{Tenant: "1", Actor: "alice"}
	mallory    = identity.Principal{Tenant: "2", Actor: "mallory"}
)

// trail remembers what was recorded.
type trail struct {
	mu      sync.Mutex
	actions []string
}

func (a *trail) Record(_ context.Context, entries ...audit.Entry) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range entries {
		a.actions = append(a.actions, e.Action)
	}
	return nil
}

// site is a database with a service, a queue and an engine.
type site struct {
	db     *sqldb.DB
	queue  *delivery.Queue
	hooks  *webhook.Service
	engine *delivery.Engine
	logs   *bytes.Buffer
	trail  *trail
}

func sealer(t testing.TB) *secret.Sealer {
	t.Helper()
	s, err := secret.ParseKeys("k1:" + secret.NewKey().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSite(t testing.TB, db *sqldb.DB, cfg webhook.Config) *site {
	t.Helper()
	s := &site{db: db, logs: &bytes.Buffer{}, trail: &trail{}}
	logger := slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if s.queue, err = delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db)}); err != nil {
		t.Fatal(err)
	}
	store := webhookbun.New(db)
	cfg.Deliveries, cfg.Store, cfg.Sealer, cfg.Audit, cfg.Logger = s.queue, store, sealer(t), s.trail, logger
	if cfg.Guard == nil {
		cfg.Guard = loopback(t, webhook.GuardConfig{})
	}
	if cfg.Schedule == nil {
		cfg.Schedule, cfg.Jitter = []time.Duration{time.Minute, time.Minute}, -1
	}
	if s.hooks, err = webhook.New(cfg); err != nil {
		t.Fatal(err)
	}
	s.engine, err = delivery.New(delivery.Config{
		Queue: s.queue, Kinds: map[string]delivery.Kind{webhook.Kind: s.hooks.DeliveryKind()}, Logger: logger, Poll: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// loopback lets the sinks of tests be sent to.
func loopback(t testing.TB, cfg webhook.GuardConfig) *webhook.Guard {
	t.Helper()
	cfg.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	g, err := webhook.NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func each(t *testing.T, f func(t *testing.T, ctx context.Context, db *sqldb.DB)) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		f(t, ctx, db)
	})
}

func (s *site) subscribe(t testing.TB, ctx context.Context, in webhook.Subscription) webhook.Subscription {
	t.Helper()
	sub, err := s.hooks.Subscribe(ctx, alice, in)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func (s *site) publish(t testing.TB, ctx context.Context, events ...transport.Event) {
	t.Helper()
	for i := range events {
		events[i].Tenant = alice.Tenant
		if events[i].Type == "" {
			events[i].Type = "person.updated"
		}
		if events[i].Subject == "" {
			events[i].Subject = "person/1"
		}
	}
	if err := s.hooks.Publish(ctx, events...); err != nil {
		t.Fatal(err)
	}
}

// drain sends what is due.
func (s *site) drain(t testing.TB, ctx context.Context) int {
	t.Helper()
	for total := 0; ; {
		n, err := s.engine.Step(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if total += n; n == 0 {
			return total
		}
	}
}

func (s *site) records(t testing.TB, ctx context.Context, id string, states ...delivery.State) []delivery.Record {
	t.Helper()
	cut, err := s.hooks.Deliveries(ctx, alice, id, page.Request{Limit: 200}, states...)
	if err != nil {
		t.Fatal(err)
	}
	return cut.Items
}

// request is what a sink got.
type request struct {
	http.Header
	body string
}

// sink is a receiver.
type sink struct {
	*httptest.Server
	mu   sync.Mutex
	got  []request
	code int
}

func newSink(t testing.TB) *sink {
	s := &sink{code: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got = append(s.got, request{r.Header.Clone(), string(body)})
		w.WriteHeader(s.code)
		fmt.Fprint(w, "thanks; token=hunter2")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) answer(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}

// take returns what came since the last call.
func (s *sink) take() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// again makes the request that the sink got.
func (r request) again() *http.Request {
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(r.body))
	req.Header = r.Header.Clone()
	return req
}

func TestOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{}), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL + "/h?x=1", Events: []string{"person.*"}, Headers: map[string]secret.String{"authorization": secret.NewString("Bearer t0ps3cret")}})
		s.publish(t, ctx, transport.Event{
			ID: "e1", Time: time.Date(2024, 1, 15, 10, 30, 0, 5e8, time.UTC), Data: json.RawMessage(`{"id":1,"first_name":"<John>"}`),
		}, transport.Event{ID: "e2", Type: "order.paid"})
		if n := s.drain(t, ctx); n != 1 {
			t.Fatalf("%d sent", n)
		}
		got := sink.take()[0]
		if want := `{"event":"person.updated","timestamp":"2024-01-15T10:30:00Z","organisation_id":1,"data":{"id":1,"first_name":"\u003cJohn\u003e"}}`; got.body != want {
			t.Errorf("body %s", got.body)
		}
		for name, want := range map[string]string{
			"webhook-id": "e1", "x-webhook-event": "person.updated", "content-type": "application/json", "user-agent": "Renkei-Webhooks/1.0",
			"authorization": "Bearer t0ps3cret", "accept-encoding": "",
		} {
			if got.Get(name) != want {
				t.Errorf("%s: %q", name, got.Get(name))
			}
		}
		text := sub.Secret.Reveal()
		if got.Get("X-Webhook-Signature") != legacy(text, got.body).Header.Get("X-Webhook-Signature") {
			t.Error("the seed's signature is wrong")
		}
		foreign, err := standard.NewWebhook(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := foreign.Verify([]byte(got.body), got.Header); err != nil {
			t.Errorf("the library of Standard Webhooks refuses it: %v", err)
		}
		for name, alter := range map[string]func(h http.Header) string{
			"body": func(http.Header) string { return strings.Replace(got.body, "John", "Jane", 1) },
			"id":   func(h http.Header) string { h.Set("webhook-id", "e2"); return got.body },
			"timestamp": func(h http.Header) string {
				h.Set("webhook-timestamp", fmt.Sprint(time.Now().Unix()+1))
				return got.body
			},
			"signature": func(h http.Header) string {
				h.Set("webhook-signature", "v1,"+strings.Repeat("A", 43)+"=")
				return got.body
			},
		} {
			h := got.Header.Clone()
			altered := alter(h)
			r := request{h, altered}
			if err := foreign.Verify([]byte(altered), h); err == nil {
				t.Errorf("another %s: the library accepts it", name)
			}
			if _, err := webhook.Verify(r.again(), text); !errors.Is(err, webhook.ErrSignature) {
				t.Errorf("another %s: %v", name, err)
			}
		}
		if ev, err := webhook.Verify(got.again(), text); err != nil || ev.ID != "e1" || ev.OrganisationID != "1" {
			t.Errorf("%+v, %v", ev, err)
		}
	})
}

func TestSecretsStayInside(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{}), newSink(t)
		made := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}, Secret: secret.NewString(plain), Headers: map[string]secret.String{"X-Key": secret.NewString("t0ps3cret")}})
		if made.Secret.Reveal() != plain || made.Number != 1 || made.State != webhook.Active {
			t.Fatalf("%+v", made)
		}
		sink.answer(http.StatusInternalServerError)
		s.publish(t, ctx, transport.Event{ID: "e1"})
		s.drain(t, ctx)
		got, err := s.hooks.Get(ctx, alice, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		desc := "payroll"
		updated, err := s.hooks.Update(ctx, alice, made.ID, webhook.Change{Description: &desc})
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.hooks.List(ctx, alice, webhook.Filter{}, page.Request{})
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range append(list.Items, got, updated) {
			if !sub.Secret.IsZero() || len(sub.Headers) != 1 || sub.Headers["X-Key"].Reveal() != secret.Redacted {
				t.Errorf("%+v", sub)
			}
		}
		var dump strings.Builder
		for _, table := range []string{"webhook_subscriptions", "deliveries", "delivery_attempts", "delivery_destinations"} {
			rows, err := db.IDB(ctx).QueryContext(ctx, "SELECT * FROM "+table)
			if err != nil {
				t.Fatal(err)
			}
			names, _ := rows.Columns()
			for rows.Next() {
				values, cells := make([]any, len(names)), make([]any, len(names))
				for i := range cells {
					cells[i] = &values[i]
				}
				if err := rows.Scan(cells...); err != nil {
					t.Fatal(err)
				}
				for _, v := range values {
					fmt.Fprintf(&dump, "%s\n", v)
				}
			}
			_ = rows.Close()
		}
		for _, hidden := range []string{plain, "t0ps3cret", "hunter2"} {
			if strings.Contains(dump.String(), hidden) || strings.Contains(s.logs.String(), hidden) || strings.Contains(fmt.Sprintf("%+v %#v", got, made), hidden) {
				t.Errorf("%q is in the clear", hidden)
			}
		}
		if !strings.Contains(dump.String(), "the answer was 500") {
			t.Error("the test looks in the wrong place")
		}
	})
}

func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		at := time.Now()
		s, sink := newSite(t, db, webhook.Config{Now: func() time.Time { return at }}), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		first := sub.Secret.Reveal()
		rotated, err := s.hooks.RotateSecret(ctx, alice, sub.ID, webhook.Rotation{})
		if err != nil {
			t.Fatal(err)
		}
		second := rotated.Secret.Reveal()
		if second == first || rotated.SecretUntil.Sub(at).Round(time.Minute) != 24*time.Hour {
			t.Fatalf("%+v", rotated)
		}
		verifies := func(want map[string]bool) {
			t.Helper()
			s.publish(t, ctx, transport.Event{})
			s.drain(t, ctx)
			got := sink.take()[0]
			for text, ok := range want {
				_, err := webhook.Verifier{Now: func() time.Time { return at }}.Verify(got.again(), text)
				if (err == nil) != ok {
					t.Errorf("a secret: %v, want %t", err, ok)
				}
			}
			if got.Get("X-Webhook-Signature") != legacy(second, got.body).Header.Get("X-Webhook-Signature") {
				t.Error("the seed's signature is not under the newest secret")
			}
		}
		verifies(map[string]bool{first: true, second: true, plain: false})
		at = at.Add(24 * time.Hour)
		verifies(map[string]bool{first: false, second: true})
		if got, err := s.hooks.Get(ctx, alice, sub.ID); err != nil || !got.SecretUntil.IsZero() {
			t.Errorf("%v, %v", got.SecretUntil, err)
		}
		third, err := s.hooks.RotateSecret(ctx, alice, sub.ID, webhook.Rotation{Secret: secret.NewString(plain), Overlap: -1})
		if err != nil || !third.SecretUntil.IsZero() || third.Secret.Reveal() != plain {
			t.Fatalf("%+v, %v", third, err)
		}
		old := second
		second = plain
		verifies(map[string]bool{old: false, plain: true})
		for range 6 { // no end of secrets
			if rotated, err = s.hooks.RotateSecret(ctx, alice, sub.ID, webhook.Rotation{}); err != nil {
				t.Fatal(err)
			}
		}
		second = rotated.Secret.Reveal()
		s.publish(t, ctx, transport.Event{})
		s.drain(t, ctx)
		if n := len(strings.Fields(sink.take()[0].Get("webhook-signature"))); n != 4 {
			t.Errorf("%d signatures", n)
		}
		if _, err := s.hooks.RotateSecret(ctx, alice, sub.ID, webhook.Rotation{Secret: secret.NewString("short")}); !errors.Is(err, webhook.ErrSecret) {
			t.Errorf("%v", err)
		}
	})
}

func TestPublishJoinsTheTransaction(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{Tenant: alice.Tenant}), newSink(t)
		one := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"person.updated", "person.*"}})
		two := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		boom := errors.New("boom")
		err := db.Do(ctx, func(ctx context.Context) error {
			s.publish(t, ctx, transport.Event{ID: "e0"})
			return boom
		})
		if !errors.Is(err, boom) || s.drain(t, ctx) != 0 {
			t.Fatalf("%v", err)
		}
		for range 2 { // the second time by redelivery
			if err := s.hooks.Handle(ctx, []transport.Event{{ID: "e1", Type: "person.updated", Data: 1}}); err != nil {
				t.Fatal(err)
			}
		}
		s.publish(t, ctx, transport.Event{ID: "e2", Type: "personal.x"})
		if n := s.drain(t, ctx); n != 3 {
			t.Fatalf("%d sent", n)
		}
		if a, b := s.records(t, ctx, one.ID), s.records(t, ctx, two.ID); len(a) != 1 || len(b) != 2 || a[0].History[0].Status != 200 {
			t.Errorf("%+v, %+v", a, b)
		}
		for name, ev := range map[string]transport.Event{"no type": {ID: "e3"}, "no JSON": {Type: "x", Data: func() {}}, "broken JSON": {Type: "x", Data: json.RawMessage(`{`)}, "an id of two lines": {ID: "a\r\nb", Type: "x"}, "a type of two lines": {Type: "a\nb"}} {
			if err := s.hooks.Publish(ctx, ev); !errors.Is(err, webhook.ErrEvent) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := newSite(t, db, webhook.Config{}).hooks.Publish(ctx, transport.Event{Type: "x"}); !errors.Is(err, webhook.ErrEvent) {
			t.Errorf("no tenant: %v", err)
		}
		// A subscription made in a transaction gets what follows in it, and nothing when that is rolled back.
		var inner webhook.Subscription
		err = db.Do(ctx, func(ctx context.Context) error {
			inner = s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"order.*"}})
			s.publish(t, ctx, transport.Event{ID: "e4", Type: "order.paid"})
			return boom
		})
		s.publish(t, ctx, transport.Event{ID: "e5", Type: "order.paid"})
		if n := s.drain(t, ctx); !errors.Is(err, boom) || n != 1 {
			t.Errorf("%d sent, %v", n, err)
		}
		if _, err := s.hooks.Get(ctx, alice, inner.ID); !errors.Is(err, webhook.ErrUnknown) {
			t.Errorf("%v", err)
		}
	})
}
