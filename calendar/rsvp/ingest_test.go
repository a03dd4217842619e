package rsvp_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/page"
)

func TestDecisions(t *testing.T) {
	crasher := "ATTENDEE;PARTSTAT=ACCEPTED:mailto:crasher@outside.example"
	type expected struct {
		decision rsvp.Decision
		trust    rsvp.Trust
		partstat calendar.Partstat
	}
	const none = calendar.NeedsAction
	tests := map[string]struct {
		mail func(r *rig) string
		want expected
	}{
		"authenticated": {func(r *rig) string { return letter{}.with(ics(r.event.UID, "ACCEPTED")) },
			expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Accepted}},
		"DMARC": {func(r *rig) string {
			return letter{auth: mx + "; dmarc=pass header.from=outside.example"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Declined}},
		"tagged address": {func(r *rig) string {
			return letter{auth: "-", to: "\"invite\" <" + strings.ToUpper(r.tag(guest)) + ">"}.with(ics(r.event.UID, "TENTATIVE"))
		}, expected{rsvp.Applied, rsvp.TrustAddress, calendar.Tentative}},
		"tagged address from an alias": {func(r *rig) string {
			return letter{auth: "-", from: "alias@elsewhere.example", to: r.tag(guest)}.with(ics(r.event.UID, "ACCEPTED"))
		}, expected{rsvp.Applied, rsvp.TrustAddress, calendar.Accepted}},
		"tag of another guest": {func(r *rig) string {
			return letter{to: r.tag("second@outside.example")}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.SenderMismatch, rsvp.TrustAddress, none}},
		"tag made up": {func(r *rig) string {
			return letter{auth: "-", to: "invite-reply+" + strings.Repeat("a", 32) + "@example.com"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"button token as tag": {func(r *rig) string {
			return letter{auth: "-", to: "invite-reply+" + r.button(guest) + "@example.com"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"unverified": {func(r *rig) string { return letter{auth: "-"}.with(ics(r.event.UID, "DECLINED")) },
			expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"another server's results": {func(r *rig) string {
			return letter{auth: "mx.evil.example; dkim=pass header.d=outside.example"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"our results below another's": {func(r *rig) string {
			return "Authentication-Results: mx.evil.example; none\r\n" + letter{}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"failed results": {func(r *rig) string {
			return letter{auth: mx + "; dkim=fail header.d=outside.example; dmarc=fail header.from=outside.example"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"not aligned": {func(r *rig) string {
			return letter{auth: mx + "; dkim=pass header.d=evil.example"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"a public suffix aligns nobody": {func(r *rig) string {
			return letter{auth: mx + "; dkim=pass header.d=example"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.Unverified, rsvp.TrustNone, none}},
		"spoof": {func(r *rig) string {
			return letter{from: "eve@evil.example", auth: mx + "; dkim=pass header.d=evil.example"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.SenderMismatch, rsvp.TrustAuthserv, none}},
		"two senders": {func(r *rig) string {
			return "From: eve@outside.example\r\n" + letter{}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.SenderMismatch, rsvp.TrustNone, none}},
		"party crasher": {func(r *rig) string {
			return letter{from: "crasher@outside.example"}.with(ics(r.event.UID, "", crasher))
		}, expected{rsvp.NotInvited, rsvp.TrustAuthserv, none}},
		"party crasher by a forwarded invitation": {func(r *rig) string {
			return letter{auth: "-", from: "crasher@outside.example", to: r.tag(guest)}.with(ics(r.event.UID, "", crasher))
		}, expected{rsvp.NotInvited, rsvp.TrustAddress, none}},
		"a group of senders": {func(r *rig) string {
			return letter{from: "somebody: " + guest + ";"}.with(ics(r.event.UID, "DECLINED"))
		}, expected{rsvp.SenderMismatch, rsvp.TrustNone, none}},
		"a sequence ahead of the event's does not outlast a change of it": {func(r *rig) string {
			r.expect(r.ingest(letter{}.with(ics(r.event.UID, "DECLINED", "SEQUENCE:7", stampOf(7200)))), rsvp.Applied, rsvp.TrustAuthserv)
			at := r.event.Start.Add(time.Hour)
			end := at.Add(time.Hour)
			_, err := r.Update(r.Context(), calendartest.By("alice"), r.event.ID, 0, calendar.Patch{Start: &at, End: &end})
			r.must(err)
			return letter{}.with(ics(r.event.UID, "ACCEPTED", "SEQUENCE:1", stampOf(3600)))
		}, expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Accepted}},
		"unknown uid": {func(*rig) string { return letter{}.with(ics("nobody-knows", "ACCEPTED")) },
			expected{rsvp.UnknownUID, rsvp.TrustAuthserv, none}},
		"stale": {func(r *rig) string {
			in := r.event.Start.Add(time.Hour)
			end := in.Add(time.Hour)
			_, err := r.Update(r.Context(), calendartest.By("alice"), r.event.ID, r.event.Version, calendar.Patch{Start: &in, End: &end})
			r.must(err)
			return letter{}.with(ics(r.event.UID, "ACCEPTED"))
		}, expected{rsvp.Stale, rsvp.TrustAuthserv, none}},
		"missing sequence is the current one": {func(r *rig) string {
			in := r.event.Start.Add(time.Hour)
			end := in.Add(time.Hour)
			_, err := r.Update(r.Context(), calendartest.By("alice"), r.event.ID, r.event.Version, calendar.Patch{Start: &in, End: &end})
			r.must(err)
			return letter{}.with(ics(r.event.UID, "ACCEPTED", "SEQUENCE-"))
		}, expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Accepted}},
		"out of order": {func(r *rig) string {
			r.ingest(letter{}.with(ics(r.event.UID, "ACCEPTED", stampOf(20))))
			return letter{}.with(ics(r.event.UID, "DECLINED", stampOf(10)))
		}, expected{rsvp.OutOfOrder, rsvp.TrustAuthserv, calendar.Accepted}},
		"duplicate": {func(r *rig) string {
			m := letter{id: "1@outside.example"}.with(ics(r.event.UID, "ACCEPTED"))
			r.ingest("Received: by one road\r\n" + m)
			return "Received: by another\r\n" + m
		}, expected{rsvp.Duplicate, rsvp.TrustNone, calendar.Accepted}},
		"an imitation does not keep the real one out": {func(r *rig) string {
			object := ics(r.event.UID, "ACCEPTED")
			r.expect(r.ingest(letter{id: "1@outside.example", auth: "-"}.with(object)), rsvp.Unverified, rsvp.TrustNone)
			return letter{id: "1@outside.example"}.with(object)
		}, expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Accepted}},
		"the occurrence": {func(r *rig) string {
			return letter{}.with(ics(r.event.UID, "ACCEPTED", "RECURRENCE-ID;TZID=Asia/Tokyo:20300115T210000"))
		}, expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Accepted}},
		"no occurrence": {func(r *rig) string {
			return letter{}.with(ics(r.event.UID, "ACCEPTED", "RECURRENCE-ID:20300115T210000Z"))
		}, expected{rsvp.NotAnInstance, rsvp.TrustAuthserv, none}},
		"cancelled": {func(r *rig) string {
			r.must(r.Cancel(r.Context(), calendartest.By("alice"), r.event.ID, r.event.Version))
			return letter{}.with(ics(r.event.UID, "ACCEPTED"))
		}, expected{rsvp.Cancelled, rsvp.TrustAuthserv, none}},
		"another organizer": {func(r *rig) string {
			return letter{}.with(ics(r.event.UID, "ACCEPTED", "ORGANIZER:mailto:eve@evil.example"))
		}, expected{rsvp.Malformed, rsvp.TrustAuthserv, none}},
		"no answer": {func(r *rig) string { return letter{}.with(ics(r.event.UID, "NEEDS-ACTION")) },
			expected{rsvp.Malformed, rsvp.TrustAuthserv, none}},
		"broken calendar": {func(*rig) string { return letter{}.with("BEGIN:NOTHING") },
			expected{rsvp.Malformed, rsvp.TrustNone, none}},
		"no header": {func(*rig) string { return "\x00\x01\x02" },
			expected{rsvp.Malformed, rsvp.TrustNone, none}},
		"plain mail": {func(*rig) string { return letter{kind: "text/plain"}.with("I will come") },
			expected{rsvp.NotAReply, rsvp.TrustNone, none}},
		"request": {func(r *rig) string {
			return letter{}.with(strings.Replace(ics(r.event.UID, "ACCEPTED"), "METHOD:REPLY", "METHOD:REQUEST", 1))
		}, expected{rsvp.NotAReply, rsvp.TrustNone, none}},
		"forwarded mail is not looked into": {func(r *rig) string {
			return letter{kind: "message/rfc822"}.with(letter{}.with(ics(r.event.UID, "ACCEPTED")))
		}, expected{rsvp.NotAReply, rsvp.TrustNone, none}},
		"counter": {func(r *rig) string {
			return letter{}.with(strings.Replace(ics(r.event.UID, "TENTATIVE", "DTSTART:20300116T120000Z", "DTEND:20300116T130000Z"), "METHOD:REPLY", "METHOD:COUNTER", 1))
		}, expected{rsvp.Counter, rsvp.TrustAuthserv, none}},
		"delegated": {func(r *rig) string {
			return letter{}.with(ics(r.event.UID, "", `ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:d@outside.example":mailto:`+guest))
		}, expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Delegated}},
		"auto-submitted": {func(r *rig) string {
			return "Auto-Submitted: auto-generated\r\n" + letter{}.with(ics(r.event.UID, "ACCEPTED"))
		}, expected{rsvp.Applied, rsvp.TrustAuthserv, calendar.Accepted}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := sqlite(t)
			mail := tt.mail(r)
			out := r.ingest(mail)
			r.expect(out, tt.want.decision, tt.want.trust)
			r.expectPartstat(tt.want.partstat)
			e, err := r.store.Entry(t.Context(), tenant, out.ReplyID)
			if err != nil || e.Decision != out.Decision || e.Via != rsvp.ViaMail {
				t.Errorf("in the ledger: %+v, %v", e, err)
			}
			if out.Decision != rsvp.Duplicate {
				raw, err := r.rsvp.Raw(t.Context(), calendartest.By("admin"), out.ReplyID)
				if err != nil || string(raw) != mail {
					t.Errorf("the mail is not kept: %v", err)
				}
			}
		})
	}
}

// TestClients shows the quirks of mail programs, in mails written for this test.
func TestClients(t *testing.T) {
	tests := map[string]struct {
		mail func(uid string) string
		want calendar.Partstat
	}{
		"Gmail": {func(uid string) string {
			object := ics(uid, "ACCEPTED")
			return "Auto-Submitted: auto-generated\r\n" + letter{kind: "multipart/mixed; boundary=\"000a\""}.with(
				"preamble\r\n--000a\r\nContent-Type: multipart/alternative; boundary=\"000b\"\r\n\r\n"+
					"--000b\r\nContent-Type: text/plain\r\n\r\nyes\r\n--000b\r\nContent-Type: text/html\r\n\r\n<p>yes</p>\r\n"+
					"--000b\r\nContent-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"+object+
					"--000b--\r\n--000a\r\nContent-Type: application/ics; name=\"invite.ics\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"+
					wrap("QkVHSU46VkNBTEVOREFSDQpFTkQ6VkNBTEVOREFSDQo=")+"--000a--\r\n")
		}, calendar.Accepted},
		"Outlook for Mac": {func(uid string) string {
			object := strings.ReplaceAll(ics(uid, "", "ATTENDEE;CN=\"Guest\";PARTSTAT=TENTATIVE:MAILTO:Guest@Outside.Example",
				"DTSTART;TZID=\"Osaka, Sapporo, Tokyo\":20300115T210000", "X-MICROSOFT-CDO-REPLYTIME:20300114T131000Z"), "mailto:alice", "MAILTO:Alice")
			return letter{kind: "text/calendar; method=REPLY; charset=\"US-ASCII\""}.with(object)
		}, calendar.Tentative},
		"Android": {func(uid string) string {
			return letter{kind: "text/calendar; method=REPLY", encoding: "base64"}.with(ics(uid, "DECLINED", "COMMENT:またね"))
		}, calendar.Declined},
		"Outlook.com": {func(uid string) string { return letter{}.with(ics(uid, "ACCEPTED", "ORGANIZER-")) }, calendar.Accepted},
		"Shift_JIS": {func(uid string) string {
			return letter{kind: "text/calendar; charset=Shift_JIS", encoding: "8bit"}.with(ics(uid, "ACCEPTED", "COMMENT:\x8e\x51\x89\xc1"))
		}, calendar.Accepted},
		"LF and mbox line": {func(uid string) string {
			return "From guest Mon Jan 14\n" + strings.ReplaceAll(letter{}.with(ics(uid, "ACCEPTED")), "\r\n", "\n")
		}, calendar.Accepted},
		"missing last boundary": {func(uid string) string {
			return letter{kind: "multipart/mixed; boundary=x"}.with("--x\r\nContent-Type: application/ics\r\n\r\n" + ics(uid, "ACCEPTED"))
		}, calendar.Accepted},
		"bad Content-Type": {func(uid string) string {
			return letter{kind: "text/calendar; method=REPLY; charset=UTF-8; name=a b;; method=REPLY"}.with(ics(uid, "ACCEPTED"))
		}, calendar.Accepted},
		"TNEF": {func(uid string) string {
			return letter{kind: "multipart/mixed; boundary=x"}.with("--x\r\nContent-Type: text/plain\r\n\r\n\r\n--x\r\n" +
				"Content-Type: application/ms-tnef; name=\"winmail.dat\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
				wrap(base64Of(tnefReply("IPM.Microsoft Schedule.MtgRespA", uid, 0))) + "--x--\r\n")
		}, calendar.Tentative},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := sqlite(t)
			r.expect(r.ingest(tt.mail(r.event.UID)), rsvp.Applied, rsvp.TrustAuthserv)
			r.expectPartstat(tt.want)
		})
	}
	t.Run("iOS", func(t *testing.T) { // quoted-printable; the same DTSTAMP in both answers
		r := sqlite(t)
		for i, partstat := range []string{"TENTATIVE", "DECLINED"} {
			object := strings.NewReplacer("=", "=3D", "SEQUENCE:0", "SEQUE=\r\nNCE:0").Replace(ics(r.event.UID, partstat))
			mail := letter{id: fmt.Sprint(i, "@ios"), date: dateOf(18 * i), encoding: "quoted-printable"}.with(object)
			r.expect(r.ingest(mail), rsvp.Applied, rsvp.TrustAuthserv)
			r.expectPartstat(calendar.Partstat(partstat))
		}
		r.expect(r.ingest(letter{id: "late@ios", date: dateOf(5)}.with(ics(r.event.UID, "ACCEPTED"))), rsvp.OutOfOrder, rsvp.TrustAuthserv)
	})
	t.Run("comments are decoded", func(t *testing.T) {
		r := sqlite(t)
		r.ingest(letter{kind: "text/calendar; charset=Shift_JIS", encoding: "8bit"}.with(ics(r.event.UID, "ACCEPTED", "COMMENT:\x8e\x51\x89\xc1")))
		if got := r.attendee(guest).Comment; got != "参加" {
			t.Errorf("%q", got)
		}
	})
}

func TestBounce(t *testing.T) {
	r := sqlite(t)
	dsn := func(tag, action string) string {
		return letter{from: "MAILER-DAEMON@outside.example", auth: "-", kind: "multipart/report; report-type=delivery-status; boundary=x"}.with(
			"--x\r\nContent-Type: text/plain\r\n\r\nsorry\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n" +
				"Reporting-MTA: dns; a\r\n\r\nFinal-Recipient: rfc822; " + guest + "\r\nAction: " + action + "\r\nStatus: 5.1.1\r\n\r\n" +
				"--x\r\nContent-Type: message/rfc822\r\n\r\nReply-To: <" + tag + ">\r\nTo: " + guest + "\r\n\r\nbody\r\n--x--\r\n")
	}
	r.expect(r.ingest(dsn("invite-reply@example.com", "failed")), rsvp.NotAReply, rsvp.TrustNone)
	r.expect(r.ingest(dsn(r.tag(guest), "delayed")), rsvp.NotAReply, rsvp.TrustNone)
	if r.attendee(guest).Undeliverable {
		t.Error("undeliverable already")
	}
	r.expect(r.ingest(dsn(r.tag(guest), "failed")), rsvp.Bounce, rsvp.TrustAddress)
	if !r.attendee(guest).Undeliverable {
		t.Error("not undeliverable")
	}
	r.expectPartstat(calendar.NeedsAction)
	r.expect(r.ingest(letter{}.with(ics(r.event.UID, "ACCEPTED"))), rsvp.Applied, rsvp.TrustAuthserv)
	if r.attendee(guest).Undeliverable {
		t.Error("undeliverable in spite of an answer")
	}
}

func TestDelegation(t *testing.T) {
	r := sqlite(t)
	delegate := func(id, from string) string {
		return letter{id: id, auth: "-", from: "d@outside.example", to: r.tag(guest)}.with(
			ics(r.event.UID, "", `ATTENDEE;PARTSTAT=ACCEPTED;DELEGATED-FROM="mailto:`+from+`":mailto:d@outside.example`))
	}
	r.expect(r.ingest(delegate("1", guest)), rsvp.NotInvited, rsvp.TrustAddress) // nobody has delegated yet
	out := r.ingest(letter{auth: "-", to: r.tag(guest)}.with(ics(r.event.UID, "", `ATTENDEE;PARTSTAT=DELEGATED;DELEGATED-TO="mailto:d@outside.example":mailto:`+guest)))
	r.expect(out, rsvp.Applied, rsvp.TrustAddress)
	if e, _ := r.store.Entry(t.Context(), tenant, out.ReplyID); e.DelegatedTo != "d@outside.example" {
		t.Errorf("%+v", e)
	}
	r.expect(r.ingest(delegate("2", guest)), rsvp.NotInvited, rsvp.TrustAddress)
	// The way is not open to other guests.
	r.expect(r.ingest(letter{auth: "-", to: r.tag(guest)}.with(ics(r.event.UID, "",
		`ATTENDEE;PARTSTAT=DECLINED;DELEGATED-FROM="mailto:`+guest+`":mailto:second@outside.example`))), rsvp.SenderMismatch, rsvp.TrustAddress)
}

// TestEmptyMails: mails of which nothing is known but their headers are not taken for one another.
func TestEmptyMails(t *testing.T) {
	r := sqlite(t)
	for _, mail := range []string{"Subject: one\r\n\r\n", "Subject: two\r\n\r\n"} {
		r.expect(r.ingest(mail), rsvp.NotAReply, rsvp.TrustNone)
	}
	r.expect(r.ingest("Subject: one\r\n\r\n"), rsvp.Duplicate, rsvp.TrustNone)
}

func TestSeveralReplies(t *testing.T) {
	r := sqlite(t)
	object := ics("unknown", "ACCEPTED") + ics(r.event.UID, "ACCEPTED") + ics(r.event.UID, "DECLINED", stampOf(7200))
	r.expect(r.ingest(letter{}.with(object)), rsvp.UnknownUID, rsvp.TrustAuthserv)
	r.expectPartstat(calendar.Declined)
	stray, err := r.rsvp.Ledger(t.Context(), calendartest.By("admin"), page.Request{})
	if err != nil || len(stray.Items) != 1 {
		t.Errorf("%d entries of no event, %v", len(stray.Items), err)
	}
	p, err := r.rsvp.Replies(t.Context(), calendartest.By("alice"), r.event.ID, "", page.Request{})
	if err != nil || len(p.Items) != 2 {
		t.Errorf("%d entries, %v", len(p.Items), err)
	}
	kept := 0 // once, not once for each reply
	for _, e := range slices.Concat(stray.Items, p.Items) {
		if raw, err := r.rsvp.Raw(t.Context(), calendartest.By("admin"), e.ID); err == nil && len(raw) > 0 {
			kept++
		}
	}
	if kept != 1 {
		t.Errorf("the mail is kept %d times", kept)
	}
}

func TestTooLarge(t *testing.T) {
	r := sqlite(t)
	if _, err := r.rsvp.Ingest(t.Context(), tenant, make([]byte, rsvp.MaxMail+1), rsvp.ViaMail); !errors.Is(err, rsvp.ErrTooLarge) {
		t.Error(err)
	}
}

func TestAnotherTenantSeesNothing(t *testing.T) {
	r := sqlite(t)
	mail := letter{to: r.tag(guest)}.with(ics(r.event.UID, "ACCEPTED"))
	out, err := r.rsvp.Ingest(t.Context(), "other", []byte(mail), rsvp.ViaMail)
	r.must(err)
	if out.Decision != rsvp.UnknownUID || out.EventID != "" {
		t.Errorf("%+v", out)
	}
	r.expectPartstat(calendar.NeedsAction)
}
