// Package mail sends mail by SMTP.
//
//	sender, err := mail.NewSMTP(mail.Config{URL: "smtp+starttls://user:secret@mail.example.com", From: "Renkei <renkei@example.com>"})
//	err = sender.Send(ctx, mail.Message{To: []string{"Alice <alice@example.com>"}, Subject: "Hello", Text: "…", MessageID: id + "@example.com"})
//
// A [Message] becomes
//
//	multipart/mixed
//	├── multipart/alternative
//	│   ├── text/plain
//	│   ├── text/html
//	│   └── Alternatives, e.g. text/calendar; method=REQUEST (base64, last: the richest form, RFC 2046 §5.1.4)
//	└── Attachments
//
// without the levels that it does not need. Addresses, header names and values are checked, so that no input can add a
// header. Every message carries Auto-Submitted: auto-generated (RFC 3834), so that absence replies stay away.
//
// Exactly once is impossible over SMTP: give a repeated message the same MessageID, so that mail systems can tell.
//
// [Memory] keeps the last messages instead of sending them: the built-in outbox of a deployment without SMTP.
package mail
