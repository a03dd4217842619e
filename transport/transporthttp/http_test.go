package transporthttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/outboxbun"
	"github.com/renkei-go/renkei/transport/transporthttp"
)

var at = time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)

// TestReplay: an administrator sees what has failed and why, but not what it carries, and has it handled again, which is
// recorded. Nobody else does, and no other tenant.
func TestReplay(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Migration{outboxbun.Migrations, auditbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		store, trail := outboxbun.New(db), auditbun.New(db)
		router, err := transport.NewRouter(transport.RouterConfig{Subscriber: transport.InProcess(), DB: db, Inbox: store, Poison: store})
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("the printer is on fire")
		handled := 0
		router.Handle("printer", "page.*", func(context.Context, transport.Event) error {
			handled++
			return broken
		})
		for _, handler := range []string{"printer", "removed"} {
			if err := store.Bury(t.Context(), transport.Poisoned{
				Handler: handler, Reason: "the printer is on fire", Tries: 3,
				Event: transport.Event{ID: "e-" + handler, Type: "page.printed", Tenant: "acme", Subject: "page/1", Time: at, Data: map[string]any{"text": "hidden"}},
			}); err != nil {
				t.Fatal(err)
			}
		}
		call := serve(transporthttp.Config{Failed: store, Router: router, Audit: trail, Do: db.Do})
		expect := func(who, method, path string, status int, parts ...string) string {
			t.Helper()
			w := call(who, method, path)
			for _, part := range parts {
				if !strings.Contains(w.Body.String(), part) {
					t.Errorf("%s %s as %s: no %s in %s", method, path, who, part, w.Body)
				}
			}
			if w.Code != status || strings.Contains(w.Body.String(), "hidden") {
				t.Errorf("%s %s as %s: %d %s", method, path, who, w.Code, w.Body)
			}
			return w.Body.String()
		}
		var list struct{ Items []transporthttp.FailedEvent }
		shown := expect("admin@acme", "GET", "/failed-events", 200, `"event_type":"page.printed"`, `"subject":"page/1"`, `"reason":"the printer is on fire"`, `"tries":3`)
		if err := json.Unmarshal([]byte(shown), &list); err != nil || len(list.Items) != 2 {
			t.Fatalf("%v, %s", err, shown)
		}
		ids := map[string]string{}
		for _, item := range list.Items {
			ids[item.Handler] = "/failed-events/" + item.ID + "/replay"
		}
		expect("alice@acme", "GET", "/failed-events", 403, "admin_only")
		expect("admin@other", "GET", "/failed-events", 200, `"items":[]`)
		expect("alice@acme", "POST", ids["printer"], 403, "admin_only")
		expect("admin@other", "POST", ids["printer"], 404, "not_poisoned")
		expect("admin@acme", "POST", ids["removed"], 404, "unknown_handler")
		expect("admin@acme", "POST", ids["printer"], 409, "still_fails")
		broken = nil
		expect("admin@acme", "POST", ids["printer"], 204)
		expect("admin@acme", "POST", ids["printer"], 404, "not_poisoned")
		if handled != 2 {
			t.Errorf("handled %d times", handled)
		}
		entries, err := trail.List(t.Context(), "acme", audit.Filter{Action: "event_replay"}, page.Request{})
		if err != nil || len(entries.Items) != 1 || entries.Items[0].ActorID != "admin" {
			t.Errorf("%v, recorded %+v", err, entries.Items)
		}
	})
}

// serve makes requests as user@tenant; the user admin has that role.
func serve(cfg transporthttp.Config) func(who, method, path string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Events", "1.0"))
	web.Use(api, web.Config{Logger: slog.New(slog.DiscardHandler), Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
		user, tenant, _ := strings.Cut(token, "@")
		return identity.Principal{Tenant: identity.TenantID(tenant), Actor: user, Roles: []string{user}}, nil
	})})
	transporthttp.Register(api, cfg)
	return func(who, method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", "Bearer "+who)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
}

type noneFailed struct{ transport.PoisonStore }

func (noneFailed) Poisoned(context.Context, identity.TenantID, page.Request) (page.Page[transport.Poisoned], error) {
	return page.Page[transport.Poisoned]{}, nil
}

func Example() {
	call := serve(transporthttp.Config{Failed: noneFailed{}}) // yours: with the Router, its stores and the DB's Do
	fmt.Print(call("admin@acme", "GET", "/failed-events").Body)
	// Output: {"items":[]}
}
