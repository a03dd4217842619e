package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

func (s *site) state(t *testing.T, ctx context.Context, id string) webhook.Subscription {
	t.Helper()
	sub, err := s.hooks.Get(ctx, alice, id)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func TestPauseHoldsAndResumeSends(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{}), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		s.publish(t, ctx, transport.Event{ID: "e1"})
		if err := s.hooks.Pause(ctx, alice, sub.ID); err != nil {
			t.Fatal(err)
		}
		s.publish(t, ctx, transport.Event{ID: "e2"})
		if got := s.state(t, ctx, sub.ID); s.drain(t, ctx) != 0 || got.State != webhook.Paused {
			t.Fatalf("%+v", got)
		}
		if _, err := s.hooks.Ping(ctx, alice, sub.ID); !errors.Is(err, webhook.ErrInactive) {
			t.Errorf("ping: %v", err)
		}
		if _, err := s.hooks.Resume(ctx, alice, sub.ID, false); err != nil {
			t.Fatal(err)
		}
		if got := s.state(t, ctx, sub.ID); s.drain(t, ctx) != 2 || got.State != webhook.Active || len(sink.take()) != 2 {
			t.Errorf("%+v", got)
		}
		if got := s.state(t, ctx, sub.ID); got.LastSuccessAt.IsZero() || !got.LastFailureAt.IsZero() || got.Failures != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestGoneDisables(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		var told []webhook.Subscription
		s, sink := newSite(t, db, webhook.Config{OnWarning: func(ctx context.Context, sub webhook.Subscription, w delivery.Warning) error {
			if !sqldb.InTx(ctx) || w.Stage != delivery.StageDisabled {
				t.Errorf("warned of %+v", w)
			}
			told = append(told, sub)
			return nil
		}}), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		sink.answer(http.StatusGone)
		s.publish(t, ctx, transport.Event{ID: "e1"})
		s.drain(t, ctx)
		s.publish(t, ctx, transport.Event{ID: "e2"})
		got := s.state(t, ctx, sub.ID)
		if s.drain(t, ctx) != 0 || got.State != webhook.Disabled || got.DisabledReason != delivery.ReasonGone || got.LastFailureAt.IsZero() {
			t.Fatalf("%+v", got)
		}
		if len(told) != 1 || told[0].ID != sub.ID || told[0].State != webhook.Disabled || !told[0].Secret.IsZero() || !slices.Contains(s.trail.actions, "webhook_disable") {
			t.Errorf("told %+v, trail %v", told, s.trail.actions)
		}
		sink.answer(http.StatusOK)
		sink.take()
		n, err := s.hooks.Resume(ctx, alice, sub.ID, true)
		if err != nil || n != 1 || s.drain(t, ctx) != 2 {
			t.Fatalf("replayed %d, %v", n, err)
		}
		ids := map[string]int{}
		for _, r := range sink.take() {
			ids[r.Get("webhook-id")]++
		}
		if len(ids) != 2 || ids["e1"] != 1 {
			t.Errorf("%v", ids)
		}
	})
}

// TestLimit: a receiver's own limit holds, is shown, and goes with the subscription.
func TestLimit(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{}), newSink(t)
		limit := delivery.Limit{PerSecond: 0.01, Burst: 2}
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}, Limit: limit})
		for i := range 5 {
			s.publish(t, ctx, transport.Event{ID: fmt.Sprint("e", i)})
		}
		if n := s.drain(t, ctx); n != 2 || s.state(t, ctx, sub.ID).Limit != limit {
			t.Errorf("%d sent of a burst of 2, limit %+v", n, s.state(t, ctx, sub.ID).Limit)
		}
		if _, err := s.hooks.Update(ctx, alice, sub.ID, webhook.Change{Limit: &delivery.Limit{PerSecond: -1}}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a negative limit: %v", err)
		}
		if got, err := s.hooks.Update(ctx, alice, sub.ID, webhook.Change{Limit: &delivery.Limit{}}); err != nil || got.Limit != (delivery.Limit{}) || s.drain(t, ctx) != 3 {
			t.Errorf("without a limit: %+v, %v", got.Limit, err)
		}
		limited := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}, Limit: limit})
		if err := s.hooks.Delete(ctx, alice, limited.ID); err != nil {
			t.Fatal(err)
		}
		if left, err := s.queue.Destinations(ctx, alice.Tenant); err != nil || len(left) != 0 {
			t.Errorf("left behind: %+v, %v", left, err)
		}
	})
}

