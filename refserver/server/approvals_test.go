package server_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/refserver/server"
)

var decideLink = regexp.MustCompile(`/approval-links/(ra_[A-Za-z0-9_-]{43})`)

// decideAddress waits for the n-th mail that asks the manager for a decision and returns the path of its link.
func (r rig) decideAddress(t *testing.T, n int) string {
	t.Helper()
	var found []string
	await(t, t.Context(), func() bool {
		found = nil
		for _, m := range r.sink.Messages() {
			plain := strings.ReplaceAll(strings.ReplaceAll(string(m.Data), "=\r\n", ""), "=3D", "=")
			if link := decideLink.FindString(plain); link != "" && slices.Contains(m.To, "manager@example.com") {
				found = append(found, link)
			}
		}
		return len(found) >= n
	})
	return found[n-1]
}

// form sends the page's form as a browser does; it is signed in nowhere.
func (r rig) form(t *testing.T, path string, values url.Values) answer {
	t.Helper()
	return r.call(t, "", http.MethodPost, path, values.Encode(), "Content-Type: application/x-www-form-urlencoded", "Accept: text/html")
}

// TestDecideFromMail: the approver decides by the link in the mail. Looking changes nothing; it acts once; its token is in
// the mail and nowhere else.
func TestDecideFromMail(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		booking := r.book(t, "alice", object{"resource_ids": []string{"room-large"}})
		path := r.decideAddress(t, 1)
		token := strings.TrimPrefix(path, "/approval-links/")
		for range 2 {
			page := r.call(t, "", http.MethodGet, path, nil)
			if page.status != http.StatusOK || !strings.Contains(string(page.body), "<form") || !strings.Contains(string(page.body), "Design review") || page.header.Get("Referrer-Policy") != "no-referrer" ||
				!strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Fatalf("%d %v %s", page.status, page.header, page.body)
			}
		}
		event := "/events/" + text(booking["id"])
		if ev := r.ok(t, http.StatusOK, "alice", http.MethodGet, event, nil); ev["status"] != "PENDING" {
			t.Errorf("looking decided: %v", ev["status"])
		}
		if a := r.form(t, path, url.Values{"action": {"reject"}}); a.status != http.StatusBadRequest {
			t.Errorf("without a reason: %d %s", a.status, a.body)
		}
		if a := r.form(t, path, url.Values{"action": {"approve"}}); a.status != http.StatusOK || !strings.Contains(string(a.body), "recorded") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if ev := r.ok(t, http.StatusOK, "alice", http.MethodGet, event, nil); ev["status"] != "CONFIRMED" {
			t.Errorf("%v", ev["status"])
		}
		for range 2 {
			if a := r.form(t, path, url.Values{"action": {"reject"}, "reason": {"on second thoughts"}}); a.status != http.StatusConflict {
				t.Errorf("again: %d %s", a.status, a.body)
			}
		}
		if a := r.call(t, "", http.MethodGet, path, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "approved by") || strings.Contains(string(a.body), "<form") {
			t.Errorf("a late click: %d %s", a.status, a.body)
		}
		done := r.ok(t, http.StatusOK, "alice", http.MethodGet, "/approval-instances/"+text(booking["approval_id"]), nil)
		if decision, _ := done["decision"].(object); decision["by"] != "manager" {
			t.Errorf("%v", done)
		}
		for _, place := range []string{"/notices", "/audit", "/approval-instances/" + text(booking["approval_id"])} {
			for _, user := range []string{"admin", "manager"} {
				if a := r.call(t, user, http.MethodGet, place, nil); strings.Contains(string(a.body), token) {
					t.Errorf("%s as %s holds the token", place, user)
				}
			}
		}
		if log := r.log.String(); strings.Contains(log, token) || strings.Contains(log, "level=ERROR") {
			t.Errorf("the log: %s", log)
		}
	})
}

