package rsvp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/ical"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Reply is one answer, as claimed by whoever sent it.
type Reply struct {
	Counter       bool // METHOD:COUNTER: another time is proposed
	Refresh       bool // METHOD:REFRESH: the invitation is asked for once more
	UID           string
	RecurrenceID  *ical.Time
	Sequence      int
	HasSequence   bool      // false: the answer is to the event's current sequence
	Stamp         time.Time // DTSTAMP, else the mail's Date, else when it was received
	ReplyTime     time.Time // X-MICROSOFT-CDO-REPLYTIME, else the mail's Date, else when it was received
	Attendee      string    // in the form of identity.NormalEmail
	Organizer     string    // "" when absent
	Partstat      calendar.Partstat
	Comment       string
	DelegatedTo   []string
	DelegatedFrom []string
	Start, End    ical.Time // of a Counter: the proposed time
}

// Mail is what Read finds in a mail.
type Mail struct {
	From        string    // in the form of identity.NormalEmail; "" unless there is exactly one
	MessageID   string    // SHA-256 in hex; "" for none
	ContentHash string    // SHA-256 in hex of From, Date and the parts that were looked at; stays the same over all roads
	Date        time.Time // zero when absent
	Replies     []Reply
	Bounced     bool     // a delivery status that says "failed" (RFC 3464)
	Tags        []string // tokens found in the addresses that the mail, or the one that bounced, was sent to

	head      head
	malformed string // why there are no replies, when there should be some
}

// calendarKinds are the types of parts that may hold a reply. By RFC 6047 §2.6 the type counts, never the file's name;
// TNEF is recognised by its signature, since it often travels as application/octet-stream.
var calendarKinds = []string{"text/calendar", "application/ics", "text/x-vcalendar", "application/calendar"}

var tnefKinds = []string{"application/ms-tnef", "application/vnd.ms-tnef", "application/octet-stream"}

// maxEncoded is the most that a part of ical.MaxBytes takes up: "=XX" for each byte, and soft breaks.
const maxEncoded = 3*ical.MaxBytes + ical.MaxBytes/8

// Read takes a mail apart. address is the reply address (without a tag) whose tags are collected; received stands in for
// times that the mail lacks. Read never fails: what cannot be read gives a Mail without replies. It is pure.
func Read(raw []byte, address string, received time.Time) Mail {
	var m Mail
	h, body, ok := readHead(raw)
	if !ok {
		sum := sha256.Sum256(raw)
		return Mail{ContentHash: hex.EncodeToString(sum[:]), malformed: "the header cannot be read"}
	}
	m.head = h
	m.From = sender(h)
	if id := strings.TrimSpace(h.get("Message-ID")); id != "" {
		sum := sha256.Sum256([]byte(id))
		m.MessageID = hex.EncodeToString(sum[:])
	}
	if date, err := mail.ParseDate(h.get("Date")); err == nil && date.Year() >= 1970 && date.Year() <= 9999 {
		m.Date = date.UTC().Truncate(time.Microsecond)
	}
	for _, name := range []string{"To", "Cc", "Delivered-To", "X-Original-To"} {
		for _, value := range h.all(name) {
			m.addTags(value, address)
		}
	}
	r := reading{mail: &m, address: address, content: sha256.New(), budget: ical.MaxBytes}
	_, _ = io.WriteString(r.content, m.From+"\x00"+h.get("Date")+"\x00")
	w := walker{visit: r.visit}
	w.walk(h, body, 0, false)
	if !r.looked { // nothing to go by but all of it
		r.write(raw)
	}
	m.ContentHash = hex.EncodeToString(r.content.Sum(nil))
	if len(m.Replies) == 0 && r.sawCalendar && m.malformed == "" && !m.Bounced {
		m.malformed = "no calendar object can be read"
	}
	if m.malformed == otherMethod {
		m.malformed = ""
	}
	m.fillTimes(received)
	return m
}

