package ical

import (
	"net/url"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Parse reads calendar data of unknown origin. It never panics and mends what it can: see the Warn… codes. Bytes may be
// UTF-8 or UTF-16, with or without a byte order mark; bytes that are neither are read as Latin-1. The input may hold
// several VCALENDARs, or components without one.
//
// It returns ErrTooLarge, ErrTooComplex or ErrNotCalendar (fault.Invalid), with the warnings so far.
func Parse(raw []byte) ([]Object, []Warning, error) {
	if len(raw) > MaxBytes {
		return nil, nil, ErrTooLarge
	}
	var warn warnings
	lines := split(raw, &warn)
	if len(lines) > MaxProperties {
		return nil, warn, ErrTooComplex
	}
	sources, err := scan(lines, &warn)
	if err != nil {
		return nil, warn, err
	}
	var objects []Object
	steps := 0
	for _, s := range sources {
		if len(s.kinds) == 0 && s.head.Len() == 0 {
			continue
		}
		cal, err := tree(s)
		if err != nil {
			warn.add(0, WarnRejected)
			continue
		}
		objects = append(objects, view(cal, s, &steps, &warn))
	}
	if len(objects) == 0 {
		return nil, warn, ErrNotCalendar
	}
	return objects, warn, nil
}

// tree lets golang-ical build the component tree of the canonical text. The recover is a last resort for input that
// would make the library panic in spite of it.
func tree(s *source) (cal *ics.Calendar, err error) {
	defer func() {
		if recover() != nil {
			err = ErrNotCalendar
		}
	}()
	text := "BEGIN:VCALENDAR\r\n" + s.head.String() + s.body.String() + "END:VCALENDAR\r\n"
	return ics.ParseCalendar(strings.NewReader(text))
}

// view makes the plain view of a component tree.
func view(cal *ics.Calendar, s *source, steps *int, warn *warnings) Object {
	o := Object{Components: s.kinds, Raw: s.raw.String()}
	for _, p := range cal.CalendarProperties {
		switch {
		case p.IANAToken == string(ics.PropertyMethod) && o.Method == "":
			o.Method = strings.ToUpper(strings.TrimSpace(p.Value))
		case p.IANAToken == string(ics.PropertyProductId) && o.ProdID == "":
			o.ProdID = strings.TrimSpace(p.Value)
		}
	}
	z := &zones{custom: readZones(cal.Components), steps: steps}
	for _, e := range cal.Events() {
		if event, ok := viewEvent(e, z, warn); ok {
			o.Events = append(o.Events, event)
		}
	}
	return o
}

// viewEvent reads one VEVENT. Of a property that must not come twice the first one counts.
func viewEvent(v *ics.VEvent, z *zones, warn *warnings) (e Event, ok bool) {
	note := func(code string) {
		if code != "" {
			warn.add(0, code)
		}
	}
	first := func(field *string, p *ics.IANAProperty) {
		if *field == "" {
			*field = p.Value
		}
	}
	var duration *ics.IANAProperty
	var comments []string
	for i := range v.Properties {
		p := &v.Properties[i]
		switch p.IANAToken {
		case "UID":
			first(&e.UID, p)
		case "SEQUENCE":
			n, good := digits(strings.TrimPrefix(strings.TrimSpace(p.Value), "+"))
			if good && !e.HasSequence {
				e.Sequence, e.HasSequence = n, true
			} else if !good {
				note(WarnBadSequence)
			}
		case "DTSTAMP":
			once(&e.DTStamp, z.stamp, p, note)
		case "X-MICROSOFT-CDO-REPLYTIME":
			once(&e.ReplyTime, z.stamp, p, note)
		case "DTSTART":
			once(&e.Start, z.read, p, note)
		case "DTEND":
			once(&e.End, z.read, p, note)
		case "DURATION":
			duration = p
		case "RECURRENCE-ID":
			t, code, good := z.time(p)
			note(code)
			if !good {
				note(WarnBadRecurrenceID)
				return e, false
			}
			if e.RecurrenceID == nil {
				e.RecurrenceID = &t
				e.ThisAndFuture = strings.EqualFold(param(p, "RANGE"), "THISANDFUTURE")
			}
		case "RRULE":
			first(&e.RRule, p)
		case "ORGANIZER":
			if e.Organizer == nil {
				e.Organizer = &Organizer{Email: address(p, note), Name: oneLine(param(p, "CN")), SentBy: mailbox(param(p, "SENT-BY"))}
			}
		case "ATTENDEE":
			e.Attendees = append(e.Attendees, viewAttendee(p, note))
		case "SUMMARY":
			first(&e.Summary, p)
		case "LOCATION":
			first(&e.Location, p)
		case "DESCRIPTION":
			first(&e.Description, p)
		case "COMMENT":
			if p.Value != "" {
				comments = append(comments, p.Value)
			}
		case "STATUS":
			first(&e.Status, p)
		}
	}
	e.Comment = strings.Join(comments, "\n")
	e.UID, e.RRule = strings.TrimSpace(e.UID), strings.TrimSpace(e.RRule)
	e.Status = strings.ToUpper(strings.TrimSpace(e.Status))
	if e.End.IsZero() && !e.Start.IsZero() {
		e.End = z.end(e.Start, duration, note)
	}
	return e, true
}

// once reads a time unless there is one.
func once[T interface{ IsZero() bool }](field *T, read func(*ics.IANAProperty, func(string)) T, p *ics.IANAProperty, note func(string)) {
	if !(*field).IsZero() {
		return
	}
	*field = read(p, note)
}

// end is the exclusive end without DTEND: start plus duration, a day for a date, else the start itself
// (RFC 5545 §3.6.1).
func (z *zones) end(start Time, duration *ics.IANAProperty, note func(string)) Time {
	if duration != nil {
		if days, exact, ok := parseDuration(duration.Value); ok {
			return z.addDuration(start, days, exact)
		}
		note(WarnBadTime)
	}
	if start.AllDay {
		return z.addDuration(start, 1, 0)
	}
	return start
}

func (z *zones) read(p *ics.IANAProperty, note func(string)) Time {
	t, code, _ := z.time(p)
	note(code)
	return t
}

// stamp reads a time that must be in UTC; one without a zone is taken for it.
func (z *zones) stamp(p *ics.IANAProperty, note func(string)) time.Time { return z.read(p, note).At }

func viewAttendee(p *ics.IANAProperty, note func(string)) Attendee {
	upper := func(name, otherwise string) string {
		if v := strings.ToUpper(strings.TrimSpace(param(p, name))); v != "" {
			return v
		}
		return otherwise
	}
	return Attendee{
		Email:         address(p, note),
		Name:          oneLine(param(p, "CN")),
		Partstat:      upper("PARTSTAT", PartstatNeedsAction),
		Role:          upper("ROLE", "REQ-PARTICIPANT"),
		RSVP:          upper("RSVP", "") == "TRUE",
		SentBy:        mailbox(param(p, "SENT-BY")),
		DelegatedTo:   mailboxes(p.ICalParameters["DELEGATED-TO"]),
		DelegatedFrom: mailboxes(p.ICalParameters["DELEGATED-FROM"]),
	}
}

// address returns the mail address of a calendar user: its URI, else its EMAIL parameter (RFC 7986 §6.2), which is where
// clients put it when the URI is a urn or a path in their own directory.
func address(p *ics.IANAProperty, note func(string)) string {
	email := mailbox(p.Value)
	if email == "" {
		email = mailbox(param(p, "EMAIL"))
	}
	if email == "" {
		note(WarnBadAddress)
	}
	return email
}

func mailboxes(values []string) (emails []string) {
	for _, v := range values {
		if email := mailbox(decodeParam(v)); email != "" {
			emails = append(emails, email)
		}
	}
	return emails
}

// mailbox returns the normal form of an address or a mailto URI (RFC 6068: percent-encoded, perhaps with headers), "" for
// anything else.
func mailbox(s string) string {
	s = strings.Trim(strings.TrimSpace(s), `"'<>`)
	const scheme = "mailto:"
	if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
		s = s[len(scheme):]
		s, _, _ = strings.Cut(s, "?")
		if decoded, err := url.PathUnescape(s); err == nil {
			s = decoded
		}
		s = strings.Trim(strings.TrimSpace(s), "<>")
	}
	return identity.NormalEmail(s)
}

// param returns the first value of a parameter, decoded.
func param(p *ics.IANAProperty, name string) string {
	if values := p.ICalParameters[name]; len(values) > 0 {
		return decodeParam(values[0])
	}
	return ""
}

// oneLine is a name as it may go into a header or a title: line breaks become spaces.
func oneLine(s string) string { return strings.TrimSpace(strings.ReplaceAll(sanitize(s), "\n", " ")) }
