package approval_test

import (
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// eachTwoNodes runs f on both databases with a second handle, as another node has one where the engine allows it.
func eachTwoNodes(t *testing.T, f func(t *testing.T, r *rig, other *sqldb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		db := sqldbtest.SQLite(t, migrations...)
		f(t, newRig(t, db), db)
	})
	t.Run("postgres", func(t *testing.T) {
		url := sqldbtest.PostgresURL(t)
		open := func() *sqldb.DB {
			db, err := sqldb.Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return db
		}
		db := open()
		if err := sqldb.Migrate(t.Context(), db, migrations...); err != nil {
			t.Fatal(err)
		}
		f(t, newRig(t, db), open())
	})
}

// node is a service of the rig's configuration on another handle, with the clock if there is one.
func (r *rig) node(tb testing.TB, db *sqldb.DB, clock *fixedClock) *approval.Service {
	tb.Helper()
	cfg := r.cfg
	cfg.Store = approvalbun.New(db)
	if clock != nil {
		clock.Store, cfg.Store = cfg.Store, clock
	}
	svc, err := approval.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return svc
}

// TestTheDeadlinesMicrosecond: a decision and a sweep of another node that meet when the clock stands at the deadline, a
// microsecond before it, and where the one has read the clock before and the other at it. It ends once, and before the
// deadline by the approver only.
func TestTheDeadlinesMicrosecond(t *testing.T) {
	eachTwoNodes(t, func(t *testing.T, r *rig, other *sqldb.DB) {
		t.Helper()
		own := r.db
		ends := map[approval.Status]int{}
		for name, c := range map[string]struct {
			decides, sweeps time.Duration // when the two read the clock, from the deadline on
			approved, late  bool          // what may become of it
		}{
			"before":          {-time.Microsecond, -time.Microsecond, true, false},
			"at the deadline": {0, 0, false, true},
			"one each":        {-time.Microsecond, 0, true, true},
		} {
			for range 10 {
				r.Service = r.node(t, own, &fixedClock{at: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)})
				q := r.submit(t, as("alice"))
				decider := r.node(t, own, &fixedClock{at: q.ExpiresAt.Add(c.decides)})
				sweeper := r.node(t, other, &fixedClock{at: q.ExpiresAt.Add(c.sweeps)})
				begin := make(chan struct{})
				var decided, swept error
				var wg sync.WaitGroup
				wg.Go(func() {
					<-begin
					_, decided = decider.Act(t.Context(), as("manager"), q.ID, approve)
				})
				wg.Go(func() {
					<-begin
					for range 3 {
						if _, err := sweeper.Sweep(t.Context(), 1); err != nil {
							swept = err
						}
					}
				})
				close(begin)
				wg.Wait()
				got := r.get(t, q)
				ends[got.Status]++
				switch {
				case swept != nil:
					t.Errorf("%s: the sweep: %v", name, swept)
				case decided == nil && got.Status == approval.Approved && c.approved:
				case errors.Is(decided, approval.ErrExpired) && got.Status == approval.TimedOut && c.late && got.Outcome.By == "system:timeout":
				default:
					t.Errorf("%s: answer %v, ended %s by %+v", name, decided, got.Status, got.Outcome)
				}
			}
		}
		if got := r.fates(t); !reflect.DeepEqual(got, ends) || ends[approval.TimedOut] < 10 || ends[approval.Approved] < 10 {
			t.Errorf("handler %v, stored %v", got, ends)
		}
	})
}

// TestDecisionAgainstSweep lets decisions and sweeps meet at the deadline, by the database's clock.
func TestDecisionAgainstSweep(t *testing.T) {
	eachTwoNodes(t, func(t *testing.T, r *rig, other *sqldb.DB) {
		t.Helper()
		db, sweeper := r.db, r.node(t, other, nil)
		const rounds = 30
		ends := map[approval.Status]int{}
		for i := range rounds {
			r.cfg.Timeout = time.Duration(i%10+3) * time.Millisecond
			r.Service = r.open(t)
			q := r.submit(t, as("alice"))
			var wg sync.WaitGroup
			wg.Go(func() { // sweeps until the deadline has passed
				for {
					now, err := other.Now(t.Context())
					if err == nil {
						_, err = sweeper.Sweep(t.Context(), 10)
					}
					if err != nil {
						t.Error(err)
						return
					}
					if !now.Before(q.ExpiresAt) {
						return
					}
				}
			})
			var err error
			wg.Go(func() { // decides as near to the deadline as it can
				for {
					now, _ := db.Now(t.Context())
					if q.ExpiresAt.Sub(now) < 2*time.Millisecond {
						break
					}
				}
				_, err = r.Act(t.Context(), as("manager"), q.ID, approve)
			})
			wg.Wait()
			sweepAll(t, sweeper)
			got := r.get(t, q)
			ends[got.Status]++
			switch {
			case err == nil && got.Status == approval.Approved && got.Outcome.At.Before(q.ExpiresAt):
			case errors.Is(err, approval.ErrExpired) && got.Status == approval.TimedOut && !got.Outcome.At.Before(q.ExpiresAt):
			default:
				t.Errorf("answer %v, status %s at %v, deadline %v", err, got.Status, got.Outcome, q.ExpiresAt)
			}
		}
		if got := r.fates(t); !reflect.DeepEqual(got, ends) {
			t.Errorf("handler %v, stored %v", got, ends)
		}
		t.Logf("ends: %v", ends)
	})
}
