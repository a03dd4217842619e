package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/refserver/server"
)

// look is one question about somebody's event.
type look struct {
	method, path string
	body         any
	headers      []string
}

// looks are all questions whose answers could tell of an event.
func looks(id string, start time.Time, room bool) []look {
	day := "from=" + start.Add(-time.Hour).Format(time.RFC3339) + "&to=" + start.Add(5*time.Hour).Format(time.RFC3339)
	get := func(path string) look { return look{method: http.MethodGet, path: path} }
	all := []look{
		get("/events/" + id), get("/events/" + id + "/event.ics"), get("/events/" + id + "/replies"),
		get("/events?owner=alice&" + day), get("/events?owner=bob&" + day), get("/events?" + day), get("/events?limit=1&owner=alice&" + day),
		get("/events?owner=alice&status=CONFIRMED&" + day), get("/events?owner=alice&resource=room-a&" + day), get("/events?resource=room-a&" + day),
		get("/freebusy?users=alice,bob&" + day), get("/resources/room-a/availability?" + day),
		get("/audit"), get("/audit?target_id=" + id), get("/audit?subject_id=alice"),
		get("/notices"), get("/approval-instances?role=approver"), get("/approval-instances?role=requester"), get("/rsvp/replies"),
		{http.MethodPatch, "/events/" + id, object{"visibility": "PUBLIC"}, []string{"If-Match: *"}},
		{http.MethodPatch, "/events/" + id, object{"start_at": start.Add(99 * time.Hour).Format(time.RFC3339)}, []string{"If-Match: *"}},
		{http.MethodPatch, "/events/" + id, object{"title": "x"}, []string{`If-Match: "v999"`}},
		{http.MethodDelete, "/events/" + id, nil, []string{`If-Match: "v999"`}},
		{http.MethodPost, "/events/" + id + "/rsvp", object{"partstat": "MAYBE"}, nil},
		{http.MethodPost, "/events/" + id + "/replies/none/admit", nil, nil},
		{http.MethodPost, "/events/" + id + "/replies/none/accept", nil, nil}, {http.MethodPost, "/events/" + id + "/replies/none/decline", nil, nil},
	}
	if room {
		all = append(all, look{http.MethodPost, "/events", booking(object{
			"start_at": start.Format(time.RFC3339), "end_at": start.Add(time.Hour).Format(time.RFC3339), "resource_ids": []string{"room-a"},
		}), nil})
	}
	return all
}

// TestPrivacy: for every viewer, level and answer of the server, no byte of what is hidden leaves; and who may see an
// event does see it, by the same questions.
func TestPrivacy(t *testing.T) {
	r := start(t, server.Config{})
	for delegatee, permissions := range map[string][]string{"hr": {"READ_PRIVATE"}, "manager": {"EDIT", "RESPOND"}} {
		if a := r.call(t, "alice", http.MethodPost, "/delegations", object{"delegatee_id": delegatee, "permissions": permissions}); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	viewers := []struct {
		user, actFor string
		readsHidden  bool
		audits       bool // has entries about the event, which hold its id, by right
	}{
		{"alice", "", true, true},
		{"bob", "", true, false},
		{"hr", "", true, true},
		{"hr", "alice", true, true},
		{"manager", "", false, true},
		{"manager", "alice", false, true},
		{"exec", "", false, false},
		{"secretary", "exec", false, false},
		{"secretary", "alice", false, false}, // no delegation
		{"mgmt", "", false, false},
		{"admin", "", false, true},
		{"", "", false, false},
	}
	n := 0
	for _, level := range []string{"PUBLIC", "BUSY_ONLY", "PRIVATE"} {
		for _, room := range []bool{false, true} {
			n++
			begin := nextMonday.AddDate(0, 0, n)
			secret := fmt.Sprintf("Hunter%dQ", n)
			with := object{
				"title": secret + " title", "location": secret + " place", "description": secret + " text", "visibility": level,
				"start_at": begin.Format(time.RFC3339), "end_at": begin.Add(time.Hour).Format(time.RFC3339),
				"attendees": []object{{"email": "bob@example.com"}, {"email": strings.ToLower(secret) + "@outside.example", "name": secret + " guest"}},
			}
			if room {
				with["resource_ids"] = []string{"room-a"}
			}
			id := text(r.book(t, "alice", with)["id"])
			for _, v := range viewers {
				seen := false
				for _, l := range looks(id, begin, room) {
					headers := l.headers
					if v.actFor != "" {
						headers = append([]string{"X-Act-As-User: " + v.actFor}, headers...)
					}
					if l.method != http.MethodGet && v.user == "alice" {
						continue // hers to change
					}
					a := r.call(t, v.user, l.method, l.path, l.body, headers...)
					if a.status == 0 || a.status >= 500 {
						t.Errorf("%+v: %s %s: %d %s", v, l.method, l.path, a.status, a.body)
					}
					answer := strings.ToLower(string(a.body) + fmt.Sprint(a.header))
					told := strings.Contains(answer, strings.ToLower(secret))
					seen = seen || told
					if v.readsHidden || level == "PUBLIC" && v.user != "" {
						continue
					}
					named := strings.Contains(answer, id) && (!v.audits || !strings.HasPrefix(l.path, "/audit"))
					if told || named || a.header.Get("ETag") != "" && strings.HasPrefix(l.path, "/events") {
						t.Errorf("%+v sees of a %s event by %s %s: %d %v %s", v, level, l.method, l.path, a.status, a.header, a.body)
					}
				}
				if want := v.readsHidden || level == "PUBLIC" && v.user != "" && v != viewers[8]; seen != want {
					t.Errorf("%+v sees a %s event: %v", v, level, seen)
				}
			}
		}
	}
}
