package graphtest

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// The application that may sign in.
const (
	TenantID     = "contoso.example"
	ClientID     = "11111111-2222-3333-4444-555555555555"
	ClientSecret = "graphtest-secret"
)

// Call is a request to the fake, alone or in a batch.
type Call struct {
	N       int // from 1; the requests of a batch count, and the batch itself
	Method  string
	Path    string // after /v1.0, with the query
	InBatch bool
}

// Writes says whether the call changes something; a batch only holds calls.
func (c Call) Writes() bool { return c.Method != http.MethodGet && c.Path != "/$batch" }

// Fault is what goes wrong with a call. The zero value is nothing.
type Fault struct {
	Status     int    // answered instead of doing the work; 0: do it
	Code       string // error.code; default by Status
	RetryAfter int    // seconds
	Lose       bool   // do the work and break the connection; in a batch it breaks the batch's
}

// Config says how the fake behaves. The zero value has no faults, no lag and no limits.
type Config struct {
	PageSize int                // of lists and deltas; default 100
	Lag      int                // how many calls later lists and deltas show a write
	Replay   bool               // deltas repeat what they have told
	Writes   float64            // a second; 0: no limit. 100 calls may come at once
	Faults   func(c Call) Fault // consulted for each call, one at a time
	Now      func() time.Time   // default time.Now
}

// Server is a fake Graph. It is safe for concurrent use.
type Server struct {
	http  *httptest.Server
	limit *rate.Limiter

	mu      sync.Mutex
	cfg     Config
	calls   []Call
	tokens  map[string]bool
	nextID  int
	seq     int // of the newest version
	stamps  []int
	epoch   int // delta tokens of earlier ones are forgotten
	users   table
	groups  table
	revoked map[string]int
	upns    map[string]string // of users that are there, in lower case
	uniques map[string]string // of groups
	deltas  map[string][]deltaItem
}

// New starts a fake that ends with the test.
func New(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	s := &Server{
		cfg: cfg, tokens: map[string]bool{}, users: newTable(), groups: newTable(), revoked: map[string]int{}, upns: map[string]string{},
		uniques: map[string]string{}, deltas: map[string][]deltaItem{}, stamps: []int{0},
	}
	if s.cfg.PageSize == 0 {
		s.cfg.PageSize = 100
	}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	if cfg.Writes > 0 {
		s.limit = rate.NewLimiter(rate.Limit(cfg.Writes), 100)
	}
	s.http = httptest.NewTLSServer(s)
	tb.Cleanup(s.http.Close)
	return s
}

// BaseURL is what stands for https://graph.microsoft.com/v1.0.
func (s *Server) BaseURL() string { return s.http.URL + "/v1.0" }

// TokenURL is what stands for the token endpoint of TenantID.
func (s *Server) TokenURL() string { return s.http.URL + "/" + TenantID + "/oauth2/v2.0/token" }

// HTTP is a client that trusts the fake.
func (s *Server) HTTP() *http.Client { return s.http.Client() }

// Certificate is what a client of another language must trust, in PEM form.
func (s *Server) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
}

// SetFaults replaces Config.Faults.
func (s *Server) SetFaults(f func(Call) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Faults = f
}

// Calls returns the calls so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call{}, s.calls...)
}

// ExpireDelta makes the fake forget all delta tokens that it gave: they are answered by 410.
func (s *Server) ExpireDelta() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
}

// RevokeTokens makes the fake refuse the access tokens that it gave.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// answer is what a call is answered.
type answer struct {
	status int
	header map[string]string
	body   any // nil: none
}

