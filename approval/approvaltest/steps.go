package approvaltest

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/page"
)

// seen returns the ids that the filter selects.
func seen(t *testing.T, s approval.Store, f approval.Filter) []string {
	t.Helper()
	p, err := s.List(t.Context(), "acme", f, page.Request{})
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, r := range p.Items {
		ids = append(ids, r.ID)
	}
	return ids
}

// advance: a decision that the request outlives is stored with its steps, and the lists of people follow: who has given
// their word is asked no more, who is asked next is, and who decided in somebody's place finds the request again.
func advance(t *testing.T, s approval.Store) {
	r := request(1)
	r.Steps = append(r.Steps, approval.Step{Name: "next", Mode: approval.All, Ask: []approval.Source{approval.User("hr")}, Approvers: []string{"hr"}, Why: []string{}, State: approval.StepWaiting})
	insert(t, s, r)
	inbox := func(who string) []string {
		return seen(t, s, approval.Filter{Approver: who, Status: approval.Pending})
	}
	asked := func(who string) []string { return seen(t, s, approval.Filter{Approver: who}) }
	if got := inbox("hr"); len(got) != 0 {
		t.Errorf("who is not asked yet has %v", got)
	}
	then := r
	then.Steps = slices.Clone(r.Steps)
	at := r.CreatedAt.Add(time.Minute)
	then.Version = 2
	then.Steps[0].State, then.Steps[0].EndedAt = approval.StepApproved, at
	then.Steps[0].Decisions = []approval.StepDecision{{By: "bob", For: "manager", ActedBy: "secretary", Action: approval.Approve, Reason: "fine", At: at}}
	then.Steps[1].State, then.Steps[1].OpenedAt = approval.StepOpen, at
	if err := s.Advance(t.Context(), then); err != nil {
		t.Fatal(err)
	}
	if got := get(t, s, r); !reflect.DeepEqual(got, then) {
		t.Errorf("got  %+v\nwant %+v", got, then)
	}
	for who, want := range map[string][2]int{"manager": {0, 1}, "mgmt": {0, 1}, "bob": {0, 1}, "hr": {1, 1}, "alice": {0, 0}, "secretary": {0, 0}} {
		if got := [2]int{len(inbox(who)), len(asked(who))}; got != want {
			t.Errorf("%s has %v to decide and was asked, %v", who, got, want)
		}
	}
	if got := seen(t, s, approval.Filter{Approver: "alice", For: []string{"hr", "mgmt"}, Status: approval.Pending}); len(got) != 1 {
		t.Errorf("in the place of somebody: %v", got)
	}
	for who, want := range map[string]int{"hr": 1, "manager": 0} {
		if got := seen(t, s, approval.Filter{Approver: "alice", For: []string{who}}); len(got) != want {
			t.Errorf("in the place of %s: %v", who, got)
		}
	}
	if err := s.Advance(t.Context(), then); !errors.Is(err, approval.ErrDecided) {
		t.Errorf("at an old version: %v", err)
	}
	then.Version, then.Status = 3, approval.Approved
	then.Outcome = &approval.Outcome{By: "exec", Action: approval.Approve, At: at.Add(time.Minute)}
	then.Steps = slices.Clone(then.Steps)
	then.CloseSteps(then.Outcome.At)
	if err := s.Settle(t.Context(), then); err != nil {
		t.Fatal(err)
	}
	if got := asked("exec"); len(got) != 1 {
		t.Errorf("who ended it in somebody's place finds %v", got)
	}
	if got := seen(t, s, approval.Filter{Approver: "alice", For: []string{"hr", "manager", "mgmt"}}); len(got) != 0 {
		t.Errorf("in the place of those who were asked: %v", got)
	}
	then.Version = 4
	if err := s.Advance(t.Context(), then); !errors.Is(err, approval.ErrDecided) {
		t.Errorf("when it has ended: %v", err)
	}
}

func askedSince(t *testing.T, s approval.Store) {
	r := request(1)
	insert(t, s, r)
	for name, c := range map[string]struct {
		subject approval.Subject
		since   time.Time
		but     string
		want    bool
	}{
		"before":  {r.Subject, r.CreatedAt.Add(-time.Microsecond), "id-0002", true},
		"itself":  {r.Subject, r.CreatedAt.Add(-time.Microsecond), r.ID, false},
		"at":      {r.Subject, r.CreatedAt, "", false},
		"another": {approval.Subject{Kind: r.Subject.Kind, ID: "x"}, t0, "", false},
		"kind":    {approval.Subject{Kind: "x", ID: r.Subject.ID}, t0, "", false},
	} {
		if got, err := s.AskedSince(t.Context(), "acme", c.subject, c.since, c.but); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := s.AskedSince(t.Context(), "other", r.Subject, t0, ""); err != nil || got {
		t.Errorf("another tenant's: %v, %v", got, err)
	}
	// It still was, when it has ended.
	if err := s.Settle(t.Context(), ended(r, approval.Rejected)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.AskedSince(t.Context(), "acme", r.Subject, t0, ""); err != nil || !got {
		t.Errorf("ended: %v, %v", got, err)
	}
}
