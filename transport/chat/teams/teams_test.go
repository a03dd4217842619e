package teams_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/chat/chattest"
	"github.com/renkei-go/renkei/transport/chat/teams"
	"github.com/renkei-go/renkei/transport/retry"
)

func Example() {
	ctx := context.Background()
	workflow, err := chattest.StartTeams(ctx, chattest.TeamsConfig{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = workflow.Close() }()
	sender, err := teams.New(teams.Config{URL: secret.NewString(workflow.URL), Client: &http.Client{Timeout: 10 * time.Second}})
	if err != nil {
		panic(err)
	}
	err = sender.Post(ctx, chat.Message{Title: "Interview moved", Text: "Tuesday, 10:00", Links: []chat.Link{{Title: "Open", URL: "https://ats.example.com/7"}}})
	if err != nil {
		panic(err)
	}
	m := workflow.Messages()[0]
	fmt.Println(m.Version, m.Texts, m.Links)
	// Output: 1.4 [Interview moved Tuesday, 10:00] [Open (https://ats.example.com/7)]
}

func setUp(t *testing.T, perSecond int) (*teams.Sender, *chattest.Teams, func(time.Duration)) {
	t.Helper()
	now := time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC)
	workflow, err := chattest.StartTeams(t.Context(), chattest.TeamsConfig{PerSecond: perSecond, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = workflow.Close() })
	sender, err := teams.New(teams.Config{
		URL: secret.NewString(workflow.URL), Client: &http.Client{Timeout: time.Minute}, Now: func() time.Time { return now }, Patience: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sender, workflow, func(d time.Duration) { now = now.Add(d) }
}

func TestPaceAndErrors(t *testing.T) {
	sender, workflow, advance := setUp(t, 0)
	m := chat.Message{Email: "alice@example.com", For: "Alice", Text: "x"}
	for range 4 {
		if err := sender.Post(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if paced, _ := errors.AsType[*chat.PacedError](sender.Post(t.Context(), m)); paced == nil || paced.Wait != 250*time.Millisecond || workflow.Calls() != 4 {
		t.Errorf("%v, %d calls", paced, workflow.Calls())
	}
	if got := workflow.Messages()[0]; strings.Join(got.Texts, " / ") != "→ Alice / x" {
		t.Errorf("%+v", got)
	}
	for status, want := range map[int]*fault.Error{
		400: chat.ErrMessage, 401: chat.ErrAccess, 403: chat.ErrAccess, 404: chat.ErrChannel, 410: chat.ErrChannel, 413: chat.ErrMessage,
		302: chat.ErrRefused, 500: chat.ErrUnavailable, 502: chat.ErrUnavailable, 504: chat.ErrUnavailable,
	} {
		advance(time.Second)
		workflow.Fail(status, 0)
		if err := sender.Post(t.Context(), m); !errors.Is(err, want) || retry.IsPermanent(err) != (status < 500) || strings.Contains(err.Error(), "sig=") {
			t.Errorf("%d: %v", status, err)
		}
	}
	advance(time.Second)
	workflow.Fail(429, 15*time.Second)
	if wait, _ := retry.AskedFor(sender.Post(t.Context(), m)); wait != 15*time.Second {
		t.Errorf("wait %s", wait)
	}
	if paced, _ := errors.AsType[*chat.PacedError](sender.Post(t.Context(), m)); paced == nil || paced.Wait != 15*time.Second {
		t.Errorf("%v", paced)
	}
	advance(15 * time.Second)
	if err := sender.Post(t.Context(), m); err != nil {
		t.Error(err)
	}
}

// TestCards: whatever the texts hold, the card is taken, fits, mentions nobody and holds no link with a title of its own.
func TestCards(t *testing.T) {
	sender, workflow, advance := setUp(t, -1)
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{
			"<at>Bob</at>", "[bank](https://evil.example)", "](", "]", "(", "\n", "\t", "\"", "\\", "会議", "😀", "\u2028", strings.Repeat("\n", 3000) + "x",
			strings.Repeat("\\", 6000), strings.Repeat("😀", 6000), strings.Repeat("](", 5000),
		})
		text := strings.Join(rapid.SliceOfN(piece, 1, 10).Draw(t, "text"), "")
		m := chat.Message{Title: text, For: text, Text: text, Links: []chat.Link{{Title: text, URL: "https://example.com/"}}}
		if _, err := m.Clean(); err != nil {
			return
		}
		advance(time.Second)
		if err := sender.Post(context.Background(), m); err != nil {
			t.Fatal(err)
		}
		got := workflow.Messages()
		last := got[len(got)-1]
		if last.Bytes > 28<<10 || last.Mentions != 0 || strings.Contains(strings.Join(last.Texts, "\x00"), "](") {
			t.Fatalf("%d bytes, %d mentions, %.300q", last.Bytes, last.Mentions, last.Texts)
		}
	})
}

// TestCutCard: no more is cut than must be.
func TestCutCard(t *testing.T) {
	sender, workflow, _ := setUp(t, -1)
	if err := sender.Post(t.Context(), chat.Message{Text: strings.Repeat("会", chat.MaxText)}); err != nil {
		t.Fatal(err)
	}
	if got := workflow.Messages()[0]; got.Bytes < 27<<10 || !strings.HasSuffix(got.Texts[0], "会…") {
		t.Errorf("%d bytes", got.Bytes)
	}
}

func TestLookup(t *testing.T) {
	workflow, err := chattest.StartTeams(t.Context(), chattest.TeamsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = workflow.Close() }()
	sender, err := teams.New(teams.Config{
		URL: secret.NewString(workflow.URL), Client: http.DefaultClient,
		Lookup: func(_ context.Context, email string) (secret.String, error) {
			switch email {
			case "alice@example.com":
				return secret.NewString(strings.Replace(workflow.URL, "w0", "alice", 1)), nil
			case "broken@example.com":
				return secret.String{}, nil
			}
			return secret.String{}, chat.ErrPerson
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	post := func(email string) error {
		return sender.Post(t.Context(), chat.Message{Email: email, For: "somebody", Text: "x"})
	}
	if err := errors.Join(post("alice@example.com"), post("")); err != nil {
		t.Fatal(err)
	}
	got := workflow.Messages()
	if !strings.Contains(got[0].Path, "/alice/") || len(got[0].Texts) != 1 || !strings.Contains(got[1].Path, "/w0/") || len(got[1].Texts) != 2 {
		t.Errorf("%+v", got)
	}
	if err := post("bob@example.com"); !errors.Is(err, chat.ErrPerson) || !retry.IsPermanent(err) {
		t.Error(err)
	}
	if err := post("broken@example.com"); !errors.Is(err, chat.ErrChannel) || !retry.IsPermanent(err) || len(workflow.Messages()) != 2 {
		t.Error(err)
	}
	for _, cfg := range []teams.Config{{}, {Client: http.DefaultClient}, {Client: http.DefaultClient, URL: secret.NewString("x")}} {
		if _, err := teams.New(cfg); err == nil {
			t.Error("an incomplete Config passed")
		}
	}
}

// TestLateFailure: a connector URL of the old kind says 200 and puts the failure into the text.
func TestLateFailure(t *testing.T) {
	for status, want := range map[string]*fault.Error{"429": chat.ErrBusy, "413": chat.ErrMessage, "500": chat.ErrUnavailable} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error %s with ContextId x", status)
		}))
		sender, err := teams.New(teams.Config{URL: secret.NewString(server.URL), Client: server.Client()})
		if err != nil {
			t.Fatal(err)
		}
		if err := sender.Post(t.Context(), chat.Message{Text: "x"}); !errors.Is(err, want) {
			t.Errorf("%s: %v", status, err)
		}
		server.Close()
	}
}
