package approval_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestFourEyes: whatever the directory, the delegations, the substitutes and the steps, whoever asks in whose name and
// whoever decides in whose name, in whose place and by which link: nobody who counts as the requester has a word, nobody
// has two, and a substitute of theirs has none in their place. And Simulate foretells Act to the letter.
func TestFourEyes(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	ids := []string{"a", "b", "c", "d", "e", "f"}
	anyone := rapid.SampledFrom(ids)
	orNobody := rapid.SampledFrom(append([]string{"", ""}, ids...))
	words, inPlace, inName, byLink := 0, 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		tenant := identity.TenantID(rapid.StringMatching(`[a-z]{20}`).Draw(rt, "tenant")) // with nobody else's substitutes
		principal := func(label string) identity.Principal {
			return identity.Principal{Tenant: tenant, Actor: anyone.Draw(rt, label), Subject: orNobody.Draw(rt, label+" for")}
		}
		people, proxies := approvaltest.People{}, delegates{}
		for _, id := range ids {
			p := identity.Person{ID: id, ManagerID: orNobody.Draw(rt, "manager of "+id), Active: true, OnLeave: rapid.IntRange(0, 4).Draw(rt, id+" on leave") == 0}
			if rapid.Bool().Draw(rt, id+" in group") {
				p.Groups = []string{"mgmt"}
			}
			people = append(people, p)
			if d := orNobody.Draw(rt, "delegate of "+id); d != "" && d != id {
				proxies[id] = []string{d}
			}
		}
		r.cfg.Directory, r.cfg.Delegates = people, proxies.of
		r.cfg.Steps = map[string][]approval.Plan{approval.BookingFlow: {}}
		for range rapid.IntRange(1, 3).Draw(rt, "steps") {
			p := plan(rapid.SampledFrom([]approval.Mode{approval.Any, approval.All}).Draw(rt, "mode"), 0, anyone.Draw(rt, "first"), anyone.Draw(rt, "second"))
			r.cfg.Steps[approval.BookingFlow] = append(r.cfg.Steps[approval.BookingFlow], p)
		}
		svc := r.open(t)
		stands := map[string][]string{}
		for range rapid.IntRange(0, 8).Draw(rt, "substitutes") {
			approver, substitute := anyone.Draw(rt, "approver"), anyone.Draw(rt, "substitute")
			_, err := svc.NameSubstitute(t.Context(), identity.Principal{Tenant: tenant, Actor: approver}, approval.NewSubstitution{SubstituteID: substitute})
			if err == nil {
				stands[approver] = append(stands[approver], substitute)
			}
		}
		by := principal("submitter")
		q, err := svc.Submit(t.Context(), by, approval.Submission{
			Subject: approval.Subject{Kind: "thing", ID: "1"}, Flow: approval.BookingFlow, Facts: approval.Facts{"attendees": 10}, Content: 1,
		})
		if errors.Is(err, approval.ErrNoApprover) {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		own := append([]string{by.Actor, by.User()}, proxies[by.User()]...)
		for range 20 {
			who := principal("decider")
			if rapid.IntRange(0, 3).Draw(rt, "by link") == 0 {
				if token, err := svc.NewLink(t.Context(), tenant, q.ID, who.Actor); err == nil {
					if _, err := svc.ActByLink(t.Context(), token.Reveal(), approve); err == nil {
						byLink++
					}
				}
				continue
			}
			foretold := svc.Simulate(t.Context(), who, q.ID, approve)
			_, err := svc.Act(t.Context(), who, q.ID, approve)
			if !same(foretold, err) {
				rt.Fatalf("foretold %v, acted %v", foretold, err)
			}
			if err == nil && who.IsProxy() {
				inName++
			}
		}
		spoken := map[string]bool{}
		after, err := r.cfg.Store.Request(t.Context(), tenant, q.ID)
		if err != nil {
			rt.Fatal(err)
		}
		for _, s := range after.Steps {
			for _, d := range s.Decisions {
				words++
				voices := slices.Compact(slices.Sorted(slices.Values([]string{d.By, d.For, d.ActedBy})))
				for _, id := range slices.DeleteFunc(voices, func(id string) bool { return id == "" }) {
					if slices.Contains(own, id) {
						rt.Fatalf("%s has a word in the request of %v: %+v", id, own, d)
					}
					if spoken[id] {
						rt.Fatalf("%s has two words: %+v", id, after.Steps)
					}
					spoken[id] = true
				}
				if d.For != d.By {
					inPlace++
					if !reaches(stands, d.For, d.By, own, nil) {
						rt.Fatalf("%s does not stand in for %s without %v: %v", d.By, d.For, own, stands)
					}
				}
			}
		}
	})
	t.Logf("%d words, %d in somebody's place, %d in somebody's name, %d by link", words, inPlace, inName, byLink)
	if words == 0 || inPlace == 0 || inName == 0 || byLink == 0 {
		t.Error("the property says nothing")
	}
}

// reaches says whether substitutes lead from one person to another, without passing through any of cut.
func reaches(stands map[string][]string, from, to string, cut, seen []string) bool {
	if slices.Contains(seen, from) || slices.Contains(cut, from) {
		return false
	}
	for _, next := range stands[from] {
		if next == to && !slices.Contains(cut, to) || reaches(stands, next, to, cut, append(seen, from)) {
			return true
		}
	}
	return false
}
