package ackflowtest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/ackflow"
)

func anyDue(t *testing.T, s ackflow.Store, now time.Time) bool {
	t.Helper()
	due, err := s.AnyDue(t.Context(), now)
	if err != nil {
		t.Error(err)
	}
	return due
}

// claim claims what is due and moves its reminder and escalation two days on; it returns the ids.
func claim(t *testing.T, s ackflow.Store, now time.Time, limit int) []string {
	t.Helper()
	var ids []string
	err := s.Do(t.Context(), func(ctx context.Context) error {
		ids = nil
		due, err := s.ClaimDue(ctx, now, limit)
		if err != nil {
			return err
		}
		for _, r := range due {
			ids = append(ids, r.ID)
			r.RemindAt, r.EscalateAt = now.Add(48*time.Hour), time.Time{}
			if err := s.SetRequest(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return ids
}

func timers(t *testing.T, s ackflow.Store) {
	const moment = time.Microsecond
	insert(t, s, 1)
	r := request(1)
	if anyDue(t, s, r.RemindAt.Add(-moment)) || len(claim(t, s, r.RemindAt.Add(-moment), 10)) != 0 {
		t.Error("due before the reminder")
	}
	if !anyDue(t, s, r.RemindAt) {
		t.Error("not due at the reminder")
	}
	until := r.RemindAt.Add(time.Hour)
	check(t, s.Postpone(t.Context(), "acme", r.ID, until))
	if anyDue(t, s, until.Add(-moment)) {
		t.Error("due though put off")
	}
	equal(t, get(t, s, r.ID), r) // its times stay
	equal(t, claim(t, s, until, 10), []string{r.ID})
	if anyDue(t, s, until.Add(time.Hour)) {
		t.Error("due again at once")
	}
	// Nothing is due of what is canceled, complete or without a message, and putting off does not change that.
	for n, change := range []func(r *ackflow.Request){
		func(r *ackflow.Request) { r.CanceledAt = t0 }, func(r *ackflow.Request) { r.Missing = 0 }, func(r *ackflow.Request) { r.MessageDeleted = true },
		func(r *ackflow.Request) { r.RemindAt, r.EscalateAt = time.Time{}, time.Time{} },
	} {
		insert(t, s, 10+n)
		r := request(10 + n)
		change(&r)
		check(t, s.SetRequest(t.Context(), r))
		check(t, s.Postpone(t.Context(), "acme", r.ID, t0))
	}
	if far := t0.Add(20 * time.Hour); anyDue(t, s, far) || len(claim(t, s, far, 10)) != 0 {
		t.Error("due though nobody can be missing")
	}
	// An escalation before the next reminder is due on its own; the longest due comes first.
	insert(t, s, 20, 21)
	early, late := request(20), request(21)
	early.RemindAt = time.Time{}
	late.RemindAt, late.EscalateAt = late.RemindAt.Add(24*time.Hour), early.EscalateAt.Add(-time.Hour)
	check(t, s.SetRequest(t.Context(), early))
	check(t, s.SetRequest(t.Context(), late))
	equal(t, claim(t, s, t0.Add(20*time.Hour), 1), []string{late.ID})
	equal(t, claim(t, s, t0.Add(20*time.Hour), 10), []string{early.ID})
}

func claims(t *testing.T, s ackflow.Store) {
	const n = 60
	for i := range n {
		insert(t, s, i)
	}
	now := t0.Add(72 * time.Hour)
	var mu sync.Mutex
	var seen []string
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				ids := claim(t, s, now, 7)
				mu.Lock()
				seen = append(seen, ids...)
				mu.Unlock()
				if len(ids) == 0 && !anyDue(t, s, now) {
					return
				}
			}
		})
	}
	wg.Wait()
	slices.Sort(seen)
	if len(seen) != n || len(slices.Compact(seen)) != n {
		t.Errorf("%d claims of %d requests", len(seen), n)
	}
}
