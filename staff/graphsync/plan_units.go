package graphsync

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/renkei-go/renkei/staff"
)

// units plans the groups of all units.
func (p *planner) units() {
	names := map[string]string{}
	for id, g := range p.Groups {
		if g.UniqueName != "" {
			names[strings.ToLower(string(g.UniqueName))] = id
		}
	}
	inside := map[int64][]int64{} // who is to be in each unit's group
	for _, person := range p.People {
		if !person.Wanted {
			continue
		}
		for _, u := range person.Units {
			inside[u] = append(inside[u], person.ID)
		}
	}
	all := slices.Clone(p.Units)
	slices.SortFunc(all, func(a, b staff.Unit) int { return int(a.ID - b.ID) })
	for _, id := range slices.Sorted(maps.Keys(p.unitLinks)) {
		l := p.unitLinks[id]
		if _, there := p.Groups[l.Remote]; there && !slices.ContainsFunc(all, func(u staff.Unit) bool { return u.ID == id }) {
			p.issue(IssueUnitGone, KindGroup, id, l.Remote)
		}
	}
	for _, u := range all {
		p.unit(u, names[strings.ToLower(p.rules.UniqueName)+strconv.FormatInt(u.ID, 10)], inside[u.ID])
	}
}

// unit plans the group of a unit. found is the group that has its unique name, if any.
func (p *planner) unit(u staff.Unit, found string, inside []int64) {
	l := p.unitLinks[u.ID]
	if l.Waits(p.Now) {
		p.plan.Waiting++
		return
	}
	if l.Remote == "" && found != "" {
		p.act(Action{Op: OpLinkGroup, Unit: u.ID, Remote: found, Why: WhyMatched})
		l.Remote = found
	}
	if l.Remote == "" {
		create := Action{Op: OpCreateGroup, Unit: u.ID, Edits: []Edit{{FieldName, "", u.Name}}, Why: WhyNew}
		if u.Description != "" {
			create.Edits = append(create.Edits, Edit{FieldDescription, "", u.Description})
		}
		p.act(create)
		p.fill(u.ID, "", l, nil, inside)
		return
	}
	g, there := p.Groups[l.Remote]
	if !there {
		p.issue(IssueGroupGone, KindGroup, u.ID, l.Remote)
		return
	}
	var out, in []Edit
	for _, f := range []struct {
		owner         Owner
		field         string
		staff, remote string
	}{
		{p.rules.Owners.Name, FieldName, u.Name, string(g.Name)},
		{p.rules.Owners.Description, FieldDescription, u.Description, string(g.Description)},
	} {
		switch {
		case f.staff == f.remote:
		case f.owner == OwnerStaff:
			out = append(out, Edit{f.field, f.remote, f.staff})
		default:
			in = append(in, Edit{f.field, f.staff, f.remote})
		}
	}
	if len(out) > 0 {
		p.act(Action{Op: OpUpdateGroup, Unit: u.ID, Remote: g.ID, Edits: out, Why: WhyChanged})
	}
	if len(in) > 0 {
		p.act(Action{Op: OpChangeUnit, Unit: u.ID, Remote: g.ID, Edits: in, Why: WhyChanged})
	}
	p.fill(u.ID, g.ID, l, g.Members, inside)
}

// fill plans who is in a group: wanted are the people who are assigned and here, members the accounts in it now.
func (p *planner) fill(unit int64, group string, l Link, members []string, wanted []int64) {
	now := map[int64]bool{}
	for _, account := range members {
		id := p.owner[account]
		if _, known := p.Accounts[account]; id == 0 || !known {
			continue // a stranger, or deleted, of which groups do not tell
		}
		now[id] = true
		p.members++
	}
	byEntra := p.rules.Owners.Members == OwnerEntra
	wants := make(map[int64]bool, len(wanted))
	for _, id := range wanted {
		wants[id] = true
		_, has := p.remotes[id]
		if now[id] || p.frozen[id] || (!has && !p.coming[id]) {
			continue
		}
		a := Action{Op: OpAddMember, Person: id, Unit: unit, Remote: group, Why: WhyChanged}
		if byEntra && slices.Contains(l.Seen, id) {
			a.Op = OpUnassign
		}
		p.act(a)
	}
	var seen []int64
	for id := range now {
		seen = append(seen, id)
	}
	slices.Sort(seen)
	if byEntra {
		all := append(slices.Clone(l.Seen), seen...)
		slices.Sort(all)
		p.plan.Seen[unit] = slices.Compact(all)
	}
	for _, id := range seen {
		person := p.people[id]
		here := person != nil && person.Wanted
		if wants[id] || p.frozen[id] || (!here && !p.rules.leaves()) {
			continue
		}
		a := Action{Op: OpRemoveMember, Person: id, Unit: unit, Remote: group, Why: WhyChanged}
		if !here {
			a.Why = WhyLeft
		} else if byEntra {
			a.Op = OpAssign
		}
		p.act(a)
	}
}
