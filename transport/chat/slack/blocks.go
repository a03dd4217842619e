package slack

import (
	"regexp"
	"strings"
	"unicode/utf8"

	slackapi "github.com/slack-go/slack"

	"github.com/renkei-go/renkei/transport/chat"
)

// maxSection is Slack's limit for the text of a section, in characters. Those of 12,000 characters of which each is
// escaped make 20 sections, far below the 50 blocks that a message may have.
const maxSection = 3000

// blocks lays a message out. It has been cleaned.
func blocks(m chat.Message) []slackapi.Block {
	var out []slackapi.Block
	if m.Title != "" {
		out = append(out, slackapi.NewHeaderBlock(slackapi.NewTextBlockObject(slackapi.PlainTextType, m.Title, false, false)))
	}
	if m.For != "" {
		out = append(out, slackapi.NewContextBlock("", mrkdwn("→ "+escape(m.For))))
	}
	for _, text := range sections(m.Text) {
		out = append(out, slackapi.NewSectionBlock(mrkdwn(text), nil, nil))
	}
	for _, l := range m.Links {
		out = append(out, slackapi.NewSectionBlock(mrkdwn(link(l.URL, strings.ReplaceAll(l.Title, "|", "¦"))), nil, nil))
	}
	return out
}

func mrkdwn(text string) *slackapi.TextBlockObject {
	return slackapi.NewTextBlockObject(slackapi.MarkdownType, text, false, true)
}

// fallback is what notifications show.
func fallback(m chat.Message) string {
	if m.Title != "" {
		return escape(m.Title)
	}
	return escape(chat.Cut(m.Text, chat.MaxTitle))
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape makes Slack show s as it is.
func escape(s string) string { return escaper.Replace(s) }

// link writes a link; the title is plain text.
func link(url, title string) string {
	url = escape(strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E").Replace(url))
	if title == "" {
		return "<" + url + ">"
	}
	return "<" + url + "|" + escape(title) + ">"
}

// address finds URLs in a text, without the punctuation after them.
var address = regexp.MustCompile(`https?://[^\s<>|"'` + "`" + `]*[^\s<>|"'` + "`" + `.,;:!?)\]}、。」）]`)

// sections escapes a text, makes its URLs links and cuts it at line ends, where it can, into pieces of at most
// maxSection characters.
func sections(text string) []string {
	var out []string
	var piece strings.Builder
	size, lineEnd := 0, -1
	flush := func(at int) {
		whole := piece.String()
		piece.Reset()
		rest := strings.TrimPrefix(whole[at:], "\n")
		piece.WriteString(rest)
		size, lineEnd = utf8.RuneCountInString(rest), -1
		if head := strings.TrimSpace(whole[:at]); head != "" {
			out = append(out, strings.Trim(whole[:at], "\n"))
		}
	}
	add := func(atom string, length int) {
		if size+length > maxSection {
			if lineEnd <= 0 || utf8.RuneCountInString(piece.String()[lineEnd:])+length > maxSection {
				lineEnd = piece.Len()
			}
			flush(lineEnd)
		}
		if atom == "\n" {
			lineEnd = piece.Len()
		}
		piece.WriteString(atom)
		size += length
	}
	plain := func(s string) {
		for _, r := range s {
			atom := escape(string(r))
			add(atom, utf8.RuneCountInString(atom))
		}
	}
	from := 0
	for _, at := range address.FindAllStringIndex(text, -1) {
		if strings.HasPrefix(text[at[1]:], ")") && strings.Count(text[at[0]:at[1]], "(") > strings.Count(text[at[0]:at[1]], ")") {
			at[1]++ // the URL's own parenthesis
		}
		plain(text[from:at[0]])
		from = at[1]
		if l := link(text[at[0]:at[1]], ""); utf8.RuneCountInString(l) <= maxSection {
			add(l, utf8.RuneCountInString(l))
		} else {
			plain(text[at[0]:at[1]])
		}
	}
	plain(text[from:])
	flush(piece.Len())
	return out
}
