package scim

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
)

// group is a unit with what clients said of it.
type group struct {
	unit    staff.Unit
	link    Link
	members Membership
}

func (g group) version() string {
	return version(g.unit.Version, g.link.Version, g.members.Count, g.members.Last)
}

// groupTree is the group as clients see it, with the members if they are given.
func (s *Server) groupTree(g group, members []int64) map[string]any {
	id := strconv.FormatInt(g.unit.ID, 10)
	tree := map[string]any{
		"schemas": []any{SchemaGroup}, "id": id, "displayName": g.unit.Name,
		"meta": s.meta(Group, id, g.unit.CreatedAt, latest(g.unit.UpdatedAt, g.link.UpdatedAt), g.version()),
	}
	give(tree, "externalId", g.link.ExternalID)
	if len(members) > 0 {
		list := make([]any, len(members))
		for i, m := range members {
			person := strconv.FormatInt(m, 10)
			list[i] = map[string]any{"value": person, "$ref": s.cfg.URL + "/Users/" + person, "type": string(User)}
		}
		tree["members"] = list
	}
	return tree
}

// groupsOf returns those of the units that are not hidden, by id.
func (s *Server) groupsOf(ctx context.Context, c caller, units []staff.Unit) ([]group, error) {
	ids := make([]int64, len(units))
	for i, u := range units {
		ids[i] = u.ID
	}
	links, err := s.links(ctx, c.by.Tenant, Group, ids...)
	if err != nil {
		return nil, err
	}
	members := map[int64]Membership{}
	if len(ids) > 0 {
		if members, err = s.cfg.Store.Memberships(ctx, c.by.Tenant, s.cfg.Staff.Today(), ids...); err != nil {
			return nil, err
		}
	}
	var out []group
	for _, u := range units {
		g := group{u, links[u.ID], members[u.ID]}
		g.link.Kind, g.link.ItemID = Group, u.ID
		if g.link.DeletedAt.IsZero() {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b group) int { return int(a.unit.ID - b.unit.ID) })
	return out, nil
}

// group returns one, or ErrUnknown.
func (s *Server) group(ctx context.Context, c caller, id string) (group, error) {
	units, err := s.cfg.Staff.FindUnits(ctx, c.by, "", item(id))
	if err != nil {
		return group{}, err
	}
	found, err := s.groupsOf(ctx, c, units)
	if err != nil {
		return group{}, err
	}
	if len(found) == 0 {
		return group{}, ErrUnknown
	}
	return found[0], nil
}

// memberBatch is how many members are read at a time.
const memberBatch = 5000

// membersOf returns the ids of all who are in a unit.
func (s *Server) membersOf(ctx context.Context, c caller, unit int64) ([]int64, error) {
	var all []int64
	for after := int64(0); ; {
		some, err := s.cfg.Store.MembersOf(ctx, c.by.Tenant, s.cfg.Staff.Today(), unit, after, memberBatch)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
		after = some[len(some)-1]
	}
}

