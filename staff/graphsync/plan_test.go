package graphsync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
)

// world is a snapshot to change: three people in one unit, all as they should be.
func world() graphsync.Snapshot {
	s := graphsync.Snapshot{Accounts: map[string]graphsync.Account{}, Groups: map[string]graphsync.Group{}, Now: t0, Units: []staff.Unit{{ID: 1, Name: "Care Team A"}}}
	var members []string
	for i := int64(1); i <= 3; i++ {
		p := graphsync.Person{
			ID: i, Reference: fmt.Sprint("E", i), Email: fmt.Sprintf("p%d@contoso.example", i), Name: fmt.Sprint("Person ", i), JobTitle: "Nurse", Wanted: true, Units: []int64{1},
		}
		a := graphsync.Account{
			ID: fmt.Sprint("a", i), Name: graphsync.Text(p.Name), UPN: graphsync.Text(p.Email), EmployeeID: graphsync.Text(p.Reference), JobTitle: "Nurse", Enabled: true,
		}
		if i > 1 {
			p.Manager, a.ManagerID = 1, "a1"
		}
		s.People, s.Accounts[a.ID], members = append(s.People, p), a, append(members, a.ID)
		s.Links = append(s.Links, graphsync.Link{Kind: graphsync.KindUser, Local: i, Remote: a.ID, Rule: graphsync.RuleCreated})
	}
	s.Groups["g1"] = graphsync.Group{ID: "g1", Name: "Care Team A", UniqueName: "renkei-unit-1", Members: members}
	s.Links = append(s.Links, graphsync.Link{Kind: graphsync.KindGroup, Local: 1, Remote: "g1", Rule: graphsync.RuleCreated})
	return s
}

func account(s graphsync.Snapshot, id string, change func(*graphsync.Account)) {
	a := s.Accounts[id]
	change(&a)
	s.Accounts[id] = a
}

// told is a plan in short: "op person/unit remote field:before>after".
func told(p graphsync.Plan) string {
	var out []string
	for _, a := range p.Actions {
		text := fmt.Sprintf("%s %d/%d %s", a.Op, a.Person, a.Unit, a.Remote)
		for _, e := range a.Edits {
			text += fmt.Sprintf(" %s:%s>%s", e.Field, e.Before, e.After)
		}
		out = append(out, text)
	}
	for _, i := range p.Issues {
		out = append(out, fmt.Sprintf("! %s %d %s", i.Kind, i.Local, strings.Join(i.Remotes, ",")))
	}
	for _, g := range p.Tripped {
		out = append(out, "? "+string(g))
	}
	return strings.Join(out, "\n")
}