// TestChangedWhileItWaits: an immaterial change makes what was shown stale, says what has changed and sends a new link; a
// material one asks anew, and the old link says so.
func TestChangedWhileItWaits(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		booking := r.book(t, "alice", object{"resource_ids": []string{"room-large"}})
		first := text(booking["approval_id"])
		seen := r.ok(t, http.StatusOK, "manager", http.MethodGet, "/approval-instances/"+first, nil)
		old := r.decideAddress(t, 1)
		patch := func(body object) object {
			t.Helper()
			a := r.call(t, "alice", http.MethodPatch, "/events/"+text(booking["id"]), body, "If-Match: *")
			var ev object
			if a.decode(t, &ev); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
			return ev
		}
		if ev := patch(object{"description": "bring coffee"}); ev["approval_id"] != first {
			t.Errorf("a description asks anew: %v", ev)
		}
		if ev := patch(object{"title": "Another review"}); ev["approval_id"] != first {
			t.Errorf("a title asks anew: %v", ev)
		}
		p := r.refused(t, http.StatusConflict, "STALE_CONTENT", "manager", http.MethodPost, "/approval-instances/"+first+"/act", object{"action": "approve", "content_hash": seen["content_hash"]})
		if details, _ := p["details"].(object); fmt.Sprint(details["changed"]) != "[title]" || details["content_hash"] == seen["content_hash"] {
			t.Errorf("%v", p)
		}
		if a := r.form(t, old, url.Values{"action": {"approve"}}); a.status != http.StatusConflict || !strings.Contains(string(a.body), "title") {
			t.Errorf("by the old link: %d %s", a.status, a.body)
		}
		now := r.ok(t, http.StatusOK, "manager", http.MethodGet, "/approval-instances/"+first, nil)
		if !strings.Contains(fmt.Sprint(now["timeline"]), "kind:revised") {
			t.Errorf("timeline %v", now["timeline"])
		}
		fresh := r.decideAddress(t, 2)

		start := nextMonday.AddDate(0, 0, 1)
		ev := patch(object{"start_at": start, "end_at": start.Add(3600e9)})
		second := text(ev["approval_id"])
		if second == first || ev["status"] != "PENDING" {
			t.Fatalf("another time does not ask anew: %v", ev)
		}
		r.refused(t, http.StatusConflict, "already_decided", "manager", http.MethodPost, "/approval-instances/"+first+"/act", object{"action": "approve"})
		if a := r.call(t, "", http.MethodGet, fresh, nil); !strings.Contains(string(a.body), "withdrawn") || strings.Contains(string(a.body), "<form") {
			t.Errorf("the link of the first request: %d %s", a.status, a.body)
		}
		if a := r.form(t, r.decideAddress(t, 3), url.Values{"action": {"approve"}}); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
		if done := r.ok(t, http.StatusOK, "alice", http.MethodGet, "/approval-instances/"+second, nil); done["status"] != "approved" {
			t.Errorf("%v", done)
		}
	})
}

// TestHiddenLater: a booking that becomes private after the decision leaves the approver no title, neither in the request nor
// behind the link of the mail.
func TestHiddenLater(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		booking := r.book(t, "alice", object{"resource_ids": []string{"room-large"}})
		link, instance := r.decideAddress(t, 1), "/approval-instances/"+text(booking["approval_id"])
		r.ok(t, http.StatusOK, "manager", http.MethodPost, instance+"/act", object{"action": "approve"})
		if a := r.call(t, "alice", http.MethodPatch, "/events/"+text(booking["id"]), object{"visibility": "PRIVATE"}, "If-Match: *"); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		for _, path := range []string{instance, "/approval-instances?role=approver", link} {
			if a := r.call(t, "manager", http.MethodGet, path, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "大会議室") || strings.Contains(string(a.body), "Design review") {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
}

// TestLateNoticesSayWhatIsSoNow: a notice that goes out again, or late, has no text that was hidden or edited away meanwhile.
func TestLateNoticesSayWhatIsSoNow(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		mails := func(to, text string) (n int) {
			for _, m := range r.sink.Messages() {
				if slices.Contains(m.To, to+"@example.com") && strings.Contains(strings.ReplaceAll(string(m.Data), "=\r\n", ""), text) {
					n++
				}
			}
			return n
		}
		again := func(to, template string) {
			t.Helper()
			var id string
			await(t, t.Context(), func() bool {
				ids := r.items(t, "admin", "/notices?state=sent&recipient="+to+"&template="+template, "id")
				if len(ids) > 0 {
					id = ids[0]
				}
				return id != ""
			})
			r.ok(t, http.StatusCreated, "admin", http.MethodPost, "/notices/"+id+"/resend", nil)
			await(t, t.Context(), func() bool {
				return len(r.items(t, "admin", "/notices?state=sent&recipient="+to+"&template="+template, "id")) == 2
			})
		}
		booking := r.book(t, "alice", object{"resource_ids": []string{"room-large"}})
		r.decideAddress(t, 1)
		if a := r.call(t, "alice", http.MethodPatch, "/events/"+text(booking["id"]), object{"visibility": "PRIVATE"}, "If-Match: *"); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		again("manager", "approval.requested")
		if n, all := mails("manager", "Design review"), mails("manager", "/approval-links/"); n != 1 || all < 2 {
			t.Errorf("%d of %d mails say the title", n, all)
		}

		const body = "Bring your badge on Monday."
		asked := r.ask(t, "alice", object{"message": object{"roomId": "general", "body": body}})
		await(t, t.Context(), func() bool { return mails("bob", body) == 1 })
		r.ok(t, http.StatusOK, "alice", http.MethodPatch, "/chat-messages/"+text(asked["messageId"]), object{"body": "Corrected."})
		again("bob", "ackflow.requested")
		if old, now := mails("bob", body), mails("bob", "Corrected."); old != 1 || now != 1 {
			t.Errorf("%d mails as it was, %d as it is", old, now)
		}
	})
}