func (s *Server) getGroup(ctx context.Context, c caller, id string, withMembers bool) (map[string]any, error) {
	g, err := s.group(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return s.whole(ctx, c, g, withMembers)
}

func (s *Server) whole(ctx context.Context, c caller, g group, withMembers bool) (map[string]any, error) {
	var members []int64
	if withMembers {
		var err error
		if members, err = s.membersOf(ctx, c, g.unit.ID); err != nil {
			return nil, err
		}
	}
	return s.groupTree(g, members), nil
}

// mayChangeGroups says whether groups are for clients to change at all.
func (s *Server) mayChangeGroups() error {
	if slices.Contains(s.cfg.ReadOnly, staff.FieldUnits) {
		return staff.ErrFieldForbidden.With("field", staff.FieldUnits)
	}
	return nil
}

// readGroup splits the body of a group into the tree without members and the members.
func (c caller) readGroup(body map[string]any) (map[string]any, membership, error) {
	all, err := c.units.read(body)
	tree, m := map[string]any{}, membership{all: true, change: map[int64]bool{}}
	for _, g := range all {
		if g.ref.attr.name == "members" && g.ref.sub == nil {
			ids, err := memberIDs(g.value)
			if err != nil {
				return nil, m, err
			}
			for _, id := range ids {
				m.change[id] = true
			}
			continue
		}
		merge(tree, "replace", g)
	}
	return tree, m, err
}

// createGroup adds a unit, or shows one again that a client has deleted.
func (s *Server) createGroup(ctx context.Context, c caller, body map[string]any) (map[string]any, error) {
	if err := s.mayChangeGroups(); err != nil {
		return nil, err
	}
	tree, members, err := c.readGroup(body)
	if err != nil {
		return nil, err
	}
	return s.inGroup(ctx, c, func(ctx context.Context) (int64, error) {
		name := text(tree, "displayName")
		units, err := s.cfg.Staff.FindUnits(ctx, c.by, name)
		if err != nil {
			return 0, err
		}
		links, err := s.links(ctx, c.by.Tenant, Group, unitIDs(units)...)
		if err != nil {
			return 0, err
		}
		for _, u := range units {
			if l, linked := links[u.ID]; linked && !l.DeletedAt.IsZero() {
				return u.ID, s.changeGroup(ctx, c, group{u, l, Membership{}}, tree, members)
			}
		}
		u, err := s.cfg.Staff.CreateUnit(ctx, c.by, staff.UnitEdit{Name: &name})
		if err != nil {
			return 0, err
		}
		return u.ID, s.changeGroup(ctx, c, group{u, Link{Kind: Group, ItemID: u.ID}, Membership{}}, tree, members)
	})
}

func unitIDs(units []staff.Unit) []int64 {
	ids := make([]int64, len(units))
	for i, u := range units {
		ids[i] = u.ID
	}
	return ids
}

// inGroup runs a change of a group, in turn, and returns the group after it.
func (s *Server) inGroup(ctx context.Context, c caller, fn func(ctx context.Context) (int64, error)) (tree map[string]any, err error) {
	err = s.cfg.Staff.InTurn(ctx, c.by.Tenant, func(ctx context.Context) error {
		id, err := fn(ctx)
		if err != nil {
			return err
		}
		g, err := s.group(ctx, c, strconv.FormatInt(id, 10))
		if err != nil {
			return err
		}
		tree, err = s.whole(ctx, c, g, true)
		return err
	})
	return tree, err
}

// changeGroup makes a group what the tree and the members say.
func (s *Server) changeGroup(ctx context.Context, c caller, g group, tree map[string]any, m membership) error {
	name, externalID := text(tree, "displayName"), text(tree, "externalId")
	if name == "" {
		return ErrValue.WithMessage("displayName is required")
	}
	if !oneLine(externalID) {
		return ErrValue.WithMessage("externalId must be one line of at most 255 characters")
	}
	link := g.link
	link.ExternalID, link.DeletedAt = externalID, time.Time{}
	if externalID != "" && externalID != g.link.ExternalID {
		others, err := s.groupsByExternalID(ctx, c, externalID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o group) bool { return o.unit.ID != g.unit.ID }) {
			return errTaken("externalId")
		}
	}
	if name != g.unit.Name {
		if _, err := s.cfg.Staff.ChangeUnit(ctx, c.by, g.unit.ID, staff.AnyVersion, staff.UnitEdit{Name: &name}); err != nil {
			return err
		}
	}
	if err := s.save(ctx, c.by, g.link, link); err != nil {
		return err
	}
	return s.changeMembers(ctx, c, g.unit.ID, m)
}

// changeMembers brings the members of a unit to what m says.
func (s *Server) changeMembers(ctx context.Context, c caller, unit int64, m membership) error {
	wanted := m.change
	if m.all {
		present, err := s.membersOf(ctx, c, unit)
		if err != nil {
			return err
		}
		wanted = map[int64]bool{}
		for _, id := range present {
			if !m.change[id] {
				wanted[id] = false
			}
		}
		for id := range m.change {
			if _, in := slices.BinarySearch(present, id); !in {
				wanted[id] = true
			}
		}
	}
	if len(wanted) > s.cfg.MostMembers {
		return ErrTooMany.WithMessage("so many members cannot be changed in one request")
	}
	ids := make([]int64, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, id)
	}
	people, err := s.people(ctx, c, ids...)
	if err != nil {
		return err
	}
	for _, u := range people {
		if err := s.changeMember(ctx, c, u, unit, wanted[u.person.ID]); err != nil {
			return err
		}
		delete(wanted, u.person.ID)
	}
	for _, join := range wanted {
		if join { // that who is unknown should leave is as they should be
			return ErrValue.WithMessage("members.value must be the id of a user")
		}
	}
	return nil
}

func (s *Server) changeMember(ctx context.Context, c caller, u user, unit int64, join bool) error {
	is := func(a staff.Assignment) bool { return a.UnitID == unit }
	if join {
		if slices.ContainsFunc(u.person.Units, is) {
			return nil
		}
		_, err := s.cfg.Staff.Assign(ctx, c.by, u.person.ID, staff.NewAssignment{UnitID: unit})
		return err
	}
	for _, a := range u.person.Units {
		if !is(a) {
			continue
		}
		if err := s.cfg.Staff.Unassign(ctx, c.by, u.person.ID, a.ID, ""); err != nil {
			return err
		}
	}
	return nil
}

