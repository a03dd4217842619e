package approvaltest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// substitution makes the n-th, for the manager: in force from t0 for an hour.
func substitution(n int, substitute string) approval.Substitution {
	return approval.Substitution{
		ID: fmt.Sprintf("s-%04d", n), Tenant: "acme", ApproverID: "manager", SubstituteID: substitute, From: t0, Until: t0.Add(time.Hour),
		CreatedBy: "admin", CreatedAt: t0.Add(-time.Hour),
	}
}

func addSubstitutions(t *testing.T, s approval.Store, subs ...approval.Substitution) {
	t.Helper()
	for _, sub := range subs {
		if err := s.AddSubstitution(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
	}
}

func substitutions(t *testing.T, s approval.Store) {
	sub, open := substitution(1, "hr"), substitution(2, "bob")
	open.Until = time.Time{}
	other := substitution(1, "exec")
	other.Tenant = "other"
	addSubstitutions(t, s, sub, open, other)
	if got, err := s.Substitution(t.Context(), "acme", sub.ID); err != nil || !reflect.DeepEqual(got, sub) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, sub)
	}
	if got, err := s.Substitution(t.Context(), "acme", open.ID); err != nil || !reflect.DeepEqual(got, open) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, open)
	}
	for _, tenant := range []identity.TenantID{"acme", "third"} {
		if _, err := s.Substitution(t.Context(), tenant, "s-9"); !errors.Is(err, approval.ErrNoSubstitution) {
			t.Errorf("%s: %v", tenant, err)
		}
	}
	// The windows are half open, to the microsecond; both sides agree.
	moment := time.Microsecond
	for name, c := range map[string]struct {
		at   time.Time
		want int
	}{
		"before": {t0.Add(-moment), 0}, "at the beginning": {t0, 2}, "just before the end": {sub.Until.Add(-moment), 2},
		"at the end": {sub.Until, 1}, "much later": {t0.AddDate(100, 0, 0), 1},
	} {
		of, err := s.SubstitutesOf(t.Context(), "acme", []string{"manager", "nobody"}, c.at)
		if err != nil || len(of) != c.want {
			t.Errorf("%s: %+v, %v", name, of, err)
		}
		by, err := s.StandingInFor(t.Context(), "acme", []string{"hr", "bob", "exec"}, c.at)
		if err != nil || !reflect.DeepEqual(by, of) {
			t.Errorf("%s, from the other side: %+v, %v", name, by, err)
		}
		for _, found := range of {
			if !found.InForce(c.at) {
				t.Errorf("%s: %s is not in force", name, found.ID)
			}
		}
	}
	if of, err := s.SubstitutesOf(t.Context(), "acme", nil, t0); err != nil || len(of) != 0 {
		t.Errorf("of nobody: %v, %v", of, err)
	}
	if changed, err := s.EndSubstitution(t.Context(), "third", open.ID, t0); err != nil || changed {
		t.Errorf("another tenant ends it: %v, %v", changed, err)
	}
	if of, err := s.SubstitutesOf(t.Context(), "other", []string{"manager"}, t0); err != nil || len(of) != 1 || of[0].SubstituteID != "exec" {
		t.Errorf("the other tenant's: %+v, %v", of, err)
	}
	ended := t0.Add(time.Minute)
	if changed, err := s.EndSubstitution(t.Context(), "acme", open.ID, ended); err != nil || !changed {
		t.Errorf("%v, %v", changed, err)
	}
	if changed, err := s.EndSubstitution(t.Context(), "acme", open.ID, ended.Add(time.Hour)); err != nil || changed {
		t.Errorf("ended twice: %v, %v", changed, err)
	}
	if got, err := s.Substitution(t.Context(), "acme", open.ID); err != nil || !got.EndedAt.Equal(ended) {
		t.Errorf("%+v, %v", got, err)
	}
	if of, err := s.SubstitutesOf(t.Context(), "acme", []string{"manager"}, ended); err != nil || len(of) != 1 {
		t.Errorf("after its end: %+v, %v", of, err)
	}
}

func substitutionsEnd(t *testing.T, s approval.Store) {
	sub := substitution(1, "hr")
	addSubstitutions(t, s, sub)
	var wg sync.WaitGroup
	var won atomic.Int64
	for range 8 {
		wg.Go(func() {
			changed, err := s.EndSubstitution(t.Context(), "acme", sub.ID, t0)
			if err != nil {
				t.Error(err)
			}
			if changed {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("ended %d times", won.Load())
	}
}

func listSubstitutions(t *testing.T, s approval.Store) {
	for n := range 9 {
		sub := substitution(n, "hr")
		if n%3 == 1 {
			sub.ApproverID, sub.SubstituteID = "hr", "manager"
		}
		if n%3 == 2 {
			sub.SubstituteID = "bob"
		}
		addSubstitutions(t, s, sub)
	}
	if _, err := s.EndSubstitution(t.Context(), "acme", "s-0000", t0); err != nil {
		t.Fatal(err)
	}
	for person, want := range map[string]int{"manager": 9, "hr": 6, "bob": 3, "": 9, "nobody": 0} {
		last, n := "t", 0
		for p := (page.Request{Limit: 2}); ; {
			got, err := s.ListSubstitutions(t.Context(), "acme", person, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, sub := range got.Items {
				if sub.ID >= last {
					t.Errorf("%s: %s after %s", person, sub.ID, last)
				}
				last = sub.ID
				n++
			}
			if p.Cursor = got.Next; p.Cursor == "" {
				break
			}
		}
		if n != want {
			t.Errorf("%s: %d, want %d", person, n, want)
		}
	}
	if got, err := s.ListSubstitutions(t.Context(), "other", "manager", page.Request{}); err != nil || len(got.Items) != 0 {
		t.Errorf("another tenant: %+v, %v", got, err)
	}
	if _, err := s.ListSubstitutions(t.Context(), "acme", "", page.Request{Cursor: "junk"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
}
