package web_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

// deadlines is a ResponseWriter of a connection whose read deadline is noted.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// TestReadDeadline: it limits the reading of the body, not the work that follows.
func TestReadDeadline(t *testing.T) {
	var during []time.Time
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	s := newServer(web.Config{}, "net/http", false)
	s.hook = func(context.Context, identity.Principal) error {
		during = slices.Clone(w.set)
		return nil
	}
	r := httptest.NewRequest("POST", "/things", strings.NewReader(`{"title":"a"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer t-alice")
	s.h.ServeHTTP(w, r)
	wantStatus(t, w.ResponseRecorder, 201)
	if len(during) < 2 || during[0].IsZero() || !during[len(during)-1].IsZero() {
		t.Errorf("the deadlines were %v", during)
	}
}
