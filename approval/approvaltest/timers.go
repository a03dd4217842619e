package approvaltest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
)

func anyDue(t *testing.T, s approval.Store, now time.Time) bool {
	t.Helper()
	due, err := s.AnyDue(t.Context(), now)
	if err != nil {
		t.Error(err)
	}
	return due
}

// claim runs both claims in a transaction of their own and returns the ids.
func claim(t *testing.T, s approval.Store, now time.Time, limit int) (late, reminded []string) {
	t.Helper()
	err := s.Do(t.Context(), func(ctx context.Context) error {
		late, reminded = nil, nil
		rs, err := s.TimeOut(ctx, now, "system:timeout", limit)
		if err != nil {
			return err
		}
		for _, r := range rs {
			late = append(late, r.ID)
			if r.Status != approval.TimedOut || r.Version != 2 || r.Outcome == nil || r.Outcome.By != "system:timeout" ||
				r.Outcome.Action != approval.ActionTimeout || !r.Outcome.At.Equal(now) {
				t.Errorf("timed out as %+v", r)
			}
		}
		rs, err = s.Remind(ctx, now, limit)
		for _, r := range rs {
			reminded = append(reminded, r.ID)
			if r.Status != approval.Pending || r.Version != 1 || !r.RemindedAt.Equal(now) {
				t.Errorf("reminded as %+v", r)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return late, reminded
}

func timers(t *testing.T, s approval.Store) {
	r := request(0)
	insert(t, s, r)
	moment := time.Microsecond
	if anyDue(t, s, r.RemindAt.Add(-moment)) {
		t.Error("due before the reminder")
	}
	if !anyDue(t, s, r.RemindAt) {
		t.Error("not due at the reminder")
	}
	late, reminded := claim(t, s, r.RemindAt, 10)
	if len(late) != 0 || len(reminded) != 1 {
		t.Fatalf("at the reminder: %v %v", late, reminded)
	}
	if late, reminded = claim(t, s, r.ExpiresAt.Add(-moment), 10); len(late)+len(reminded) != 0 {
		t.Errorf("before the deadline: %v %v", late, reminded)
	}
	if anyDue(t, s, r.ExpiresAt.Add(-moment)) {
		t.Error("due before the deadline")
	}
	until := r.ExpiresAt.Add(time.Hour)
	if err := s.Postpone(t.Context(), r.Tenant, r.ID, until); err != nil {
		t.Fatal(err)
	}
	if anyDue(t, s, until.Add(-moment)) {
		t.Error("due though put off")
	}
	if late, _ = claim(t, s, until, 10); len(late) != 1 {
		t.Errorf("at the deadline: %v", late)
	}
	if late, reminded = claim(t, s, until.Add(time.Hour), 10); len(late)+len(reminded) != 0 || anyDue(t, s, until.Add(time.Hour)) {
		t.Errorf("again: %v %v", late, reminded)
	}

	// Both due: no reminder.
	r = request(1)
	insert(t, s, r)
	if late, reminded = claim(t, s, r.ExpiresAt, 10); len(late) != 1 || len(reminded) != 0 {
		t.Errorf("both due: %v %v", late, reminded)
	}
	// A decision stops the timers.
	r = request(2)
	insert(t, s, r)
	if err := s.Settle(t.Context(), ended(r, approval.Approved)); err != nil {
		t.Fatal(err)
	}
	if late, reminded = claim(t, s, r.ExpiresAt, 10); len(late)+len(reminded) != 0 {
		t.Errorf("after a decision: %v %v", late, reminded)
	}
}

func claims(t *testing.T, s approval.Store) {
	const n = 60
	for i := range n {
		insert(t, s, request(i))
	}
	now := t0.Add(72 * time.Hour)
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				late, _ := claim(t, s, now, 7)
				mu.Lock()
				for _, id := range late {
					seen[id]++
				}
				mu.Unlock()
				if len(late) == 0 && !anyDue(t, s, now) {
					return
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d of %d timed out", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s timed out %d times", id, times)
		}
	}
}
