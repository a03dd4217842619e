package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/web"
)

// healthz says that the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }

var errNotReady = fault.New(fault.Unavailable, "not_ready", "the server is starting, stopping, or without its database")

// readyz says that the server can do its work: the loops run and the database answers.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	select {
	case <-s.ready:
	default:
		web.WriteError(w, r, errNotReady)
		return
	}
	if err := s.db.Ping(ctx); err != nil {
		web.WriteError(w, r, errNotReady.Because(err))
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

// metrics measures requests, and shows that with what the parts tell.
func (s *Server) metrics() (*prometheus.HistogramVec, http.Handler) {
	requests := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "renkei_http_request_duration_seconds", Help: "Time to answer, by method, route and status.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"method", "route", "status"})
	s.watching.registry.MustRegister(requests)
	return requests, promhttp.HandlerFor(s.watching.registry, promhttp.HandlerOpts{})
}
