package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"github.com/jhillyerd/enmime/v2"
)

// invitation is what the guest's mail program makes of the mail it got.
type invitation struct {
	subject, from, replyTo, messageID string
	autoSubmitted                     string
	html                              string
	calendar                          string // the text/calendar part, unfolded
	attached                          bool   // invite.ics as well
}

func readInvitation(raw []byte) (invitation, error) {
	env, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		return invitation{}, err
	}
	in := invitation{
		subject: env.GetHeader("Subject"), from: env.GetHeader("From"), replyTo: env.GetHeader("Reply-To"),
		messageID: env.GetHeader("Message-Id"), autoSubmitted: env.GetHeader("Auto-Submitted"), html: env.HTML,
	}
	parts := env.Root.DepthMatchAll(func(p *enmime.Part) bool { return p.ContentType == "text/calendar" })
	for _, p := range parts {
		in.calendar = strings.NewReplacer("\r\n ", "", "\r\n\t", "").Replace(string(p.Content))
	}
	for _, p := range env.Attachments {
		in.attached = in.attached || p.FileName == "invite.ics"
	}
	if len(parts) == 0 {
		return in, fmt.Errorf("the mail %q has no text/calendar part", in.subject)
	}
	return in, nil
}

// line returns the first content line of the property, parameters and value.
func (in invitation) line(property string) string {
	for line := range strings.SplitSeq(in.calendar, "\r\n") {
		if strings.HasPrefix(line, property+":") || strings.HasPrefix(line, property+";") {
			return line
		}
	}
	return ""
}

// value returns what stands after the parameters, whose quoted values may hold colons.
func (in invitation) value(property string) string {
	quoted := false
	line := in.line(property)
	for i, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			return line[i+1:]
		}
	}
	return ""
}

var hrefs = regexp.MustCompile(`href="([^"]+/rsvp/[^"]+)"`)

// button returns the address behind the first RSVP button of the mail.
func (in invitation) button() string {
	if m := hrefs.FindStringSubmatch(in.html); m != nil {
		return strings.ReplaceAll(m[1], "&amp;", "&")
	}
	return ""
}

// reply is the mail that a mail program sends when the guest presses Accept: multipart/mixed as Gmail writes it, marked
// as auto-generated, answered to the Reply-To of the invitation.
func (in invitation) reply(from, partstat string, at time.Time) ([]byte, error) {
	to, err := mail.ParseAddress(in.replyTo)
	if err != nil {
		return nil, fmt.Errorf("the invitation's Reply-To: %w", err)
	}
	return replyMail(from, to.Address, in.value("UID"), in.value("SEQUENCE"), partstat, at), nil
}

func replyMail(from, to, uid, sequence, partstat string, at time.Time) []byte {
	ics := strings.Join([]string{
		"BEGIN:VCALENDAR", "PRODID:-//Example//Guest Mail//EN", "VERSION:2.0", "METHOD:REPLY",
		"BEGIN:VEVENT", "UID:" + uid, "SEQUENCE:" + sequence, "DTSTAMP:" + at.UTC().Format("20060102T150405Z"),
		"ATTENDEE;PARTSTAT=" + partstat + ":MAILTO:" + from, "END:VEVENT", "END:VCALENDAR", "",
	}, "\r\n")
	encoded := base64.StdEncoding.EncodeToString([]byte(ics))
	return []byte(strings.Join([]string{
		"From: Guest <" + from + ">", "To: " + to, "Subject: Accepted", "Date: " + at.Format(time.RFC1123Z),
		fmt.Sprintf("Message-ID: <%d.%s@outside.example>", at.UnixNano(), strings.ToLower(partstat)),
		"Auto-Submitted: auto-generated", "MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary="m"`, "",
		"--m", `Content-Type: multipart/alternative; boundary="a"`, "",
		"--a", "Content-Type: text/plain; charset=UTF-8", "", "Guest has answered.",
		"--a", "Content-Type: text/calendar; charset=UTF-8; method=REPLY", "Content-Transfer-Encoding: 7bit", "", strings.TrimSuffix(ics, "\r\n"),
		"--a--",
		"--m", `Content-Type: application/ics; name="invite.ics"`, "Content-Transfer-Encoding: base64", "", encoded,
		"--m--", "",
	}, "\r\n"))
}
