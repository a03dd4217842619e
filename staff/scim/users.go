package scim

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

// people returns those with the ids who are not hidden, by id.
func (s *Server) people(ctx context.Context, c caller, ids ...int64) ([]user, error) {
	return s.find(ctx, c, staff.Known{IDs: ids}, false)
}

// find returns whom k names, by id, also who is hidden if hidden says so.
func (s *Server) find(ctx context.Context, c caller, k staff.Known, hidden bool) ([]user, error) {
	views, err := s.cfg.Staff.Find(ctx, c.by, k)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(views))
	for i, v := range views {
		ids[i] = v.Person.ID
	}
	links, err := s.links(ctx, c.by.Tenant, User, ids...)
	if err != nil {
		return nil, err
	}
	var out []user
	for _, v := range views {
		u := user{v.Person, links[v.Person.ID]}
		u.link.Kind, u.link.ItemID = User, v.Person.ID
		if hidden || !u.hidden() {
			out = append(out, u)
		}
	}
	return out, nil
}

// user returns one, or ErrUnknown.
func (s *Server) user(ctx context.Context, c caller, id string) (user, error) {
	found, err := s.people(ctx, c, item(id))
	if err != nil {
		return user{}, err
	}
	if len(found) == 0 {
		return user{}, ErrUnknown
	}
	return found[0], nil
}

func (s *Server) getUser(ctx context.Context, c caller, id string) (map[string]any, error) {
	u, err := s.user(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return s.userTree(c, u), nil
}

// createUser adds a person, or takes back one whom a client has deleted: what the body does not say of them stays then.
func (s *Server) createUser(ctx context.Context, c caller, body map[string]any) (tree map[string]any, err error) {
	all, err := c.users.read(body)
	if err != nil {
		return nil, err
	}
	said := func(tree map[string]any, from wanted) (wanted, error) {
		for _, g := range all {
			merge(tree, "replace", g)
		}
		to, err := want(tree)
		return to.settled(from), err
	}
	to, err := said(map[string]any{}, wanted{})
	if err != nil {
		return nil, err
	}
	if err := checkNames(to.userName, to.externalID); err != nil {
		return nil, err
	}
	err = s.cfg.Staff.InTurn(ctx, c.by.Tenant, func(ctx context.Context) error {
		u, known, err := s.former(ctx, c, to)
		switch {
		case err != nil:
			return err
		case known:
			tree := s.userTree(c, u)
			from, _ := want(tree) // ids of our own
			tree["active"] = true
			back, _ := said(tree, from) // as before
			u, err = s.change(ctx, c, u, from, back)
		default:
			to.first, to.last = nameParts(to)
			u, err = s.provision(ctx, c, to)
		}
		tree = s.userTree(c, u)
		return err
	})
	return tree, err
}

func (s *Server) provision(ctx context.Context, c caller, to wanted) (user, error) {
	if err := s.free(ctx, c, to, 0); err != nil {
		return user{}, err
	}
	v, err := s.cfg.Staff.Provision(ctx, c.by, edit(wanted{active: true}, to))
	if err != nil {
		return user{}, err
	}
	u := user{v.Person, Link{Kind: User, ItemID: v.Person.ID, UserName: to.userName, ExternalID: to.externalID}}
	if err := s.save(ctx, c.by, Link{Kind: User, ItemID: v.Person.ID}, u.link); err != nil {
		return u, err
	}
	return s.again(ctx, c, v.Person.ID)
}

// again reads a person after a change.
func (s *Server) again(ctx context.Context, c caller, id int64) (user, error) {
	found, err := s.find(ctx, c, staff.Known{IDs: []int64{id}}, true)
	if err != nil || len(found) == 0 {
		return user{}, err
	}
	return found[0], nil
}

// former finds the person whom a client deleted and provisions anew.
func (s *Server) former(ctx context.Context, c caller, to wanted) (user, bool, error) {
	links, err := s.cfg.Store.LinksBy(ctx, c.by.Tenant, User, strings.ToLower(to.userName), to.externalID)
	if err != nil {
		return user{}, false, err
	}
	var ids []int64
	for _, l := range links {
		ids = append(ids, l.ItemID)
	}
	k := staff.Known{IDs: ids}
	if to.reference != "" {
		k.References = []string{to.reference}
	}
	found, err := s.find(ctx, c, k, true)
	if err != nil {
		return user{}, false, err
	}
	found = slices.DeleteFunc(found, func(u user) bool { return !u.hidden() })
	if len(found) == 0 {
		return user{}, false, nil
	}
	return found[0], true, nil
}

// free says whether nobody else has the userName or externalId.
func (s *Server) free(ctx context.Context, c caller, to wanted, but int64) error {
	others, err := s.byName(ctx, c, to.userName)
	if err != nil {
		return err
	}
	if taken(others, but) {
		return errTaken("userName")
	}
	if to.externalID == "" {
		return nil
	}
	if others, err = s.byExternalID(ctx, c, to.externalID); err != nil {
		return err
	}
	if taken(others, but) {
		return errTaken("externalId")
	}
	return nil
}

func taken(others []user, but int64) bool {
	return slices.ContainsFunc(others, func(u user) bool { return u.person.ID != but })
}

// byName returns who has the userName, without regard to case.
func (s *Server) byName(ctx context.Context, c caller, name string) ([]user, error) {
	if !oneLine(name) {
		return nil, nil
	}
	key := strings.ToLower(name)
	links, err := s.cfg.Store.LinksBy(ctx, c.by.Tenant, User, key, "")
	if err != nil {
		return nil, err
	}
	k := staff.Known{UserIDs: []string{name, key}}
	for _, l := range links {
		k.IDs = append(k.IDs, l.ItemID)
	}
	if rest, ok := strings.CutPrefix(key, namePrefix); ok {
		k.IDs = append(k.IDs, item(rest))
	}
	found, err := s.find(ctx, c, k, false)
	return slices.DeleteFunc(found, func(u user) bool { return strings.ToLower(u.name()) != key }), err
}

func (s *Server) byExternalID(ctx context.Context, c caller, id string) ([]user, error) {
	if id == "" || !oneLine(id) {
		return nil, nil
	}
	links, err := s.cfg.Store.LinksBy(ctx, c.by.Tenant, User, "", id)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(links))
	for i, l := range links {
		ids[i] = l.ItemID
	}
	return s.people(ctx, c, ids...)
}