// reading is a mail whose parts are being read.
type reading struct {
	mail        *Mail
	address     string
	content     hash.Hash
	looked      bool // at some part, so that content holds it
	sawCalendar bool
	budget      int // bytes of calendar objects that may still come
}

func (r *reading) write(text []byte) {
	r.looked = true
	_, _ = r.content.Write(text)
}

func (r *reading) visit(p part) {
	switch {
	case slices.Contains(calendarKinds, p.kind):
		r.calendar(p)
	case slices.Contains(tnefKinds, p.kind):
		r.tnef(p)
	case p.report && p.kind == "message/delivery-status":
		text := bytes.ToLower(p.decode())
		r.write(text)
		r.mail.Bounced = r.mail.Bounced || failed(text)
	case p.report && (p.kind == "message/rfc822" || p.kind == "text/rfc822-headers"):
		if original, _, ok := readHead(p.body); ok {
			for _, value := range original.all("Reply-To") {
				r.mail.addTags(value, r.address)
			}
		}
	}
}

func (r *reading) calendar(p part) {
	r.sawCalendar = true
	if len(p.body) > maxEncoded {
		r.mail.malformed = "a calendar object is too large"
		return
	}
	text := p.text()
	if r.budget -= len(text); r.budget < 0 {
		r.mail.malformed = "a calendar object is too large"
		return
	}
	r.write(text)
	r.mail.readCalendar(text, p.params["method"])
}

func (r *reading) tnef(p part) {
	if len(p.body) > maxEncoded || p.kind == "application/octet-stream" && !strings.EqualFold(p.name(), "winmail.dat") {
		return
	}
	data := p.decode()
	if r.budget -= len(data); r.budget < 0 || !isTNEF(data) {
		return
	}
	r.write(data)
	r.mail.readTNEF(data)
}

// otherMethod marks a calendar object that is fine and no answer.
const otherMethod = "another method"

func (m *Mail) readCalendar(text []byte, method string) {
	objects, _, err := ical.Parse(text)
	if err != nil {
		if m.malformed == "" {
			m.malformed = "no calendar object can be read"
		}
		return
	}
	for _, o := range objects {
		if o.Method == "" {
			o.Method = strings.ToUpper(method)
		}
		counter, refresh := o.Method == ical.MethodCounter, o.Method == ical.MethodRefresh
		if counter || refresh {
			o.Method = ical.MethodReply // the same view, RFC 5546 §3.2.6 and §3.2.7
		}
		replies, err := o.Replies()
		switch {
		case o.Method != ical.MethodReply:
			m.malformed = otherMethod
		case err != nil:
			m.malformed = "the reply does not say who answers which event"
		}
		for _, r := range replies {
			if counter {
				r.Attendee = m.proposer(r)
			}
			reply := replyOf(r)
			if reply.Counter, reply.Refresh = counter, refresh; counter {
				reply.Start, reply.End = r.Start, r.End
			}
			m.add(reply)
		}
	}
}

// proposer is who of a counter-proposal's attendees sent it: it may repeat the whole list.
func (m *Mail) proposer(r ical.Reply) ical.Attendee {
	if i := slices.IndexFunc(r.Others, func(a ical.Attendee) bool { return a.Email == m.From }); i >= 0 {
		return r.Others[i]
	}
	return r.Attendee
}

func replyOf(r ical.Reply) Reply {
	out := Reply{
		UID: r.UID, RecurrenceID: r.RecurrenceID, Sequence: r.Sequence, HasSequence: r.HasSequence,
		Stamp: r.DTStamp, ReplyTime: r.ReplyTime, Attendee: r.Attendee.Email, Partstat: calendar.Partstat(r.Attendee.Partstat),
		Comment: r.Comment, DelegatedTo: emails(r.Attendee.DelegatedTo), DelegatedFrom: emails(r.Attendee.DelegatedFrom),
	}
	if r.Organizer != nil {
		out.Organizer = r.Organizer.Email
	}
	return out
}

