package rsvp_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/calendar/rsvp"
)

func FuzzIngestParse(f *testing.F) {
	object := ics("uid", "ACCEPTED")
	for _, seed := range []string{
		letter{}.with(object), letter{encoding: "base64"}.with(object), letter{encoding: "quoted-printable"}.with(object),
		letter{kind: "multipart/mixed; boundary=x"}.with("--x\r\n\r\n--x\r\nContent-Type: text/calendar\r\n\r\n" + object + "--x--"),
		letter{kind: "multipart/report; boundary=x"}.with("--x\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n--x--"),
		string(tnefMail(tnefReply("IPM.Microsoft Schedule.MtgRespP", "uid", 0))),
		letter{to: "invite-reply+abc@example.com"}.with(strings.Replace(object, "REPLY", "COUNTER", 1)),
		letter{}.with(counter("uid")), letter{}.with(counter("uid", "DTSTART;VALUE=DATE:20300116")), letter{}.with(refresh("uid", guest)),
		"From: a@b\r\n c\r\n\t\r\n\r\n", "\x00", "",
	} {
		f.Add([]byte(seed))
	}
	ev := &calendar.Event{ID: "e", UID: "uid", Start: calendartest.Noon, Attendees: []calendar.Attendee{{Email: guest}}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := rsvp.Read(raw, replyTo, calendartest.Noon)
		if len(m.ContentHash) != 64 || len(m.Replies) > rsvp.MaxReplies {
			t.Errorf("%+v", m)
		}
		for _, r := range m.Replies {
			if r.UID == "" || r.Attendee == "" || r.Stamp.IsZero() && !m.Date.IsZero() {
				t.Errorf("%+v", r)
			}
			if v := rsvp.Judge(ev, r, rsvp.Proof{Trust: rsvp.TrustNone, From: m.From}); v.Decision == "" || v.Decision == rsvp.Applied {
				t.Errorf("%+v for %+v", v, r)
			}
		}
	})
}

// TestCorpus reads mails met in the wild, *.eml below the folder that RENKEI_MAIL_CORPUS names, if it does: each gets a decision, and no calendar object that
// another MIME reader finds is missed.
func TestCorpus(t *testing.T) {
	root := os.Getenv("RENKEI_MAIL_CORPUS")
	if root == "" {
		return
	}
	r := sqlite(t)
	count := map[rsvp.Decision]int{}
	parser := enmime.NewParser(enmime.DisableCharacterDetection(true))
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		out := r.ingest(string(raw))
		if out.Decision == "" || out.ReplyID == "" {
			t.Errorf("%s: %+v", path, out)
		}
		count[out.Decision]++
		replies := 0
		if envelope, err := parser.ReadEnvelope(bytes.NewReader(raw)); err == nil {
			for _, p := range envelope.Root.DepthMatchAll(func(p *enmime.Part) bool { return p.ContentType == "text/calendar" }) {
				if bytes.Contains(bytes.ToUpper(p.Content), []byte("METHOD:REPLY")) {
					replies++
				}
			}
		}
		if replies > 0 && out.Decision == rsvp.NotAReply {
			t.Errorf("%s: a reply was missed", filepath.Base(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", count)
}

// hostile are mails made to be slow, of 5 MB each.
func hostile() map[string][]byte {
	const size = 5_000_000
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	mixed := "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
	calendarHead := "From: a@b.example\r\nContent-Type: text/calendar; method=REPLY\r\n"
	var nested strings.Builder
	nested.WriteString("From: a@b.example\r\n")
	for nested.Len() < size {
		nested.WriteString("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n")
	}
	return map[string][]byte{
		"zeros":     make([]byte, size),
		"header":    []byte("From: " + fill("a")),
		"fields":    []byte(fill("A: b\r\n")),
		"folds":     []byte("A: b\r\n" + fill(" x\r\n")),
		"addresses": []byte("From: " + strings.Repeat("a@b,", 60_000) + "\r\n\r\n" + fill("x")),
		"tags":      []byte("To: " + strings.Repeat("invite-reply+", 15_000) + "\r\n\r\n" + fill("x")),
		"tags of bounces": []byte("From: a@b.example\r\nContent-Type: multipart/report; boundary=x\r\n\r\n" +
			fill("--x\r\nContent-Type: message/rfc822\r\n\r\nReply-To: "+strings.Repeat("invite-reply+", 19_000)+"\r\n\r\n\r\n")),
		"calendar":            []byte(calendarHead + "\r\n" + fill("BEGIN:VEVENT\r\n")),
		"base64":              []byte(calendarHead + "Content-Transfer-Encoding: base64\r\n\r\n" + fill("QkVHSU46\r\n")),
		"quoted-printable":    []byte(calendarHead + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + fill("=41")),
		"parts":               []byte(mixed + fill("--x\r\n\r\n")),
		"parts with calendar": []byte(mixed + fill("--x\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n")),
		"near boundaries":     []byte(mixed + fill("--xx\r\n")),
		"boundary in a line":  []byte(mixed + fill("a--x")),
		"nested":              []byte(nested.String()),
		"tnef":                append([]byte("From: a@b.example\r\nContent-Type: application/ms-tnef\r\n\r\n\x78\x9f\x3e\x22\x01\x00"), make([]byte, size)...),
		"Authentication":      []byte("Authentication-Results: " + mx + strings.Repeat("; dkim=pass", 20_000) + "\r\n\r\n" + fill("x")),
	}
}

// TestHostile: what is made to be slow is refused, in a time that only grows with its length; how long that is,
// BenchmarkHostile says.
func TestHostile(t *testing.T) {
	r := sqlite(t)
	for name, raw := range hostile() {
		begun := time.Now()
		m := rsvp.Read(raw, replyTo, calendartest.Noon)
		if took := time.Since(begun); took > 10*time.Second { // the machine may be busy, and this built with -race
			t.Errorf("%s: took %v", name, took)
		}
		if len(m.Replies) > 0 {
			t.Errorf("%s: a reply", name)
		}
		if out := r.ingest(string(raw)); out.Decision != rsvp.Malformed && out.Decision != rsvp.NotAReply && out.Decision != rsvp.Duplicate {
			t.Errorf("%s: %s", name, out.Decision)
		}
	}
}

// BenchmarkHostile is the refusal of 5 MB that are made to be slow.
func BenchmarkHostile(b *testing.B) {
	for name, raw := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if m := rsvp.Read(raw, replyTo, calendartest.Noon); len(m.Replies) > 0 {
					b.Fatal("a reply")
				}
			}
		})
	}
}

