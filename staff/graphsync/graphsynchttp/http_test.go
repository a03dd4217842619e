package graphsynchttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphsyncbun"
	"github.com/renkei-go/renkei/staff/graphsync/graphsynchttp"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
	"github.com/renkei-go/renkei/staff/staffbun"
)

var migrations = []sqldb.Migration{auditbun.Migrations, staffbun.Migrations, graphsyncbun.Migrations}

// rig is the synchronisation behind HTTP. Tokens are a user and role, or "key" and field groups with the scope for it.
type rig struct {
	staff   *staff.Service
	sync    *graphsync.Service
	entra   *graphtest.Server
	trail   *auditbun.Store
	handler http.Handler
}

func authenticate(_ context.Context, token string) (identity.Principal, error) {
	by := identity.Principal{Tenant: "1", Actor: token, Roles: []string{token}}
	switch name, groups, _ := strings.Cut(token, " "); name {
	case "":
		return identity.Principal{}, web.ErrUnauthenticated
	case "elsewhere":
		by.Tenant, by.Roles = "2", []string{"admin"}
	case "key":
		by = identity.Principal{Tenant: "1", Actor: "key:7", Scopes: append(strings.Fields(groups), string(staff.ScopeSync))}
	case "other-key":
		by = identity.Principal{Tenant: "1", Actor: "key:8", Scopes: []string{"staff:read"}}
	}
	return by, nil
}

func serve(t *testing.T, sync *graphsync.Service) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("test", "1"))
	web.Use(api, web.Config{Authenticate: web.Bearer(authenticate)})
	graphsynchttp.Register(api, sync)
	return web.Server(mux, web.ServerConfig{})
}

func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		r := &rig{entra: graphtest.New(t, graphtest.Config{}), trail: auditbun.New(db)}
		var err error
		if r.staff, err = staff.New(staff.Config{Store: staffbun.New(db), Audit: r.trail, Now: db.Clock}); err != nil {
			t.Fatal(err)
		}
		client, err := graphsync.NewClient(graphsync.ClientConfig{
			TenantID: graphtest.TenantID, ClientID: graphtest.ClientID, ClientSecret: secret.NewString(graphtest.ClientSecret),
			BaseURL: r.entra.BaseURL(), TokenURL: r.entra.TokenURL(), HTTP: r.entra.HTTP(),
		})
		if err != nil {
			t.Fatal(err)
		}
		r.sync, err = graphsync.New(graphsync.Config{
			Tenant: "1", Store: graphsyncbun.New(db), Graph: client, Staff: r.staff, Audit: r.trail, Now: db.Clock, QuarantineAfter: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		r.handler = serve(t, r.sync)
		f(t, r)
	})
}

func call(t *testing.T, h http.Handler, token, method, path, body string) (int, map[string]any) {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/entra-sync"+path, reader)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	out := map[string]any{}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	return w.Code, out
}

// want checks the status and, of a problem, the reason.
func want(t *testing.T, h http.Handler, token, method, path, body string, status int, reason string) map[string]any {
	t.Helper()
	got, out := call(t, h, token, method, path, body)
	if got != status || (reason != "" && out["reason"] != reason) {
		t.Errorf("%s %s %s as %q: %d %v, want %d %s", method, path, body, token, got, out, status, reason)
	}
	return out
}

func (r *rig) hire(t *testing.T, name string) int64 {
	t.Helper()
	last, reference, mail := "Doe", "E-"+name, name+"@"+graphtest.TenantID
	v, err := r.staff.Create(t.Context(), identity.System("1", "test"), staff.Edit{FirstName: &name, LastName: &last, EmployeeReference: &reference, Email: &mail})
	if err != nil {
		t.Fatal(err)
	}
	return v.Person.ID
}

func items(out map[string]any) []any {
	list, _ := out["items"].([]any)
	return list
}

func text(v any) string { return fmt.Sprint(v) }

func id(item any) string {
	o, _ := item.(map[string]any)
	return text(o["id"])
}

