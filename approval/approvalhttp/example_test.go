package approvalhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvalhttp"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport"
)

type nowhere struct{}

func (nowhere) Record(context.Context, ...audit.Entry) error      { return nil }
func (nowhere) Publish(context.Context, ...transport.Event) error { return nil }

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	must(err)
	defer func() { _ = db.Close() }()
	must(sqldb.Migrate(ctx, db, approvalbun.Migrations))
	approvals, err := approval.New(approval.Config{
		Store: approvalbun.New(db), Directory: approvaltest.Company(), Outbox: nowhere{}, Audit: nowhere{},
	})
	must(err)

	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("My service", "1.0"))
	web.Use(api, web.Config{Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
		return identity.Principal{Tenant: "acme", Actor: token}, nil
	})})
	approvalhttp.Register(api, approvals)

	r := httptest.NewRequest(http.MethodGet, "/approval-instances?role=approver&status=pending", nil)
	r.Header.Set("Authorization", "Bearer manager")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 {"items":[]}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
