package mail

import (
	"context"
	"mime"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport/retry"
)

// ErrMessage is returned, as a retry.Permanent error with a field, for a message that cannot be sent.
var ErrMessage = fault.New(fault.Invalid, "invalid_mail", "the mail message is not valid")

// Message is a mail. Addresses are in the form of RFC 5322 §3.4: "alice@example.com" or "Alice <alice@example.com>";
// names may hold any characters, they are encoded.
type Message struct {
	From         string   // default: that of the Sender
	To           []string // at least one
	ReplyTo      string
	ReturnPath   string // where bounces go: the envelope's sender, RFC 5321 §2.3.1; default: the Sender's own address
	Subject      string
	Text         string // at least one of Text, HTML and Alternatives
	HTML         string
	Alternatives []Part            // other forms of the same content, e.g. text/calendar
	Attachments  []Part            // with a Name
	Headers      map[string]string // others, e.g. "List-Unsubscribe": header names of RFC 5322; not those that Message has fields for
	MessageID    string            // without the angle brackets, "id@domain"; give the same one when you send again; default: a random one
	Date         time.Time         // default: now
}

// Part is a part of a message; it is sent in base64.
type Part struct {
	ContentType string // e.g. "text/calendar; method=REQUEST"; for text, charset=UTF-8 is added and Content must be UTF-8
	Name        string // file name of an attachment
	Content     []byte
}

// Sender sends messages. Implementations are safe for concurrent use. An error marked by retry.Permanent cannot be cured
// by another try; any other can.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

var (
	headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,75}$`)
	messageID  = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,200}@[A-Za-z0-9.-]{1,253}$`)
)

// reserved are the headers that come from fields of Message, from the transport, or that say how the body is made.
var reserved = map[string]bool{
	"from": true, "to": true, "cc": true, "bcc": true, "sender": true, "reply-to": true, "subject": true, "date": true,
	"message-id": true, "mime-version": true, "auto-submitted": true, "return-path": true, "received": true,
	"dkim-signature": true, "authentication-results": true,
}

// Validate returns ErrMessage with the first bad field, or nil.
func (m Message) Validate() error {
	if m.From != "" && !isAddress(m.From) {
		return bad("from", "must be a mail address")
	}
	if len(m.To) == 0 {
		return bad("to", "must name a recipient")
	}
	for _, to := range m.To {
		if !isAddress(to) {
			return bad("to", "must be a mail address")
		}
	}
	if m.ReplyTo != "" && !isAddress(m.ReplyTo) {
		return bad("reply_to", "must be a mail address")
	}
	if m.ReturnPath != "" && !isAddress(m.ReturnPath) {
		return bad("return_path", "must be a mail address")
	}
	if !isLine(m.Subject) {
		return bad("subject", "must be one line of UTF-8 text")
	}
	if m.MessageID != "" && !messageID.MatchString(m.MessageID) {
		return bad("message_id", "must have the form id@domain")
	}
	if err := m.validateHeaders(); err != nil {
		return err
	}
	if m.Text == "" && m.HTML == "" && len(m.Alternatives) == 0 {
		return bad("text", "is missing, and so are all other forms")
	}
	if !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML) {
		return bad("text", "must be UTF-8")
	}
	for _, p := range m.Alternatives {
		if !isType(p.ContentType) {
			return bad("alternatives", "must have a media type each")
		}
	}
	for _, p := range m.Attachments {
		if !isType(p.ContentType) || p.Name == "" || len(p.Name) > mostName || !isLine(p.Name) {
			return bad("attachments", "must have a media type and a name of at most 200 bytes each")
		}
	}
	return nil
}

func (m Message) validateHeaders() error {
	for name, value := range m.Headers {
		if lower := strings.ToLower(name); !headerName.MatchString(name) || reserved[lower] || strings.HasPrefix(lower, "content-") || strings.HasPrefix(lower, "resent-") {
			return bad("headers", "has a name that is not allowed")
		}
		if !isLine(value) || !isFoldable(value) {
			return bad("headers", "must be one line of UTF-8 text each, without a word that no line has room for")
		}
	}
	return nil
}

func bad(field, message string) error {
	return retry.Permanent(ErrMessage.WithField(field, message))
}

// isLine says whether s can stand in a header: no control character, so no new line, and valid UTF-8.
func isLine(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

func isAddress(s string) bool {
	a, err := netmail.ParseAddress(s)
	return err == nil && isLine(s) && isFoldable(s) && isLine(a.Name) && isLine(a.Address)
}

const (
	mostWord = 900 // bytes; a line has room for 998 (RFC 5322 §2.1.1)
	mostName = 200 // bytes; encoded it stands in one line
)

// isFoldable says whether s fits into lines. Text that is not ASCII always does, because it is encoded in short words.
func isFoldable(s string) bool {
	for word := range strings.FieldsSeq(s) {
		if len(word) > mostWord {
			return !isASCII(s)
		}
	}
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// isType accepts what mime can format again, but no multipart, whose structure is ours.
func isType(s string) bool {
	t, params, err := mime.ParseMediaType(s)
	return err == nil && isLine(s) && strings.Contains(t, "/") && !strings.HasPrefix(t, "multipart/") && mime.FormatMediaType(t, params) != ""
}

// Address writes an address with a display name, for From, To and ReplyTo. Whatever the name, net/mail reads the address
// back: control characters, which no header may hold, become spaces, bytes that are no UTF-8 become U+FFFD, and a
// backslash in a name that is not plain ASCII becomes a slash, because net/mail leaves it bare in the encoded word, where
// no parser takes it. A name of nothing but space is left out.
func Address(name, address string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD")))
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		name = strings.ReplaceAll(name, `\`, "/")
	}
	return (&netmail.Address{Name: name, Address: address}).String()
}
