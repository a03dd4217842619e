package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBadInput: each kind of bad input has a problem+json answer with a stable reason and the place of the mistake,
// repeats nothing private, and none is a 500.
func TestBadInput(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		ev := r.book(t, "alice", object{"visibility": "PRIVATE", "title": "s3cret-title"})
		id := text(ev["id"])
		big := strings.Repeat("x", 1<<20)
		cases := []struct {
			name           string
			user           string
			method, path   string
			body           any
			headers        []string
			status         int
			reason, errors string // errors: a location that must be named
		}{
			{"no token", "", "GET", "/events", nil, nil, 401, "unauthenticated", ""},
			{"unknown token", "nobody", "GET", "/events", nil, nil, 401, "unauthenticated", ""},
			{"unknown route", "alice", "GET", "/nothing", nil, nil, 404, "not_found", ""},
			{"wrong method", "alice", "PUT", "/events", nil, nil, 405, "method_not_allowed", ""},
			{"broken JSON", "alice", "POST", "/events", `{"title":`, nil, 400, "malformed_json", ""},
			{"another content type", "alice", "POST", "/events", "title=x", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, "unsupported_media_type", ""},
			{"oversized body", "alice", "POST", "/events", `{"title":"` + big + big + `"}`, nil, 413, "body_too_large", ""},
			{"1 MiB title", "alice", "POST", "/events", `{"title":"` + big[:1<<20-200] + `","start_at":"2030-01-15T10:00:00Z","end_at":"2030-01-15T11:00:00Z"}`, nil, 422, "invalid_input", "body.title"},
			{"wrong type", "alice", "POST", "/events", booking(object{"title": 5}), nil, 422, "invalid_input", "body.title"},
			{"unknown field", "alice", "POST", "/events", booking(object{"s3cret": 1}), nil, 422, "invalid_input", "body.s3cret"},
			{"missing title", "alice", "POST", "/events", booking(object{"title": nil}), nil, 422, "invalid_input", "body.title"},
			{"ends before it starts", "alice", "POST", "/events", booking(object{"end_at": nextMonday.Format(time.RFC3339)}), nil, 422, "invalid_input", "body.end_at"},
			{"unknown time zone", "alice", "POST", "/events", booking(object{"time_zone": "Mars/Olympus"}), nil, 422, "invalid_input", "body.time_zone"},
			{"NUL", "alice", "POST", "/events", booking(object{"title": "a\x00b"}), nil, 422, "invalid_text", "body.title"},
			{"line break in a title", "alice", "POST", "/events", booking(object{"title": "a\r\nSTATUS:CANCELLED"}), nil, 422, "invalid_input", "body.title"},
			{"line break in a name", "alice", "POST", "/events", booking(object{"attendees": []object{{"email": "g@outside.example", "name": "a\r\nBcc: x@y"}}}), nil, 422, "invalid_input", "body.attendees[0].name"},
			{"no address", "alice", "POST", "/events", booking(object{"attendees": []object{{"email": "s3cret"}}}), nil, 422, "invalid_input", "body.attendees[0].email"},
			{"too long", "alice", "POST", "/events", booking(object{"end_at": nextMonday.AddDate(2, 0, 0).Format(time.RFC3339)}), nil, 422, "invalid_input", "body.end_at"},
			{"before 1970", "alice", "POST", "/events", booking(object{"start_at": "1969-01-01T00:00:00Z", "end_at": "1969-01-01T01:00:00Z"}), nil, 422, "invalid_input", "body.start_at"},
			{"unknown resource", "alice", "POST", "/events", booking(object{"resource_ids": []string{"s3cret"}}), nil, 422, "unknown_resource", ""},
			{"recurrence", "alice", "POST", "/events", booking(object{"recurrence": "FREQ=DAILY"}), nil, 422, "recurrence_unsupported", ""},
			{"unknown event", "alice", "GET", "/events/0197aaaa-0000-7000-8000-000000000000", nil, nil, 404, "not_found", ""},
			{"no id at all", "alice", "GET", "/events/%00", nil, nil, 422, "invalid_text", ""},
			{"somebody's hidden event", "bob", "GET", "/events/" + id, nil, nil, 404, "not_found", ""},
			{"no If-Match", "alice", "PATCH", "/events/" + id, object{"title": "x"}, nil, 428, "if_match_required", ""},
			{"wrong If-Match", "alice", "PATCH", "/events/" + id, object{"title": "x"}, []string{`If-Match: "v99"`}, 412, "version_mismatch", ""},
			{"nonsense If-Match", "alice", "DELETE", "/events/" + id, nil, []string{"If-Match: s3cret"}, 412, "version_mismatch", ""},
			{"bad cursor", "alice", "GET", "/events?from=2030-01-01T00:00:00Z&to=2030-02-01T00:00:00Z&cursor=s3cret", nil, nil, 422, "invalid_cursor", ""},
			{"bad limit", "alice", "GET", "/events?from=2030-01-01T00:00:00Z&to=2030-02-01T00:00:00Z&limit=9999", nil, nil, 422, "invalid_input", "query.limit"},
			{"acting for a stranger", "alice", "GET", "/events?from=2030-01-01T00:00:00Z&to=2030-02-01T00:00:00Z", nil, []string{"X-Act-As-User: exec"}, 403, "not_delegated", ""},
			{"a delegation to oneself", "alice", "POST", "/delegations", object{"delegatee_id": "alice", "permissions": []string{"EDIT"}}, nil, 422, "invalid_input", "body.delegatee_id"},
			{"an unknown permission", "alice", "POST", "/delegations", object{"delegatee_id": "bob", "permissions": []string{"s3cret"}}, nil, 422, "invalid_input", "body.permissions[0]"},
			{"a decision that is none", "alice", "POST", "/approval-instances/x/act", object{"action": "s3cret"}, nil, 422, "invalid_input", "body.action"},
			{"a decision on nothing", "alice", "POST", "/approval-instances/x/act", object{"action": "approve"}, nil, 404, "not_found", ""},
			{"a clock going back", "alice", "POST", "/demo/clock", object{"advance": "-1h"}, nil, 422, "invalid_input", "body.advance"},
			{"inbound mail without a token", "", "POST", "/rsvp/inbound", "From: a@b", []string{"Content-Type: message/rfc822"}, 401, "unauthenticated", ""},
			{"inbound mail of 11 MiB", "", "POST", "/rsvp/inbound", strings.Repeat(big, 11), []string{"Content-Type: message/rfc822", "Authorization: Bearer demo-inbound"}, 413, "body_too_large", ""},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				a := r.call(t, c.user, c.method, c.path, c.body, c.headers...)
				if a.status != c.status || !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
					t.Fatalf("status %d, %s, want %d: %.300s", a.status, a.header.Get("Content-Type"), c.status, a.body)
				}
				var p problem
				a.decode(t, &p)
				if p.Reason != c.reason || p.Status != c.status || p.Detail == "" {
					t.Errorf("reason %q, want %q: %s", p.Reason, c.reason, a.body)
				}
				if strings.Contains(string(a.body), "s3cret") && !strings.Contains(c.errors, "s3cret") {
					t.Errorf("the answer repeats what was sent or is hidden: %s", a.body)
				}
				found := c.errors == ""
				for _, e := range p.Errors {
					found = found || e.Location == c.errors
				}
				if !found {
					t.Errorf("no error at %s: %s", c.errors, a.body)
				}
			})
		}
		if log := r.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "s3cret-title") {
			t.Errorf("the log:\n%s", log)
		}
	})
}

