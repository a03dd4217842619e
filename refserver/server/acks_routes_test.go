package server_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAckRoutes is every row of phase 1 of seed 002, with each of its codes.
func TestAckRoutes(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		booking := r.largeRoom(t, "alice", 1)
		asked, canceled, deleted := r.ask(t, "alice", nil), r.ask(t, "alice", nil), r.ask(t, "alice", nil)
		id, message := text(asked["id"]), text(asked["messageId"])
		if asked["state"] != "open" || text(asked["requiredUserIds"]) != "[bob]" || text(asked["acks"]) != "[]" || text(asked["links"]) != "[]" || asked["dueAt"] != nil || asked["roomId"] != "general" {
			t.Errorf("%v", asked)
		}
		request := func(o object) string { return "/chat-ack-requests/" + text(o["id"]) }
		r.ok(t, http.StatusOK, "alice", http.MethodPost, request(canceled)+"/cancel", object{"reason": "moot"})
		r.ok(t, http.StatusOK, "alice", http.MethodPost, request(canceled)+"/cancel", nil) // again does no harm
		r.ok(t, http.StatusOK, "alice", http.MethodDelete, "/chat-messages/"+text(deleted["messageId"]), nil)
		target := object{"targetTable": "approval_instances", "targetId": booking}
		to := func(with object) object {
			o := object{"targetTable": "approval_instances", "targetId": booking}
			maps.Copy(o, with)
			return o
		}
		const links = "/chat-ack-links"
		template := object{"flowType": "booking", "actionKey": "reject", "messageBody": "Rejected.", "requiredUserIds": []string{"bob"}}
		tied := r.ok(t, http.StatusCreated, "mgmt", http.MethodPost, links, to(object{"messageId": message}))
		if tied["ackRequestId"] != id || tied["messageId"] != message || tied["targetId"] != booking || tied["createdBy"] != "mgmt" {
			t.Errorf("%v", tied)
		}
		newer := r.ask(t, "alice", nil)
		r.ok(t, http.StatusCreated, "admin", http.MethodPost, links, to(object{"ackRequestId": newer["id"]}))

		for _, c := range []struct {
			status             int
			reason             string
			user, method, path string
			body               any
		}{
			{400, "MISSING_QUERY", "mgmt", "GET", links, nil},
			{400, "INVALID_QUERY", "mgmt", "GET", links + "?targetId=" + booking, nil},
			{400, "INVALID_QUERY", "mgmt", "GET", links + "?targetTable=approval_instances", nil},
			{400, "INVALID_QUERY", "mgmt", "GET", links + "?messageId=" + message + "&limit=0", nil},
			{400, "INVALID_QUERY", "mgmt", "GET", links + "?messageId=" + message + "&limit=201", nil},
			{400, "INVALID_QUERY", "mgmt", "GET", links + "?messageId=" + message + "&limit=ten", nil},
			{400, "INVALID_TARGET_TABLE", "mgmt", "GET", links + "?targetTable=invoices&targetId=1", nil},
			{403, "FORBIDDEN", "bob", "GET", links + "?targetTable=approval_instances&targetId=" + booking, nil},
			{400, "INVALID_INPUT", "mgmt", "POST", links, target},
			{400, "INVALID_INPUT", "mgmt", "POST", links, object{"ackRequestId": id, "targetTable": "approval_instances"}},
			{400, "INVALID_INPUT", "mgmt", "POST", links, object{}},
			{400, "INVALID_INPUT", "mgmt", "POST", links, "{"},
			{400, "INVALID_INPUT", "mgmt", "POST", links, to(object{"ackRequestId": 1})},
			{400, "INVALID_TARGET_TABLE", "mgmt", "POST", links, to(object{"ackRequestId": id, "targetTable": "invoices"})},
			{404, "NOT_FOUND", "mgmt", "POST", links, to(object{"ackRequestId": "nothing"})},
			{404, "NOT_FOUND", "mgmt", "POST", links, to(object{"messageId": "nothing"})},
			{404, "NOT_FOUND", "mgmt", "POST", links, to(object{"ackRequestId": deleted["id"]})},
			{404, "TARGET_NOT_FOUND", "mgmt", "POST", links, to(object{"ackRequestId": id, "targetId": "nothing"})},
			{409, "ACK_REQUEST_CANCELED", "mgmt", "POST", links, to(object{"ackRequestId": canceled["id"]})},
			{409, "DUPLICATE_LINK", "mgmt", "POST", links, to(object{"ackRequestId": id})},
			{403, "FORBIDDEN", "alice", "POST", links, to(object{"ackRequestId": id})},
			{403, "FORBIDDEN", "manager", "DELETE", links + "/" + text(tied["id"]), nil},
			{404, "NOT_FOUND", "mgmt", "DELETE", links + "/nothing", nil},
			{404, "NOT_FOUND", "mgmt", "GET", "/chat-ack-requests/nothing", nil},
			{404, "NOT_FOUND", "hr", "GET", request(asked), nil}, // not hr's
			{403, "NOT_REQUIRED", "hr", "POST", request(asked) + "/ack", nil},
			{403, "NOT_REQUIRED", "alice", "POST", request(asked) + "/revoke", nil},
			{409, "CANCELED", "bob", "POST", request(canceled) + "/ack", nil},
			{409, "CANCELED", "bob", "POST", request(canceled) + "/revoke", nil},
			{403, "FORBIDDEN", "bob", "POST", request(asked) + "/cancel", nil},
			{409, "STALE_MESSAGE", "bob", "POST", request(asked) + "/ack", object{"revision": 7}},
			{409, "MESSAGE_DELETED", "bob", "POST", request(deleted) + "/ack", nil},
			{404, "NOT_FOUND", "bob", "POST", "/chat-ack-requests/nothing/ack", nil},
			{400, "INVALID_REQUIRED_USERS", "alice", "POST", "/chat-ack-requests", object{"message": object{"roomId": "general", "body": "x"}}},
			{400, "INVALID_REQUIRED_USERS", "alice", "POST", "/chat-ack-requests/preview", object{"message": object{"roomId": "general", "body": "x"}, "requiredUserIds": []string{"nobody"}}},
			{400, "INVALID_INPUT", "alice", "POST", "/chat-ack-requests", object{"requiredUserIds": []string{"bob"}}},
			{400, "INVALID_INPUT", "alice", "POST", "/chat-ack-requests", object{"message": object{"roomId": "general", "body": "x"}, "requiredUserIds": []string{"bob"}, "dueAt": "soon"}},
			{409, "DUPLICATE_REQUEST", "alice", "POST", "/chat-ack-requests", object{"messageId": message, "requiredUserIds": []string{"bob"}}},
			{403, "FORBIDDEN", "manager", "GET", "/chat-ack-templates", nil},
			{403, "FORBIDDEN", "manager", "POST", "/chat-ack-templates", template},
			{400, "INVALID_INPUT", "mgmt", "POST", "/chat-ack-templates", object{"flowType": "booking"}},
			{404, "NOT_FOUND", "mgmt", "PATCH", "/chat-ack-templates/nothing", object{"isEnabled": false}},
		} {
			r.refused(t, c.status, c.reason, c.user, c.method, c.path, c.body)
		}

		// Links are read by those who take part, newest first, up to a limit.
		both := []string{text(newer["id"]), id}
		for _, user := range []string{"alice", "manager", "mgmt", "admin"} {
			if got := r.items(t, user, links+"?targetTable=approval_instances&targetId="+booking, "ackRequestId"); !slices.Equal(got, both) {
				t.Errorf("%s reads %v", user, got)
			}
		}
		if got := r.items(t, "alice", links+"?targetTable=approval_instances&limit=1&targetId="+booking, "ackRequestId"); !slices.Equal(got, both[:1]) {
			t.Errorf("the newest is %v", got)
		}
		for _, query := range []string{"?ackRequestId=" + id, "?messageId=" + message} {
			if got := r.items(t, "alice", links+query, "id"); !slices.Equal(got, []string{text(tied["id"])}) {
				t.Errorf("%s: %v", query, got)
			}
		}
		// Acknowledging and taking back do no harm twice.
		for _, step := range []struct{ verb, state string }{{"ack", "completed"}, {"ack", "completed"}, {"revoke", "open"}, {"revoke", "open"}} {
			if got := r.ok(t, http.StatusOK, "bob", http.MethodPost, request(asked)+"/"+step.verb, nil); got["state"] != step.state {
				t.Errorf("%s: %v", step.verb, got)
			}
		}
		if got := r.ok(t, http.StatusOK, "mgmt", http.MethodDelete, links+"/"+text(tied["id"]), nil); got["ok"] != true {
			t.Errorf("%v", got)
		}
		for _, action := range []string{"chat_ack_link_created", "chat_ack_link_deleted"} {
			if got := r.items(t, "admin", "/audit?action="+action+"&target_id="+id, "actor_id"); !slices.Equal(got, []string{"mgmt"}) {
				t.Errorf("%s by %v", action, got)
			}
		}
		// Templates are retired, not deleted.
		made := r.ok(t, http.StatusCreated, "mgmt", http.MethodPost, "/chat-ack-templates", template)
		if off := r.ok(t, http.StatusOK, "mgmt", http.MethodPatch, "/chat-ack-templates/"+text(made["id"]), object{"isEnabled": false}); off["isEnabled"] != false || off["messageBody"] != "Rejected." {
			t.Errorf("%v", off)
		}
		r.ok(t, http.StatusOK, "manager", http.MethodPost, "/approval-instances/"+booking+"/act", object{"action": "reject", "reason": "no"})
		if got := r.items(t, "admin", "/audit?action=chat_ack_template_applied", "target_id"); len(got) != 0 {
			t.Errorf("a retired template is applied to %v", got)
		}
	})
}

