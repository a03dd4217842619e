package chat

import (
	"context"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sender posts messages. Implementations are safe for concurrent use and return soon after ctx ends. Post returns the
// faults of this package, *PacedError, or an error of ctx.
type Sender interface {
	Post(ctx context.Context, m Message) error
}

// Message is what is posted. All of it is plain text.
type Message struct {
	ID      string // stays the same when the message is posted again; optional
	Email   string // whom to tell, by mail address
	Channel string // or the conversation, e.g. Slack's "C024BE91L"; a sender with a conversation of its own ignores both
	For     string // name of the person whom it is for; shown where others read along
	Title   string // one line, shown larger
	Text    string // lines end with "\n"; URLs of http and https become links
	Links   []Link // at most MaxLinks; shown below the text
}

// Link leads to a page.
type Link struct {
	Title string // default: the URL
	URL   string // http or https, at most 2000 bytes
}

// What senders keep of a message, in characters. The tools' own limits may cut further.
const (
	MaxTitle = 150
	MaxText  = 12_000
	MaxLinks = 5
)

// Clean returns the message as senders post it: valid UTF-8, no control characters but line feeds and tabs in Text,
// cut to the limits. It returns ErrMessage for one without Title and Text, or with a link that is none. Implementations
// of Sender call it first.
func (m Message) Clean() (Message, error) {
	m.Title, m.For, m.Text = Cut(oneLine(m.Title), MaxTitle), Cut(oneLine(m.For), MaxTitle), Cut(lines(m.Text), MaxText)
	if m.Title == "" && m.Text == "" || len(m.Links) > MaxLinks {
		return m, ErrMessage
	}
	links := make([]Link, len(m.Links))
	for i, l := range m.Links {
		u, err := url.Parse(l.URL)
		if err != nil || len(l.URL) > 2000 || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return m, ErrMessage
		}
		links[i] = Link{Title: Cut(oneLine(l.Title), MaxTitle), URL: u.String()}
		if links[i].Title == "" {
			links[i].Title = Cut(links[i].URL, MaxTitle)
		}
	}
	m.Links = links
	return m, nil
}

func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")))
}

func lines(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.IsControl(r) && r != '\n' && r != '\t':
			return ' '
		}
		return r
	}, s), "\n\t ")
}

// Cut shortens s to most characters, the last of which is then "…".
func Cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	if most < 1 {
		return ""
	}
	for i := range s {
		if most--; most == 0 {
			return strings.TrimRightFunc(s[:i], unicode.IsSpace) + "…"
		}
	}
	return s
}
