package approvalgate_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/approvalgate"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// office is a calendar whose bookings wait for consent, on one database.
type office struct {
	cal       *calendar.Service
	approvals *approval.Service
	db        *sqldb.DB
	ledger    approvaltest.Ledger
}

func eachOffice(t *testing.T, f func(t *testing.T, o *office)) {
	t.Helper()
	sqldbtest.Each(t, []sqldb.Migration{approvalbun.Migrations, calendarbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		ledger := approvaltest.NewLedger(t, db)
		people := approvaltest.Company()
		store := calendarbun.New(db)
		gate := approvalgate.New(approvalgate.Config{Directory: people, Events: store})
		approvals, err := approval.New(approval.Config{
			Store: approvalbun.New(db), Directory: people, Outbox: ledger, Audit: ledger, Notifier: ledger,
			Subjects: map[string]approval.SubjectHandler{approvalgate.Kind: gate},
		})
		if err != nil {
			t.Fatal(err)
		}
		cal, err := calendar.New(calendar.Config{
			Store: store, Outbox: ledger, Audit: ledger, Directory: people, Gate: gate, Now: db.Clock,
		})
		if err != nil {
			t.Fatal(err)
		}
		gate.Bind(cal, approvals)
		admin := identity.Principal{Tenant: "acme", Actor: "admin", Roles: []string{"admin"}}
		for _, r := range []calendar.NewResource{
			{ID: "room-large", Name: "大会議室", Kind: "room", Capacity: 30, RequiresApproval: true},
			{ID: "room-a", Name: "Room A", Kind: "room", Capacity: 8},
		} {
			if _, err := cal.CreateResource(t.Context(), admin, r); err != nil {
				t.Fatal(err)
			}
		}
		f(t, &office{cal, approvals, db, ledger})
	})
}

// nextWeek is a whole hour, days and hours ahead.
func nextWeek(days, hour int) time.Time {
	return time.Now().UTC().Truncate(24 * time.Hour).Add(time.Duration(7+days)*24*time.Hour + time.Duration(hour)*time.Hour)
}

func (o *office) book(t *testing.T, by identity.Principal, start time.Time) (calendar.Event, error) {
	t.Helper()
	v, err := o.cal.Create(t.Context(), by, calendar.NewEvent{
		Title: "All hands", Start: start, End: start.Add(time.Hour), Resources: []string{"room-large"},
		Attendees: []calendar.NewAttendee{{Email: "guest@outside.example"}},
	})
	return v.Event, err
}

func (o *office) mustBook(t *testing.T, by identity.Principal, start time.Time) calendar.Event {
	t.Helper()
	ev, err := o.book(t, by, start)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func (o *office) event(t *testing.T, ev calendar.Event) calendar.Event {
	t.Helper()
	v, err := o.cal.Get(t.Context(), as(ev.OrganizerID), ev.ID)
	if err != nil {
		t.Fatal(err)
	}
	return v.Event
}

func TestABookingWaitsForConsent(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		t.Helper()
		start := nextWeek(0, 10)
		ev := o.mustBook(t, as("alice"), start)
		if ev.Status != calendar.Pending || ev.ApprovalID == "" || !slices.Equal(ev.ApprovalReasons, []string{"resource"}) {
			t.Fatalf("%+v", ev)
		}
		if invited := len(o.ledger.Lines(t, "event", calendar.EventInvitation)); invited != 0 {
			t.Errorf("%d invitations before consent", invited)
		}
		if _, err := o.book(t, as("bob"), start); !errors.Is(err, calendar.ErrResourceConflict) {
			t.Errorf("a pending booking does not hold its room: %v", err)
		}
		if _, err := o.approvals.Act(t.Context(), as("manager"), ev.ApprovalID, approval.Decision{Action: approval.Approve}); err != nil {
			t.Fatal(err)
		}
		if got := o.event(t, ev); got.Status != calendar.Confirmed {
			t.Errorf("approved: %s", got.Status)
		}
		if invited := len(o.ledger.Lines(t, "event", calendar.EventInvitation)); invited != 1 {
			t.Errorf("%d invitations", invited)
		}
	})
}

