package ackflow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowtest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
)

// due is a request of alice's that is due in an hour.
func (r *rig) due(tb testing.TB, change func(n *ackflow.NewRequest), users ...string) ackflow.Detail {
	tb.Helper()
	now, err := r.db.Now(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	n := asking(users...)
	n.DueAt = now.Add(time.Hour)
	if change != nil {
		change(&n)
	}
	return r.ask(tb, "alice", n)
}

// after moves the clock on and sweeps.
func (r *rig) after(tb testing.TB, d time.Duration) int {
	tb.Helper()
	r.db.AdvanceClock(d)
	return sweepAll(tb, r.Service)
}

func TestReminders(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		// alice has asked and is asked: she is reminded like everybody.
		d := r.due(t, func(n *ackflow.NewRequest) { n.RemindIntervalHours = 6 }, "bob", "alice", "carol", "dave")
		r.told(t, ackflow.TemplateRequested, "bob", "carol", "dave")
		if n := r.after(t, 59*time.Minute); n != 0 {
			t.Errorf("%d before the due time", n)
		}
		r.ack(t, d.ID, "bob") // silences nobody but bob
		if n := r.after(t, 2*time.Minute); n != 1 {
			t.Errorf("%d at the due time", n)
		}
		r.told(t, ackflow.TemplateReminder, "alice", "carol", "dave")
		if n := r.after(t, 5*time.Hour+58*time.Minute); n != 0 {
			t.Errorf("%d before the interval", n)
		}
		r.ack(t, d.ID, "dave")
		r.after(t, 3*time.Minute)
		r.told(t, ackflow.TemplateReminder, "alice", "carol", "dave", "alice", "carol")
		r.ack(t, d.ID, "alice", "carol")
		if n := r.after(t, 100*time.Hour); n != 0 {
			t.Errorf("%d after everybody has acknowledged", n)
		}
		r.audited(t, "chat_ack_reminder_sent", 2)
		// A notifier that suppresses repetitions must not take the second reminder for the first.
		subjects := map[string]bool{}
		for _, l := range r.ledger.Lines(t, "notice", ackflow.TemplateReminder) {
			subjects[l.Target] = true
		}
		if len(subjects) != 2 {
			t.Errorf("subjects %v", subjects)
		}
	})
}

func TestRemindersEnd(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		canceled, deleted := r.due(t, nil, "bob"), r.due(t, nil, "bob")
		if n := r.after(t, 2*time.Hour); n != 2 {
			t.Errorf("%d", n)
		}
		if _, err := r.Cancel(t.Context(), as("alice"), canceled.ID, "never mind"); err != nil {
			t.Error(err)
		}
		if err := r.DeleteMessage(t.Context(), as("alice"), deleted.MessageID); err != nil {
			t.Error(err)
		}
		if n := r.after(t, 100*time.Hour); n != 0 {
			t.Errorf("%d of what is canceled or deleted", n)
		}
		r.told(t, ackflow.TemplateCanceled, "bob")
		r.ask(t, "alice", asking("bob")) // without a due time
		if n := r.after(t, 1000*time.Hour); n != 0 {
			t.Errorf("%d without a due time", n)
		}
	})
}

// TestReopened has a completed request that is overdue be taken back, and edited: its people get no reminder at once, but
// one after the interval, and their managers hear of it as long after that as they were to hear after the first. Where
// somebody was missing all the time, to take back puts nothing off.
func TestReopened(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		escalating := func(n *ackflow.NewRequest) { n.EscalationAfterHours = new(3) }
		revoked, edited := r.due(t, escalating, "bob"), r.due(t, escalating, "carol")
		r.ack(t, revoked.ID, "bob")
		r.ack(t, edited.ID, "carol")
		r.told(t, ackflow.TemplateCompleted, "alice", "alice")
		if n := r.after(t, 10*time.Hour); n != 0 {
			t.Errorf("%d of what is complete", n)
		}
		if _, err := r.Revoke(t.Context(), as("bob"), revoked.ID); err != nil {
			t.Error(err)
		}
		if _, err := r.EditMessage(t.Context(), as("alice"), edited.MessageID, "other"); err != nil {
			t.Error(err)
		}
		r.told(t, ackflow.TemplateEdited, "carol")
		if n := r.after(t, 23*time.Hour); n != 0 {
			t.Errorf("%d at once", n)
		}
		if n := r.after(t, 2*time.Hour); n != 2 {
			t.Errorf("%d after the interval", n)
		}
		r.told(t, ackflow.TemplateReminder, "bob", "carol")
		r.told(t, ackflow.TemplateEscalated)
		r.after(t, 3*time.Hour)
		r.told(t, ackflow.TemplateEscalated, "manager", "manager")

		late := r.due(t, escalating, "bob", "dave")
		r.ack(t, late.ID, "bob")
		r.db.AdvanceClock(5 * time.Hour)
		if _, err := r.Revoke(t.Context(), as("bob"), late.ID); err != nil {
			t.Error(err)
		}
		r.after(t, 0)
		r.told(t, ackflow.TemplateEscalated, "manager", "manager", "manager")
	})
}

