package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

// sender is a whole sending side.
type sender struct {
	hooks  *webhook.Service
	engine *delivery.Engine
	db     *sqldb.DB
}

func newSender(t *testing.T) sender {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db := sqldbtest.SQLite(t, deliverybun.Migrations, webhookbun.Migrations)
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db)})
	must(err)
	sealer, err := secret.ParseKeys("k:" + secret.NewKey().Reveal())
	must(err)
	g, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	must(err)
	hooks, err := webhook.New(webhook.Config{Deliveries: queue, Store: webhookbun.New(db), Sealer: sealer, Guard: g, Schedule: []time.Duration{time.Second}})
	must(err)
	engine, err := delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{webhook.Kind: hooks.DeliveryKind()}})
	must(err)
	return sender{hooks, engine, db}
}

func TestReceives(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	newer, old := webhook.NewSecret().Reveal(), "your-webhook-secret"
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0"}, func(string) string { return newer + ", " + old }, write)
		_ = write.Close()
	}()
	lines := bufio.NewScanner(read)
	next := func() string {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("no line: %v", lines.Err())
		}
		return lines.Text()
	}
	url := strings.TrimPrefix(next(), "listening on ")

	s, by := newSender(t), identity.Principal{Tenant: "1", Actor: "alice"}
	for _, text := range []string{old, newer, webhook.NewSecret().Reveal()} { // the last one is unknown to the receiver
		if _, err := s.hooks.Subscribe(ctx, by, webhook.Subscription{URL: url, Events: []string{"person.*"}, Secret: secret.NewString(text)}); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)
	for i, name := range []string{"person.created", "person.updated"} {
		ev := transport.Event{Tenant: "1", Type: name, Subject: "person/1", Time: at.Add(time.Duration(i) * time.Minute), Data: map[string]int{"id": 1}}
		if err := s.hooks.Publish(ctx, ev); err != nil {
			t.Fatal(err)
		}
		stepped := make(chan error, 1)
		go func() {
			_, err := s.engine.Step(ctx)
			stepped <- err
		}()
		// Three deliveries: two are the same event, one is refused. One line.
		if got, want := next(), ev.Time.Format(time.RFC3339)+" "+name+` organisation 1: {"id":1}`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if err := <-stepped; err != nil {
			t.Fatal(err)
		}
	}
	for method, status := range map[string]int{http.MethodGet: 405, http.MethodPost: 401} {
		req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("%v", err)
	}
	if lines.Scan() {
		t.Errorf("one line more: %q", lines.Text())
	}
}

func TestForgetsTheOldest(t *testing.T) {
	var out strings.Builder
	r := &receiver{out: &out, most: 2}
	for _, id := range []string{"a", "b", "a", "c", "a", ""} { // "a" is forgotten when "c" comes; no id, no memory
		r.print(webhook.Event{ID: id, Type: "t"})
	}
	if n := strings.Count(out.String(), "\n"); n != 5 || len(r.known) != 2 {
		t.Errorf("%d lines, %d remembered", n, len(r.known))
	}
}

func TestNeedsASecret(t *testing.T) {
	for name, args := range map[string][]string{"no secret": nil, "a bad flag": {"-x"}} {
		if err := run(t.Context(), args, func(string) string { return " ," }, io.Discard); err == nil {
			t.Errorf("%s: it runs", name)
		}
	}
}