func TestDeleteCancels(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{}), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		if err := s.hooks.Pause(ctx, alice, sub.ID); err != nil {
			t.Fatal(err)
		}
		s.publish(t, ctx, transport.Event{ID: "e1"})
		if err := s.hooks.Delete(ctx, alice, sub.ID); err != nil {
			t.Fatal(err)
		}
		s.publish(t, ctx, transport.Event{ID: "e2"})
		if n := s.drain(t, ctx); n != 1 || len(sink.take()) != 0 {
			t.Errorf("%d claimed", n)
		}
		cut, err := s.queue.List(ctx, alice.Tenant, delivery.Filter{}, page.Request{})
		if err != nil || len(cut.Items) != 1 || cut.Items[0].State != delivery.Cancelled {
			t.Errorf("%+v, %v", cut.Items, err)
		}
		if _, err := s.hooks.Get(ctx, alice, sub.ID); !errors.Is(err, webhook.ErrUnknown) {
			t.Errorf("%v", err)
		}
	})
}

func TestResendRecoverReplay(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{Log: webhookbun.New(db), Schedule: []time.Duration{}}), newSink(t)
		start := time.Now().Add(-time.Minute)
		s.publish(t, ctx, transport.Event{ID: "e1"}, transport.Event{ID: "e2", Type: "order.paid"}) // before anybody subscribed
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"person.*"}})
		sink.answer(http.StatusBadRequest)
		s.publish(t, ctx, transport.Event{ID: "e3"}, transport.Event{ID: "e4"})
		for range 20 { // until it is given up
			s.drain(t, ctx)
			db.AdvanceClock(25 * time.Hour)
		}
		dead := s.records(t, ctx, sub.ID, delivery.Dead)
		if len(dead) != 2 || !strings.Contains(dead[0].LastError, "400") {
			t.Fatalf("%+v", s.records(t, ctx, sub.ID))
		}
		sink.answer(http.StatusOK)
		sink.take()
		if _, err := s.hooks.Resume(ctx, alice, sub.ID, false); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time by a repeated request
			d, err := s.hooks.Resend(ctx, alice, sub.ID, dead[0].ID, "k")
			if err != nil || d.ResendOf != dead[0].ID || d.ResentBy != "alice" {
				t.Fatalf("%+v, %v", d, err)
			}
		}
		if _, err := s.hooks.Resend(ctx, alice, "another", dead[0].ID, "k"); !errors.Is(err, delivery.ErrUnknown) {
			t.Errorf("by another subscription: %v", err)
		}
		for i, dryRun := range []bool{true, false, false} {
			want := 1
			if i == 2 {
				want = 0
			}
			if n, err := s.hooks.Recover(ctx, alice, sub.ID, start, dryRun); err != nil || n != want {
				t.Errorf("recover, dry run %t: %d, %v", dryRun, n, err)
			}
			if n, err := s.hooks.ReplayMissing(ctx, alice, sub.ID, start, dryRun); err != nil || n != want {
				t.Errorf("replay, dry run %t: %d, %v", dryRun, n, err)
			}
		}
		s.drain(t, ctx)
		ids := map[string]int{}
		for _, r := range sink.take() {
			ids[r.Get("webhook-id")]++
		}
		if fmt.Sprint(ids) != "map[e1:1 e3:1 e4:1]" {
			t.Errorf("%v", ids)
		}
		if n, err := s.hooks.ReplayMissing(ctx, alice, sub.ID, time.Now().Add(time.Hour), true); err != nil || n != 0 {
			t.Errorf("since later: %d, %v", n, err)
		}
		if n, err := s.hooks.Sweep(ctx, 10); err != nil || n != 0 {
			t.Errorf("swept %d, %v", n, err)
		}
		if _, err := newSite(t, db, webhook.Config{}).hooks.ReplayMissing(ctx, alice, sub.ID, start, true); !errors.Is(err, webhook.ErrNoLog) {
			t.Errorf("without a log: %v", err)
		}
	})
}

