package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/mail/mailtest"
)

// ok calls and wants the status; it returns the body.
func (r rig) ok(t *testing.T, status int, user, method, path string, body any) object {
	t.Helper()
	a := r.call(t, user, method, path, body)
	if a.status != status {
		t.Fatalf("%s %s as %s: %d %s", method, path, user, a.status, a.body)
	}
	var o object
	a.decode(t, &o)
	return o
}

// refused calls and wants a problem, on the routes of seed 002 in both forms. It returns the problem.
func (r rig) refused(t *testing.T, status int, reason, user, method, path string, body any) object {
	t.Helper()
	a := r.call(t, user, method, path, body)
	var p problem
	a.decode(t, &p)
	if a.status != status || p.Status != status || p.Reason != reason || !strings.HasPrefix(a.header.Get("Content-Type"), "application/problem+json") {
		t.Errorf("%s %s as %s: %d %s, want %d %s", method, path, user, a.status, a.body, status, reason)
	}
	if isSeed002(path) && (p.Error.Code != reason || p.Error.Message == "") {
		t.Errorf("%s %s as %s: the older form is missing: %s", method, path, user, a.body)
	}
	var o object
	a.decode(t, &o)
	return o
}

// items returns a member of every item of a list.
func (r rig) items(t *testing.T, user, path, member string) []string {
	t.Helper()
	list, _ := r.ok(t, http.StatusOK, user, http.MethodGet, path, nil)["items"].([]any)
	values := []string{}
	for _, item := range list {
		o, _ := item.(object)
		values = append(values, text(o[member]))
	}
	return values
}

// guarded makes an action policy: approving a booking wants its acknowledgements complete.
func (r rig) guarded(t *testing.T) string {
	t.Helper()
	return text(r.ok(t, http.StatusCreated, "admin", http.MethodPost, "/action-policies", object{
		"flow_type": "booking", "action_key": "approve", "guards": []object{{"type": "chat_ack_completed"}},
	})["id"])
}

// largeRoom books the large room, on a day of its own, and returns the id of the request for consent.
func (r rig) largeRoom(t *testing.T, user string, day int) string {
	t.Helper()
	start := nextMonday.AddDate(0, 0, day).Add(9 * time.Hour)
	return text(r.book(t, user, object{
		"resource_ids": []string{"room-large"}, "start_at": start.Format(time.RFC3339), "end_at": start.Add(time.Hour).Format(time.RFC3339),
	})["approval_id"])
}

func link(ask object, approval string) object {
	return object{"ackRequestId": ask["id"], "targetTable": "approval_instances", "targetId": approval, "flowType": "booking", "actionKey": "approve"}
}

