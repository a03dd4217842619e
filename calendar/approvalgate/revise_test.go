package approvalgate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/calendar"
)

// TestAChangeOfAPendingBookingMakesTheDecisionStale: what does not ask anew is shown anew, and a title that has become
// private leaves the request.
func TestAChangeOfAPendingBookingMakesTheDecisionStale(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		t.Helper()
		ev := o.mustBook(t, as("alice"), nextWeek(0, 10))
		seen, err := o.approvals.Get(t.Context(), as("manager"), ev.ApprovalID)
		if err != nil || !strings.Contains(seen.Summary, "All hands") {
			t.Fatalf("%+v, %v", seen, err)
		}
		title, private := "Another thing", calendar.Private
		v, err := o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Title: &title, Visibility: &private})
		if err != nil || v.ApprovalID != ev.ApprovalID || v.Status != calendar.Pending {
			t.Fatalf("%+v, %v", v.Event, err)
		}
		_, err = o.approvals.Act(t.Context(), as("manager"), ev.ApprovalID, approval.Decision{Action: approval.Approve, ContentHash: seen.ContentHash})
		if !errors.Is(err, approval.ErrStaleContent) {
			t.Errorf("a decision on what was shown before: %v", err)
		}
		now, err := o.approvals.Get(t.Context(), as("manager"), ev.ApprovalID)
		if err != nil || strings.Contains(now.Summary, "All hands") || strings.Contains(now.Summary, title) || now.Version != seen.Version+1 {
			t.Errorf("the request shows %q, %v", now.Summary, err)
		}
		if _, err := o.approvals.Act(t.Context(), as("manager"), ev.ApprovalID, approval.Decision{Action: approval.Approve, ContentHash: now.ContentHash}); err != nil {
			t.Error(err)
		}
	})
}

// TestMoreGuestsAskAnew: consent to ten is none to eleven; one less needs none.
func TestMoreGuestsAskAnew(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		t.Helper()
		guests := func(n int) *[]calendar.NewAttendee {
			list := make([]calendar.NewAttendee, n)
			for i := range list {
				list[i].Email = fmt.Sprintf("guest%d@outside.example", i)
			}
			return &list
		}
		ev := o.mustBook(t, as("alice"), nextWeek(0, 10))
		none := []string{}
		v, err := o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Resources: &none, Attendees: guests(10)})
		if err != nil || v.Status != calendar.Pending {
			t.Fatalf("%s, %v", v.Status, err)
		}
		if _, err := o.approvals.Act(t.Context(), as("manager"), v.ApprovalID, approval.Decision{Action: approval.Approve}); err != nil {
			t.Fatal(err)
		}
		more, err := o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Attendees: guests(11)})
		if err != nil || more.Status != calendar.Pending || more.ApprovalID == v.ApprovalID {
			t.Fatalf("%s under %s, %v", more.Status, more.ApprovalID, err)
		}
		fewer, err := o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Attendees: guests(9)})
		if err != nil || fewer.Status != calendar.Confirmed {
			t.Errorf("%s, %v", fewer.Status, err)
		}
	})
}

// TestAWaitingBookingKeepsItsPolicy: rules that have changed meanwhile neither let it through nor ask anew with an edit that
// is none of their business, and the request goes on to say why it was asked. The same holds for one that was approved.
func TestAWaitingBookingKeepsItsPolicy(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		t.Helper()
		ev, done := o.mustBook(t, as("alice"), nextWeek(0, 10)), o.mustBook(t, as("alice"), nextWeek(1, 10))
		if _, err := o.approvals.Act(t.Context(), as("manager"), done.ApprovalID, approval.Decision{Action: approval.Approve}); err != nil {
			t.Fatal(err)
		}
		admin := as("admin")
		admin.Roles = []string{"admin"}
		for i, rules := range []approval.Rules{{approval.When("attendees").AtLeast(1).Because("many")}, {}} {
			if _, err := o.approvals.ChangePolicy(t.Context(), admin, approval.Policy{Flow: approval.BookingFlow, Rules: rules}, 0); err != nil {
				t.Fatal(err)
			}
			title := fmt.Sprint("Title ", i)
			v, err := o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Title: &title})
			if err != nil || v.Status != calendar.Pending || v.ApprovalID != ev.ApprovalID {
				t.Errorf("%v: %s under %s, %v", rules, v.Status, v.ApprovalID, err)
			}
			q, err := o.approvals.Get(t.Context(), as("manager"), ev.ApprovalID)
			if err != nil || q.Policy != 1 || fmt.Sprint(q.Reasons, q.Explanation) != "[resource] [resource 大会議室]" || !strings.Contains(q.Summary, title) {
				t.Errorf("%v: %+v, %v", rules, q, err)
			}
			for _, e := range []calendar.Event{ev, done} { // one guest more is within what was asked
				guests := []calendar.NewAttendee{{Email: "guest@outside.example"}, {Email: fmt.Sprint("another", i, "@outside.example")}}
				v, err := o.cal.Update(t.Context(), as("alice"), e.ID, 0, calendar.Patch{Attendees: &guests})
				if err != nil || v.ApprovalID != e.ApprovalID || (v.Status == calendar.Confirmed) != (e.ID == done.ID) {
					t.Errorf("%v: %s under %s, %v", rules, v.Status, v.ApprovalID, err)
				}
			}
		}
	})
}

// TestWhatIsHiddenLeavesEveryRequest: no request about a booking, whatever became of it, says the title of one that has
// become private, nor does what is told in that moment.
func TestWhatIsHiddenLeavesEveryRequest(t *testing.T) {
	for _, level := range []calendar.Visibility{calendar.Private, calendar.BusyOnly} {
		eachOffice(t, func(t *testing.T, o *office) {
			t.Helper()
			ev := o.mustBook(t, as("alice"), nextWeek(0, 10))
			requests := []string{ev.ApprovalID}
			hidden, start, end := level, nextWeek(0, 11), nextWeek(0, 12)
			again, err := o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Start: &start, End: &end})
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, again.ApprovalID)
			if _, err := o.approvals.Act(t.Context(), as("manager"), again.ApprovalID, approval.Decision{Action: approval.Approve}); err != nil {
				t.Fatal(err)
			}
			end = end.Add(time.Hour)
			again, err = o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{End: &end})
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, again.ApprovalID)
			told := len(o.ledger.Lines(t, "notice", ""))
			end = end.Add(time.Hour)
			again, err = o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{End: &end, Visibility: &hidden})
			if err != nil {
				t.Fatal(err)
			}
			ends := ""
			for _, id := range append(requests, again.ApprovalID) {
				q, err := o.approvals.Get(t.Context(), as("manager"), id)
				if err != nil || strings.Contains(fmt.Sprintf("%+v", q), "All hands") || !strings.Contains(q.Summary, "大会議室") {
					t.Errorf("%+v, %v", q, err)
				}
				ends += string(q.Status) + " "
			}
			if ends != "withdrawn approved withdrawn pending " {
				t.Errorf("the requests are %s", ends)
			}
			for _, line := range o.ledger.Lines(t, "notice", "")[told:] {
				if strings.Contains(line.Body, "All hands") {
					t.Errorf("told %+v", line)
				}
			}
			if lines := o.ledger.Lines(t, "audit", "approval_concealed"); len(lines) != 3 || lines[0].Who != "alice" {
				t.Errorf("%+v", lines)
			}
		})
	}
}
