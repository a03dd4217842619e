// Package imip invites guests outside by mail (seed 003 §3.1; iTIP RFC 5546 over mail, RFC 6047).
//
// [Inviter.Handle] consumes the transport event "calendar.invitation": in its transaction it makes the guest's tokens
// valid and enqueues one delivery per guest. [Inviter.Send] is the delivery's sender: it renders the mail and gives it
// to SMTP. Both can be repeated: a second event is no second mail, and a mail that is sent again is the same mail, with
// the same Message-ID and the same tokens.
//
//	multipart/mixed
//	├── multipart/alternative
//	│   ├── text/plain
//	│   ├── text/html           with Accept / Tentative / Decline
//	│   └── text/calendar; method=REQUEST; charset=UTF-8
//	└── invite.ics
//
// From is the server's own address, so that the mail passes DMARC; ORGANIZER is the person who invites, with SENT-BY when
// a secretary acted. Reply-To is an address of the guest's own, so that a reply proves itself; bounces go there too. CLASS
// tells the guest's calendar how far the event may be shown on: PUBLIC, BUSY_ONLY as CONFIDENTIAL, PRIVATE as PRIVATE.
package imip