func TestANoFreesTheRoom(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		t.Helper()
		start := nextWeek(0, 10)
		rejected := o.mustBook(t, as("alice"), start)
		if _, err := o.approvals.Act(t.Context(), as("manager"), rejected.ApprovalID, approval.Decision{Action: approval.Reject, Reason: "too big"}); err != nil {
			t.Fatal(err)
		}
		if got := o.event(t, rejected); got.Status != calendar.Cancelled || got.Cause != calendar.CauseRejected || got.CauseText != "too big" {
			t.Errorf("rejected: %s %s %q", got.Status, got.Cause, got.CauseText)
		}
		withdrawn := o.mustBook(t, as("bob"), start)
		if _, err := o.approvals.Withdraw(t.Context(), as("bob"), withdrawn.ApprovalID, "moot"); err != nil {
			t.Fatal(err)
		}
		late := o.mustBook(t, as("alice"), start)
		o.db.AdvanceClock(49 * time.Hour)
		if n, err := o.approvals.Sweep(t.Context(), 0); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if got := o.event(t, late); got.Status != calendar.Cancelled || got.Cause != calendar.CauseTimedOut {
			t.Errorf("timed out: %s %s", got.Status, got.Cause)
		}
		o.mustBook(t, as("bob"), start)
	})
}

func TestAMaterialChangeAsksAnew(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		t.Helper()
		ev := o.mustBook(t, as("alice"), nextWeek(0, 10))
		text := "bring coffee"
		v, err := o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Description: &text})
		if err != nil || v.Event.ApprovalID != ev.ApprovalID {
			t.Fatalf("a description asks anew: %v", err)
		}
		start, end := nextWeek(1, 10), nextWeek(1, 11)
		v, err = o.cal.Update(t.Context(), as("alice"), ev.ID, 0, calendar.Patch{Start: &start, End: &end})
		if err != nil || v.Event.ApprovalID == ev.ApprovalID || v.Event.Status != calendar.Pending {
			t.Fatalf("%+v, %v", v.Event, err)
		}
		if _, err := o.approvals.Act(t.Context(), as("manager"), ev.ApprovalID, approval.Decision{Action: approval.Approve}); !errors.Is(err, approval.ErrDecided) {
			t.Errorf("the first request: %v", err)
		}
		if _, err := o.approvals.Act(t.Context(), as("manager"), v.Event.ApprovalID, approval.Decision{Action: approval.Approve}); err != nil {
			t.Error(err)
		}
		if err := o.cal.Cancel(t.Context(), as("alice"), ev.ID, 0); err != nil {
			t.Error(err)
		}
	})
}

// TestCancelAgainstDecision lets the organizer cancel while the approver decides: they follow each other, and event and
// request agree on the end.
func TestCancelAgainstDecision(t *testing.T) {
	eachOffice(t, func(t *testing.T, o *office) {
		t.Helper()
		for round := range 8 {
			ev := o.mustBook(t, as("alice"), nextWeek(round, 10))
			var cancelled, decided error
			var wg sync.WaitGroup
			wg.Go(func() { cancelled = o.cal.Cancel(t.Context(), as("alice"), ev.ID, 0) })
			wg.Go(func() {
				_, decided = o.approvals.Act(t.Context(), as("manager"), ev.ApprovalID, approval.Decision{Action: approval.Approve})
			})
			wg.Wait()
			q, err := o.approvals.Get(t.Context(), as("alice"), ev.ApprovalID)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%v %s", q.Status, o.event(t, ev).Status)
			switch {
			case cancelled != nil:
				t.Errorf("cancel: %v", cancelled)
			case decided == nil && got == "approved CANCELLED": // decided, then cancelled
			case errors.Is(decided, approval.ErrDecided) && got == "withdrawn CANCELLED":
			default:
				t.Errorf("decision: %v, ended as %s", decided, got)
			}
		}
	})
}
