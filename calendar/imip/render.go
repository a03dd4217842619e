package imip

import (
	"embed"
	"html/template"
	"strings"
	"time"
	"unicode"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/ical"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/mail"
)

//go:embed invite.html.tmpl
var files embed.FS

var htmlBody = template.Must(template.ParseFS(files, "invite.html.tmpl"))

// body is what the templates show.
type body struct {
	Heading     string
	Title       string
	When        string
	Location    string
	Organizer   string
	Description string
	Buttons     []button // none in a cancellation
}

type button struct{ Label, URL string }

// Render makes the mail of a letter. id tells mails apart and makes the Message-ID; actor is the secretary's name. Equal
// arguments give equal messages. No text of the event can start a header, a content line or markup. It returns
// ical.ErrUnwritable.
func (s *Inviter) Render(tenant identity.TenantID, id string, l Letter, actor string) (mail.Message, error) {
	object, err := ical.Write(calendarOf(l))
	if err != nil {
		return mail.Message{}, err
	}
	ev := l.Event
	b := body{
		Title: line(ev.Title), When: when(ev), Location: line(ev.Location), Organizer: organizer(ev), Description: ev.Description,
	}
	tag := "[Invitation]"
	b.Heading = "You are invited"
	switch {
	case l.Method == calendar.Cancel:
		tag, b.Heading = "[Cancelled]", "This event is cancelled"
	case l.Method == calendar.DeclineCounter:
		tag, b.Heading = "[Declined proposal]", "The proposed time was declined; the event stays as it is"
	case l.Updated:
		tag, b.Heading = "[Updated]", "This event has changed"
	}
	m := mail.Message{
		From:      mail.Address(from(ev, l.ActedBy, actor), s.cfg.From),
		To:        []string{mail.Address(line(l.Guest.Name), l.Guest.Email)},
		ReplyTo:   s.cfg.ReplyAddress,
		Subject:   tag + " " + cut(line(ev.Title), 200) + " @ " + date(ev),
		MessageID: "imip." + id + "@" + s.cfg.From[strings.LastIndexByte(s.cfg.From, '@')+1:],
		Date:      l.Stamp,
		Alternatives: []mail.Part{{
			ContentType: "text/calendar; method=" + string(l.Method) + "; charset=UTF-8", Content: object,
		}},
		Attachments: []mail.Part{{ContentType: "application/ics", Name: "invite.ics", Content: object}},
	}
	if l.Method != calendar.Cancel {
		local, domain, _ := strings.Cut(s.cfg.ReplyAddress, "@")
		m.ReplyTo = local + "+" + s.cfg.Tokens.AddressTag(tenant, ev.ID, l.Guest.Email, l.Generation) + "@" + domain
		m.ReturnPath = m.ReplyTo // a bounce names its guest, too
		page := s.cfg.PublicURL + "/rsvp/" + s.cfg.Tokens.ButtonToken(tenant, ev.ID, l.Guest.Email, l.Generation)
		for _, answer := range []struct {
			label    string
			partstat calendar.Partstat
		}{{"Accept", calendar.Accepted}, {"Tentative", calendar.Tentative}, {"Decline", calendar.Declined}} {
			b.Buttons = append(b.Buttons, button{answer.label, page + "?answer=" + string(answer.partstat)})
		}
	}
	var html strings.Builder
	if err := htmlBody.Execute(&html, b); err != nil {
		return mail.Message{}, err
	}
	m.Text, m.HTML = b.text(), html.String()
	return m, nil
}

// calendarOf is the letter as iTIP (RFC 5546 §3.2.2, §3.2.5, §3.2.8).
func calendarOf(l Letter) ical.Calendar {
	ev := l.Event
	v := ical.VEvent{
		UID: ev.UID, Sequence: ev.Sequence, DTStamp: l.Stamp, Start: ev.Start, End: ev.End, TimeZone: ev.TimeZone, AllDay: ev.AllDay,
		RRule: ev.Recurrence, Summary: ev.Title, Location: ev.Location, Description: ev.Description, Status: "CONFIRMED",
		Class: ev.Visibility.Class(), Transp: "OPAQUE", Created: ev.CreatedAt, LastModified: ev.UpdatedAt,
		Organizer: &ical.Organizer{Email: ev.OrganizerEmail, Name: ev.OrganizerName, SentBy: l.ActedBy},
	}
	guests := ev.Attendees
	if l.Method == calendar.Cancel {
		// Only the one it is for: others may still be invited.
		v.Status, guests = "CANCELLED", []calendar.Attendee{l.Guest}
	}
	for _, a := range guests {
		v.Attendees = append(v.Attendees, ical.Attendee{
			Email: a.Email, Name: a.Name, Partstat: string(a.Partstat), RSVP: l.Method == calendar.Request,
		})
	}
	return ical.Calendar{Method: string(l.Method), Events: []ical.VEvent{v}}
}

// from is the display name: it never is the organizer's name alone, which would pretend that they sent the mail.
func from(ev calendar.Event, actedBy, actor string) string {
	if actedBy != "" {
		return cut(line(actor), 100) + " on behalf of " + cut(organizer(ev), 100)
	}
	return cut(organizer(ev), 100) + " via Renkei"
}

func organizer(ev calendar.Event) string {
	if name := line(ev.OrganizerName); name != "" {
		return name
	}
	return ev.OrganizerEmail
}

func zone(ev calendar.Event) *time.Location {
	if loc, err := time.LoadLocation(ev.TimeZone); err == nil {
		return loc
	}
	return time.UTC
}

// date is the start as the clocks of the event's zone show it.
func date(ev calendar.Event) string {
	start := ev.Start.In(zone(ev))
	if ev.AllDay {
		return start.Format("Mon 2 Jan 2006")
	}
	return start.Format("Mon 2 Jan 2006 15:04 (MST)")
}

func when(ev calendar.Event) string {
	start, end := ev.Start.In(zone(ev)), ev.End.In(zone(ev))
	const day = "Mon 2 Jan 2006"
	if ev.AllDay {
		last := end.Add(-time.Nanosecond)
		if last.Format(day) == start.Format(day) {
			return start.Format(day)
		}
		return start.Format(day) + " – " + last.Format(day)
	}
	from, to := day+" 15:04", "15:04 (MST)"
	if start.Format("MST") != end.Format("MST") { // the clocks change meanwhile: 01:30 may come twice
		from += " (MST)"
	}
	if start.Format(day) != end.Format(day) {
		to = day + " " + to
	}
	return start.Format(from) + " – " + end.Format(to)
}

// line makes one line of a text: whatever breaks lines or controls terminals becomes a space.
func line(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// cut keeps the first n characters.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// text is the plain form.
func (b body) text() string {
	var t strings.Builder
	t.WriteString(b.Heading + ".\n\n" + b.Title + "\nWhen: " + b.When + "\n")
	if b.Location != "" {
		t.WriteString("Where: " + b.Location + "\n")
	}
	t.WriteString("Organizer: " + b.Organizer + "\n")
	if b.Description != "" {
		t.WriteString("\n" + strings.ToValidUTF8(b.Description, "\uFFFD") + "\n")
	}
	for _, button := range b.Buttons {
		t.WriteString("\n" + button.Label + ": " + button.URL)
	}
	t.WriteString("\n")
	return t.String()
}
