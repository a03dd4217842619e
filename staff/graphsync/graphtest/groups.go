package graphtest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

func (s *Server) group(q request) answer {
	if len(q.path) == 1 {
		switch q.method {
		case http.MethodGet:
			return s.list(q, &s.groups, groupShape)
		case http.MethodPost:
			return s.createGroup(q.body)
		}
		return notAllowed
	}
	id := q.path[1]
	if name, ok := strings.CutPrefix(id, "(uniqueName='"); ok {
		name = strings.ReplaceAll(strings.TrimSuffix(name, "'"), "''", "'")
		if id, ok = s.uniques[strings.ToLower(name)]; !ok {
			if q.method == http.MethodPatch && len(q.path) == 2 && strings.Contains(q.header["prefer"], "create-if-missing") {
				body := shape("", q.body)
				delete(body, "id")
				body["uniqueName"] = name
				return s.createGroup(body)
			}
			return notFound
		}
	}
	v, ok := s.groups.now(id)
	if !ok {
		return notFound
	}
	if len(q.path) == 2 {
		switch q.method {
		case http.MethodGet:
			return answer{status: http.StatusOK, body: selected(shape(id, v.props), q.query.Get("$select"), groupShape)}
		case http.MethodPatch:
			return s.patchGroup(id, v, q.body)
		case http.MethodDelete:
			s.remove(&s.groups, id)
			return noContent
		}
		return notAllowed
	}
	switch sub := q.path[2:]; {
	case len(sub) == 1 && sub[0] == "members" && q.method == http.MethodGet:
		value := []map[string]any{}
		for _, m := range s.members(v) {
			user, _ := s.users.now(m)
			item := selected(shape(m, user.props), q.query.Get("$select"), userShape)
			item["@odata.type"] = "#microsoft.graph.user"
			value = append(value, item)
		}
		return answer{status: http.StatusOK, body: map[string]any{"value": value}}
	case len(sub) == 2 && sub[0] == "members" && sub[1] == "$ref" && q.method == http.MethodPost:
		return s.bind(id, v, []any{q.body["@odata.id"]})
	case len(sub) == 3 && sub[0] == "members" && sub[2] == "$ref" && q.method == http.MethodDelete:
		if !v.members[sub[1]] {
			return notFound
		}
		s.setMember(id, sub[1], false)
		return noContent
	}
	return refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment.")
}

func (s *Server) createGroup(body map[string]any) answer {
	for _, name := range []string{"displayName", "mailEnabled", "mailNickname", "securityEnabled"} {
		if body[name] == nil {
			return badRequest("A value is required for property '"+name+"' of resource 'Group'.", map[string]any{"code": "MissingValue", "target": name, "message": "required"})
		}
	}
	if a, bad := checked(body, groupProps); bad {
		return a
	}
	if _, taken := s.uniques[lower(body["uniqueName"])]; taken {
		return badRequest("Another object with the same value for property uniqueName already exists.",
			map[string]any{"code": "ObjectConflict", "target": "uniqueName", "message": "already exists"})
	}
	v := version{props: map[string]any{}, members: map[string]bool{}}
	for name, value := range body {
		if value != nil && !strings.Contains(name, "@") {
			v.props[name] = value
		}
	}
	refs, _ := body["members@odata.bind"].([]any)
	if a, bad := s.bindable(v, refs); bad {
		return a
	}
	for _, r := range refs {
		m, _ := s.referred(r)
		v.members[m] = true
	}
	id := s.newID()
	s.put(&s.groups, id, v)
	return answer{status: http.StatusCreated, body: selected(shape(id, v.props), "", groupShape)}
}

func (s *Server) patchGroup(id string, v version, body map[string]any) answer {
	if a, bad := checked(body, groupProps); bad {
		return a
	}
	refs, binds := body["members@odata.bind"].([]any)
	if binds && len(body) > 1 {
		return badRequest("members@odata.bind stands alone.")
	}
	if binds {
		return s.bind(id, v, refs)
	}
	if name, ok := body["uniqueName"]; ok && lower(name) != lower(v.props["uniqueName"]) {
		return badRequest("Property 'uniqueName' is read-only and cannot be set.")
	}
	s.edit(&s.groups, id, body)
	return noContent
}

// bindable says whether all of the references can become members.
func (s *Server) bindable(v version, refs []any) (answer, bool) {
	if len(refs) > 20 {
		return badRequest("At most 20 references."), true
	}
	for _, r := range refs {
		m, ok := s.referred(r)
		if !ok {
			return notFound, true
		}
		if v.members[m] {
			return badRequest("One or more added object references already exist for the following modified properties: 'members'."), true
		}
	}
	return answer{}, false
}

// bind adds all members or none.
func (s *Server) bind(id string, v version, refs []any) answer {
	if a, bad := s.bindable(v, refs); bad {
		return a
	}
	v = v.clone()
	if v.members == nil {
		v.members = map[string]bool{}
	}
	for _, r := range refs {
		m, _ := s.referred(r)
		v.members[m] = true
	}
	s.put(&s.groups, id, v)
	return noContent
}

// link is a link to a path with the query and one parameter more.
func (s *Server) link(path string, query url.Values, name, value string) string {
	q := maps.Clone(query)
	q.Set(name, value)
	return fmt.Sprintf("%s%s?%s", s.BaseURL(), path, q.Encode())
}
