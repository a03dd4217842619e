package chattest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SlackConfig is how a Slack works. The zero values mean the defaults.
type SlackConfig struct {
	Token string           // the valid one; default "xoxb-test"
	Pace  time.Duration    // between messages of a channel; default 1 second, negative none
	Now   func() time.Time // default time.Now
}

// Slack is a running workspace. It is safe for concurrent use.
type Slack struct {
	URL     string // of the web API, for slack.Config
	Webhook string // URL of an incoming webhook that posts to the channel "C0HOOK"
	Token   string

	*server
	cfg   SlackConfig
	posts *window
	tier3 *window

	mu       sync.Mutex
	users    map[string]user // by address
	channels map[string]bool // true: archived
	failures map[string][]failure
	messages []SlackMessage
	calls    map[string]int
}

type user struct {
	id      string
	deleted bool
}

// failure is an answer that was asked for.
type failure struct {
	code       string
	status     int
	retryAfter time.Duration
}

// SlackMessage is a message that was accepted.
type SlackMessage struct {
	Channel  string
	Text     string   // the fallback
	Title    string   // of the header block
	Body     []string // the sections, as a reader sees them: escapes resolved, links as "title (URL)"
	Mentions []string // control sequences in any text that would notify or name somebody, e.g. "!channel", "@U123"
	ID       string   // of its metadata
}

// hookChannel is where the incoming webhook posts.
const hookChannel = "C0HOOK"

// StartSlack starts a Slack that runs until Close or the end of ctx.
func StartSlack(ctx context.Context, cfg SlackConfig) (*Slack, error) {
	if cfg.Token == "" {
		cfg.Token = "xoxb-test"
	}
	if cfg.Pace == 0 {
		cfg.Pace = time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Slack{
		Token: cfg.Token, cfg: cfg, posts: newWindow(1, cfg.Pace, cfg.Now), tier3: newWindow(50, time.Minute, cfg.Now),
		users: map[string]user{}, channels: map[string]bool{hookChannel: false}, failures: map[string][]failure{}, calls: map[string]int{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/{method}", s.method)
	mux.HandleFunc("POST /services/T0/B0/secret", s.webhook)
	mux.HandleFunc("POST /services/", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusNotFound, "no_service") })
	var err error
	if s.server, err = start(ctx, mux); err != nil {
		return nil, err
	}
	s.URL, s.Webhook = s.url+"/api/", s.url+"/services/T0/B0/secret"
	return s, nil
}

// AddUser adds a member of the workspace.
func (s *Slack) AddUser(id, email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[strings.ToLower(email)] = user{id: id}
}

// Deactivate closes the account with the address. Slack still finds some of them.
func (s *Slack) Deactivate(email string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[strings.ToLower(email)]
	u.deleted = true
	s.users[strings.ToLower(email)] = u
}

// AddChannel adds a channel that the app is in.
func (s *Slack) AddChannel(id string) { s.setChannel(id, false) }

// Archive archives a channel.
func (s *Slack) Archive(id string) { s.setChannel(id, true) }

func (s *Slack) setChannel(id string, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[id] = archived
}

// Fail makes the next call of a method ("chat.postMessage", or "webhook") answer with a code; calls queue up.
func (s *Slack) Fail(method, code string) { s.next(method, failure{code: code}) }

// FailStatus makes the next call of a method answer with an HTTP status and a page.
func (s *Slack) FailStatus(method string, status int) { s.next(method, failure{status: status}) }

// Throttle makes the next call of a method answer 429 with a Retry-After.
func (s *Slack) Throttle(method string, retryAfter time.Duration) {
	s.next(method, failure{status: http.StatusTooManyRequests, retryAfter: retryAfter})
}

func (s *Slack) next(method string, f failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[method] = append(s.failures[method], f)
}

// Messages returns what was accepted, oldest first.
func (s *Slack) Messages() []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Calls says how often a method was called.
func (s *Slack) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// failing counts a call and takes the failure that was asked for.
func (s *Slack) failing(method string) (failure, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	if len(s.failures[method]) == 0 {
		return failure{}, false
	}
	f := s.failures[method][0]
	s.failures[method] = s.failures[method][1:]
	return f, true
}

// method answers a call of the web API: arguments as a form or as JSON, the token in the form or as a bearer.
func (s *Slack) method(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	f, failing := s.failing(name)
	args, warning, ok := arguments(r)
	token := args["token"]
	if bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found {
		token = bearer
	}
	switch {
	case failing && f.status != 0:
		if f.retryAfter > 0 {
			throttled(w, f.retryAfter)
			return
		}
		text(w, f.status, "<html>"+http.StatusText(f.status)+"</html>")
	case failing:
		refuse(w, f.code)
	case !ok:
		refuse(w, "invalid_form_data")
	case token == "":
		refuse(w, "not_authed")
	case token != s.cfg.Token:
		refuse(w, "invalid_auth")
	default:
		s.answer(w, name, args, warning)
	}
}

func (s *Slack) answer(w http.ResponseWriter, name string, args map[string]string, warning string) {
	if name == "users.lookupByEmail" || name == "conversations.open" {
		if wait := s.tier3.take(name); wait > 0 {
			throttled(w, wait)
			return
		}
	}
	body := map[string]any{"ok": true}
	if warning != "" {
		body["warning"] = warning
		body["response_metadata"] = map[string]any{"warnings": []string{warning}}
	}
	switch name {
	case "auth.test":
		body["url"], body["team"], body["team_id"], body["user"], body["user_id"] = "https://test.slack.com/", "Test", "T0", "renkei", "U0BOT"
	case "users.lookupByEmail":
		s.mu.Lock()
		u, known := s.users[strings.ToLower(args["email"])]
		s.mu.Unlock()
		if !known {
			refuse(w, "users_not_found")
			return
		}
		body["user"] = map[string]any{"id": u.id, "team_id": "T0", "deleted": u.deleted}
	case "conversations.open":
		id, code := s.open(args["users"])
		if code != "" {
			refuse(w, code)
			return
		}
		body["channel"] = map[string]any{"id": id}
	case "chat.postMessage":
		wait, code, details := s.post(args)
		if wait > 0 {
			throttled(w, wait)
			return
		}
		if code != "" {
			refuse(w, code, details...)
			return
		}
		body["channel"], body["ts"] = args["channel"], fmt.Sprintf("%d.%06d", s.cfg.Now().Unix(), s.Calls(name))
	default:
		refuse(w, "unknown_method")
		return
	}
	reply(w, http.StatusOK, body)
}

// open returns the direct message channel of a user.
func (s *Slack) open(id string) (channel, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if u.id == id && u.deleted {
			return "", "user_disabled"
		}
		if u.id == id {
			channel = "D" + id
			if _, known := s.channels[channel]; !known {
				s.channels[channel] = false
			}
			return channel, ""
		}
	}
	return "", "user_not_found"
}

