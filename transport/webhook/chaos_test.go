package webhook_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
)

// misbehave are the ways in which a sink fails, each with what the log must say about it. accepted is what it does to
// an event that it has taken in.
var misbehave = []struct {
	name, says string
	serve      func(w http.ResponseWriter, r *http.Request)
}{
	{"drops before an answer", "closed before an answer came|was reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	{"resets", "was reset|closed before", func(w http.ResponseWriter, _ *http.Request) {
		conn := hijack(w)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}},
	{"stalls before the head", "timed out", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	{"answers 500", "500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusInternalServerError) }},
	{"answers 429", "429", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}},
	{"answers 404", "404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
	{"redirects to the cloud", "redirects are not followed", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://169.254.169.254/", http.StatusTemporaryRedirect)
	}},
	{"speaks garbage", "no valid HTTP answer", func(w http.ResponseWriter, _ *http.Request) {
		conn := hijack(w)
		fmt.Fprint(conn, "SSH-2.0-OpenSSH\r\n\x00\x01\x02")
		_ = conn.Close()
	}},
	{"sends a huge head", "no valid HTTP answer|closed|reset|timed out", func(w http.ResponseWriter, _ *http.Request) {
		conn := hijack(w)
		out := bufio.NewWriter(conn)
		fmt.Fprint(out, "HTTP/1.1 200 OK\r\nX: ")
		for range 2000 {
			if _, err := out.WriteString(strings.Repeat("x", 1000)); err != nil {
				break
			}
		}
		_ = conn.Close()
	}},
	{"fails with a huge body", "503", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		for range 2000 {
			if _, err := io.WriteString(w, strings.Repeat("password=hunter2 ", 100)); err != nil {
				return
			}
		}
	}},
}

func hijack(w http.ResponseWriter) net.Conn {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return conn
}

// TestChaos sends events to sinks that misbehave on the first tries and then recover: nothing is lost, what comes twice
// has the same id, and the log explains each attempt.
func TestChaos(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		g, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, HeaderTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, db, webhook.Config{
			Guard: g, Schedule: []time.Duration{time.Second, time.Second, time.Second, time.Second}, Jitter: -1, Health: &delivery.Health{Trip: -1},
		})
		const events, failures = 4, 2
		var mu sync.Mutex
		tries, taken := map[string]int{}, map[string]int{} // by subscription and event
		subs := make([]webhook.Subscription, len(misbehave))
		for i, m := range misbehave {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ev, err := webhook.Verify(r, subs[i].Secret.Reveal())
				if err != nil {
					t.Errorf("%s: %v", m.name, err)
				}
				key := m.name + "/" + ev.ID
				mu.Lock()
				tries[key]++
				bad := tries[key] <= failures
				taken[key]++ // even a sink that fails may have taken it in
				mu.Unlock()
				if bad {
					m.serve(w, r)
					return
				}
				w.WriteHeader(http.StatusAccepted)
			}))
			server.Config.ErrorLog = nil
			t.Cleanup(server.Close)
			subs[i] = s.subscribe(t, ctx, webhook.Subscription{URL: server.URL, Events: []string{"*"}})
		}
		for i := range events {
			s.publish(t, ctx, transport.Event{ID: fmt.Sprintf("e%d", i)})
		}
		for range failures + 10 { // Retry-After of the 429s holds up to 7 s per try
			s.drain(t, ctx)
			db.AdvanceClock(10 * time.Second)
		}
		for i, m := range misbehave {
			for _, r := range s.records(t, ctx, subs[i].ID) {
				key := m.name + "/" + r.EventID
				last := len(r.History) - 1
				if r.State != delivery.Succeeded || last < failures || tries[key] <= failures || r.History[last].Status != http.StatusAccepted {
					t.Errorf("%s: %s after %d attempts, %d lines: %+v", m.name, r.State, tries[key], len(r.History), r.History)
					continue
				}
				late := 0 // attempts that a busy machine did not answer in time, though the sink would have
				for _, a := range r.History[:last] {
					explained := last > failures && strings.Contains(a.Error, "timed out")
					if explained {
						late++
					}
					for says := range strings.SplitSeq(m.says, "|") {
						explained = explained || strings.Contains(a.Error, says)
					}
					if !explained || len(a.Response) > 1024 || strings.Contains(a.Response, "hunter2") || strings.Contains(a.Error, "127.0.0.1") {
						t.Errorf("%s: the log says %q, %d bytes of answer", m.name, a.Error, len(a.Response))
					}
				}
				if last-late > failures {
					t.Errorf("%s: %d lines: %+v", m.name, last+1, r.History)
				}
			}
		}
		if len(taken) != events*len(misbehave) {
			t.Errorf("%d of %d arrived", len(taken), events*len(misbehave))
		}
	})
}

// TestAnswerThatDoesNotEnd is judged by its head.
func TestAnswerThatDoesNotEnd(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, "got it")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}))
		defer server.Close()
		s := newSite(t, db, webhook.Config{BodyTimeout: 500 * time.Millisecond})
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: server.URL, Events: []string{"*"}})
		s.publish(t, ctx, transport.Event{ID: "e1"})
		s.drain(t, ctx)
		if r := s.records(t, ctx, sub.ID)[0]; r.State != delivery.Succeeded || r.History[0].Response != "got it" {
			t.Errorf("%+v", r)
		}
	})
}

// TestRefusedWhenDialled gives up at once, with the reason.
func TestRefusedWhenDialled(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		r := &rebinding{}
		s := newSite(t, db, webhook.Config{Guard: loopback(t, webhook.GuardConfig{Resolver: r})})
		for url, says := range map[string]string{
			"https://rebind.example/": "private_address", "http://rebind.example/": "private_address",
		} {
			sub := s.subscribe(t, ctx, webhook.Subscription{URL: url, Events: []string{"*"}})
			s.publish(t, ctx, transport.Event{})
			s.drain(t, ctx)
			if rec := s.records(t, ctx, sub.ID)[0]; rec.State != delivery.Dead || !strings.HasPrefix(rec.LastError, says) || len(rec.History) != 1 {
				t.Errorf("%s: %+v", url, rec)
			}
			if err := s.hooks.Delete(ctx, alice, sub.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}

type rebinding struct{}

func (*rebinding) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")}, nil
}
