package approval_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

func TestSchedule(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	clock := &fixedClock{Store: r.cfg.Store, at: time.Date(2030, 1, 1, 0, 0, 0, 1000, time.UTC)}
	r.cfg.Store = clock
	r.Service = r.open(t)
	for name, c := range map[string]struct{ notAfter, remind, expire time.Duration }{
		"none":           {0, 24 * time.Hour, 48 * time.Hour},
		"far":            {100 * time.Hour, 24 * time.Hour, 48 * time.Hour},
		"soon":           {30 * time.Hour, 6 * time.Hour, 30 * time.Hour},
		"half-life":      {10 * time.Hour, 5 * time.Hour, 10 * time.Hour},
		"one day":        {24 * time.Hour, 12 * time.Hour, 24 * time.Hour},
		"one moment":     {2 * time.Microsecond, time.Microsecond, 2 * time.Microsecond},
		"smallest of it": {time.Microsecond, 0, time.Microsecond},
	} {
		q := r.submit(t, as("alice"), func(s *approval.Submission) {
			if c.notAfter > 0 {
				s.NotAfter = clock.at.Add(c.notAfter).In(time.FixedZone("", 9*3600))
			}
		})
		if q.RemindAt.Sub(q.CreatedAt) != c.remind || q.ExpiresAt.Sub(q.CreatedAt) != c.expire {
			t.Errorf("%s: remind after %v, expire after %v", name, q.RemindAt.Sub(q.CreatedAt), q.ExpiresAt.Sub(q.CreatedAt))
		}
	}
}

func TestDeadlineToTheMicrosecond(t *testing.T) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		r := newRig(t, db)
		clock := &fixedClock{Store: r.cfg.Store, at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
		r.cfg.Store = clock
		r.Service = r.open(t)
		early, late := r.submit(t, as("alice")), r.submit(t, as("alice"))

		clock.at = early.ExpiresAt.Add(-time.Microsecond)
		if _, err := r.Act(t.Context(), as("manager"), early.ID, approve); err != nil {
			t.Errorf("a microsecond before: %v", err)
		}
		clock.at = late.ExpiresAt
		if err := r.Simulate(t.Context(), as("manager"), late.ID, approve); !errors.Is(err, approval.ErrExpired) {
			t.Errorf("simulated at the deadline: %v", err)
		}
		if _, err := r.Act(t.Context(), as("manager"), late.ID, approve); !errors.Is(err, approval.ErrExpired) {
			t.Errorf("at the deadline: %v", err)
		}
		got := r.get(t, late)
		if got.Status != approval.TimedOut || got.Outcome.By != "system:timeout" {
			t.Errorf("not timed out at once: %+v", got)
		}
		if n := sweepAll(t, r.Service); n != 0 {
			t.Errorf("the sweep found %d more", n)
		}
		if want := map[approval.Status]int{approval.Approved: 1, approval.TimedOut: 1}; !reflect.DeepEqual(r.fates(t), want) {
			t.Errorf("handler %v", r.fates(t))
		}
		if told := r.ledger.Told(t, approval.TemplateTimedOut); !slices.Equal(told, []string{"alice", "manager"}) {
			t.Errorf("told %v", told)
		}
		audited := r.ledger.Lines(t, "audit", "approval_timeout")
		if len(audited) != 1 || audited[0].Who != "system:timeout" {
			t.Errorf("audit %+v", audited)
		}
		if _, err := r.Act(t.Context(), as("manager"), late.ID, approve); !errors.Is(err, approval.ErrExpired) {
			t.Errorf("after the time-out: %v", err)
		}
	})
}

func TestReminderThenTimeout(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		if n := sweepAll(t, r.Service); n != 0 {
			t.Errorf("%d fired at once", n)
		}
		r.db.AdvanceClock(24 * time.Hour)
		if n := sweepAll(t, r.Service); n != 1 {
			t.Errorf("%d fired at the reminder", n)
		}
		r.db.AdvanceClock(-20 * time.Hour) // the clock goes back and comes again
		if n := sweepAll(t, r.Service); n != 0 {
			t.Errorf("%d fired with the clock back", n)
		}
		r.db.AdvanceClock(20 * time.Hour)
		if n := sweepAll(t, r.Service); n != 0 {
			t.Errorf("%d fired again", n)
		}
		r.db.AdvanceClock(24 * time.Hour)
		if n := sweepAll(t, r.Service); n != 1 {
			t.Errorf("%d fired at the deadline", n)
		}
		if got := r.ledger.Told(t, approval.TemplateReminder); !slices.Equal(got, []string{"manager"}) {
			t.Errorf("reminded %v", got)
		}
		got := r.get(t, q)
		kinds := []string{}
		for _, m := range got.Timeline() {
			kinds = append(kinds, m.Kind)
		}
		if !slices.Equal(kinds, []string{"requested", "routed", "reminded", "timed_out"}) {
			t.Errorf("timeline %v", kinds)
		}
	})
}

