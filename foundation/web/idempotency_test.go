package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/foundation/web/webbun"
)

func withStore(t *testing.T, f func(t *testing.T, s *server, db *sqldb.DB, runs *atomic.Int32)) {
	for router := range routers {
		t.Run(router, func(t *testing.T) {
			db := sqldbtest.SQLite(t, webbun.Migrations)
			s := newServer(web.Config{Idempotency: webbun.New(db, webbun.Config{})}, router, true)
			runs := new(atomic.Int32)
			s.hook = func(context.Context, identity.Principal) error { runs.Add(1); return nil }
			f(t, s, db, runs)
		})
	}
}

func TestIdempotentReplay(t *testing.T) {
	withStore(t, func(t *testing.T, s *server, db *sqldb.DB, runs *atomic.Int32) {
		first := s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k1")
		again := s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k1")
		wantStatus(t, first, 201)
		wantStatus(t, again, 201)
		if runs.Load() != 1 || again.Body.String() != first.Body.String() || first.Body.Len() == 0 {
			t.Fatalf("ran %d times: %s, %s", runs.Load(), first.Body, again.Body)
		}
		for _, name := range []string{"Content-Type", "Location", "ETag"} {
			if first.Header().Get(name) == "" || first.Header().Get(name) != again.Header().Get(name) {
				t.Errorf("%s: %q, then %q", name, first.Header().Get(name), again.Header().Get(name))
			}
		}
		if again.Header().Get("Idempotency-Replayed") != "true" || first.Header().Get("Idempotency-Replayed") != "" {
			t.Error("Idempotency-Replayed is wrong")
		}
		if again.Header().Get("Cache-Control") != "no-store" || again.Header().Get("X-Request-Id") == first.Header().Get("X-Request-Id") {
			t.Error("a replay is a request of its own")
		}

		wantProblem(t, s.do("POST", "/things", `{"title":"b"}`, "Idempotency-Key: k1"), 422, "idempotency_key_reused")
		for _, h := range []string{"Authorization: Bearer t-secretary", "Authorization: Bearer t-other"} {
			wantStatus(t, s.do("POST", "/things", `{"title":"b"}`, "Idempotency-Key: k1", h), 201)
		}
		wantStatus(t, s.do("POST", "/things", `{"title":"c"}`, "Idempotency-Key: k1", "Authorization: Bearer t-secretary", "X-Act-As-User: exec"), 201)
		wantStatus(t, s.do("POST", "/things/1/touch", "", "Idempotency-Key: k1"), 204)
		wantStatus(t, s.do("POST", "/things/1/touch", "", "Idempotency-Key: k1"), 204)
		wantProblem(t, s.do("POST", "/things/2/touch", "", "Idempotency-Key: k1"), 422, "idempotency_key_reused")
		if runs.Load() != 5 {
			t.Fatalf("ran %d times", runs.Load())
		}
		db.AdvanceClock(24*time.Hour + time.Second)
		wantStatus(t, s.do("POST", "/things", `{"title":"b"}`, "Idempotency-Key: k1"), 201)
	})
}

