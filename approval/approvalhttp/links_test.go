package approvalhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalhttp"
	"github.com/renkei-go/renkei/foundation/identity"
)

// link makes a link and returns the address of its page.
func (s *server) link(t *testing.T, q approval.Request, person string) string {
	t.Helper()
	token, err := s.svc.NewLink(t.Context(), q.Tenant, q.ID, person)
	if err != nil {
		t.Fatal(err)
	}
	return approvalhttp.LinkPath(token.Reveal())
}

// page asks for a page as a browser does; with values it sends the form.
func (s *server) page(t *testing.T, path string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html,*/*")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *server) pending(t *testing.T, q approval.Request) approval.Status {
	t.Helper()
	r, err := s.svc.Get(t.Context(), identity.Principal{Tenant: q.Tenant, Actor: "admin", Roles: []string{"admin"}}, q.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r.Status
}

const form = `<form method="post">`

// TestLinkPage: looking shows what is asked, until when and what follows, as often as somebody looks, and changes nothing;
// the page can be framed by nobody, runs nothing, and leaves its address nowhere.
func TestLinkPage(t *testing.T) {
	s := newServer(t)
	q, err := s.svc.Submit(t.Context(), identity.Principal{Tenant: "acme", Actor: "secretary", Subject: "exec"}, approval.Submission{
		Subject: approval.Subject{Kind: "calendar.event", ID: "1"}, Flow: "booking", Facts: approval.Facts{"attendees": 12}, Summary: "<script>alert(1)</script> 大会議室",
	})
	if err != nil {
		t.Fatal(err)
	}
	path := s.link(t, q, "mgmt")
	for range 3 {
		w := s.page(t, path, nil)
		for _, want := range []string{
			"&lt;script&gt;alert(1)&lt;/script&gt; 大会議室", "secretary, for exec", "attendees 12 ≥ 10", "mgmt", "47 h 59 min left|1 d 23 h left", form,
			`value="approve"`, `value="reject"`, "takes effect at once", "called off", "rejected automatically", q.ExpiresAt.Format("2006-01-02 15:04"),
		} {
			found := false
			for one := range strings.SplitSeq(want, "|") {
				found = found || contains(w.Body.String(), one)
			}
			if !found {
				t.Errorf("no %q in %s", want, w.Body)
			}
		}
		if w.Code != 200 || contains(w.Body.String(), "<script") || s.pending(t, q) != approval.Pending {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"} {
			if !contains(policy, want) {
				t.Errorf("policy %s", policy)
			}
		}
	}
	if w := s.page(t, path, nil, "Accept-Language: ja,en;q=0.5"); !contains(w.Body.String(), "承認依頼") || !contains(w.Body.String(), "残り") || !contains(w.Body.String(), `lang="ja"`) {
		t.Errorf("%s", w.Body)
	}
	for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete} {
		r := httptest.NewRequest(method, path, nil)
		s.ServeHTTP(httptest.NewRecorder(), r)
		if s.pending(t, q) != approval.Pending {
			t.Fatalf("%s decides", method)
		}
	}
}

// TestLinkActsOnce: the form decides as the person of the link, once, and then its page shows what became of it.
func TestLinkActsOnce(t *testing.T) {
	s := newServer(t)
	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	q := s.submit(t, alice, "1", "booking")
	path, twin := s.link(t, q, "manager"), s.link(t, q, "manager")
	for name, c := range map[string]struct {
		form   url.Values
		status int
		says   string
	}{
		"nothing":         {url.Values{"x": {"y"}}, 422, "could not be recorded"},
		"no such action":  {url.Values{"action": {"withdraw"}}, 422, "could not be recorded"},
		"no reason":       {url.Values{"action": {"reject"}, "reason": {" "}}, 400, "A reason is required"},
		"a long reason":   {url.Values{"action": {"reject"}, "reason": {strings.Repeat("x", 5000)}}, 422, "could not be recorded"},
		"a NUL":           {url.Values{"action": {"reject"}, "reason": {"a\x00"}}, 422, "could not be recorded"},
		"a form of 1 MiB": {url.Values{"action": {"approve"}, "reason": {strings.Repeat("x", 1<<20)}}, 413, "could not be recorded"},
	} {
		if w := s.page(t, path, c.form); w.Code != c.status || !contains(w.Body.String(), c.says) || !contains(w.Body.String(), form) || s.pending(t, q) != approval.Pending {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if w := s.page(t, path, url.Values{"action": {"reject"}, "reason": {"too <big>"}}); w.Code != 200 || !contains(w.Body.String(), "Your decision was recorded") || !contains(w.Body.String(), "rejected by manager") || contains(w.Body.String(), form) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if s.pending(t, q) != approval.Rejected {
		t.Error(s.pending(t, q))
	}
	if w := s.page(t, path, url.Values{"action": {"approve"}}); w.Code != 409 || !contains(w.Body.String(), "used already") || contains(w.Body.String(), form) {
		t.Errorf("again: %d %s", w.Code, w.Body)
	}
	for link, says := range map[string]string{path: "used already", twin: "decided already"} {
		if w := s.page(t, link, nil); w.Code != 200 || !contains(w.Body.String(), says) || !contains(w.Body.String(), "rejected by manager") || contains(w.Body.String(), form) {
			t.Errorf("a late click: %d %s", w.Code, w.Body)
		}
	}
	if w := s.page(t, twin, url.Values{"action": {"approve"}}); w.Code != 409 || !contains(w.Body.String(), "decided already") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestLinkRefusals: a token that nobody made, one whose time has passed, one for what has changed, one of somebody who has
// left, a guard that is closed.
func TestLinkRefusals(t *testing.T) {
	s := newServer(t)
	alice := identity.Principal{Tenant: "acme", Actor: "alice"}
	approve := url.Values{"action": {"approve"}}
	for _, token := range []string{"x", "ra_" + strings.Repeat("a", 43), "%00", "..%2f..%2fevents"} {
		for _, f := range []url.Values{nil, approve} {
			if w := s.page(t, "/approval-links/"+token, f); w.Code != 404 || !contains(w.Body.String(), "not valid") || contains(w.Body.String(), form) {
				t.Errorf("%s: %d %s", token, w.Code, w.Body)
			}
		}
	}
	var problem struct{ Reason string }
	w := s.page(t, "/approval-links/x", approve, "Accept: application/json")
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != 404 || problem.Reason != "unknown_link" {
		t.Errorf("%d %s", w.Code, w.Body)
	}

	stale := s.submit(t, alice, "1", "booking")
	path := s.link(t, stale, "manager")
	err := s.svc.Revise(t.Context(), alice, approval.Submission{Subject: stale.Subject, Flow: "booking", Facts: approval.Facts{"attendees": 12}, Content: map[string]any{"title": "Other"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []url.Values{nil, approve} {
		if w := s.page(t, path, f); !contains(w.Body.String(), "has changed since this link was sent. Please use the link in the newest message. title") || contains(w.Body.String(), form) || s.pending(t, stale) != approval.Pending {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if w := s.page(t, s.link(t, stale, "manager"), approve); w.Code != 200 {
		t.Errorf("a new link: %d %s", w.Code, w.Body)
	}

	s.policy(t, map[string]any{"flow_type": "guarded", "action_key": "approve", "guards": []any{map[string]any{"type": "chat_ack_completed"}}})
	guarded := s.submit(t, alice, "2", "guarded")
	path = s.link(t, guarded, "manager")
	if w := s.page(t, path, approve); w.Code != 403 || !contains(w.Body.String(), "a condition is not met: chat_ack_completed (missing_link)") || !contains(w.Body.String(), form) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = s.page(t, path, url.Values{"action": {"reject"}, "reason": {"no"}}, "Accept: application/json")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got["status"] != "rejected" || fmt.Sprint(got["guards"]) != "[]" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("for a program: %d %s", w.Code, w.Body)
	}

	late := s.submit(t, alice, "3", "booking")
	path = s.link(t, late, "manager")
	s.db.AdvanceClock(49 * time.Hour)
	if w := s.page(t, path, nil); w.Code != 200 || !contains(w.Body.String(), "deadline has passed") || !contains(w.Body.String(), "(over)") || contains(w.Body.String(), form) || s.pending(t, late) != approval.Pending {
		t.Errorf("looking late: %d %s", w.Code, w.Body)
	}
	if w := s.page(t, path, approve); w.Code != 409 || !contains(w.Body.String(), "deadline has passed") || s.pending(t, late) != approval.TimedOut {
		t.Errorf("deciding late: %d %s", w.Code, w.Body)
	}
	if w := s.page(t, path, nil); !contains(w.Body.String(), "timed out") {
		t.Errorf("after it: %d %s", w.Code, w.Body)
	}
}
