package approvaltest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Run proves that a store keeps the contracts of approval.Store. open returns a fresh, empty store.
func Run(t *testing.T, open func(t *testing.T) approval.Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s approval.Store)
	}{
		{"RoundTrip", roundTrip},
		{"OnePendingPerSubject", onePending},
		{"SettleOnce", settleOnce},
		{"SettleRace", settleRace},
		{"Revise", revise},
		{"Conceal", conceal},
		{"LockPending", lockPending},
		{"List", list},
		{"Tenants", tenants},
		{"Rollback", rollback},
		{"Timers", timers},
		{"ClaimsDoNotOverlap", claims},
		{"Advance", advance},
		{"AskedSince", askedSince},
		{"Substitutions", substitutions},
		{"SubstitutionsEndOnce", substitutionsEnd},
		{"ListSubstitutions", listSubstitutions},
		{"Policies", policies},
		{"PolicyRace", policyRace},
		{"Links", links},
		{"PruneLinks", pruneLinks},
		{"ActionPolicies", actionPolicies},
		{"ActionPolicyRace", actionPolicyRace},
		{"ActionPoliciesInOrder", actionPoliciesOn},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var t0 = time.Date(2030, 1, 15, 9, 0, 0, 123456000, time.UTC)

// request makes the n-th request: created n seconds after t0, to be reminded an hour and to expire two hours later.
func request(n int) approval.Request {
	at := t0.Add(time.Duration(n) * time.Second)
	return approval.Request{
		ID: fmt.Sprintf("id-%04d", n), Tenant: "acme", Subject: approval.Subject{Kind: "thing", ID: fmt.Sprint(n)}, Flow: "booking",
		Requester: "alice", ActedBy: "", Summary: "何か 'quoted' ?0 \\", Discreet: "something",
		Steps: []approval.Step{{
			Mode: approval.Any, Ask: []approval.Source{approval.Manager()}, Approvers: []string{"manager", "mgmt"}, Why: []string{"because"},
			State: approval.StepOpen, OpenedAt: at,
		}},
		Policy: 3, Reasons: []string{"attendees"}, Explanation: []string{"attendees 12 ≥ 10"}, ContentHash: "abc",
		Shown:  []approval.Shown{{Hash: "abc", At: at, Version: 1, By: "alice", Members: map[string]string{"title": "0123"}}},
		Status: approval.Pending, Version: 1,
		CreatedAt: at, RemindAt: at.Add(time.Hour), ExpiresAt: at.Add(2 * time.Hour),
	}
}

func insert(t *testing.T, s approval.Store, rs ...approval.Request) {
	t.Helper()
	for _, r := range rs {
		if err := s.Insert(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, s approval.Store, r approval.Request) approval.Request {
	t.Helper()
	got, err := s.Request(t.Context(), r.Tenant, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func ended(r approval.Request, status approval.Status) approval.Request {
	r.Status = status
	r.Version++
	r.Outcome = &approval.Outcome{By: r.Approvers()[0], Action: approval.Approve, Reason: "fine", At: r.CreatedAt.Add(time.Minute)}
	r.Steps = slices.Clone(r.Steps)
	r.CloseSteps(r.Outcome.At)
	return r
}

func roundTrip(t *testing.T, s approval.Store) {
	r := request(1)
	r.ActedBy = "secretary"
	insert(t, s, r)
	if got := get(t, s, r); !reflect.DeepEqual(got, r) {
		t.Errorf("got  %+v\nwant %+v", got, r)
	}
	r = ended(r, approval.Approved)
	if err := s.Settle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, r); !reflect.DeepEqual(got, r) {
		t.Errorf("settled: got  %+v\nwant %+v", got, r)
	}
	if _, err := s.Request(t.Context(), "acme", "nothing"); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("unknown id: %v", err)
	}
	err := s.Do(t.Context(), func(ctx context.Context) error {
		_, err := s.Lock(ctx, "acme", "nothing")
		return err
	})
	if !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("locking an unknown id: %v", err)
	}
}

func onePending(t *testing.T, s approval.Store) {
	r, second := request(1), request(2)
	second.Subject = r.Subject
	insert(t, s, r)
	if err := s.Insert(t.Context(), second); !errors.Is(err, approval.ErrAlreadyPending) {
		t.Fatalf("a second pending request: %v", err)
	}
	other := request(3)
	other.Subject, other.Flow = r.Subject, "other"
	insert(t, s, other)
	if err := s.Settle(t.Context(), ended(r, approval.Withdrawn)); err != nil {
		t.Fatal(err)
	}
	insert(t, s, second)
}

func settleOnce(t *testing.T, s approval.Store) {
	r := request(1)
	insert(t, s, r)
	wrong := ended(r, approval.Approved)
	wrong.Version = 7
	if err := s.Settle(t.Context(), wrong); !errors.Is(err, approval.ErrDecided) {
		t.Errorf("a foreign version: %v", err)
	}
	if err := s.Settle(t.Context(), ended(r, approval.Approved)); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), ended(r, approval.Rejected)); !errors.Is(err, approval.ErrDecided) {
		t.Errorf("a second decision: %v", err)
	}
	if got := get(t, s, r); got.Status != approval.Approved {
		t.Errorf("status %s", got.Status)
	}
}

