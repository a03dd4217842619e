package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/chattest"
	"github.com/renkei-go/renkei/transport/retry"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func setUp(t *testing.T) (*App, *chattest.Slack, *clock) {
	t.Helper()
	c := newClock()
	workspace, err := chattest.StartSlack(t.Context(), chattest.SlackConfig{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = workspace.Close() })
	workspace.AddUser("U1", "alice@example.com")
	workspace.AddChannel("C1")
	app, err := New(Config{
		Token: secret.NewString(workspace.Token), URL: workspace.URL, Client: &http.Client{Timeout: time.Minute}, Now: c.Now, Patience: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return app, workspace, c
}

func TestDirectMessages(t *testing.T) {
	app, workspace, clock := setUp(t)
	if id, err := app.Check(t.Context()); err != nil || id.UserID != "U0BOT" {
		t.Errorf("%+v, %v", id, err)
	}
	for i := range 3 {
		if err := app.Post(t.Context(), chat.Message{ID: fmt.Sprint("n", i), Email: "Alice@Example.com", For: "Alice", Text: "hello"}); err != nil {
			t.Fatal(err)
		}
		clock.advance(time.Second)
	}
	got := workspace.Messages()
	if len(got) != 3 || got[0].Channel != "DU1" || got[0].Body[0] != "hello" || len(got[0].Body) != 1 || got[2].ID != "n2" {
		t.Errorf("%+v", got)
	}
	if n := workspace.Calls("users.lookupByEmail"); n != 1 {
		t.Errorf("%d look-ups", n)
	}
	clock.advance(24 * time.Hour)
	if err := app.Post(t.Context(), chat.Message{Email: "alice@example.com", Text: "hello"}); err != nil || workspace.Calls("users.lookupByEmail") != 2 {
		t.Errorf("%v, %d look-ups a day later", err, workspace.Calls("users.lookupByEmail"))
	}
}

func TestUnknownPeople(t *testing.T) {
	app, workspace, clock := setUp(t)
	workspace.AddUser("U2", "gone@example.com")
	workspace.Deactivate("gone@example.com")
	for _, who := range []string{"gone@example.com", "nobody@example.com", "no address"} {
		for range 2 {
			err := app.Post(t.Context(), chat.Message{Email: who, Text: "x"})
			if !errors.Is(err, chat.ErrPerson) || !retry.IsPermanent(err) || strings.Contains(err.Error(), who) {
				t.Errorf("%s: %v", who, err)
			}
		}
	}
	if n := workspace.Calls("users.lookupByEmail"); n != 2 {
		t.Errorf("%d look-ups of two people", n)
	}
	workspace.AddUser("U3", "nobody@example.com")
	clock.advance(keepUnknown)
	if err := app.Post(t.Context(), chat.Message{Email: "nobody@example.com", Text: "x"}); err != nil {
		t.Errorf("who joined meanwhile: %v", err)
	}
	workspace.Archive("DU3")
	clock.advance(time.Second)
	if err := app.Post(t.Context(), chat.Message{Email: "nobody@example.com", Text: "x"}); !errors.Is(err, chat.ErrChannel) {
		t.Error(err)
	}
	before := workspace.Calls("users.lookupByEmail")
	clock.advance(time.Second)
	_ = app.Post(t.Context(), chat.Message{Email: "nobody@example.com", Text: "x"})
	if workspace.Calls("users.lookupByEmail") != before+1 {
		t.Error("a channel that failed is still remembered")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		code      string
		want      *fault.Error
		permanent bool
	}{
		{"invalid_auth", chat.ErrAccess, true}, {"account_inactive", chat.ErrAccess, true}, {"missing_scope", chat.ErrAccess, true},
		{"channel_not_found", chat.ErrChannel, true}, {"is_archived", chat.ErrChannel, true}, {"user_disabled", chat.ErrPerson, true},
		{"msg_too_long", chat.ErrMessage, true}, {"restricted_action", chat.ErrRefused, true}, {"something_new", chat.ErrRefused, true},
		{"internal_error", chat.ErrUnavailable, false}, {"fatal_error", chat.ErrUnavailable, false}, {"ratelimited", chat.ErrBusy, false},
	} {
		app, workspace, _ := setUp(t)
		workspace.Fail("chat.postMessage", c.code)
		if err := app.Post(t.Context(), chat.Message{Channel: "C1", Text: "x"}); !errors.Is(err, c.want) || retry.IsPermanent(err) != c.permanent {
			t.Errorf("%s: %v, permanent %t", c.code, err, retry.IsPermanent(err))
		}
	}
	app, workspace, clock := setUp(t)
	for status, want := range map[int]*fault.Error{500: chat.ErrUnavailable, 503: chat.ErrUnavailable, 200: chat.ErrUnavailable, 302: chat.ErrRefused} {
		workspace.FailStatus("chat.postMessage", status)
		if err := app.Post(t.Context(), chat.Message{Channel: "C1", Text: "x"}); !errors.Is(err, want) {
			t.Errorf("%d: %v", status, err)
		}
		clock.advance(time.Second)
	}
	if err := app.Post(t.Context(), chat.Message{Channel: "C404", Text: "x"}); !errors.Is(err, chat.ErrChannel) {
		t.Error(err)
	}
	if err := app.Post(t.Context(), chat.Message{Text: "x"}); !errors.Is(err, chat.ErrChannel) {
		t.Error(err)
	}
	if err := app.Post(t.Context(), chat.Message{Channel: "C1"}); !errors.Is(err, chat.ErrMessage) || !retry.IsPermanent(err) {
		t.Error(err)
	}
	stranger, err := New(Config{Token: secret.NewString("xoxb-wrong"), URL: workspace.URL, Client: http.DefaultClient})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Check(t.Context()); !errors.Is(err, chat.ErrAccess) {
		t.Error(err)
	}
	_ = workspace.Close()
	clock.advance(time.Second)
	if err := app.Post(t.Context(), chat.Message{Channel: "C1", Text: "x"}); !errors.Is(err, chat.ErrUnavailable) || strings.Contains(err.Error(), "xoxb") {
		t.Error(err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an empty Config passed")
	}
}

func TestRateLimits(t *testing.T) {
	app, workspace, clock := setUp(t)
	workspace.AddChannel("C2")
	post := func(channel string) error { return app.Post(t.Context(), chat.Message{Channel: channel, Text: "x"}) }
	paced := func(err error) time.Duration {
		if p, ok := errors.AsType[*chat.PacedError](err); ok {
			return p.Wait
		}
		return 0
	}
	if err := errors.Join(post("C1"), post("C2")); err != nil {
		t.Fatal(err)
	}
	if wait := paced(post("C1")); wait != time.Second {
		t.Errorf("a second message at once: waits %s", wait)
	}
	clock.advance(time.Second)
	workspace.Throttle("chat.postMessage", 30*time.Second)
	err := post("C1")
	if wait, _ := retry.AskedFor(err); wait != 30*time.Second || !errors.Is(err, chat.ErrBusy) || paced(err) != 0 || retry.IsPermanent(err) {
		t.Errorf("%v, wait %s", err, wait)
	}
	calls := workspace.Calls("chat.postMessage")
	if wait := paced(post("C2")); wait != 30*time.Second || workspace.Calls("chat.postMessage") != calls {
		t.Errorf("another channel waits %s", wait)
	}
	clock.advance(30 * time.Second)
	if err := errors.Join(post("C1"), post("C2")); err != nil {
		t.Error(err)
	}
	for i := range 60 { // tier 3: 50 look-ups a minute
		workspace.AddUser(fmt.Sprint("U", i), fmt.Sprintf("u%d@example.com", i))
		err = app.Post(t.Context(), chat.Message{Email: fmt.Sprintf("u%d@example.com", i), Text: "x"})
		if want := i >= 50; errors.Is(err, chat.ErrBusy) != want {
			t.Fatalf("look-up %d: %v", i, err)
		}
	}
	if n := workspace.Calls("users.lookupByEmail"); n != 51 {
		t.Errorf("%d look-ups", n)
	}
}

// TestNoInjection: whatever the texts hold, Slack takes the message and nobody is mentioned.
func TestNoInjection(t *testing.T) {
	app, workspace, clock := setUp(t)
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{
			"<!channel>", "<@U1>", "<#C1|general>", "@here", "#general", "<https://evil.example|https://bank.example>", "&lt;!here&gt;", "*b*",
			"https://x.example/a|b>c", "https://x.example/<!here>", "\n", " ", "会議", "<", ">", "&", "http://y.example/q?a=1&b=<@U1>", strings.Repeat("&", 2990), strings.Repeat("x\n", 700),
		})
		text := strings.Join(rapid.SliceOfN(piece, 1, 12).Draw(t, "text"), "")
		m := chat.Message{Channel: "C1", Title: text, For: text, Text: text, Links: []chat.Link{{Title: text, URL: "https://example.com/?q=%3C!here%3E|x"}}}
		clean, err := m.Clean()
		if err != nil {
			return
		}
		clock.advance(time.Second)
		if err := app.Post(context.Background(), m); err != nil {
			t.Fatal(err)
		}
		got := workspace.Messages()
		last := got[len(got)-1]
		if len(last.Mentions) != 0 {
			t.Fatalf("mentions %v", last.Mentions)
		}
		if clean.Title != "" && last.Title != clean.Title {
			t.Fatalf("title %q, want %q", last.Title, clean.Title)
		}
		for _, s := range sections(clean.Text) {
			if utf8.RuneCountInString(s) > maxSection {
				t.Fatal("a section is too long")
			}
		}
	})
}