// TestStory: a dry run is asked for, read, approved and undone; what is wrong with a request has its reason.
func TestStory(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		h := r.handler
		r.hire(t, "ada")
		r.hire(t, "bob")
		run := want(t, h, "admin", "POST", "/runs", `{"dry_run":true}`, 202, "")
		if run["state"] != "requested" || run["requested_by"] != "admin" {
			t.Errorf("run %v", run)
		}
		path := "/runs/" + text(run["id"])
		if _, err := r.sync.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		run = want(t, h, "key fields:basic", "GET", path, "", 200, "")
		counts, _ := run["counts"].(map[string]any)
		if run["state"] != "planned" || counts["create_user"] != 2.0 {
			t.Fatalf("run %v", run)
		}
		steps := items(want(t, h, "hr", "GET", path+"/steps?limit=1&state=open", "", 200, ""))
		if len(steps) != 1 || !strings.Contains(text(steps), "ada@"+graphtest.TenantID) {
			t.Errorf("steps %v", steps)
		}
		if hidden := items(want(t, h, "key fields:basic", "GET", path+"/steps", "", 200, "")); strings.Contains(text(hidden), "ada@") || !strings.Contains(text(hidden), "ada Doe") {
			t.Errorf("for a key %v", hidden)
		}
		good := fmt.Sprintf(`{"hash":%q}`, run["hash"])
		want(t, h, "key", "POST", path+"/approve", good, 403, "sync_needs_a_person")
		want(t, h, "hr", "POST", path+"/approve", `{"hash":"0"}`, 412, "sync_plan_changed")
		want(t, h, "hr", "POST", path+"/approve", `{}`, 422, "")
		want(t, h, "hr", "POST", path+"/approve", good, 200, "")
		want(t, h, "hr", "POST", path+"/approve", good, 409, "sync_run_state")
		want(t, h, "hr", "POST", path+"/rollback", "", 409, "sync_run_state")
		if _, err := r.sync.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(r.entra.Users()); n != 2 {
			t.Errorf("%d accounts", n)
		}
		back := want(t, h, "hr", "POST", path+"/rollback", "", 201, "")
		if back["trigger"] != "rollback" || text(back["rollback_of"]) != text(run["id"]) {
			t.Errorf("roll-back %v", back)
		}
		if status := want(t, h, "hr", "GET", "", "", 200, ""); status["paused"] != true || !strings.Contains(text(status["live_runs"]), "rollback") {
			t.Errorf("status %v", status)
		}
		want(t, h, "hr", "POST", "/runs/"+text(back["id"])+"/discard", "", 200, "")
		want(t, h, "hr", "POST", "/runs/"+text(back["id"])+"/discard", "", 409, "sync_run_state")
		want(t, h, "hr", "POST", "/resume", "", 204, "")
		if list := items(want(t, h, "hr", "GET", "/runs?limit=1", "", 200, "")); len(list) != 1 || id(list[0]) != text(back["id"]) {
			t.Errorf("runs %v", list)
		}
		seen := map[string]bool{}
		cut, err := r.trail.List(t.Context(), "1", audit.Filter{}, page.Request{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range cut.Items {
			seen[e.Action] = true
		}
		for _, action := range []string{graphsync.ActionRequest, graphsync.ActionApprove, graphsync.ActionRollback, graphsync.ActionDiscard, graphsync.ActionResume} {
			if !seen[action] {
				t.Errorf("%s is not in the audit trail", action)
			}
		}
	})
}

