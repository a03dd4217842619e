package ical

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// full is an input of MaxBytes: head, then unit as often as it fits, then tail.
func full(head, unit, tail string) []byte {
	return []byte(head + strings.Repeat(unit, (MaxBytes-len(head)-len(tail))/len(unit)) + tail)
}

// TestManyComments: joining them costs what they are long, not its square.
func TestManyComments(t *testing.T) {
	raw := full("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "COMMENT:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nCOMMENT:\r\n", "END:VEVENT\r\nEND:VCALENDAR\r\n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	objects, _, err := Parse(raw)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got := objects[0].Events[0].Comment; !strings.HasPrefix(got, strings.Repeat("a", 30)+"\na") || strings.Contains(got, "\n\n") {
		t.Errorf("got %.60q", got)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4000*MaxBytes {
		t.Errorf("%d bytes were allocated", used)
	}
}

// TestZoneBound: a calendar as large as may be, in a zone of its own like those that mail programs send, is read whole;
// a zone made to be slow ends the work.
func TestZoneBound(t *testing.T) {
	observance := func(kind, start, rule string) string {
		return "BEGIN:" + kind + "\r\nDTSTART:" + start + "\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=YEARLY;" + rule + "\r\nEND:" + kind + "\r\n"
	}
	head := "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Custom\r\n"
	common := observance("STANDARD", "16010101T030000", "BYDAY=-1SU;BYMONTH=10") + observance("DAYLIGHT", "16010101T020000", "BYDAY=-1SU;BYMONTH=3")
	slow := ""
	for i := range maxRules {
		slow += observance("STANDARD", fmt.Sprintf("19%02d0101T000000", 10+i), "BYMONTH=2;BYMONTHDAY=30")
	}
	event := "BEGIN:VEVENT\r\nDTSTART;TZID=Custom:20300601T120000\r\nDTEND;TZID=Custom:20300601T130000\r\nSUMMARY:Lunch\r\nEND:VEVENT\r\n"
	for name, tt := range map[string]struct {
		zone string
		warn string
	}{"common": {common, ""}, "slow": {slow, WarnUnknownTimeZone}} {
		objects, warn, err := Parse(full(head+tt.zone+"END:VTIMEZONE\r\n", event, "END:VCALENDAR\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		events := objects[0].Events
		if last := events[len(events)-1].Start; last.Floating != (tt.warn != "") || events[0].Start.Floating {
			t.Errorf("%s: the last of %d events starts %+v", name, len(events), last)
		}
		if got, _, _ := strings.Cut(codes(warn), " "); got != tt.warn {
			t.Errorf("%s: warned of %q", name, got)
		}
	}
}
