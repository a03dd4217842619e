package web

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// ServerConfig is what Server adds to a router. The zero value is ready to use.
type ServerConfig struct {
	MaxBody int64            // bytes of any request body, whatever an operation allows; default 32 MiB, negative: none
	Logger  *slog.Logger     // gets a line per request; default slog.Default()
	Now     func() time.Time // default time.Now
	NewID   func() string    // makes request ids; default UUIDv7
}

// Server wraps a whole router with what every answer needs, whether an operation of an API gives it or not: request id,
// security headers, recovery from panics, a cap on bodies, an access log line, and problem details instead of the
// router's plain text for unknown routes (404 not_found) and methods (405 method_not_allowed). Operations under Use
// share the request id and the log line.
func Server(h http.Handler, cfg ServerConfig) http.Handler {
	cfg.Logger, cfg.Now, cfg.NewID = defaults(cfg.Logger, cfg.Now, cfg.NewID)
	if cfg.MaxBody == 0 {
		cfg.MaxBody = 32 << 20
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &exchange{start: cfg.Now(), route: "unmatched"}
		id := r.Header.Get(HeaderRequestID)
		if !validRequestID(id) {
			id = cfg.NewID()
		}
		r = r.WithContext(identity.WithRequestID(withExchange(r.Context(), x), id))
		w.Header().Set(HeaderRequestID, id)
		for _, h := range baseHeaders {
			w.Header().Set(h.name, h.value)
		}
		if cfg.MaxBody > 0 && r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, cfg.MaxBody)
		}
		out := &answer{ResponseWriter: w, request: r, exchange: x}
		defer func() {
			if v := recover(); v != nil {
				x.panicked(v)
				if out.status != 0 {
					x.abort = true
				} else if !x.abort {
					WriteError(out, r, x.cause)
				}
			}
			if !x.matched && r.Pattern != "" {
				x.route = r.Pattern
			}
			x.log(r.Context(), cfg.Logger, r.Method, out.status, cfg.Now())
			x.end()
		}()
		h.ServeHTTP(out, r)
		if out.status == 0 {
			out.WriteHeader(http.StatusOK)
		}
	})
}

// answer sees the status go by and replaces a router's plain 404 and 405.
type answer struct {
	http.ResponseWriter
	request  *http.Request
	exchange *exchange
	status   int
	replaced bool // what the router writes is dropped
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush serves streams that ask for http.Flusher.
func (a *answer) Flush() {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		a.ResponseWriter.WriteHeader(status) // informational: the answer is still to come
		return
	}
	a.status = status
	if err := a.unknown(status); err != nil {
		a.replaced = true
		a.Header().Del("Content-Length")
		WriteError(a.ResponseWriter, a.request, err)
		return
	}
	a.ResponseWriter.WriteHeader(status)
}

// unknown says what a router means by a 404 or 405 that no handler has dressed.
func (a *answer) unknown(status int) error {
	contentType := a.Header().Get("Content-Type")
	if a.exchange.matched || contentType != "" && !strings.HasPrefix(contentType, "text/plain") {
		return nil
	}
	switch status {
	case http.StatusNotFound:
		return ErrRouteNotFound
	case http.StatusMethodNotAllowed:
		return ErrMethodNotAllowed
	}
	return nil
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.replaced {
		return len(b), nil
	}
	return a.ResponseWriter.Write(b)
}
