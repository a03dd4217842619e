package scim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/staff/scim"
)

// TestRequirements holds the server to RFC 7643 and RFC 7644, requirement by requirement. Each starts with a user, noah,
// and a group, ward, that has the user.
func TestRequirements(t *testing.T) {
	type state struct {
		*rig
		noah, ward string
	}
	user := func(s state) string { return "/Users/" + s.noah }
	group := func(s state) string { return "/Groups/" + s.ward }
	const missing = "/Users/999"
	for _, requirement := range []struct {
		section, text string
		check         func(t *testing.T, s state)
	}{
		{"7643 2.1", "names of attributes and schemas are compared without regard to case", func(t *testing.T, s state) {
			s.patch(user(s), `{"op":"replace","path":"NAME.givenname","value":"Noa"}`).want(t, 200, `"givenName":"Noa"`)
			s.patch(user(s), `{"op":"replace","value":{"URN:IETF:params:scim:schemas:extension:ENTERPRISE:2.0:User":{"EmployeeNumber":"E9"}}}`).want(t, 200, `"employeeNumber":"E9"`)
		}},
		{"7643 2.4", "a new primary value takes the place of the old one", func(t *testing.T, s state) {
			s.patch(user(s), `{"op":"add","path":"emails","value":[{"value":"n2@example.com","type":"work","primary":true}]}`).want(t, 200, `"emails":[{"primary":true,"type":"work","value":"n2@example.com"}]`)
		}},
		{"7643 2.5", "null, an empty list and an absent attribute are the same", func(t *testing.T, s state) {
			s.patch(user(s), `{"op":"replace","path":"emails","value":[]},{"op":"replace","path":"title","value":null}`).want(t, 200, `!"emails"`, `!"title"`)
		}},
		{"7643 3", "schemas name what the resource has", func(t *testing.T, s state) {
			s.call("GET", user(s), "").want(t, 200, `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]`)
			s.call("GET", "/Users/"+s.named(t, "plain"), "").want(t, 200, `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]`, `!enterprise`)
		}},
		{"7643 3.1", "id is the server's, externalId is the client's, meta tells about the resource", func(t *testing.T, s state) {
			s.call("POST", "/Users", `{"id":"77","meta":{"created":"x"},"userName":"u","name":{"givenName":"U","familyName":"V"}}`).want(t, 201, `!"77"`)
			a := s.call("GET", user(s), "").want(t, 200, `"externalId":"e-1"`, `"resourceType":"User"`, `"location":"https://renkei.example/scim/v2/Users/`+s.noah+`"`, `"created":"20`, `"lastModified":"20`)
			if a.header.Get("Content-Location") != "https://renkei.example/scim/v2/Users/"+s.noah {
				t.Error(a.header)
			}
		}},
		{"7643 4.1", "userName is required and unique without regard to case", func(t *testing.T, s state) {
			s.call("POST", "/Users", `{"name":{"givenName":"A","familyName":"B"}}`).wantError(t, 400, "invalidValue")
			s.call("POST", "/Users", `{"userName":"NOAH@EXAMPLE.COM","name":{"givenName":"A","familyName":"B"}}`).wantError(t, 409, "uniqueness")
			s.patch("/Users/"+s.named(t, "other"), `{"op":"replace","path":"userName","value":"Noah@Example.com"}`).wantError(t, 409, "uniqueness")
		}},
		{"7643 4.1.1", "a password is never returned", func(t *testing.T, s state) {
			s.call("GET", user(s), "").want(t, 200, "!password", "!hunter2")
			s.call("PUT", user(s), noah).want(t, 200, "!password", "!hunter2")
		}},
		{"7643 4.1.2", "groups of a user are readOnly and say where they are", func(t *testing.T, s state) {
			s.call("GET", user(s), "").want(t, 200, `"groups":[{"$ref":"https://renkei.example/scim/v2/Groups/`+s.ward+`","display":"Ward","type":"direct","value":"`+s.ward+`"}]`)
			s.patch(user(s), `{"op":"remove","path":"groups"}`).wantError(t, 400, "mutability")
		}},
		{"7643 5", "ServiceProviderConfig", func(t *testing.T, s state) {
			s.call("GET", "/ServiceProviderConfig", "").want(t, 200, `"patch":{"supported":true}`, `"bulk":{"maxOperations":0`, `"filter":{"maxResults":200,"supported":true}`, `"etag":{"supported":true}`, `"sort":{"supported":false}`, `"authenticationSchemes":[{`)
		}},
		{"7643 6", "ResourceTypes, all and by id", func(t *testing.T, s state) {
			s.call("GET", "/ResourceTypes", "").want(t, 200, `"totalResults":2`, `"endpoint":"/Users"`, `"endpoint":"/Groups"`, `"schemaExtensions":[{"required":false,"schema":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"}]`)
			s.call("GET", "/ResourceTypes/Group", "").want(t, 200, `"id":"Group"`)
			s.call("GET", "/ResourceTypes/Robot", "").wantError(t, 404, "")
		}},
		{"7643 7", "Schemas, all and by URN, with the characteristics of attributes", func(t *testing.T, s state) {
			s.call("GET", "/Schemas", "").want(t, 200, `"totalResults":3`)
			s.call("GET", "/Schemas/"+scim.SchemaUser, "").want(t, 200, `"name":"userName","required":true,"returned":"default","type":"string","uniqueness":"server"`, `"mutability":"readOnly"`, `"subAttributes":[`, `"referenceTypes":["Group"]`)
			s.call("GET", "/Schemas/urn:x", "").wantError(t, 404, "")
		}},
		{"7644 2", "who has no valid credentials gets 401 and how to prove oneself", func(t *testing.T, s state) {
			for _, path := range []string{"/Users", user(s), "/Groups", "/Schemas", "/nothing"} {
				a := s.call("GET", path, "", "Authorization: Bearer nonsense")
				a.wantError(t, 401, "")
				if a.header.Get("WWW-Authenticate") != "Bearer" {
					t.Error(a.header)
				}
			}
		}},
		{"7644 3.1", "bodies may be application/scim+json or application/json; answers are application/scim+json in UTF-8", func(t *testing.T, s state) {
			s.call("POST", "/Users", `{"userName":"j","name":{"givenName":"J","familyName":"K"}}`, "Content-Type: application/json; charset=utf-8").want(t, 201)
			s.call("POST", "/Users", `{}`, "Content-Type: text/plain").wantError(t, 415, "")
			s.call("POST", "/Users", "{\"userName\":\"\xff\"}").wantError(t, 400, "invalidValue")
			if a := s.call("GET", user(s), ""); a.header.Get("Content-Type") != "application/scim+json" {
				t.Error(a.header)
			}
		}},
		{"7644 3.3", "POST answers 201 with Location, and ignores readOnly attributes", func(t *testing.T, s state) {
			a := s.call("POST", "/Users", `{"userName":"n","groups":[{"value":"`+s.ward+`"}],"userType":"robot","name":{"givenName":"N","familyName":"O"}}`).want(t, 201, `!"groups"`, `"userType":"staff"`)
			if id := a.json(t)["id"]; a.header.Get("Location") != fmt.Sprintf("https://renkei.example/scim/v2/Users/%v", id) || a.header.Get("ETag") == "" {
				t.Error(a.header)
			}
		}},
		{"7644 3.4.1", "GET of one, 404 for what is not there", func(t *testing.T, s state) {
			s.call("GET", user(s), "").want(t, 200, `"userName":"noah@example.com"`)
			for _, id := range []string{"999", "0", "-1", "x", "01", "+" + s.noah, "9999999999999999999999", s.noah + "%20"} {
				s.call("GET", "/Users/"+id, "").wantError(t, 404, "")
			}
			s.call("GET", "/Users/1/2", "").wantError(t, 404, "")
			s.call("GET", "/Robots", "").wantError(t, 404, "")
		}},
		{"7644 3.4.2", "a list says how many there are; none is no error", func(t *testing.T, s state) {
			s.call("GET", "/Users", "").want(t, 200, `"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"]`, `"totalResults":1`, `"itemsPerPage":1`, `"startIndex":1`, `"Resources":[{`)
			s.call("GET", "/Users?filter="+escape(`userName eq "x"`), "").want(t, 200, `"totalResults":0`, `"Resources":[]`)
		}},
		{"7644 3.4.2.2", "a filter that is not valid is invalidFilter", func(t *testing.T, s state) {
			s.call("GET", "/Users?filter=nothing", "").wantError(t, 400, "invalidFilter")
		}},
		{"7644 3.4.2.4", "startIndex from 1 and count; out of range is the nearest that is in it", func(t *testing.T, s state) {
			for i := range 4 {
				s.named(t, fmt.Sprintf("u%d", i))
			}
			var all []string
			for start := 1; start <= 5; start += 2 {
				a := s.call("GET", fmt.Sprintf("/Users?startIndex=%d&count=2", start), "").want(t, 200, `"totalResults":5`, fmt.Sprintf(`"startIndex":%d`, start)).json(t)
				list, _ := a["Resources"].([]any)
				for _, one := range list {
					o, _ := one.(object)
					all = append(all, fmt.Sprint(o["id"]))
				}
			}
			if len(all) != 5 || strings.Join(all, " ") != strings.Join(s.find(t, "/Users", "id pr"), " ") {
				t.Error(all)
			}
			s.call("GET", "/Users?startIndex=-7&count=1", "").want(t, 200, `"startIndex":1`, `"itemsPerPage":1`)
			s.call("GET", "/Users?count=0", "").want(t, 200, `"totalResults":5`, `"Resources":[]`)
			s.call("GET", "/Users?count=-1", "").want(t, 200, `"totalResults":5`, `"Resources":[]`)
			s.call("GET", "/Users?startIndex=99999999999999999999", "").want(t, 200, `"totalResults":5`, `"Resources":[]`)
			s.call("GET", "/Users?count=x", "").wantError(t, 400, "invalidValue")
			s.call("GET", "/Users?startIndex=2&count=1&filter="+escape(`userName sw "u"`), "").want(t, 200, `"totalResults":4`, `"userName":"u1"`, `!"userName":"u0"`)
		}},
		{"7644 3.4.2.5", "attributes and excludedAttributes; what is always returned always is", func(t *testing.T, s state) {
			s.call("GET", user(s)+"?attributes=userName,name.givenName,emails.value", "").want(t, 200, `{"emails":[{"value":"noah@example.com"}],"id":"`+s.noah+`","name":{"givenName":"Noah"},"schemas":[`, `!"meta"`)
			s.call("GET", "/Users?attributes=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber", "").want(t, 200, `"employeeNumber":"E1"`, `!costCenter`, `!userName`, `"id"`)
			s.call("GET", user(s)+"?excludedAttributes=id,schemas,name,emails.type,meta", "").want(t, 200, `"id"`, `"schemas"`, `!"name"`, `"emails":[{"primary":true,"value"`, `!"meta"`)
			s.call("GET", group(s)+"?excludedAttributes=members", "").want(t, 200, `!members`)
			s.call("GET", "/Groups?attributes=displayName", "").want(t, 200, `!members`, `"displayName":"Ward"`)
			s.call("POST", "/Users?attributes=userName", `{"userName":"p","name":{"givenName":"P","familyName":"Q"}}`).want(t, 201, `!givenName`, `"userName":"p"`)
		}},
		{"7644 3.4.3", "a search by POST", func(t *testing.T, s state) {
			body := fmt.Sprintf(`{"schemas":[%q],"filter":"userName sw \"NOAH\"","attributes":["userName"],"startIndex":1,"count":5}`, scim.SchemaSearch)
			s.call("POST", "/Users/.search", body).want(t, 200, `"totalResults":1`, `!givenName`)
			s.call("POST", "/Users/.search", `{}`).wantError(t, 400, "invalidSyntax")
			s.call("GET", "/Users/.search", "").wantError(t, 405, "")
			s.call("POST", "/.search", body).wantError(t, 501, "")
		}},
		{"7644 3.5.1", "PUT replaces what may be written and leaves readOnly attributes", func(t *testing.T, s state) {
			s.call("PUT", user(s), `{"id":"9","userName":"noah2","userType":"x","name":{"givenName":"N","familyName":"W"},"displayName":"N. W."}`).want(t, 200,
				`"id":"`+s.noah+`"`, `"userName":"noah2"`, `"displayName":"N. W."`, `"userType":"staff"`, `!externalId`, `!emails`, `!title`, `"groups"`, `"active":true`, `"employeeNumber":"E1"`)
			s.call("PUT", user(s), `{"userName":"noah2","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E5"}}`).want(t, 200, `"employeeNumber":"E5"`, `!costCenter`, `"familyName":"W"`)
			s.call("PUT", user(s), `{"name":{"givenName":"N"}}`).wantError(t, 400, "invalidValue")
			s.call("PUT", missing, noah).wantError(t, 404, "")
			s.call("PUT", group(s), `{"displayName":"Ward 2"}`).want(t, 200, `"displayName":"Ward 2"`, `!members`)
			s.call("PUT", group(s), `{}`).wantError(t, 400, "invalidValue")
		}},
		{"7644 3.5.2", "PATCH needs its schema and operations that it knows; nothing happens unless all do", func(t *testing.T, s state) {
			s.call("PATCH", user(s), `{"Operations":[{"op":"replace","path":"title","value":"x"}]}`).wantError(t, 400, "invalidSyntax")
			s.patch(user(s), ``).wantError(t, 400, "invalidSyntax")
			s.patch(user(s), `{"op":"move","path":"title","value":"x"}`).wantError(t, 400, "invalidSyntax")
			s.patch(user(s), `{"op":"replace","path":"title","value":"Gone"},{"op":"replace","path":"nothing","value":"x"}`).wantError(t, 400, "invalidPath")
			s.call("GET", user(s), "").want(t, 200, `"title":"Nurse"`)
			s.patch(missing, `{"op":"replace","path":"title","value":"x"}`).wantError(t, 404, "")
		}},
		{"7644 3.5.2.1", "add: sets one value, joins lists and objects, and changes nothing that is there", func(t *testing.T, s state) {
			before := s.call("GET", user(s), "").header.Get("ETag")
			if after := s.patch(user(s), `{"op":"add","path":"title","value":"Nurse"},{"op":"add","value":{"active":true}}`).want(t, 200).header.Get("ETag"); after != before {
				t.Errorf("%s became %s", before, after)
			}
			s.patch(user(s), `{"op":"add","value":{"title":"Sister","name":{"givenName":"Noe"}}}`).want(t, 200, `"title":"Sister"`, `"givenName":"Noe"`, `"familyName":"Weber"`)
			s.patch(group(s), `{"op":"add","path":"members","value":[{"value":"`+s.noah+`"},{"value":"`+s.named(t, "second")+`"}]}`).want(t, 200)
			if members, _ := s.call("GET", group(s), "").json(t)["members"].([]any); len(members) != 2 {
				t.Error(members)
			}
		}},
		{"7644 3.5.2.2", "remove: needs a path; with a filter only what it selects", func(t *testing.T, s state) {
			s.patch(user(s), `{"op":"remove"}`).wantError(t, 400, "noTarget")
			s.patch(user(s), `{"op":"remove","path":"phoneNumbers"},{"op":"remove","path":"emails[type eq \"home\"]"}`).want(t, 200, `!phoneNumbers`, `"emails"`)
			s.patch(user(s), `{"op":"remove","path":"emails[type eq \"work\"]"}`).want(t, 200, `!emails`)
			s.patch(user(s), `{"op":"remove","path":"userName"}`).wantError(t, 400, "invalidValue")
			s.patch(user(s), `{"op":"remove","path":"name.givenName"}`).wantError(t, 400, "invalidValue")
			s.patch(user(s), `{"op":"remove","path":"id"}`).wantError(t, 400, "mutability")
		}},
		{"7644 3.5.2.3", "replace: at a filter that matches, of a part, of a whole list", func(t *testing.T, s state) {
			s.patch(user(s), `{"op":"replace","path":"emails[type eq \"work\"].value","value":"w@example.com"}`).want(t, 200, `"value":"w@example.com"`)
			s.patch(user(s), `{"op":"replace","path":"emails","value":[{"value":"x@example.com"}]}`).want(t, 200, `"value":"x@example.com"`)
			s.patch(user(s), `{"op":"replace","path":"emails[value sw \"zz\"].value","value":"y@example.com"}`).wantError(t, 400, "noTarget")
			s.patch(user(s), `{"op":"replace","path":"meta.created","value":"2020-01-01T00:00:00Z"}`).wantError(t, 400, "mutability")
			s.patch(user(s), `{"op":"replace","path":"emails[type eq","value":"x"}`).wantError(t, 400, "invalidPath")
			s.patch(user(s), `{"op":"replace","path":"emails[type xx \"a\"]","value":"x"}`).wantError(t, 400, "invalidFilter")
			s.patch(user(s), `{"op":"replace","path":"active","value":"perhaps"}`).wantError(t, 400, "invalidValue")
			s.patch(group(s), `{"op":"replace","path":"members","value":[{"value":"`+s.named(t, "third")+`"}]}`).want(t, 200, `!"value":"`+s.noah+`"`, `"members"`)
		}},
		{"7644 3.6", "DELETE answers 204; what is deleted is 404, in no list, and in nobody's way", func(t *testing.T, s state) {
			if a := s.call("DELETE", user(s), ""); a.status != 204 || a.body != "" {
				t.Errorf("%d %s", a.status, a.body)
			}
			for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
				body := map[string]string{"PUT": noah, "PATCH": fmt.Sprintf(`{"schemas":[%q],"Operations":[{"op":"remove","path":"title"}]}`, scim.SchemaPatch)}[method]
				s.call(method, user(s), body).wantError(t, 404, "")
			}
			s.call("GET", "/Users", "").want(t, 200, `"totalResults":0`)
			s.call("GET", group(s), "").want(t, 200, `!members`)
			if found := s.find(t, "/Users", `userName eq "noah@example.com"`); len(found) != 0 {
				t.Error(found)
			}
			s.call("POST", "/Users", noah).want(t, 201)
			s.call("DELETE", group(s), "").want(t, 204)
			s.call("GET", group(s), "").wantError(t, 404, "")
			s.call("GET", "/Groups", "").want(t, 200, `"totalResults":0`)
		}},
		{"7644 3.7, 3.11", "what is not supported is 501", func(t *testing.T, s state) {
			s.call("POST", "/Bulk", `{}`).wantError(t, 501, "")
			s.call("GET", "/Me", "").wantError(t, 501, "")
		}},
		{"7644 3.14", "ETag, If-None-Match and If-Match", func(t *testing.T, s state) {
			for _, path := range []string{user(s), group(s)} {
				tag := s.call("GET", path, "").header.Get("ETag")
				if a := s.call("GET", path, "", "If-None-Match: "+tag); a.status != 304 || a.body != "" || a.header.Get("ETag") != tag {
					t.Errorf("%d %s", a.status, a.body)
				}
				operation := `{"op":"replace","path":"externalId","value":"changed"}`
				s.patch(path, operation, `If-Match: W/"0"`).wantError(t, 412, "")
				if now := s.patch(path, operation, "If-Match: "+tag).want(t, 200).header.Get("ETag"); now == tag {
					t.Error("the tag stayed")
				}
				s.call("GET", path, "", "If-None-Match: "+tag).want(t, 200)
				s.call("DELETE", path, "", "If-Match: "+tag).wantError(t, 412, "")
				s.call("DELETE", path, "", "If-Match: *").want(t, 204)
			}
			ward := "/Groups/" + fmt.Sprint(s.call("POST", "/Groups", `{"displayName":"Other"}`).json(t)["id"])
			tag := s.call("GET", ward, "").header.Get("ETag")
			s.patch(ward, `{"op":"add","path":"members","value":[{"value":"`+s.named(t, "m")+`"}]}`).want(t, 200)
			s.call("PUT", ward, `{"displayName":"Other"}`, "If-Match: "+tag).wantError(t, 412, "")
		}},
		{"7644 4", "what is the same for all cannot be filtered or changed", func(t *testing.T, s state) {
			s.call("GET", "/Schemas?filter=id+pr", "").wantError(t, 403, "")
			s.call("POST", "/Schemas", `{}`).wantError(t, 405, "")
			s.call("PUT", "/Users", `{}`).wantError(t, 405, "")
			s.call("POST", user(s), `{}`).wantError(t, 405, "")
		}},
	} {
		t.Run(requirement.section, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				s := state{rig: r, noah: r.create(t, noah)}
				s.ward = fmt.Sprint(r.call("POST", "/Groups", `{"displayName":"Ward","members":[{"value":"`+s.noah+`"}]}`).want(t, 201).json(t)["id"])
				requirement.check(t, s)
				if t.Failed() {
					t.Log(requirement.text)
				}
			})
		})
	}
}