func TestIdempotencyKeyForms(t *testing.T) {
	withStore(t, func(t *testing.T, s *server, _ *sqldb.DB, runs *atomic.Int32) {
		wantStatus(t, s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: "+strings.Repeat("k", 255)), 201)
		for _, bad := range []string{strings.Repeat("k", 256), "a b", "é"} {
			wantProblem(t, s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: "+bad), 422, "invalid_idempotency_key")
		}
		wantProblem(t, s.do("POST", "/things/1/touch", "x", "Idempotency-Key: k", "Content-Type: multipart/form-data; boundary=x"), 422, "idempotency_unsupported")
		wantStatus(t, s.do("GET", "/things", "", "Idempotency-Key: a b"), 200) // means nothing there
		wantStatus(t, s.do("POST", "/mail", "1", "Content-Type: message/rfc822", "Idempotency-Key: a b"), 200)
	})
}

func TestWhichAnswersAreKept(t *testing.T) {
	withStore(t, func(t *testing.T, s *server, _ *sqldb.DB, _ *atomic.Int32) {
		for i, c := range []struct {
			fail   func() error
			status int
			kept   bool
		}{
			{func() error { return fault.New(fault.Conflict, "full", "it is full") }, 409, true},
			{func() error { return fault.New(fault.NotFound, "gone", "it is gone") }, 404, true},
			{func() error { return fault.New(fault.RateLimited, "slow", "slower") }, 429, false},
			{func() error { return fault.New(fault.Unavailable, "down", "it is down") }, 503, false},
			{func() error { return errors.New("bug") }, 500, false},
			{func() error { panic("bug") }, 500, false},
		} {
			key := fmt.Sprintf("Idempotency-Key: k%d", i)
			s.hook = func(context.Context, identity.Principal) error { return c.fail() }
			wantStatus(t, s.do("POST", "/things", `{"title":"a"}`, key), c.status)
			s.hook = nil
			want := 201
			if c.kept {
				want = c.status
			}
			wantStatus(t, s.do("POST", "/things", `{"title":"a"}`, key), want)
		}
	})
}

func TestADiedRequestBlocksItsKeyForTheLease(t *testing.T) {
	withStore(t, func(t *testing.T, s *server, db *sqldb.DB, runs *atomic.Int32) {
		started, finish := make(chan struct{}), make(chan struct{})
		s.hook = func(context.Context, identity.Principal) error {
			if runs.Add(1) == 1 {
				close(started)
				<-finish
			}
			return nil
		}
		done := make(chan *httptest.ResponseRecorder)
		go func() { done <- s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k") }()
		<-started
		wantProblem(t, s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k"), 409, "idempotency_in_progress")
		wantProblem(t, s.do("POST", "/things", `{"title":"b"}`, "Idempotency-Key: k"), 422, "idempotency_key_reused")
		db.AdvanceClock(time.Minute + time.Second)
		wantStatus(t, s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k"), 201)
		close(finish)
		wantStatus(t, <-done, 201)
		if w := s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k"); w.Header().Get("Idempotency-Replayed") == "" || runs.Load() != 2 {
			t.Fatalf("got %v after %d runs", w.Header(), runs.Load())
		}
	})
}

func TestAClientThatWentAwayFindsItsAnswer(t *testing.T) {
	withStore(t, func(t *testing.T, s *server, _ *sqldb.DB, runs *atomic.Int32) {
		ctx, cancel := context.WithCancel(context.Background())
		s.hook = func(context.Context, identity.Principal) error { runs.Add(1); cancel(); return nil }
		r := httptest.NewRequestWithContext(ctx, "POST", "/things", strings.NewReader(`{"title":"a"}`))
		for name, v := range map[string]string{"Authorization": "Bearer t-alice", "Content-Type": "application/json", "Idempotency-Key": "k"} {
			r.Header.Set(name, v)
		}
		s.h.ServeHTTP(httptest.NewRecorder(), r)
		w := s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k")
		wantStatus(t, w, 201)
		if runs.Load() != 1 {
			t.Fatalf("ran %d times", runs.Load())
		}
	})
}

func TestManyAtOnceRunOnce(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Migration{webbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		s := newServer(web.Config{Idempotency: webbun.New(db, webbun.Config{})}, "net/http", true)
		var runs atomic.Int32
		s.hook = func(context.Context, identity.Principal) error { runs.Add(1); return nil }
		var wg sync.WaitGroup
		statuses := make([]int, 32)
		for i := range statuses {
			wg.Go(func() { statuses[i] = s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k").Code })
		}
		wg.Wait()
		created := 0
		for _, status := range statuses {
			switch status {
			case http.StatusCreated:
				created++
			case http.StatusConflict:
			default:
				t.Errorf("got %d", status)
			}
		}
		if runs.Load() != 1 || created == 0 {
			t.Fatalf("ran %d times, %d were told so", runs.Load(), created)
		}
		wantStatus(t, s.do("POST", "/things", `{"title":"a"}`, "Idempotency-Key: k"), 201)
	})
}
