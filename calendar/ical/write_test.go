package ical

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"
	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/fault"
)

var (
	stamp = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	begun = time.Date(2026, 7, 2, 1, 0, 0, 0, time.UTC)
)

func sample() VEvent {
	return VEvent{UID: "u1", DTStamp: stamp, Start: begun, End: begun.Add(time.Hour)}
}

func write(t interface {
	Helper()
	Fatal(...any)
}, c Calendar) string {
	t.Helper()
	raw, err := Write(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWriteGolden(t *testing.T) {
	v := VEvent{
		UID: "u1", Sequence: 2, DTStamp: stamp, Start: begun, End: begun.Add(90 * time.Minute), TimeZone: "Europe/Berlin",
		RRule: "FREQ=WEEKLY;COUNT=5", ExDates: []time.Time{begun.AddDate(0, 0, 7)},
		Summary: "企画会議、第二回：来年度の予算と人員の見直しについて話し合う", Location: `Room A; floor 2, "Hinoki"`, Description: "One\r\nTwo\\",
		Status: "CONFIRMED", Class: "PRIVATE", Transp: "OPAQUE", URL: "https://example.com/e?id=1&x=a,b",
		Organizer: &Organizer{Email: "Boss@Example.com", Name: "Boss; Mr", SentBy: "sec@example.com"},
		Attendees: []Attendee{{Email: "a+b@example.com", Name: "A \"B\" ^C", RSVP: true},
			{Email: "d@example.com", Partstat: "DELEGATED", Role: "OPT-PARTICIPANT", DelegatedTo: []string{"e@example.com"}}},
		Created: stamp, LastModified: stamp,
	}
	want := strings.Join([]string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Renkei//Renkei Calendar//EN", "CALSCALE:GREGORIAN", "METHOD:REQUEST",
		"BEGIN:VTIMEZONE", "TZID:Europe/Berlin",
		"BEGIN:DAYLIGHT", "DTSTART:19810329T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST",
		"RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT",
		"BEGIN:STANDARD", "DTSTART:19961027T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "TZNAME:CET",
		"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD", "END:VTIMEZONE",
		"BEGIN:VEVENT", "UID:u1", "DTSTAMP:20260301T000000Z", "SEQUENCE:2",
		"DTSTART;TZID=Europe/Berlin:20260702T030000", "DTEND;TZID=Europe/Berlin:20260702T043000",
		"RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20260709T030000",
		"SUMMARY:企画会議、第二回：来年度の予算と人員の見直し", " について話し合う",
		`LOCATION:Room A\; floor 2\, "Hinoki"`, `DESCRIPTION:One\nTwo\\`,
		"STATUS:CONFIRMED", "CLASS:PRIVATE", "TRANSP:OPAQUE", "URL:https://example.com/e?id=1&x=a,b",
		`ORGANIZER;CN="Boss; Mr";SENT-BY="mailto:sec@example.com":mailto:boss@exampl`, " e.com",
		`ATTENDEE;CN="A ^'B^' ^^C";PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=T`, " RUE:mailto:a+b@example.com",
		`ATTENDEE;DELEGATED-TO="mailto:e@example.com";PARTSTAT=DELEGATED;ROLE=OPT-PA`, " RTICIPANT:mailto:d@example.com",
		"CREATED:20260301T000000Z", "LAST-MODIFIED:20260301T000000Z", "END:VEVENT", "END:VCALENDAR", "",
	}, "\r\n")
	if got := write(t, Calendar{Method: "request", Events: []VEvent{v}}); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestWriteTimes(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*VEvent)
		want   []string
	}{
		"utc":     {func(v *VEvent) {}, []string{"DTSTART:20260702T010000Z", "DTEND:20260702T020000Z"}},
		"named":   {func(v *VEvent) { v.TimeZone = "Asia/Tokyo" }, []string{"DTSTART;TZID=Asia/Tokyo:20260702T100000", "BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0900\r\nTZOFFSETTO:+0900"}},
		"etc/utc": {func(v *VEvent) { v.TimeZone = "Etc/UTC" }, []string{"DTSTART:20260702T010000Z"}},
		"all day": {func(v *VEvent) {
			v.TimeZone, v.AllDay = "America/New_York", true
			v.End = v.Start.AddDate(0, 0, 1)
		}, []string{"DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260702"}},
		"instance": {func(v *VEvent) {
			v.TimeZone, v.RecurrenceID, v.ThisAndFuture = "Asia/Tokyo", &Time{At: begun}, true
		}, []string{"RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Asia/Tokyo:20260702T100000"}},
		"instance by date": {func(v *VEvent) {
			v.TimeZone, v.RecurrenceID = "America/New_York", &Time{At: begun.Truncate(24 * time.Hour), AllDay: true}
		}, []string{"RECURRENCE-ID;VALUE=DATE:20260702"}},
		"second of two readings": {func(v *VEvent) {
			v.TimeZone, v.Start = "Europe/Berlin", time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)
			v.End = v.Start.Add(time.Hour)
		}, []string{"DTSTART:20261025T013000Z", "DTEND;TZID=Europe/Berlin:20261025T033000"}},
	} {
		t.Run(name, func(t *testing.T) {
			v := sample()
			tt.change(&v)
			got := write(t, Calendar{Events: []VEvent{v}})
			for _, want := range tt.want {
				if !strings.Contains(got, want+"\r\n") {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			if strings.Contains(got, "TZID=") != strings.Contains(got, "BEGIN:VTIMEZONE") {
				t.Errorf("a VTIMEZONE for each TZID and no other:\n%s", got)
			}
		})
	}
}

func TestWriteRefuses(t *testing.T) {
	for field, change := range map[string]func(*VEvent){
		"events[0].uid":                func(v *VEvent) { v.UID = "\r\n" },
		"events[0].dtstamp":            func(v *VEvent) { v.DTStamp = time.Time{} },
		"events[0].start":              func(v *VEvent) { v.Start = time.Time{} },
		"events[0].end":                func(v *VEvent) { v.End = v.Start.Add(-1) },
		"events[0].sequence":           func(v *VEvent) { v.Sequence = -1 },
		"events[0].time_zone":          func(v *VEvent) { v.TimeZone = "Local" },
		"events[0].rrule":              func(v *VEvent) { v.RRule = "FREQ=DAILY\r\nSTATUS:CANCELLED" },
		"events[0].status":             func(v *VEvent) { v.Status = "A:B" },
		"events[0].url":                func(v *VEvent) { v.URL = "example" },
		"events[0].organizer.email":    func(v *VEvent) { v.Organizer = &Organizer{Email: "a@b\r\nX:1"} },
		"events[0].organizer.sent_by":  func(v *VEvent) { v.Organizer = &Organizer{Email: "a@b.example", SentBy: "x"} },
		"events[0].attendees[0].email": func(v *VEvent) { v.Attendees = []Attendee{{}} },
		"events[0].attendees[0].role": func(v *VEvent) {
			v.Attendees = []Attendee{{Email: "a@b.example", Role: "X;Y"}}
		},
	} {
		v := sample()
		change(&v)
		_, err := Write(Calendar{Method: MethodRequest, Events: []VEvent{v}})
		fields := fault.FieldsOf(err)
		if !errors.Is(err, ErrUnwritable) || len(fields) != 1 || fields[0].Location != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := Write(Calendar{Method: MethodRequest}); !errors.Is(err, ErrUnwritable) {
		t.Error("a request without events:", err)
	}
	if _, err := Write(Calendar{Method: "REQUEST\r\nX:1", Events: []VEvent{sample()}}); !errors.Is(err, ErrUnwritable) {
		t.Error("a method that is no token:", err)
	}
	if feed := write(t, Calendar{Method: MethodPublish, Name: "Team\r\nX:1"}); !strings.Contains(feed, "\r\nX-WR-CALNAME:Team X:1\r\n") {
		t.Error("an empty feed:", feed)
	}
}

// checkForm holds what every output must: CRLF only, at most 75 octets a line, UTF-8, no control character.
func checkForm(t interface{ Fatalf(string, ...any) }, raw string) {
	if !utf8.ValidString(raw) || !strings.HasSuffix(raw, "END:VCALENDAR\r\n") {
		t.Fatalf("not UTF-8, or without an end: %q", raw)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(raw, "\r\n"), "\r\n") {
		if len(line) > maxOctets || line == "" || !utf8.ValidString(line) {
			t.Fatalf("a line of %d octets: %q", len(line), line)
		}
		if strings.ContainsFunc(line, func(r rune) bool {
			return r < ' ' || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029'
		}) {
			t.Fatalf("a control character: %q", line)
		}
	}
}

// propertyNames lists the names of all content lines; names of values show up here only when they were injected.
func propertyNames(raw string) (names []string) {
	for line := range strings.SplitSeq(strings.ReplaceAll(raw, "\r\n ", ""), "\r\n") {
		if end := strings.IndexAny(line, ":;"); end >= 0 {
			names = append(names, line[:end])
		}
	}
	return names
}

var nasty = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
	"A\r\nSTATUS:CANCELLED\r\nX-A", `"quoted" ^n ^^ ^'`, `back\slash\`, "a;b,c:d", "\n\n", "\u2028\u2029\u0085\v\f\x00\x7f", "\xff\xfe",
	strings.Repeat("あ", 60), strings.Repeat("👩‍👩‍👧", 20), "END:VEVENT\nBEGIN:VEVENT", " lead and trail ", "\t",
}))

func TestWriteCannotBeInjected(t *testing.T) {
	base := sample()
	base.Organizer, base.Attendees = &Organizer{Email: "o@example.com", Name: "x"}, []Attendee{{Email: "a@example.com", Name: "x"}}
	base.Summary, base.Location, base.Description, base.Comment = "x", "x", "x", "x"
	want := propertyNames(write(t, Calendar{Method: MethodRequest, Name: "x", Events: []VEvent{base}}))
	rapid.Check(t, func(t *rapid.T) {
		text := func(label string) string { return "x" + nasty.Draw(t, label) }
		v := base
		v.UID, v.Summary, v.Location, v.Description, v.Comment = text("uid"), text("summary"), text("location"), text("description"), text("comment")
		v.Organizer = &Organizer{Email: "o@example.com", Name: text("organizer")}
		v.Attendees = []Attendee{{Email: "a@example.com", Name: text("attendee")}}
		raw := write(t, Calendar{Method: MethodRequest, Name: text("name"), Events: []VEvent{v}})
		checkForm(t, raw)
		if got := propertyNames(raw); !slices.Equal(got, want) {
			t.Fatalf("properties %v, want %v", got, want)
		}
		objects, warn, err := Parse([]byte(raw))
		if err != nil || len(warn) > 0 || len(objects) != 1 || len(objects[0].Events) != 1 {
			t.Fatalf("%v %v %v", objects, warn, err)
		}
		e := objects[0].Events[0]
		for _, pair := range [][2]string{
			{e.UID, oneLine(v.UID)}, {e.Summary, oneLine(v.Summary)}, {e.Location, sanitize(v.Location)},
			{e.Description, sanitize(v.Description)}, {e.Comment, sanitize(v.Comment)},
			{e.Organizer.Name, displayName(v.Organizer.Name)}, {e.Attendees[0].Name, displayName(v.Attendees[0].Name)},
		} {
			if pair[0] != pair[1] {
				t.Fatalf("read %q, want %q", pair[0], pair[1])
			}
		}
		cal, err := ics.ParseCalendar(strings.NewReader(raw))
		if err != nil || len(cal.Events()) != 1 || cal.Events()[0].GetProperty(ics.ComponentPropertySummary).Value != e.Summary {
			t.Fatalf("golang-ical reads it otherwise: %v", err)
		}
	})
}

func TestParamEscapes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := nasty.Draw(t, "s")
		encoded := encodeParam(s)
		if strings.ContainsAny(encoded, "\"\r\n") || decodeParam(encoded) != sanitize(s) {
			t.Fatalf("%q became %q", s, encoded)
		}
	})
	if got := encodeParam("a^b\"c\r\nd"); got != "a^^b^'c^nd" {
		t.Error(got)
	}
	if got := decodeParam("^x^n^'^^n"); got != "^x\n\"^n" {
		t.Errorf("%q", got)
	}
}

func TestMailboxRoundTrip(t *testing.T) {
	for _, email := range []string{"a@example.com", "a+b%c@example.com", "o'neil@example.com", "a&b?c#d@example.com", "{x}|y@example.com"} {
		if got := mailbox(mailto(email)); got != email {
			t.Errorf("%q became %q by %q", email, got, mailto(email))
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("Title", "Name", "a@example.com", "Asia/Tokyo", "FREQ=DAILY", int64(1_767_225_600), true)
	f.Add("A\r\nX:1", "\"^\\", "mailto:b@example.com", "", "", int64(0), false)
	f.Add("\u2028", strings.Repeat("é", 99), "c%@example.com", "Africa/Casablanca", "FREQ=YEARLY;COUNT=3", int64(-62_135_596_801), false)
	f.Fuzz(func(t *testing.T, title, name, email, zone, rule string, at int64, allDay bool) {
		start := time.Unix(at, 0)
		raw, err := Write(Calendar{Method: MethodRequest, Events: []VEvent{{
			UID: "u", DTStamp: stamp, Start: start, End: start.AddDate(0, 0, 1), TimeZone: zone, RRule: rule, AllDay: allDay, Summary: title,
			Organizer: &Organizer{Email: email, Name: name, SentBy: email}, Attendees: []Attendee{{Email: email, Name: title}},
		}}})
		if err != nil {
			if !errors.Is(err, ErrUnwritable) {
				t.Fatal(err)
			}
			return
		}
		checkForm(t, string(raw))
		objects, warn, err := Parse(raw)
		if err != nil || len(warn) > 0 || len(objects) != 1 || len(objects[0].Events) != 1 {
			t.Fatalf("%v %v\n%s", warn, err, raw)
		}
		e := objects[0].Events[0]
		if e.Summary != oneLine(title) || e.Organizer.Name != displayName(name) || !allDay && rule == "" && !e.Start.At.Equal(start) {
			t.Fatalf("%+v\n%s", e, raw)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(wrap("UID:u", "ATTENDEE;CN=\"A\":mailto:a@example.com", "DTSTART;TZID=Custom Zone:20260701T100000")))
	f.Add([]byte(customZoneText))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nATTENDEE;A=\\:x\nX;=;:\nEND:VCALENDAR"))
	f.Add([]byte(utf16le(wrap("UID:u"), true)))
	f.Add([]byte("BEGIN:VEVENT\nDURATION:P\nDTSTART:00000101\nRECURRENCE-ID;TZID=:99991231T240000\n;\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		objects, warn, err := Parse(raw)
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Fatal(err)
		}
		for _, w := range warn {
			if w.Code == WarnRejected {
				t.Fatalf("golang-ical refuses the canonical form of %q", raw)
			}
		}
		for _, o := range objects {
			_, _ = o.Replies()
			again, _, err := Parse([]byte(o.Raw))
			if len(o.Raw) <= MaxBytes && (err != nil && len(o.Components) > 0 || err == nil && len(again[0].Events) != len(o.Events)) {
				t.Fatalf("the raw text reads otherwise: %v\n%q", err, o.Raw)
			}
		}
	})
}

func BenchmarkParseReply(b *testing.B) {
	raw := []byte(strings.Replace(wrap("UID:0198c0de-0000-7000-8000-000000000001", "SEQUENCE:1", "DTSTAMP:20260301T000000Z",
		"DTSTART;TZID=Europe/Berlin:20260702T030000", "DTEND;TZID=Europe/Berlin:20260702T043000", "SUMMARY:Accepted: 企画会議",
		"ORGANIZER;CN=\"Boss\":mailto:boss@example.com", "ATTENDEE;CN=\"Guest\";PARTSTAT=ACCEPTED:mailto:guest@example.com",
		"COMMENT:See you", "X-MICROSOFT-CDO-REPLYTIME:20260301T000000Z", "CLASS:PUBLIC", "PRIORITY:5", "TRANSP:OPAQUE", "STATUS:CONFIRMED"),
		"BEGIN:VEVENT", customZoneText+"BEGIN:VEVENT", 1))
	b.ReportAllocs()
	for b.Loop() {
		objects, _, err := Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := objects[0].Replies(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHostile5MB(b *testing.B) {
	raw := bytes.Repeat([]byte("BEGIN:VEVENT\n"), 5<<20/13)
	for b.Loop() {
		if _, _, err := Parse(raw); !errors.Is(err, ErrTooLarge) {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	v := sample()
	v.TimeZone, v.Summary, v.Organizer = "Europe/Berlin", "企画会議", &Organizer{Email: "o@example.com", Name: "O"}
	v.Attendees = []Attendee{{Email: "a@example.com", Name: "A", RSVP: true}, {Email: "b@example.com", Name: "B", RSVP: true}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Write(Calendar{Method: MethodRequest, Events: []VEvent{v}}); err != nil {
			b.Fatal(err)
		}
	}
}
