package server_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jhillyerd/enmime/v2"

	"github.com/renkei-go/renkei/transport/mail/mailtest"
)

const proposer = "guest@outside.example"

// itip is what a guest's mail program makes of a mail of ours.
type itip struct{ subject, replyTo, object string }

func readITIP(t *testing.T, m mailtest.Message) itip {
	t.Helper()
	e, err := enmime.ReadEnvelope(strings.NewReader(string(m.Data)))
	if err != nil {
		t.Fatal(err)
	}
	part := e.Root.DepthMatchFirst(func(p *enmime.Part) bool { return p.ContentType == "text/calendar" })
	if part == nil {
		t.Fatalf("no calendar object in %s", m.Data)
	}
	return itip{e.GetHeader("Subject"), strings.Trim(e.GetHeader("Reply-To"), "<>"), strings.ReplaceAll(string(part.Content), "\r\n ", "")}
}

// says whether the object has all the lines, or parts of lines.
func (m itip) says(lines ...string) bool {
	return !slices.ContainsFunc(lines, func(l string) bool { return !strings.Contains(m.object, l) })
}

// TestProposalsByMail: a guest proposes other times by mail. One is declined, and they read so; another is accepted, and
// they are invited anew. What they have lost they get again for the asking, and not twice in an hour.
func TestProposalsByMail(t *testing.T) {
	each(t, func(t *testing.T, r rig) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		ev := r.book(t, "alice", object{"attendees": []object{{"email": proposer}}})
		mails := 0
		next := func() itip {
			t.Helper()
			mails++
			got, err := r.sink.Wait(ctx, mails)
			if err != nil || len(got) != mails {
				t.Fatalf("%d mails, want %d: %v\n%s", len(got), mails, err, r.log)
			}
			if to := got[mails-1].To; len(to) != 1 || to[0] != proposer {
				t.Fatalf("a mail to %q", to)
			}
			return readITIP(t, got[mails-1])
		}
		invitation := next()
		stamp := 0
		send := func(method string, lines ...string) object {
			t.Helper()
			stamp++
			now := time.Now().UTC().Add(time.Duration(stamp) * time.Second).Format("20060102T150405Z")
			lines = append([]string{"UID:" + text(ev["id"]), "DTSTAMP:" + now, "ORGANIZER:mailto:alice@example.com"}, lines...)
			raw := "From: Guest <" + proposer + ">\r\nTo: " + invitation.replyTo + "\r\nMessage-ID: <" + fmt.Sprint(stamp) + "@outside.example>\r\nMIME-Version: 1.0\r\n" +
				"Content-Type: text/calendar; method=" + method + "; charset=UTF-8\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Guest//EN\r\nMETHOD:" + method +
				"\r\nBEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
			a := r.call(t, "", http.MethodPost, "/rsvp/inbound", raw, "Content-Type: message/rfc822", "Authorization: Bearer demo-inbound")
			var out object
			a.decode(t, &out)
			return out
		}
		propose := func(at time.Time, sequence int) string {
			t.Helper()
			out := send("COUNTER", "DTSTART:"+at.Format("20060102T150405Z"), "DURATION:PT30M", fmt.Sprint("SEQUENCE:", sequence),
				"ATTENDEE;PARTSTAT=TENTATIVE:mailto:"+proposer, "COMMENT:Could we meet then?")
			if out["decision"] != "counter" || out["trust"] != "address" {
				t.Fatalf("%v", out)
			}
			return "/events/" + text(ev["id"]) + "/replies/" + text(out["reply_id"])
		}
		start := nextMonday.Add(26 * time.Hour).UTC()

		declined := propose(start.Add(time.Hour), 0)
		r.refused(t, http.StatusForbidden, "not_organizer", "bob", http.MethodPost, declined+"/decline", nil)
		r.ok(t, http.StatusOK, "alice", http.MethodPost, declined+"/decline", nil)
		if m := next(); !m.says("METHOD:DECLINECOUNTER", "UID:"+text(ev["id"]), "SEQUENCE:0") || !strings.HasPrefix(m.subject, "[Declined proposal] ") {
			t.Errorf("%+v", m)
		}

		accepted := propose(start, 0)
		var list struct {
			Items []struct {
				Comment  string
				Proposal struct{ Settled string }
			}
		}
		r.call(t, "alice", http.MethodGet, "/events/"+text(ev["id"])+"/replies?decision=counter", nil).decode(t, &list)
		if len(list.Items) != 2 || list.Items[0].Comment != "Could we meet then?" || list.Items[0].Proposal.Settled != "" || list.Items[1].Proposal.Settled != "declined" {
			t.Errorf("%+v", list)
		}
		r.ok(t, http.StatusOK, "alice", http.MethodPost, accepted+"/accept", nil)
		if m := next(); !m.says("METHOD:REQUEST", "SEQUENCE:1") || !strings.HasPrefix(m.subject, "[Updated] ") {
			t.Errorf("%+v", m)
		}
		moved := r.ok(t, http.StatusOK, "alice", http.MethodGet, "/events/"+text(ev["id"]), nil)
		if moved["start_at"] != start.Format(time.RFC3339) || moved["end_at"] != start.Add(30*time.Minute).Format(time.RFC3339) {
			t.Errorf("%v", moved)
		}
		r.refused(t, http.StatusConflict, "proposal_settled", "alice", http.MethodPost, accepted+"/decline", nil)

		ask := func(want string) {
			t.Helper()
			if out := send("REFRESH", "ATTENDEE:mailto:"+proposer); out["decision"] != want {
				t.Errorf("%v, want %s", out, want)
			}
		}
		ask("refreshed")
		if m := next(); !m.says("METHOD:REQUEST", "SEQUENCE:1") {
			t.Errorf("%+v", m)
		}
		ask("refresh_limited")
		r.advance(t, "61m")
		ask("refreshed")
		if m := next(); !m.says("METHOD:REQUEST", "SEQUENCE:1") {
			t.Errorf("%+v", m)
		}
	})
}