// TestSections: nothing of the text is lost but line ends where it is cut.
func TestSections(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"word ", "行\n", "&<>", "https://example.com/a?b=c&d=e (", "\n\n", strings.Repeat("y", 1400)}), 0, 40).Draw(t, "text"), "")
		var got strings.Builder
		for _, s := range sections(text) {
			got.WriteString(strings.NewReplacer("<https", "https", "> ", " ", "&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s))
		}
		strip := func(s string) string {
			return strings.NewReplacer("\n", "", " ", "").Replace(s)
		}
		if strip(got.String()) != strip(text) {
			t.Fatalf("%q became %q", text, got.String())
		}
	})
	if got := sections("see https://en.example/Foo_(bar), ok"); len(got) != 1 || got[0] != "see <https://en.example/Foo_(bar)>, ok" {
		t.Errorf("%q", got)
	}
}

func TestWebhook(t *testing.T) {
	c := newClock()
	workspace, err := chattest.StartSlack(t.Context(), chattest.SlackConfig{Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = workspace.Close() }()
	hook, err := NewWebhook(WebhookConfig{URL: secret.NewString(workspace.Webhook), Client: http.DefaultClient, Now: c.Now, Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	m := chat.Message{Email: "alice@example.com", For: "Alice & Bob", Title: "<!here>", Text: "see https://example.com/?a=b&c=d."}
	if err := hook.Post(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := workspace.Messages()[0]
	if got.Channel != "C0HOOK" || got.Title != "<!here>" || got.Text != "<!here>" || len(got.Mentions) != 0 ||
		strings.Join(got.Body, " / ") != "→ Alice & Bob / see https://example.com/?a=b&c=d." {
		t.Errorf("%+v", got)
	}
	if _, ok := errors.AsType[*chat.PacedError](hook.Post(t.Context(), m)); !ok {
		t.Error("a second message at once")
	}
	for code, want := range map[string]*fault.Error{
		"no_service": chat.ErrChannel, "channel_is_archived": chat.ErrChannel, "action_prohibited": chat.ErrAccess, "invalid_payload": chat.ErrMessage,
		"rollup_error": chat.ErrUnavailable,
	} {
		c.advance(time.Second)
		workspace.Fail("webhook", code)
		if err := hook.Post(t.Context(), m); !errors.Is(err, want) || !strings.HasSuffix(err.Error(), code) || retry.IsPermanent(err) == (code == "rollup_error") {
			t.Errorf("%s: %v", code, err)
		}
	}
	c.advance(time.Second)
	workspace.Throttle("webhook", 20*time.Second)
	if wait, _ := retry.AskedFor(hook.Post(t.Context(), m)); wait != 20*time.Second {
		t.Errorf("wait %s", wait)
	}
	if p, _ := errors.AsType[*chat.PacedError](hook.Post(t.Context(), m)); p == nil || p.Wait != 20*time.Second {
		t.Errorf("%+v", p)
	}
	if _, err := NewWebhook(WebhookConfig{URL: secret.NewString("hooks.slack.com"), Client: http.DefaultClient}); err == nil {
		t.Error("a URL without a scheme passed")
	}
}

func TestNothingPrintsTheToken(t *testing.T) {
	cfg := Config{Token: secret.NewString("xoxb-verysecret")}
	raw, err := json.Marshal(map[string]any{"token": cfg.Token})
	if err != nil || strings.Contains(fmt.Sprintf("%+v %#v %s", cfg, cfg, raw), "verysecret") {
		t.Error("the token shows")
	}
}
