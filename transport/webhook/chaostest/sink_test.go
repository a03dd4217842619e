package chaostest_test

import (
	"context"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/webhook"
)

// place is a delivery as the sink sees it: an event at the path of a subscription.
type place struct{ path, event string }

// arrival is one request and what the sink did with it.
type arrival struct {
	answer int  // 0: it cut the connection after it had read the request
	held   bool // it answered only after something had been broken
	at     time.Time
}

// trap catches a request, so that something can be broken while the request is under way.
type trap struct {
	node    string // whose; empty: anybody's
	caught  chan struct{}
	release chan struct{}
}

// sink is the receiver of all subscriptions, one to a path. It fails by a rule, not by chance: runs differ in timing only.
type sink struct {
	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	secrets  map[string]string // by path
	arrivals map[place][]arrival
	requests int
	accepted int // places that were answered with 200
	trap     *trap
	changed  chan struct{} // closed and replaced at each arrival
}

func newSink(t *testing.T) *sink {
	s := &sink{t: t, secrets: map[string]string{}, arrivals: map[place][]arrival{}, changed: make(chan struct{})}
	s.server = httptest.NewServer(http.HandlerFunc(s.receive))
	t.Cleanup(s.server.Close)
	return s
}

func (s *sink) receive(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	key := s.secrets[r.URL.Path]
	s.mu.Unlock()
	ev, err := webhook.Verify(r, key)
	var data payload
	if err == nil {
		err = ev.Decode(&data)
	}
	if err != nil {
		if r.Context().Err() == nil { // otherwise its node was killed while it wrote
			s.t.Errorf("a bad request: %v", err)
		}
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if data.Order != ev.ID {
		s.t.Errorf("order %s came as webhook-id %s", data.Order, ev.ID)
	}
	answer, held := s.note(place{r.URL.Path, ev.ID}, r.UserAgent())
	if held != nil {
		close(held.caught)
		<-held.release
	}
	switch answer {
	case 0:
		panic(http.ErrAbortHandler)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(answer)
}

// note writes the request down and decides what to do with it.
func (s *sink) note(p place, node string) (answer int, held *trap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer = mood(p, len(s.arrivals[p]))
	if s.trap != nil && (s.trap.node == "" || s.trap.node == node) {
		answer, held, s.trap = http.StatusOK, s.trap, nil
	}
	if answer == http.StatusOK && !s.took(p) {
		s.accepted++
	}
	s.requests++
	s.arrivals[p] = append(s.arrivals[p], arrival{answer: answer, held: held != nil, at: time.Now()})
	close(s.changed)
	s.changed = make(chan struct{})
	return answer, held
}

func (s *sink) took(p place) bool {
	for _, a := range s.arrivals[p] {
		if a.answer == http.StatusOK {
			return true
		}
	}
	return false
}

// mood is how the sink takes a try: 20 % 500, 10 % cut off, 1 % 429 (each keeps its subscription waiting for a second).
func mood(p place, try int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.path + " " + p.event + " " + strconv.Itoa(try)))
	switch n := h.Sum32() % 100; {
	case n < 20:
		return http.StatusInternalServerError
	case n < 30:
		return 0
	case n < 31:
		return http.StatusTooManyRequests
	}
	return http.StatusOK
}

// until waits for the sink to have seen enough.
func (s *sink) until(ctx context.Context, enough func() bool) error {
	for {
		s.mu.Lock()
		done, changed := enough(), s.changed
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// catch waits for the next request of a node, calls do while that waits for its answer, and lets the answer go.
func (s *sink) catch(ctx context.Context, node string, do func() error) error {
	tr := &trap{node: node, caught: make(chan struct{}), release: make(chan struct{})}
	defer close(tr.release)
	s.mu.Lock()
	s.trap = tr
	s.mu.Unlock()
	select {
	case <-tr.caught:
		return do()
	case <-ctx.Done():
		return ctx.Err()
	}
}