func TestPing(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{}), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"person.*"}})
		sink.answer(http.StatusInternalServerError)
		id, err := s.hooks.Ping(ctx, alice, sub.ID)
		if err != nil || s.drain(t, ctx) != 1 {
			t.Fatal(err)
		}
		got, r := sink.take(), s.records(t, ctx, sub.ID)[0]
		if len(got) != 1 || got[0].Get("X-Webhook-Event") != webhook.TestEvent || got[0].Get("webhook-id") != id || r.State != delivery.Dead || r.History[0].Status != 500 {
			t.Errorf("%+v, %+v", got, r)
		}
		if ev, err := webhook.Verify(got[0].again(), sub.Secret.Reveal()); err != nil || ev.Type != webhook.TestEvent {
			t.Errorf("%v", err)
		}
	})
}

func TestViewShowsEachItsOwn(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		sink := newSink(t)
		s := newSite(t, db, webhook.Config{View: func(_ context.Context, sub webhook.Subscription, ev transport.Event) (any, bool, error) {
			return map[string]string{"for": sub.Owner}, sub.Owner != "nobody", nil
		}})
		for _, owner := range []string{"payroll", "nobody", "lms"} {
			s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}, Owner: owner})
		}
		s.publish(t, ctx, transport.Event{ID: "e1", Data: "everything"})
		s.drain(t, ctx)
		var all strings.Builder
		for _, r := range sink.take() {
			all.WriteString(r.body)
		}
		if got := all.String(); strings.Count(got, `"event"`) != 2 || !strings.Contains(got, `{"for":"lms"}`) || !strings.Contains(got, `{"for":"payroll"}`) {
			t.Errorf("%s", got)
		}
	})
}

func TestUpdateMovesWhatWaits(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, old, next := newSite(t, db, webhook.Config{}), newSink(t), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: old.URL, Events: []string{"person.*"}, Headers: map[string]secret.String{"X-Key": secret.NewString("k")}})
		old.answer(http.StatusInternalServerError)
		s.publish(t, ctx, transport.Event{ID: "e1"})
		s.drain(t, ctx)
		to := next.URL
		changed, err := s.hooks.Update(ctx, alice, sub.ID, webhook.Change{URL: &to, Events: []string{"order.paid"}})
		if err != nil || changed.URL != next.URL || !changed.Matches("order.paid") || changed.Matches("person.updated") {
			t.Fatalf("%+v, %v", changed, err)
		}
		s.publish(t, ctx, transport.Event{ID: "e2"}, transport.Event{ID: "e3", Type: "order.paid"})
		db.AdvanceClock(time.Hour)
		s.drain(t, ctx)
		got := next.take()
		if len(got) != 2 || got[0].Get("X-Key") != "k" {
			t.Errorf("%+v", got)
		}
		if _, err := s.hooks.Update(ctx, alice, sub.ID, webhook.Change{Headers: map[string]secret.String{}}); err != nil {
			t.Fatal(err)
		}
		if sub := s.state(t, ctx, sub.ID); len(sub.Headers) != 0 {
			t.Errorf("%+v", sub)
		}
	})
}

