package rsvphttp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvphttp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
)

// refuser knows no event.
type refuser struct{ rsvphttp.Service }

func (refuser) Ingest(context.Context, identity.TenantID, []byte, rsvp.Via) (rsvp.Outcome, error) {
	return rsvp.Outcome{Decision: rsvp.UnknownUID, Trust: rsvp.TrustNone}, nil
}

func ExampleRegister() {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Calendar", "1.0"))
	web.Use(api, web.Config{})
	rsvphttp.Register(api, mux, refuser{}, rsvphttp.Config{InboundToken: secret.NewString("demo-inbound"), Tenant: "acme"})

	r := httptest.NewRequest(http.MethodPost, "/rsvp/inbound", strings.NewReader("From: guest@outside.example\r\n\r\n"))
	r.Header.Set("Authorization", "Bearer demo-inbound")
	r.Header.Set("Content-Type", "message/rfc822")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 {"decision":"unknown_uid","trust":"none"}
}
