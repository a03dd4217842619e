package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

func TestAuthentication(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		wantStatus(t, s.do("GET", "/things", ""), 200)
		wantStatus(t, s.do("GET", "/things", "", "Authorization: bearer  t-alice"), 200)
		for _, h := range []string{"", "Bearer", "Bearer ", "Basic t-alice", "Bearer nobody"} {
			w := s.do("GET", "/things", "", "Authorization: "+h)
			wantProblem(t, w, 401, "unauthenticated")
		}
		wantProblem(t, s.do("GET", "/raw", "", "Authorization: "), 401, "unauthenticated")
		wantProblem(t, s.do("GET", "/things", "", "Authorization: Bearer t-down"), 503, "directory_down")
		wantProblem(t, s.do("GET", "/things", "", "Authorization: Bearer t-broken"), 500, "internal")
		wantStatus(t, s.do("GET", "/open", "", "Authorization: "), 200)
		wantStatus(t, s.do("GET", "/open", "", "Authorization: Bearer nobody"), 200)
	})
}

func TestNoAuthenticator(t *testing.T) {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Things", "1"))
	web.Use(api, web.Config{Logger: slog.New(slog.DiscardHandler)})
	register(api, &service{})
	s := &server{h: mux}
	wantProblem(t, s.do("GET", "/things", ""), 401, "unauthenticated")
	wantStatus(t, s.do("GET", "/open", ""), 200)
}

func TestAnyOf(t *testing.T) {
	apiKey := func(_ context.Context, r web.Request) (identity.Principal, error) {
		if r.Header("X-Api-Key") == "k" {
			return people["t-other"], nil
		}
		return identity.Principal{}, web.ErrUnauthenticated
	}
	a := web.AnyOf(apiKey, web.Bearer(lookUp))
	for header, want := range map[string]string{"X-Api-Key: k": "other", "Authorization: Bearer t-alice": "acme", "Authorization: Bearer x": ""} {
		r := httptest.NewRequest("GET", "/", nil)
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
		p, err := a(context.Background(), web.FromHTTP(r))
		if string(p.Tenant) != want || (want == "") != errors.Is(err, web.ErrUnauthenticated) {
			t.Errorf("%s: got %+v, %v", header, p, err)
		}
	}
}

func TestActAs(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		for _, c := range []struct {
			token, subject, by string
		}{
			{"t-secretary", "", "secretary>secretary"},
			{"t-secretary", "secretary", "secretary>secretary"},
			{"t-secretary", "exec", "secretary>exec"},
		} {
			w := s.do("POST", "/things", `{"title":"a"}`, "Authorization: Bearer "+c.token, "X-Act-As-User: "+c.subject)
			wantStatus(t, w, 201)
			if !strings.Contains(w.Body.String(), strings.ReplaceAll(c.by, ">", `>`)) {
				t.Errorf("got %s, want %s", w.Body, c.by)
			}
		}
		wantProblem(t, s.do("GET", "/things", "", "X-Act-As-User: exec"), 403, "not_delegated")
		wantProblem(t, s.do("GET", "/things", "", "X-Act-As-User: "+strings.Repeat("x", 256)), 403, "not_delegated")
		wantProblem(t, s.do("GET", "/things", "", "X-Act-As-User: \xff"), 403, "not_delegated")
		wantProblem(t, s.do("GET", "/things", "", "X-Act-As-User: foreign"), 500, "internal")
		wantStatus(t, s.do("GET", "/open", "", "X-Act-As-User: foreign"), 200)
		if !strings.Contains(s.logs.String(), `"actor":"secretary","subject":"exec"`) {
			t.Fatalf("the log does not show who acted for whom:\n%s", s.logs)
		}
	})
}

func TestETagAndIfMatch(t *testing.T) {
	for _, c := range []struct {
		header string
		want   int64
		err    error
	}{
		{web.ETag(3), 3, nil}, {` "v3" `, 3, nil}, {`"3"`, 3, nil}, {"3", 3, nil}, {"v3", 3, nil}, {"*", web.AnyVersion, nil},
		{"", 0, web.ErrIfMatchRequired}, {" ", 0, web.ErrIfMatchRequired},
		{`W/"v3"`, 0, web.ErrVersionMismatch}, {`"v3","v4"`, 0, web.ErrVersionMismatch}, {`"v0"`, 0, web.ErrVersionMismatch},
		{`"v-1"`, 0, web.ErrVersionMismatch}, {`"v+1"`, 0, web.ErrVersionMismatch}, {`"x"`, 0, web.ErrVersionMismatch}, {`"v99999999999999999999"`, 0, web.ErrVersionMismatch}, {`"`, 0, web.ErrVersionMismatch},
	} {
		if got, err := web.IfMatch(c.header); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q: got %d, %v", c.header, got, err)
		}
	}
	each(t, web.Config{}, func(t *testing.T, s *server) {
		wantProblem(t, s.do("PATCH", "/things/1", ""), 428, "if_match_required")
		wantProblem(t, s.do("PATCH", "/things/1", "", `If-Match: W/"v1"`), 412, "version_mismatch")
		if w := s.do("PATCH", "/things/1", "", "If-Match: "+web.ETag(7)); w.Body.String() != "\"7\"\n" {
			t.Fatalf("got %s", w.Body)
		}
	})
}

func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{"", "*", `"v1"`, `W/"v1"`, `"v1", "v2"`, `"`, "v", "9223372036854775808"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		v, err := web.IfMatch(header)
		if err != nil && v != 0 || fault.CodeOf(err) != "" && fault.CodeOf(err) != fault.Precondition || v < 0 {
			t.Fatalf("%d, %v", v, err)
		}
	})
}

func TestLists(t *testing.T) {
	each(t, web.Config{}, func(t *testing.T, s *server) {
		for path, want := range map[string]string{
			"/things":         `{"items":[],"next_cursor":"50"}`,
			"/things?limit=7": `{"items":[],"next_cursor":"7"}`,
		} {
			if got := strings.TrimSpace(s.do("GET", path, "").Body.String()); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
	if b, _ := json.Marshal(web.List[int]{}); string(b) != `{"items":[]}` {
		t.Fatalf("got %s", b)
	}
}
