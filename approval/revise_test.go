package approval_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
)

func (r *rig) revise(tb testing.TB, q approval.Request, content any, attendees int) {
	tb.Helper()
	err := r.Revise(tb.Context(), as("alice"), approval.Submission{
		Subject: q.Subject, Flow: q.Flow, Facts: approval.Facts{"attendees": attendees, "resource": []string{"大会議室"}}, Content: content, Summary: "Review",
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// TestStaleContent: a decision on what was shown before is refused with what has changed since, also over several changes;
// one on what is shown now is taken; one that names nothing is, too.
func TestStaleContent(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"), func(s *approval.Submission) {
			s.Content = map[string]any{"title": "Review", "room": "a", "guests": []string{"x"}}
		})
		first := q.ContentHash
		r.revise(t, q, map[string]any{"title": "Review", "room": "b", "guests": []string{"x"}}, 12)
		second := r.get(t, q).ContentHash
		r.revise(t, q, map[string]any{"title": "Review", "room": "b", "guests": []string{"x", "y"}, "food": true}, 13)
		now := r.get(t, q)
		if now.Version != 3 || !slices.Contains(now.Explanation, "attendees 13 ≥ 10") {
			t.Errorf("%+v", now)
		}
		for hash, want := range map[string]any{first: []string{"food", "guests", "room"}, second: []string{"food", "guests"}, "of something else": nil} {
			_, err := r.Act(t.Context(), as("manager"), q.ID, approval.Decision{Action: approval.Approve, ContentHash: hash})
			if f := fault.As(err); !errors.Is(err, approval.ErrStaleContent) || !reflect.DeepEqual(f.Details["changed"], want) || f.Details["content_hash"] != now.ContentHash || f.Details["version"] != int64(3) {
				t.Errorf("%s: %v %v", hash, err, fault.As(err))
			}
		}
		if told := r.ledger.Told(t, approval.TemplateChanged); !slices.Equal(told, []string{"manager", "manager"}) {
			t.Errorf("told %v", told)
		}
		r.revise(t, q, map[string]any{"food": true, "guests": []string{"x", "y"}, "room": "b", "title": "Review"}, 13) // nothing has
		if got := r.get(t, q); got.Version != 3 {
			t.Errorf("%+v", got)
		}
		revised := 0
		for _, m := range now.Timeline() {
			if m.Kind == "revised" {
				revised++
			}
		}
		if revised != 2 {
			t.Errorf("%+v", now.Timeline())
		}
		if _, err := r.Act(t.Context(), as("manager"), q.ID, approval.Decision{Action: approval.Approve, ContentHash: now.ContentHash}); err != nil {
			t.Error(err)
		}
		if err := r.Revise(t.Context(), as("alice"), approval.Submission{Subject: q.Subject, Flow: q.Flow, Summary: "two\nlines"}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a summary that a submission may not have: %v", err)
		}
		r.revise(t, q, 1, 12) // it has ended: nothing happens
		if got := r.get(t, q); got.ContentHash != now.ContentHash {
			t.Errorf("%+v", got)
		}
	})
}

// TestManyRevisions: what is kept of them is bounded, the first stays, and a hash that is forgotten is stale all the same.
func TestManyRevisions(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		hashes := []string{q.ContentHash}
		for i := range 30 {
			r.revise(t, q, map[string]any{"title": fmt.Sprint(i)}, 12)
			hashes = append(hashes, r.get(t, q).ContentHash)
		}
		got := r.get(t, q)
		if len(got.Shown) != 20 || got.Shown[0].Hash != hashes[0] || got.Shown[19].Hash != hashes[30] {
			t.Errorf("%d kept", len(got.Shown))
		}
		for i, hash := range hashes[:30] {
			err := r.Simulate(t.Context(), as("manager"), q.ID, approval.Decision{Action: approval.Approve, ContentHash: hash})
			changed, known := fault.As(err).Details["changed"]
			if !errors.Is(err, approval.ErrStaleContent) || known != (i == 0 || i > 11) || known && !reflect.DeepEqual(changed, []string{"title"}) {
				t.Errorf("after revision %d: %v %v", i, err, changed)
			}
		}
	})
}

// TestRevisedWhileDeciding: a decision on what was shown before never settles what was shown after.
func TestRevisedWhileDeciding(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for range 10 {
			q := r.submit(t, as("alice"))
			var err error
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err = r.Act(t.Context(), as("manager"), q.ID, approval.Decision{Action: approval.Approve, ContentHash: q.ContentHash})
			})
			wg.Go(func() { r.revise(t, q, map[string]any{"title": "Other"}, 12) })
			wg.Wait()
			got := r.get(t, q)
			switch {
			case err == nil && got.Status == approval.Approved && got.ContentHash == q.ContentHash:
			case errors.Is(err, approval.ErrStaleContent) && got.Status == approval.Pending && got.ContentHash != q.ContentHash:
			default:
				t.Errorf("%v, %s with %s, was %s", err, got.Status, got.ContentHash, q.ContentHash)
			}
		}
	})
}
