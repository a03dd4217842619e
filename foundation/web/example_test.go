package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

type Note struct {
	Text string `json:"text" validate:"required,text=multiline"`
}

func Example() {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Notes", "1.0"))
	quiet := slog.New(slog.DiscardHandler)
	web.Use(api, web.Config{
		Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
			if token != "s3cret" {
				return identity.Principal{}, web.ErrUnauthenticated
			}
			return identity.Principal{Tenant: "acme", Actor: "alice"}, nil
		}),
		NewID:  func() string { return "request-1" },
		Logger: quiet,
	})
	web.Handle(api, huma.Operation{Method: http.MethodPost, Path: "/notes", Summary: "Write a note"},
		func(_ context.Context, by identity.Principal, in *struct{ Body Note }) (*struct{ Body string }, error) {
			if err := check.Struct(in.Body); err != nil { // a domain does this
				return nil, err
			}
			return &struct{ Body string }{"noted for " + by.User()}, nil
		})
	handler := web.Server(mux, web.ServerConfig{Logger: quiet, NewID: func() string { return "request-1" }})

	for _, body := range []string{`{"text":"hello"}`, `{"text":""}`} {
		r := httptest.NewRequest(http.MethodPost, "/notes", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer s3cret")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 "noted for alice"
	// 422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"the input is not valid","instance":"request-1","reason":"invalid_input","errors":[{"location":"body.text","message":"is required"}]}
}
