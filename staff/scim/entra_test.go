package scim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/scim"
	"github.com/renkei-go/renkei/staff/staffbun"
)

// TestEntra: what Microsoft Entra's provisioning service really sends, in the order of a first and later cycles.
func TestEntra(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		// The test of a connection: a user who cannot be there.
		if found := r.find(t, "/Users", `userName eq "4b6c1d1e-0000-0000-0000-7f0e3a1c7a55"`); len(found) != 0 {
			t.Error(found)
		}
		r.call("GET", "/Users?aadOptscim062020&filter="+escape(`externalId eq "x"`), "").want(t, 200, `"totalResults":0`)
		id := r.create(t, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"externalId":"noah","userName":"noah@example.com","active":true,"displayName":"Noah Weber","emails":[{"primary":true,"type":"work","value":"noah@example.com"}],
			"meta":{"resourceType":"User"},"name":{"formatted":"Noah Weber","familyName":"Weber","givenName":"Noah"},"roles":[],"title":null,
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department":"Sales","addresses":[{"type":"work","country":"JP"}]}`)
		boss := r.named(t, "boss")
		user := "/Users/" + id
		for _, step := range []struct {
			operations string
			want       []string
		}{
			{`{"op":"Replace","path":"active","value":"False"}`, []string{`"active":false`}},
			{`{"op":"Replace","path":"active","value":"True"}`, []string{`"active":true`}},
			{`{"op":"Add","path":"title","value":"Nurse"}`, []string{`"title":"Nurse"`}},
			{`{"op":"Add","path":"phoneNumbers[type eq \"work\"].value","value":"+81 3"}`, []string{`"phoneNumbers":[{"primary":true,"type":"work","value":"+81 3"}]`}},
			{`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"nw@example.com"}`, []string{`"value":"nw@example.com"`}},
			{`{"op":"Remove","path":"emails[type eq \"work\"].value"}`, []string{`!emails`}},
			{`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"nw2@example.com"}`, []string{`"value":"nw2@example.com"`}},
			{`{"op":"Replace","value":{"displayName":"N. Weber","name.givenName":"Noe","emails[type eq \"work\"].value":"nw3@example.com","addresses[type eq \"work\"].country":"JP","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber":"E7"}}`, []string{`"displayName":"N. Weber"`, `"givenName":"Noe"`, `"employeeNumber":"E7"`, `"value":"nw3@example.com"`}},
			{`{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":"` + boss + `"}`, []string{`"manager":{"$ref":"https://renkei.example/scim/v2/Users/` + boss + `","value":"` + boss + `"}`}},
			{`{"op":"Add","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager","value":[{"$ref":"x","value":"` + boss + `"}]}`, nil},
			{`{"op":"Replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value","value":"` + boss + `"}`, []string{`"manager"`}},
			{`{"op":"Remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"}`, []string{`!manager`}},
			{`{"op":"Add","value":{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E8","organization":"x"},"nickName":"y"}}`, []string{`"employeeNumber":"E8"`}},
			{`{"op":"Replace","path":"userName","value":"noah.weber@example.com"}`, []string{`"userName":"noah.weber@example.com"`}},
		} {
			if a := r.patch(user, step.operations); step.want == nil {
				a.wantError(t, 400, "invalidValue")
			} else {
				a.want(t, 200, step.want...)
			}
		}
		if p := r.person(t, id); p.FirstName != "Noe" || p.EmployeeReference != "E8" || p.Email != "nw3@example.com" || p.UserID != "noah" || !p.Active {
			t.Errorf("%+v", p)
		}
		// Groups: made empty, then filled, in as many ways as there are.
		group := "/Groups/" + fmt.Sprint(r.call("POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],"externalId":"8aa1a0c0","displayName":"Sales","meta":{"resourceType":"Group"}}`).want(t, 201).json(t)["id"])
		members := func() string {
			var all []string
			list, _ := r.call("GET", group, "").json(t)["members"].([]any)
			for _, one := range list {
				o, _ := one.(object)
				all = append(all, fmt.Sprint(o["value"]))
			}
			return strings.Join(all, " ")
		}
		for _, step := range []struct{ operations, want string }{
			{`{"op":"Add","path":"members","value":[{"value":"` + id + `"}]}`, id},
			{`{"op":"Add","path":"members","value":[{"value":"` + id + `"},{"value":"` + boss + `"}]}`, id + " " + boss},
			{`{"op":"Remove","path":"members","value":[{"value":"` + id + `"}]}`, boss},
			{`{"op":"Remove","path":"members","value":[]}`, boss},
			{`{"op":"Add","path":"members","value":{"value":"` + id + `"}}`, id + " " + boss},
			{`{"op":"Remove","path":"members[value eq \"` + boss + `\"]"}`, id},
			{`{"op":"Remove","path":"members[value eq \"999\"]"}`, id},
			{`{"op":"Add","value":{"members":[{"value":"` + boss + `"}],"displayName":"Sales 2"}}`, id + " " + boss},
			{`{"op":"Remove","path":"members[value eq \"` + boss + `\" or value eq \"7\"]"}`, id},
			{`{"op":"Remove","path":"members[value eq \"` + id + `\"]"},{"op":"Add","path":"members","value":"` + boss + `"}`, boss},
			{`{"op":"Replace","path":"displayName","value":"Sales 3"}`, boss},
			{`{"op":"Replace","path":"members","value":[]}`, ""},
		} {
			r.patch(group, step.operations).want(t, 200)
			if got := members(); got != step.want {
				t.Errorf("after %s: members %s, want %s", step.operations, got, step.want)
			}
		}
		r.patch(group, `{"op":"Add","path":"members","value":[{"value":"`+id+`"}]}`).want(t, 200)
		for _, nobody := range []string{
			`{"op":"Remove","path":"members"}`, `{"op":"Replace","path":"members"}`, `{"op":"Replace","path":"members","value":null}`, `{"op":"Replace","value":{"members":null}}`,
		} {
			r.patch(group, nobody).wantError(t, 400, "noTarget")
		}
		r.patch(group, `{"op":"Add","path":"members","value":[{"value":"999"}]}`).wantError(t, 400, "invalidValue")
		r.patch(group, `{"op":"Add","path":"members","value":[{"value":"x"}]}`).wantError(t, 400, "invalidValue")
		r.patch(group, `{"op":"Replace","path":"members[value eq \"`+id+`\"].value","value":"1"}`).wantError(t, 400, "invalidPath")
		if got := members(); got != id {
			t.Errorf("members %s", got)
		}
		if found := r.find(t, "/Groups", `displayName eq "sales 3"`); len(found) != 1 {
			t.Error(found)
		}
	})
}

// TestDirectory: what a client does is done in staff, told to everybody there, and written down.
func TestDirectory(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		id := r.create(t, noah)
		p := r.person(t, id)
		if p.FirstName != "Noah" || p.LastName != "Weber" || p.Name != "Noah Weber" || p.Email != "noah@example.com" || p.JobTitle != "Nurse" ||
			p.EmployeeReference != "E1" || p.CostCentre != "CC-1" || p.Phone != "+81 3 0000 0000" || !p.Active || p.UserID != "noah" {
			t.Errorf("%+v", p)
		}
		ward := fmt.Sprint(r.call("POST", "/Groups", `{"displayName":"Ward","members":[{"value":"`+id+`"}]}`).want(t, 201).json(t)["id"])
		r.patch("/Users/"+id, `{"op":"replace","path":"title","value":"Sister"}`).want(t, 200)
		r.patch("/Groups/"+ward, `{"op":"remove","path":"members[value eq \"`+id+`\"]"}`).want(t, 200)
		r.call("DELETE", "/Users/"+id, "").want(t, 204)
		if p := r.person(t, id); p.Active || p.FirstName != "Noah" || p.EmployeeReference != "E1" {
			t.Errorf("deleted: %+v", p)
		}
		want := []string{staff.EventCreated, staff.EventUnitCreated, staff.EventAssigned, staff.EventUpdated, staff.EventRemoved, staff.EventDeactivated}
		if got := r.changes(t); !slices.Equal(got, want) || !slices.Equal(r.events.types, want) {
			t.Errorf("the change log has %v, published was %v", got, r.events.types)
		}
		// A rehire is the same person again, whichever name they are known by; what is not said stays.
		again := r.create(t, `{"userName":"noah.w","name":{"givenName":"Noah","familyName":"Weber"},"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E1"}}`)
		if p := r.person(t, again); again != id || !p.Active || p.JobTitle != "Sister" || p.Email != "noah@example.com" {
			t.Errorf("rehired as %s: %+v", again, p)
		}
		entries, err := r.trail.List(t.Context(), "1", audit.Filter{TargetID: id, ActorID: "key:1"}, page.Request{Limit: page.MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		var acts []string
		for _, e := range entries.Items {
			if e.TargetKind != staff.KindPerson {
				continue
			}
			acts = append(acts, e.ActorID+" "+e.Action)
		}
		slices.Sort(acts)
		key := "key:1 "
		wantActs := []string{key + staff.ActionAssign, key + staff.ActionCreate, key + staff.ActionUnassign, key + scim.ActionLink, key + scim.ActionLink, key + scim.ActionLink, key + staff.ActionUpdate, key + staff.ActionUpdate, key + staff.ActionUpdate}
		slices.Sort(wantActs)
		if !slices.Equal(acts, wantActs) {
			t.Errorf("the audit trail has %v, want %v", acts, wantActs)
		}
		systems, err := r.staff.ExternalSystems(t.Context(), admin, page.Request{})
		if err != nil || len(systems.Items) != 1 || systems.Items[0].Name != "entra" || systems.Items[0].Status != staff.SyncActive {
			t.Errorf("external systems: %+v, %v", systems.Items, err)
		}
	})
}

// TestErasure: what clients said of a person is disclosed to them, and goes when they are erased.
func TestErasure(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		id := r.create(t, noah)
		p := r.person(t, id)
		d, err := r.staff.Disclose(t.Context(), admin, p.ID)
		if err != nil || !strings.Contains(fmt.Sprint(d.Elsewhere), "e-1") {
			t.Errorf("%v, %v", d.Elsewhere, err)
		}
		if err := r.staff.Erase(t.Context(), admin, p.ID); err != nil {
			t.Fatal(err)
		}
		r.call("GET", "/Users/"+id, "").wantError(t, 404, "")
		r.call("GET", "/Users", "").want(t, 200, `"totalResults":0`)
		if again := r.create(t, noah); again == id {
			t.Error("an erased person is back")
		}
	})
}