// change brings a person from one state to another.
func (s *Server) change(ctx context.Context, c caller, u user, from, to wanted) (user, error) {
	if err := checkNames(to.userName, to.externalID); err != nil {
		return u, err
	}
	link := u.link
	link.ExternalID, link.DeletedAt = to.externalID, time.Time{}
	if to.userName != u.name() {
		link.UserName = to.userName
	}
	if from.userName != to.userName || from.externalID != to.externalID || u.hidden() {
		if err := s.free(ctx, c, to, u.person.ID); err != nil {
			return u, err
		}
	}
	if _, err := s.cfg.Staff.Update(ctx, c.by, u.person.ID, staff.AnyVersion, edit(from, to)); err != nil {
		return u, err
	}
	if err := s.save(ctx, c.by, u.link, link); err != nil {
		return u, err
	}
	return s.again(ctx, c, u.person.ID)
}

// changeUser brings a person from the tree that they are to what next makes of it.
func (s *Server) changeUser(ctx context.Context, c caller, id, ifMatch string, next func(from wanted, tree map[string]any) (wanted, error)) (tree map[string]any, err error) {
	err = s.cfg.Staff.InTurn(ctx, c.by.Tenant, func(ctx context.Context) error {
		u, err := s.user(ctx, c, id)
		if err != nil {
			return err
		}
		if err := unchanged(ifMatch, u.version()); err != nil {
			return err
		}
		tree = s.userTree(c, u)
		from, _ := want(tree) // ids of our own
		to, err := next(from, tree)
		if err != nil {
			return err
		}
		if u, err = s.change(ctx, c, u, from, to); err != nil {
			return err
		}
		tree = s.userTree(c, u)
		return nil
	})
	return tree, err
}