func revise(t *testing.T, s approval.Store) {
	t.Helper()
	r := request(1)
	insert(t, s, r)
	revised := r
	revised.Version, revised.Summary, revised.Discreet, revised.ContentHash = r.Version+1, "another summary", "another", strings.Repeat("f", 64)
	revised.Shown = append(slices.Clone(r.Shown), approval.Shown{Hash: revised.ContentHash, At: r.CreatedAt, Version: 2, By: "alice", Members: map[string]string{}})
	revised.Reasons, revised.Explanation = []string{"attendees"}, []string{"attendees 12 ≥ 10"}
	if err := s.Revise(t.Context(), revised); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, r); !reflect.DeepEqual(got, revised) {
		t.Errorf("got  %+v\nwant %+v", got, revised)
	}
	if err := s.Revise(t.Context(), revised); !errors.Is(err, approval.ErrDecided) {
		t.Errorf("at an old version: %v", err)
	}
}

// conceal: every request about the subject and no other, in whatever state, and once.
func conceal(t *testing.T, s approval.Store) {
	done, waiting, other, foreign := request(1), request(2), request(3), request(4)
	waiting.Subject, foreign.Subject, foreign.Tenant = done.Subject, done.Subject, "other"
	insert(t, s, done, other, foreign)
	if err := s.Settle(t.Context(), ended(done, approval.Approved)); err != nil {
		t.Fatal(err)
	}
	insert(t, s, waiting)
	for _, want := range [][]string{{done.ID, waiting.ID}, {}} {
		ids, err := s.Conceal(t.Context(), "acme", done.Subject)
		slices.Sort(ids)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%v, %v, want %v", ids, err, want)
		}
	}
	for _, r := range []approval.Request{done, waiting} {
		if got := get(t, s, r); got.Summary != "something" || got.Version > 2 {
			t.Errorf("%+v", got)
		}
	}
	for _, r := range []approval.Request{other, foreign} {
		if got := get(t, s, r); got.Summary != r.Summary {
			t.Errorf("%+v", got)
		}
	}
}

func settleRace(t *testing.T, s approval.Store) {
	r := request(1)
	insert(t, s, r)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.Do(t.Context(), func(ctx context.Context) error {
				locked, err := s.Lock(ctx, r.Tenant, r.ID)
				if err != nil {
					return err
				}
				if locked.Status != approval.Pending {
					return approval.ErrDecided
				}
				return s.Settle(ctx, ended(locked, approval.Approved))
			})
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
		t.Errorf("%d winners", won)
	}
}

