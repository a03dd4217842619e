package chattest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// TeamsConfig is how a Teams works. The zero values mean the defaults.
type TeamsConfig struct {
	PerSecond int              // messages; default 4, negative any number
	Now       func() time.Time // default time.Now
}

// Teams is a running workflow with a webhook. It is safe for concurrent use.
type Teams struct {
	URL string // of the webhook, for teams.Config

	*server
	cfg   TeamsConfig
	posts *window

	mu       sync.Mutex
	failures []failure
	messages []TeamsMessage
	calls    int
}

// TeamsMessage is a card that was accepted.
type TeamsMessage struct {
	Path     string   // of the webhook it came to; every path below URL is a webhook of its own
	Version  string   // of the card
	Texts    []string // of its text blocks, in their order
	Links    []string // "title (URL)" of its buttons
	Mentions int      // entities that mention somebody
	Bytes    int      // of the request
}

// maxCard is the most that Teams takes, in bytes.
const maxCard = 28 << 10

// StartTeams starts a Teams that runs until Close or the end of ctx.
func StartTeams(ctx context.Context, cfg TeamsConfig) (*Teams, error) {
	if cfg.PerSecond == 0 {
		cfg.PerSecond = 4
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &Teams{cfg: cfg, posts: newWindow(cfg.PerSecond, time.Second, cfg.Now)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /workflows/", t.webhook)
	var err error
	if t.server, err = start(ctx, mux); err != nil {
		return nil, err
	}
	t.URL = t.url + "/workflows/w0/triggers/manual/paths/invoke?sig=secret"
	return t, nil
}

// Fail makes the next request answer with a status; requests queue up. retryAfter 0 sends no Retry-After.
func (t *Teams) Fail(status int, retryAfter time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, failure{status: status, retryAfter: retryAfter})
}

// Messages returns what was accepted, oldest first.
func (t *Teams) Messages() []TeamsMessage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.messages)
}

// Calls says how many requests came.
func (t *Teams) Calls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls
}

func (t *Teams) failing() (failure, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls++
	if len(t.failures) == 0 {
		return failure{}, false
	}
	f := t.failures[0]
	t.failures = t.failures[1:]
	return f, true
}

func (t *Teams) webhook(w http.ResponseWriter, r *http.Request) {
	if f, failing := t.failing(); failing {
		if f.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(seconds(f.retryAfter)))
		}
		w.WriteHeader(f.status)
		return
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil || len(body) > maxCard:
		problem(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge")
		return
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		problem(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType")
		return
	}
	m, ok := readCard(body)
	if !ok {
		problem(w, http.StatusBadRequest, "InvalidRequestContent")
		return
	}
	if m.Path = r.URL.Path; t.cfg.PerSecond > 0 {
		if wait := t.posts.take(m.Path); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
			problem(w, http.StatusTooManyRequests, "TooManyRequests")
			return
		}
	}
	t.mu.Lock()
	t.messages = append(t.messages, m)
	t.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// problem answers as the workflow service does.
func problem(w http.ResponseWriter, status int, code string) {
	reply(w, status, map[string]any{"error": map[string]any{"code": code, "message": http.StatusText(status)}})
}

// readCard checks the envelope and the card that a workflow's webhook expects.
func readCard(body []byte) (m TeamsMessage, ok bool) {
	var in struct {
		Type        string `json:"type"`
		Attachments []struct {
			ContentType string `json:"contentType"`
			Content     struct {
				Type    string `json:"type"`
				Version string `json:"version"`
				Body    []struct {
					Type string `json:"type"`
					Text string `json:"text"`
				} `json:"body"`
				Actions []struct {
					Type  string `json:"type"`
					Title string `json:"title"`
					URL   string `json:"url"`
				} `json:"actions"`
				MSTeams struct {
					Entities []json.RawMessage `json:"entities"`
				} `json:"msteams"`
			} `json:"content"`
		} `json:"attachments"`
	}
	if json.Unmarshal(body, &in) != nil || in.Type != "message" || len(in.Attachments) == 0 {
		return m, false
	}
	m.Bytes = len(body)
	for _, a := range in.Attachments {
		if a.ContentType != "application/vnd.microsoft.card.adaptive" || a.Content.Type != "AdaptiveCard" ||
			a.Content.Version < "1.0" || a.Content.Version > "1.5" || len(a.Content.Body) == 0 || len(a.Content.Actions) > 6 {
			return m, false
		}
		m.Version = a.Content.Version
		m.Mentions += len(a.Content.MSTeams.Entities)
		for _, e := range a.Content.Body {
			if e.Type != "TextBlock" || e.Text == "" {
				return m, false
			}
			m.Texts = append(m.Texts, e.Text)
		}
		for _, action := range a.Content.Actions {
			if action.Type != "Action.OpenUrl" || action.URL == "" {
				return m, false
			}
			m.Links = append(m.Links, action.Title+" ("+action.URL+")")
		}
	}
	return m, true
}
