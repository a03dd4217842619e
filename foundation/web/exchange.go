package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// exchange is what is learned of one request on its way, for the log. One goroutine writes it.
type exchange struct {
	start     time.Time
	route     string
	matched   bool // an operation answers: its 404 is no unknown route
	principal identity.Principal
	trace     string // id of the request's trace
	reason    string // of a problem
	cause     error  // behind it
	parts     error  // behind the failures of parts of an answer
	abort     bool   // a panic after the answer had begun
}

type exchangeKey struct{}

func withExchange(ctx context.Context, x *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

func exchangeIn(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// panicked keeps a panic's value and stack. http.ErrAbortHandler is how a handler ends a connection: no error.
func (x *exchange) panicked(v any) {
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares so
		x.abort = true
		return
	}
	x.cause = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
}

// end breaks the connection when half an answer is out: the client must not take it for a whole one.
func (x *exchange) end() {
	if x.abort {
		panic(http.ErrAbortHandler)
	}
}

// log writes the access line. It has the route's pattern, not the path, which may hold tokens.
func (x *exchange) log(ctx context.Context, logger *slog.Logger, method string, status int, now time.Time) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request_id", identity.RequestID(ctx)), slog.String("method", method), slog.String("route", x.route),
		slog.Int("status", status), slog.Duration("duration", now.Sub(x.start)),
	}
	if p := x.principal; p.Actor != "" {
		attrs = append(attrs, slog.String("tenant", string(p.Tenant)), slog.String("actor", p.Actor))
		if p.IsProxy() {
			attrs = append(attrs, slog.String("subject", p.Subject))
		}
	}
	if x.trace != "" {
		attrs = append(attrs, slog.String("trace_id", x.trace))
	}
	if x.reason != "" {
		attrs = append(attrs, slog.String("reason", x.reason))
	}
	if x.cause != nil && (status >= http.StatusInternalServerError || x.abort) {
		level = slog.LevelError
		attrs = append(attrs, slog.String("error", x.cause.Error()))
	}
	if x.parts != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("parts", x.parts.Error()))
	}
	logger.LogAttrs(ctx, level, "http request", attrs...)
}

type header struct{ name, value string }

// baseHeaders go on every answer, apiHeaders on those of operations, which are data and never pages. A handler may set
// others.
var (
	baseHeaders = []header{
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Frame-Options", "DENY"},
		{"Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
	}
	apiHeaders = []header{
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Frame-Options", "DENY"},
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		{"Cache-Control", "no-store"},
	}
)

// validRequestID accepts what can be neither confused nor used to forge log lines.
func validRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':') {
			return false
		}
	}
	return true
}