// replaceUser is PUT. What is not said goes (RFC 7644 section 3.5.1), but for what nobody may lose by an omission: the
// name, being active, and all of an extension of which the body says nothing.
func (s *Server) replaceUser(ctx context.Context, c caller, id, ifMatch string, body map[string]any) (map[string]any, error) {
	all, err := c.users.read(body)
	if err != nil {
		return nil, err
	}
	said := map[string]bool{}
	for _, g := range all {
		said[g.ref.urn] = true
		said[g.ref.urn+" "+g.ref.attr.name] = true
	}
	return s.changeUser(ctx, c, id, ifMatch, func(from wanted, tree map[string]any) (wanted, error) {
		for _, a := range append([]attribute{common[2]}, c.users.core.attributes...) { // externalId
			if !a.readOnly && a.name != "active" && (a.name != "name" || said[" name"]) {
				delete(tree, a.name)
			}
		}
		for _, extension := range c.users.extensions {
			inner, _ := tree[extension.urn].(map[string]any)
			for _, a := range extension.attributes {
				if !a.readOnly && said[extension.urn] {
					delete(inner, a.name)
				}
			}
		}
		for _, g := range all {
			merge(tree, "replace", g)
		}
		to, err := want(tree)
		return to.settled(from), err
	})
}

func (s *Server) patchUser(ctx context.Context, c caller, id, ifMatch string, ops []operation) (map[string]any, error) {
	return s.changeUser(ctx, c, id, ifMatch, func(_ wanted, tree map[string]any) (wanted, error) {
		for _, op := range ops {
			if err := c.users.apply(tree, op); err != nil {
				return wanted{}, err
			}
		}
		return want(tree)
	})
}

// deleteUser deactivates a person and hides them.
func (s *Server) deleteUser(ctx context.Context, c caller, id, ifMatch string) error {
	return s.cfg.Staff.InTurn(ctx, c.by.Tenant, func(ctx context.Context) error {
		u, err := s.user(ctx, c, id)
		if err != nil {
			return err
		}
		if err := unchanged(ifMatch, u.version()); err != nil {
			return err
		}
		if slices.Contains(s.cfg.ReadOnly, "is_active") {
			return ErrMutability
		}
		active := false
		if _, err := s.cfg.Staff.Update(ctx, c.by, u.person.ID, staff.AnyVersion, staff.Edit{Active: &active}); err != nil {
			return err
		}
		link := u.link
		link.DeletedAt = s.cfg.Now().UTC().Truncate(time.Microsecond)
		return s.save(ctx, c.by, u.link, link)
	})
}

// usersWhere returns the users whom a filter selects by an index, or false if it names none.
func (s *Server) usersWhere(ctx context.Context, c caller, f *filter) ([]user, bool, error) {
	if id, ok := f.only("id"); ok {
		found, err := s.people(ctx, c, item(id))
		return found, true, err
	}
	if name, ok := f.only("userName"); ok {
		found, err := s.byName(ctx, c, name)
		return found, true, err
	}
	if id, ok := f.only("externalId"); ok {
		found, err := s.byExternalID(ctx, c, id)
		return found, true, err
	}
	if number, ok := f.only("employeeNumber"); ok {
		found, err := s.find(ctx, c, staff.Known{References: []string{number}}, false)
		return found, true, err
	}
	if email, ok := f.only("emails"); ok && identity.NormalEmail(email) == email {
		found, err := s.find(ctx, c, staff.Known{Emails: []string{email}}, false)
		return found, true, err
	}
	return nil, false, nil
}

// listUsers returns a cut of the users whom the filter, which is bound or nil, selects, and how many there are.
func (s *Server) listUsers(ctx context.Context, c caller, f *filter, offset, limit int) (page []map[string]any, total int64, err error) {
	trees := func(users []user, err error) ([]map[string]any, error) {
		out := make([]map[string]any, len(users))
		for i, u := range users {
			out[i] = s.userTree(c, u)
		}
		return out, err
	}
	if f != nil {
		users, indexed, err := s.usersWhere(ctx, c, f)
		if err != nil {
			return nil, 0, err
		}
		if indexed {
			all, err := trees(users, nil)
			page, total = cut(f, all, offset, limit)
			return page, total, err
		}
	}
	return s.list(ctx, c, User, f, offset, limit, func(ids []int64) ([]map[string]any, error) {
		return trees(s.people(ctx, c, ids...))
	})
}
