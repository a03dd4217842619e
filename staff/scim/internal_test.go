package scim

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/staff"
)

// FuzzFilter: whatever comes, the parser ends within its bounds and never panics, and what it understands can be matched
// against anything.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`userName eq "x"`, `emails[type eq "work" and not (value co "a")] or title pr`, `a.b.c:d gt 1.5e3`, `((((title pr))))`, `not(not(title pr))`,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "1"`, `active eq "TRUE"`, `meta.created ge "2020-01-01T00:00:00Z"`, `"`, `x eq "\`,
	} {
		f.Add(seed, `{"userName":"x","emails":[{"type":"work"},null,3],"meta":{"created":"x"},"active":1}`)
	}
	r := users(staff.AllGroups(), nil)
	f.Fuzz(func(t *testing.T, text, resource string) {
		parsed, err := parseFilter(text)
		if err != nil {
			return
		}
		if len(text) > mostFilter {
			t.Fatalf("%d bytes were read", len(text))
		}
		if parsed.bind(r.resolve) != nil {
			return
		}
		var tree map[string]any
		if json.Unmarshal([]byte(resource), &tree) != nil {
			tree = map[string]any{}
		}
		negated := &filter{op: "not", left: parsed}
		if parsed.match(tree) == negated.match(tree) {
			t.Fatal("a filter and its opposite agree")
		}
	})
}

// FuzzPatch: whatever comes, a PATCH is applied or refused, and what it leaves can be read as a person.
func FuzzPatch(f *testing.F) {
	for _, seed := range [][3]string{
		{"Replace", `emails[type eq "work"].value`, `"a@example.com"`},
		{"add", ``, `{"name.givenName":"A","emails":[{"value":"x","primary":true}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":"3"}}`},
		{"remove", `emails[value sw "a" or not (type pr)]`, `null`},
		{"remove", `phoneNumbers`, `[{"value":"1"}]`},
		{"replace", `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`, `{"employeeNumber":"E"}`},
		{"add", `name`, `{"formatted":"x"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	u, g := users(staff.AllGroups(), nil), units(staff.AllGroups(), nil)
	f.Fuzz(func(t *testing.T, op, path, value string) {
		var v any
		if json.Unmarshal([]byte(value), &v) != nil {
			return
		}
		tree := map[string]any{"userName": "x", "id": "1", "emails": []any{map[string]any{"value": "a", "type": "work", "primary": true}}}
		if u.apply(tree, operation{op, path, v}) == nil {
			_, _ = want(tree)
			if tree["id"] != "1" {
				t.Fatalf("%s %s %s changed the id", op, path, value)
			}
		}
		present := func() ([]int64, error) { return []int64{1, 2}, nil }
		if m, err := g.patchGroup(map[string]any{"displayName": "x"}, []operation{{op, path, v}}, present); err == nil {
			left, _ := m.members(present)
			if strings.EqualFold(op, "remove") && v == nil && len(left) == 0 && !strings.Contains(path, "[") {
				t.Fatalf("%s %s emptied the group", op, path)
			}
		}
	})
}
