package rsvp_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvpbun"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

const (
	tenant  = calendartest.Tenant
	guest   = "guest@outside.example"
	replyTo = "invite-reply@example.com"
	mx      = "mx.example.com"
)

var migrations = []sqldb.Migration{calendarbun.Migrations, rsvpbun.Migrations}

// rig is a calendar of alice's with an event that guest is invited to.
type rig struct {
	*testing.T
	*calendartest.Rig
	store  *rsvpbun.Store
	tokens *rsvp.Tokens
	rsvp   *rsvp.Service
	event  calendar.Event
}

func newRig(t *testing.T, db *sqldb.DB, change ...func(*rsvp.Config)) *rig {
	t.Helper()
	r := &rig{T: t, Rig: calendartest.NewRig(t, db, &calendartest.Gate{}), store: rsvpbun.New(db)}
	var err error
	r.tokens, err = rsvp.NewTokens(rsvp.TokensConfig{Key: secret.NewString(strings.Repeat("k", 32)), Store: r.store})
	r.must(err)
	cfg := rsvp.Config{
		Events: r.Service, Store: r.store, Tokens: r.tokens, ReplyAddress: replyTo, AuthservID: mx,
		Delegations: r.Delegations, Audit: r.Log,
	}
	for _, f := range change {
		f(&cfg)
	}
	r.rsvp, err = rsvp.New(cfg)
	r.must(err)
	in := calendartest.Meeting(24 * time.Hour)
	in.TimeZone = "Asia/Tokyo"
	in.Attendees = []calendar.NewAttendee{{Email: guest, Name: "Guest"}, {Email: "bob@example.com"}, {Email: "second@outside.example"}}
	view, err := r.Create(t.Context(), calendartest.By("alice"), in)
	r.must(err)
	r.event = view.Event
	return r
}

func sqlite(t *testing.T, change ...func(*rsvp.Config)) *rig {
	t.Helper()
	return newRig(t, sqldbtest.SQLite(t, migrations...), change...)
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// tag returns the guest's own reply address.
func (r *rig) tag(email string) string {
	r.Helper()
	generation, err := r.tokens.Issue(r.Context(), tenant, r.event.ID, email, r.event.End.Add(720*time.Hour))
	r.must(err)
	return "invite-reply+" + r.tokens.AddressTag(tenant, r.event.ID, email, generation) + "@example.com"
}

func (r *rig) button(email string) string {
	r.Helper()
	generation, err := r.tokens.Issue(r.Context(), tenant, r.event.ID, email, r.event.End.Add(720*time.Hour))
	r.must(err)
	return r.tokens.ButtonToken(tenant, r.event.ID, email, generation)
}

func (r *rig) ingest(mail string) rsvp.Outcome {
	r.Helper()
	out, err := r.rsvp.Ingest(r.Context(), tenant, []byte(mail), rsvp.ViaMail)
	r.must(err)
	return out
}

func (r *rig) attendee(email string) calendar.Attendee {
	r.Helper()
	ev, err := r.ByID(r.Context(), tenant, r.event.ID)
	r.must(err)
	for _, a := range ev.Attendees {
		if a.Email == email {
			return a
		}
	}
	return calendar.Attendee{}
}

// ics is a REPLY of the guest; lines replace or join those of the event.
func ics(uid, partstat string, lines ...string) string {
	has := func(name string) bool {
		for _, l := range lines {
			if strings.HasPrefix(l, name) {
				return true
			}
		}
		return false
	}
	all := []string{"UID:" + uid}
	for _, l := range []string{"SEQUENCE:0", "DTSTAMP:20300114T130000Z", "ORGANIZER:mailto:alice@example.com", "ATTENDEE;PARTSTAT=" + partstat + ":mailto:" + guest} {
		name, _, _ := strings.Cut(l, ":")
		name, _, _ = strings.Cut(name, ";")
		if !has(name) {
			all = append(all, l)
		}
	}
	for _, l := range lines {
		if !strings.HasSuffix(l, "-") { // "ORGANIZER-" leaves it out
			all = append(all, l)
		}
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\n" + strings.Join(all, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// letter is a mail around a calendar object. Fields of the header replace its own.
type letter struct {
	from, to, id, date, auth string
	kind, encoding           string
}

func (l letter) with(object string) string {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&l.from, "Guest <"+guest+">")
	def(&l.to, "alice@example.com")
	def(&l.date, "Mon, 14 Jan 2030 13:00:00 +0000")
	def(&l.kind, `text/calendar; method=REPLY; charset="UTF-8"`)
	head := ""
	if l.auth != "-" {
		def(&l.auth, mx+"; dkim=pass header.d=outside.example")
		head = "Authentication-Results: " + l.auth + "\r\n"
	}
	if l.id != "" {
		head += "Message-ID: <" + l.id + ">\r\n"
	}
	switch l.encoding {
	case "base64":
		object = wrap(base64.StdEncoding.EncodeToString([]byte(object)))
	case "":
		l.encoding = "7bit"
	}
	return head + "From: " + l.from + "\r\nTo: " + l.to + "\r\nSubject: Accepted\r\nDate: " + l.date +
		"\r\nMIME-Version: 1.0\r\nContent-Type: " + l.kind + "\r\nContent-Transfer-Encoding: " + l.encoding + "\r\n\r\n" + object
}

func wrap(s string) string {
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s + "\r\n"
}

func (r *rig) expect(out rsvp.Outcome, d rsvp.Decision, trust rsvp.Trust) {
	r.Helper()
	if out.Decision != d || out.Trust != trust {
		r.Errorf("%s by %s (%s), want %s by %s", out.Decision, out.Trust, out.Detail, d, trust)
	}
}

func (r *rig) expectPartstat(want calendar.Partstat) {
	r.Helper()
	if got := r.attendee(guest).Partstat; got != want {
		r.Errorf("the guest is %s, want %s", got, want)
	}
}

func stampOf(second int) string {
	return "DTSTAMP:" + calendartest.Noon.Add(time.Duration(second)*time.Second).Format("20060102T150405Z")
}

func dateOf(second int) string {
	return calendartest.Noon.Add(time.Duration(second) * time.Second).Format(time.RFC1123Z)
}
