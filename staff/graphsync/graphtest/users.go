package graphtest

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The properties that may be written, with an example of their type (msgraph-metadata, v1.0).
var (
	userProps = map[string]any{
		"accountEnabled": true, "displayName": "", "mailNickname": "", "userPrincipalName": "", "passwordProfile": map[string]any{}, "givenName": "",
		"surname": "", "employeeId": "", "jobTitle": "", "department": "", "companyName": "", "officeLocation": "", "usageLocation": "",
		"employeeType": "", "employeeHireDate": "", "employeeOrgData": map[string]any{}, "mobilePhone": "", "businessPhones": []any{},
	}
	groupProps = map[string]any{
		"displayName": "", "description": "", "mailEnabled": true, "mailNickname": "", "securityEnabled": true, "groupTypes": []any{},
		"uniqueName": "", "members@odata.bind": []any{}, "owners@odata.bind": []any{}, "isAssignableToRole": true,
	}
	longest = map[string]int{"displayName": 256, "jobTitle": 128, "employeeId": 16, "givenName": 64, "surname": 64, "userPrincipalName": 113, "description": 1024}
)

// checked returns what is wrong with properties, if anything.
func checked(props, known map[string]any) (answer, bool) {
	for name, value := range props {
		example, ok := known[name]
		if !ok {
			return badRequest("Property '" + name + "' does not exist as a declared property or extension property."), true
		}
		if value == nil {
			if name == "displayName" || name == "userPrincipalName" || name == "accountEnabled" || name == "mailNickname" {
				return badRequest("Invalid value specified for property '"+name+"'.", map[string]any{"code": "InvalidValue", "target": name, "message": "null"}), true
			}
			continue
		}
		right := false
		switch example.(type) {
		case bool:
			_, right = value.(bool)
		case string:
			var text string
			text, right = value.(string)
			right = right && text != "" && (longest[name] == 0 || len([]rune(text)) <= longest[name])
		case []any:
			_, right = value.([]any)
		case map[string]any:
			_, right = value.(map[string]any)
		}
		if !right {
			return badRequest("Invalid value specified for property '"+name+"'.", map[string]any{"code": "InvalidValue", "target": name, "message": "type or length"}), true
		}
	}
	return answer{}, false
}

// find returns the id of a user by id or user principal name.
func (s *Server) find(key string) (string, version, bool) {
	if v, ok := s.users.now(key); ok {
		return key, v, true
	}
	if id, ok := s.upns[strings.ToLower(key)]; ok {
		v, ok := s.users.now(id)
		return id, v, ok
	}
	return "", version{}, false
}

func (s *Server) user(q request) answer {
	if len(q.path) == 1 {
		switch q.method {
		case http.MethodGet:
			return s.list(q, &s.users, userShape)
		case http.MethodPost:
			return s.createUser(q.body)
		}
		return notAllowed
	}
	id, v, ok := s.find(q.path[1])
	if !ok {
		return notFound
	}
	if len(q.path) == 2 {
		switch q.method {
		case http.MethodGet:
			return answer{status: http.StatusOK, body: selected(shape(id, v.props), q.query.Get("$select"), userShape)}
		case http.MethodPatch:
			return s.patchUser(id, v, q.body)
		case http.MethodDelete:
			s.remove(&s.users, id)
			return noContent
		}
		return notAllowed
	}
	switch sub := strings.Join(q.path[2:], "/"); {
	case sub == "revokeSignInSessions" && q.method == http.MethodPost:
		s.revoked[id]++
		return answer{status: http.StatusOK, body: map[string]any{"value": true}}
	case sub == "checkMemberGroups" && q.method == http.MethodPost:
		return s.checkMember(id, q.body)
	case sub == "manager" && q.method == http.MethodGet:
		if m, ok := s.users.now(v.manager); ok {
			return answer{status: http.StatusOK, body: selected(shape(v.manager, m.props), "", userShape)}
		}
		return notFound
	case sub == "manager/$ref":
		return s.manager(id, v, q)
	}
	return refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment.")
}

func (s *Server) createUser(body map[string]any) answer {
	for _, name := range []string{"accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"} {
		if body[name] == nil {
			return badRequest("A value is required for property '"+name+"' of resource 'User'.", map[string]any{"code": "MissingValue", "target": name, "message": "required"})
		}
	}
	if a, bad := checked(body, userProps); bad {
		return a
	}
	if profile, _ := body["passwordProfile"].(map[string]any); lower(profile["password"]) == "" {
		return badRequest("The specified password does not comply with password complexity requirements.")
	}
	if a, taken := s.taken("", body); taken {
		return a
	}
	props := map[string]any{}
	for name, value := range body {
		if value != nil && name != "passwordProfile" {
			props[name] = value
		}
	}
	id := s.newID()
	s.put(&s.users, id, version{props: props})
	return answer{status: http.StatusCreated, body: selected(shape(id, props), "", userShape)}
}

