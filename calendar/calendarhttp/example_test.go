package calendarhttp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendarhttp"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/web"
)

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, calendarbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	log := &calendartest.Log{DB: db}
	cal, err := calendar.New(calendar.Config{Store: calendarbun.New(db), Outbox: log, Audit: log, Directory: calendartest.Staff("alice")})
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("My service", "1.0"))
	web.Use(api, web.Config{Logger: slog.New(slog.DiscardHandler), Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
		return identity.Principal{Tenant: "acme", Actor: token}, nil
	})})
	calendarhttp.Register(api, cal)

	r := httptest.NewRequest(http.MethodPost, "/events",
		strings.NewReader(`{"title":"Design review","start_at":"2030-01-15T10:00:00+09:00","end_at":"2030-01-15T11:00:00+09:00"}`))
	r.Header.Set("Authorization", "Bearer alice")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("ETag"))
	// Output: 201 "v1"
}
