package staffhttp

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/export"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookhttp"
)

// Mux is where plain handlers go; *http.ServeMux is one.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// Config is what Register serves.
type Config struct {
	Staff    *staff.Service   // required
	Exports  *export.Service  // required
	Webhooks *webhook.Service // required; its View is staff.Service.Webhook and its EventTypes are staff.EventTypes
	// Authenticate says who calls the routes in the form of seed 001, which do not pass through web.Use: the same as
	// web.Config.Authenticate. Required.
	Authenticate web.Authenticator
	// Limiter is for these routes too. Default: no limit.
	Limiter *web.Limiter
	// Idempotency is for these routes too: the same as web.Config.Idempotency. Default: Idempotency-Key means nothing there.
	Idempotency web.IdempotencyStore
	// Logger gets what goes wrong inside. Default slog.Default().
	Logger *slog.Logger
}

// Register adds the routes to api, on which web.Use was called, and those in the form of seed 001 to mux.
func Register(api huma.API, mux Mux, cfg Config) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	h := &handlers{cfg}
	h.people(api)
	h.privacy(api)
	h.units(api)
	h.changes(api)
	h.keys(api)
	h.systems(api)
	h.exports(api)
	h.bulk(api)
	webhookhttp.Register(api, hooks{cfg.Webhooks}, "/api/webhooks", webhookhttp.Allow(func(by identity.Principal) error {
		return staff.Allow(by, staff.ScopeWebhooks)
	}))
	for path, handler := range map[string]http.HandlerFunc{
		"/api/staff-data.php": h.staffData, "/api/webhooks.php": h.webhooks, "/api/recruitment/import": h.recruit,
	} {
		mux.Handle(path, handler)
	}
	document(api)
}

type handlers struct{ cfg Config }

// tag groups the operations in the OpenAPI document.
var tag = []string{"staff"}

func operation(method, path, summary string, status int, errors ...int) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, Summary: summary, Tags: tag, DefaultStatus: status,
		Errors: append([]int{http.StatusForbidden}, errors...),
	}
}

// Keys authenticates API keys, given as "Authorization: Bearer …", "Authorization: ApiKey …" or "X-API-Key: …", on the
// routes under /api/ and /scim/. Each use is audited.
func Keys(s *staff.Service) web.Authenticator {
	return func(ctx context.Context, r web.Request) (identity.Principal, error) {
		u := r.URL()
		token := keyIn(r)
		if !staff.LooksLikeKey(token) || !strings.HasPrefix(u.Path, "/api/") && !strings.HasPrefix(u.Path, "/scim/") {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		return s.Authenticate(ctx, secret.NewString(token), staff.Use{Method: r.Method(), Path: u.Path, Address: address(r)})
	}
}

func keyIn(r web.Request) string {
	if token := strings.TrimSpace(r.Header("X-API-Key")); token != "" {
		return token
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header("Authorization")), " ")
	if strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "ApiKey") {
		return strings.TrimSpace(token)
	}
	return ""
}

func address(r web.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr())
	if err != nil {
		return r.RemoteAddr()
	}
	return host
}

// admit authenticates and counts a request to a plain handler. If it returns an error, it is for the caller to answer.
func (h *handlers) admit(w http.ResponseWriter, r *http.Request) (identity.Principal, error) {
	by, err := h.cfg.Authenticate(r.Context(), web.FromHTTP(r))
	if err == nil && (by.Tenant == "" || by.Actor == "") {
		err = web.ErrUnauthenticated
	}
	if limited := h.cfg.Limiter.Admit(w, r, by); limited != nil {
		return by, limited
	}
	return by, err
}

// refuse answers in the form of seed 001's service: {"error", "message"}. Internal errors go to the log.
func (h *handlers) refuse(w http.ResponseWriter, r *http.Request, err error, also map[string]any) {
	body := map[string]any{}
	status, text := http.StatusInternalServerError, "Internal server error"
	f := fault.As(err)
	switch code := fault.CodeOf(err); code {
	case fault.Unauthenticated:
		status, text = http.StatusUnauthorized, "Authentication required"
		body["message"] = "A valid API key or session is needed."
		w.Header().Set("WWW-Authenticate", "Bearer")
	case fault.Forbidden:
		status, text = http.StatusForbidden, "Forbidden"
		body["message"] = f.Message
	case fault.NotFound:
		status, text = http.StatusNotFound, "Not found"
	case fault.Conflict:
		status, text = http.StatusConflict, "Conflict"
		body["message"] = f.Message
	case fault.RateLimited:
		status, text = http.StatusTooManyRequests, "Too many requests"
		body["message"] = f.Message
	case fault.Invalid, fault.Precondition:
		status, text = http.StatusBadRequest, "Invalid request"
		body["message"] = f.Message
		if errors.Is(err, web.ErrBodyTooLarge) {
			status, text = http.StatusRequestEntityTooLarge, "Request too large"
		}
		if errors.Is(err, web.ErrIdempotencyReused) {
			status = http.StatusUnprocessableEntity
		}
		if len(f.Fields) > 0 {
			text, body["errors"] = strings.TrimSpace(f.Fields[0].Location+" "+f.Fields[0].Message), f.Fields
		}
	case fault.Unavailable:
		status, text = http.StatusServiceUnavailable, "Service unavailable"
	default:
		body["error_code"] = "INTERNAL_ERROR"
	}
	if status >= http.StatusInternalServerError {
		h.cfg.Logger.ErrorContext(r.Context(), "staff request", "request_id", identity.RequestID(r.Context()), "path", r.URL.Path, "error", err)
	}
	if f != nil && status != http.StatusInternalServerError {
		body["reason"] = f.Reason
	}
	body["error"] = text
	maps.Copy(body, also)
	writeJSON(w, status, body)
}

// notAllowed answers a method that a route in the form of seed 001 does not know.
func notAllowed(w http.ResponseWriter, allow, text string) {
	w.Header().Set("Allow", allow)
	writeJSON(w, http.StatusMethodNotAllowed, map[string]any{"error": text})
}

// pulled writes down a pull. That it could not be written down is no reason to refuse what was pulled.
func (h *handlers) pulled(ctx context.Context, by identity.Principal, pattern string, records int64, err error) {
	if err := h.cfg.Staff.Pulled(ctx, by, pattern, records, err); err != nil {
		h.cfg.Logger.ErrorContext(ctx, "the synchronisation is not noted", "request_id", identity.RequestID(ctx), "error", err)
	}
}
