package ackflowhttp_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/web"
)

func TestRequestShape(t *testing.T) {
	s := newServer(t)
	body := asking("bob", "carol")
	body["dueAt"], body["remindIntervalHours"], body["escalationAfterHours"] = "2030-01-15T10:00:00+09:00", 12, 48
	body["escalationRoles"] = []string{"mgmt"}
	body["requiredGroupIds"] = []string{"sales"}
	code, got := s.call(t, "alice", "POST", "/chat-ack-requests", body)
	if code != 201 {
		t.Fatal(code, got)
	}
	const members = "ackedCount acks cancelReason canceledAt canceledBy completedAt createdAt createdBy dueAt escalationAfterHours escalationGroupIds " +
		"escalationRoles escalationUserIds id links message messageId remindIntervalHours requestedGroupIds requestedRoles requestedUserIds " +
		"requiredCount requiredUserIds roomId state templateId"
	if keys(got) != members {
		t.Errorf("members %s", keys(got))
	}
	for k, want := range map[string]string{
		"roomId": "general", "requiredUserIds": "[bob carol]", "requestedUserIds": "[bob carol]", "requestedGroupIds": "[sales]", "acks": "[]", "links": "[]",
		"state": "open", "dueAt": "2030-01-15T01:00:00Z", "remindIntervalHours": "12", "escalationAfterHours": "48", "escalationRoles": "[mgmt]",
		"escalationUserIds": "[]", "createdBy": "alice", "templateId": "<nil>", "canceledAt": "<nil>", "completedAt": "<nil>",
		"requiredCount": "2", "ackedCount": "0",
	} {
		if v := fmt.Sprint(got[k]); v != want {
			t.Errorf("%s: %s, want %s", k, v, want)
		}
	}
	message, _ := got["message"].(object)
	if keys(message) != "authorId body createdAt deletedAt id revision roomId updatedAt url" || message["id"] != got["messageId"] ||
		message["url"] != "https://renkei.example/chat/"+to[string](message["id"]) {
		t.Errorf("message %v", message)
	}
	again := s.ok(t, 200, "bob", "GET", "/chat-ack-requests/"+to[string](got["id"]), nil)
	if fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("read   %v\nposted %v", again, got)
	}
}

