package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/refserver/server"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

// entraOf are the settings that lead to a fake Entra.
func entraOf(fake *graphtest.Server) server.EntraConfig {
	return server.EntraConfig{
		Enabled: true, TenantID: graphtest.TenantID, ClientID: graphtest.ClientID, ClientSecret: secret.NewString(graphtest.ClientSecret),
		GraphURL: fake.BaseURL(), TokenURL: fake.TokenURL(), HTTP: fake.HTTP(),
	}
}

// TestEntra: the demo company comes into Entra by itself; a change goes there when a run is asked for; the external
// systems tell how it went; and when nobody would be left, it waits and the administrator is told.
func TestEntra(t *testing.T) {
	var fake *graphtest.Server
	config := func(t *testing.T) server.Config {
		fake = graphtest.New(t, graphtest.Config{})
		return server.Config{Entra: entraOf(fake)}
	}
	eachWith(t, config, func(t *testing.T, r rig) {
		ctx := t.Context()
		system := func() object {
			var list struct{ Items []object }
			r.call(t, "admin", http.MethodGet, "/api/external-systems", nil).decode(t, &list)
			for _, y := range list.Items {
				if y["system_type"] == "entra" {
					return y
				}
			}
			return nil
		}
		await(t, ctx, func() bool { return text(system()["sync_status"]) == "active" })
		titles := map[string]string{}
		for _, u := range fake.Users() {
			titles[u.UPN] = u.JobTitle
			if !u.Enabled {
				t.Errorf("account %+v", u)
			}
		}
		if len(titles) != 8 || titles["alice@example.com"] != "Support Worker" {
			t.Errorf("accounts %v", titles)
		}
		members := map[string]int{}
		for _, g := range fake.Groups() {
			members[g.Name] = len(g.Members)
		}
		if members["Care Team A"] != 3 || members["Head Office"] != 5 {
			t.Errorf("groups %v", members)
		}

		var people struct{ Items []object }
		r.call(t, "hr", http.MethodGet, "/api/staff/people?search=Alice", nil).decode(t, &people)
		path := "/api/staff/people/" + text(people.Items[0]["id"])
		if a := r.call(t, "hr", http.MethodPatch, path, object{"job_title": "Senior Support Worker"}, "If-Match: *"); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		run := func(want string) object {
			t.Helper()
			var run object
			a := r.call(t, "hr", http.MethodPost, "/api/entra-sync/runs", object{})
			if a.status != http.StatusAccepted {
				t.Fatalf("%d %s", a.status, a.body)
			}
			a.decode(t, &run)
			await(t, ctx, func() bool {
				r.call(t, "hr", http.MethodGet, "/api/entra-sync/runs/"+text(run["id"]), nil).decode(t, &run)
				return run["state"] == want
			})
			return run
		}
		run("done")
		for _, u := range fake.Users() {
			if u.UPN == "alice@example.com" && u.JobTitle != "Senior Support Worker" {
				t.Errorf("alice is %+v", u)
			}
		}

		var all struct{ Items []object }
		r.call(t, "admin", http.MethodGet, "/api/staff/people", nil).decode(t, &all)
		for _, p := range all.Items {
			path := "/api/staff/people/" + text(p["id"])
			if a := r.call(t, "admin", http.MethodPatch, path, object{"employment_end_date": "2024-04-02"}, "If-Match: *"); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		held := run("planned")
		if !strings.Contains(text(held["tripped_guards"]), "empty_source") {
			t.Errorf("run %v", held)
		}
		for _, u := range fake.Users() {
			if !u.Enabled {
				t.Errorf("%s is disabled", u.UPN)
			}
		}
		await(t, ctx, func() bool { return text(system()["sync_status"]) == "failed" })
		var notices struct{ Items []object }
		await(t, ctx, func() bool {
			r.call(t, "admin", http.MethodGet, "/notices?template=staff.system_failing", nil).decode(t, &notices)
			return len(notices.Items) > 0
		})
		if strings.Contains(r.log.String(), "level=ERROR") {
			t.Errorf("the log: %s", r.log)
		}
	})
}

// TestEntraOff: when the synchronisation is switched off, its row says so, and nobody is told that it is late.
func TestEntraOff(t *testing.T) {
	database := sqldbtest.PostgresURL(t)
	fake := graphtest.New(t, graphtest.Config{})
	status := func(t *testing.T, r rig) string {
		t.Helper()
		var list struct{ Items []object }
		r.call(t, "admin", http.MethodGet, "/api/external-systems", nil).decode(t, &list)
		for _, y := range list.Items {
			if y["system_name"] == graphsync.SystemName {
				return text(y["sync_status"])
			}
		}
		return ""
	}
	keys := secret.NewString("k1:" + secret.NewKey().Reveal())
	t.Run("on", func(t *testing.T) {
		r := start(t, server.Config{Database: database, SecretKeys: keys, Entra: entraOf(fake)})
		await(t, t.Context(), func() bool { return status(t, r) == "active" })
	})
	t.Run("off", func(t *testing.T) {
		r := start(t, server.Config{Database: database, SecretKeys: keys})
		if now := status(t, r); now != "disabled" {
			t.Errorf("it is %s", now)
		}
		r.call(t, "", http.MethodGet, "/api/staff-data.php", nil, r.apiKey(t, object{"name": "hr", "system_type": "hr"}))
		r.call(t, "admin", http.MethodPost, "/demo/clock", object{"advance": "72h"})
		var late struct{ Items []object }
		await(t, t.Context(), func() bool {
			r.call(t, "admin", http.MethodGet, "/notices?template=staff.system_late", nil).decode(t, &late)
			return len(late.Items) > 0
		})
		if len(late.Items) != 1 {
			t.Errorf("notices %v", late.Items)
		}
	})
}
