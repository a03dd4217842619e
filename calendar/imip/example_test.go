package imip_test

import (
	"fmt"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/imip"
	"github.com/renkei-go/renkei/transport/mail"
)

func ExampleInviter_Render() {
	inviter, err := imip.New(imip.Config{
		Queue: &queue{}, Mailer: &mail.Memory{}, Tokens: &tokens{}, From: "renkei@example.com",
		ReplyAddress: "invite-reply@example.com", PublicURL: "https://renkei.example.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	start := time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC)
	m, err := inviter.Render("acme", "d1", imip.Letter{
		Method: calendar.Request, Guest: calendar.Attendee{Email: "guest@outside.example"}, Stamp: start.Add(-time.Hour),
		Event: calendar.Event{ID: "e1", UID: "e1", Title: "Review", OrganizerEmail: "alice@example.com", OrganizerName: "Alice", Start: start, End: start.Add(time.Hour)},
	}, "")
	fmt.Println(m.Subject)
	fmt.Println(m.From, m.ReplyTo, err)
	// Output:
	// [Invitation] Review @ Tue 15 Jan 2030 10:00 (UTC)
	// "Alice via Renkei" <renkei@example.com> invite-reply+tag-e1-0@example.com <nil>
}