func TestAskIsRefused(t *testing.T) {
	s := newServer(t)
	_, message := s.ask(t, "alice", "bob")
	own := to[string](s.ok(t, 201, "alice", "POST", "/chat-messages", object{"roomId": "r", "body": "b"})["id"])
	gone := to[string](s.ok(t, 201, "alice", "POST", "/chat-messages", object{"roomId": "r", "body": "b"})["id"])
	s.ok(t, 200, "alice", "DELETE", "/chat-messages/"+gone, nil)
	with := func(change object) object {
		b := asking("bob")
		maps.Copy(b, change)
		return b
	}
	many := make([]string, 501)
	for i := range many {
		many[i] = fmt.Sprint("u", i)
	}
	for _, c := range []struct {
		who    string
		status int
		code   string
		body   any
	}{
		{"alice", 400, "INVALID_INPUT", `{`},
		{"alice", 400, "INVALID_INPUT", `[]`},
		{"alice", 400, "INVALID_INPUT", object{"requiredUserIds": []string{"bob"}}},
		{"alice", 400, "INVALID_INPUT", with(object{"messageId": own})},
		{"alice", 400, "INVALID_INPUT", with(object{"requiredUserIds": "bob"})},
		{"alice", 400, "INVALID_INPUT", with(object{"requiredUserIds": []any{1}})},
		{"alice", 400, "INVALID_INPUT", with(object{"requiredUserIds": many})},
		{"alice", 400, "INVALID_INPUT", with(object{"dueAt": "tomorrow"})},
		{"alice", 400, "INVALID_INPUT", with(object{"dueAt": "2300-01-01T00:00:00Z"})},
		{"alice", 400, "INVALID_INPUT", with(object{"remindIntervalHours": 0})},
		{"alice", 400, "INVALID_INPUT", with(object{"remindIntervalHours": 1 << 40})},
		{"alice", 400, "INVALID_INPUT", with(object{"escalationAfterHours": -1})},
		{"alice", 400, "INVALID_INPUT", with(object{"message": object{"roomId": "r", "body": ""}})},
		{"alice", 400, "INVALID_INPUT", with(object{"message": object{"roomId": "", "body": "b"}})},
		{"alice", 400, "INVALID_INPUT", with(object{"message": object{"roomId": "r", "body": strings.Repeat("あ", 20001)}})},
		{"alice", 400, "INVALID_INPUT", with(object{"message": object{"roomId": "r", "body": "a\u0000b"}})},
		{"alice", 400, "INVALID_INPUT", with(object{"unknown": 1})},
		{"alice", 400, "INVALID_REQUIRED_USERS", with(object{"requiredUserIds": []string{}})},
		{"alice", 400, "INVALID_REQUIRED_USERS", with(object{"requiredUserIds": nil})},
		{"alice", 400, "INVALID_REQUIRED_USERS", with(object{"requiredUserIds": []string{"bob", "stranger"}})},
		{"alice", 400, "INVALID_REQUIRED_USERS", with(object{"requiredUserIds": []string{"gone"}})},
		{"alice", 400, "INVALID_ESCALATION_USERS", with(object{"escalationUserIds": []string{"stranger"}, "escalationAfterHours": 1})},
		{"alice", 404, "NOT_FOUND", object{"messageId": "nothing", "requiredUserIds": []string{"bob"}}},
		{"bob", 404, "NOT_FOUND", object{"messageId": own, "requiredUserIds": []string{"bob"}}},
		{"alice", 409, "DUPLICATE_REQUEST", object{"messageId": message, "requiredUserIds": []string{"bob"}}},
		{"alice", 409, "MESSAGE_DELETED", object{"messageId": gone, "requiredUserIds": []string{"bob"}}},
		{"", 401, "unauthenticated", asking("bob")},
	} {
		s.refused(t, c.status, c.code, c.who, "POST", "/chat-ack-requests", c.body)
		s.refused(t, c.status, c.code, c.who, "POST", "/chat-ack-requests/preview", c.body) // the dry run refuses the same
	}
	bad := s.refused(t, 400, "INVALID_REQUIRED_USERS", "alice", "POST", "/chat-ack-requests", asking("bob", "stranger"))
	if fmt.Sprint(bad["details"]) != "map[reason:required_users_invalid userIds:[stranger]]" {
		t.Errorf("%v", bad["details"])
	}
	bad = s.refused(t, 400, "INVALID_INPUT", "alice", "POST", "/chat-ack-requests", with(object{"message": object{"roomId": "r", "body": ""}}))
	if got := fmt.Sprint(bad["errors"]); got != "[map[location:body.message.body message:is required]]" ||
		fmt.Sprint(to[object](bad["error"])["details"]) != "map[errors:"+got+"]" {
		t.Errorf("%v", bad)
	}
	if code, got := s.call(t, "alice", "POST", "/chat-ack-requests", object{"messageId": own, "requiredUserIds": []string{"bob"}, "dueAt": nil, "escalationAfterHours": nil}); code != 201 {
		t.Errorf("with nulls: %d %v", code, got)
	}
}