func TestEscalation(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		d := r.due(t, func(n *ackflow.NewRequest) {
			n.EscalationAfterHours, n.EscalationUserIDs, n.EscalationRoles = new(3), []string{"exec"}, []string{"mgmt"}
		}, "bob", "carol")
		r.ack(t, d.ID, "carol")
		r.after(t, 3*time.Hour+59*time.Minute)
		r.told(t, ackflow.TemplateEscalated)
		r.after(t, 2*time.Minute)
		r.told(t, ackflow.TemplateEscalated, "exec", "mgmt")
		for _, l := range r.ledger.Lines(t, "notice", ackflow.TemplateEscalated) {
			if !strings.Contains(l.Body, `"Critical":true`) || !strings.Contains(l.Body, `"missing_ids":["bob"]`) {
				t.Errorf("%s", l.Body) // it has to pass mute settings, and to say who is missing
			}
		}
		for _, l := range r.ledger.Lines(t, "notice", ackflow.TemplateReminder) {
			if !strings.Contains(l.Body, `"Critical":false`) || !ackflow.Templates()[l.Name].Informational {
				t.Errorf("%s", l.Body) // it has to obey them
			}
		}
		if _, err := r.Get(t.Context(), as("exec"), d.ID); err != nil {
			t.Errorf("told of it, but may not see it: %v", err)
		}
		// Completed, edited and late again: nobody hears of the same request twice.
		r.ack(t, d.ID, "bob")
		if _, err := r.EditMessage(t.Context(), as("alice"), d.MessageID, "other"); err != nil {
			t.Error(err)
		}
		r.after(t, 100*time.Hour)
		r.told(t, ackflow.TemplateEscalated, "exec", "mgmt")
		r.audited(t, "chat_ack_escalated", 1)
	})
}

func TestEscalationToManagers(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.due(t, func(n *ackflow.NewRequest) { n.EscalationAfterHours = new(0) }, "bob", "carol", "manager", "admin")
		r.after(t, time.Hour+time.Minute)
		r.told(t, ackflow.TemplateEscalated, "manager", "exec") // of bob and carol one, of admin none
	})
}

// TestWhoHasLeft: nobody is reminded, and no reminder is said to be sent, of a request that only people who have left are
// missing in; whoever led them learns that it will not end by itself.
func TestWhoHasLeft(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.due(t, func(n *ackflow.NewRequest) { n.EscalationAfterHours = new(24) }, "bob")
		company := ackflowtest.Company()
		people := slices.Clone(company["acme"].People)
		people[slices.IndexFunc(people, func(p identity.Person) bool { return p.ID == "bob" })].Active = false
		company["acme"] = identitytest.Company{People: people}
		r.cfg.Directory = company
		r.Service = r.open(t)
		for range 3 {
			r.after(t, 24*time.Hour)
		}
		r.told(t, ackflow.TemplateReminder)
		r.audited(t, "chat_ack_reminder_sent", 0)
		r.told(t, ackflow.TemplateEscalated, "manager")
		if l := r.ledger.Lines(t, "notice", ackflow.TemplateEscalated); len(l) != 1 || !strings.Contains(l[0].Body, `"missing_ids":["bob"]`) {
			t.Errorf("%+v", l)
		}
	})
}

