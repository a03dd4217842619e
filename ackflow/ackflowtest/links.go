package ackflowtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

func link(n int, target string) ackflow.Link {
	at := t0.Add(time.Duration(n) * time.Second)
	return ackflow.Link{
		ID: fmt.Sprintf("l-%04d-%s", n, target), Tenant: "acme", RequestID: request(n).ID, MessageID: request(n).MessageID,
		Target: ackflow.Target{Table: "things", ID: target}, FlowType: "booking", ActionKey: "approve", TemplateID: "tpl",
		CreatedBy: "mgmt", CreatedAt: at, UpdatedAt: at,
	}
}

func links(t *testing.T, s ackflow.Store) {
	insert(t, s, 1, 2, 3)
	for _, l := range []ackflow.Link{link(1, "a1"), link(2, "a1"), link(3, "a1"), link(1, "a2")} {
		check(t, s.InsertLink(t.Context(), l))
	}
	twice := link(1, "a1")
	twice.ID = "another"
	is(t, s.InsertLink(t.Context(), twice), ackflow.ErrDuplicateLink)
	got, err := s.Link(t.Context(), "acme", link(2, "a1").ID)
	check(t, err)
	equal(t, got, link(2, "a1"))
	last := link(2, "a1")
	for name, c := range map[string]struct {
		f     ackflow.LinkFilter
		limit int
		want  []ackflow.Link
	}{
		"target":  {ackflow.LinkFilter{Target: last.Target}, 10, []ackflow.Link{link(3, "a1"), link(2, "a1"), link(1, "a1")}},
		"limit":   {ackflow.LinkFilter{Target: last.Target}, 2, []ackflow.Link{link(3, "a1"), link(2, "a1")}},
		"before":  {ackflow.LinkFilter{Target: last.Target, Before: &last}, 2, []ackflow.Link{link(1, "a1")}},
		"request": {ackflow.LinkFilter{RequestID: request(1).ID}, 10, []ackflow.Link{link(1, "a2"), link(1, "a1")}},
		"message": {ackflow.LinkFilter{MessageID: request(1).MessageID}, 1, []ackflow.Link{link(1, "a2")}},
		"both":    {ackflow.LinkFilter{RequestID: request(1).ID, Target: last.Target}, 10, []ackflow.Link{link(1, "a1")}},
		"nothing": {ackflow.LinkFilter{RequestID: "nothing"}, 10, []ackflow.Link{}},
	} {
		got, err := s.Links(t.Context(), "acme", c.f, c.limit)
		check(t, err)
		t.Run(name, func(t *testing.T) { equal(t, got, c.want) })
	}
	for _, want := range []bool{true, false} {
		there, err := s.DeleteLink(t.Context(), "acme", last.ID)
		check(t, err)
		equal(t, there, want)
	}
	_, err = s.Link(t.Context(), "acme", last.ID)
	is(t, err, ackflow.ErrNotFound)
}

func linked(t *testing.T, s ackflow.Store) {
	insert(t, s, 3, 1, 2)
	bare := request(4)
	bare.DueAt, bare.RemindAt, bare.EscalateAt = time.Time{}, time.Time{}, time.Time{}
	check(t, s.InsertRequest(t.Context(), bare, []string{"bob"})) // its message is not there
	canceled := request(2)
	canceled.CanceledAt, canceled.MessageDeleted, canceled.Missing = t0, true, 1
	check(t, s.SetRequest(t.Context(), canceled))
	for _, n := range []int{3, 4, 1, 2} {
		check(t, s.InsertLink(t.Context(), link(n, "a1")))
	}
	check(t, s.InsertLink(t.Context(), link(1, "a2")))
	look := func(ctx context.Context) error {
		got, err := s.Linked(ctx, "acme", ackflow.Target{Table: "things", ID: "a1"})
		if err != nil {
			return err
		}
		if len(got) != 4 {
			t.Fatalf("%d linked", len(got))
		}
		for i, want := range []ackflow.Request{request(1), canceled, request(3), bare} {
			l := got[i]
			if l.ID != want.ID || !l.DueAt.Equal(want.DueAt) || !l.CanceledAt.Equal(want.CanceledAt) || l.MessageDeleted != want.MessageDeleted ||
				l.Required != want.Required || l.Missing != want.Missing || l.MessageFound != (want.ID != bare.ID) {
				t.Errorf("got %+v, want %+v", l, want)
			}
		}
		return nil
	}
	check(t, look(t.Context()))
	in(t, s, look)
}

