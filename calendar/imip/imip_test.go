package imip_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"
	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/calendar/ical"
	"github.com/renkei-go/renkei/calendar/imip"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/mail/mailtest"
)

// tokens is an imip.Tokens that gives readable ones.
type tokens struct{ issued, revoked []string }

func (k *tokens) Issue(_ context.Context, _ identity.TenantID, event, guest string, _ time.Time) (int, error) {
	k.issued = append(k.issued, event+"/"+guest)
	return 3, nil
}

func (k *tokens) Revoke(_ context.Context, _ identity.TenantID, event, guest string) error {
	k.revoked = append(k.revoked, event+"/"+guest)
	return nil
}

func (*tokens) AddressTag(_ identity.TenantID, event, _ string, n int) string {
	return fmt.Sprintf("tag-%s-%d", event, n)
}

func (*tokens) ButtonToken(_ identity.TenantID, event, _ string, n int) string {
	return fmt.Sprintf("button-%s-%d", event, n)
}

type queue []delivery.Job

func (q *queue) Enqueue(_ context.Context, jobs ...delivery.Job) error {
	*q = append(*q, jobs...)
	return nil
}

func deliveryOf(t testing.TB, id string, job delivery.Job) delivery.Delivery {
	t.Helper()
	payload, err := json.Marshal(job.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Delivery{ID: id, Tenant: job.Tenant, Kind: job.Kind, Payload: payload}
}

type fixture struct {
	*imip.Inviter
	queue  queue
	tokens tokens
	outbox mail.Memory
}

func newFixture(t testing.TB, sender mail.Sender) *fixture {
	t.Helper()
	f := &fixture{}
	if sender == nil {
		sender = &f.outbox
	}
	var err error
	f.Inviter, err = imip.New(imip.Config{
		Queue: &f.queue, Mailer: sender, Tokens: &f.tokens, From: "renkei@mail.example.com", ReplyAddress: "invite-reply@example.com",
		PublicURL: "https://renkei.example.com/", Directory: calendartest.Staff("secretary"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func event() calendar.Event {
	return calendar.Event{
		ID: "ev1", UID: "ev1", Tenant: "acme", OrganizerID: "exec", OrganizerEmail: "exec@example.com", OrganizerName: "Exec",
		Title: "設計レビュー, part 1", Location: "HQ", Description: "Bring <notes> & pens", TimeZone: "Asia/Tokyo",
		Start: time.Date(2030, 1, 15, 1, 0, 0, 0, time.UTC), End: time.Date(2030, 1, 15, 2, 0, 0, 0, time.UTC),
		Visibility: calendar.BusyOnly, Status: calendar.Confirmed, Sequence: 2,
		Attendees: []calendar.Attendee{
			{Email: "guest@outside.example", Name: "Guest", External: true, Partstat: calendar.NeedsAction},
			{Email: "second@outside.example", External: true, Partstat: calendar.Declined, Comment: "private remark"},
		},
	}
}

func published(inv calendar.Invitation) transport.Event {
	return transport.Event{
		ID: "t1", Type: imip.EventType, Tenant: "acme", Subject: "calendar.event/ev1", Data: inv,
		Time: time.Date(2030, 1, 14, 0, 0, 0, 0, time.UTC),
	}
}

// send takes an invitation the whole way and returns the mails.
func (f *fixture) send(t testing.TB, inv calendar.Invitation) []mail.Message {
	t.Helper()
	if err := f.Handle(t.Context(), published(inv)); err != nil {
		t.Fatal(err)
	}
	for i, job := range f.queue {
		result := f.Send(t.Context(), deliveryOf(t, fmt.Sprint("d", i), job))
		if result.State() != delivery.Succeeded {
			t.Fatal(result.Err())
		}
	}
	return f.outbox.Messages()
}

// TestDeclinedProposal: the mail shows the event as it stays, in the form of RFC 5546 §3.2.8, and the guest can answer it.
func TestDeclinedProposal(t *testing.T) {
	f := newFixture(t, nil)
	ev := event()
	mails := f.send(t, calendar.Invitation{Method: calendar.DeclineCounter, Event: ev, Guests: ev.Attendees[:1]})
	if len(mails) != 1 {
		t.Fatalf("%d mails", len(mails))
	}
	m := mails[0]
	part := m.Alternatives[0]
	object := strings.ReplaceAll(string(part.Content), "\r\n ", "")
	for _, want := range []string{"METHOD:DECLINECOUNTER", "UID:ev1", "SEQUENCE:2", "mailto:exec@example.com", "20300115T100000", "DTSTAMP:20300114T000000Z"} {
		if !strings.Contains(object, want) {
			t.Errorf("%s is not in\n%s", want, object)
		}
	}
	if strings.Contains(object, "RSVP=TRUE") || !strings.Contains(part.ContentType, "method=DECLINECOUNTER") {
		t.Errorf("%s\n%s", part.ContentType, object)
	}
	if !strings.HasPrefix(m.Subject, "[Declined proposal] ") || !strings.Contains(m.Text, "the event stays as it is") || !strings.Contains(m.ReplyTo, "invite-reply+tag-ev1-3@") {
		t.Errorf("%q to %s\n%s", m.Subject, m.ReplyTo, m.Text)
	}
}

func TestInvitation(t *testing.T) {
	f := newFixture(t, nil)
	ev := event()
	mails := f.send(t, calendar.Invitation{Method: calendar.Request, Event: ev, Guests: ev.Attendees, ActedBy: "secretary@example.com"})
	if len(mails) != 2 || len(f.tokens.issued) != 2 || f.queue[0].Key != "t1/guest@outside.example" {
		t.Fatalf("%d mails, %v, %+v", len(mails), f.tokens.issued, f.queue)
	}
	raw, err := mail.Render(mails[1])
	if err != nil {
		t.Fatal(err)
	}
	e, err := enmime.ReadEnvelope(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Subject":        "[Invitation] 設計レビュー, part 1 @ Tue 15 Jan 2030 10:00 (JST)",
		"From":           `"Secretary on behalf of Exec" <renkei@mail.example.com>`,
		"Reply-To":       "<invite-reply+tag-ev1-3@example.com>",
		"To":             `"Guest" <guest@outside.example>`,
		"Message-Id":     "<imip.d0@mail.example.com>",
		"Auto-Submitted": "auto-generated",
	} {
		if got := e.GetHeader(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got, want := tree(e.Root), "multipart/mixed{multipart/alternative{text/plain text/html text/calendar}application/ics}"; strings.ReplaceAll(got, " }", "}") != want {
		t.Errorf("%s, want %s", got, want)
	}
	part := e.Root.DepthMatchFirst(func(p *enmime.Part) bool { return p.ContentType == "text/calendar" })
	header := part.Header.Get("Content-Type")
	if !strings.Contains(header, "method=REQUEST") || !strings.Contains(strings.ToLower(header), "charset=utf-8") ||
		part.Header.Get("Content-Transfer-Encoding") != "base64" {
		t.Errorf("%v", part.Header)
	}
	for _, want := range []string{
		"METHOD:REQUEST", "UID:ev1", "SEQUENCE:2", `SENT-BY="mailto:secretary@example.com":mailto:exec@example.com`, "CLASS:CONFIDENTIAL",
		"TZID=Asia/Tokyo:20300115T100000", "BEGIN:VTIMEZONE", "RSVP=TRUE", "DTSTAMP:20300114T000000Z", "second@outside.example",
	} {
		if text := strings.ReplaceAll(string(part.Content), "\r\n ", ""); !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	for _, answer := range []string{"ACCEPTED", "TENTATIVE", "DECLINED"} {
		if link := "https://renkei.example.com/rsvp/button-ev1-3?answer=" + answer; !strings.Contains(e.HTML, `href="`+link+`"`) || !strings.Contains(e.Text, link) {
			t.Errorf("no link for %s", answer)
		}
	}
	if !strings.Contains(e.HTML, "Bring &lt;notes&gt; &amp; pens") {
		t.Error(e.HTML)
	}
	if bytes.Contains(raw, []byte("private remark")) || strings.Contains(fmt.Sprintf("%+v", f.queue), "private remark") {
		t.Error("what another guest wrote is in the mail")
	}
}

func tree(p *enmime.Part) string {
	if p.FirstChild == nil {
		return p.ContentType + " "
	}
	s := p.ContentType + "{"
	for c := p.FirstChild; c != nil; c = c.NextSibling {
		s += tree(c)
	}
	return s + "}"
}

func TestKinds(t *testing.T) {
	for name, tt := range map[string]struct {
		inv     calendar.Invitation
		subject string
		status  string
		buttons bool
	}{
		"updated":   {calendar.Invitation{Method: calendar.Request, Updated: true}, "[Updated] ", "STATUS:CONFIRMED", true},
		"cancelled": {calendar.Invitation{Method: calendar.Cancel}, "[Cancelled] ", "STATUS:CANCELLED", false},
	} {
		f := newFixture(t, nil)
		tt.inv.Event = event()
		tt.inv.Guests = tt.inv.Event.Attendees[:1]
		m := f.send(t, tt.inv)[0]
		if !strings.HasPrefix(m.Subject, tt.subject) || !bytes.Contains(m.Alternatives[0].Content, []byte(tt.status)) ||
			strings.Contains(m.HTML, "button-") != tt.buttons || strings.Contains(m.ReplyTo, "tag-") != tt.buttons || tt.buttons && m.ReturnPath != m.ReplyTo {
			t.Errorf("%s: %+v", name, m)
		}
		if (len(f.tokens.revoked) == 1) == tt.buttons || !strings.HasPrefix(m.From, `"Exec via Renkei"`) {
			t.Errorf("%s: %v, from %s", name, f.tokens.revoked, m.From)
		}
		if !tt.buttons && bytes.Contains(m.Alternatives[0].Content, []byte("second@outside.example")) {
			t.Errorf("%s: a cancellation names others", name)
		}
	}
}

// TestClocksThatChange: a time that the clocks show twice says which one is meant.
func TestClocksThatChange(t *testing.T) {
	f := newFixture(t, nil)
	ev := event()
	ev.TimeZone = "America/New_York"
	ev.Start = time.Date(2030, 11, 3, 5, 30, 0, 0, time.UTC)
	ev.End = ev.Start.Add(45 * time.Minute)
	m, err := f.Render("acme", "d1", imip.Letter{Method: calendar.Request, Event: ev, Guest: ev.Attendees[0], Stamp: ev.Start}, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "When: Sun 3 Nov 2030 01:30 (EDT) – 01:15 (EST)\n"; !strings.Contains(m.Text, want) {
		t.Errorf("%q is not in\n%s", want, m.Text)
	}
}

// TestNothingIsInjected: whatever the texts are, the mail has the headers and the calendar object the lines that it has.
func TestNothingIsInjected(t *testing.T) {
	f := newFixture(t, nil)
	fields := func(raw []byte) string {
		head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		var names []string
		for line := range strings.SplitSeq(string(head), "\r\n") {
			if line[0] != ' ' && line[0] != '\t' {
				name, _, _ := strings.Cut(line, ":")
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	render := func(t interface{ Fatal(...any) }, l imip.Letter, actor string) ([]byte, mail.Message) {
		m, err := f.Render("acme", "d1", l, actor)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := mail.Render(m)
		if err != nil {
			t.Fatal(err)
		}
		return raw, m
	}
	ev := event()
	l := imip.Letter{Method: calendar.Request, Event: ev, Guest: ev.Attendees[0], ActedBy: "secretary@example.com", Stamp: ev.Start}
	raw, _ := render(t, l, "Secretary")
	want := fields(raw)
	rapid.Check(t, func(t *rapid.T) {
		evil := func(name string) string {
			s := rapid.String().Draw(t, name)
			return s + rapid.SampledFrom([]string{"", "\r\nBcc: eve@evil.example", "\nSTATUS:CANCELLED", "\rX: y", "\u2028Z: z", "\";X=\"", "<script>", "\x00"}).Draw(t, name) + s
		}
		l := l
		l.Event.Title, l.Event.Location, l.Event.Description, l.Event.OrganizerName = evil("title"), evil("location"), evil("description"), evil("organizer")
		l.Guest.Name = evil("guest")
		l.Event.Attendees = []calendar.Attendee{l.Guest}
		raw, m := render(t, l, evil("actor"))
		if got := fields(raw); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		if strings.Contains(m.HTML, "<script") {
			t.Fatal(m.HTML)
		}
		objects, _, err := ical.Parse(m.Alternatives[0].Content)
		if err != nil || len(objects) != 1 || len(objects[0].Events) != 1 || objects[0].Events[0].Status != "CONFIRMED" || len(objects[0].Events[0].Attendees) != 1 {
			t.Fatalf("%v: %s", err, m.Alternatives[0].Content)
		}
	})
}

func TestSMTP(t *testing.T) {
	sink, err := mailtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sender, err := mail.NewSMTP(mail.Config{URL: sink.URL, From: "renkei@mail.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, sender)
	ev := event()
	if err := f.Handle(t.Context(), published(calendar.Invitation{Method: calendar.Request, Event: ev, Guests: ev.Attendees[:1]})); err != nil {
		t.Fatal(err)
	}
	d := deliveryOf(t, "d1", f.queue[0])
	for range 2 { // a retry is the same mail
		if result := f.Send(t.Context(), d); result.State() != delivery.Succeeded {
			t.Fatal(result.Err())
		}
	}
	got := sink.Messages()
	if len(got) != 2 || got[0].To[0] != "guest@outside.example" || !bytes.Contains(got[0].Data, []byte("<imip.d1@mail.example.com>")) || !bytes.Contains(got[1].Data, []byte("<imip.d1@mail.example.com>")) {
		t.Errorf("%+v", got)
	}
	if result := f.Send(t.Context(), delivery.Delivery{Payload: []byte("[]")}); result.State() != delivery.Dead {
		t.Error(result.State())
	}
}
