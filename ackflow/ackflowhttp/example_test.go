package ackflowhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/ackflow/ackflowhttp"
	"github.com/renkei-go/renkei/ackflow/ackflowtest"
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
	must(sqldb.Migrate(ctx, db, ackflowbun.Migrations))
	acks, err := ackflow.New(ackflow.Config{
		Store: ackflowbun.New(db), Directory: ackflowtest.Company(), Outbox: nowhere{}, Audit: nowhere{},
	})
	must(err)

	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("My service", "1.0"))
	web.Use(api, web.Config{Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
		return identity.Principal{Tenant: "acme", Actor: token}, nil
	})})
	ackflowhttp.Register(api, acks)

	r := httptest.NewRequest(http.MethodPost, "/chat-ack-requests/preview", strings.NewReader(
		`{"message":{"roomId":"general","body":"The office moves on Monday."},"requiredGroupIds":["sales"]}`))
	r.Header.Set("Authorization", "Bearer alice")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.SplitAfter(w.Body.String(), "]")[0])
	// Output: 200 {"requiredUserIds":["bob","carol"]
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
