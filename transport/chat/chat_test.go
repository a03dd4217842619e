package chat_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/transport/chat"
	"github.com/renkei-go/renkei/transport/retry"
)

func TestClean(t *testing.T) {
	m, err := chat.Message{
		Title: " a\r\nb\x00c\u2028d ", For: "x\ty", Text: "\n1\r\n2\r3\u20284\x1b[0m\xff\n ", Links: []chat.Link{{URL: "https://example.com/a b"}},
	}.Clean()
	if err != nil || m.Title != "a  b c d" || m.For != "x y" || m.Text != "1\n2\n3\n4 [0m\uFFFD" || m.Links[0] != (chat.Link{Title: "https://example.com/a%20b", URL: "https://example.com/a%20b"}) {
		t.Errorf("%+v, %v", m, err)
	}
	link := func(url string) chat.Message { return chat.Message{Text: "x", Links: []chat.Link{{URL: url}}} }
	for _, bad := range []chat.Message{
		{}, {Title: "\n", Text: " \t"}, link("javascript:alert(1)"), link("/path"), link("https://"), link("https://bank.example@evil.example/"),
		link("https://x.example/" + strings.Repeat("a", 2000)), {Text: "x", Links: make([]chat.Link, chat.MaxLinks+1)},
	} {
		if _, err := bad.Clean(); !errors.Is(err, chat.ErrMessage) {
			t.Errorf("%.60v: %v", bad, err)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("title", "text\r\nmore")
	f.Add("\xff\u2028", strings.Repeat("あ", chat.MaxText+1))
	f.Fuzz(func(t *testing.T, title, text string) {
		m, err := chat.Message{Title: title, Text: text}.Clean()
		if err != nil {
			return
		}
		if !utf8.ValidString(m.Title+m.Text) || strings.ContainsAny(m.Title, "\n\r\x00\u2028") || strings.ContainsAny(m.Text, "\r\x00\x1b\u2028") ||
			utf8.RuneCountInString(m.Title) > chat.MaxTitle || utf8.RuneCountInString(m.Text) > chat.MaxText {
			t.Fatalf("%q, %q", m.Title, m.Text)
		}
		if again, err := m.Clean(); err != nil || again.Title != m.Title || again.Text != m.Text {
			t.Fatalf("%q became %q, %v", m, again, err)
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"会議室です", 3, "会議…"}, {"a  b", 3, "a…"}, {"abc", 1, "…"}, {"abc", 0, ""}, {"abc", -1, ""}} {
		if got := chat.Cut(c.in, c.most); got != c.want {
			t.Errorf("%q to %d: %q, want %q", c.in, c.most, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	err := chat.Refuse(chat.ErrAccess, "invalid_auth")
	if !errors.Is(err, chat.ErrAccess) || !retry.IsPermanent(err) || !strings.HasSuffix(err.Error(), ": invalid_auth") {
		t.Error(err)
	}
	for _, foreign := range []string{"<script>", "Token xoxb-1", strings.Repeat("a", 65)} {
		if err := chat.Refuse(chat.ErrAccess, foreign); strings.Contains(err.Error(), foreign) {
			t.Error("foreign text got into an error")
		}
	}
	var paced error = &chat.PacedError{Wait: 3 * time.Second}
	if wait, _ := retry.AskedFor(paced); !errors.Is(paced, chat.ErrBusy) || wait != 3*time.Second || retry.IsPermanent(paced) {
		t.Error(paced)
	}
}

// TestPace: in any span of time no more go than the burst and what the span allows, and who is refused is told the
// truth: exactly then it may go.
func TestPace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_900_000_000, 0)
		every := time.Duration(rapid.Int64Range(1, int64(2*time.Second)).Draw(t, "every"))
		burst := rapid.IntRange(1, 5).Draw(t, "burst")
		p := &chat.Pace{Every: every, Burst: burst, Patience: -1, Now: func() time.Time { return now }}
		var gone []time.Time
		var held time.Time
		for range rapid.IntRange(1, 60).Draw(t, "posts") {
			if rapid.IntRange(0, 9).Draw(t, "held") == 0 {
				d := time.Duration(rapid.Int64Range(0, int64(3*every)).Draw(t, "for"))
				p.Hold("k", d)
				if until := now.Add(d); until.After(held) {
					held = until
				}
			}
			err := p.Wait(context.Background(), "k")
			if paced, ok := errors.AsType[*chat.PacedError](err); ok {
				if paced.Wait <= 0 {
					t.Fatal("refused for no time")
				}
				now = now.Add(paced.Wait - 1)
				if p.Wait(context.Background(), "k") == nil {
					t.Fatal("allowed before the time")
				}
				now = now.Add(1)
				err = p.Wait(context.Background(), "k")
			}
			if err != nil {
				t.Fatal(err)
			}
			if now.Before(held) {
				t.Fatal("allowed while held")
			}
			gone = append(gone, now)
			if first := len(gone) - 1 - burst; first >= 0 && gone[len(gone)-1].Sub(gone[first]) < every {
				t.Fatalf("%d within %s", burst+1, gone[len(gone)-1].Sub(gone[first]))
			}
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*every)).Draw(t, "pause")))
		}
		if err := p.Wait(context.Background(), "another key"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPaceWaits(t *testing.T) {
	p := &chat.Pace{Every: 20 * time.Millisecond}
	began := time.Now()
	for range 3 {
		if err := p.Wait(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("three in %s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Hold("", time.Second)
	if err := p.Wait(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