func TestLadder(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.cfg.StandIns = func(_ context.Context, _ identity.TenantID, person string) ([]string, error) {
			return map[string][]string{"bob": {"dave", "carol", "gone"}}[person], nil
		}
		r.Service = r.open(t)
		d := r.due(t, func(n *ackflow.NewRequest) { n.EscalationAfterHours, n.EscalationUserIDs = new(72), []string{"dave"} }, "bob", "carol")
		r.after(t, 2*time.Hour)
		r.told(t, ackflow.TemplateStandIn)
		for _, who := range []string{"dave", "manager"} {
			if _, err := r.Get(t.Context(), as(who), d.ID); !errors.Is(err, ackflow.ErrNotFound) {
				t.Errorf("%s, not told yet: %v", who, err)
			}
		}
		r.after(t, 24*time.Hour)
		r.told(t, ackflow.TemplateStandIn, "dave") // carol is reminded herself; gone has left
		r.after(t, 24*time.Hour)
		r.told(t, ackflow.TemplateStandIn, "dave", "dave", "manager")
		r.told(t, ackflow.TemplateReminder, "bob", "carol", "bob", "carol", "bob", "carol")
		for _, who := range []string{"dave", "manager"} {
			if _, err := r.Message(t.Context(), as(who), d.MessageID); err != nil {
				t.Errorf("%s was told of it, but may not see it: %v", who, err)
			}
		}
		r.after(t, 24*time.Hour)
		r.told(t, ackflow.TemplateEscalated, "dave") // to have stood in spares nobody the escalation
	})
}

// TestThreeDaysOutage has three nodes come back after three days: each request is reminded of once, not once a day, and
// escalated once to each person.
func TestThreeDaysOutage(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		const n = 45
		for range n {
			r.due(t, func(n *ackflow.NewRequest) {
				n.EscalationAfterHours, n.EscalationUserIDs = new(24), []string{"exec"}
			}, "bob", "carol")
		}
		r.db.AdvanceClock(72 * time.Hour)
		nodes := []*ackflow.Service{r.open(t), r.open(t), r.open(t)}
		fired := make([]int, len(nodes))
		var wg sync.WaitGroup
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
		r.told(t, ackflow.TemplateReminder, slices.Concat(slices.Repeat([]string{"bob"}, n), slices.Repeat([]string{"carol"}, n))...)
		r.told(t, ackflow.TemplateEscalated, slices.Repeat([]string{"exec"}, n)...)
		if n := r.after(t, 23*time.Hour); n != 0 {
			t.Errorf("%d before the interval after the return; fired %v", n, fired)
		}
		if got := r.after(t, 2*time.Hour); got != n {
			t.Errorf("%d after it", got)
		}
		r.audited(t, "chat_ack_reminder_sent", 2*n)
		r.audited(t, "chat_ack_escalated", n)
	})
}

func TestClockStepsBack(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.due(t, func(n *ackflow.NewRequest) {
			n.RemindIntervalHours, n.EscalationAfterHours, n.EscalationUserIDs = 2, new(0), []string{"exec"}
		}, "bob")
		r.after(t, 61*time.Minute)
		for _, step := range []time.Duration{-time.Hour, 30 * time.Minute, 31 * time.Minute, -time.Hour, 2 * time.Hour, 57 * time.Minute} {
			if n := r.after(t, step); n != 0 {
				t.Errorf("%d after %v", n, step)
			}
		}
		r.after(t, 3*time.Minute)
		r.told(t, ackflow.TemplateReminder, "bob", "bob")
		r.told(t, ackflow.TemplateEscalated, "exec")
	})
}

// fixedClock is a store whose clock stands where it is put.
type fixedClock struct {
	ackflow.Store
	at time.Time
}

func (c *fixedClock) Now(context.Context) (time.Time, error) { return c.at, nil }

// TestDaylightSaving has requests due before both changes of the clocks in New York: hours are hours that have passed.
func TestDaylightSaving(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		clock := &fixedClock{Store: r.cfg.Store}
		r.cfg.Store = clock
		r.Service = r.open(t)
		for _, c := range []struct{ due, next, escalate string }{
			{"2030-03-09 12:00", "2030-03-10 13:00", "2030-03-10 14:00"}, // the night has an hour less
			{"2030-11-02 12:00", "2030-11-03 11:00", "2030-11-03 12:00"}, // and one more
		} {
			at := func(s string) time.Time {
				v, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
				if err != nil {
					t.Fatal(err)
				}
				return v
			}
			clock.at = at(c.due).Add(-time.Hour)
			n := asking("bob")
			n.DueAt, n.EscalationAfterHours, n.EscalationUserIDs = at(c.due), new(25), []string{"exec"}
			d := r.ask(t, "alice", n)
			for _, due := range []string{c.due, c.next, c.escalate} {
				clock.at = at(due).Add(-time.Microsecond)
				if n := sweepAll(t, r.Service); n != 0 {
					t.Errorf("%d a moment before %s", n, due)
				}
				clock.at = at(due)
				if n := sweepAll(t, r.Service); n != 1 {
					t.Errorf("%d at %s", n, due)
				}
			}
			if _, err := r.Cancel(t.Context(), as("alice"), d.ID, ""); err != nil {
				t.Fatal(err)
			}
		}
		r.told(t, ackflow.TemplateReminder, "bob", "bob", "bob", "bob")
		r.told(t, ackflow.TemplateEscalated, "exec", "exec")
	})
}