func TestThreeDaysOutage(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		const n = 40
		for range n {
			r.submit(t, as("alice"))
		}
		r.db.AdvanceClock(72 * time.Hour)
		var wg sync.WaitGroup
		nodes := []*approval.Service{r.open(t), r.open(t), r.open(t)}
		fired := make([]int, len(nodes))
		for i, node := range nodes {
			wg.Go(func() {
				for {
					got, err := node.Sweep(t.Context(), 7)
					if err != nil {
						t.Error(err)
						return
					}
					if fired[i] += got; got == 0 {
						return
					}
				}
			})
		}
		wg.Wait()
		sweepAll(t, r.Service) // what a node passed over while another held it
		if got := r.fates(t); !reflect.DeepEqual(got, map[approval.Status]int{approval.TimedOut: n}) {
			t.Errorf("handler %v, fired %v", got, fired)
		}
		if told := r.ledger.Told(t, approval.TemplateReminder); len(told) != 0 {
			t.Errorf("%d reminders after the time-out", len(told))
		}
		if told := r.ledger.Told(t, approval.TemplateTimedOut); len(told) != 2*n {
			t.Errorf("%d notices", len(told))
		}
	})
}

func TestTwoApproversAtOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.Directory = approvers("mgmt", "mgmt2", "mgmt3")
		nodes := []*approval.Service{r.open(t), r.open(t)}
		r.Service = nodes[0]
		const rounds = 10
		for range rounds {
			q := r.submit(t, as("exec"))
			if !slices.Equal(q.Approvers(), []string{"mgmt", "mgmt2", "mgmt3"}) {
				t.Fatal(q.Approvers())
			}
			errs := make([]error, 6)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					d := approve
					if i%2 == 1 {
						d = approval.Decision{Action: approval.Reject, Reason: "no"}
					}
					_, errs[i] = nodes[i%2].Act(t.Context(), as(q.Approvers()[i%3]), q.ID, d)
				})
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !errors.Is(err, approval.ErrDecided) {
					t.Error(err)
				}
			}
			if won != 1 {
				t.Errorf("%d won", won)
			}
		}
		got := r.fates(t)
		if got[approval.Approved]+got[approval.Rejected] != rounds {
			t.Errorf("handler %v", got)
		}
	})
}

func TestOneBrokenSubjectHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for range 5 {
			r.submit(t, as("alice"))
		}
		bad := r.submit(t, as("bob"))
		broken := fmt.Errorf("broken")
		r.things.broken = func(q approval.Request) error {
			if q.ID == bad.ID {
				return broken
			}
			return nil
		}
		r.db.AdvanceClock(49 * time.Hour)
		n, err := r.Sweep(t.Context(), 100)
		if n != 5 || !errors.Is(err, broken) {
			t.Errorf("%d done, %v", n, err)
		}
		if n, err := r.Sweep(t.Context(), 100); n != 0 || err != nil {
			t.Errorf("it is not put off: %d, %v", n, err)
		}
		if got := r.get(t, bad); got.Status != approval.Pending {
			t.Errorf("%s", got.Status)
		}
		if err := r.Simulate(t.Context(), as("manager"), bad.ID, approve); !errors.Is(err, approval.ErrExpired) {
			t.Errorf("the deadline does not hold: %v", err)
		}
		r.things.broken = nil
		r.db.AdvanceClock(2 * time.Minute)
		if n := sweepAll(t, r.Service); n != 1 || r.get(t, bad).Status != approval.TimedOut {
			t.Errorf("%d later, %s", n, r.get(t, bad).Status)
		}
		if got := r.fates(t); got[approval.TimedOut] != 6 {
			t.Errorf("handler %v", got)
		}
	})
}

// locked are things that are locked by whoever changes one.
type locked struct{ *things }

func (locked) LockSubject(context.Context, identity.TenantID, string) error { return nil }

// claims notes how many are claimed at once.
type claims struct {
	approval.Store
	most int
}

func (c *claims) TimeOut(ctx context.Context, now time.Time, by string, limit int) ([]approval.Request, error) {
	rs, err := c.Store.TimeOut(ctx, now, by, limit)
	c.most = max(c.most, len(rs))
	return rs, err
}

// TestFewAtOnceWhereSubjectsAreLocked: after an outage many are due, and each keeps its subject from those who change it.
func TestFewAtOnceWhereSubjectsAreLocked(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		const n = 50
		store := &claims{Store: r.cfg.Store}
		r.cfg.Store, r.cfg.Subjects = store, map[string]approval.SubjectHandler{"thing": locked{r.things}}
		r.Service = r.open(t)
		for range n {
			r.submit(t, as("alice"))
		}
		r.db.AdvanceClock(72 * time.Hour)
		if done, err := r.Sweep(t.Context(), 0); done != n || err != nil || r.fates(t)[approval.TimedOut] != n {
			t.Errorf("%d done, %v", done, err)
		}
		if store.most > 20 {
			t.Errorf("%d in one transaction", store.most)
		}
	})
}
