package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// needs books at an hour of a day of its own and returns why that waits for consent, and on whom.
func (r rig) needs(t *testing.T, day int, user string, with object) (reasons, approvers string) {
	t.Helper()
	start := nextMonday.AddDate(0, 0, day).Add(9 * time.Hour)
	with["start_at"], with["end_at"] = start.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339)
	ev := r.book(t, user, with)
	if ev["approval_id"] == nil {
		return text(ev["status"]), ""
	}
	q := r.ok(t, http.StatusOK, user, http.MethodGet, "/approval-instances/"+text(ev["approval_id"]), nil)
	return text(q["reasons"]), text(q["approver_ids"])
}

// TestWhatNeedsApproval is seed 003 §6.1 and the way to the approver of §6.2, by HTTP.
func TestWhatNeedsApproval(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		guests := func(n int) []object {
			all := make([]object, n)
			for i := range all {
				all[i] = object{"email": fmt.Sprintf("guest%d@outside.example", i)}
			}
			return all
		}
		for i, c := range []struct {
			user               string
			with               object
			reasons, approvers string
		}{
			{"alice", object{"attendees": guests(9)}, "CONFIRMED", ""}, // the organizer is not listed
			{"alice", object{"attendees": guests(10)}, "[attendees]", "[manager]"},
			{"alice", object{"attendees": append(guests(9), object{"email": "alice@example.com"})}, "[attendees]", "[manager]"},
			{"alice", object{"attendees": []object{{"email": "exec@example.com"}}}, "[executive]", "[manager]"},
			{"manager", object{"attendees": []object{{"email": "exec@example.com"}}}, "[executive]", "[exec]"},
			{"exec", object{}, "[executive]", "[mgmt]"}, // has no manager: the fallback group
			{"alice", object{"resource_ids": []string{"room-large"}}, "[resource]", "[manager]"},
			{"alice", object{"resource_ids": []string{"room-a"}}, "CONFIRMED", ""},
			{"alice", object{"resource_ids": []string{"room-large"}, "attendees": append(guests(9), object{"email": "exec@example.com"})}, "[attendees executive resource]", "[manager]"},
		} {
			if reasons, approvers := r.needs(t, i, c.user, c.with); reasons != c.reasons || approvers != c.approvers {
				t.Errorf("case %d of %s: %s by %s, want %s by %s", i, c.user, reasons, approvers, c.reasons, c.approvers)
			}
		}
	})
}

// TestApprovalClock is the rest of seed 003 §6.2: what is held while it waits, the reminder, the time-out, the booking that
// starts before the 48 hours are over, and three days in which nothing swept.
func TestApprovalClock(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		room := object{"resource_ids": []string{"room-large"}}
		advance := func(by string) time.Time {
			t.Helper()
			now, err := time.Parse(time.RFC3339, text(r.ok(t, http.StatusOK, "admin", http.MethodPost, "/demo/clock", object{"advance": by})["now"]))
			if err != nil {
				t.Fatal(err)
			}
			return now
		}
		told := func(template string, want ...string) {
			t.Helper()
			got := r.items(t, "admin", "/notices?template="+template, "recipient")
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: told %v, want %v", template, got, want)
			}
		}
		ev := r.book(t, "alice", room)
		instance := "/approval-instances/" + text(ev["approval_id"])
		if a := r.call(t, "bob", http.MethodPost, "/events", booking(room)); a.status != http.StatusConflict || !strings.Contains(string(a.body), "resource_conflict") {
			t.Errorf("a room that waits for consent is free: %d %s", a.status, a.body)
		}
		told("approval.requested", "manager")
		advance("23h59m")
		told("approval.reminder")
		advance("2m")
		told("approval.reminder", "manager")
		link := r.decideAddress(t, 2)
		now := advance("24h")
		done := r.ok(t, http.StatusOK, "alice", http.MethodGet, instance, nil)
		decision, _ := done["decision"].(object)
		if done["status"] != "timed_out" || decision["by"] != "system:timeout" || decision["action"] != "timeout" {
			t.Errorf("%v", done)
		}
		told("approval.timed_out", "alice", "manager")
		told("approval.reminder", "manager")
		if got := r.ok(t, http.StatusOK, "alice", http.MethodGet, "/events/"+text(ev["id"]), nil); got["status"] != "CANCELLED" {
			t.Errorf("%v", got)
		}
		r.refused(t, http.StatusConflict, "APPROVAL_EXPIRED", "manager", http.MethodPost, instance+"/act", object{"action": "approve"})
		if a := r.call(t, "", http.MethodGet, link, nil); !strings.Contains(string(a.body), "timed out") || strings.Contains(string(a.body), "<form") {
			t.Errorf("the link of the reminder: %d %s", a.status, a.body)
		}
		r.book(t, "bob", room) // it is free

		// A booking that starts sooner ends at its start, and is reminded of at half of the time.
		start := now.Add(10 * time.Hour).Truncate(time.Second)
		soon := r.book(t, "alice", object{"attendees": []object{{"email": "exec@example.com"}}, "start_at": start.Format(time.RFC3339), "end_at": start.Add(time.Hour).Format(time.RFC3339)})
		q := r.ok(t, http.StatusOK, "alice", http.MethodGet, "/approval-instances/"+text(soon["approval_id"]), nil)
		created, _ := time.Parse(time.RFC3339, text(q["created_at"]))
		remind, err := time.Parse(time.RFC3339, text(q["remind_at"]))
		if half := created.Add(start.Sub(created) / 2); err != nil || q["expires_at"] != start.Format(time.RFC3339) || half.Sub(remind).Abs() > time.Millisecond {
			t.Errorf("%v, created %v, starts %v", q, created, start)
		}

		// Nobody is reminded of what has ended meanwhile.
		advance("72h")
		q = r.ok(t, http.StatusOK, "alice", http.MethodGet, "/approval-instances/"+text(soon["approval_id"]), nil)
		if line := fmt.Sprint(q["timeline"]); q["status"] != "timed_out" || !strings.Contains(line, "kind:reminder_superseded") {
			t.Errorf("%v", q)
		}
		told("approval.reminder", "manager")
		if log := r.log.String(); strings.Contains(log, "level=ERROR") {
			t.Errorf("the log: %s", log)
		}
	})
}