// TestAcknowledgedAndApproved is the story of seed 002 by HTTP: a request to acknowledge, its link with a booking that
// waits for consent, the guard that denies and then lets pass, and the template that an approval applies, once.
func TestAcknowledgedAndApproved(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		booking := r.largeRoom(t, "alice", 1)
		act := "/approval-instances/" + booking + "/act"
		approve := object{"action": "approve"}
		policy := r.guarded(t)
		denied := func(want string) {
			t.Helper()
			p := r.refused(t, http.StatusForbidden, "ACTION_POLICY_DENIED", "manager", http.MethodPost, act, approve)
			if got := fmt.Sprint(p["details"]); !strings.Contains(got, want) || !strings.Contains(got, "matchedPolicyId:"+policy) || !strings.Contains(got, "reason:guard_failed") {
				t.Errorf("details %s, want %s", got, want)
			}
			dry := r.ok(t, http.StatusOK, "manager", http.MethodPost, "/action-policies/evaluate", object{"action_key": "approve", "target_id": booking})
			details, _ := p["details"].(object)
			if dry["allowed"] != false || dry["refusal"] != "ACTION_POLICY_DENIED" || fmt.Sprint(dry["guardFailures"]) != fmt.Sprint(details["guardFailures"]) {
				t.Errorf("the dry run says %v", dry)
			}
			guards, _ := r.ok(t, http.StatusOK, "manager", http.MethodGet, "/approval-instances/"+booking, nil)["guards"].([]any)
			if len(guards) != 1 || !strings.Contains(fmt.Sprint(guards), "passed:false") {
				t.Errorf("the page says %v", guards)
			}
		}
		denied("[map[details:map[targetId:" + booking + " targetTable:approval_instances] reason:missing_link type:chat_ack_completed]]")

		asked := r.ask(t, "alice", object{"requiredUserIds": []string{"bob", "secretary"}})
		tied := r.ok(t, http.StatusCreated, "mgmt", http.MethodPost, "/chat-ack-links", link(asked, booking))
		denied("missingAckRequestIds:[" + text(asked["id"]) + "] requests:[map[ackedCount:0 dueAt:<nil> id:" + text(asked["id"]) +
			" incompleteTruncated:false incompleteUserIds:[bob secretary] reason:incomplete requiredCount:2]]")
		// The manager finds the way from the booking to the message.
		links := r.items(t, "manager", "/chat-ack-links?targetTable=approval_instances&targetId="+booking, "messageId")
		if !slices.Equal(links, []string{text(asked["messageId"])}) {
			t.Errorf("links %v", links)
		}
		seen := r.ok(t, http.StatusOK, "manager", http.MethodGet, "/chat-ack-requests/"+text(asked["id"]), nil)
		message, _ := seen["message"].(object)
		if seen["state"] != "open" || !strings.Contains(text(seen["links"]), text(tied["id"])) || !strings.HasSuffix(text(message["url"]), "/chat-messages/"+text(asked["messageId"])) {
			t.Errorf("the manager sees %v", seen)
		}
		if read := r.ok(t, http.StatusOK, "manager", http.MethodGet, strings.TrimPrefix(text(message["url"]), r.url), nil); read["body"] != message["body"] {
			t.Errorf("the deep link leads to %v", read)
		}

		ack := "/chat-ack-requests/" + text(asked["id"]) + "/ack"
		r.ok(t, http.StatusOK, "bob", http.MethodPost, ack, nil)
		denied("incompleteUserIds:[secretary]")
		if done := r.ok(t, http.StatusOK, "secretary", http.MethodPost, ack, object{"revision": 1}); done["state"] != "completed" {
			t.Errorf("%v", done)
		}
		r.ok(t, http.StatusOK, "bob", http.MethodPost, "/chat-ack-requests/"+text(asked["id"])+"/revoke", nil)
		denied("incompleteUserIds:[bob]")
		r.ok(t, http.StatusOK, "bob", http.MethodPost, ack, nil)
		if done := r.ok(t, http.StatusOK, "manager", http.MethodPost, act, approve); done["status"] != "approved" {
			t.Errorf("%v", done)
		}
		r.refused(t, http.StatusConflict, "already_decided", "manager", http.MethodPost, act, approve)

		// The demo's template has been applied, in the same transaction and once.
		var made string
		for _, id := range r.items(t, "alice", "/chat-ack-links?targetTable=approval_instances&targetId="+booking, "id") {
			if id != text(tied["id"]) {
				made += id
			}
		}
		todo := r.items(t, "mgmt", "/chat-ack-requests?acked=false", "templateId")
		if made == "" || len(todo) != 1 || !slices.Equal(todo, r.items(t, "mgmt", "/chat-ack-templates?flowType=booking&actionKey=approve", "id")) {
			t.Errorf("the template made the link %q, and mgmt is asked by %v", made, todo)
		}
		story := r.items(t, "admin", "/audit?limit=200&target_id="+booking, "action")
		slices.Reverse(story)
		if want := []string{"approval_created", "chat_ack_link_created", "approval_approve", "chat_ack_link_created", "chat_ack_template_applied"}; !slices.Equal(story, want) {
			t.Errorf("the story is %v, want %v", story, want)
		}
		story = r.items(t, "admin", "/audit?limit=200&target_id="+text(asked["id"]), "action")
		slices.Reverse(story)
		if want := []string{"chat_ack_request_created", "chat_ack_link_created", "chat_ack_added", "chat_ack_added", "chat_ack_revoked", "chat_ack_added"}; !slices.Equal(story, want) {
			t.Errorf("the story of the request is %v, want %v", story, want)
		}
	})
}