func TestAckRevokeCancel(t *testing.T) {
	s := newServer(t)
	id, message := s.ask(t, "alice", "bob", "carol")
	path := "/chat-ack-requests/" + id
	for range 2 { // idempotent
		got := s.ok(t, 200, "bob", "POST", path+"/ack", nil)
		acks, _ := got["acks"].([]any)
		if len(acks) != 1 || keys(to[object](acks[0])) != "ackedAt ackedBy revision userId" || to[object](acks[0])["userId"] != "bob" || got["state"] != "open" {
			t.Fatalf("%v", got)
		}
	}
	s.refused(t, 409, "STALE_MESSAGE", "carol", "POST", path+"/ack", object{"revision": 2})
	if got := s.ok(t, 200, "carol", "POST", path+"/ack", object{"revision": 1}); got["state"] != "completed" || got["completedAt"] == nil {
		t.Errorf("%v", got)
	}
	for range 2 {
		if got := s.ok(t, 200, "bob", "POST", path+"/revoke", object{}); got["state"] != "open" || len(to[[]any](got["acks"])) != 1 {
			t.Errorf("%v", got)
		}
	}
	for _, verb := range []string{"/ack", "/revoke"} {
		s.refused(t, 403, "NOT_REQUIRED", "dave", "POST", path+verb, nil)
		s.refused(t, 403, "NOT_REQUIRED", "alice", "POST", path+verb, nil)
		s.refused(t, 404, "NOT_FOUND", "bob", "POST", "/chat-ack-requests/nothing"+verb, nil)
		s.refused(t, 404, "NOT_FOUND", "bob@other", "POST", path+verb, nil)
	}
	s.refused(t, 400, "INVALID_INPUT", "bob", "POST", path+"/ack", object{"revision": "one"})
	s.refused(t, 403, "FORBIDDEN", "bob", "PATCH", "/chat-messages/"+message, object{"body": "other"})
	s.refused(t, 404, "NOT_FOUND", "dave", "PATCH", "/chat-messages/"+message, object{"body": "other"})
	if got := s.ok(t, 200, "alice", "PATCH", "/chat-messages/"+message, object{"body": "It moves on Tuesday."}); got["revision"] != 2.0 {
		t.Errorf("%v", got)
	}
	if got := s.ok(t, 200, "alice", "GET", path, nil); len(to[[]any](got["acks"])) != 0 {
		t.Errorf("acknowledgements of what it said before: %v", got["acks"])
	}
	s.refused(t, 403, "FORBIDDEN", "bob", "POST", path+"/cancel", nil)
	s.refused(t, 404, "NOT_FOUND", "alice", "POST", "/chat-ack-requests/nothing/cancel", nil)
	for range 2 {
		got := s.ok(t, 200, "alice", "POST", path+"/cancel", object{"reason": "a mistake"})
		if got["state"] != "canceled" || got["canceledBy"] != "alice" || got["cancelReason"] != "a mistake" {
			t.Errorf("%v", got)
		}
	}
	s.refused(t, 409, "CANCELED", "bob", "POST", path+"/ack", nil)
	s.refused(t, 409, "CANCELED", "bob", "POST", path+"/revoke", nil)
	second, _ := s.ask(t, "alice", "bob")
	s.ok(t, 200, "mgmt", "POST", "/chat-ack-requests/"+second+"/cancel", nil)
	third, message := s.ask(t, "alice", "bob")
	s.ok(t, 200, "alice", "DELETE", "/chat-messages/"+message, nil)
	s.refused(t, 409, "MESSAGE_DELETED", "bob", "POST", "/chat-ack-requests/"+third+"/ack", nil)
	if got := to[object](s.ok(t, 200, "bob", "GET", "/chat-ack-requests/"+third, nil)["message"]); got["body"] != "" || got["deletedAt"] == nil {
		t.Errorf("%v", got)
	}
	if n := len(s.ledger.Lines(t, "audit", "chat_ack_added")); n != 2 {
		t.Errorf("%d audit entries for two acknowledgements", n)
	}
}

func TestList(t *testing.T) {
	s := newServer(t)
	var all []string
	for range 5 {
		id, _ := s.ask(t, "alice", "bob", "alice")
		all = append([]string{id}, all...)
	}
	s.ok(t, 200, "bob", "POST", "/chat-ack-requests/"+all[0]+"/ack", nil)
	s.ok(t, 200, "alice", "POST", "/chat-ack-requests/"+all[0]+"/ack", nil)
	s.ok(t, 200, "bob", "POST", "/chat-ack-requests/"+all[1]+"/ack", nil)
	s.ok(t, 200, "alice", "POST", "/chat-ack-requests/"+all[2]+"/cancel", nil)
	list := func(who, query string) []string {
		var got []string
		for path := "/chat-ack-requests?limit=2" + query; ; {
			page := s.ok(t, 200, who, "GET", path, nil)
			for _, i := range items(t, page) {
				got = append(got, to[string](i["id"]))
			}
			next, ok := page["nextCursor"].(string)
			if !ok {
				return got
			}
			path = "/chat-ack-requests?limit=2" + query + "&cursor=" + next
		}
	}
	for _, c := range []struct {
		who, query string
		want       []string
	}{
		{"bob", "", all}, {"bob", "&role=required", all}, {"bob", "&acked=true", all[:2]}, {"bob", "&acked=false&state=open", all[3:]},
		{"bob", "&acked=false", all[2:]}, {"bob", "&state=completed", all[:1]}, {"bob", "&state=canceled", all[2:3]}, {"bob", "&state=expired", nil},
		{"alice", "&role=creator", all}, {"alice", "&role=creator&state=open", []string{all[1], all[3], all[4]}},
		{"bob", "&role=creator", nil}, {"dave", "", nil}, {"bob@other", "", nil},
	} {
		if got := list(c.who, c.query); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %v, want %v", c.who, c.query, got, c.want)
		}
	}
	for _, query := range []string{"role=boss", "state=lost", "acked=maybe", "role=creator&acked=true", "limit=0", "cursor=junk"} {
		s.refused(t, 400, "INVALID_QUERY", "bob", "GET", "/chat-ack-requests?"+query, nil)
	}
	item := items(t, s.ok(t, 200, "bob", "GET", "/chat-ack-requests?acked=true&state=open", nil))[0]
	if item["ackedAt"] == nil || item["state"] != "open" || item["ackedCount"] != 1.0 || to[object](item["message"])["body"] != "The office moves on Monday." {
		t.Errorf("%v", item)
	}
}