// TestOtherTenant: nothing of one organisation is there for another, whatever id is asked for.
func TestOtherTenant(t *testing.T) {
	for name, pair := range twoTenants(t) {
		t.Run(name, func(t *testing.T) {
			mine, other := pair[0], pair[1]
			ev := mine.book(t, "alice", object{"resource_ids": []string{"room-large"}})
			for _, path := range []string{"/events/" + text(ev["id"]), "/events/" + text(ev["id"]) + "/event.ics", "/approval-instances/" + text(ev["approval_id"])} {
				for _, user := range []string{"alice", "admin", "manager"} {
					if a := other.call(t, user, http.MethodGet, path, nil); a.status != http.StatusNotFound {
						t.Errorf("%s as %s of the other tenant: %d %s", path, user, a.status, a.body)
					}
				}
			}
			if a := other.call(t, "admin", http.MethodGet, "/audit?target_id="+text(ev["id"]), nil); strings.Contains(string(a.body), text(ev["id"])) {
				t.Errorf("the other tenant's audit names the event: %s", a.body)
			}
			sub := mine.ok(t, http.StatusCreated, "manager", http.MethodPost, "/approval-substitutes", object{"substitute_id": "hr"})
			mine.ok(t, http.StatusOK, "admin", http.MethodPut, "/approval-policies/purchase", object{"rules": []object{{"fact": "amount", "present": true, "reason": "amount"}}})
			other.refused(t, http.StatusNotFound, "not_found", "admin", http.MethodDelete, "/approval-substitutes/"+text(sub["id"]), nil)
			other.refused(t, http.StatusNotFound, "not_found", "manager", http.MethodPost, "/approval-instances/"+text(ev["approval_id"])+"/act", object{"action": "approve"})
			if got := other.items(t, "admin", "/approval-substitutes?person_id=manager", "id"); len(got) != 0 {
				t.Errorf("the other tenant's substitutes: %v", got)
			}
			if got := other.items(t, "admin", "/approval-policies/purchase/versions", "version"); len(got) != 0 {
				t.Errorf("the other tenant's policies: %v", got)
			}
			// The same room id is another room over there.
			other.book(t, "alice", object{"resource_ids": []string{"room-large"}})
		})
	}
}
