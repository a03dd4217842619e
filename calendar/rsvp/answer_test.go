package rsvp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

func TestAnswer(t *testing.T) {
	r := sqlite(t)
	token := r.button(guest)
	inv, err := r.rsvp.Invitation(t.Context(), token)
	r.must(err)
	if inv.Title != "Design review" || inv.Organizer != "Alice" || inv.Guest != guest || inv.Partstat != calendar.NeedsAction {
		t.Errorf("%+v", inv)
	}
	// A reply from a clock that is ahead does not outlast a click.
	r.ingest(letter{date: "Fri, 14 Jan 2050 13:00:00 +0000"}.with(ics(r.event.UID, "DECLINED", "DTSTAMP:20500114T130000Z", "SEQUENCE:7")))
	r.expectPartstat(calendar.Declined)
	for _, partstat := range []calendar.Partstat{calendar.Tentative, calendar.Accepted} {
		out, err := r.rsvp.Answer(t.Context(), token, partstat, "at last\x00")
		r.must(err)
		r.expect(out, rsvp.Applied, rsvp.TrustButton)
		r.expectPartstat(partstat)
	}
	if got := r.attendee(guest).Comment; got != "at last" {
		t.Errorf("%q", got)
	}
	if _, err := r.rsvp.Answer(t.Context(), token, calendar.Delegated, ""); !errors.Is(err, rsvp.ErrPartstat) {
		t.Error(err)
	}
	generation, err := r.tokens.Issue(t.Context(), tenant, r.event.ID, guest, time.Now().Add(time.Hour))
	r.must(err)
	for name, bad := range map[string]string{
		"empty": "", "long": strings.Repeat("a", 1000), "made up": strings.Repeat("a", 32),
		"of the reply address": r.tokens.AddressTag(tenant, r.event.ID, guest, generation),
	} {
		if _, err := r.rsvp.Answer(t.Context(), bad, calendar.Accepted, ""); !errors.Is(err, rsvp.ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTokenLife(t *testing.T) {
	r := sqlite(t)
	now, err := r.store.Now(t.Context())
	r.must(err)
	issue := func(expires time.Time) (int, string) {
		generation, err := r.tokens.Issue(t.Context(), tenant, r.event.ID, guest, expires)
		r.must(err)
		return generation, r.tokens.ButtonToken(tenant, r.event.ID, guest, generation)
	}
	first, token := issue(now)
	if _, err := r.rsvp.Answer(t.Context(), token, calendar.Accepted, ""); !errors.Is(err, rsvp.ErrExpired) {
		t.Error(err)
	}
	if again, same := issue(now.Add(time.Hour)); again != first || same != token {
		t.Error("another token")
	}
	if _, err := r.rsvp.Answer(t.Context(), token, calendar.Accepted, ""); err != nil {
		t.Error(err)
	}
	r.must(r.tokens.Revoke(t.Context(), tenant, r.event.ID, "MAILTO:Guest@Outside.Example"))
	for _, err := range []error{
		func() error { _, err := r.rsvp.Invitation(t.Context(), token); return err }(),
		func() error { _, err := r.rsvp.Answer(t.Context(), token, calendar.Declined, ""); return err }(),
	} {
		if !errors.Is(err, rsvp.ErrRevoked) {
			t.Error(err)
		}
	}
	r.expect(r.ingest(letter{auth: "-", to: "invite-reply+" + r.tokens.AddressTag(tenant, r.event.ID, guest, first) + "@example.com"}.with(
		ics(r.event.UID, "DECLINED", "DTSTAMP:20600114T130000Z"))), rsvp.Unverified, rsvp.TrustNone)
	if next, token2 := issue(now.Add(time.Hour)); next != first+1 || token2 == token {
		t.Error("a guest who is invited again needs a new token")
	}
	r.must(r.Cancel(t.Context(), calendartest.By("alice"), r.event.ID, 0))
	out, err := r.rsvp.Answer(t.Context(), token, calendar.Declined, "")
	r.must(err)
	r.expect(out, rsvp.Cancelled, rsvp.TrustButton)
	inv, err := r.rsvp.Invitation(t.Context(), token)
	if err != nil || !inv.Cancelled {
		t.Errorf("%+v, %v", inv, err)
	}
}

// TestUninvited: the old link of a guest who was taken off the list shows nothing of what becomes of the event.
func TestUninvited(t *testing.T) {
	r := sqlite(t)
	token := r.button(guest)
	alice := calendartest.By("alice")
	_, err := r.Update(t.Context(), alice, r.event.ID, 0, calendar.Patch{Title: new("Without them"), Attendees: new([]calendar.NewAttendee{})})
	r.must(err)
	closed := func(when string) {
		t.Helper()
		if inv, err := r.rsvp.Invitation(t.Context(), token); !errors.Is(err, rsvp.ErrRevoked) || inv != (rsvp.Invitation{}) {
			t.Errorf("%s: %+v, %v", when, inv, err)
		}
	}
	closed("before the mail is made")
	r.must(r.tokens.Revoke(t.Context(), tenant, r.event.ID, guest))
	closed("revoked")
	r.must(r.Cancel(t.Context(), alice, r.event.ID, 0))
	closed("cancelled")
}

func TestAdmit(t *testing.T) {
	r := sqlite(t)
	alice, ctx := calendartest.By("alice"), t.Context()
	unverified := r.ingest(letter{auth: "-"}.with(ics(r.event.UID, "ACCEPTED", "COMMENT:soon")))
	crasher := r.ingest(letter{from: "crasher@outside.example"}.with(ics(r.event.UID, "", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:crasher@outside.example")))
	spoof := r.ingest(letter{from: "eve@evil.example"}.with(ics(r.event.UID, "DECLINED")))
	exec := calendartest.By("secretary").For("alice")
	for name, tt := range map[string]struct {
		by    identity.Principal
		event string
		reply string
		want  error
	}{
		"attendee":           {calendartest.By("bob"), r.event.ID, unverified.ReplyID, calendar.ErrNotOrganizer},
		"administrator":      {calendartest.By("admin"), r.event.ID, unverified.ReplyID, calendar.ErrNotOrganizer},
		"no delegation":      {exec, r.event.ID, unverified.ReplyID, calendar.ErrNotDelegated},
		"unknown event":      {alice, "nothing", unverified.ReplyID, calendar.ErrNotFound},
		"unknown reply":      {alice, r.event.ID, "nothing", rsvp.ErrNotFound},
		"not in quarantine":  {alice, r.event.ID, spoof.ReplyID, rsvp.ErrNotPending},
		"of another tenant":  {identity.Principal{Tenant: "other", Actor: "alice"}, r.event.ID, unverified.ReplyID, calendar.ErrNotFound},
		"of another's event": {calendartest.By("carol"), r.event.ID, unverified.ReplyID, calendar.ErrNotOrganizer},
	} {
		if _, err := r.rsvp.Admit(ctx, tt.by, tt.event, tt.reply); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.expectPartstat(calendar.NeedsAction)
	r.Delegations[[2]string{"alice", "secretary"}] = []calendar.Permission{calendar.Respond}
	if _, err := r.rsvp.Admit(ctx, exec, r.event.ID, crasher.ReplyID); !errors.Is(err, calendar.ErrNotDelegated) {
		t.Errorf("RESPOND puts nobody on the list: %v", err)
	}
	r.Log.Take()
	e, err := r.rsvp.Admit(ctx, exec, r.event.ID, unverified.ReplyID)
	r.must(err)
	if e.Decision != rsvp.Applied || e.Trust != rsvp.TrustInternal || e.Via != rsvp.ViaAPI || e.Admits != unverified.ReplyID {
		t.Errorf("%+v", e)
	}
	r.expectPartstat(calendar.Accepted)
	_, entries := r.Log.Take()
	if i := len(entries) - 1; i < 0 || entries[i].Action != rsvp.ActionAdmit || entries[i].ActorID != "secretary" || entries[i].SubjectID != "alice" {
		t.Errorf("audit: %+v", entries)
	}
	if _, err := r.rsvp.Admit(ctx, alice, r.event.ID, unverified.ReplyID); !errors.Is(err, rsvp.ErrNotPending) {
		t.Errorf("twice: %v", err)
	}
	if e, err = r.rsvp.Admit(ctx, alice, r.event.ID, crasher.ReplyID); err != nil || e.Decision != rsvp.Applied {
		t.Errorf("%+v, %v", e, err)
	}
	if got := r.attendee("crasher@outside.example"); got.Partstat != calendar.Accepted || !got.External {
		t.Errorf("%+v", got)
	}
	late := r.ingest(letter{auth: "-"}.with(ics(r.event.UID, "DECLINED", "DTSTAMP:20300101T000000Z")))
	if e, err := r.rsvp.Admit(ctx, alice, r.event.ID, late.ReplyID); err != nil || e.Decision != rsvp.OutOfOrder {
		t.Errorf("%+v, %v", e, err)
	}
	r.expectPartstat(calendar.Accepted)
}

// TestAdmitAfterTheListChanged: what a delegate may admit is judged by the list as it is, not as it was for the reply.
func TestAdmitAfterTheListChanged(t *testing.T) {
	r := sqlite(t)
	secretary := calendartest.By("secretary").For("alice")
	r.Delegations[[2]string{"alice", "secretary"}] = []calendar.Permission{calendar.Respond}
	former := r.ingest(letter{auth: "-"}.with(ics(r.event.UID, "ACCEPTED")))
	r.expect(former, rsvp.Unverified, rsvp.TrustNone)
	_, err := r.Update(t.Context(), calendartest.By("alice"), r.event.ID, 0, calendar.Patch{Attendees: new([]calendar.NewAttendee{})})
	r.must(err)
	r.Log.Take()
	if _, err := r.rsvp.Admit(t.Context(), secretary, r.event.ID, former.ReplyID); !errors.Is(err, calendar.ErrNotDelegated) {
		t.Errorf("RESPOND puts nobody back on the list: %v", err)
	}
	_, entries := r.Log.Take()
	if len(entries) != 1 || entries[0].Action != calendar.ActionDenied || entries[0].Metadata["attempted"] != rsvp.ActionAdmit || r.attendee(guest).Email != "" {
		t.Errorf("audit: %+v", entries)
	}
	r.Delegations[[2]string{"alice", "secretary"}] = []calendar.Permission{calendar.Edit}
	_, err = r.rsvp.Admit(t.Context(), secretary, r.event.ID, former.ReplyID)
	r.must(err)
	if r.attendee(guest).Email == "" {
		t.Error("EDIT does not put the guest back")
	}
}

func TestRepliesAreForTheOrganizer(t *testing.T) {
	r := sqlite(t)
	hidden := calendar.Private
	_, err := r.Update(t.Context(), calendartest.By("alice"), r.event.ID, 0, calendar.Patch{Visibility: &hidden})
	r.must(err)
	r.ingest(letter{}.with(ics(r.event.UID, "ACCEPTED")))
	secretary := calendartest.By("secretary").For("alice")
	read := func(by identity.Principal) error {
		_, err := r.rsvp.Replies(t.Context(), by, r.event.ID, "", page.Request{})
		return err
	}
	p, err := r.rsvp.Replies(t.Context(), calendartest.By("alice"), r.event.ID, "", page.Request{})
	if err != nil || len(p.Items) != 1 || p.Items[0].Attendee != guest {
		t.Errorf("%+v, %v", p, err)
	}
	if err := read(calendartest.By("admin")); !errors.Is(err, calendar.ErrNotFound) {
		t.Errorf("an administrator reads the answers to a hidden event: %v", err)
	}
	if err := read(calendartest.By("bob")); !errors.Is(err, calendar.ErrNotOrganizer) {
		t.Errorf("an attendee: %v", err)
	}
	if err := read(calendartest.By("carol")); !errors.Is(err, calendar.ErrNotFound) {
		t.Errorf("a colleague: %v", err)
	}
	r.Delegations[[2]string{"alice", "secretary"}] = []calendar.Permission{calendar.Edit}
	if err := read(secretary); !errors.Is(err, calendar.ErrNotFound) {
		t.Errorf("EDIT does not read: %v", err)
	}
	r.Delegations[[2]string{"alice", "secretary"}] = []calendar.Permission{calendar.ReadPrivate}
	if err := read(secretary); err != nil {
		t.Error(err)
	}
	if _, err := r.rsvp.Ledger(t.Context(), calendartest.By("alice"), page.Request{}); !errors.Is(err, rsvp.ErrNotAdmin) {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	r := sqlite(t, func(c *rsvp.Config) { c.KeepRaw = time.Hour })
	out := r.ingest(letter{}.with(ics(r.event.UID, "ACCEPTED")))
	if n, err := r.rsvp.Sweep(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	r.DB.AdvanceClock(2 * time.Hour)
	if n, err := r.rsvp.Sweep(t.Context(), 10); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := r.rsvp.Raw(t.Context(), calendartest.By("admin"), out.ReplyID); !errors.Is(err, rsvp.ErrNotFound) {
		t.Error(err)
	}
}
