package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/refserver/server"
	"github.com/renkei-go/renkei/transport/mail/mailtest"
)

// rig is a running demo server with a mail sink.
type rig struct {
	url  string
	sink *mailtest.Sink
	log  *lockedLog
}

// each runs f against a server on SQLite and one on PostgreSQL.
func each(t *testing.T, f func(t *testing.T, r rig)) {
	t.Helper()
	eachWith(t, func(*testing.T) server.Config { return server.Config{} }, f)
}

// eachWith is each for servers that have a part more.
func eachWith(t *testing.T, config func(t *testing.T) server.Config, f func(t *testing.T, r rig)) {
	t.Helper()
	for name, database := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": sqldbtest.PostgresURL,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			cfg.Database = database(t)
			f(t, start(t, cfg))
		})
	}
}

func start(t *testing.T, cfg server.Config) rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	sink, err := mailtest.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := rig{sink: sink, log: &lockedLog{}}
	cfg.Listen, cfg.Demo, cfg.DataDir, cfg.SMTPURL, cfg.LogTo = "127.0.0.1:0", true, t.TempDir(), sink.URL, r.log
	s, err := server.New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.url = s.URL()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended badly: %v", err)
		}
		_ = sink.Close()
	})
	select {
	case <-s.Ready():
	case <-ctx.Done():
		t.Fatal("the server did not become ready")
	}
	return r
}

// await polls until ok holds or ctx ends.
func await(t *testing.T, ctx context.Context, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain")
		case <-tick.C:
		}
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// problem is what every error looks like.
type problem struct {
	Status  int
	Reason  string
	Detail  string
	Errors  []struct{ Location, Message string }
	Details struct {
		Alternatives []any
		UserIDs      []string
	}
	Error struct{ Code, Message string } // of routes in the form of seed 002, too
}

func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("status %d: %v: %s", a.status, err, a.body)
	}
}

// call sends a request as a demo user; headers come as "Name: value".
func (r rig) call(t *testing.T, user, method, path string, body any, headers ...string) answer {
	t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		req.Header.Set("Authorization", "Bearer demo-"+user)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, raw}
}

type object = map[string]any

var nextMonday = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 30)

// booking is a valid body for POST /events; with replaces or adds members, and removes those set to nil.
func booking(with object) object {
	b := object{"title": "Design review", "start_at": nextMonday.Add(time.Hour).Format(time.RFC3339), "end_at": nextMonday.Add(2 * time.Hour).Format(time.RFC3339)}
	for k, v := range with {
		if b[k] = v; v == nil {
			delete(b, k)
		}
	}
	return b
}

func (r rig) book(t *testing.T, user string, with object) object {
	t.Helper()
	a := r.call(t, user, http.MethodPost, "/events", booking(with))
	if a.status != http.StatusCreated {
		t.Fatalf("booking as %s: %d %s", user, a.status, a.body)
	}
	var ev object
	a.decode(t, &ev)
	return ev
}

// ask asks for acknowledgement; with replaces or adds members.
func (r rig) ask(t *testing.T, user string, with object) object {
	t.Helper()
	body := object{"message": object{"roomId": "general", "body": "The large room is taken on Monday."}, "requiredUserIds": []string{"bob"}}
	maps.Copy(body, with)
	a := r.call(t, user, http.MethodPost, "/chat-ack-requests", body)
	if a.status != http.StatusCreated {
		t.Fatalf("asking as %s: %d %s", user, a.status, a.body)
	}
	var d object
	a.decode(t, &d)
	return d
}

func text(v any) string { return fmt.Sprint(v) }