func TestBadInput(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, webhook.Config{EventTypes: []string{"person.created", "person.unit.assigned"}, Most: 1})
		good := webhook.Subscription{URL: "https://example.com/h", Events: []string{"person.created", "person.*", "person.unit.*", "*"}}
		header := func(name, value string) func(*webhook.Subscription) {
			return func(s *webhook.Subscription) { s.Headers = map[string]secret.String{name: secret.NewString(value)} }
		}
		events := func(list ...string) func(*webhook.Subscription) {
			return func(s *webhook.Subscription) { s.Events = list }
		}
		url := func(u string) func(*webhook.Subscription) { return func(s *webhook.Subscription) { s.URL = u } }
		many := make([]string, 101)
		for i := range many {
			many[i] = "person.created"
		}
		for name, c := range map[string]struct {
			spoil  func(*webhook.Subscription)
			reason string
		}{
			"no URL":              {url(""), "invalid_url"},
			"http":                {url("http://8.8.8.8/"), "scheme_not_allowed"},
			"private":             {url("https://10.0.0.1/"), "private_address"},
			"credentials":         {url("https://a:b@example.com/"), "credentials_in_url"},
			"a port":              {url("https://example.com:25/"), "port_not_allowed"},
			"odd notation":        {url("https://0x7f.1/"), "ip_notation"},
			"no events":           {events(), "unknown_event"},
			"an unknown event":    {events("person.created", "person.deleted"), "unknown_event"},
			"an unknown prefix":   {events("order.*"), "unknown_event"},
			"half a pattern":      {events("person*"), "unknown_event"},
			"stars":               {events("*.*"), "unknown_event"},
			"an empty event":      {events(""), "unknown_event"},
			"a space":             {events("person.created person.updated"), "unknown_event"},
			"too many events":     {events(many...), "unknown_event"},
			"a long event":        {events(strings.Repeat("a", 201)), "unknown_event"},
			"a header of ours":    {header("webhook-id", "x"), "invalid_header"},
			"the seed's header":   {header("X-WEBHOOK-SIGNATURE", "x"), "invalid_header"},
			"the host":            {header("host", "x"), "invalid_header"},
			"smuggling":           {header("Transfer-Encoding", "chunked"), "invalid_header"},
			"injection":           {header("X-A", "x\r\nX-B: y"), "invalid_header"},
			"a name with a space": {header("X A", "x"), "invalid_header"},
			"a long header":       {header("X-A", strings.Repeat("x", 4097)), "invalid_header"},
			"a short secret":      {func(s *webhook.Subscription) { s.Secret = secret.NewString("1234567") }, "invalid_secret"},
			"a bad secret":        {func(s *webhook.Subscription) { s.Secret = secret.NewString("whsec_!") }, "invalid_secret"},
			"a secret of lines":   {func(s *webhook.Subscription) { s.Secret = secret.NewString("12345678\n") }, "invalid_secret"},
			"a long description":  {func(s *webhook.Subscription) { s.Description = strings.Repeat("x", 201) }, "invalid_input"},
			"NUL":                 {func(s *webhook.Subscription) { s.Description = "a\x00b" }, "invalid_input"},
			"no UTF-8":            {func(s *webhook.Subscription) { s.Owner = "a\xff" }, "invalid_input"},
		} {
			bad := good
			c.spoil(&bad)
			_, err := s.hooks.Subscribe(ctx, alice, bad)
			if fault.ReasonOf(err) != c.reason || fault.CodeOf(err) != fault.Invalid || len(fault.FieldsOf(err)) != 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
		sub := s.subscribe(t, ctx, good)
		if _, err := s.hooks.Subscribe(ctx, alice, good); !errors.Is(err, webhook.ErrTooMany) {
			t.Errorf("%v", err)
		}
		bad := "https://127.1/"
		if _, err := s.hooks.Update(ctx, alice, sub.ID, webhook.Change{URL: &bad}); !errors.Is(err, webhook.ErrNotation) {
			t.Errorf("%v", err)
		}
		if got := s.state(t, ctx, sub.ID); got.URL != good.URL {
			t.Errorf("%s", got.URL)
		}
		for url, want := range map[string]int{"HTTPS://Example.COM/h": 1, good.URL: 1, "https://example.com/H": 0, "nonsense": 0} {
			if cut, err := s.hooks.List(ctx, alice, webhook.Filter{URL: url}, page.Request{}); err != nil || len(cut.Items) != want {
				t.Errorf("%s: %d, %v", url, len(cut.Items), err)
			}
		}
		for name, cfg := range map[string]webhook.Config{
			"nothing": {}, "a time": {Timeout: -1}, "an event type": {EventTypes: []string{"person.*"}},
		} {
			if _, err := webhook.New(cfg); err == nil {
				t.Errorf("%s is accepted", name)
			}
		}
	})
}
