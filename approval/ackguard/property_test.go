package ackguard_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// asked is a linked request as the property knows it.
type asked struct {
	detail   ackflow.Detail
	link     ackflow.Link
	missing  map[string]bool
	canceled bool
	deleted  bool
	unlinked bool
}

func (a *asked) complete() bool { return len(a.missing) == 0 && !a.canceled && !a.deleted }

// TestSimulateIsAct: over random histories of linked requests, the dry run says what the decision then does, and both are
// what the history, told in other words, demands.
func TestSimulateIsAct(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	r.cfg.Directory = mgmtLeads() // alice's requests are for mgmt, an administrator; exec stands in without being one
	r.open(t)
	if _, err := r.approvals.NameSubstitute(t.Context(), as("mgmt"), approval.NewSubstitution{SubstituteID: "exec"}); err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		q := r.submit(t)
		var requests []*asked
		for range rapid.IntRange(0, 3).Draw(rt, "requests") {
			people := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"bob", "hr", "secretary"}), 1, 3, rapid.ID).Draw(rt, "asked")
			d, l := r.ask(t, q, people...)
			a := &asked{detail: d, link: l, missing: map[string]bool{}}
			for _, who := range people {
				a.missing[who] = true
			}
			requests = append(requests, a)
		}
		for range 4 {
			for _, a := range requests {
				happen(t, rt, r, a)
			}
			who := rapid.SampledFrom([]string{"mgmt", "exec", "exec"}).Draw(rt, "who")
			reason := rapid.SampledFrom([]string{"", "because"}).Draw(rt, "reason")
			d := approval.Decision{Action: approval.Approve, Reason: reason}
			verdict, foretold, err := r.approvals.EvaluateAction(t.Context(), as(who), approval.Evaluation{Action: d.Action, Target: q.ID, Reason: reason})
			if err != nil && !errors.Is(err, approval.ErrNotFound) { // exec sees it as long as there is something to decide
				rt.Fatal(err)
			}
			simulated := r.approvals.Simulate(t.Context(), as(who), q.ID, d)
			_, acted := r.approvals.Act(t.Context(), as(who), q.ID, d)
			if !same(simulated, acted) || err == nil && !same(foretold, acted) {
				rt.Fatalf("simulated %v, foretold %v, acted %v", fault.As(simulated), fault.As(foretold), fault.As(acted))
			}
			ends[fault.ReasonOf(acted)]++
			if errors.Is(acted, approval.ErrDecided) {
				continue
			}
			linked := slices.DeleteFunc(slices.Clone(requests), func(a *asked) bool { return a.unlinked })
			met := len(linked) > 0 && !slices.ContainsFunc(linked, func(a *asked) bool { return !a.complete() })
			var want error
			switch {
			case met:
			case who == "exec":
				want = approval.ErrDenied
			case reason == "":
				want = approval.ErrReasonRequired
			}
			if !errors.Is(acted, want) || verdict.Override != (want == nil && !met) {
				rt.Fatalf("%v, override %v; the history wants %v", acted, verdict.Override, want)
			}
		}
	})
	t.Log(ends)
	for _, reason := range []string{"", "ACTION_POLICY_DENIED", "REASON_REQUIRED"} {
		if ends[reason] == 0 {
			t.Errorf("%q never came: the property says nothing", reason)
		}
	}
}

// happen lets one thing happen to a request, more often something that completes it.
func happen(t *testing.T, rt *rapid.T, r *rig, a *asked) {
	t.Helper()
	if a.canceled || a.deleted || a.unlinked {
		return
	}
	who := rapid.SampledFrom(a.detail.UserIDs()).Draw(rt, "who it is about")
	var err error
	switch what := rapid.SampledFrom([]string{"all", "ack", "ack", "nothing", "revoke", "edit", "cancel", "delete", "unlink"}).Draw(rt, "what happens"); what {
	case "all":
		r.ack(t, a.detail.ID, a.detail.UserIDs()...)
		clear(a.missing)
	case "ack":
		r.ack(t, a.detail.ID, who)
		delete(a.missing, who)
	case "revoke":
		_, err = r.acks.Revoke(t.Context(), as(who), a.detail.ID)
		a.missing[who] = true
	case "edit":
		_, err = r.acks.EditMessage(t.Context(), as("mgmt"), a.detail.MessageID, rapid.StringMatching(`[a-z]{8}`).Draw(rt, "body"))
		for _, id := range a.detail.UserIDs() {
			a.missing[id] = true
		}
	case "cancel":
		_, err = r.acks.Cancel(t.Context(), as("mgmt"), a.detail.ID, "")
		a.canceled = true
	case "delete":
		err = r.acks.DeleteMessage(t.Context(), as("mgmt"), a.detail.MessageID)
		a.deleted = true
	case "unlink":
		err = r.acks.DeleteLink(t.Context(), as("mgmt"), a.link.ID)
		a.unlinked = true
	}
	if err != nil {
		rt.Fatal(err)
	}
}

// same says whether two refusals tell a client the same.
func same(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	x, y := fault.As(a), fault.As(b)
	return x.Code == y.Code && x.Reason == y.Reason && x.Message == y.Message && reflect.DeepEqual(x.Details, y.Details)
}