// TestPlainApproval: without a policy nothing has to be acknowledged, whatever is linked.
func TestPlainApproval(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		booking := r.largeRoom(t, "alice", 1)
		r.ok(t, http.StatusCreated, "mgmt", http.MethodPost, "/chat-ack-links", link(r.ask(t, "mgmt", nil), booking))
		if done := r.ok(t, http.StatusOK, "manager", http.MethodPost, "/approval-instances/"+booking+"/act", object{"action": "approve"}); done["status"] != "approved" {
			t.Errorf("%v", done)
		}
	})
}

// TestOverride: who approves as an administrator may do so in spite of the guard, with a reason, and it does not stay
// between them and the booking. Nobody else may, and four eyes stay four.
func TestOverride(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		policy := r.guarded(t)
		booking := r.largeRoom(t, "exec", 2) // has no manager, so mgmt decides
		act := "/approval-instances/" + booking + "/act"
		r.ok(t, http.StatusCreated, "mgmt", http.MethodPost, "/chat-ack-links", link(r.ask(t, "mgmt", nil), booking))
		p := r.refused(t, http.StatusBadRequest, "REASON_REQUIRED", "mgmt", http.MethodPost, act, object{"action": "approve"})
		if !strings.Contains(fmt.Sprint(p["details"]), "incompleteUserIds:[bob]") {
			t.Errorf("%v", p)
		}
		r.refused(t, http.StatusBadRequest, "REASON_REQUIRED", "mgmt", http.MethodPost, act, object{"action": "approve", "reason": " \n"})
		because := object{"action": "approve", "reason": "the visitors are at the door"}
		r.refused(t, http.StatusForbidden, "self_approval", "exec", http.MethodPost, act, because)
		r.refused(t, http.StatusForbidden, "not_approver", "admin", http.MethodPost, act, because)
		if done := r.ok(t, http.StatusOK, "mgmt", http.MethodPost, act, because); done["status"] != "approved" {
			t.Errorf("%v", done)
		}
		list, _ := r.ok(t, http.StatusOK, "admin", http.MethodGet, "/audit?action=action_policy_override", nil)["items"].([]any)
		if len(list) != 1 {
			t.Fatalf("audit %v", list)
		}
		entry, _ := list[0].(object)
		meta, _ := entry["metadata"].(object)
		if entry["target_id"] != booking || entry["actor_id"] != "mgmt" || entry["reason"] != because["reason"] || meta["flowType"] != "booking" ||
			meta["actionKey"] != "approve" || meta["matchedPolicyId"] != policy || meta["guardOverride"] != true || !strings.Contains(fmt.Sprint(meta["guardFailures"]), "incompleteUserIds:[bob]") {
			t.Errorf("audit %v", entry)
		}
		if told := r.items(t, "admin", "/notices?template=approval.overridden", "recipient"); !slices.Equal(told, []string{"admin"}) {
			t.Errorf("told %v", told)
		}
		await(t, t.Context(), func() bool {
			return slices.ContainsFunc(r.sink.Messages(), func(m mailtest.Message) bool {
				return slices.Contains(m.To, "admin@example.com") && strings.Contains(string(m.Data), "Override")
			})
		})

		// A person without the role is denied with the best of reasons.
		other := r.largeRoom(t, "alice", 3)
		r.refused(t, http.StatusForbidden, "ACTION_POLICY_DENIED", "manager", http.MethodPost, "/approval-instances/"+other+"/act", because)
		r.refused(t, http.StatusForbidden, "self_approval", "alice", http.MethodPost, "/approval-instances/"+other+"/act", because)
		// Nor is it told to the guard, when the deadline has passed.
		late := r.largeRoom(t, "exec", 4)
		r.ok(t, http.StatusOK, "admin", http.MethodPost, "/demo/clock", object{"advance": "49h"})
		r.refused(t, http.StatusConflict, "APPROVAL_EXPIRED", "mgmt", http.MethodPost, "/approval-instances/"+late+"/act", because)
	})
}
