package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

func TestLimiterOfPlainHandlers(t *testing.T) {
	now := time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)
	l, err := web.NewLimiter(web.RateLimit{Requests: 2, Key: func(_ web.Request, p identity.Principal) string { return p.Actor }}, nil,
		func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	ask := func(actor string) (*httptest.ResponseRecorder, error) {
		w := httptest.NewRecorder()
		return w, l.Admit(w, httptest.NewRequest(http.MethodGet, "/", nil), identity.Principal{Actor: actor})
	}
	for i := range 2 {
		if w, err := ask("key:1"); err != nil || w.Header().Get("RateLimit") == "" {
			t.Fatalf("request %d: %v, %v", i, err, w.Header())
		}
	}
	w, err := ask("key:1")
	if !errors.Is(err, web.ErrRateLimited) || w.Header().Get("Retry-After") != "30" {
		t.Errorf("one too many: %v, %v", err, w.Header())
	}
	if _, err := ask("key:2"); err != nil {
		t.Errorf("another caller: %v", err)
	}
	for range 5 {
		if w, err := ask(""); err != nil || w.Header().Get("RateLimit") != "" {
			t.Errorf("who is not limited: %v, %v", err, w.Header())
		}
	}
	now = now.Add(30 * time.Second)
	if _, err := ask("key:1"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	var off *web.Limiter
	if err := off.Admit(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), identity.Principal{}); err != nil {
		t.Errorf("no limiter: %v", err)
	}
	if _, err := web.NewLimiter(web.RateLimit{Requests: -1}, nil, nil); err == nil {
		t.Error("a negative limit is accepted")
	}
}