func refuse(status int, code, message string, details ...map[string]any) answer {
	inner := map[string]any{"date": "2026-01-01T00:00:00", "request-id": "00000000-0000-0000-0000-000000000001", "client-request-id": "00000000-0000-0000-0000-000000000001"}
	e := map[string]any{"code": code, "message": message, "innerError": inner}
	if len(details) > 0 {
		e["details"] = details
	}
	return answer{status: status, body: map[string]any{"error": e}}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return
	}
	if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
		s.reply(w, s.token(r, body))
		return
	}
	path, ok := strings.CutPrefix(r.URL.RequestURI(), "/v1.0")
	if !ok {
		s.reply(w, refuse(http.StatusNotFound, "BadRequest", "Invalid version"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !s.tokens[token] {
		a := refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty, expired or not ours.")
		a.header = map[string]string{"WWW-Authenticate": "Bearer"}
		s.reply(w, a)
		return
	}
	header := map[string]string{}
	for name := range r.Header {
		header[strings.ToLower(name)] = r.Header.Get(name)
	}
	a, lose := s.call(r.Method, path, header, body, false)
	if lose {
		panic(http.ErrAbortHandler)
	}
	s.reply(w, a)
}

func (s *Server) reply(w http.ResponseWriter, a answer) {
	w.Header().Set("request-id", "00000000-0000-0000-0000-000000000001")
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // the client may be gone
}

// token is the endpoint of client credentials.
func (s *Server) token(r *http.Request, body []byte) answer {
	form, err := url.ParseQuery(string(body))
	bad := func(status int, code, description string) answer {
		return answer{status: status, body: map[string]any{
			"error": code, "error_description": description, "error_codes": []int{7000215}, "timestamp": "2026-01-01 00:00:00Z",
			"trace_id": "00000000-0000-0000-0000-000000000001", "correlation_id": "00000000-0000-0000-0000-000000000001",
		}}
	}
	switch {
	case err != nil || r.Method != http.MethodPost || form.Get("grant_type") != "client_credentials":
		return bad(http.StatusBadRequest, "unsupported_grant_type", "AADSTS70003: The grant type is not supported.")
	case !strings.HasSuffix(form.Get("scope"), "/.default"):
		return bad(http.StatusBadRequest, "invalid_scope", "AADSTS1002012: The scope must end in /.default.")
	case !strings.HasPrefix(r.URL.Path, "/"+TenantID+"/"):
		return bad(http.StatusBadRequest, "invalid_request", "AADSTS90002: Tenant not found.")
	case form.Get("client_id") != ClientID || form.Get("client_secret") != ClientSecret:
		return bad(http.StatusUnauthorized, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextID++
	token := fmt.Sprintf("token-%d", s.nextID)
	s.tokens[token] = true
	return answer{status: http.StatusOK, body: map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token}}
}

// call answers one call, alone or of a batch.
func (s *Server) call(method, path string, header map[string]string, body []byte, inBatch bool) (a answer, lose bool) {
	c := Call{N: len(s.calls) + 1, Method: method, Path: path, InBatch: inBatch}
	s.calls = append(s.calls, c)
	var f Fault
	if s.cfg.Faults != nil {
		f = s.cfg.Faults(c)
	}
	if f.Status != 0 {
		code := f.Code
		if code == "" {
			code = map[int]string{429: "TooManyRequests", 503: "serviceNotAvailable", 403: "Authorization_RequestDenied"}[f.Status]
		}
		a := refuse(f.Status, code, "It was meant to fail.")
		if f.RetryAfter > 0 {
			a.header = map[string]string{"Retry-After": strconv.Itoa(f.RetryAfter)}
		}
		return a, f.Lose
	}
	if c.Writes() && s.limit != nil && !s.limit.AllowN(s.cfg.Now(), 1) {
		return throttled(), f.Lose
	}
	address, err := url.Parse(path)
	if err != nil {
		return refuse(http.StatusBadRequest, "BadRequest", "Bad URL."), f.Lose
	}
	if address.Path == "/$batch" && method == http.MethodPost && !inBatch {
		a, lose := s.batch(body)
		return a, lose || f.Lose
	}
	q := request{method: method, path: parts(address.Path), query: address.Query(), header: header}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &q.body); err != nil {
			return refuse(http.StatusBadRequest, "BadRequest", "Unable to read JSON request payload."), f.Lose
		}
	}
	return s.route(q), f.Lose
}

func throttled() answer {
	a := refuse(http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
	a.header = map[string]string{
		"Retry-After": "1", "x-ms-throttle-limit-percentage": "1.0", "x-ms-throttle-scope": "Tenant_Application/ReadWrite", "x-ms-throttle-information": "CPULimitExceeded",
	}
	return a
}

// request is a call taken apart.
type request struct {
	method string
	path   []string
	query  url.Values
	header map[string]string
	body   map[string]any
}

// parts splits a path, with what is in the brackets of its first part as a part of its own: /groups(uniqueName='x').
func parts(path string) []string {
	out := strings.Split(strings.Trim(path, "/"), "/")
	if name, key, ok := strings.Cut(out[0], "("); ok && strings.HasSuffix(key, "')") {
		out = append([]string{name, "(" + strings.TrimSuffix(key, ")")}, out[1:]...)
	}
	return out
}

func (s *Server) route(q request) answer {
	switch {
	case q.path[0] == "users" && len(q.path) > 1 && isDelta(q.path[1]):
		return s.delta(q, &s.users)
	case q.path[0] == "groups" && len(q.path) > 1 && isDelta(q.path[1]):
		return s.delta(q, &s.groups)
	case q.path[0] == "users":
		return s.user(q)
	case q.path[0] == "groups":
		return s.group(q)
	case q.path[0] == "directory" && len(q.path) == 4 && q.path[1] == "deletedItems" && q.path[3] == "restore" && q.method == http.MethodPost:
		return s.restore(q.path[2])
	}
	return refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment.")
}

func isDelta(part string) bool {
	return part == "delta" || part == "delta()" || part == "microsoft.graph.delta()" || part == "microsoft.graph.delta"
}

var (
	noContent  = answer{status: http.StatusNoContent}
	notFound   = refuse(http.StatusNotFound, "Request_ResourceNotFound", "Resource does not exist or one of its queried reference-property objects are not present.")
	notAllowed = refuse(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
)

func badRequest(message string, details ...map[string]any) answer {
	return refuse(http.StatusBadRequest, "Request_BadRequest", message, details...)
}

// batch answers its requests in the opposite order, which the protocol allows.
func (s *Server) batch(body []byte) (answer, bool) {
	var in struct {
		Requests []struct {
			ID        string            `json:"id"`
			Method    string            `json:"method"`
			URL       string            `json:"url"`
			Headers   map[string]string `json:"headers"`
			Body      json.RawMessage   `json:"body"`
			DependsOn []string          `json:"dependsOn"`
		} `json:"requests"`
	}
	if err := json.Unmarshal(body, &in); err != nil || len(in.Requests) == 0 {
		return refuse(http.StatusBadRequest, "BadRequest", "Invalid batch payload format."), false
	}
	if len(in.Requests) > 20 {
		return refuse(http.StatusBadRequest, "BadRequest", "Number of batch request steps exceeds the maximum value of 20."), false
	}
	status := map[string]int{}
	var out []map[string]any
	broken := false
	for _, r := range in.Requests {
		if _, twice := status[r.ID]; twice || r.ID == "" || !strings.HasPrefix(r.URL, "/") {
			return refuse(http.StatusBadRequest, "BadRequest", "Each request has an id of its own and a relative url."), false
		}
		header := map[string]string{}
		for name, value := range r.Headers {
			header[strings.ToLower(name)] = value
		}
		if len(r.Body) > 0 && header["content-type"] == "" {
			return refuse(http.StatusBadRequest, "BadRequest", "Write request id : "+r.ID+" does not contain Content-Type header or body."), false
		}
		a := refuse(http.StatusFailedDependency, "FailedDependency", "A request that it depends on failed.")
		ok := true
		for _, d := range r.DependsOn {
			ok = ok && status[d] != 0 && status[d] < http.StatusBadRequest
		}
		if ok {
			var lose bool
			a, lose = s.call(r.Method, r.URL, header, r.Body, true)
			broken = broken || lose
		}
		status[r.ID] = a.status
		item := map[string]any{"id": r.ID, "status": a.status, "headers": a.header}
		if a.header == nil {
			item["headers"] = map[string]string{}
		}
		if a.body != nil {
			item["body"] = a.body
		}
		out = append([]map[string]any{item}, out...)
	}
	return answer{status: http.StatusOK, body: map[string]any{"responses": out}}, broken
}
