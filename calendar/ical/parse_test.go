package ical

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
	"unicode/utf16"
)

// wrap puts event lines into a METHOD:REPLY object.
func wrap(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") +
		"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func parseOne(t *testing.T, text string) (Object, []Warning) {
	t.Helper()
	objects, warn, err := Parse([]byte(text))
	if err != nil || len(objects) != 1 {
		t.Fatalf("Parse: %d objects, %v, %v", len(objects), warn, err)
	}
	return objects[0], warn
}

func codes(warn []Warning) string {
	var list []string
	for _, w := range warn {
		list = append(list, w.Code)
	}
	return strings.Join(list, " ")
}

func utf16le(s string, mark bool) string {
	var b strings.Builder
	if mark {
		b.WriteString("\xff\xfe")
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

func TestParseForms(t *testing.T) {
	plain := wrap("UID:u1", "SUMMARY:Réunion", "ATTENDEE:mailto:a@example.com")
	for name, tt := range map[string]struct{ text, warn string }{
		"crlf":              {plain, ""},
		"lf":                {strings.ReplaceAll(plain, "\r\n", "\n"), ""},
		"cr":                {strings.ReplaceAll(plain, "\r\n", "\r"), ""},
		"crcrlf":            {strings.ReplaceAll(plain, "\r\n", "\r\r\n"), ""},
		"blank lines":       {strings.ReplaceAll(plain, "\r\n", "\r\n\r\n"), ""},
		"bom":               {"\xef\xbb\xbf" + plain, ""},
		"utf-16":            {utf16le(plain, true), ""},
		"utf-16 no mark":    {utf16le(plain, false), ""},
		"latin-1":           {strings.ReplaceAll(plain, "é", "\xe9"), "charset"},
		"lower case":        {strings.NewReplacer("UID", "uid", "SUMMARY", "Summary", "BEGIN", "begin", "VEVENT", "vevent").Replace(plain), ""},
		"folded":            {strings.ReplaceAll(plain, "Réunion", "Ré\r\n union"), ""},
		"tab fold":          {strings.ReplaceAll(plain, "Réunion", "Ré\r\n\tunion"), ""},
		"fold in character": {strings.ReplaceAll(plain, "é", "\xc3\r\n \xa9"), ""},
		"control":           {strings.ReplaceAll(plain, "Ré", "R\x00\x07é\x7f"), ""},
		"junk line":         {strings.ReplaceAll(plain, "SUMMARY", "what is this\r\nX_Y:1\r\nSUMMARY"), "bad_line bad_line"},
		"method last":       {strings.ReplaceAll(strings.ReplaceAll(plain, "METHOD:REPLY\r\n", ""), "END:VCAL", "METHOD:REPLY\r\nEND:VCAL"), ""},
		"cut off":           {strings.TrimSuffix(plain, "END:VEVENT\r\nEND:VCALENDAR\r\n"), "unbalanced"},
		"stray end":         {strings.ReplaceAll(plain, "UID", "END:VALARM\r\nUID"), "unbalanced"},
		"missing end":       {strings.ReplaceAll(plain, "END:VEVENT", "BEGIN:VALARM\r\nEND:VEVENT"), "unbalanced"},
		"text before":       {"Dear all,\r\n" + plain, "bad_line"},
		"doubled begin":     {"BEGIN:VCALENDAR\r\n" + plain, "unbalanced"},
		"bare parameter":    {strings.ReplaceAll(plain, "SUMMARY:", "SUMMARY;QUOTED:"), "bad_parameter"},
		"too deep": {strings.ReplaceAll(plain, "UID", strings.Repeat("BEGIN:X-A\r\n", 12)+
			strings.Repeat("END:X-A\r\n", 12)+"UID"), "too_deep"},
		"long line": {strings.ReplaceAll(plain, "UID", "ATTACH:"+strings.Repeat("A", MaxLine)+"\r\nUID"), "line_too_long"},
		"many parameters": {strings.ReplaceAll(plain, "UID", "ATTACH"+strings.Repeat(";A=1", 40)+":x\r\nUID"),
			"too_many_parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			o, warn := parseOne(t, tt.text)
			if got := codes(warn); got != tt.warn {
				t.Errorf("warnings %q, want %q", got, tt.warn)
			}
			if o.Method != MethodReply || len(o.Events) != 1 {
				t.Fatalf("method %q, %d events", o.Method, len(o.Events))
			}
			e := o.Events[0]
			if e.UID != "u1" || e.Summary != "Réunion" || len(e.Attendees) != 1 || e.Attendees[0].Email != "a@example.com" {
				t.Errorf("event %+v", e)
			}
		})
	}
}

func TestParseSeveral(t *testing.T) {
	one := wrap("UID:u1")
	for name, tt := range map[string]struct {
		text    string
		objects int
	}{
		"stream":        {one + strings.ReplaceAll(one, "u1", "u2"), 2},
		"without end":   {strings.ReplaceAll(one, "END:VCALENDAR\r\n", "") + one, 2},
		"bare events":   {"BEGIN:VEVENT\nUID:a\nEND:VEVENT\nBEGIN:VEVENT\nUID:b\nEND:VEVENT\n", 1},
		"bare and full": {"BEGIN:VEVENT\nUID:a\nEND:VEVENT\n" + one, 2},
		"beside a card": {"BEGIN:VCARD\nFN:x\nEND:VCARD\n" + one, 1},
	} {
		t.Run(name, func(t *testing.T) {
			objects, warn, err := Parse([]byte(tt.text))
			if err != nil || len(objects) != tt.objects {
				t.Errorf("%d objects, %v, %v", len(objects), warn, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"empty":      {"", ErrNotCalendar},
		"nothing":    {"hello\nworld", ErrNotCalendar},
		"card":       {"BEGIN:VCARD\nFN:x\nEND:VCARD\n", ErrNotCalendar},
		"large":      {strings.Repeat("A", MaxBytes+1), ErrTooLarge},
		"many lines": {strings.Repeat("A:B\n", MaxProperties+1), ErrTooComplex},
		"many parts": {"BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\nEND:X\n", MaxComponents+1), ErrTooComplex},
		"only deep":  {strings.Repeat("BEGIN:VCALENDAR\n", MaxComponents+1), ErrTooComplex},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Parse([]byte(tt.text)); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParseAttendee(t *testing.T) {
	for line, want := range map[string]Attendee{
		`ATTENDEE;PARTSTAT=ACCEPTED;CN="Doe, John":MAILTO:John.Doe@Example.COM`: {Email: "john.doe@example.com", Name: "Doe, John", Partstat: "ACCEPTED"},
		`ATTENDEE;CN=A ^'B^' ^^ C^nD;X-A=1:mailto:a@b.example`:                  {Email: "a@b.example", Name: `A "B" ^ C D`},
		`attendee;partstat=tentative;rsvp=true:mailto:a@b.example`:              {Email: "a@b.example", Partstat: "TENTATIVE", RSVP: true},
		`ATTENDEE;CN=Doe\, John;SENT-BY=mailto\:sec@b.example:mailto:a@b.example`: {Email: "a@b.example", Name: "Doe, John",
			SentBy: "sec@b.example"},
		`ATTENDEE;SENT-BY=mailto:sec@b.example;CN=J:mailto:a@b.example`: {Email: "a@b.example", Name: "J", SentBy: "sec@b.example"},
		`ATTENDEE;CN="J "Joe" D":mailto:a@b.example`:                    {Email: "a@b.example", Name: `J "Joe" D`},
		`ATTENDEE;CN="Open:mailto:a@b.example`:                          {Email: "a@b.example", Name: `"Open`},
		`ATTENDEE;CN=C:\dir`:                                            {Name: "C"},
		`ATTENDEE;CN="C:\dir":mailto:a@b.example`:                       {Email: "a@b.example", Name: `C:\dir`},
		`ATTENDEE;CN="":a@b.example`:                                    {Email: "a@b.example"},
		`ATTENDEE;EMAIL=a@b.example:urn:uuid:1`:                         {Email: "a@b.example"},
		`ATTENDEE:mailto:a%2Btag@b.example?subject=x`:                   {Email: "a+tag@b.example"},
		`ATTENDEE:mailto:<a@b.example>`:                                 {Email: "a@b.example"},
		`ATTENDEE:mailto:x@müller.example`:                              {Email: "x@xn--mller-kva.example"},
		`ATTENDEE;DELEGATED-TO="mailto:d@b.example","mailto:E@b.example";PARTSTAT=DELEGATED:mailto:a@b.example`: {
			Email: "a@b.example", Partstat: "DELEGATED", DelegatedTo: []string{"d@b.example", "e@b.example"}},
		`ATTENDEE;DELEGATED-FROM="mailto:d@b.example";ROLE=OPT-PARTICIPANT:mailto:a@b.example`: {
			Email: "a@b.example", Role: "OPT-PARTICIPANT", DelegatedFrom: []string{"d@b.example"}},
	} {
		if want.Partstat == "" {
			want.Partstat = PartstatNeedsAction
		}
		if want.Role == "" {
			want.Role = "REQ-PARTICIPANT"
		}
		o, warn := parseOne(t, wrap("UID:u", line))
		if len(o.Events[0].Attendees) != 1 || !reflect.DeepEqual(o.Events[0].Attendees[0], want) {
			t.Errorf("%s\n got %+v %v\nwant %+v", line, o.Events[0].Attendees, warn, want)
		}
	}
}

const customZoneText = "BEGIN:VTIMEZONE\r\nTZID:Custom Zone\r\n" +
	"BEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\n" +
	"RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\n" +
	"BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n" +
	"RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"

func TestParseTimes(t *testing.T) {
	for line, want := range map[string]string{
		"DTSTART:20260701T100000Z":                                            "2026-07-01T10:00:00Z",
		"DTSTART:20260701T100000":                                             "2026-07-01T10:00:00Z floating",
		"DTSTART;VALUE=DATE:20260701":                                         "2026-07-01T00:00:00Z date",
		"DTSTART:20260701":                                                    "2026-07-01T00:00:00Z date",
		"DTSTART;TZID=Europe/Berlin:20260701T100000":                          "2026-07-01T08:00:00Z Europe/Berlin",
		`DTSTART;TZID="Europe/Berlin":20260101T100000`:                        "2026-01-01T09:00:00Z Europe/Berlin",
		"DTSTART;TZID=W. Europe Standard Time:20260701T100000":                "2026-07-01T08:00:00Z Europe/Berlin",
		"DTSTART;TZID=tokyo standard time:20260701T100000":                    "2026-07-01T01:00:00Z Asia/Tokyo",
		"DTSTART;TZID=Custom Zone:20260701T100000":                            "2026-07-01T08:00:00Z",
		"DTSTART;TZID=Custom Zone:20260101T100000":                            "2026-01-01T09:00:00Z",
		"DTSTART;TZID=Custom Zone:20260329T023000":                            "2026-03-29T01:30:00Z",
		"DTSTART;TZID=Custom Zone:20261025T023000":                            "2026-10-25T00:30:00Z",
		"DTSTART;TZID=America/New_York:20260308T023000":                       "2026-03-08T07:30:00Z America/New_York",
		"DTSTART;TZID=America/New_York:20261101T013000":                       "2026-11-01T05:30:00Z America/New_York",
		"DTSTART;TZID=/mozilla.org/20070129_1/America/New_York:20260701T1000": "2026-07-01T14:00:00Z America/New_York",
		"DTSTART;TZID=/Europe/Stockholm:20260701T100000":                      "2026-07-01T08:00:00Z Europe/Stockholm",
		"DTSTART;TZID=UTC+9:20260701T100000":                                  "2026-07-01T01:00:00Z",
		"DTSTART;TZID=GMT-03:30:20260701T100000":                              "2026-07-01T13:30:00Z",
		"DTSTART;TZID=Nowhere/Land:20260701T100000":                           "2026-07-01T10:00:00Z floating unknown_time_zone",
		"DTSTART;TZID=Local:20260701T100000":                                  "2026-07-01T10:00:00Z floating unknown_time_zone",
		"DTSTART;TZID=localtime:20260701T100000":                              "2026-07-01T10:00:00Z floating unknown_time_zone",
		"DTSTART;TZID=posixrules:20260701T100000":                             "2026-07-01T10:00:00Z floating unknown_time_zone",
		"DTSTART;TZID=../../etc/passwd:20260701T100000":                       "2026-07-01T10:00:00Z floating unknown_time_zone",
		"DTSTART:2026-07-01T10:00:00Z":                                        "2026-07-01T10:00:00Z",
		"DTSTART:20260231T100000Z":                                            "0001-01-01T00:00:00Z bad_time",
		"DTSTART:soon":                                                        "0001-01-01T00:00:00Z bad_time",
	} {
		line = strings.Replace(line, "TZID=GMT-03:30", `TZID="GMT-03:30"`, 1)
		o, warn := parseOne(t, strings.Replace(wrap("UID:u", line), "BEGIN:VEVENT", customZoneText+"BEGIN:VEVENT", 1))
		start := o.Events[0].Start
		got := start.At.Format(time.RFC3339)
		for _, flag := range []struct {
			on   bool
			text string
		}{{start.AllDay, "date"}, {start.Floating, "floating"}, {start.Zone != "", start.Zone}, {len(warn) > 0, codes(warn)}} {
			if flag.on {
				got += " " + flag.text
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

func TestParseEnd(t *testing.T) {
	for lines, want := range map[string]string{
		"DTSTART:20260701T100000Z|DTEND:20260701T110000Z":                "2026-07-01T11:00:00Z",
		"DTSTART:20260701T100000Z|DURATION:PT1H30M":                      "2026-07-01T11:30:00Z",
		"DTSTART:20260701|DURATION:P1W":                                  "2026-07-08T00:00:00Z",
		"DTSTART:20260701":                                               "2026-07-02T00:00:00Z",
		"DTSTART:20260701T100000Z":                                       "2026-07-01T10:00:00Z",
		"DTSTART;TZID=Europe/Berlin:20260328T120000|DURATION:P1D":        "2026-03-29T10:00:00Z",
		"DTSTART;TZID=Europe/Berlin:20260328T120000|DURATION:PT24H":      "2026-03-29T11:00:00Z",
		"DTSTART:20260701T100000Z|DURATION:-PT1H":                        "2026-07-01T10:00:00Z",
		"DTSTART:20260701T100000Z|DTEND:20260701T110000Z|DURATION:PT99H": "2026-07-01T11:00:00Z",
	} {
		o, _ := parseOne(t, wrap(strings.Split("UID:u|"+lines, "|")...))
		if got := o.Events[0].End.At.Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", lines, got, want)
		}
	}
}

func TestTimeIn(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	if got := (Time{At: noon}).In(berlin); !got.Equal(noon) {
		t.Error("an instant must not move:", got)
	}
	if got := (Time{At: noon, Floating: true}).In(berlin); !got.Equal(noon.Add(-2 * time.Hour)) {
		t.Error("floating:", got)
	}
}

func TestReplies(t *testing.T) {
	t.Run("full", func(t *testing.T) {
		o, _ := parseOne(t, wrap("UID: u1 ", "SEQUENCE:3", "DTSTAMP:20260301T120000Z", "RECURRENCE-ID;TZID=Asia/Tokyo;RANGE=THISANDFUTURE:20260302T090000",
			"X-MICROSOFT-CDO-REPLYTIME:20260301T120018Z", `COMMENT:Sorry\, can't\nBye`, "ORGANIZER:mailto:o@example.com",
			"ATTENDEE;PARTSTAT=DECLINED:mailto:a@example.com"))
		replies, err := o.Replies()
		if err != nil || len(replies) != 1 {
			t.Fatal(replies, err)
		}
		r := replies[0]
		if r.UID != "u1" || !r.HasSequence || r.Sequence != 3 || r.Attendee.Partstat != "DECLINED" || r.Comment != "Sorry, can't\nBye" ||
			r.Organizer.Email != "o@example.com" || r.ReplyTime.Sub(r.DTStamp) != 18*time.Second ||
			!r.RecurrenceID.At.Equal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)) || !r.ThisAndFuture {
			t.Errorf("%+v", r)
		}
	})
	t.Run("bare minimum", func(t *testing.T) {
		o, _ := parseOne(t, wrap("UID:u1", "ATTENDEE:urn:x", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com", "ATTENDEE:mailto:b@example.com"))
		replies, err := o.Replies()
		if err != nil || replies[0].HasSequence || replies[0].RecurrenceID != nil || replies[0].Organizer != nil ||
			replies[0].Attendee.Email != "a@example.com" || len(replies[0].Others) != 1 {
			t.Errorf("%+v %v", replies, err)
		}
	})
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"counter":            {strings.Replace(wrap("UID:u", "ATTENDEE:mailto:a@example.com"), "REPLY", "COUNTER", 1), ErrNotReply},
		"no uid":             {wrap("ATTENDEE:mailto:a@example.com"), ErrMalformedReply},
		"no attendee":        {wrap("UID:u"), ErrMalformedReply},
		"bad recurrence id":  {wrap("UID:u", "ATTENDEE:mailto:a@example.com", "RECURRENCE-ID:monday"), ErrMalformedReply},
		"void recurrence id": {wrap("UID:u", "ATTENDEE:mailto:a@example.com", "RECURRENCE-ID:"), ErrMalformedReply},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := parseOne(t, tt.text)
			if _, err := o.Replies(); !errors.Is(err, tt.want) {
				t.Error(err)
			}
		})
	}
}

func TestRawIsKept(t *testing.T) {
	o, _ := parseOne(t, wrap("UID:u", "CATEGORIES:A,B", "REQUEST-STATUS:2.0;Success", `X-A;P="a;b":c\,d`))
	for _, line := range []string{"CATEGORIES:A,B\r\n", "REQUEST-STATUS:2.0;Success\r\n", "X-A;P=\"a;b\":c\\,d\r\n"} {
		if !strings.Contains(o.Raw, line) {
			t.Errorf("%q is not in %q", line, o.Raw)
		}
	}
	if o.Raw != wrap("UID:u", "CATEGORIES:A,B", "REQUEST-STATUS:2.0;Success", `X-A;P="a;b":c\,d`) {
		t.Errorf("%q", o.Raw)
	}
}

func TestWindowsZonesExist(t *testing.T) {
	for windows, name := range windowsZones {
		if iana(name).zone == nil {
			t.Errorf("%s: no such zone %s", windows, name)
		}
	}
}

// TestHostileIsBounded feeds inputs made to be slow; each stays far below what a poller would notice.
func TestHostileIsBounded(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, (MaxBytes-200)/len(s)) }
	var zones strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&zones, "BEGIN:VEVENT\nDTSTART;TZID=A/%d:20260101T000000\nEND:VEVENT\n", i)
	}
	for name, text := range map[string]string{
		"parameters":   "BEGIN:VCALENDAR\n" + fill(";A=B"),
		"many lines":   "BEGIN:VCALENDAR\n" + fill("A"+strings.Repeat(";A=B", 30)+":"+strings.Repeat("x", 60000)+"\n"),
		"open quotes":  "BEGIN:VCALENDAR\n" + fill("A"+strings.Repeat(`;A="x`, 30)+":"+strings.Repeat(`" `, 30000)+"\n"),
		"nesting":      fill("BEGIN:VEVENT\n"),
		"folds":        "BEGIN:VCALENDAR\nA:" + fill("\n x"),
		"newlines":     fill("\r"),
		"components":   "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nDTSTART;TZID=Custom Zone:20260701T100000\nEND:VEVENT\n", 9000),
		"observances":  "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Z\n" + strings.Repeat("BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;INTERVAL=1;BYMONTH=2;BYMONTHDAY=30\nEND:STANDARD\n", 300) + "END:VTIMEZONE\n" + strings.Repeat("BEGIN:VEVENT\nDTSTART;TZID=Z:20260701T100000\nEND:VEVENT\n", 9000),
		"zone names":   "BEGIN:VCALENDAR\n" + zones.String(),
		"stray quotes": "BEGIN:VCALENDAR\n" + fill(`A;B="`+strings.Repeat(`"`, 60000)+"\n"),
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			_, _, _ = Parse([]byte(text))
			if took := time.Since(begun); took > 30*time.Second { // half a second where nothing else runs
				t.Errorf("took %v for %d bytes", took, len(text))
			} else {
				t.Logf("%v", took)
			}
		})
	}
}