// BenchmarkReadJudge is one core reading and judging the reply of a common mail program, without a database.
func BenchmarkReadJudge(b *testing.B) {
	object := ics("0198c0de-0000-7000-8000-000000000001", "ACCEPTED", "SUMMARY:Design review", "DTSTART:20300115T120000Z", "DTEND:20300115T130000Z", "LOCATION:HQ")
	mail := []byte(letter{kind: "multipart/mixed; boundary=\"000a\""}.with(
		"--000a\r\nContent-Type: multipart/alternative; boundary=\"000b\"\r\n\r\n--000b\r\nContent-Type: text/plain\r\n\r\nyes\r\n" +
			"--000b\r\nContent-Type: text/html\r\n\r\n" + strings.Repeat("<p>yes</p>\r\n", 300) +
			"--000b\r\nContent-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\r\n\r\n" + object +
			"--000b--\r\n--000a\r\nContent-Type: application/ics; name=\"invite.ics\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
			wrap(base64Of([]byte(object))) + "--000a--\r\n"))
	ev := &calendar.Event{
		ID: "e", UID: "0198c0de-0000-7000-8000-000000000001", OrganizerEmail: "alice@example.com", Start: calendartest.Noon,
		Status: calendar.Confirmed, Attendees: []calendar.Attendee{{Email: guest}},
	}
	b.SetBytes(int64(len(mail)))
	for b.Loop() {
		m := rsvp.Read(mail, replyTo, calendartest.Noon)
		if v := rsvp.Judge(ev, m.Replies[0], rsvp.Proof{Trust: rsvp.TrustAuthserv, From: m.From}); v.Decision != rsvp.Applied {
			b.Fatal(v)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
}

// BenchmarkJudge is the pure function alone.
func BenchmarkJudge(b *testing.B) {
	m := rsvp.Read([]byte(letter{}.with(ics("uid", "ACCEPTED"))), replyTo, calendartest.Noon)
	ev := &calendar.Event{ID: "e", UID: "uid", OrganizerEmail: "alice@example.com", Status: calendar.Confirmed, Attendees: make([]calendar.Attendee, 100)}
	ev.Attendees[99] = calendar.Attendee{Email: guest, ReplyStamp: calendartest.Noon}
	for b.Loop() {
		if v := rsvp.Judge(ev, m.Replies[0], rsvp.Proof{Trust: rsvp.TrustAuthserv, From: guest}); v.Decision != rsvp.Applied {
			b.Fatal(v)
		}
	}
}