// TestAckReminders: after dueAt those who are missing are reminded, and nobody else; at its time it is escalated, once; a
// late acknowledgement completes.
func TestAckReminders(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		asked := r.ask(t, "alice", object{
			"requiredUserIds": []string{"bob", "secretary", "alice"}, "dueAt": time.Now().Add(time.Hour), "escalationAfterHours": 30, "escalationUserIds": []string{"mgmt"},
		})
		path := "/chat-ack-requests/" + text(asked["id"])
		r.ok(t, http.StatusOK, "bob", http.MethodPost, path+"/ack", nil)
		told := func(template string, want ...string) {
			t.Helper()
			got := r.items(t, "admin", "/notices?template=ackflow."+template, "recipient")
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s to %v, want %v", template, got, want)
			}
		}
		advance := func(by, state string) {
			t.Helper()
			r.ok(t, http.StatusOK, "admin", http.MethodPost, "/demo/clock", object{"advance": by})
			if got := r.ok(t, http.StatusOK, "alice", http.MethodGet, path, nil); got["state"] != state {
				t.Errorf("after %s %v", by, got["state"])
			}
		}
		told("requested", "bob", "secretary")
		advance("59m", "open")
		told("reminder")
		advance("2m", "expired")
		told("reminder", "alice", "secretary") // the author is asked, too
		r.ok(t, http.StatusOK, "alice", http.MethodPost, path+"/ack", nil)
		advance("24h", "expired")
		told("reminder", "alice", "secretary", "secretary")
		told("escalated")
		advance("6h", "expired")
		told("escalated", "mgmt")
		advance("100h", "expired")
		told("escalated", "mgmt")
		told("stand_in", "manager") // the manager of who is missing, from the third reminder on
		if late := r.ok(t, http.StatusOK, "secretary", http.MethodPost, path+"/ack", nil); late["state"] != "completed" {
			t.Errorf("late: %v", late)
		}
		sent := len(r.items(t, "admin", "/notices?limit=200", "id"))
		advance("100h", "completed")
		if now := len(r.items(t, "admin", "/notices?limit=200", "id")); now != sent {
			t.Errorf("%d notices after the end", now-sent)
		}
		story := strings.Join(r.items(t, "admin", "/audit?limit=200&target_id="+text(asked["id"]), "action"), " ")
		if !strings.Contains(story, "chat_ack_reminder_sent") || !strings.Contains(story, "chat_ack_escalated") {
			t.Errorf("the story is %s", story)
		}
	})
}
