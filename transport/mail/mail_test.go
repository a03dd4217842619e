package mail_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/mail/mailtest"
	"github.com/renkei-go/renkei/transport/retry"
)

var full = mail.Message{
	From: "連携 <renkei@example.com>", To: []string{"\"Alice, the\" <alice@example.com>", "bob@example.com"},
	ReplyTo: "reply+tag@example.com", Subject: "会議のご案内: Design review", Text: "こんにちは\n", HTML: "<p>こんにちは</p>",
	Alternatives: []mail.Part{{ContentType: "text/calendar; method=REQUEST", Content: []byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")}},
	Attachments:  []mail.Part{{ContentType: "text/calendar", Name: "招待.ics", Content: []byte("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")}},
	Headers:      map[string]string{"X-Renkei-Notice": "価格"},
	MessageID:    "0197-abc@example.com", Date: time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC),
}

// tree writes the structure of a MIME body, with its transfer encodings.
func tree(t *testing.T, contentType, encoding string, body io.Reader) string {
	t.Helper()
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	delete(params, "charset")
	if !strings.HasPrefix(media, "multipart/") {
		if m := params["method"]; m != "" {
			media += ";method=" + m
		}
		return media + "/" + encoding
	}
	var parts []string
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err != nil {
			break
		}
		parts = append(parts, tree(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p))
	}
	return media + "{" + strings.Join(parts, ", ") + "}"
}