// linkedHolds has transactions that change what Linked has shown wait for the one that was shown it, while others may be
// shown the same.
func linkedHolds(t *testing.T, s ackflow.Store) {
	insert(t, s, 1)
	check(t, s.InsertLink(t.Context(), link(1, "a1")))
	target := link(1, "a1").Target
	const rounds = 20
	var wg sync.WaitGroup
	wg.Go(func() {
		for range rounds {
			err := s.Do(t.Context(), func(ctx context.Context) error {
				r, err := s.LockRequest(ctx, "acme", request(1).ID)
				if err != nil {
					return err
				}
				r.Missing = 3 - r.Missing // 1 or 2
				return s.SetRequest(ctx, r)
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for range rounds {
				err := s.Do(t.Context(), func(ctx context.Context) error {
					before, err := s.Linked(ctx, "acme", target)
					if err != nil {
						return err
					}
					now, err := s.Request(ctx, "acme", request(1).ID)
					if err == nil && now.Missing != before[0].Missing {
						t.Errorf("%d missing became %d", before[0].Missing, now.Missing)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func template(n int) ackflow.Template {
	at := t0.Add(time.Duration(n) * time.Second)
	hours := 48
	return ackflow.Template{
		ID: fmt.Sprintf("t-%04d", n), Tenant: "acme", FlowType: "booking", ActionKey: "approve", Body: odd,
		Required: ackflow.Audience{Users: []string{"bob"}, Roles: []string{"mgmt"}}, DueInHours: &hours, RemindHour: 12,
		Escalation: ackflow.Escalation{AfterHours: &hours, To: ackflow.Audience{Groups: []string{"sales"}}}, Enabled: true,
		CreatedAt: at, CreatedBy: "mgmt", UpdatedAt: at, UpdatedBy: "mgmt",
	}
}

func templates(t *testing.T, s ackflow.Store) {
	reject, disabled := template(3), template(4)
	reject.ActionKey, disabled.Enabled = "reject", false
	for _, x := range []ackflow.Template{template(1), template(2), reject, disabled} {
		check(t, s.InsertTemplate(t.Context(), x))
	}
	got, err := s.Enabled(t.Context(), "acme", "booking", "approve")
	check(t, err)
	equal(t, got, []ackflow.Template{template(1), template(2)})
	changed := template(1)
	changed.FlowType, changed.ActionKey, changed.Body, changed.DueInHours, changed.RemindHour = "other", "x", "y", nil, 1
	changed.Required, changed.Escalation, changed.Enabled = ackflow.Audience{Groups: []string{"g"}}, ackflow.Escalation{}, false
	changed.UpdatedAt, changed.UpdatedBy = t0.Add(time.Hour), "admin"
	in(t, s, func(ctx context.Context) error {
		if _, err := s.LockTemplate(ctx, "acme", changed.ID); err != nil {
			return err
		}
		return s.SetTemplate(ctx, changed)
	})
	for _, c := range []struct {
		f    ackflow.TemplateFilter
		want []ackflow.Template
	}{
		{ackflow.TemplateFilter{}, []ackflow.Template{disabled, reject, template(2), changed}},
		{ackflow.TemplateFilter{FlowType: "booking"}, []ackflow.Template{disabled, reject, template(2)}},
		{ackflow.TemplateFilter{ActionKey: "reject"}, []ackflow.Template{reject}},
	} {
		all := []ackflow.Template{}
		for p := (page.Request{Limit: 2}); ; {
			got, err := s.ListTemplates(t.Context(), "acme", c.f, p)
			check(t, err)
			all = append(all, got.Items...)
			if p.Cursor = got.Next; p.Cursor == "" {
				break
			}
		}
		equal(t, all, c.want)
	}
	is(t, s.Do(t.Context(), func(ctx context.Context) error {
		_, err := s.LockTemplate(ctx, "acme", "nothing")
		return err
	}), ackflow.ErrNotFound)
	_, err = s.ListTemplates(t.Context(), "acme", ackflow.TemplateFilter{}, page.Request{Cursor: "junk"})
	is(t, err, page.ErrBadCursor)
}

func use(template string) ackflow.Use {
	return ackflow.Use{
		Tenant: "acme", Target: ackflow.Target{Table: "things", ID: "a1"}, FlowType: "booking", ActionKey: "approve", TemplateID: template,
		RequestID: "r", At: t0,
	}
}

func uses(t *testing.T, s ackflow.Store) {
	first := use("t1")
	other := []ackflow.Use{use("t2"), first, first, first, first}
	other[1].Target.ID, other[2].FlowType, other[3].ActionKey, other[4].Tenant = "a2", "x", "x", "other"
	for _, u := range append([]ackflow.Use{first}, other...) {
		for _, want := range []bool{true, false} {
			got, err := s.ClaimUse(t.Context(), u)
			check(t, err)
			if got != want {
				t.Errorf("%+v: %t, want %t", u, got, want)
			}
		}
	}
}

func useRace(t *testing.T, s ackflow.Store) {
	for n := range 10 {
		won := make([]bool, 6)
		var wg sync.WaitGroup
		for i := range won {
			wg.Go(func() {
				var err error
				if won[i], err = s.ClaimUse(t.Context(), use(fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := slices.DeleteFunc(won, func(w bool) bool { return !w }); len(got) != 1 {
			t.Errorf("%d first uses", len(got))
		}
	}
}

func escalations(t *testing.T, s ackflow.Store) {
	insert(t, s, 1, 2)
	id := request(1).ID
	for range 2 {
		check(t, s.Tell(t.Context(), "acme", id, t0, []string{"mgmt", "dave"}))
	}
	for _, c := range []struct{ to, fresh []string }{
		{[]string{"mgmt", "exec"}, []string{"mgmt", "exec"}}, {[]string{"exec", "admin", "mgmt"}, []string{"admin"}}, {nil, []string{}},
	} {
		got, err := s.Escalate(t.Context(), "acme", id, t0, c.to)
		check(t, err)
		equal(t, got, c.fresh)
	}
	for who, want := range map[string]bool{"mgmt": true, "admin": true, "dave": true, "bob": false} {
		got, err := s.WasTold(t.Context(), "acme", id, who)
		check(t, err)
		equal(t, got, want)
	}
	for tenant, id := range map[identity.TenantID]string{"acme": request(2).ID, "other": id} {
		got, err := s.WasTold(t.Context(), tenant, id, "mgmt")
		check(t, err)
		equal(t, got, false)
	}
	check(t, s.Tell(t.Context(), "acme", id, t0, []string{"admin"}))
	again, err := s.Escalate(t.Context(), "acme", id, t0, []string{"admin", "dave"})
	check(t, err)
	equal(t, again, []string{"dave"}) // to be told before is not to be escalated to, and the other way round it stays
}

// ackRace has people acknowledge and take back at once: the number of those missing never loses count.
func ackRace(t *testing.T, s ackflow.Store) {
	var names []string
	for i := range 6 {
		names = append(names, fmt.Sprint("u", i))
	}
	r := request(1)
	r.Required, r.Missing = len(names), len(names)
	check(t, s.InsertRequest(t.Context(), r, names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			for n := range 2*i + 1 { // an odd number of turns: acknowledged at the end
				err := s.Do(t.Context(), func(ctx context.Context) error {
					r, err := s.LockRequest(ctx, "acme", r.ID)
					if err != nil {
						return err
					}
					p := ackflow.Person{UserID: name}
					if r.Missing++; n%2 == 0 {
						p.AckedAt, p.AckedBy, p.Revision = t0, name, 1
						r.Missing -= 2
					}
					return errors.Join(s.SetPerson(ctx, "acme", r.ID, p), s.SetRequest(ctx, r))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := get(t, s, r.ID).Missing; got != 0 {
		t.Errorf("%d missing", got)
	}
}