func emails(in []string) []string {
	var out []string
	for _, e := range in {
		if e = identity.NormalEmail(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

// readTNEF takes the mail's sender for the attendee: the attachment names none in a form that could be trusted more.
func (m *Mail) readTNEF(data []byte) {
	r, ok := readTNEF(data)
	if !ok {
		return
	}
	if m.From == "" {
		m.malformed = "the reply does not say who answers"
		return
	}
	m.add(Reply{
		UID: r.uid, Sequence: r.sequence, HasSequence: r.hasSequence, Stamp: r.stamp, ReplyTime: r.replyTime,
		Attendee: m.From, Partstat: calendar.Partstat(r.partstat),
	})
}

// add leaves out a repetition: many clients put the same object into the mail twice (RFC 6047 §2.5).
func (m *Mail) add(r Reply) {
	if len(m.Replies) == MaxReplies || slices.ContainsFunc(m.Replies, func(o Reply) bool {
		return o.UID == r.UID && o.Attendee == r.Attendee && o.Partstat == r.Partstat && o.Counter == r.Counter && o.Refresh == r.Refresh &&
			sameInstance(o.RecurrenceID, r.RecurrenceID)
	}) {
		return
	}
	m.Replies = append(m.Replies, r)
}

func sameInstance(a, b *ical.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.At.Equal(b.At)
}

func (m *Mail) fillTimes(received time.Time) {
	fallback := m.Date
	if fallback.IsZero() {
		fallback = received
	}
	for i := range m.Replies {
		r := &m.Replies[i]
		if r.Stamp.IsZero() {
			r.Stamp = fallback
		}
		if r.ReplyTime.IsZero() {
			r.ReplyTime = fallback
		}
	}
}

// sender returns the one address in the one From field: a mail with several is nobody's.
func sender(h head) string {
	values := h.all("From")
	if len(values) != 1 {
		return ""
	}
	list, err := addressParser.ParseList(values[0])
	if err != nil || len(list) != 1 || strings.HasSuffix(values[0], ";") { // RFC 6854's groups are nobody either
		return ""
	}
	return identity.NormalEmail(list[0].Address)
}

// addressParser bears display names in any character set: they are not looked at.
var addressParser = mail.AddressParser{WordDecoder: &mime.WordDecoder{
	CharsetReader: func(_ string, in io.Reader) (io.Reader, error) { return in, nil },
}}

func (p part) name() string {
	_, params := contentType(p.head.get("Content-Disposition"))
	if name := params["filename"]; name != "" {
		return name
	}
	return p.params["name"]
}

// failed finds "Action: failed" in a delivery status, which is in lower case.
func failed(status []byte) bool {
	for len(status) > 0 {
		var line []byte
		line, status = cutLine(status)
		name, value, _ := bytes.Cut(line, []byte(":"))
		if string(name) == "action" && string(bytes.TrimSpace(value)) == "failed" {
			return true
		}
	}
	return false
}

// The bounds of tags: how many a mail may have, and the bytes of one.
const (
	maxTags = 10
	maxTag  = 64
)

// addTags collects the tokens of tagged reply addresses ("local+token@domain") in a field's value.
func (m *Mail) addTags(value, address string) {
	local, domain, ok := strings.Cut(strings.ToLower(address), "@")
	if !ok || len(value) > maxHead {
		return
	}
	value = strings.ToLower(value)
	for len(m.Tags) < maxTags {
		_, rest, found := strings.Cut(value, local+"+")
		if !found {
			return
		}
		value = rest
		// No further than a token reaches: else a header of nothing but beginnings would be read once for each of them.
		at := strings.IndexByte(rest[:min(len(rest), maxTag+1)], '@')
		if at < 0 || !strings.HasPrefix(rest[at+1:], domain) {
			continue
		}
		token, after := rest[:at], rest[at+1+len(domain):]
		if after == "" || !isDomainByte(after[0]) {
			if !slices.Contains(m.Tags, token) {
				m.Tags = append(m.Tags, token)
			}
		}
	}
}

func isDomainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.'
}
