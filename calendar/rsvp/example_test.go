package rsvp_test

import (
	"fmt"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/rsvp"
)

func ExampleJudge() {
	raw := "From: Guest <guest@outside.example>\r\nTo: invite-reply@example.com\r\nContent-Type: text/calendar; method=REPLY\r\n\r\n" +
		"BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:e1\r\nSEQUENCE:0\r\nDTSTAMP:20300114T130000Z\r\n" +
		"ATTENDEE;PARTSTAT=ACCEPTED:mailto:guest@outside.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	mail := rsvp.Read([]byte(raw), "invite-reply@example.com", time.Now())
	event := &calendar.Event{ID: "e1", UID: "e1", Status: calendar.Confirmed, Attendees: []calendar.Attendee{{Email: "guest@outside.example"}}}
	for _, trust := range []rsvp.Trust{rsvp.TrustNone, rsvp.TrustDKIM} {
		v := rsvp.Judge(event, mail.Replies[0], rsvp.Proof{Trust: trust, From: mail.From})
		fmt.Println(trust, v.Decision)
	}
	// Output:
	// none unverified
	// dkim applied
}