func (s *Slack) post(args map[string]string) (wait time.Duration, code string, details []string) {
	s.mu.Lock()
	archived, known := s.channels[args["channel"]]
	s.mu.Unlock()
	switch {
	case !known:
		return 0, "channel_not_found", nil
	case archived:
		return 0, "is_archived", nil
	}
	m, code, details := read(args["channel"], args["text"], []byte(args["blocks"]))
	if code != "" {
		return 0, code, details
	}
	if args["metadata"] != "" {
		var meta struct {
			Type    string         `json:"event_type"`
			Payload map[string]any `json:"event_payload"`
		}
		if json.Unmarshal([]byte(args["metadata"]), &meta) != nil || meta.Type == "" {
			return 0, "invalid_metadata_format", nil
		}
		m.ID, _ = meta.Payload["id"].(string)
	}
	if args["parse"] == "full" || args["link_names"] == "true" || args["link_names"] == "1" {
		m.Mentions = append(m.Mentions, parsed(m.Text)...)
	}
	return s.accept(m), "", nil
}

// accept keeps a message, unless its channel has had one just now.
func (s *Slack) accept(m SlackMessage) time.Duration {
	if s.cfg.Pace > 0 {
		if wait := s.posts.take(m.Channel); wait > 0 {
			return wait
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	return 0
}

// webhook answers in plain text, as incoming webhooks do.
func (s *Slack) webhook(w http.ResponseWriter, r *http.Request) {
	if f, failing := s.failing("webhook"); failing {
		switch {
		case f.retryAfter > 0:
			w.Header().Set("Retry-After", strconv.Itoa(seconds(f.retryAfter)))
			text(w, http.StatusTooManyRequests, "rate_limited")
		case f.status != 0:
			text(w, f.status, "<html></html>")
		default:
			text(w, hookStatus[f.code], f.code)
		}
		return
	}
	var in struct {
		Text   string          `json:"text"`
		Blocks json.RawMessage `json:"blocks"`
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		text(w, http.StatusBadRequest, "invalid_payload")
		return
	}
	m, code, _ := read(hookChannel, in.Text, in.Blocks)
	if code != "" {
		text(w, http.StatusBadRequest, code)
		return
	}
	if wait := s.accept(m); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
		text(w, http.StatusTooManyRequests, "rate_limited")
		return
	}
	text(w, http.StatusOK, "ok")
}

// hookStatus are the statuses of a webhook's codes (Slack's changelog of 17 May 2016).
var hookStatus = map[string]int{
	"invalid_payload": 400, "user_not_found": 400, "action_prohibited": 403, "invalid_token": 403, "channel_not_found": 404,
	"no_service": 404, "no_active_hooks": 404, "no_team": 404, "channel_is_archived": 410, "rollup_error": 500,
}

// arguments reads a call's arguments and the warning that its content type earns.
func arguments(r *http.Request) (args map[string]string, warning string, ok bool) {
	args = map[string]string{}
	kind := r.Header.Get("Content-Type")
	if strings.HasPrefix(kind, "application/json") {
		if !strings.Contains(kind, "charset") {
			warning = "missing_charset"
		}
		var in map[string]json.RawMessage
		if json.NewDecoder(r.Body).Decode(&in) != nil {
			return args, "", false
		}
		for name, raw := range in {
			var plain string
			if json.Unmarshal(raw, &plain) != nil {
				plain = string(raw)
			}
			args[name] = plain
		}
		return args, warning, true
	}
	if strings.Contains(kind, "charset") {
		warning = "superfluous_charset"
	}
	if err := r.ParseForm(); err != nil {
		return args, "", false
	}
	for name := range r.PostForm {
		args[name] = r.PostForm.Get(name)
	}
	return args, warning, true
}

func refuse(w http.ResponseWriter, code string, details ...string) {
	body := map[string]any{"ok": false, "error": code}
	if len(details) > 0 {
		body["errors"], body["response_metadata"] = details, map[string]any{"messages": details}
	}
	reply(w, http.StatusOK, body)
}

func throttled(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
	reply(w, http.StatusTooManyRequests, map[string]any{"ok": false, "error": "ratelimited"})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