func lockPending(t *testing.T, s approval.Store) {
	r, other := request(1), request(2)
	other.Flow, other.Subject = "other", r.Subject
	done := ended(request(3), approval.Approved)
	insert(t, s, r, other, request(3), request(4))
	if err := s.Settle(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[approval.Subject]int{r.Subject: 2, done.Subject: 0, request(4).Subject: 1, {Kind: "x", ID: "y"}: 0} {
		err := s.Do(t.Context(), func(ctx context.Context) error {
			got, err := s.LockPending(ctx, "acme", subject)
			if len(got) != want {
				t.Errorf("%v: %d pending, want %d", subject, len(got), want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func list(t *testing.T, s approval.Store) {
	for n := range 25 {
		r := request(n)
		r.CreatedAt = t0 // all at once: the id decides the order
		switch n % 3 {
		case 1:
			r.Requester, r.ActedBy = "exec", "secretary"
		case 2:
			r.Requester = "bob"
			r.Steps[0].Approvers = []string{"mgmt"}
		}
		insert(t, s, r)
		if n < 5 {
			if err := s.Settle(t.Context(), ended(r, approval.Approved)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		f    approval.Filter
		want int
	}{
		"all":            {approval.Filter{}, 25},
		"approver":       {approval.Filter{Approver: "manager"}, 17},
		"approver, any":  {approval.Filter{Approver: "mgmt"}, 25},
		"pending of his": {approval.Filter{Approver: "manager", Status: approval.Pending}, 13},
		"requester":      {approval.Filter{Requester: "bob"}, 8},
		"acted by":       {approval.Filter{Requester: "secretary"}, 8},
		"involving":      {approval.Filter{Involving: "manager"}, 17},
		"involving, too": {approval.Filter{Involving: "bob"}, 8},
		"nobody":         {approval.Filter{Involving: "stranger"}, 0},
	} {
		seen := map[string]bool{}
		last := ""
		for p := (page.Request{Limit: 4}); ; {
			got, err := s.List(t.Context(), "acme", c.f, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range got.Items {
				if last != "" && r.ID >= last {
					t.Errorf("%s: %s after %s", name, r.ID, last)
				}
				last = r.ID
				seen[r.ID] = true
			}
			if got.Next == "" {
				break
			}
			p.Cursor = got.Next
		}
		if len(seen) != c.want {
			t.Errorf("%s: %d, want %d", name, len(seen), c.want)
		}
	}
	if _, err := s.List(t.Context(), "acme", approval.Filter{}, page.Request{Cursor: "junk"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("a bad cursor: %v", err)
	}
}

func tenants(t *testing.T, s approval.Store) {
	r := request(1)
	insert(t, s, r)
	twin := r
	twin.Tenant = "other" // the same id, subject and people
	insert(t, s, twin)
	if err := s.Settle(t.Context(), ended(twin, approval.Rejected)); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, r); got.Status != approval.Pending {
		t.Errorf("another tenant's decision reached it: %s", got.Status)
	}
	for tenant, want := range map[identity.TenantID]int{"acme": 1, "other": 1, "third": 0} {
		got, err := s.List(t.Context(), tenant, approval.Filter{Approver: "manager"}, page.Request{})
		if err != nil || len(got.Items) != want {
			t.Errorf("%s: %d items, %v", tenant, len(got.Items), err)
		}
	}
	if _, err := s.Request(t.Context(), "third", r.ID); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("a foreign tenant: %v", err)
	}
}

func rollback(t *testing.T, s approval.Store) {
	stop := errors.New("stop")
	err := s.Do(t.Context(), func(ctx context.Context) error {
		if err := s.Insert(ctx, request(1)); err != nil {
			return err
		}
		if _, err := s.Request(ctx, "acme", request(1).ID); err != nil {
			t.Errorf("not visible inside: %v", err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, err := s.Request(t.Context(), "acme", request(1).ID); !errors.Is(err, approval.ErrNotFound) {
		t.Errorf("it stayed: %v", err)
	}
}