func TestRender(t *testing.T) {
	raw, err := mail.Render(full)
	if err != nil {
		t.Fatal(err)
	}
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	words := new(mime.WordDecoder)
	for name, want := range map[string]string{
		"Subject": full.Subject, "Message-Id": "<0197-abc@example.com>", "Auto-Submitted": "auto-generated",
		"Reply-To": "<reply+tag@example.com>", "Date": "Tue, 15 Jan 2030 10:00:00 +0000", "X-Renkei-Notice": "価格", "Mime-Version": "1.0",
	} {
		if got, err := words.DecodeHeader(m.Header.Get(name)); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != 2 || to[0].Name != "Alice, the" {
		t.Errorf("To: %v, %v", to, err)
	}
	want := "multipart/mixed{multipart/alternative{text/plain/quoted-printable, text/html/quoted-printable, text/calendar;method=REQUEST/base64}, text/calendar/base64}"
	if got := tree(t, m.Header.Get("Content-Type"), "", m.Body); got != want {
		t.Errorf("structure %s", got)
	}
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	plain, err := mail.Render(mail.Message{From: "a@example.com", To: []string{"b@example.com"}, Text: "hi"})
	if err != nil {
		t.Fatal(err)
	}
	m, _ = netmail.ReadMessage(bytes.NewReader(plain))
	if got := tree(t, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body); got != "text/plain/quoted-printable" {
		t.Errorf("structure of a plain one: %s", got)
	}
}

func TestInjectionIsRefused(t *testing.T) {
	evil := "x\r\nBcc: eve@example.com"
	change := map[string]func(*mail.Message){
		"from":         func(m *mail.Message) { m.From = "a@example.com" + evil },
		"from name":    func(m *mail.Message) { m.From = "\"x\r\n y\" <a@example.com>" },
		"to":           func(m *mail.Message) { m.To = []string{"b@example.com", evil} },
		"nobody":       func(m *mail.Message) { m.To = nil },
		"reply":        func(m *mail.Message) { m.ReplyTo = evil },
		"return path":  func(m *mail.Message) { m.ReturnPath = evil },
		"subject":      func(m *mail.Message) { m.Subject = evil },
		"subject nul":  func(m *mail.Message) { m.Subject = "a\x00" },
		"id":           func(m *mail.Message) { m.MessageID = evil },
		"header":       func(m *mail.Message) { m.Headers = map[string]string{"X-A": evil} },
		"header name":  func(m *mail.Message) { m.Headers = map[string]string{"X-A: b\r\nBcc": "c"} },
		"bcc":          func(m *mail.Message) { m.Headers = map[string]string{"bCC": "eve@example.com"} },
		"content type": func(m *mail.Message) { m.Headers = map[string]string{"Content-Type": "text/html"} },
		"alternative": func(m *mail.Message) {
			m.Alternatives = []mail.Part{{ContentType: "text/calendar; method=\"a\r\nX: y\""}}
		},
		"multipart":   func(m *mail.Message) { m.Alternatives = []mail.Part{{ContentType: "multipart/mixed; boundary=a"}} },
		"attachment":  func(m *mail.Message) { m.Attachments = []mail.Part{{ContentType: "text/plain", Name: evil}} },
		"name word":   func(m *mail.Message) { m.From = strings.Repeat("n", 1000) + " <a@example.com>" },
		"long header": func(m *mail.Message) { m.Headers = map[string]string{"X-A": strings.Repeat("h", 1000)} },
		"long file": func(m *mail.Message) {
			m.Attachments = []mail.Part{{ContentType: "text/plain", Name: strings.Repeat("名", 70)}}
		},
		"no body":   func(m *mail.Message) { m.Text, m.HTML, m.Alternatives = "", "", nil },
		"not UTF-8": func(m *mail.Message) { m.Text = "\xff" },
	}
	for name, f := range change {
		m := full
		f(&m)
		_, err := mail.Render(m)
		if !errors.Is(err, mail.ErrMessage) || !retry.IsPermanent(err) || strings.Contains(fmt.Sprint(err), "eve") {
			t.Errorf("%s: %v", name, err)
		}
		if err := new(mail.Memory).Send(t.Context(), m); !errors.Is(err, mail.ErrMessage) {
			t.Errorf("%s: Memory: %v", name, err)
		}
	}
}

// TestSubjectArrivesAsItIs, whatever it looks like and however long its words are, in lines that a server takes.
func TestSubjectArrivesAsItIs(t *testing.T) {
	words := new(mime.WordDecoder)
	for _, subject := range []string{
		strings.Repeat("x", 3000), strings.Repeat("word ", 400) + "end", strings.Repeat("会議", 700), "=?utf-8?q?=0D=0ABcc:_eve?= hi", "a =?b?= c",
		strings.Repeat("y", 1000) + "  two spaces", "a\u0085b\u2028c",
	} {
		m := full
		m.Subject = subject
		m.Attachments = []mail.Part{{ContentType: "text/plain", Name: strings.Repeat("名", 66), Content: []byte("x")}}
		raw, err := mail.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(raw), "\r\n") {
			if len(line) > 998 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		parsed, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := words.DecodeHeader(parsed.Header.Get("Subject")); err != nil || got != subject {
			t.Errorf("%q, %v, want %q", got, err, subject)
		}
	}
}

// TestInternationalAddresses: a domain goes as ASCII, and a server is asked for SMTPUTF8 only where a local part needs it.
func TestInternationalAddresses(t *testing.T) {
	s, sender := sink(t)
	for to, want := range map[string]mailtest.Message{
		"Alice <alice@example.com>": {To: []string{"alice@example.com"}},
		"Zoë <zoe@bücher.example>":  {To: []string{"zoe@xn--bcher-kva.example"}},
		"用户@例え.example":             {To: []string{"用户@xn--r8jz45g.example"}, UTF8: true},
		"bob@xn--bcher-kva.example": {To: []string{"bob@xn--bcher-kva.example"}},
		"\"a b\"@example.com":       {To: []string{"a b@example.com"}},
	} {
		before := len(s.Messages())
		if err := sender.Send(t.Context(), mail.Message{To: []string{to}, Subject: "会議", Text: "…"}); err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		got := s.Messages()[before]
		if fmt.Sprint(got.To) != fmt.Sprint(want.To) || got.UTF8 != want.UTF8 || !want.UTF8 && bytes.ContainsFunc(got.Data, func(r rune) bool { return r >= 128 }) {
			t.Errorf("%s: to %s, SMTPUTF8 %t\n%s", to, got.To, got.UTF8, got.Data)
		}
	}
}

// FuzzRender: whatever goes in, no header comes out that was not meant.
func FuzzRender(f *testing.F) {
	f.Add("a <a@example.com>", "b@example.com", "subject", "value", "name.txt", "id@example.com", "text")
	f.Add("\"a\\\r\n b\" <a@example.com>", "b@example.com\nBcc: c@example.com", "s\rs", "v\nv", "n\"; x=\"y", "i d@x", ".\r\n.\r\n")
	f.Fuzz(func(t *testing.T, from, to, subject, header, name, id, text string) {
		raw, err := mail.Render(mail.Message{
			From: from, To: []string{to}, Subject: subject, Headers: map[string]string{"X-Free": header}, MessageID: id, Text: text + ".",
			Attachments: []mail.Part{{ContentType: "text/plain", Name: name, Content: []byte(text)}},
		})
		if err != nil {
			if !errors.Is(err, mail.ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		m, err := netmail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("%v in %q", err, raw)
		}
		allowed := " Auto-Submitted Content-Type Date From Message-Id Mime-Version Subject To X-Free "
		for key, values := range m.Header {
			if !strings.Contains(allowed, " "+key+" ") || len(values) != 1 {
				t.Errorf("header %q (%d times) in %q", key, len(values), raw)
			}
		}
	})
}

func sink(t *testing.T) (*mailtest.Sink, *mail.SMTP) {
	t.Helper()
	s, err := mailtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	sender, err := mail.NewSMTP(mail.Config{URL: s.URL, From: "Renkei <renkei@example.com>", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close() })
	return s, sender
}

func TestSMTP(t *testing.T) {
	s, sender := sink(t)
	m := full
	m.From = ""
	for range 3 {
		if err := sender.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Messages()
	if len(got) != 3 || got[0].From != "renkei@example.com" || fmt.Sprint(got[0].To) != "[alice@example.com bob@example.com]" || !bytes.Contains(got[0].Data, []byte("<0197-abc@example.com>")) {
		t.Errorf("got %d: %s", len(got), got[0].Data)
	}
	m.ReturnPath = "reply+tag@example.com"
	if err := sender.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got := s.Messages()[3]; got.From != "reply+tag@example.com" || bytes.Contains(got.Data, []byte("Return-Path")) {
		t.Errorf("bounces go to %s: %s", got.From, got.Data)
	}
	if s.Connections() != 1 {
		t.Errorf("%d connections for four messages", s.Connections())
	}
	for mode, permanent := range map[mailtest.Mode]bool{mailtest.Busy: false, mailtest.Reject: true, mailtest.Login: false, mailtest.Drop: false} {
		s.Set(mode)
		if err := sender.Send(t.Context(), m); err == nil || retry.IsPermanent(err) != permanent {
			t.Errorf("mode %d: %v, permanent %v", mode, err, retry.IsPermanent(err))
		}
	}
	_ = sender.Close()
	s.Set(mailtest.Refuse)
	if err := sender.Send(t.Context(), m); err == nil || retry.IsPermanent(err) {
		t.Errorf("refused: %v", err)
	}
	s.Set(mailtest.Accept)
	if err := sender.Send(t.Context(), m); err != nil {
		t.Errorf("after the trouble: %v", err)
	}
	_ = s.Close() // the idle connection dies with it
	if err := sender.Send(t.Context(), m); err == nil || retry.IsPermanent(err) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	s, sender := sink(t)
	s.Set(mailtest.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := sender.Send(ctx, full); !errors.Is(err, context.DeadlineExceeded) || retry.IsPermanent(err) {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestConcurrentSends(t *testing.T) {
	s, sender := sink(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			m := full
			m.MessageID = fmt.Sprintf("%d@example.com", i)
			if err := sender.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(s.Messages()); n != 20 {
		t.Errorf("%d arrived", n)
	}
}

func TestDKIM(t *testing.T) {
	s, err := mailtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	public, private, _ := ed25519.GenerateKey(nil)
	sender, err := mail.NewSMTP(mail.Config{URL: s.URL, From: "renkei@example.com", DKIM: &mail.DKIM{Domain: "example.com", Selector: "s1", Key: private}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Send(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	verified, err := dkim.VerifyWithOptions(bytes.NewReader(s.Messages()[0].Data), &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) {
		return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}, nil
	}})
	if err != nil || len(verified) != 1 || verified[0].Err != nil || verified[0].Domain != "example.com" {
		t.Errorf("%+v, %v", verified, err)
	}
}

func TestConfig(t *testing.T) {
	for _, url := range []string{"", "http://h", "smtp://", "smtp://u:s3cret@h:port", "smtp://h/path"} {
		if _, err := mail.NewSMTP(mail.Config{URL: url, From: "a@example.com"}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := mail.NewSMTP(mail.Config{URL: "smtp://h"}); err == nil {
		t.Error("no From")
	}
	s, sender := sink(t)
	strict, err := mail.NewSMTP(mail.Config{URL: strings.Replace(s.URL, "smtp:", "smtp+starttls:", 1), From: "a@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Send(t.Context(), full); err == nil {
		t.Error("sent without the TLS that was asked for")
	}
	login, err := mail.NewSMTP(mail.Config{URL: strings.Replace(s.URL, "//", "//user:s3cret@", 1), From: "a@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if err := login.Send(t.Context(), full); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("login in the clear: %v", err)
	}
	_ = sender
}

func TestMemory(t *testing.T) {
	var m mail.Memory
	for i := range mail.MemorySize + 5 {
		msg := full
		msg.MessageID = fmt.Sprintf("%d@example.com", i)
		if err := errors.Join(m.Send(t.Context(), msg), m.Send(t.Context(), msg)); err != nil {
			t.Fatal(err)
		}
	}
	got := m.Messages()
	if len(got) != mail.MemorySize || got[0].MessageID != "204@example.com" {
		t.Errorf("%d kept, newest %s", len(got), got[0].MessageID)
	}
	if _, err := m.Message("204@example.com"); err != nil {
		t.Error(err)
	}
	if _, err := m.Message("0@example.com"); !errors.Is(err, mail.ErrNoMessage) {
		t.Error(err)
	}
}

// TestAddress: whatever the name, the address can be read back, with a name in one line, and a message to it is valid.
func TestAddress(t *testing.T) {
	for _, name := range []string{"", " ", "\x00", "\\\x00", "a\r\nBcc: x@y.example", "\xff\\", "\u0085", `"`, `\`, "é\\", "山本 直子", "=?utf-8?q?x?="} {
		checkAddress(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		checkAddress(t, rapid.OneOf(rapid.String(), rapid.StringMatching(`[aé\\"(),<>@\x00\r\n\t\x7f ]{0,8}`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "name"))
	})
}

func checkAddress(t interface {
	Helper()
	Errorf(format string, args ...any)
}, name string,
) {
	t.Helper()
	s := mail.Address(name, "a@b.example")
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != "a@b.example" {
		t.Errorf("%q: %q: %v", name, s, err)
		return
	}
	if err := (mail.Message{To: []string{s}, Text: "x"}).Validate(); err != nil {
		t.Errorf("%q: %q is refused: %v", name, s, err)
	}
}
