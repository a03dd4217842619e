package scim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// membership is how a request changes the members of a group.
type membership struct {
	all    bool           // the members are to be just those in change that are true
	change map[int64]bool // whether a person is to be a member
}

// patchGroup applies operations to a group in its form as a tree without members, and gathers what they say of members.
// present returns the ids of all who are in the group; it is asked only when a filter needs it.
func (r resource) patchGroup(tree map[string]any, ops []operation, present func() ([]int64, error)) (membership, error) {
	m := membership{change: map[int64]bool{}}
	for _, op := range ops {
		rest, err := r.patchMembers(&m, op, present)
		if err == nil && rest != nil {
			err = r.apply(tree, *rest)
		}
		if err != nil {
			return m, err
		}
	}
	return m, nil
}

// errWhom is returned for a change of members that names none: it would empty the group.
var errWhom = ErrNoTarget.WithMessage("say which members, by a filter or a value; an empty list replaces all of them")

// patchMembers applies the part of an operation that is about members and returns the rest of it, if there is one.
func (r resource) patchMembers(m *membership, op operation, present func() ([]int64, error)) (*operation, error) {
	kind := strings.ToLower(op.Op)
	members := named(r.core.attributes, "members")
	if op.Path == "" {
		object, ok := op.Value.(map[string]any)
		if !ok || members.readOnly {
			return &op, nil
		}
		object = maps.Clone(object)
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if at, ok := r.resolve(name); ok && at.attr.name == members.name {
				if object[name] == nil {
					return nil, errWhom
				}
				if err := m.set(members, kind, object[name]); err != nil {
					return nil, err
				}
				delete(object, name)
			}
		}
		op.Value = object
		return &op, nil
	}
	p, err := r.parsePath(op.Path)
	if err != nil || p.whole != nil || p.ref.attr.name != members.name || kind != "add" && kind != "replace" && kind != "remove" {
		return &op, err
	}
	switch {
	case members.readOnly:
		return nil, ErrMutability
	case p.ref.sub != nil:
		return nil, ErrPath.WithMessage("members are added and removed as a whole")
	case p.where != nil:
		return nil, m.removeWhere(p.where, kind, present)
	case op.Value == nil:
		return nil, errWhom
	}
	return nil, m.set(members, kind, op.Value)
}

// set adds, replaces or removes the members that a value names.
func (m *membership) set(a *attribute, kind string, value any) error {
	v, err := a.normal(value)
	if err != nil {
		return err
	}
	ids, err := memberIDs(v)
	if err != nil {
		return err
	}
	if kind == "replace" {
		m.all, m.change = true, map[int64]bool{}
	}
	for _, id := range ids {
		m.change[id] = kind != "remove"
	}
	return nil
}

func (m *membership) removeWhere(where *filter, kind string, present func() ([]int64, error)) error {
	if kind != "remove" {
		return ErrNoTarget.WithMessage("a filter of members is for remove")
	}
	if value, ok := where.only("value"); ok && where.op == "eq" {
		m.change[item(value)] = false
		return nil
	}
	ids, err := m.members(present)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if where.match(map[string]any{"value": strconv.FormatInt(id, 10), "type": string(User)}) {
			m.change[id] = false
		}
	}
	return nil
}

// members are those who are in the group after the change.
func (m *membership) members(present func() ([]int64, error)) ([]int64, error) {
	is := map[int64]bool{}
	if !m.all {
		ids, err := present()
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			is[id] = true
		}
	}
	maps.Copy(is, m.change)
	maps.DeleteFunc(is, func(_ int64, in bool) bool { return !in })
	return slices.Sorted(maps.Keys(is)), nil
}

// memberIDs are the ids in a normal value of members.
func memberIDs(v any) ([]int64, error) {
	list, _ := v.([]any)
	ids := make([]int64, 0, len(list))
	for _, one := range list {
		part, _ := one.(map[string]any)
		id := item(text(part, "value"))
		if id == 0 {
			return nil, ErrValue.WithMessage("members.value must be the id of a user")
		}
		ids = append(ids, id)
	}
	return ids, nil
}