// TestQueues: conflicts are decided and what is in quarantine is let out.
func TestQueues(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		h := r.handler
		ada, bob := r.hire(t, "ada"), r.hire(t, "bob")
		taken := r.entra.AddUser(graphtest.User{Name: "Ada", UPN: "ada@" + graphtest.TenantID, Enabled: true})
		r.entra.SetFaults(func(c graphtest.Call) graphtest.Fault {
			if c.Path == "/users" && c.Method == http.MethodPost {
				return graphtest.Fault{Status: http.StatusForbidden}
			}
			return graphtest.Fault{}
		})
		if _, err := r.sync.Step(t.Context()); err == nil {
			t.Fatal("nothing failed")
		}
		conflicts := items(want(t, h, "key", "GET", "/conflicts", "", 200, ""))
		if len(conflicts) != 1 {
			t.Fatalf("conflicts %v", conflicts)
		}
		c, _ := conflicts[0].(map[string]any)
		if c["kind"] != "name_taken" || text(c["local_id"]) != text(ada) || text(c["remote_ids"]) != "["+taken+"]" {
			t.Errorf("conflict %v", c)
		}
		path := "/conflicts/" + text(c["id"]) + "/resolve"
		want(t, h, "key", "POST", path, `{"action":"ignore"}`, 403, "sync_needs_a_person")
		want(t, h, "hr", "POST", path, `{"action":"burn"}`, 422, "")
		want(t, h, "hr", "POST", path, `{"action":"link","remote_id":"elsewhere"}`, 422, "")
		want(t, h, "hr", "POST", path, `{"action":"ignore"}`, 204, "")
		want(t, h, "hr", "POST", path, `{"action":"link","remote_id":"`+taken+`"}`, 204, "")
		want(t, h, "hr", "POST", path, `{"action":"ignore"}`, 404, "unknown_sync_issue")

		waiting := items(want(t, h, "hr", "GET", "/quarantine/user", "", 200, ""))
		if len(waiting) != 1 || !strings.Contains(text(waiting[0]), "local_id:"+text(bob)+" ") {
			t.Fatalf("quarantine %v", waiting)
		}
		want(t, h, "hr", "GET", "/quarantine/person", "", 422, "")
		want(t, h, "key", "POST", "/quarantine/user/"+text(bob)+"/release", "", 403, "sync_needs_a_person")
		want(t, h, "hr", "POST", "/quarantine/user/"+text(bob)+"/release", "", 204, "")
		want(t, h, "hr", "POST", "/quarantine/user/999/release", "", 404, "unknown_sync_link")
		if waiting := items(want(t, h, "hr", "GET", "/quarantine/user", "", 200, "")); len(waiting) != 0 {
			t.Errorf("quarantine %v", waiting)
		}
	})
}

// TestPermissions: each route is for who may manage synchronisations, and is not there where nothing is synchronised.
func TestPermissions(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		off := serve(t, nil)
		for _, route := range []struct{ method, path, body string }{
			{"GET", "", ""}, {"POST", "/pause", ""}, {"POST", "/resume", ""}, {"GET", "/runs", ""}, {"POST", "/runs", "{}"}, {"GET", "/runs/1", ""}, {"GET", "/runs/1/steps", ""},
			{"POST", "/runs/1/approve", `{"hash":"x"}`}, {"POST", "/runs/1/discard", ""}, {"POST", "/runs/1/rollback", ""}, {"GET", "/conflicts", ""},
			{"POST", "/conflicts/1/resolve", `{"action":"ignore"}`}, {"GET", "/quarantine/group", ""}, {"POST", "/quarantine/user/1/release", ""},
		} {
			for _, h := range []http.Handler{r.handler, off} {
				want(t, h, "", route.method, route.path, route.body, 401, "unauthenticated")
				for _, who := range []string{"alice", "other-key"} {
					want(t, h, who, route.method, route.path, route.body, 403, "staff_forbidden")
				}
			}
			want(t, r.handler, "elsewhere", route.method, route.path, route.body, 403, "staff_forbidden")
			want(t, off, "admin", route.method, route.path, route.body, 404, "entra_sync_disabled")
		}
		for _, path := range []string{"/runs/9", "/runs/9/steps"} {
			want(t, r.handler, "admin", "GET", path, "", 404, "unknown_sync_run")
		}
		for _, path := range []string{"/runs/0", "/runs/x", "/runs/99999999999999999999", "/runs?cursor=s3cret", "/runs/9/steps?state=s3cret"} {
			if status, out := call(t, r.handler, "admin", "GET", path, ""); status != 422 && status != 400 || strings.Contains(text(out), "s3cret") {
				t.Errorf("%s: %d %v", path, status, out)
			}
		}
	})
}
