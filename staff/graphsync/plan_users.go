package graphsync

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// planner makes one plan.
type planner struct {
	Snapshot
	rules Rules
	plan  Plan

	people    map[int64]*Person
	holders   map[string]int64 // people who are to have an account, by reference in lower case
	links     map[int64]Link   // of people
	unitLinks map[int64]Link
	owner     map[string]int64    // of an account: the person it is linked to
	employees map[string][]string // accounts by employeeId, in lower case
	names     map[string]string   // accounts by user principal name, in lower case
	claimed   map[string]int64    // user principal names that the plan gives away
	protected map[string]bool

	remotes map[int64]string // accounts of people after the links of this plan
	coming  map[int64]bool   // people whose account this plan makes
	frozen  map[int64]bool   // people whose account is left alone altogether
	enabled int              // linked accounts that are enabled now
	members int              // memberships of linked accounts in linked groups now
}

func newPlanner(s Snapshot, r Rules) *planner {
	p := &planner{
		Snapshot: s, rules: r, people: make(map[int64]*Person, len(s.People)), holders: make(map[string]int64, len(s.People)), links: make(map[int64]Link, len(s.Links)), unitLinks: map[int64]Link{},
		owner: make(map[string]int64, len(s.Links)), employees: make(map[string][]string, len(s.Accounts)), names: make(map[string]string, len(s.Accounts)),
		claimed: map[string]int64{}, protected: map[string]bool{}, remotes: make(map[int64]string, len(s.People)), coming: map[int64]bool{}, frozen: map[int64]bool{},
	}
	p.plan.Seen = map[int64][]int64{}
	p.People = slices.Clone(s.People)
	slices.SortFunc(p.People, func(a, b Person) int { return int(a.ID - b.ID) })
	for i := range p.People {
		p.people[p.People[i].ID] = &p.People[i]
		if p.People[i].Wanted {
			p.plan.People++
			p.holders[strings.ToLower(p.People[i].Reference)] = p.People[i].ID
		}
	}
	for _, l := range s.Links {
		if l.Kind == KindGroup {
			p.unitLinks[l.Local] = l
			continue
		}
		p.links[l.Local] = l
		if l.Remote != "" {
			p.owner[l.Remote] = l.Local
		}
	}
	for id, a := range s.Accounts {
		p.names[strings.ToLower(string(a.UPN))] = id
		if a.EmployeeID != "" {
			key := strings.ToLower(string(a.EmployeeID))
			p.employees[key] = append(p.employees[key], id)
		}
	}
	for _, name := range r.Protected {
		p.protected[strings.ToLower(name)] = true
	}
	return p
}

func (p *planner) act(a Action) { p.plan.Actions = append(p.plan.Actions, a) }

func (p *planner) issue(kind IssueKind, object Kind, local int64, remotes ...string) {
	slices.Sort(remotes)
	p.plan.Issues = append(p.plan.Issues, Issue{kind, object, local, append([]string{}, remotes...)})
}

// users plans the accounts of all people, and those of people whom staff no longer knows.
func (p *planner) users() {
	for i := range p.People {
		p.user(&p.People[i])
	}
	for _, id := range slices.Sorted(maps.Keys(p.links)) {
		if p.people[id] == nil {
			p.user(&Person{ID: id})
		}
	}
}

func (p *planner) user(person *Person) {
	l := p.links[person.ID]
	if l.Waits(p.Now) {
		p.plan.Waiting++
		p.frozen[person.ID] = true
		return
	}
	if l.Remote != "" {
		a, there := p.Accounts[l.Remote]
		switch {
		case there:
			p.follow(person, a, l)
		case person.Wanted:
			p.issue(IssueAccountGone, KindUser, person.ID, l.Remote)
		default:
			p.act(Action{Op: OpUnlinkUser, Person: person.ID, Remote: l.Remote, Why: WhyGone})
		}
		return
	}
	if person.Reference == "" {
		if person.Wanted {
			p.issue(IssueNoReference, KindUser, person.ID)
		}
		return
	}
	hits := p.employees[strings.ToLower(person.Reference)]
	switch {
	case len(hits) > 1:
		p.issue(IssueAmbiguous, KindUser, person.ID, slices.Clone(hits)...)
	case len(hits) == 1 && p.owner[hits[0]] != 0:
		p.issue(IssueOfAnother, KindUser, person.ID, hits[0])
	case len(hits) == 1:
		p.match(person, p.Accounts[hits[0]])
	case person.Wanted:
		p.create(person)
	}
}

// match links the account that has the person's employee reference. One that left and is disabled can stay as it is.
func (p *planner) match(person *Person, a Account) {
	if !person.Wanted && (!a.Enabled || p.rules.Deprovision == DeprovisionNone) {
		return
	}
	if !p.untouchable(a) {
		p.act(Action{Op: OpLinkUser, Person: person.ID, Remote: a.ID, Why: WhyMatched})
	}
	p.owner[a.ID] = person.ID
	p.follow(person, a, Link{})
}