// TestPermissions: a key needs the scope, sees and filters by the fields of its groups alone, and changes nothing that
// staff keeps for itself.
func TestPermissions(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Migration{auditbun.Migrations, staffbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, nil)
		id := r.create(t, noah)
		full := r.key
		for _, scopes := range [][]staff.Scope{{staff.ScopeRead, staff.ScopeWrite, staff.ScopeExports, staff.ScopeSync}} {
			r.key = r.newKey(t, "other", scopes)
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				for _, path := range []string{"/Users", "/Users/" + id, "/Groups", "/Schemas", "/ServiceProviderConfig"} {
					r.call(method, path, "").wantError(t, 403, "")
				}
			}
		}
		r.key = "demo-alice"
		r.call("GET", "/Users", "").wantError(t, 403, "")

		r.key = r.newKey(t, "narrow", []staff.Scope{staff.ScopeSCIM}, staff.Basic)
		for _, path := range []string{"/Users/" + id, "/Users", "/Schemas"} {
			r.call("GET", path, "").want(t, 200, "!CC-1", "!E1", "!Nurse", "!noah@example.com\",\"type", "!+81", "!costCenter", "!emails", "!employeeNumber")
		}
		for _, filter := range []string{`title eq "Nurse"`, `emails eq "noah@example.com"`, enterprise + `:costCenter pr`, enterprise + `:employeeNumber eq "E1"`, `groups pr`} {
			r.call("GET", "/Users?filter="+escape(filter), "").wantError(t, 400, "invalidFilter")
		}
		r.patch("/Users/"+id, `{"op":"replace","path":"title","value":"x"}`).wantError(t, 403, "")
		r.patch("/Users/"+id, `{"op":"replace","value":{"emails":[{"value":"x@example.com"}]}}`).wantError(t, 403, "")
		r.patch("/Users/"+id, `{"op":"remove","path":"`+enterprise+`:costCenter"}`).wantError(t, 403, "")
		r.call("PUT", "/Users/"+id, noah).wantError(t, 403, "")
		r.call("GET", "/Groups", "").wantError(t, 403, "")
		r.call("PUT", "/Users/"+id, `{"userName":"noah@example.com","name":{"givenName":"Noah","familyName":"Winter"}}`).want(t, 200)
		if p := r.person(t, id); p.LastName != "Winter" || p.CostCentre != "CC-1" || p.Email != "noah@example.com" || p.JobTitle != "Nurse" {
			t.Errorf("what the key does not see has changed: %+v", p)
		}
		r.key = full
		r.call("GET", "/Users/"+id, "").want(t, 200, "CC-1")
	})
}