func TestPreviewAndMessages(t *testing.T) {
	s := newServer(t)
	body := object{
		"message": object{"roomId": "r", "body": "b"}, "requiredUserIds": []string{"dave", "bob"}, "requiredGroupIds": []string{"sales"}, "requiredRoles": []string{"mgmt"},
		"dueAt": "2030-01-01T00:00:00Z", "escalationAfterHours": 24, "escalationUserIds": []string{"exec"},
	}
	got := s.ok(t, 200, "alice", "POST", "/chat-ack-requests/preview", body)
	for k, want := range map[string]string{
		"requiredUserIds": "[dave bob carol mgmt]", "requiredCount": "4", "dueAt": "2030-01-01T00:00:00Z", "remindAt": "2030-01-01T00:00:00Z",
		"escalateAt": "2030-01-02T00:00:00Z", "remindIntervalHours": "24",
		"required": "[map[name:dave userId:dave via:[user]] map[name:bob userId:bob via:[user group:sales]] " +
			"map[name:carol userId:carol via:[group:sales]] map[name:mgmt userId:mgmt via:[role:mgmt]]]",
		"escalation": "[map[name:exec userId:exec via:[user]]]",
	} {
		if v := fmt.Sprint(got[k]); v != want {
			t.Errorf("%s: %s, want %s", k, v, want)
		}
	}
	if n := len(s.ledger.Lines(t, "audit", "")); n != 0 {
		t.Errorf("the dry run left %d audit entries", n)
	}
	m := s.ok(t, 201, "alice", "POST", "/chat-messages", object{"roomId": "r", "body": "b"})
	if l := s.ledger.Lines(t, "audit", "chat_message_posted"); len(l) != 1 || l[0].Who != "alice" {
		t.Errorf("%+v", l)
	}
	path := "/chat-messages/" + to[string](m["id"])
	s.ok(t, 200, "alice", "GET", path, nil)
	s.ok(t, 200, "mgmt", "GET", path, nil)
	s.refused(t, 404, "NOT_FOUND", "bob", "GET", path, nil)
	s.refused(t, 404, "NOT_FOUND", "bob", "DELETE", path, nil)
	s.refused(t, 404, "NOT_FOUND", "mgmt@other", "GET", path, nil)
	s.refused(t, 400, "INVALID_INPUT", "alice", "POST", "/chat-messages", object{"roomId": "r"})
	s.refused(t, 400, "INVALID_INPUT", "alice", "PATCH", path, object{"body": ""})
	s.refused(t, 403, "FORBIDDEN", "mgmt", "PATCH", path, object{"body": "other"})
	for range 2 {
		s.ok(t, 200, "mgmt", "DELETE", path, nil)
	}
	s.refused(t, 409, "MESSAGE_DELETED", "alice", "PATCH", path, object{"body": "other"})
}

func TestIdempotencyKey(t *testing.T) {
	s := newServer(t)
	_, first := s.call(t, "alice", "POST", "/chat-ack-requests", asking("bob"), "Idempotency-Key", "k1")
	code, second := s.call(t, "alice", "POST", "/chat-ack-requests", asking("bob"), "Idempotency-Key", "k1")
	if code != 201 || first["id"] != second["id"] {
		t.Errorf("%d %v", code, second)
	}
	code, problem := s.call(t, "alice", "POST", "/chat-ack-requests", asking("carol"), "Idempotency-Key", "k1")
	if code != 422 || problem["reason"] != "idempotency_key_reused" || to[object](problem["error"])["code"] != "idempotency_key_reused" {
		t.Errorf("%d %v", code, problem)
	}
}

func TestAckForSomebody(t *testing.T) {
	s := newServer(t)
	id, _ := s.ask(t, "alice", "exec")
	_, got := s.call(t, "dave", "POST", "/chat-ack-requests/"+id+"/ack", nil, web.HeaderActAs, "exec")
	ack := to[object](to[[]any](got["acks"])[0])
	if got["state"] != "completed" || ack["userId"] != "exec" || ack["ackedBy"] != "dave" {
		t.Errorf("%v", got)
	}
	l := s.ledger.Lines(t, "audit", "chat_ack_added")[0]
	if l.Who != "dave" || !strings.Contains(l.Body, `"SubjectID":"exec"`) || !strings.Contains(l.Body, `"is_proxy":true`) {
		t.Errorf("%+v", l)
	}
}
