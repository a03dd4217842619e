package staffhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/staff/staffhttp"
)

// An API key proves itself on the routes under /api/.
func ExampleKeys() {
	ctx := context.Background()
	db, _ := sqldb.Open(ctx, "sqlite::memory:")
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, auditbun.Migrations, staffbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	hub, _ := staff.New(staff.Config{Store: staffbun.New(db), Audit: auditbun.New(db)})
	admin := identity.Principal{Tenant: "1", Actor: "admin", Roles: []string{"admin"}}
	_, key, err := hub.CreateKey(ctx, admin, staff.NewKey{Name: "payroll"})
	if err != nil {
		fmt.Println(err)
		return
	}
	authenticate := staffhttp.Keys(hub)
	for _, path := range []string{"/api/staff-data.php", "/events"} {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		r.Header.Set("X-API-Key", key.Reveal())
		by, err := authenticate(ctx, web.FromHTTP(r))
		fmt.Println(by.Actor, by.Scopes, err)
	}
	// Output:
	// key:1 [staff:read fields:basic fields:work] <nil>
	//  [] unauthenticated: valid credentials are needed
}
