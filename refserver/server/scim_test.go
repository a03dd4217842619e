package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/refserver/server"
	"github.com/renkei-go/renkei/staff"
)

// TestSCIM: an identity provider with an API key adds somebody, who can then sign in, and deactivates them, who then cannot.
func TestSCIM(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		var key struct{ Key string }
		r.call(t, "admin", http.MethodPost, "/api/api-keys", object{
			"name": "entra", "scopes": []string{"scim"}, "field_groups": []string{"work", "contact"}, "system_type": "entra",
		}).decode(t, &key)
		bearer := "Authorization: Bearer " + key.Key
		scim := func(method, path, body string, status int, part string) string {
			t.Helper()
			a := r.call(t, "", method, "/scim/v2"+path, body, bearer, "Content-Type: application/scim+json")
			if a.status != status || !strings.Contains(string(a.body), part) {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
			return string(a.body)
		}
		scim(http.MethodGet, `/Users?filter=userName%20eq%20%22noah@example.com%22`, "", http.StatusOK, `"totalResults":0`)
		made := scim(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"noah@example.com",
			"name":{"givenName":"Noah","familyName":"Weber"},"emails":[{"value":"noah@example.com","type":"work","primary":true}]}`, http.StatusCreated, `"location":"http://127.0.0.1:`)
		_, id, _ := strings.Cut(made, `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		if a := r.call(t, "noah", http.MethodGet, "/resources", nil); a.status != http.StatusOK {
			t.Errorf("noah cannot sign in: %d %s", a.status, a.body)
		}
		scim(http.MethodPost, "/Groups", `{"displayName":"Night Team","members":[{"value":"`+id+`"}]}`, http.StatusCreated, `"members":[{`)
		scim(http.MethodPatch, "/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`, http.StatusOK, `"active":false`)
		if a := r.call(t, "noah", http.MethodGet, "/resources", nil); a.status != http.StatusUnauthorized {
			t.Errorf("noah can still sign in: %d %s", a.status, a.body)
		}
		// Demo people are there under their user ids; what a key was not given it does not see.
		alice := scim(http.MethodGet, `/Users?filter=userName%20eq%20%22alice%22`, "", http.StatusOK, `"title":"Support Worker"`)
		if strings.Contains(alice, "costCenter") {
			t.Errorf("a payroll field: %s", alice)
		}
		if a := r.call(t, "alice", http.MethodGet, "/scim/v2/Users", nil); a.status != http.StatusForbidden {
			t.Errorf("an employee: %d %s", a.status, a.body)
		}
		if a := r.call(t, "admin", http.MethodGet, "/api/external-systems", nil); !strings.Contains(string(a.body), `"system_name":"entra"`) {
			t.Errorf("the synchronisation is not noted: %s", a.body)
		}
	})
}

// TestSCIMGuard: a client that deactivates many is stopped, which the administrator reads and may let go on.
func TestSCIMGuard(t *testing.T) {
	config := func(*testing.T) server.Config {
		return server.Config{Guard: staff.Deactivations{Count: 2, Share: 0.01, Window: time.Hour}}
	}
	eachWith(t, config, func(t *testing.T, r rig) {
		bearer := r.apiKey(t, object{"name": "entra", "scopes": []string{"scim", "staff:write"}})
		off := func(id int, status int) string {
			t.Helper()
			a := r.call(t, "", http.MethodDelete, fmt.Sprintf("/scim/v2/Users/%d", id), nil, bearer)
			if a.status != status {
				t.Errorf("%d: %d %s", id, a.status, a.body)
			}
			return string(a.body)
		}
		off(6, http.StatusNoContent)
		off(7, http.StatusNoContent)
		if body := off(8, http.StatusForbidden); !strings.Contains(body, `"scimType":"too_many_deactivations"`) {
			t.Error(body)
		}
		a := r.call(t, "", http.MethodPatch, "/api/staff/people/8", object{"is_active": false}, bearer, "If-Match: *")
		if a.status != http.StatusForbidden || !strings.Contains(string(a.body), "too_many_deactivations") {
			t.Errorf("%d %s", a.status, a.body)
		}
		var told struct{ Items []object }
		await(t, t.Context(), func() bool {
			r.call(t, "admin", http.MethodGet, "/notices?template=staff.key_stopped&state=sent", nil).decode(t, &told)
			return len(told.Items) > 0
		})
		if a := r.call(t, "admin", http.MethodGet, "/audit?action=STOP_API_KEY", nil); strings.Count(string(a.body), `"action":"STOP_API_KEY"`) != 2 {
			t.Errorf("audit %s", a.body)
		}
		path := "/api/api-keys/1/deactivations"
		for user, status := range map[string]int{"hr": http.StatusForbidden, "admin": http.StatusOK} {
			if a := r.call(t, user, http.MethodPost, path, object{"people": 1}); a.status != status {
				t.Errorf("%s: %d %s", user, a.status, a.body)
			}
		}
		off(8, http.StatusNoContent)
		off(5, http.StatusForbidden)
	})
}
