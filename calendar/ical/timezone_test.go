package ical

import (
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"
	"pgregory.net/rapid"
)

var testZones = []string{
	"Asia/Tokyo", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Moscow", "Europe/Istanbul", "America/New_York",
	"America/Sao_Paulo", "America/Santiago", "America/Nuuk", "America/Havana", "America/Asuncion", "America/St_Johns", "Australia/Sydney",
	"Australia/Lord_Howe", "Asia/Kolkata", "Asia/Jerusalem", "Asia/Tehran", "Asia/Gaza", "Africa/Casablanca", "Africa/Cairo",
	"Pacific/Auckland", "Pacific/Chatham", "Pacific/Apia", "Pacific/Fiji", "Antarctica/Troll", "Etc/GMT+5",
}

// readBack parses what Write made and returns its VTIMEZONE as the reader understands it, the zone database aside.
func readBack(t interface {
	Helper()
	Fatal(...any)
}, v VEvent) *customZone {
	t.Helper()
	raw := write(t, Calendar{Events: []VEvent{v}})
	cal, err := ics.ParseCalendar(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	z := readZones(cal.Components)[v.TimeZone]
	if z == nil {
		t.Fatal("no VTIMEZONE in", raw)
	}
	return z
}

// TestTimezoneReadsBack compares the written VTIMEZONE with Go's zone database: over the life of the event, and for ten
// years after the start of a series.
func TestTimezoneReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := sample()
		v.TimeZone = rapid.SampledFrom(testZones).Draw(t, "zone")
		v.Start = time.Unix(rapid.Int64Range(-315_619_200, 2_840_140_800).Draw(t, "start"), 0).UTC() // 1960 to 2060
		v.End = v.Start.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "days")) * 24 * time.Hour)
		until := v.End
		if rapid.Bool().Draw(t, "series") {
			v.RRule = "FREQ=DAILY"
			until = v.Start.AddDate(rdateTail, 0, 0)
		}
		loc, err := time.LoadLocation(v.TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		z := readBack(t, v)
		compare := func(at time.Time) {
			_, want := at.In(loc).Zone()
			if got := z.offset(at); got != want {
				t.Fatalf("%v in %s: offset %d, want %d", at, v.TimeZone, got, want)
			}
		}
		for range 200 {
			compare(time.Unix(rapid.Int64Range(v.Start.Unix(), until.Unix()).Draw(t, "at"), 0).UTC())
		}
		for _, change := range transitions(loc, v.Start, until) {
			compare(change.at)
			compare(change.at.Add(-time.Second))
		}
	})
}

// TestTimezoneRulesHoldOn looks far beyond the listed years where a zone has rules.
func TestTimezoneRulesHoldOn(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Santiago", "Asia/Jerusalem", "Europe/Dublin", "Asia/Tokyo", "America/Sao_Paulo"} {
		v := sample()
		v.TimeZone, v.RRule = name, "FREQ=WEEKLY"
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := readBack(t, v)
		if n := len(z.observances); n > 2 {
			t.Errorf("%s: %d observances", name, n)
		}
		for at := begun; at.Year() < 2100; at = at.Add(31 * time.Hour) {
			if _, want := at.In(loc).Zone(); z.offset(at) != want {
				t.Fatalf("%s at %v: %d, want %d", name, at, z.offset(at), want)
			}
		}
	}
}

func TestCustomZoneRules(t *testing.T) {
	observance := func(kind, start, from, to, more string) string {
		return "BEGIN:" + kind + "\r\nDTSTART:" + start + "\r\nTZOFFSETFROM:" + from + "\r\nTZOFFSETTO:" + to + "\r\n" + more + "END:" + kind + "\r\n"
	}
	for name, tt := range map[string]struct {
		text string
		want map[string]int // minutes
	}{
		"until": {observance("DAYLIGHT", "20000301T000000", "+0000", "+0100", "RRULE:FREQ=YEARLY;UNTIL=20020301T000000Z\r\n") +
			observance("STANDARD", "20001001T000000", "+0100", "+0000", "RRULE:FREQ=YEARLY;COUNT=3\r\n"),
			map[string]int{"1999-06-01": 0, "2000-06-01": 60, "2002-06-01": 60, "2002-12-01": 0, "2003-06-01": 0}},
		"rdate": {observance("DAYLIGHT", "20000301T000000", "+0000", "+0100", "RDATE:20020301T000000,20030301T000000\r\n") +
			observance("STANDARD", "20001001T000000", "+0100", "+0000", "RDATE:20021001T000000\r\n"),
			map[string]int{"2000-06-01": 60, "2001-06-01": 0, "2002-06-01": 60, "2002-12-01": 0, "2003-12-01": 60}},
		"interval": {observance("DAYLIGHT", "20000301T000000", "+0000", "+0100", "RRULE:FREQ=YEARLY;INTERVAL=2\r\n") +
			observance("STANDARD", "20001001T000000", "+0100", "+0000", "RRULE:FREQ=YEARLY\r\n"),
			map[string]int{"2000-06-01": 60, "2001-06-01": 0, "2002-06-01": 60}},
		"on or after": {observance("DAYLIGHT", "20000305T000000", "+0000", "+0100", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=SU;BYMONTHDAY=2,3,4,5,6,7,8\r\n") +
			observance("STANDARD", "20001001T000000", "+0100", "+0000", "RRULE:FREQ=YEARLY\r\n"),
			map[string]int{"2026-03-07": 0, "2026-03-09": 60}},
		"never": {observance("STANDARD", "20000101T000000", "+0100", "+0200", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\n"),
			map[string]int{"1999-01-01": 60, "2030-01-01": 120}},
		"other frequency": {observance("STANDARD", "20000101T000000", "+0100", "+0200", "RRULE:FREQ=SECONDLY\r\n"),
			map[string]int{"2030-01-01": 120}},
		"broken": {observance("STANDARD", "x", "+0100", "+0200", "") + observance("STANDARD", "20000101T000000", "+01", "-0330", ""),
			map[string]int{"2030-01-01": -210}},
	} {
		t.Run(name, func(t *testing.T) {
			cal, err := ics.ParseCalendar(strings.NewReader("BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Z\r\n" + tt.text + "END:VTIMEZONE\r\nEND:VCALENDAR\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			z := readZones(cal.Components)["Z"]
			for day, want := range tt.want {
				at, err := time.Parse(time.DateOnly, day)
				if err != nil {
					t.Fatal(err)
				}
				if got := z.offset(at.Add(12*time.Hour)) / 60; got != want {
					t.Errorf("%s: %d minutes, want %d", day, got, want)
				}
			}
		})
	}
}
