package ackflowtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Run proves that a store keeps the contracts of ackflow.Store. open returns a fresh, empty store.
func Run(t *testing.T, open func(t *testing.T) ackflow.Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s ackflow.Store)
	}{
		{"Messages", messages},
		{"Requests", requests},
		{"OneRequestPerMessage", onePerMessage},
		{"People", people},
		{"Lacking", lacking},
		{"List", list},
		{"ListStates", listStates},
		{"Links", links},
		{"Linked", linked},
		{"LinkedHolds", linkedHolds},
		{"Templates", templates},
		{"Uses", uses},
		{"UseRace", useRace},
		{"Timers", timers},
		{"ClaimsDoNotOverlap", claims},
		{"Escalations", escalations},
		{"AckRace", ackRace},
		{"Tenants", tenants},
		{"Rollback", rollback},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

var t0 = time.Date(2030, 1, 15, 9, 0, 0, 123456000, time.UTC)

const odd = "何か 'quoted' ?0 \\ \n二行目"

func message(n int) ackflow.Message {
	at := t0.Add(time.Duration(n) * time.Second)
	return ackflow.Message{
		ID: fmt.Sprintf("m-%04d", n), Tenant: "acme", Room: "general", Author: "alice", Body: odd, Revision: 1,
		CreatedAt: at, UpdatedAt: at, URL: "https://chat.example/" + fmt.Sprint(n),
	}
}

// request makes the n-th request on the n-th message: created n seconds after t0, due an hour later.
func request(n int) ackflow.Request {
	at := t0.Add(time.Duration(n) * time.Second)
	hours := 3
	return ackflow.Request{
		ID: fmt.Sprintf("r-%04d", n), Tenant: "acme", MessageID: message(n).ID, Room: "general",
		Named: ackflow.Audience{Users: []string{"bob"}, Groups: []string{"sales"}}, DueAt: at.Add(time.Hour), RemindHour: 24,
		Escalation: ackflow.Escalation{AfterHours: &hours, To: ackflow.Audience{Roles: []string{"mgmt"}}},
		CreatedAt:  at, CreatedBy: "alice", Revision: 1, Required: 2, Missing: 2,
		RemindAt: at.Add(time.Hour), EscalateAt: at.Add(4 * time.Hour),
	}
}

func insert(t *testing.T, s ackflow.Store, ns ...int) {
	t.Helper()
	for _, n := range ns {
		if err := errors.Join(s.InsertMessage(t.Context(), message(n)), s.InsertRequest(t.Context(), request(n), []string{"bob", "carol"})); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, s ackflow.Store, id string) ackflow.Request {
	t.Helper()
	r, err := s.Request(t.Context(), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// in runs f in a transaction.
func in(t *testing.T, s ackflow.Store, f func(ctx context.Context) error) {
	t.Helper()
	check(t, s.Do(t.Context(), f))
}

func messages(t *testing.T, s ackflow.Store) {
	m := message(1)
	check(t, s.InsertMessage(t.Context(), m))
	again := m
	again.Body = "not this"
	check(t, s.InsertMessage(t.Context(), again)) // there is one: nothing happens
	got, err := s.Message(t.Context(), "acme", m.ID)
	check(t, err)
	equal(t, got, m)
	m.Room, m.Body, m.Revision, m.URL = "other", "other", 2, ""
	m.UpdatedAt, m.DeletedAt = m.UpdatedAt.Add(time.Hour), m.UpdatedAt.Add(2*time.Hour)
	in(t, s, func(ctx context.Context) error {
		if _, err := s.LockMessage(ctx, "acme", m.ID); err != nil {
			return err
		}
		return s.SetMessage(ctx, m)
	})
	got, err = s.Message(t.Context(), "acme", m.ID)
	check(t, err)
	equal(t, got, m)
	_, err = s.Message(t.Context(), "acme", "nothing")
	is(t, err, ackflow.ErrNotFound)
	is(t, s.Do(t.Context(), func(ctx context.Context) error {
		_, err := s.LockMessage(ctx, "acme", "nothing")
		return err
	}), ackflow.ErrNotFound)
}

func requests(t *testing.T, s ackflow.Store) {
	insert(t, s, 1)
	r := request(1)
	equal(t, get(t, s, r.ID), r)
	got, err := s.RequestOf(t.Context(), "acme", r.MessageID)
	check(t, err)
	equal(t, got, r)

	bare := ackflow.Request{
		ID: "bare", Tenant: "acme", MessageID: "elsewhere", Room: "r", RemindHour: 1, CreatedAt: t0, CreatedBy: "bob", Revision: 7, TemplateID: "tpl",
	}
	check(t, s.InsertRequest(t.Context(), bare, nil))
	equal(t, get(t, s, bare.ID), bare)

	later := t0.Add(5 * time.Hour)
	r.CanceledAt, r.CanceledBy, r.CancelReason, r.Revision, r.MessageDeleted, r.Missing = later, "mgmt", odd, 3, true, 0
	r.CompletedAt, r.Reminders, r.RemindedAt, r.RemindAt, r.EscalateAt = later, 2, later, time.Time{}, time.Time{}
	in(t, s, func(ctx context.Context) error {
		if _, err := s.LockRequest(ctx, "acme", r.ID); err != nil {
			return err
		}
		return s.SetRequest(ctx, r)
	})
	equal(t, get(t, s, r.ID), r)
	_, err = s.Request(t.Context(), "acme", "nothing")
	is(t, err, ackflow.ErrNotFound)
	_, err = s.RequestOf(t.Context(), "acme", "nothing")
	is(t, err, ackflow.ErrNotFound)
	is(t, s.Do(t.Context(), func(ctx context.Context) error {
		_, err := s.LockRequest(ctx, "acme", "nothing")
		return err
	}), ackflow.ErrNotFound)
}

func onePerMessage(t *testing.T, s ackflow.Store) {
	insert(t, s, 1)
	second := request(2)
	second.MessageID = request(1).MessageID
	is(t, s.InsertRequest(t.Context(), second, []string{"bob"}), ackflow.ErrDuplicateRequest)
}

func people(t *testing.T, s ackflow.Store) {
	insert(t, s, 1, 2)
	id := request(1).ID
	got, err := s.People(t.Context(), "acme", id)
	check(t, err)
	equal(t, got, []ackflow.Person{{UserID: "bob"}, {UserID: "carol"}})
	carol := ackflow.Person{UserID: "carol", AckedAt: t0, AckedBy: "dave", Revision: 1}
	check(t, s.SetPerson(t.Context(), "acme", id, carol))
	one, err := s.Person(t.Context(), "acme", id, "carol")
	check(t, err)
	equal(t, one, carol)
	_, err = s.Person(t.Context(), "acme", id, "dave")
	is(t, err, ackflow.ErrNotRequired)
	check(t, s.SetPerson(t.Context(), "acme", id, ackflow.Person{UserID: "bob", AckedAt: t0, AckedBy: "bob", Revision: 1}))
	check(t, s.SetPerson(t.Context(), "acme", request(2).ID, carol))
	voided, err := s.Void(t.Context(), "acme", id)
	check(t, err)
	equal(t, voided, []string{"bob", "carol"})
	got, err = s.People(t.Context(), "acme", id)
	check(t, err)
	equal(t, got, []ackflow.Person{{UserID: "bob"}, {UserID: "carol"}})
	voided, err = s.Void(t.Context(), "acme", id)
	check(t, err)
	equal(t, voided, []string{})
	one, err = s.Person(t.Context(), "acme", request(2).ID, "carol")
	check(t, err)
	equal(t, one, carol)
}

func lacking(t *testing.T, s ackflow.Store) {
	var names []string
	for i := range 30 {
		names = append(names, fmt.Sprintf("u%02d", 29-i)) // not in the order of their ids
	}
	for n := range 3 {
		check(t, s.InsertRequest(t.Context(), request(n), names))
	}
	for i, name := range names {
		p := ackflow.Person{UserID: name, AckedAt: t0, AckedBy: name, Revision: 1}
		if i%2 == 0 {
			check(t, s.SetPerson(t.Context(), "acme", request(1).ID, p))
		}
		check(t, s.SetPerson(t.Context(), "acme", request(2).ID, p))
	}
	ids := []string{request(0).ID, request(1).ID, request(2).ID, "nothing"}
	got, err := s.Lacking(t.Context(), "acme", 20, ids...)
	check(t, err)
	var odds []string
	for i := 1; i < 30; i += 2 {
		odds = append(odds, names[i])
	}
	equal(t, got[ids[0]], names[:20])
	equal(t, got[ids[1]], odds)
	if len(got[ids[2]]) != 0 || len(got["nothing"]) != 0 {
		t.Errorf("nobody is missing: %v", got)
	}
	got, err = s.Lacking(t.Context(), "acme", 0, ids[0])
	check(t, err)
	equal(t, got, map[string][]string{ids[0]: names})
}

func listed(t *testing.T, s ackflow.Store, tenant identity.TenantID, f ackflow.RequestFilter) []string {
	t.Helper()
	ids := []string{}
	for p := (page.Request{Limit: 4}); ; {
		got, err := s.ListRequests(t.Context(), tenant, f, p)
		check(t, err)
		for _, l := range got.Items {
			ids = append(ids, l.ID)
		}
		if got.Next == "" {
			break
		}
		p.Cursor = got.Next
	}
	return ids
}

func list(t *testing.T, s ackflow.Store) {
	var all, asked, mine, done []string
	for n := range 25 {
		r := request(n)
		r.CreatedAt = t0 // all at once: the id decides the order
		required := []string{"bob", "carol"}
		if n%3 == 1 {
			r.CreatedBy, required = "bob", []string{"dave", "carol"}
			mine = append(mine, r.ID)
		} else {
			asked = append(asked, r.ID)
		}
		all = append(all, r.ID)
		check(t, errors.Join(s.InsertMessage(t.Context(), message(n)), s.InsertRequest(t.Context(), r, required)))
		if n%3 == 2 {
			check(t, s.SetPerson(t.Context(), "acme", r.ID, ackflow.Person{UserID: "bob", AckedAt: t0, AckedBy: "bob", Revision: 1}))
			done = append(done, r.ID)
		}
	}
	open := slices.DeleteFunc(slices.Clone(asked), func(id string) bool { return slices.Contains(done, id) })
	yes, no := true, false
	for name, c := range map[string]struct {
		f    ackflow.RequestFilter
		want []string
	}{
		"all":          {ackflow.RequestFilter{}, all},
		"asked":        {ackflow.RequestFilter{Required: "bob"}, asked},
		"acknowledged": {ackflow.RequestFilter{Required: "bob", Acked: &yes}, done},
		"to do":        {ackflow.RequestFilter{Required: "bob", Acked: &no}, open},
		"made":         {ackflow.RequestFilter{Creator: "bob"}, mine},
		"nobody's":     {ackflow.RequestFilter{Required: "stranger"}, nil},
	} {
		want := slices.Clone(c.want)
		slices.Reverse(want)
		if got := listed(t, s, "acme", c.f); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	got, err := s.ListRequests(t.Context(), "acme", ackflow.RequestFilter{Required: "bob", Acked: &yes, Now: t0}, page.Request{Limit: 1})
	check(t, err)
	r, m := request(23), message(23)
	r.CreatedAt = t0
	equal(t, got.Items, []ackflow.Listed{{Request: r, State: ackflow.Open, Message: &m, AckedAt: t0}})
	bare := request(30)
	check(t, s.InsertRequest(t.Context(), bare, []string{"erin"}))
	got, err = s.ListRequests(t.Context(), "acme", ackflow.RequestFilter{Required: "erin"}, page.Request{})
	check(t, err)
	if len(got.Items) != 1 || got.Items[0].Message != nil {
		t.Errorf("a message that is not there: %+v", got.Items)
	}
	_, err = s.ListRequests(t.Context(), "acme", ackflow.RequestFilter{}, page.Request{Cursor: "junk"})
	is(t, err, page.ErrBadCursor)
}

// listStates has SQL and ackflow.Request.State agree on every combination, at the instant and around it.
func listStates(t *testing.T, s ackflow.Store) {
	var all []ackflow.Request
	for n, due := range []time.Time{{}, t0.Add(-time.Microsecond), t0, t0.Add(time.Microsecond)} {
		for m, missing := range []int{0, 1, 2} {
			for c, canceled := range []time.Time{{}, t0} {
				for e, required := range []int{2, 0} {
					r := request(n*100 + m*10 + c*2 + e)
					r.DueAt, r.CanceledAt, r.Required, r.Missing = due, canceled, required, min(missing, required)
					check(t, s.InsertRequest(t.Context(), r, nil))
					all = append(all, r)
				}
			}
		}
	}
	total := 0
	for _, state := range []ackflow.State{ackflow.Open, ackflow.Completed, ackflow.Canceled, ackflow.Expired} {
		want := []string{}
		for _, r := range all {
			if r.State(t0) == state {
				want = append(want, r.ID)
			}
		}
		got := listed(t, s, "acme", ackflow.RequestFilter{State: state, Now: t0})
		total += len(got)
		slices.Sort(got)
		slices.Sort(want)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", state, got, want)
		}
	}
	if total != len(all) {
		t.Errorf("%d of %d are in a state", total, len(all))
	}
}

func tenants(t *testing.T, s ackflow.Store) {
	insert(t, s, 1)
	m, r, l, tpl := message(1), request(1), link(1, "a1"), template(1)
	check(t, errors.Join(s.InsertLink(t.Context(), l), s.InsertTemplate(t.Context(), tpl)))
	// A twin with the same ids lives in another tenant.
	m.Tenant, r.Tenant, l.Tenant, tpl.Tenant = "other", "other", "other", "other"
	r.CanceledAt, l.CreatedBy, tpl.Body = t0, "twin", "twin"
	check(t, errors.Join(
		s.InsertMessage(t.Context(), m), s.InsertRequest(t.Context(), r, []string{"bob"}), s.InsertLink(t.Context(), l), s.InsertTemplate(t.Context(), tpl)))
	check(t, s.SetPerson(t.Context(), "other", r.ID, ackflow.Person{UserID: "bob", AckedAt: t0, AckedBy: "bob", Revision: 1}))
	_, err := s.Void(t.Context(), "third", r.ID)
	check(t, err)
	there, err := s.DeleteLink(t.Context(), "third", l.ID)
	check(t, err)
	m.Body = "twin"
	check(t, s.SetMessage(t.Context(), m))

	equal(t, there, false)
	equal(t, get(t, s, r.ID), request(1))
	got, err := s.Message(t.Context(), "acme", m.ID)
	check(t, err)
	equal(t, got, message(1))
	bob, err := s.Person(t.Context(), "acme", r.ID, "bob")
	check(t, err)
	equal(t, bob, ackflow.Person{UserID: "bob"})
	twin, err := s.Person(t.Context(), "other", r.ID, "bob")
	check(t, err)
	equal(t, twin.Acked(), true)
	mine, err := s.Link(t.Context(), "acme", l.ID)
	check(t, err)
	equal(t, mine, link(1, "a1"))
	for tenant, want := range map[identity.TenantID]int{"acme": 1, "other": 1, "third": 0} {
		links, err := s.Links(t.Context(), tenant, ackflow.LinkFilter{Target: l.Target}, 10)
		check(t, err)
		seen, err := s.Linked(t.Context(), tenant, l.Target)
		check(t, err)
		templates, err := s.ListTemplates(t.Context(), tenant, ackflow.TemplateFilter{}, page.Request{})
		check(t, err)
		enabled, err := s.Enabled(t.Context(), tenant, tpl.FlowType, tpl.ActionKey)
		check(t, err)
		for _, n := range []int{
			len(links), len(seen), len(templates.Items), len(enabled), len(listed(t, s, tenant, ackflow.RequestFilter{})),
			len(listed(t, s, tenant, ackflow.RequestFilter{Required: "bob"})),
		} {
			if n != want {
				t.Errorf("%s sees %d, want %d", tenant, n, want)
			}
		}
		lacking, err := s.Lacking(t.Context(), tenant, 0, r.ID)
		check(t, err)
		if len(lacking[r.ID]) != map[identity.TenantID]int{"acme": 2, "other": 0}[tenant] {
			t.Errorf("%s: missing %v", tenant, lacking)
		}
		_, err = s.Request(t.Context(), tenant, r.ID)
		is(t, err, map[bool]error{true: nil, false: ackflow.ErrNotFound}[want == 1])
	}
}

func rollback(t *testing.T, s ackflow.Store) {
	stop := errors.New("stop")
	is(t, s.Do(t.Context(), func(ctx context.Context) error {
		if err := errors.Join(s.InsertMessage(ctx, message(1)), s.InsertRequest(ctx, request(1), []string{"bob"}), s.InsertLink(ctx, link(1, "a1"))); err != nil {
			return err
		}
		if _, err := s.Request(ctx, "acme", request(1).ID); err != nil {
			t.Errorf("not visible inside: %v", err)
		}
		return stop
	}), stop)
	_, err := s.Request(t.Context(), "acme", request(1).ID)
	is(t, err, ackflow.ErrNotFound)
	_, err = s.Link(t.Context(), "acme", link(1, "a1").ID)
	is(t, err, ackflow.ErrNotFound)
}
