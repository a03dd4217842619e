package ackflowhttp_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestLinks(t *testing.T) {
	s := newServer(t)
	id, message := s.ask(t, "dave", "bob")
	s.refused(t, 403, "FORBIDDEN", "alice", "POST", "/chat-ack-links", link(id, "a1"))
	canceled, _ := s.ask(t, "dave", "bob")
	s.ok(t, 200, "dave", "POST", "/chat-ack-requests/"+canceled+"/cancel", nil)
	deleted, gone := s.ask(t, "dave", "bob")
	s.ok(t, 200, "dave", "DELETE", "/chat-messages/"+gone, nil)
	for _, c := range []struct {
		status int
		code   string
		body   any
	}{
		{400, "INVALID_INPUT", object{"targetTable": "approval_instances", "targetId": "a1"}},
		{400, "INVALID_INPUT", object{"ackRequestId": id, "targetId": "a1"}},
		{400, "INVALID_INPUT", object{"ackRequestId": id, "targetTable": "approval_instances"}},
		{400, "INVALID_INPUT", object{"ackRequestId": id, "targetTable": "approval_instances", "targetId": ""}},
		{400, "INVALID_INPUT", object{"ackRequestId": id, "messageId": gone, "targetTable": "approval_instances", "targetId": "a1"}},
		{400, "INVALID_TARGET_TABLE", object{"ackRequestId": id, "targetTable": "invoices", "targetId": "a1"}},
		{404, "NOT_FOUND", link("nothing", "a1")},
		{404, "NOT_FOUND", object{"messageId": "nothing", "targetTable": "approval_instances", "targetId": "a1"}},
		{404, "NOT_FOUND", link(deleted, "a1")},
		{404, "TARGET_NOT_FOUND", link(id, "nothing")},
		{409, "ACK_REQUEST_CANCELED", link(canceled, "a1")},
	} {
		s.refused(t, c.status, c.code, "mgmt", "POST", "/chat-ack-links", c.body)
	}
	if n := len(s.ledger.Lines(t, "audit", "chat_ack_link_created")); n != 0 {
		t.Errorf("%d audit entries for no link", n)
	}
	got := s.ok(t, 201, "mgmt", "POST", "/chat-ack-links", object{
		"messageId": message, "targetTable": "approval_instances", "targetId": "a1", "flowType": "booking", "actionKey": "approve",
	})
	if keys(got) != "ackRequestId actionKey createdAt createdBy flowType id messageId targetId targetTable templateId updatedAt" ||
		got["ackRequestId"] != id || got["messageId"] != message || got["createdBy"] != "mgmt" || got["flowType"] != "booking" || got["templateId"] != nil {
		t.Errorf("%v", got)
	}
	s.refused(t, 409, "DUPLICATE_LINK", "admin", "POST", "/chat-ack-links", link(id, "a1"))
	s.refused(t, 404, "NOT_FOUND", "mgmt@other", "POST", "/chat-ack-links", link(id, "a1"))

	byTarget, byRequest, byMessage := "/chat-ack-links?targetTable=approval_instances&targetId=a1", "/chat-ack-links?ackRequestId="+id, "/chat-ack-links?messageId="+message
	for _, query := range []string{byTarget, byRequest, byMessage} {
		for _, who := range []string{"admin", "mgmt", "alice", "manager"} {
			if list := items(t, s.ok(t, 200, who, "GET", query, nil)); len(list) != 1 || list[0]["id"] != got["id"] {
				t.Errorf("%s by %s: %v", query, who, list)
			}
		}
		s.refused(t, 403, "FORBIDDEN", "bob", "GET", query, nil)
		s.refused(t, 403, "FORBIDDEN", "dave", "GET", query, nil)
		s.refused(t, 403, "FORBIDDEN", "bob@other", "GET", query, nil)
		if list := items(t, s.ok(t, 200, "mgmt@other", "GET", query, nil)); len(list) != 0 {
			t.Errorf("%s shows another tenant's: %v", query, list)
		}
	}
	for query, code := range map[string]string{
		"": "MISSING_QUERY", "?limit=5": "MISSING_QUERY", "?targetTable=approval_instances": "INVALID_QUERY", "?targetId=a1": "INVALID_QUERY",
		"?targetTable=invoices&targetId=1": "INVALID_TARGET_TABLE", "?messageId=x&limit=0": "INVALID_QUERY", "?messageId=x&limit=201": "INVALID_QUERY",
		"?messageId=x&limit=many": "INVALID_QUERY", "?messageId=%ff": "INVALID_QUERY",
	} {
		s.refused(t, 400, code, "mgmt", "GET", "/chat-ack-links"+query, nil)
	}
	// The request shows the links that the caller may read.
	for who, want := range map[string]int{"mgmt": 1, "alice": 1, "bob": 0, "dave": 0} {
		if got := to[[]any](s.ok(t, 200, who, "GET", "/chat-ack-requests/"+id, nil)["links"]); len(got) != want {
			t.Errorf("%s sees %d links", who, len(got))
		}
	}
	s.refused(t, 404, "NOT_FOUND", "carol", "GET", "/chat-ack-requests/"+id, nil)
	path := "/chat-ack-links/" + to[string](got["id"])
	s.refused(t, 403, "FORBIDDEN", "alice", "DELETE", path, nil)
	s.refused(t, 404, "NOT_FOUND", "mgmt@other", "DELETE", path, nil)
	if got := s.ok(t, 200, "mgmt", "DELETE", path, nil); got["ok"] != true || len(got) != 1 {
		t.Errorf("%v", got)
	}
	s.refused(t, 404, "NOT_FOUND", "mgmt", "DELETE", path, nil)
	if list := items(t, s.ok(t, 200, "alice", "GET", byTarget, nil)); len(list) != 0 {
		t.Errorf("%v", list)
	}
	for _, action := range []string{"chat_ack_link_created", "chat_ack_link_deleted"} {
		var targets []string
		for _, l := range s.ledger.Lines(t, "audit", action) {
			targets = append(targets, l.Target)
		}
		if !slices.Equal(targets, []string{"chat_ack_requests/" + id, "approval_instances/a1"}) {
			t.Errorf("%s on %v", action, targets)
		}
	}
}