// TestTooManyDeactivations: a client that goes wrong is stopped, by whatever way it deactivates; what stopped it is in the
// audit trail.
func TestTooManyDeactivations(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		var ids []string
		for i := range 12 {
			ids = append(ids, "/Users/"+r.named(t, fmt.Sprintf("u%d", i)))
		}
		off := `{"op":"Replace","path":"active","value":"False"}`
		for i, id := range ids[:5] {
			if i%2 == 0 {
				r.call("DELETE", id, "").want(t, 204)
			} else {
				r.patch(id, off).want(t, 200)
			}
		}
		r.patch(ids[5], off).wantError(t, 403, "too_many_deactivations")
		r.call("DELETE", ids[6], "").wantError(t, 403, "too_many_deactivations")
		r.call("PUT", ids[7], `{"userName":"u7","active":false}`).wantError(t, 403, "too_many_deactivations")
		r.patch(ids[5], `{"op":"replace","path":"title","value":"x"}`).want(t, 200, `"active":true`)
		r.call("GET", "/Users?filter=active%20eq%20true", "").want(t, 200, `"totalResults":7`)
		cut, err := r.trail.List(t.Context(), "1", audit.Filter{Action: staff.ActionKeyStop}, page.Request{})
		if err != nil || len(cut.Items) != 3 || cut.Items[0].Reason != "too_many_deactivations" {
			t.Errorf("audit: %+v, %v", cut.Items, err)
		}
		if _, err := r.staff.AllowDeactivations(t.Context(), admin, 1, 1, time.Time{}); err != nil {
			t.Fatal(err)
		}
		r.call("DELETE", ids[6], "").want(t, 204)
		r.patch(ids[5], off).wantError(t, 403, "too_many_deactivations")
	})
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// TestReadOnly: fields that staff owns are readOnly in the schemas, ignored in bodies and refused as paths.
func TestReadOnly(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, auditbun.Migrations, staffbun.Migrations), func(c *scim.Config) {
		c.ReadOnly = []string{"job_title", "employee_reference", "is_active", staff.FieldUnits}
	})
	id := r.create(t, noah)
	if p := r.person(t, id); p.JobTitle != "" || p.EmployeeReference != "" || p.Email == "" {
		t.Errorf("%+v", p)
	}
	r.call("GET", "/Schemas/"+scim.SchemaUser, "").want(t, 200, `"multiValued":false,"mutability":"readOnly","name":"title"`)
	r.patch("/Users/"+id, `{"op":"replace","path":"title","value":"x"}`).wantError(t, 400, "mutability")
	r.patch("/Users/"+id, `{"op":"replace","path":"active","value":false}`).wantError(t, 400, "mutability")
	r.patch("/Users/"+id, `{"op":"replace","value":{"title":"x","phoneNumbers":"+1"}}`).want(t, 200, `!"title"`, `"+1"`)
	r.call("DELETE", "/Users/"+id, "").wantError(t, 400, "mutability")
	r.call("POST", "/Groups", `{"displayName":"x"}`).wantError(t, 403, "")
	name := "Ward"
	u, err := r.staff.CreateUnit(t.Context(), admin, staff.UnitEdit{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	group := fmt.Sprintf("/Groups/%d", u.ID)
	r.call("PUT", group, `{"displayName":"x"}`).wantError(t, 403, "")
	r.call("DELETE", group, "").wantError(t, 403, "")
	r.patch(group, `{"op":"add","path":"members","value":[{"value":"`+id+`"}]}`).wantError(t, 400, "mutability")
	r.patch(group, `{"op":"replace","path":"displayName","value":"x"}`).wantError(t, 400, "mutability")
	r.patch(group, `{"op":"add","value":{"externalId":"g-1","displayName":"x","members":[{"value":"`+id+`"}]}}`).want(t, 200, `"displayName":"Ward"`, `"externalId":"g-1"`, "!members")
}

// TestLimits: a filter without an index and a change of members have bounds.
func TestLimits(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, auditbun.Migrations, staffbun.Migrations), func(c *scim.Config) { c.MostScanned, c.MostMembers = 2, 2 })
	var members []string
	for i := range 3 {
		members = append(members, `{"value":"`+r.named(t, fmt.Sprintf("u%d", i))+`"}`)
	}
	r.call("GET", "/Users?filter="+escape(`displayName co "u"`), "").wantError(t, 400, "tooMany")
	if found := r.find(t, "/Users", `userName eq "u1" and displayName co "u"`); len(found) != 1 {
		t.Error(found)
	}
	r.call("POST", "/Groups", `{"displayName":"x","members":[`+strings.Join(members, ",")+`]}`).wantError(t, 400, "tooMany")
	r.call("GET", "/Groups", "").want(t, 200, `"totalResults":0`)
	many := strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"title","value":"x"},`, 1001), ",")
	r.patch("/Users/1", many).wantError(t, 400, "tooMany")
	r.call("POST", "/Users", `{"userName":"`+strings.Repeat("x", 1<<20)+`"}`).wantError(t, 413, "")
	r.call("POST", "/Users", `{"userName":"`+strings.Repeat("x", 300)+`","name":{"givenName":"A","familyName":"B"}}`).wantError(t, 400, "invalidValue")
}
