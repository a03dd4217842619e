package scim_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/scim"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/staff/staffhttp"
)

// An identity provider adds a person and deactivates them later.
func Example() {
	ctx := context.Background()
	db, _ := sqldb.Open(ctx, "sqlite::memory:")
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, auditbun.Migrations, staffbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	store, trail := staffbun.New(db), auditbun.New(db)
	hub, _ := staff.New(staff.Config{Store: store, Audit: trail, Keepers: map[string]staff.Keeper{"scim": scim.Keeper(store)}})
	server, err := scim.New(scim.Config{Staff: hub, Store: store, Audit: trail, Authenticate: staffhttp.Keys(hub)})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle(scim.Root+"/", server)

	admin := identity.Principal{Tenant: "1", Actor: "admin", Roles: []string{"admin"}}
	_, key, _ := hub.CreateKey(ctx, admin, staff.NewKey{Name: "entra", Scopes: []staff.Scope{staff.ScopeSCIM}})
	call := func(method, path, body string) {
		r := httptest.NewRequestWithContext(ctx, method, scim.Root+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key.Reveal())
		r.Header.Set("Content-Type", "application/scim+json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	call("POST", "/Users?attributes=userName,active", `{"userName":"noah@example.com","name":{"givenName":"Noah","familyName":"Weber"}}`)
	call("PATCH", "/Users/1?attributes=active", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
		"Operations":[{"op":"Replace","path":"active","value":"False"}]}`)
	// Output:
	// 201 {"active":true,"id":"1","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"noah@example.com"}
	// 200 {"active":false,"id":"1","schemas":["urn:ietf:params:scim:schemas:core:2.0:User"]}
}
