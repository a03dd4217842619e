package teams

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/atc0005/go-teams-notify/v2/adaptivecard"

	"github.com/renkei-go/renkei/transport/chat"
)

const (
	maxCard     = 28 << 10 // bytes of the whole request
	cardVersion = "1.4"    // what Teams shows on all its platforms
)

// card lays a cleaned message out, cutting its text until it fits.
func card(m chat.Message) ([]byte, error) {
	for {
		document, err := encode(m)
		if err != nil || len(document) <= maxCard {
			return document, err
		}
		// Every step takes at least a character away; the excess divided by the longest encoding of one is never too much.
		m.Text = chat.Cut(m.Text, utf8.RuneCountInString(m.Text)-max((len(document)-maxCard)/12, 2))
	}
}

func encode(m chat.Message) ([]byte, error) {
	c := adaptivecard.NewCard()
	c.Version = cardVersion
	c.SetFullWidth()
	if m.Title != "" {
		c.Body = append(c.Body, adaptivecard.NewTitleTextBlock(literal(m.Title), true))
	}
	if m.For != "" {
		c.Body = append(c.Body, adaptivecard.NewTextBlock("→ "+literal(m.For), true))
	}
	if m.Text != "" {
		c.Body = append(c.Body, adaptivecard.NewTextBlock(paragraphs(m.Text), true))
	}
	for _, l := range m.Links {
		action, err := adaptivecard.NewActionOpenURL(l.URL, l.Title)
		if err != nil {
			return nil, err
		}
		c.Actions = append(c.Actions, action)
	}
	message, err := adaptivecard.NewMessageFromCard(c)
	if err != nil {
		return nil, err
	}
	if err := message.Validate(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // it is no HTML, and every byte counts
	err = enc.Encode(message)
	return bytes.TrimSpace(out.Bytes()), err
}

// literal breaks what Markdown would take as a link with a title of its own: "[title](target)".
func literal(s string) string { return strings.ReplaceAll(s, "](", "]\u200B(") }

// paragraphs makes line ends survive, which Markdown would join.
func paragraphs(s string) string { return strings.ReplaceAll(literal(s), "\n", "\n\n") }
