package chattest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// block is what is read of a Block Kit block.
type block struct {
	Type     string        `json:"type"`
	Text     *textObject   `json:"text"`
	Elements []textObject  `json:"elements"`
	Fields   []*textObject `json:"fields"`
}

type textObject struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim"`
}

// read checks a message as Slack does and renders it.
func read(channel, fallback string, raw []byte) (m SlackMessage, code string, details []string) {
	m = SlackMessage{Channel: channel, Text: unescape(fallback), Mentions: mentions(fallback)}
	if utf8.RuneCountInString(fallback) > 40_000 {
		return m, "msg_too_long", nil
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" || string(raw) == "[]" {
		if fallback == "" {
			return m, "no_text", nil
		}
		return m, "", nil
	}
	var blocks []block
	if json.Unmarshal(raw, &blocks) != nil {
		return m, "invalid_blocks_format", nil
	}
	bad := func(i int, what string) {
		details = append(details, fmt.Sprintf("[ERROR] %s [json-pointer:/blocks/%d]", what, i))
	}
	if len(blocks) > 50 {
		bad(50, "no more than 50 items allowed")
	}
	for i, b := range blocks {
		switch b.Type {
		case "header":
			if checkText(b.Text, 150) != "" || b.Text.Type != "plain_text" {
				bad(i, "must be a plain_text of 1 to 150 characters")
				continue
			}
			m.Title = b.Text.Text
		case "section":
			if b.Text == nil && len(b.Fields) > 0 && len(b.Fields) <= 10 {
				continue
			}
			if what := checkText(b.Text, 3000); what != "" {
				bad(i, what)
				continue
			}
			m.show(*b.Text)
		case "context":
			if len(b.Elements) == 0 || len(b.Elements) > 10 {
				bad(i, "must have 1 to 10 elements")
			}
			for _, e := range b.Elements {
				if what := checkText(&e, 3000); what != "" {
					bad(i, what)
					continue
				}
				m.show(e)
			}
		case "divider", "image", "actions", "rich_text":
		default:
			bad(i, "unsupported type")
		}
	}
	if len(details) > 0 {
		return m, "invalid_blocks", details
	}
	return m, "", nil
}

// show adds a text as a reader sees it.
func (m *SlackMessage) show(t textObject) {
	if t.Type == "plain_text" {
		m.Body = append(m.Body, t.Text)
		return
	}
	m.Mentions = append(m.Mentions, mentions(t.Text)...)
	if !t.Verbatim {
		m.Mentions = append(m.Mentions, parsed(t.Text)...)
	}
	m.Body = append(m.Body, unescape(t.Text))
}

func checkText(t *textObject, most int) string {
	switch {
	case t == nil:
		return "missing required field: text"
	case t.Type != "plain_text" && t.Type != "mrkdwn":
		return "unsupported text type"
	case strings.TrimSpace(t.Text) == "":
		return "must be more than 0 characters"
	case utf8.RuneCountInString(t.Text) > most:
		return fmt.Sprintf("must be less than %d characters", most+1)
	}
	return ""
}

var (
	control = regexp.MustCompile(`<([^<>]*)>`)
	names   = regexp.MustCompile(`(?:^|\s)([@#][\w.-]+)`)
	unesc   = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
)

// mentions are the control sequences that name people, groups or channels.
func mentions(text string) (found []string) {
	for _, m := range control.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "!") || strings.HasPrefix(m[1], "@") || strings.HasPrefix(m[1], "#") {
			found = append(found, m[1])
		}
	}
	return found
}

// parsed are the names that automatic parsing makes mentions.
func parsed(text string) (found []string) {
	for _, m := range names.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// unescape shows mrkdwn as a reader sees it, but for emphasis.
func unescape(text string) string {
	text = control.ReplaceAllStringFunc(text, func(s string) string {
		url, title, named := strings.Cut(s[1:len(s)-1], "|")
		if named {
			return title + " (" + url + ")"
		}
		return url
	})
	return unesc.Replace(text)
}