// taken says whether a user principal name is somebody else's.
func (s *Server) taken(id string, body map[string]any) (answer, bool) {
	if owner, ok := s.upns[lower(body["userPrincipalName"])]; ok && owner != id {
		return badRequest("Another object with the same value for property userPrincipalName already exists.",
			map[string]any{"code": "ObjectConflict", "target": "userPrincipalName", "message": "already exists"}), true
	}
	return answer{}, false
}

func (s *Server) patchUser(id string, v version, body map[string]any) answer {
	if a, bad := checked(body, userProps); bad {
		return a
	}
	if on, _ := v.props["onPremisesSyncEnabled"].(bool); on {
		return badRequest("Unable to update the specified properties for on-premises mastered Directory Sync objects.")
	}
	if a, taken := s.taken(id, body); taken {
		return a
	}
	s.edit(&s.users, id, body)
	return noContent
}

// refID takes the id from an @odata.id.
var refID = regexp.MustCompile(`^https://[^/]+/v1\.0/(?:users|directoryObjects)/([^/]+)$`)

func (s *Server) referred(value any) (string, bool) {
	text, _ := value.(string)
	m := refID.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	_, ok := s.users.now(m[1])
	return m[1], ok
}

func (s *Server) manager(id string, v version, q request) answer {
	v = v.clone()
	switch q.method {
	case http.MethodPut:
		m, ok := s.referred(q.body["@odata.id"])
		if !ok {
			return notFound
		}
		v.manager = m
	case http.MethodDelete:
		if v.manager == "" {
			return notFound
		}
		v.manager = ""
	default:
		return notAllowed
	}
	s.put(&s.users, id, v)
	return noContent
}

func (s *Server) restore(id string) answer {
	h := s.users.history[id]
	if len(h) == 0 || !h[len(h)-1].deleted {
		return notFound
	}
	v := h[len(h)-1].clone()
	v.deleted = false
	if a, taken := s.taken(id, v.props); taken {
		return a
	}
	s.put(&s.users, id, v)
	return answer{status: http.StatusOK, body: selected(shape(id, v.props), "", userShape)}
}

func (s *Server) checkMember(id string, body map[string]any) answer {
	asked, ok := body["groupIds"].([]any)
	if !ok || len(asked) == 0 || len(asked) > 20 {
		return badRequest("groupIds are needed, at most 20.")
	}
	in := []string{}
	for _, g := range asked {
		group, _ := g.(string)
		if v, ok := s.groups.now(group); ok && v.members[id] {
			in = append(in, group)
		}
	}
	return answer{status: http.StatusOK, body: map[string]any{"@odata.context": "#Collection(Edm.String)", "value": in}}
}

// What is shown without a $select.
var (
	userShape  = []string{"businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName"}
	groupShape = []string{"displayName", "description", "mailEnabled", "mailNickname", "securityEnabled", "groupTypes", "uniqueName"}
)

func shape(id string, props map[string]any) map[string]any {
	out := map[string]any{"id": id}
	maps.Copy(out, props)
	return out
}

// selected is an object with the properties asked for, null where there is none.
func selected(object map[string]any, sel string, standard []string) map[string]any {
	names := standard
	if sel != "" {
		names = strings.Split(sel, ",")
	}
	out := map[string]any{"id": object["id"]}
	for _, name := range names {
		out[name] = object[name]
	}
	return out
}

var filter = regexp.MustCompile(`^(employeeId|userPrincipalName|displayName|id|uniqueName) eq '((?:[^']|'')*)'$`)

// list shows objects as they were some calls ago.
func (s *Server) list(q request, t *table, standard []string) answer {
	name, want := "", ""
	if f := q.query.Get("$filter"); f != "" {
		m := filter.FindStringSubmatch(f)
		if m == nil {
			return badRequest("Unsupported or invalid query filter clause.")
		}
		name, want = m[1], strings.ReplaceAll(m[2], "''", "'")
	}
	size := s.cfg.PageSize
	if top := q.query.Get("$top"); top != "" {
		n, err := strconv.Atoi(top)
		if err != nil || n < 1 || n > 999 {
			return badRequest("Invalid page size specified. Must be between 1 and 999 inclusive.")
		}
		size = n
	}
	after := q.query.Get("$skiptoken")
	from := 0
	if after != "" {
		from = slices.Index(t.ids, after) + 1
		if from == 0 {
			return refuse(http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired.")
		}
	}
	value, body := []map[string]any{}, map[string]any{}
	upto := s.visible()
	for _, id := range t.ids[from:] {
		v, ok := t.at(id, upto)
		object := shape(id, v.props)
		if !ok || v.deleted || (name != "" && lower(object[name]) != strings.ToLower(want)) {
			continue
		}
		if len(value) == size {
			last, _ := value[size-1]["id"].(string)
			body["@odata.nextLink"] = s.link("/"+q.path[0], q.query, "$skiptoken", last)
			break
		}
		value = append(value, selected(object, q.query.Get("$select"), standard))
	}
	body["value"] = value
	return answer{status: http.StatusOK, body: body}
}
