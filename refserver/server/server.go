package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/renkei-go/renkei/staff/graphsync"
)

// drain is how long a stopping server lets answers and deliveries finish.
const drain = 15 * time.Second

// Server is the reference server. Make it with New; it serves once.
type Server struct {
	parts

	cfg      Config
	log      *slog.Logger
	listener net.Listener
	handler  http.Handler
	ready    chan struct{} // closed when the loops run
}

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// New connects to the database, brings its tables up to date, wires the parts and takes the address. It starts
// nothing; Close it if Run is not called. Its errors are faults for people.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, ready: make(chan struct{})}
	s.log = slog.New(slog.NewTextHandler(cfg.LogTo, &slog.HandlerOptions{Level: logLevels[cfg.LogLevel]}))

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: the address cannot be taken: %w", err)
	}
	s.listener = listener
	if s.cfg.PublicURL == "" {
		s.cfg.PublicURL = s.URL()
		if bound, ok := listener.Addr().(*net.TCPAddr); ok && !bound.IP.IsLoopback() {
			s.log.Warn("links in mails lead here, where people may not get to; set --public-url", "url", s.cfg.PublicURL)
		}
	}
	if s.parts, err = wire(ctx, s.cfg, s.log); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err = s.keysFit(ctx, s.cfg.Tenant, s.log); err == nil {
		err = s.prepare(ctx, s.cfg)
	}
	if err == nil && s.entra == nil { // it may have been on before
		err = s.staff.Disable(ctx, s.cfg.Tenant, graphsync.SystemName)
	}
	if err == nil {
		s.handler, err = s.mount(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL is where the server answers, for programs on the same machine.
func (s *Server) URL() string {
	address := s.listener.Addr().String()
	if bound, ok := s.listener.Addr().(*net.TCPAddr); ok && bound.IP.IsUnspecified() {
		address = net.JoinHostPort("localhost", strconv.Itoa(bound.Port))
	}
	return "http://" + address
}

// Ready returns a channel that closes when the server does all of its work.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx ends, then answers what it has begun, lets the loops finish their step, and returns nil. What
// it had not sent yet is in the database and goes out at the next start.
func (s *Server) Run(ctx context.Context) error {
	defer func() { _ = s.Close() }()
	loops, stopLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLoops()
	worked := make(chan error, 1)
	go func() {
		err := s.work(loops)
		s.log.Info("the loops have ended")
		worked <- err
	}()

	web := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(s.listener) }()
	go func() {
		select {
		case <-s.router.Running():
			close(s.ready)
		case <-loops.Done():
		}
	}()

	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-worked:
		worked <- nil
		if err == nil {
			err = errors.New("the loops ended")
		}
	}
	s.log.Info("stopping")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	stopLoops() // at the same time: a client that is slow must not take the time from what is being delivered
	err = errors.Join(err, web.Shutdown(grace))
	select {
	case werr := <-worked:
		err = errors.Join(err, werr)
	case <-grace.Done():
		err = errors.Join(err, errors.New("the loops did not stop in time"))
	}
	return err
}

// Close releases what New took. Run does it at its end.
func (s *Server) Close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.watching.shutdown(context.Background(), s.log)
	return errors.Join(err, s.close())
}
