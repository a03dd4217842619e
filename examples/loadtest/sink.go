package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// sink is the receiver: it notes when each event arrived at each of its addresses. Paths under /hang/ never answer.
type sink struct {
	server *httptest.Server
	hang   chan struct{}

	mu      sync.Mutex
	arrived map[string]time.Time // by path and event
	again   int
	more    chan struct{} // closed and replaced at every arrival that somebody waits for
	want    int
}

func newSink() *sink {
	s := &sink{arrived: map[string]time.Time{}, more: make(chan struct{}), hang: make(chan struct{})}
	s.server = httptest.NewServer(http.HandlerFunc(s.receive))
	return s
}

func (s *sink) close() {
	close(s.hang)
	s.server.Close()
}

// payload is what the events of the test carry.
type payload struct {
	Event string `json:"event_id"`
}

// body is the webhook's envelope, as far as it matters here.
type body struct {
	Data payload `json:"data"`
}

func (s *sink) receive(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	if r.URL.Path == hangingPath {
		<-s.hang
		return
	}
	raw, err := io.ReadAll(r.Body)
	var b body
	if err != nil || json.Unmarshal(raw, &b) != nil || b.Data.Event == "" {
		http.Error(w, "not an event", http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	key := r.URL.Path + " " + b.Data.Event
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.arrived[key]; twice {
		s.again++
		return
	}
	s.arrived[key] = now
	if len(s.arrived) == s.want {
		close(s.more)
		s.more = make(chan struct{})
	}
}

// wait returns when n different arrivals have been seen, or ctx ends.
func (s *sink) wait(ctx context.Context, n int) error {
	s.mu.Lock()
	s.want = n
	done, more := len(s.arrived) >= n, s.more
	s.mu.Unlock()
	if done {
		return nil
	}
	select {
	case <-more:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tally compares what was committed with what arrived at the paths.
func (s *sink) tally(committed map[string]time.Time, paths []string, start time.Time) report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := report{Published: len(committed), Duplicates: s.again}
	var took []time.Duration
	last := start
	for event, at := range committed {
		for _, path := range paths {
			arrival, ok := s.arrived[path+" "+event]
			if !ok {
				r.Lost++
				continue
			}
			took = append(took, arrival.Sub(at))
			if arrival.After(last) {
				last = arrival
			}
		}
	}
	slices.Sort(took)
	r.Delivered, r.Seconds = len(took), last.Sub(start).Seconds()
	if r.Seconds > 0 {
		r.PerSecond = float64(r.Delivered) / r.Seconds
	}
	if len(took) > 0 {
		r.P50, r.P99 = ms(took[len(took)/2]), ms(took[len(took)*99/100])
	}
	return r
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
