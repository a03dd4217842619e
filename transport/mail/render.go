package mail

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// Render returns the message as it goes over the wire (RFC 5322), without a DKIM signature. It returns ErrMessage.
func Render(m Message) ([]byte, error) {
	msg, err := build(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, ErrMessage.Because(err)
	}
	return b.Bytes(), nil
}

// build makes the library's message of a valid one.
func build(m Message) (*mail.Msg, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if m.From == "" {
		return nil, bad("from", "is missing")
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(parse(m.From))
	to := make([]*netmail.Address, len(m.To))
	for i, s := range m.To {
		to[i] = parse(s)
	}
	msg.ToMailAddress(to...)
	if m.ReplyTo != "" {
		msg.ReplyToMailAddress(parse(m.ReplyTo))
	}
	msg.Subject(unstructured(m.Subject))
	for name, value := range m.Headers {
		msg.SetGenHeader(mail.Header(name), value)
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.MessageID == "" {
		msg.SetMessageID()
	} else {
		msg.SetMessageIDWithValue(m.MessageID)
	}
	if m.Date.IsZero() {
		m.Date = time.Now()
	}
	msg.SetDateWithValue(m.Date)
	if m.Text != "" {
		msg.AddAlternativeString(mail.TypeTextPlain, m.Text)
	}
	if m.HTML != "" {
		msg.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	for _, p := range m.Alternatives {
		msg.AddAlternativeWriter(mail.ContentType(withoutCharset(p.ContentType)), writer(p.Content),
			mail.WithPartEncoding(mail.EncodingB64), mail.WithPartCharset(mail.CharsetUTF8))
	}
	for _, p := range m.Attachments {
		if err := msg.AttachReader(p.Name, bytes.NewReader(p.Content), mail.WithFileContentType(mail.ContentType(fileType(p.ContentType)))); err != nil {
			return nil, ErrMessage.Because(err)
		}
	}
	return msg, nil
}

// parse reads an address. Its domain becomes ASCII, which every server takes (RFC 5890).
func parse(s string) *netmail.Address {
	a, err := netmail.ParseAddress(s)
	if err != nil {
		return &netmail.Address{} // Validate has been asked
	}
	if at := strings.LastIndexByte(a.Address, '@'); !isASCII(a.Address[at+1:]) {
		if domain, err := idna.Lookup.ToASCII(a.Address[at+1:]); err == nil {
			a.Address = a.Address[:at+1] + domain
		}
	}
	return a
}

// unstructured is a header's text. ASCII that would not arrive as it is, because it looks encoded or has a word that no
// line has room for, is encoded (RFC 2047); the library encodes all else that needs it.
func unstructured(s string) string {
	if !isASCII(s) || isFoldable(s) && !strings.Contains(s, "=?") {
		return s
	}
	var out strings.Builder
	for i := range len(s) {
		if i%20 == 0 { // an encoded word has at most 75 characters
			if i > 0 {
				out.WriteString("?= ")
			}
			out.WriteString("=?UTF-8?q?")
		}
		fmt.Fprintf(&out, "=%02X", s[i])
	}
	out.WriteString("?=")
	return out.String()
}

func writer(content []byte) func(io.Writer) (int64, error) {
	return func(w io.Writer) (int64, error) {
		n, err := w.Write(content)
		return int64(n), err
	}
}

// withoutCharset leaves the parameter to the library, which adds it.
func withoutCharset(contentType string) string {
	t, params, _ := mime.ParseMediaType(contentType)
	delete(params, "charset")
	return mime.FormatMediaType(t, params)
}

// fileType names the charset of text, which the library does not do for files.
func fileType(contentType string) string {
	t, params, _ := mime.ParseMediaType(contentType)
	if strings.HasPrefix(t, "text/") && params["charset"] == "" {
		params["charset"] = "UTF-8"
	}
	return mime.FormatMediaType(t, params)
}
