package ical_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/renkei-go/renkei/calendar/ical"
)

func ExampleWrite() {
	raw, err := ical.Write(ical.Calendar{
		Method: ical.MethodRequest,
		Events: []ical.VEvent{{
			UID:       "0198c0de-0000-7000-8000-000000000001",
			DTStamp:   time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
			Start:     time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC),
			End:       time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC),
			Summary:   "Review, part 1",
			Organizer: &ical.Organizer{Email: "boss@example.com", Name: `Aiko "AJ" Jin`, SentBy: "secretary@example.com"},
		}},
	})
	fmt.Print(strings.ReplaceAll(string(raw), "\r\n", "\n"), err)
	// Output:
	// BEGIN:VCALENDAR
	// VERSION:2.0
	// PRODID:-//Renkei//Renkei Calendar//EN
	// CALSCALE:GREGORIAN
	// METHOD:REQUEST
	// BEGIN:VEVENT
	// UID:0198c0de-0000-7000-8000-000000000001
	// DTSTAMP:20260301T000000Z
	// SEQUENCE:0
	// DTSTART:20260302T010000Z
	// DTEND:20260302T020000Z
	// SUMMARY:Review\, part 1
	// ORGANIZER;CN="Aiko ^'AJ^' Jin";SENT-BY="mailto:secretary@example.com":mailt
	//  o:boss@example.com
	// END:VEVENT
	// END:VCALENDAR
	// <nil>
}

func ExampleParse() {
	objects, warnings, err := ical.Parse([]byte("BEGIN:VCALENDAR\nmethod:REPLY\nBEGIN:VEVENT\nuid:e1\n" +
		"attendee;partstat=declined:MAILTO:Guest@Example.com\nthis line is junk\nEND:VEVENT\nEND:VCALENDAR\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	replies, err := objects[0].Replies()
	fmt.Println(replies[0].UID, replies[0].Attendee.Email, replies[0].Attendee.Partstat, warnings, err)
	// Output: e1 guest@example.com DECLINED [{6 bad_line}] <nil>
}