// replaceGroup is PUT.
func (s *Server) replaceGroup(ctx context.Context, c caller, id, ifMatch string, body map[string]any) (map[string]any, error) {
	if err := s.mayChangeGroups(); err != nil {
		return nil, err
	}
	tree, members, err := c.readGroup(body)
	if err != nil {
		return nil, err
	}
	return s.inGroup(ctx, c, func(ctx context.Context) (int64, error) {
		g, err := s.seenGroup(ctx, c, id, ifMatch)
		if err != nil {
			return 0, err
		}
		return g.unit.ID, s.changeGroup(ctx, c, g, tree, members)
	})
}

// seenGroup returns a group if the client has seen it as it is.
func (s *Server) seenGroup(ctx context.Context, c caller, id, ifMatch string) (group, error) {
	g, err := s.group(ctx, c, id)
	if err == nil {
		err = unchanged(ifMatch, g.version())
	}
	return g, err
}

func (s *Server) patchGroup(ctx context.Context, c caller, id, ifMatch string, ops []operation) (map[string]any, error) {
	return s.inGroup(ctx, c, func(ctx context.Context) (int64, error) {
		g, err := s.seenGroup(ctx, c, id, ifMatch)
		if err != nil {
			return 0, err
		}
		tree := s.groupTree(g, nil)
		m, err := c.units.patchGroup(tree, ops, func() ([]int64, error) { return s.membersOf(ctx, c, g.unit.ID) })
		if err != nil {
			return 0, err
		}
		return g.unit.ID, s.changeGroup(ctx, c, g, tree, m)
	})
}

// deleteGroup ends the memberships of a unit and hides it; staff keeps it, with its history.
func (s *Server) deleteGroup(ctx context.Context, c caller, id, ifMatch string) error {
	if err := s.mayChangeGroups(); err != nil {
		return err
	}
	return s.cfg.Staff.InTurn(ctx, c.by.Tenant, func(ctx context.Context) error {
		g, err := s.seenGroup(ctx, c, id, ifMatch)
		if err != nil {
			return err
		}
		if err := s.changeMembers(ctx, c, g.unit.ID, membership{all: true}); err != nil {
			return err
		}
		link := g.link
		link.DeletedAt = s.cfg.Now().UTC().Truncate(time.Microsecond)
		return s.save(ctx, c.by, g.link, link)
	})
}

func (s *Server) groupsByExternalID(ctx context.Context, c caller, id string) ([]group, error) {
	if id == "" || !oneLine(id) {
		return nil, nil
	}
	links, err := s.cfg.Store.LinksBy(ctx, c.by.Tenant, Group, "", id)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	ids := make([]int64, len(links))
	for i, l := range links {
		ids[i] = l.ItemID
	}
	units, err := s.cfg.Staff.FindUnits(ctx, c.by, "", ids...)
	if err != nil {
		return nil, err
	}
	return s.groupsOf(ctx, c, units)
}

// listGroups is listUsers for groups.
func (s *Server) listGroups(ctx context.Context, c caller, f *filter, withMembers bool, offset, limit int) (list []map[string]any, total int64, err error) {
	withMembers = withMembers || f.needs("members")
	trees := func(groups []group, err error) ([]map[string]any, error) {
		out := make([]map[string]any, 0, len(groups))
		for _, g := range groups {
			tree, err := s.whole(ctx, c, g, withMembers)
			if err != nil {
				return nil, err
			}
			out = append(out, tree)
		}
		return out, err
	}
	if f != nil {
		if id, ok := f.only("externalId"); ok {
			all, err := trees(s.groupsByExternalID(ctx, c, id))
			list, total = cut(f, all, offset, limit)
			return list, total, err
		}
		if person, ok := f.only("members"); ok {
			all, err := trees(s.groupsWith(ctx, c, item(person)))
			list, total = cut(f, all, offset, limit)
			return list, total, err
		}
	}
	return s.list(ctx, c, Group, f, offset, limit, func(ids []int64) ([]map[string]any, error) {
		units, err := s.cfg.Staff.FindUnits(ctx, c.by, "", ids...)
		if err != nil {
			return nil, err
		}
		return trees(s.groupsOf(ctx, c, units))
	})
}

// groupsWith returns the groups in which a person is or will be.
func (s *Server) groupsWith(ctx context.Context, c caller, person int64) ([]group, error) {
	found, err := s.people(ctx, c, person)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var ids []int64
	for _, a := range found[0].person.Units {
		ids = append(ids, a.UnitID)
	}
	units, err := s.cfg.Staff.FindUnits(ctx, c.by, "", ids...)
	if err != nil {
		return nil, err
	}
	return s.groupsOf(ctx, c, units)
}

// mostItems is how many resources an answer has at most.
const mostItems = page.MaxLimit