// TestOldOnesDoNotStarveNewOnes has many requests that were due long ago and need nothing stand before one that does: a
// limit that is applied before the filter would never reach it.
func TestOldOnesDoNotStarveNewOnes(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for range 30 {
			d := r.due(t, nil, "bob")
			r.ack(t, d.ID, "bob")
		}
		r.db.AdvanceClock(time.Minute)
		fresh := r.due(t, nil, "carol")
		r.db.AdvanceClock(2 * time.Hour)
		if n, err := r.Sweep(t.Context(), 5); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		r.told(t, ackflow.TemplateReminder, "carol")
		no := false
		p, err := r.List(t.Context(), as("carol"), ackflow.Query{State: ackflow.Expired, Acked: &no}, firstOf(5))
		if err != nil || len(p.Items) != 1 || p.Items[0].ID != fresh.ID {
			t.Errorf("%+v, %v", p, err)
		}
	})
}

// TestSweepsOfSeveralNodes has the other node use a database handle of its own where the engine allows one.
func TestSweepsOfSeveralNodes(t *testing.T) {
	url := sqldbtest.PostgresURL(t)
	var nodes []*rig
	for i := range 3 {
		db, err := sqldb.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if i == 0 {
			if err := sqldb.Migrate(t.Context(), db, migrations...); err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, newRig(t, db))
			continue
		}
		other := &rig{db: db, cfg: nodes[0].cfg}
		other.cfg.Store = newStore(db)
		other.Service = other.open(t)
		nodes = append(nodes, other)
	}
	const n = 60
	for range n {
		nodes[0].due(t, nil, "bob")
	}
	var wg sync.WaitGroup
	for _, node := range nodes {
		node.db.AdvanceClock(2 * time.Hour)
		wg.Go(func() {
			for {
				got, err := node.Sweep(t.Context(), 5)
				if err != nil {
					t.Error(err)
				}
				if got == 0 {
					return
				}
			}
		})
	}
	wg.Wait()
	sweepAll(t, nodes[0].Service)
	nodes[0].told(t, ackflow.TemplateReminder, slices.Repeat([]string{"bob"}, n)...)
}

// moody refuses notices to some people.
type moody struct {
	transport.Notifier
	refuses string
}

func (m *moody) Notify(ctx context.Context, notices ...transport.Notice) error {
	for _, n := range notices {
		if n.Recipient == m.refuses {
			return fmt.Errorf("no way to tell %s", m.refuses)
		}
	}
	return m.Notifier.Notify(ctx, notices...)
}

func TestOneBrokenRequestHoldsUpNobody(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		mood := &moody{Notifier: r.ledger}
		r.cfg.Notifier = mood
		r.Service = r.open(t)
		for range 5 {
			r.due(t, nil, "bob")
		}
		r.due(t, nil, "carol")
		mood.refuses = "carol"
		r.db.AdvanceClock(2 * time.Hour)
		if n, err := r.Sweep(t.Context(), 100); n != 5 || err == nil || !strings.Contains(err.Error(), "no way to tell carol") {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := r.Sweep(t.Context(), 100); n != 0 || err != nil {
			t.Errorf("it is not put off: %d, %v", n, err)
		}
		mood.refuses = ""
		if n := r.after(t, 2*time.Minute); n != 1 {
			t.Errorf("%d later", n)
		}
		r.told(t, ackflow.TemplateReminder, "bob", "bob", "bob", "bob", "bob", "carol")
		r.audited(t, "chat_ack_reminder_sent", 6)
	})
}
