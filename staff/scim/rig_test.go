package scim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/scim"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/staff/staffhttp"
	"github.com/renkei-go/renkei/transport"
)

type object = map[string]any

var admin = identity.Principal{Tenant: "1", Actor: "admin", Roles: []string{"admin"}}

// events are what was published.
type events struct{ types []string }

func (e *events) Publish(_ context.Context, all ...transport.Event) error {
	for _, ev := range all {
		e.types = append(e.types, ev.Type)
	}
	return nil
}

// rig is a SCIM server on a directory, as one API key sees it.
type rig struct {
	staff  *staff.Service
	trail  *auditbun.Store
	events *events
	server http.Handler
	key    string
}

func newRig(t *testing.T, db *sqldb.DB, change func(*scim.Config)) *rig {
	t.Helper()
	store, trail := staffbun.New(db), auditbun.New(db)
	r := &rig{trail: trail, events: &events{}}
	var err error
	r.staff, err = staff.New(staff.Config{
		Store: store, Audit: trail, Outbox: r.events, Now: db.Clock, Keepers: map[string]staff.Keeper{"scim": scim.Keeper(store)},
		UserIDs: func(_ identity.TenantID, p staff.Person) string {
			local, domain, _ := strings.Cut(identity.NormalEmail(p.Email), "@")
			if domain != "example.com" {
				return ""
			}
			return local
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := scim.Config{
		Staff: r.staff, Store: store, Audit: trail, URL: "https://renkei.example", Now: db.Clock,
		Authenticate: web.AnyOf(staffhttp.Keys(r.staff), web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
			if token != "demo-alice" {
				return identity.Principal{}, web.ErrUnauthenticated
			}
			return identity.Principal{Tenant: "1", Actor: "alice"}, nil
		})),
	}
	if change != nil {
		change(&cfg)
	}
	if r.server, err = scim.New(cfg); err != nil {
		t.Fatal(err)
	}
	r.key = r.newKey(t, "entra", []staff.Scope{staff.ScopeSCIM})
	return r
}

func (r *rig) newKey(t *testing.T, name string, scopes []staff.Scope, groups ...staff.Group) string {
	t.Helper()
	if len(groups) == 0 {
		groups = staff.AllGroups()
	}
	_, plain, err := r.staff.CreateKey(t.Context(), admin, staff.NewKey{Name: name, Scopes: scopes, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	return plain.Reveal()
}

// each runs f on both databases with a key that reads every field.
func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, []sqldb.Migration{auditbun.Migrations, staffbun.Migrations}, func(t *testing.T, db *sqldb.DB) { f(t, newRig(t, db, nil)) })
}

type answer struct {
	status int
	header http.Header
	body   string
}

// call sends a request; headers are lines such as "If-Match: *".
func (r *rig) call(method, path, body string, headers ...string) answer {
	req := httptest.NewRequestWithContext(context.Background(), method, scim.Root+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+r.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.server.ServeHTTP(w, req)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func (a answer) json(t *testing.T) object {
	t.Helper()
	var v object
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

// want checks the status and that the body has the parts; a part that begins with "!" must not be there.
func (a answer) want(t *testing.T, status int, parts ...string) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("%d %s, want %d", a.status, a.body, status)
	}
	for _, part := range parts {
		absent, not := strings.CutPrefix(part, "!")
		if strings.Contains(a.body, absent) == not {
			t.Errorf("%s: want %s", a.body, part)
		}
	}
	return a
}

// wantError checks that an answer is an error in the form of RFC 7644 section 3.12.
func (a answer) wantError(t *testing.T, status int, scimType string) {
	t.Helper()
	var e struct {
		Schemas          []string
		Status, ScimType string
		Detail           string
	}
	err := json.Unmarshal([]byte(a.body), &e)
	if err != nil || a.status != status || e.Status != fmt.Sprint(status) || e.ScimType != scimType || e.Detail == "" ||
		!slices.Equal(e.Schemas, []string{scim.SchemaError}) || a.header.Get("Content-Type") != "application/scim+json" {
		t.Errorf("%d %v %s, want %d %s", a.status, a.header, a.body, status, scimType)
	}
}

const noah = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
	"userName":"noah@example.com","externalId":"e-1","name":{"givenName":"Noah","familyName":"Weber"},"title":"Nurse","active":true,
	"emails":[{"value":"noah.private@example.net","type":"home"},{"value":"Noah@example.com","type":"work","primary":true}],
	"phoneNumbers":[{"value":"+81 3 0000 0000","type":"work"}],"nickName":"No","password":"hunter2!",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E1","costCenter":"CC-1","organization":"x"}}`

// create adds a user and returns the id.
func (r *rig) create(t *testing.T, body string) string {
	t.Helper()
	id, _ := r.call("POST", "/Users", body).want(t, 201).json(t)["id"].(string)
	return id
}

// named adds a user with a name only.
func (r *rig) named(t *testing.T, name string) string {
	t.Helper()
	return r.create(t, fmt.Sprintf(`{"schemas":[%q],"userName":%q,"name":{"givenName":%[2]q,"familyName":"Doe"}}`, scim.SchemaUser, name))
}

// patch sends operations.
func (r *rig) patch(path, operations string, headers ...string) answer {
	return r.call("PATCH", path, fmt.Sprintf(`{"schemas":[%q],"Operations":[%s]}`, scim.SchemaPatch, operations), headers...)
}

// find returns the ids that a filter selects.
func (r *rig) find(t *testing.T, kind, filter string) []string {
	t.Helper()
	list := r.call("GET", kind+"?filter="+strings.ReplaceAll(escape(filter), "+", "%20"), "").want(t, 200).json(t)
	ids := []string{}
	resources, _ := list["Resources"].([]any)
	for _, one := range resources {
		o, _ := one.(object)
		id, _ := o["id"].(string)
		ids = append(ids, id)
	}
	if total, _ := list["totalResults"].(float64); int(total) != len(ids) {
		t.Errorf("%s: totalResults %v of %v", filter, total, ids)
	}
	return ids
}

// person returns the person with an id as staff has them.
func (r *rig) person(t *testing.T, id string) staff.Person {
	t.Helper()
	var n int64
	_, _ = fmt.Sscan(id, &n)
	v, err := r.staff.Get(t.Context(), admin, n)
	if err != nil {
		t.Fatal(err)
	}
	return v.Person
}

// changes are the events in the change log.
func (r *rig) changes(t *testing.T) []string {
	t.Helper()
	feed, err := r.staff.Changes(t.Context(), admin, page.Request{Limit: page.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range feed.Items {
		all = append(all, c.Event)
	}
	return all
}
