package approval_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestClockStepsBack: an hour that comes twice neither reminds twice nor ends anything twice, and gives nobody a second
// chance; a deadline that is no longer past holds as it was set.
func TestClockStepsBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q, late := r.submit(t, as("alice")), r.submit(t, as("bob"), func(s *approval.Submission) { s.NotAfter = time.Now().Add(25 * time.Hour) })
		r.db.AdvanceClock(24*time.Hour + 30*time.Minute)
		if n := sweepAll(t, r.Service); n != 2 {
			t.Fatalf("%d fired", n)
		}
		r.db.AdvanceClock(40 * time.Minute)
		if n := sweepAll(t, r.Service); n != 1 || r.get(t, late).Status != approval.TimedOut {
			t.Fatalf("%d fired, %s", n, r.get(t, late).Status)
		}
		for range 2 {
			r.db.AdvanceClock(-time.Hour) // before both
			if n := sweepAll(t, r.Service); n != 0 {
				t.Errorf("%d fired with the clock back", n)
			}
			if _, err := r.Act(t.Context(), as("manager"), late.ID, approve); !errors.Is(err, approval.ErrExpired) {
				t.Errorf("a second chance: %v", err)
			}
			r.db.AdvanceClock(time.Hour)
			if n := sweepAll(t, r.Service); n != 0 {
				t.Errorf("%d fired the second time", n)
			}
		}
		if told := r.ledger.Told(t, approval.TemplateReminder); !slices.Equal(told, []string{"manager", "manager"}) {
			t.Errorf("reminded %v", told)
		}
		if got := r.get(t, q); !got.ExpiresAt.Equal(q.ExpiresAt) || got.Status != approval.Pending {
			t.Errorf("%+v", got)
		}
		// A request that is made while the clock is back ends 48 hours later by that clock.
		r.db.AdvanceClock(-time.Hour)
		again := r.submit(t, as("alice"))
		if !again.ExpiresAt.Before(q.ExpiresAt.Add(26*time.Hour)) || again.ExpiresAt.Sub(again.CreatedAt) != 48*time.Hour {
			t.Errorf("%v after %v", again.ExpiresAt, q.ExpiresAt)
		}
		if said := r.says(t, q, "manager"); !slices.Equal(said, []string{"approved"}) {
			t.Errorf("%v", said)
		}
	})
}

// TestDaylightSaving: 48 hours are 48 hours that pass, over a spring night that has 23 and an autumn night that has 25; a
// NotAfter is the instant that it names, in whatever zone, also in the hour that comes twice.
func TestDaylightSaving(t *testing.T) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		r := newRig(t, db)
		clock := &fixedClock{Store: r.cfg.Store}
		r.cfg.Store = clock
		r.Service = r.open(t)
		for name, c := range map[string]struct{ zone, asked string }{
			"London, spring":   {"Europe/London", "2030-03-30T12:00:00Z"},
			"London, autumn":   {"Europe/London", "2030-10-26T12:00:00+01:00"},
			"New York, spring": {"America/New_York", "2030-03-09T12:00:00-05:00"},
			"Lord Howe, half":  {"Australia/Lord_Howe", "2030-04-06T12:00:00+11:00"},
		} {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			asked, err := time.Parse(time.RFC3339, c.asked)
			if err != nil {
				t.Fatal(err)
			}
			clock.at = asked.UTC()
			q := r.submit(t, as("alice"))
			if q.ExpiresAt.Sub(asked) != 48*time.Hour || q.RemindAt.Sub(asked) != 24*time.Hour || q.ExpiresAt.In(zone).Hour() == 12 && name != "Lord Howe, half" {
				t.Errorf("%s: asked %v, remind %v, end %v", name, asked.In(zone), q.RemindAt.In(zone), q.ExpiresAt.In(zone))
			}
			clock.at = q.ExpiresAt.Add(-time.Microsecond)
			if err := r.Simulate(t.Context(), as("manager"), q.ID, approve); err != nil {
				t.Errorf("%s, a microsecond before: %v", name, err)
			}
			clock.at = q.ExpiresAt
			if err := r.Simulate(t.Context(), as("manager"), q.ID, approve); !errors.Is(err, approval.ErrExpired) {
				t.Errorf("%s, at the deadline: %v", name, err)
			}
			sweepAll(t, r.Service)
		}
		// 01:30 comes twice in London on that day.
		clock.at = time.Date(2030, 10, 26, 12, 0, 0, 0, time.UTC)
		for _, offset := range []int{3600, 0} {
			end := time.Date(2030, 10, 27, 1, 30, 0, 0, time.FixedZone("", offset))
			q := r.submit(t, as("alice"), func(s *approval.Submission) { s.NotAfter = end })
			if !q.ExpiresAt.Equal(end) || q.ExpiresAt.Location() != time.UTC {
				t.Errorf("%v, want %v", q.ExpiresAt, end)
			}
		}
	})
}

// TestOutageOfSteps: after three days without a sweep requests in whatever step are ended once, nobody is reminded of what
// has ended, and what was asked a day before the end of the outage is still open, with its reminder to come.
func TestOutageOfSteps(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.chained(t, plan("", 0, "manager"), plan(approval.All, 0, "hr", "mgmt"))
		first, second := r.submit(t, as("alice")), r.submit(t, as("alice"))
		r.says(t, second, "manager", "hr")
		r.db.AdvanceClock(48 * time.Hour)
		young := r.submit(t, as("alice"))
		r.db.AdvanceClock(23 * time.Hour)
		sweepAll(t, r.Service)
		for _, q := range []approval.Request{first, second} {
			if got := r.get(t, q); got.Status != approval.TimedOut || !got.RemindedAt.IsZero() {
				t.Errorf("%+v", got)
			}
		}
		if got := r.get(t, young); got.Status != approval.Pending || !got.RemindedAt.IsZero() {
			t.Errorf("%+v", got)
		}
		if told := r.ledger.Told(t, approval.TemplateReminder); len(told) != 0 {
			t.Errorf("reminded %v", told)
		}
		r.db.AdvanceClock(2 * time.Hour)
		if n := sweepAll(t, r.Service); n != 1 || r.get(t, young).RemindedAt.IsZero() {
			t.Errorf("%d fired", n)
		}
		if got := r.fates(t); !reflect.DeepEqual(got, map[approval.Status]int{approval.TimedOut: 2}) {
			t.Errorf("%v", got)
		}
	})
}
