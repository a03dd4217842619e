package chattest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// server is an HTTP server on this machine.
type server struct {
	url    string
	http   *http.Server
	served chan struct{}
}

func start(ctx context.Context, h http.Handler) (*server, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{
		url: "http://" + listener.Addr().String(), served: make(chan struct{}),
		http: &http.Server{Handler: http.MaxBytesHandler(h, 1<<20), ReadTimeout: time.Minute},
	}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(listener)
	}()
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return s, nil
}

// Close stops the server and cuts its connections. It may be called again.
func (s *server) Close() error {
	err := s.http.Close()
	<-s.served
	return err
}

// window counts what comes in a time. It is safe for concurrent use.
type window struct {
	mu    sync.Mutex
	most  int
	per   time.Duration
	now   func() time.Time
	since map[string]time.Time
	count map[string]int
}

func newWindow(most int, per time.Duration, now func() time.Time) *window {
	return &window{most: most, per: per, now: now, since: map[string]time.Time{}, count: map[string]int{}}
}

// take says how long to wait when key has had its share: 0 if it has not.
func (w *window) take(key string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if now.Sub(w.since[key]) >= w.per {
		w.since[key], w.count[key] = now, 0
	}
	if w.count[key] >= w.most {
		return w.since[key].Add(w.per).Sub(now)
	}
	w.count[key]++
	return 0
}

// seconds rounds up, as Retry-After does.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
