// Package web is the HTTP side of Renkei: huma v2 on any router that huma has an adapter for.
//
//	mux := http.NewServeMux()
//	api := humago.New(mux, web.HumaConfig("My service", "1.0"))
//	web.Use(api, web.Config{Authenticate: web.Bearer(lookUp)}) // before any operation is registered
//	calendarhttp.Register(api, cal)                            // which calls web.Handle
//	mux.Handle("GET /docs", web.DocsHandler("/openapi.json"))
//	handler := web.Server(mux, web.ServerConfig{})             // problem details for unknown routes too
//
// # Errors
//
// Every error leaves as problem details (RFC 9457) through one map from fault codes to statuses, in problem.go. It is a
// transformer of the API's own configuration: huma's package-level NewError is left as it is, so that other huma APIs
// in the same process do not change. Neither values of the input nor internal causes are ever sent; causes are in the
// access log, beside the request id that the client sees as "instance".
//
// # What Use adds to every operation
//
// A request id; security headers; recovery from panics; an access log line; authentication, except for operations
// registered with [Public]; rate limits; acting for others by the header X-Act-As-User (secretary mode, seed 003 §2);
// body limits, content types and text checks; Idempotency-Key on POST.
package web
