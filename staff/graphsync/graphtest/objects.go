package graphtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// version is an object from some write on.
type version struct {
	seq     int
	props   map[string]any
	manager string
	members map[string]bool
	deleted bool
}

func (v version) clone() version {
	return version{v.seq, maps.Clone(v.props), v.manager, maps.Clone(v.members), v.deleted}
}

// table is the objects of a kind with all that they ever were, since lists and deltas lag behind.
type table struct {
	ids     []string // in the order in which they were made
	history map[string][]version
}

func newTable() table { return table{history: map[string][]version{}} }

// now is the object as it is.
func (t *table) now(id string) (version, bool) {
	h := t.history[id]
	if len(h) == 0 || h[len(h)-1].deleted {
		return version{}, false
	}
	return h[len(h)-1], true
}

// at is the object as it was after the write seq.
func (t *table) at(id string, seq int) (version, bool) {
	h := t.history[id]
	i, _ := slices.BinarySearchFunc(h, seq+1, func(v version, seq int) int { return v.seq - seq })
	if i == 0 {
		return version{}, false
	}
	return h[i-1], true
}

// put writes a version, under the lock.
func (s *Server) put(t *table, id string, v version) {
	s.seq++
	s.stamps = append(s.stamps, len(s.calls))
	v.seq = s.seq
	if _, known := t.history[id]; !known {
		t.ids = append(t.ids, id)
	}
	t.history[id] = append(t.history[id], v)
	unique, key := s.upns, "userPrincipalName"
	if t == &s.groups {
		unique, key = s.uniques, "uniqueName"
	}
	for name, owner := range map[string]string{lower(v.props[key]): id} {
		if h := t.history[id]; len(h) > 1 {
			delete(unique, lower(h[len(h)-2].props[key]))
		}
		if name != "" && !v.deleted {
			unique[name] = owner
		}
	}
}

// visible is the newest write that lists and deltas show.
func (s *Server) visible() int {
	i, _ := slices.BinarySearch(s.stamps, len(s.calls)-s.cfg.Lag)
	for i < len(s.stamps) && s.stamps[i] <= len(s.calls)-s.cfg.Lag {
		i++
	}
	return max(i-1, 0)
}

func lower(v any) string {
	text, _ := v.(string)
	return strings.ToLower(text)
}

func (s *Server) newID() string {
	s.nextID++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.nextID)
}

// User is a user for tests to put in and to look at.
type User struct {
	ID, Name, UPN, EmployeeID, JobTitle string
	GivenName, Surname                  string
	Enabled, OnPremises                 bool
	Manager                             string
	Revoked                             int // how often its sessions were revoked
}

// AddUser puts a user in and returns the id.
func (s *Server) AddUser(u User) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.newID()
	props := map[string]any{"displayName": u.Name, "userPrincipalName": u.UPN, "accountEnabled": u.Enabled}
	for name, value := range map[string]string{"employeeId": u.EmployeeID, "jobTitle": u.JobTitle, "givenName": u.GivenName, "surname": u.Surname} {
		if value != "" {
			props[name] = value
		}
	}
	if u.OnPremises {
		props["onPremisesSyncEnabled"] = true
	}
	s.put(&s.users, id, version{props: props, manager: u.Manager})
	return id
}

// EditUser changes properties of a user as an administrator of Entra would; a nil value clears one.
func (s *Server) EditUser(id string, props map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edit(&s.users, id, props)
}

// EditGroup is EditUser for a group.
func (s *Server) EditGroup(id string, props map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.edit(&s.groups, id, props)
}

func (s *Server) edit(t *table, id string, props map[string]any) {
	v, ok := t.now(id)
	if !ok {
		return
	}
	v = v.clone()
	for name, value := range props {
		if value == nil {
			delete(v.props, name)
		} else {
			v.props[name] = value
		}
	}
	s.put(t, id, v)
}

// RemoveUser deletes a user as an administrator would; groups do not tell.
func (s *Server) RemoveUser(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(&s.users, id)
}

func (s *Server) remove(t *table, id string) {
	if v, ok := t.now(id); ok {
		v = v.clone()
		v.deleted = true
		s.put(t, id, v)
	}
}

// SetMember puts a user into a group or takes them out, as an administrator would.
func (s *Server) SetMember(group, user string, in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setMember(group, user, in)
}

func (s *Server) setMember(group, user string, in bool) {
	v, ok := s.groups.now(group)
	if !ok {
		return
	}
	v = v.clone()
	if in {
		if v.members == nil {
			v.members = map[string]bool{}
		}
		v.members[user] = true
	} else {
		delete(v.members, user)
	}
	s.put(&s.groups, group, v)
}

// AddGroup puts a security group in and returns the id.
func (s *Server) AddGroup(name string, members ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.newID()
	v := version{members: map[string]bool{}, props: map[string]any{
		"displayName": name, "mailEnabled": false, "securityEnabled": true, "mailNickname": id, "groupTypes": []any{},
	}}
	for _, m := range members {
		v.members[m] = true
	}
	s.put(&s.groups, id, v)
	return id
}

// Users returns the users that are there, by the time they were made.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []User
	for _, id := range s.users.ids {
		v, ok := s.users.now(id)
		if !ok {
			continue
		}
		text := func(name string) string {
			t, _ := v.props[name].(string)
			return t
		}
		u := User{
			ID: id, Name: text("displayName"), UPN: text("userPrincipalName"), EmployeeID: text("employeeId"), JobTitle: text("jobTitle"),
			GivenName: text("givenName"), Surname: text("surname"), Manager: v.manager, Revoked: s.revoked[id],
		}
		u.Enabled, _ = v.props["accountEnabled"].(bool)
		u.OnPremises, _ = v.props["onPremisesSyncEnabled"].(bool)
		out = append(out, u)
	}
	return out
}

// Group is a group for tests to look at. Members are the ids of users that are there, sorted.
type Group struct {
	ID, Name, Description, UniqueName string
	Members                           []string
}

// Groups returns the groups that are there, by the time they were made.
func (s *Server) Groups() []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Group
	for _, id := range s.groups.ids {
		v, ok := s.groups.now(id)
		if !ok {
			continue
		}
		g := Group{ID: id, Members: s.members(v)}
		g.Name, _ = v.props["displayName"].(string)
		g.Description, _ = v.props["description"].(string)
		g.UniqueName, _ = v.props["uniqueName"].(string)
		out = append(out, g)
	}
	return out
}

// members are those of a group that are there, sorted.
func (s *Server) members(v version) []string {
	out := []string{}
	for id := range v.members {
		if _, ok := s.users.now(id); ok {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