// create plans a new account.
func (p *planner) create(person *Person) {
	name := strings.ToLower(person.Email)
	taken, there := p.names[name]
	claim := p.claimed[name]
	switch {
	case person.Email == "":
		p.issue(IssueNoEmail, KindUser, person.ID)
	case utf8.RuneCountInString(person.Reference) > longestReference:
		p.issue(IssueReference, KindUser, person.ID)
	case there:
		p.issue(IssueNameTaken, KindUser, person.ID, taken)
	case claim != 0:
		p.issue(IssueNameTaken, KindUser, person.ID)
	default:
		p.claimed[name], p.coming[person.ID] = person.ID, true
		edits := edits(Account{}, person, person.Email)
		p.act(Action{Op: OpCreateUser, Person: person.ID, Edits: edits, Why: WhyNew})
	}
}

// follow plans what makes an account the person's.
func (p *planner) follow(person *Person, a Account, l Link) {
	p.remotes[person.ID] = a.ID
	if a.Enabled {
		p.enabled++
	}
	var actions []Action
	if person.Wanted {
		actions = p.keep(person, a, l)
	} else {
		actions = p.part(person, a, l)
	}
	if p.untouchable(a) {
		p.frozen[person.ID] = true
		if kind := IssueProtected; len(actions) > 0 {
			if !p.isProtected(a) {
				kind = IssueOnPremises
			}
			p.issue(kind, KindUser, person.ID, a.ID)
		}
		return
	}
	p.plan.Actions = append(p.plan.Actions, actions...)
}

func (p *planner) untouchable(a Account) bool { return a.OnPremises || p.isProtected(a) }

func (p *planner) isProtected(a Account) bool {
	return p.protected[strings.ToLower(a.ID)] || p.protected[strings.ToLower(string(a.UPN))]
}

// keep plans the account of who is here.
func (p *planner) keep(person *Person, a Account, l Link) (out []Action) {
	name, wanted := strings.ToLower(string(a.UPN)), strings.ToLower(person.Email)
	if person.Email != "" && name != wanted {
		if taken, there := p.names[wanted]; there || p.claimed[wanted] != 0 {
			p.issue(IssueNameTaken, KindUser, person.ID, slices.DeleteFunc([]string{taken}, func(id string) bool { return id == "" })...)
			wanted = name
		} else {
			p.claimed[wanted] = person.ID
		}
	}
	upn := string(a.UPN)
	if person.Email != "" && name != wanted {
		upn = person.Email
	}
	if changes := edits(a, person, upn); len(changes) > 0 {
		out = append(out, Action{Op: OpUpdateUser, Person: person.ID, Remote: a.ID, Edits: changes, Why: WhyChanged})
	}
	if !a.Enabled && !l.DisabledAt.IsZero() {
		out = append(out, Action{Op: OpEnableUser, Person: person.ID, Remote: a.ID, Why: WhyBack})
	} else if !a.Enabled {
		p.issue(IssueDisabled, KindUser, person.ID, a.ID)
	}
	return out
}

// part plans the account of who is not, or no longer, here.
func (p *planner) part(person *Person, a Account, l Link) []Action {
	why := WhyLeft
	if p.people[person.ID] == nil {
		why = WhyGone
	}
	switch {
	case p.rules.Deprovision == DeprovisionNone:
		return nil
	case a.EmployeeID != "" && p.holders[strings.ToLower(string(a.EmployeeID))] != 0:
		// Somebody gave the account to who is here.
		p.issue(IssueOfAnother, KindUser, person.ID, a.ID)
		return nil
	case a.Enabled:
		return []Action{{Op: OpDisableUser, Person: person.ID, Remote: a.ID, Why: why}}
	case p.rules.Deprovision == DeprovisionDelete && !l.DisabledAt.IsZero() && !p.Now.Before(l.DisabledAt.Add(p.rules.DeleteAfter)):
		return []Action{{Op: OpDeleteUser, Person: person.ID, Remote: a.ID, Why: WhyExpired}}
	}
	return nil
}

// edits says in what an account differs from a person. What staff does not know is left as it is, but for the title.
func edits(a Account, person *Person, upn string) []Edit {
	var out []Edit
	for _, e := range []Edit{
		{FieldName, string(a.Name), person.Name},
		{FieldUPN, string(a.UPN), upn},
		{FieldEmployeeID, string(a.EmployeeID), person.Reference},
		{FieldJobTitle, string(a.JobTitle), person.JobTitle},
	} {
		keep := e.After == "" && e.Field != FieldJobTitle
		if e.Field == FieldEmployeeID && utf8.RuneCountInString(e.After) > longestReference {
			keep = true
		}
		if e.Before != e.After && !keep {
			out = append(out, e)
		}
	}
	return out
}

// managers plans who leads whom. A manager without an account leaves things as they are.
func (p *planner) managers() {
	for i := range p.People {
		person := &p.People[i]
		remote, has := p.remotes[person.ID]
		if !person.Wanted || p.frozen[person.ID] || (!has && !p.coming[person.ID]) {
			continue
		}
		before := string(p.Accounts[remote].ManagerID)
		if _, known := p.Accounts[before]; !known {
			before = "" // deleted: Entra has forgotten it, its deltas have not
		}
		after := p.remotes[person.Manager]
		if person.Manager != 0 && after == "" && !p.coming[person.Manager] {
			continue
		}
		if before == after && !p.coming[person.Manager] {
			continue
		}
		p.act(Action{
			Op: OpSetManager, Person: person.ID, Manager: person.Manager, Remote: remote, Edits: []Edit{{FieldManager, before, after}}, Why: WhyChanged,
		})
	}
}
