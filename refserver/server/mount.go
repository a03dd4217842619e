package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/ackflow/ackflowhttp"
	"github.com/renkei-go/renkei/approval/approvalhttp"
	"github.com/renkei-go/renkei/calendar/calendarhttp"
	"github.com/renkei-go/renkei/calendar/delegation/delegationhttp"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvphttp"
	"github.com/renkei-go/renkei/foundation/audit/audithttp"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff/graphsync/graphsynchttp"
	"github.com/renkei-go/renkei/staff/scim"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/staff/staffhttp"
	"github.com/renkei-go/renkei/transport/notify/notifyhttp"
	"github.com/renkei-go/renkei/transport/transporthttp"
)

// Version is of the API and the program.
const Version = "0.1.0"

// mount is the one list of routes.
func (s *Server) mount(ctx context.Context) (http.Handler, error) {
	authenticate, err := authenticators(ctx, s.cfg, s.staff)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	limit := web.RateLimit{Requests: max(s.cfg.RateLimit, 0), Store: web.MemoryStore(time.Now)}
	limiter, err := web.NewLimiter(limit, s.log, nil)
	if err != nil {
		return nil, err
	}
	api := humago.New(mux, web.HumaConfig("Renkei", Version))
	web.Use(api, web.Config{
		Authenticate: authenticate, ActAs: s.actAs, Idempotency: s.idempotency, Logger: s.log, Tracer: s.watching.tracer,
		RateLimit: limit,
	})

	calendarhttp.Register(api, s.calendar)
	delegationhttp.Register(api, s.delegations)
	rsvphttp.Register(api, mux, s.replies, rsvphttp.Config{Tenant: s.cfg.Tenant, InboundToken: s.cfg.InboundToken})
	approvalhttp.Register(api, s.approvals)
	approvalhttp.RegisterLinks(api, mux, s.approvals)
	ackflowhttp.Register(api, s.acks)
	notifyhttp.Register(api, s.notices)
	transporthttp.Register(api, transporthttp.Config{Failed: s.poison, Router: s.router, Audit: s.audit, Do: s.db.Do})
	audithttp.Register(api, s.audit)
	staffhttp.Register(api, mux, staffhttp.Config{
		Staff: s.staff, Exports: s.exports, Webhooks: s.hooks, Authenticate: authenticate, Limiter: limiter, Logger: s.log,
		Idempotency: s.idempotency,
	})
	graphsynchttp.Register(api, s.entra)
	identities, err := scim.New(scim.Config{
		Staff: s.staff, Store: staffbun.New(s.db), Audit: s.audit, Authenticate: authenticate, Limiter: limiter, URL: s.cfg.PublicURL, Now: s.db.Clock,
		Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	mux.Handle(scim.Root+"/", identities)
	scim.Document(api)
	if s.cfg.Demo {
		s.demoClock(api)
	}

	if s.outbox != nil {
		s.outboxPages(mux, authenticate)
	}
	requests, metrics := s.metrics()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", metrics)
	mux.Handle("GET /docs", web.DocsHandler("/openapi.json"))
	mux.Handle("GET /{$}", http.RedirectHandler("/docs", http.StatusSeeOther))

	measured := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		mux.ServeHTTP(seen, r)
		requests.WithLabelValues(knownMethod(r.Method), r.Pattern, strconv.Itoa(seen.status)).Observe(time.Since(start).Seconds())
	})
	return web.Server(measured, web.ServerConfig{Logger: s.log}), nil
}

// knownMethod keeps the metrics from growing by every word that a client can think of.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// statusWriter remembers the status for the metrics.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