// TestNoLinkInARoom: a channel that others read gets the notice, and no link by which they could decide.
func TestNoLinkInARoom(t *testing.T) {
	said := make(chan string, 10)
	room := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said <- string(body)
		_, _ = io.WriteString(w, "ok")
	}))
	defer room.Close()
	r := start(t, server.Config{SlackWebhook: secret.NewString(room.URL), AllowPrivate: "127.0.0.0/8"})
	r.ok(t, http.StatusOK, "manager", http.MethodPut, "/me/notification-settings", object{"channels": []string{"slack"}})
	r.book(t, "alice", object{"resource_ids": []string{"room-large"}})
	if text := <-said; !strings.Contains(text, "Design review") || strings.Contains(text, "approval-links") {
		t.Errorf("the room hears %s", text)
	}
}

// TestApprovalRoutes is every refusal of the specification's section on approval that no other test here has, with its
// status and reason, and who may do what.
func TestApprovalRoutes(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		one, two := r.largeRoom(t, "alice", 1), r.largeRoom(t, "alice", 2)
		a := r.call(t, "secretary", http.MethodPost, "/events", booking(object{
			"title": "Board", "resource_ids": []string{"room-large"}, "start_at": "2031-02-03T10:00:00Z", "end_at": "2031-02-03T11:00:00Z",
		}), "X-Act-As-User: exec")
		var booked object
		a.decode(t, &booked)
		byExec := text(booked["approval_id"])
		act := func(id string) string { return "/approval-instances/" + id + "/act" }
		approve := object{"action": "approve"}
		policy := object{"rules": []object{{"fact": "attendees", "at_least": 3, "reason": "attendees"}}}
		for _, c := range []struct {
			status             int
			reason             string
			user, method, path string
			body               any
		}{
			{403, "self_approval", "alice", "POST", act(one), approve},
			{403, "self_approval", "secretary", "POST", act(byExec), approve}, // who asked in the executive's name
			{403, "self_approval", "exec", "POST", act(byExec), approve},
			{403, "not_approver", "bob", "POST", act(one), approve},
			{403, "not_approver", "admin", "POST", act(one), approve},
			{404, "not_found", "manager", "POST", act("nothing"), approve},
			{404, "not_found", "bob", "GET", "/approval-instances/" + one, nil},
			{400, "REASON_REQUIRED", "manager", "POST", act(one), object{"action": "reject"}},
			{422, "invalid_input", "manager", "POST", act(one), object{"action": "timeout"}},
			{409, "STALE_CONTENT", "manager", "POST", act(one), object{"action": "approve", "content_hash": "of old"}},
			{400, "REASON_REQUIRED", "alice", "POST", "/approval-instances/" + one + "/cancel", object{}},
			{403, "not_requester", "manager", "POST", "/approval-instances/" + one + "/cancel", object{"reason": "x"}},
			{404, "not_found", "bob", "POST", "/approval-instances/" + one + "/cancel", object{"reason": "x"}},
			{422, "invalid_input", "manager", "POST", "/approval-instances/act", object{"items": []object{}}},
			{422, "invalid_input", "manager", "GET", "/approval-instances?role=boss", nil},
			{422, "invalid_cursor", "manager", "GET", "/approval-instances?cursor=x", nil},
			{404, "unknown_link", "", "POST", "/approval-links/ra_x", object{"action": "approve"}},
			{403, "admin_only", "manager", "GET", "/approval-policies", nil},
			{403, "admin_only", "hr", "GET", "/approval-policies/booking", nil},
			{403, "admin_only", "manager", "PUT", "/approval-policies/booking", policy},
			{403, "admin_only", "manager", "GET", "/approval-policies/booking/versions", nil},
			{403, "admin_only", "manager", "POST", "/approval-policies/evaluate", object{"flow_type": "booking", "facts": object{}, "policy": policy}},
			{404, "not_found", "admin", "GET", "/approval-policies/booking?version=7", nil},
			{422, "invalid_policy", "admin", "PUT", "/approval-policies/booking", object{"rules": []object{{"fact": "attendees", "reason": "attendees"}}}},
			{403, "admin_only", "manager", "GET", "/action-policies", nil},
			{403, "admin_only", "manager", "POST", "/action-policies", object{"flow_type": "booking", "action_key": "approve"}},
			{404, "not_found", "admin", "GET", "/action-policies/nothing", nil},
			{404, "not_found", "bob", "POST", "/action-policies/evaluate", object{"action_key": "approve", "target_id": one}},
			{403, "not_own_substitute", "bob", "POST", "/approval-substitutes", object{"approver_id": "manager", "substitute_id": "bob"}},
			{422, "invalid_input", "manager", "POST", "/approval-substitutes", object{"substitute_id": "stranger"}},
			{404, "not_found", "manager", "DELETE", "/approval-substitutes/nothing", nil},
		} {
			a := r.call(t, c.user, c.method, c.path, c.body, "Accept: application/json")
			var p problem
			a.decode(t, &p)
			if a.status != c.status || p.Reason != c.reason || p.Status != c.status || !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
				t.Errorf("%s %s as %s: %d %s, want %d %s", c.method, c.path, c.user, a.status, a.body, c.status, c.reason)
			}
		}

		// The same key gives the same answer; another body under it is refused.
		key := "Idempotency-Key: once"
		first := r.call(t, "manager", http.MethodPost, act(one), approve, key)
		again := r.call(t, "manager", http.MethodPost, act(one), approve, key)
		if first.status != http.StatusOK || again.status != http.StatusOK || !bytes.Equal(first.body, again.body) {
			t.Errorf("%d %s\n%d %s", first.status, first.body, again.status, again.body)
		}
		if other := r.call(t, "manager", http.MethodPost, act(one), object{"action": "reject", "reason": "x"}, key); other.status != http.StatusUnprocessableEntity || !strings.Contains(string(other.body), "idempotency_key_reused") {
			t.Errorf("%d %s", other.status, other.body)
		}
		r.refused(t, http.StatusConflict, "already_decided", "manager", http.MethodPost, act(one), approve)

		// A policy of the demo's flow holds for the next booking, and names its version there.
		r.ok(t, http.StatusOK, "admin", http.MethodPut, "/approval-policies/booking", policy)
		free := r.book(t, "alice", object{"resource_ids": []string{"room-large"}, "start_at": "2031-03-03T10:00:00Z", "end_at": "2031-03-03T11:00:00Z"})
		if free["status"] != "CONFIRMED" {
			t.Errorf("the room still asks: %v", free)
		}
		guests := []object{{"email": "a@outside.example"}, {"email": "b@outside.example"}, {"email": "c@outside.example"}}
		asks := r.book(t, "alice", object{"attendees": guests, "start_at": "2031-03-04T10:00:00Z", "end_at": "2031-03-04T11:00:00Z"})
		if got := r.ok(t, http.StatusOK, "manager", http.MethodGet, "/approval-instances/"+text(asks["approval_id"]), nil); got["policy_version"] != 2.0 || fmt.Sprint(got["explanation"]) != "[attendees 3 ≥ 3]" {
			t.Errorf("%v", got)
		}

		// Decided in bulk, by the manager's substitute.
		r.ok(t, http.StatusCreated, "manager", http.MethodPost, "/approval-substitutes", object{"substitute_id": "hr"})
		rows := r.ok(t, http.StatusOK, "hr", http.MethodPost, "/approval-instances/act", object{"items": []object{
			{"id": two, "action": "approve"}, {"id": byExec, "action": "approve"}, {"id": text(asks["approval_id"]), "action": "reject", "reason": "too many"},
		}})
		said := fmt.Sprint(rows["items"])
		if !strings.Contains(said, "status:approved") || !strings.Contains(said, "reason:not_approver") || !strings.Contains(said, "status:rejected") || strings.Count(said, "for:manager") < 2 {
			t.Errorf("%s", said)
		}

		r.ok(t, http.StatusOK, "admin", http.MethodPut, "/approval-policies/booking", object{"rules": []object{{"fact": "resource", "present": true, "reason": "resource"}}, "timeout_seconds": 600})
		soon := r.largeRoom(t, "alice", 5)
		r.ok(t, http.StatusOK, "admin", http.MethodPost, "/demo/clock", object{"advance": "11m"})
		r.refused(t, http.StatusConflict, "APPROVAL_EXPIRED", "manager", http.MethodPost, act(soon), approve)
		r.refused(t, http.StatusConflict, "APPROVAL_EXPIRED", "alice", http.MethodPost, "/approval-instances/"+soon+"/cancel", object{"reason": "x"})
	})
}
