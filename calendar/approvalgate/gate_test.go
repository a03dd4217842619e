package approvalgate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/approvalgate"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// diary notes what the gate asks of the calendar.
type diary struct {
	lines []string
	inTx  bool
}

func (d *diary) note(ctx context.Context, format string, args ...any) error {
	d.inTx = sqldb.InTx(ctx)
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
	return nil
}

func (d *diary) Confirm(ctx context.Context, tenant identity.TenantID, id string) error {
	return d.note(ctx, "confirm %s/%s", tenant, id)
}

func (d *diary) Release(ctx context.Context, tenant identity.TenantID, id string, cause calendar.Cause, text string) error {
	return d.note(ctx, "release %s/%s %s %q", tenant, id, cause, text)
}

type rig struct {
	*approvalgate.Gate
	approvals *approval.Service
	diary     *diary
	db        *sqldb.DB
	ledger    approvaltest.Ledger
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db := sqldbtest.SQLite(t, approvalbun.Migrations)
	ledger := approvaltest.NewLedger(t, db)
	people := approvaltest.Company()
	gate := approvalgate.New(approvalgate.Config{Directory: people})
	approvals, err := approval.New(approval.Config{
		Store: approvalbun.New(db), Directory: people, Outbox: ledger, Audit: ledger, Notifier: ledger,
		Subjects: map[string]approval.SubjectHandler{approvalgate.Kind: gate},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &diary{}
	gate.Bind(d, approvals)
	return &rig{gate, approvals, d, db, ledger}
}

func as(who string) identity.Principal { return identity.Principal{Tenant: "acme", Actor: who} }

// event is alice's, a week ahead, with n guests of whom none is of the organisation.
func event(id string, n int) calendar.Event {
	start := time.Now().Add(7 * 24 * time.Hour).UTC().Truncate(time.Hour)
	ev := calendar.Event{
		ID: id, Tenant: "acme", OrganizerID: "alice", Title: "Design review", Start: start, End: start.Add(time.Hour),
		TimeZone: "Asia/Tokyo", Visibility: calendar.Public, CreatedBy: "alice",
	}
	for i := range n {
		ev.Attendees = append(ev.Attendees, calendar.Attendee{Email: fmt.Sprintf("g%d@outside.example", i), External: true})
	}
	return ev
}

var (
	large = calendar.Resource{ID: "room-large", Name: "大会議室", RequiresApproval: true}
	small = calendar.Resource{ID: "room-a", Name: "Room A"}
)

func TestReasons(t *testing.T) {
	r := newRig(t)
	invite := func(ev calendar.Event, who string) calendar.Event {
		ev.Attendees = append(ev.Attendees, calendar.Attendee{Email: who + "@example.com", UserID: who})
		return ev
	}
	ofExec := event("e", 0)
	ofExec.OrganizerID = "exec"
	for name, c := range map[string]struct {
		ev        calendar.Event
		resources []calendar.Resource
		want      string
	}{
		"plain":                   {event("e", 9), []calendar.Resource{small}, ""},
		"ten invited":             {event("e", 10), nil, "attendees"},
		"the organizer is listed": {invite(event("e", 9), "alice"), nil, "attendees"},
		"an executive is invited": {invite(event("e", 1), "exec"), nil, "executive"},
		"an executive organises":  {ofExec, nil, "executive"},
		"an important resource":   {event("e", 1), []calendar.Resource{small, large}, "resource"},
		"all":                     {invite(event("e", 12), "exec"), []calendar.Resource{large}, "attendees,executive,resource"},
	} {
		got, err := r.Reasons(t.Context(), c.ev, c.resources)
		if err != nil || strings.Join(got, ",") != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func (r *rig) open(t *testing.T, by identity.Principal, ev calendar.Event) approval.Request {
	t.Helper()
	id, err := r.Open(t.Context(), by, ev, []calendar.Resource{large})
	if err != nil {
		t.Fatal(err)
	}
	q, err := r.approvals.Get(t.Context(), identity.Principal{Tenant: "acme", Actor: "admin", Roles: []string{"admin"}}, id)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestOpenAsks(t *testing.T) {
	r := newRig(t)
	ev := event("e1", 12)
	ev.Start = time.Now().Add(10 * time.Hour).UTC().Truncate(time.Microsecond)
	q := r.open(t, as("secretary").For("alice"), ev)
	if q.Requester != "alice" || q.ActedBy != "secretary" || !q.ExpiresAt.Equal(ev.Start) || !slices.Equal(q.Approvers(), []string{"manager"}) ||
		q.Subject != (approval.Subject{Kind: approvalgate.Kind, ID: "e1"}) || !slices.Equal(q.Reasons, []string{"attendees", "resource"}) {
		t.Errorf("%+v", q)
	}
	if !strings.Contains(q.Summary, "Design review") || !strings.Contains(q.Summary, "大会議室") || !strings.Contains(q.Summary, "JST") {
		t.Errorf("summary %q", q.Summary)
	}
}

func TestHiddenTitlesStayHidden(t *testing.T) {
	r := newRig(t)
	for i, v := range []calendar.Visibility{calendar.BusyOnly, calendar.Private, "odd"} {
		ev := event(fmt.Sprint(i), 12)
		ev.Title, ev.Visibility = "layoffs", v
		r.open(t, as("alice"), ev)
	}
	for _, kind := range []string{"audit", "event", "notice"} {
		for _, line := range r.ledger.Lines(t, kind, "") {
			if strings.Contains(line.Body, "layoffs") || strings.Contains(line.Body, "outside.example") {
				t.Errorf("%s tells: %s", kind, line.Body)
			}
		}
	}
}

// TestHashesTellNothing: the approver cannot find a hidden title or guest by hashing guesses.
func TestHashesTellNothing(t *testing.T) {
	r := newRig(t)
	for _, v := range []calendar.Visibility{calendar.BusyOnly, calendar.Private, "odd"} {
		hash := func(change func(*calendar.Event)) string {
			ev := event("e", 12)
			ev.Visibility = v
			change(&ev)
			q := r.open(t, as("alice"), ev)
			if err := r.Withdraw(t.Context(), as("alice"), ev); err != nil {
				t.Fatal(err)
			}
			return q.ContentHash
		}
		want := hash(func(*calendar.Event) {})
		for name, hidden := range map[string]func(*calendar.Event){
			"title": func(e *calendar.Event) { e.Title = "layoffs" },
			"guest": func(e *calendar.Event) { e.Attendees[0].Email = "other@outside.example" },
		} {
			if hash(hidden) != want {
				t.Errorf("%s: the hash depends on the %s", v, name)
			}
		}
		if hash(func(e *calendar.Event) { e.Attendees = e.Attendees[1:] }) == want {
			t.Errorf("%s: the hash does not depend on how many come", v)
		}
	}
}

func TestContentIsWhatMatters(t *testing.T) {
	r := newRig(t)
	base := event("e", 12)
	hash := func(change func(*calendar.Event)) string {
		ev := base
		ev.Attendees = slices.Clone(base.Attendees)
		change(&ev)
		q := r.open(t, as("alice"), ev)
		if err := r.Withdraw(t.Context(), as("alice"), ev); err != nil {
			t.Fatal(err)
		}
		return q.ContentHash
	}
	want := hash(func(*calendar.Event) {})
	for name, same := range map[string]func(*calendar.Event){
		"description": func(e *calendar.Event) { e.Description = "x" },
		"an answer":   func(e *calendar.Event) { e.Attendees[0].Partstat = calendar.Accepted },
		"order":       func(e *calendar.Event) { slices.Reverse(e.Attendees) },
	} {
		if hash(same) != want {
			t.Errorf("%s changes the content", name)
		}
	}
	for name, other := range map[string]func(*calendar.Event){
		"title":    func(e *calendar.Event) { e.Title = "x" },
		"time":     func(e *calendar.Event) { e.End = e.End.Add(time.Minute) },
		"resource": func(e *calendar.Event) { e.ResourceIDs = []string{"room-b"} },
		"guests":   func(e *calendar.Event) { e.Attendees = e.Attendees[1:] },
	} {
		if hash(other) == want {
			t.Errorf("%s does not change the content", name)
		}
	}
}

func TestDecisionsReachTheCalendar(t *testing.T) {
	r := newRig(t)
	approved, rejected, late, given, changed := r.open(t, as("alice"), event("yes", 12)), r.open(t, as("alice"), event("no", 12)),
		r.open(t, as("alice"), event("late", 12)), r.open(t, as("alice"), event("given-up", 12)), event("changed", 12)
	first := r.open(t, as("alice"), changed)
	if err := r.Withdraw(t.Context(), as("alice"), changed); err != nil {
		t.Fatal(err)
	}
	if again := r.open(t, as("alice"), changed); again.ID == first.ID {
		t.Error("a change does not ask anew")
	}
	if len(r.diary.lines) != 0 {
		t.Errorf("the owner's own change came back: %v", r.diary.lines)
	}
	_, err1 := r.approvals.Act(t.Context(), as("manager"), approved.ID, approval.Decision{Action: approval.Approve})
	_, err2 := r.approvals.Act(t.Context(), as("manager"), rejected.ID, approval.Decision{Action: approval.Reject, Reason: "too many"})
	_, err3 := r.approvals.Withdraw(t.Context(), as("alice"), given.ID, "moot")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if !r.diary.inTx {
		t.Error("outside of the transaction")
	}
	r.db.AdvanceClock(48 * time.Hour)
	if n, err := r.approvals.Sweep(t.Context(), 1); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	want := []string{"confirm acme/yes", `release acme/no rejected "too many"`, `release acme/given-up organizer "moot"`, `release acme/late timed_out ""`}
	if !slices.Equal(r.diary.lines, want) {
		t.Errorf("%v", r.diary.lines)
	}
	if err := r.Withdraw(t.Context(), as("alice"), calendar.Event{ID: late.Subject.ID, Tenant: "acme"}); err != nil {
		t.Errorf("a decided request: %v", err)
	}
}

func TestUnbound(t *testing.T) {
	gate := approvalgate.New(approvalgate.Config{Directory: approvaltest.Company()})
	_, err1 := gate.Reasons(t.Context(), calendar.Event{}, nil)
	_, err2 := gate.Open(t.Context(), as("alice"), calendar.Event{}, nil)
	for i, err := range []error{
		err1, err2, gate.Withdraw(t.Context(), as("alice"), calendar.Event{}),
		gate.Approved(t.Context(), approval.Request{}), gate.TimedOut(t.Context(), approval.Request{}),
	} {
		if !errors.Is(err, approval.ErrNotBound) {
			t.Errorf("%d: %v", i, err)
		}
	}
}
