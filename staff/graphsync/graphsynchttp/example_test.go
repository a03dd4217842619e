package graphsynchttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff/graphsync/graphsynchttp"
)

// The routes are there without a service, too, and say so.
func ExampleRegister() {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("My service", "1.0.0"))
	web.Use(api, web.Config{Authenticate: func(context.Context, web.Request) (identity.Principal, error) {
		return identity.Principal{Tenant: "1", Actor: "admin", Roles: []string{"admin"}}, nil
	}})
	graphsynchttp.Register(api, nil)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/entra-sync", nil))
	fmt.Println(w.Code)
	// Output: 404
}