func TestMakePlan(t *testing.T) {
	type snap = graphsync.Snapshot
	leave := func(s *snap, i int) { s.People[i].Wanted = false }
	for name, c := range map[string]struct {
		rules  graphsync.Rules
		change func(s *snap)
		want   string
	}{
		"all as it should be": {change: func(*snap) {}},
		"somebody new": {change: func(s *snap) {
			s.People = append(s.People, graphsync.Person{ID: 4, Reference: "E4", Email: "p4@contoso.example", Name: "New", Manager: 1, Wanted: true, Units: []int64{1}})
		}, want: "create_user 4/0  displayName:>New userPrincipalName:>p4@contoso.example employeeId:>E4\nset_manager 4/0  manager:>a1\nadd_member 4/1 g1"},
		"somebody new leads somebody who is here": {change: func(s *snap) {
			s.People = append(s.People, graphsync.Person{ID: 4, Reference: "E4", Email: "p4@contoso.example", Name: "New", Wanted: true})
			s.People[1].Manager = 4
		}, want: "create_user 4/0  displayName:>New userPrincipalName:>p4@contoso.example employeeId:>E4\nset_manager 2/0 a2 manager:a1>"},
		"another name and address": {change: func(s *snap) { s.People[0].Name, s.People[0].Email = "Other", "other@contoso.example" },
			want: "update_user 1/0 a1 displayName:Person 1>Other userPrincipalName:p1@contoso.example>other@contoso.example"},
		"an address in other letters":       {change: func(s *snap) { s.People[0].Email = "P1@Contoso.example" }},
		"no title any more":                 {change: func(s *snap) { s.People[0].JobTitle = "" }, want: "update_user 1/0 a1 jobTitle:Nurse>"},
		"no reference and no mail any more": {change: func(s *snap) { s.People[0].Reference, s.People[0].Email = "", "" }},
		"the address is another account's": {change: func(s *snap) { s.People[0].Email, s.People[0].Name = "p2@contoso.example", "X" },
			want: "update_user 1/0 a1 displayName:Person 1>X\n! name_taken 1 a2"},
		"two people of one address": {change: func(s *snap) {
			for i := int64(4); i <= 5; i++ {
				s.People = append(s.People, graphsync.Person{ID: i, Reference: fmt.Sprint("E", i), Email: "same@contoso.example", Name: "N", Wanted: true})
			}
		}, want: "create_user 4/0  displayName:>N userPrincipalName:>same@contoso.example employeeId:>E4\n! name_taken 5 "},
		"nobody leads":                   {change: func(s *snap) { s.People[1].Manager = 0 }, want: "set_manager 2/0 a2 manager:a1>"},
		"a manager unknown here":         {change: func(s *snap) { s.People[1].Manager = 99 }},
		"somebody left":                  {change: func(s *snap) { leave(s, 1) }, want: "disable_user 2/0 a2"},
		"and nothing is to become of it": {rules: graphsync.Rules{Deprovision: graphsync.DeprovisionNone}, change: func(s *snap) { leave(s, 1) }},
		"somebody left all groups": {rules: graphsync.Rules{Deprovision: graphsync.DeprovisionLeave}, change: func(s *snap) { leave(s, 1) },
			want: "remove_member 2/1 g1\ndisable_user 2/0 a2"},
		"left and long disabled": {rules: graphsync.Rules{Deprovision: graphsync.DeprovisionDelete}, change: func(s *snap) {
			leave(s, 1)
			account(*s, "a2", func(a *graphsync.Account) { a.Enabled = false })
			s.Links[1].DisabledAt = t0.Add(-30 * 24 * time.Hour)
		}, want: "remove_member 2/1 g1\ndelete_user 2/0 a2"},
		"left and disabled by somebody else": {rules: graphsync.Rules{Deprovision: graphsync.DeprovisionDelete}, change: func(s *snap) {
			leave(s, 1)
			account(*s, "a2", func(a *graphsync.Account) { a.Enabled = false })
		}, want: "remove_member 2/1 g1"},
		"came back": {change: func(s *snap) {
			account(*s, "a2", func(a *graphsync.Account) { a.Enabled = false })
			s.Links[1].DisabledAt = t0.Add(-time.Hour)
		}, want: "enable_user 2/0 a2"},
		"disabled in Entra": {change: func(s *snap) { account(*s, "a2", func(a *graphsync.Account) { a.Enabled = false }) },
			want: "! disabled_in_entra 2 a2"},
		"left, but the account was given to who is here": {change: func(s *snap) {
			leave(s, 1)
			account(*s, "a2", func(a *graphsync.Account) { a.EmployeeID = "e9" })
			s.People = append(s.People, graphsync.Person{ID: 4, Reference: "E9", Email: "p4@contoso.example", Name: "New", Wanted: true})
		}, want: "! account_of_another 2 a2\n! account_of_another 4 a2"},
		"no longer in staff": {change: func(s *snap) { s.People = s.People[:2] }, want: "disable_user 3/0 a3"},
		"gone on both sides": {change: func(s *snap) {
			s.People = s.People[:2]
			delete(s.Accounts, "a3")
		}, want: "unlink_user 3/0 a3"},
		"deleted in Entra": {change: func(s *snap) { delete(s.Accounts, "a1") }, want: "! account_gone 1 a1"},
		"matched by reference, not by mail": {change: func(s *snap) {
			s.Links = s.Links[1:]
			account(*s, "a1", func(a *graphsync.Account) { a.UPN = "elsewhere@contoso.example" })
		}, want: "link_user 1/0 a1\nupdate_user 1/0 a1 userPrincipalName:elsewhere@contoso.example>p1@contoso.example"},
		"the same mail is no match": {change: func(s *snap) {
			s.Links = s.Links[1:]
			account(*s, "a1", func(a *graphsync.Account) { a.EmployeeID = "" })
		}, want: "! name_taken 1 a1"},
		"two accounts of one reference": {change: func(s *snap) {
			s.Links = s.Links[1:]
			s.Accounts["a9"] = graphsync.Account{ID: "a9", EmployeeID: "e1", UPN: "z@contoso.example", Enabled: true}
		}, want: "! ambiguous_employee_id 1 a1,a9"},
		"the reference is on another's account": {change: func(s *snap) {
			s.People = append(s.People, graphsync.Person{ID: 4, Reference: "E9", Email: "p4@contoso.example", Name: "New", Wanted: true})
			account(*s, "a3", func(a *graphsync.Account) { a.EmployeeID = "E9" })
		}, want: "update_user 3/0 a3 employeeId:E9>E3\n! account_of_another 4 a3"},
		"left before there was a link": {change: func(s *snap) { leave(s, 0); s.Links = s.Links[1:] },
			want: "link_user 1/0 a1\ndisable_user 1/0 a1"},
		"nobody is told of who never came": {change: func(s *snap) {
			s.People = append(s.People, graphsync.Person{ID: 4, Reference: "E4", Name: "Later"}, graphsync.Person{ID: 5, Name: "Later too"})
		}},
		"protected": {rules: graphsync.Rules{Protected: []string{"P1@contoso.example"}, Deprovision: graphsync.DeprovisionLeave}, change: func(s *snap) { leave(s, 0) },
			want: "! protected 1 a1"},
		"mastered on premises": {change: func(s *snap) {
			account(*s, "a1", func(a *graphsync.Account) { a.OnPremises = true })
			s.People[0].Name = "X"
		}, want: "! on_premises 1 a1"},
		"in quarantine": {change: func(s *snap) { s.People[0].Name, s.Links[0].NextTry = "X", t0.Add(1) }},
		"out of it":     {change: func(s *snap) { s.People[0].Name, s.Links[0].NextTry = "X", t0 }, want: "update_user 1/0 a1 displayName:Person 1>X"},
		"cannot have an account": {change: func(s *snap) {
			s.People = append(s.People, graphsync.Person{ID: 4, Reference: "E4", Wanted: true}, graphsync.Person{ID: 5, Email: "x@contoso.example", Wanted: true},
				graphsync.Person{ID: 6, Email: "y@contoso.example", Reference: strings.Repeat("6", 17), Wanted: true})
		}, want: "! no_email 4 \n! no_employee_reference 5 \n! employee_reference_too_long 6 "},

		"a new unit": {change: func(s *snap) {
			s.Units = append(s.Units, staff.Unit{ID: 2, Name: "Head Office", Description: "HQ"})
			s.People[2].Units = []int64{1, 2}
		}, want: "create_group 0/2  displayName:>Head Office description:>HQ\nadd_member 3/2 "},
		"a group that was made and not linked": {change: func(s *snap) { s.Links = s.Links[:3] }, want: "link_group 0/1 g1"},
		"the unit is gone":                     {change: func(s *snap) { s.Units, s.People[0].Units, s.People[1].Units, s.People[2].Units = nil, nil, nil, nil }, want: "! unit_gone 1 g1"},
		"the group is gone":                    {change: func(s *snap) { delete(s.Groups, "g1") }, want: "! group_gone 1 g1"},
		"renamed in Entra": {change: func(s *snap) { s.Groups["g1"] = rename(s.Groups["g1"], "Theirs") },
			want: "update_group 0/1 g1 displayName:Theirs>Care Team A"},
		"renamed in Entra, which owns the name": {rules: graphsync.Rules{Owners: graphsync.Owners{Name: graphsync.OwnerEntra}},
			change: func(s *snap) { s.Groups["g1"] = rename(s.Groups["g1"], "Theirs") },
			want:   "change_unit 0/1 g1 displayName:Care Team A>Theirs"},
		"another unit": {change: func(s *snap) { s.People[0].Units = nil }, want: "remove_member 1/1 g1"},
		"a stranger and a deleted account in the group": {change: func(s *snap) {
			s.Accounts["a9"] = graphsync.Account{ID: "a9"}
			s.Groups["g1"] = with(s.Groups["g1"], "a1", "a2", "a3", "a8", "a9")
		}},
		"taken out in Entra": {change: func(s *snap) { s.Groups["g1"] = with(s.Groups["g1"], "a1", "a2") }, want: "add_member 3/1 g1"},
		"taken out in Entra, which owns the members": {rules: graphsync.Rules{Owners: graphsync.Owners{Members: graphsync.OwnerEntra}}, change: func(s *snap) {
			s.Groups["g1"] = with(s.Groups["g1"], "a1", "a2")
			s.Links[3].Seen = []int64{1, 2, 3}
		}, want: "unassign 3/1 g1"},
		"assigned in staff though Entra owns the members": {rules: graphsync.Rules{Owners: graphsync.Owners{Members: graphsync.OwnerEntra}}, change: func(s *snap) {
			s.Groups["g1"] = with(s.Groups["g1"], "a1", "a2")
			s.Links[3].Seen = []int64{1, 2}
		}, want: "add_member 3/1 g1"},
		"put in in Entra, which owns the members": {rules: graphsync.Rules{Owners: graphsync.Owners{Members: graphsync.OwnerEntra}},
			change: func(s *snap) { s.People[2].Units = nil }, want: "assign 3/1 g1"},

		"nobody at all": {change: func(s *snap) { s.People = nil },
			want: "disable_user 1/0 a1\ndisable_user 2/0 a2\ndisable_user 3/0 a3\n? empty_source"},
		"fewer than the last time": {change: func(s *snap) { s.LastPeople = 9 }, want: "? shrunken_source"},
		"a little fewer":           {change: func(s *snap) { s.LastPeople = 8 }},
		"fewer, and that is fine":  {rules: graphsync.Rules{Limits: graphsync.Limits{Drop: 0.7}}, change: func(s *snap) { s.LastPeople = 9 }},
	} {
		t.Run(name, func(t *testing.T) {
			s := world()
			c.change(&s)
			if got := told(graphsync.MakePlan(s, c.rules)); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func rename(g graphsync.Group, name string) graphsync.Group {
	g.Name = graphsync.Text(name)
	return g
}

func with(g graphsync.Group, members ...string) graphsync.Group {
	g.Members = members
	return g
}

// crowd is n people with accounts, a tenth of them in each of ten units; every hundredth has another title than Entra says.
func crowd(n int) graphsync.Snapshot {
	s := graphsync.Snapshot{Accounts: make(map[string]graphsync.Account, n), Groups: map[string]graphsync.Group{}, Now: t0, LastPeople: n}
	members := map[int64][]string{}
	for i := int64(1); i <= int64(n); i++ {
		p := graphsync.Person{
			ID: i, Reference: fmt.Sprint("E", i), Email: fmt.Sprintf("p%d@contoso.example", i), Name: fmt.Sprint("Person ", i), JobTitle: "Nurse", Manager: (i + 9) / 10, Wanted: true, Units: []int64{i%10 + 1},
		}
		if p.Manager == i {
			p.Manager = 0
		}
		a := graphsync.Account{ID: fmt.Sprint("a", i), Name: graphsync.Text(p.Name), UPN: graphsync.Text(p.Email), EmployeeID: graphsync.Text(p.Reference), JobTitle: "Nurse", Enabled: true}
		if p.Manager != 0 {
			a.ManagerID = graphsync.Text(fmt.Sprint("a", p.Manager))
		}
		if i%100 == 0 {
			p.JobTitle = "Matron"
		}
		s.People, s.Accounts[a.ID] = append(s.People, p), a
		s.Links = append(s.Links, graphsync.Link{Kind: graphsync.KindUser, Local: i, Remote: a.ID})
		members[i%10+1] = append(members[i%10+1], a.ID)
	}
	for u := int64(1); u <= 10; u++ {
		id := fmt.Sprint("g", u)
		s.Units = append(s.Units, staff.Unit{ID: u, Name: id})
		s.Groups[id] = graphsync.Group{ID: id, Name: graphsync.Text(id), Members: members[u]}
		s.Links = append(s.Links, graphsync.Link{Kind: graphsync.KindGroup, Local: u, Remote: id})
	}
	return s
}

// TestGuards: each limit holds exactly, and a plan that trips nothing needs nobody.
func TestGuards(t *testing.T) {
	for name, c := range map[string]struct {
		people, left, moved int
		want                []graphsync.Guard
	}{
		"five of few":             {people: 30, left: 5},
		"five of a hundred":       {people: 100, left: 5},
		"six of a hundred":        {people: 100, left: 6, want: []graphsync.Guard{graphsync.GuardDisables}},
		"a twentieth of many":     {people: 1000, left: 50},
		"more of many":            {people: 1000, left: 51, want: []graphsync.Guard{graphsync.GuardDisables}},
		"a fifth changes unit":    {people: 1000, moved: 200},
		"more than that":          {people: 1000, moved: 201, want: []graphsync.Guard{graphsync.GuardRemovals}},
		"a half is no longer":     {people: 1000, left: 500, want: []graphsync.Guard{graphsync.GuardShrunken, graphsync.GuardDisables}},
		"nobody is, of very many": {people: 100, left: 100, want: []graphsync.Guard{graphsync.GuardEmpty, graphsync.GuardDisables}},
	} {
		t.Run(name, func(t *testing.T) {
			s := crowd(c.people)
			for i := range c.left {
				s.People[i].Wanted = false
			}
			for i := range c.moved {
				s.People[i].Units = nil
			}
			if p := graphsync.MakePlan(s, graphsync.Rules{}); !slices.Equal(p.Tripped, c.want) {
				t.Errorf("tripped %v, want %v (%v)", p.Tripped, c.want, p.Counts())
			}
		})
	}
}

func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		rules graphsync.Rules
		ok    bool
	}{
		"the zero value":        {ok: true},
		"an unknown way":        {rules: graphsync.Rules{Deprovision: "burn"}},
		"an unknown owner":      {rules: graphsync.Rules{Owners: graphsync.Owners{Name: "me"}}},
		"a share that is none":  {rules: graphsync.Rules{Limits: graphsync.Limits{Drop: 20}}},
		"a count that is none":  {rules: graphsync.Rules{Limits: graphsync.Limits{Count: -1}}},
		"deleted before it was": {rules: graphsync.Rules{DeleteAfter: -time.Hour}},
	} {
		if err := c.rules.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkMakePlan is the plan of 100,000 people of whom one in a hundred has changed.
func BenchmarkMakePlan(b *testing.B) {
	s := crowd(100_000)
	for b.Loop() {
		if p := graphsync.MakePlan(s, graphsync.Rules{}); len(p.Actions) != 1_000 || p.Hash() == "" {
			b.Fatal(len(p.Actions))
		}
	}
}