func TestLinksNewestFirstWithLimit(t *testing.T) {
	s := newServer(t)
	var want []string
	for range 55 {
		id, _ := s.ask(t, "dave", "bob")
		want = append([]string{id}, want...)
		s.ok(t, 201, "mgmt", "POST", "/chat-ack-links", link(id, "a1"))
	}
	for query, n := range map[string]int{"": 50, "&limit=3": 3, "&limit=200": 55} {
		var got []string
		for _, i := range items(t, s.ok(t, 200, "alice", "GET", "/chat-ack-links?targetTable=approval_instances&targetId=a1"+query, nil)) {
			got = append(got, to[string](i["ackRequestId"]))
		}
		if !slices.Equal(got, want[:n]) {
			t.Errorf("%q: %d links", query, len(got))
		}
	}
}

func TestTemplates(t *testing.T) {
	s := newServer(t)
	body := object{"flowType": "booking", "actionKey": "approve", "messageBody": "Rules", "requiredUserIds": []string{"bob"}, "dueInHours": 48, "escalationAfterHours": 24}
	s.refused(t, 403, "FORBIDDEN", "alice", "POST", "/chat-ack-templates", body)
	s.refused(t, 403, "FORBIDDEN", "alice", "GET", "/chat-ack-templates", nil)
	for _, bad := range []object{
		{"flowType": "", "actionKey": "approve", "messageBody": "Rules", "requiredUserIds": []string{"bob"}},
		{"flowType": "booking", "messageBody": "Rules", "requiredUserIds": []string{"bob"}},
		{"flowType": "booking", "actionKey": "approve", "messageBody": "Rules"},
		{"flowType": "booking", "actionKey": "approve", "messageBody": "Rules", "requiredUserIds": []string{"bob"}, "dueInHours": -1},
	} {
		s.refused(t, 400, "INVALID_INPUT", "mgmt", "POST", "/chat-ack-templates", bad)
	}
	got := s.ok(t, 201, "mgmt", "POST", "/chat-ack-templates", body)
	if keys(got) != "actionKey createdAt createdBy dueInHours escalationAfterHours escalationGroupIds escalationRoles escalationUserIds flowType id "+
		"isEnabled messageBody remindIntervalHours requiredGroupIds requiredRoles requiredUserIds updatedAt updatedBy" ||
		got["isEnabled"] != true || got["dueInHours"] != 48.0 || got["remindIntervalHours"] != 24.0 {
		t.Errorf("%v", got)
	}
	path := "/chat-ack-templates/" + to[string](got["id"])
	s.refused(t, 403, "FORBIDDEN", "alice", "PATCH", path, object{"isEnabled": false})
	s.refused(t, 404, "NOT_FOUND", "mgmt", "PATCH", "/chat-ack-templates/nothing", object{"isEnabled": false})
	s.refused(t, 404, "NOT_FOUND", "mgmt@other", "PATCH", path, object{"isEnabled": false})
	s.refused(t, 400, "INVALID_INPUT", "mgmt", "PATCH", path, object{"requiredUserIds": []string{}})
	s.refused(t, 400, "INVALID_INPUT", "mgmt", "PATCH", path, object{"isEnabled": "no"})
	s.refused(t, 400, "INVALID_INPUT", "mgmt", "PATCH", path, object{"dueInHours": "1"})
	changed := s.ok(t, 200, "admin", "PATCH", path, object{"isEnabled": false, "dueInHours": nil, "requiredUserIds": []string{"carol"}})
	if changed["isEnabled"] != false || changed["dueInHours"] != nil || fmt.Sprint(changed["requiredUserIds"]) != "[carol]" ||
		changed["escalationAfterHours"] != 24.0 || changed["messageBody"] != "Rules" || changed["updatedBy"] != "admin" || changed["createdBy"] != "mgmt" {
		t.Errorf("%v", changed)
	}
	if lines := s.ledger.Lines(t, "audit", "chat_ack_template_updated"); !strings.Contains(lines[0].Body, `"before":{"flowType":"booking"`) ||
		!strings.Contains(lines[0].Body, `"requiredUserIds":["bob"]`) || !strings.Contains(lines[0].Body, `"requiredUserIds":["carol"]`) {
		t.Errorf("%s", lines[0].Body)
	}
	if on := s.ok(t, 200, "admin", "PATCH", path, object{"isEnabled": true}); on["isEnabled"] != true {
		t.Errorf("%v", on)
	}
	if still := s.ok(t, 200, "admin", "PATCH", path, object{"isEnabled": nil}); still["isEnabled"] != true {
		t.Errorf("null retires it: %v", still)
	}
	other := maps.Clone(body)
	other["actionKey"] = "reject"
	s.ok(t, 201, "mgmt", "POST", "/chat-ack-templates", other)
	for query, want := range map[string]int{"": 2, "?flowType=booking": 2, "?actionKey=reject": 1, "?flowType=other": 0} {
		if list := items(t, s.ok(t, 200, "mgmt", "GET", "/chat-ack-templates"+query, nil)); len(list) != want {
			t.Errorf("%q: %d", query, len(list))
		}
	}
	first := s.ok(t, 200, "mgmt", "GET", "/chat-ack-templates?limit=1", nil)
	next := s.ok(t, 200, "mgmt", "GET", "/chat-ack-templates?limit=1&cursor="+to[string](first["nextCursor"]), nil)
	if items(t, first)[0]["actionKey"] != "reject" || items(t, next)[0]["id"] != got["id"] || next["nextCursor"] != nil {
		t.Errorf("%v, %v", first, next)
	}
	s.refused(t, 400, "INVALID_QUERY", "mgmt", "GET", "/chat-ack-templates?cursor=junk", nil)
	for action, n := range map[string]int{"chat_ack_template_created": 2, "chat_ack_template_updated": 3} {
		if got := len(s.ledger.Lines(t, "audit", action)); got != n {
			t.Errorf("%d audit entries %s", got, action)
		}
	}
}
