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
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

func databases() map[string]func(t *testing.T) *sqldb.DB {
	return map[string]func(t *testing.T) *sqldb.DB{
		"sqlite":   func(t *testing.T) *sqldb.DB { t.Helper(); return sqldbtest.SQLite(t, migrations...) },
		"postgres": func(t *testing.T) *sqldb.DB { t.Helper(); return sqldbtest.Postgres(t, migrations...) },
	}
}

// counter is a COUNTER of the guest, an hour on the day after the event unless lines say another time.
func counter(uid string, lines ...string) string {
	if len(lines) == 0 {
		lines = []string{"DTSTART:20300116T120000Z", "DTEND:20300116T130000Z"}
	}
	return strings.Replace(ics(uid, "TENTATIVE", append(lines, "COMMENT:better then")...), "METHOD:REPLY", "METHOD:COUNTER", 1)
}

// refresh is a REFRESH of somebody: it has no answer.
func refresh(uid, email string) string {
	return strings.Replace(ics(uid, "", "ATTENDEE:mailto:"+email), "METHOD:REPLY", "METHOD:REFRESH", 1)
}

// propose takes in a counter-proposal of the guest and returns its id.
func (r *rig) propose(lines ...string) string {
	r.Helper()
	out := r.ingest(letter{}.with(counter(r.event.UID, lines...)))
	r.expect(out, rsvp.Counter, rsvp.TrustAuthserv)
	return out.ReplyID
}

// sent is what the guests were told since the last time: method, SEQUENCE, whom.
func (r *rig) sent() string { return told(r.Log.Invitations()) }

func told(letters []calendar.Invitation) string {
	var words []string
	for _, l := range letters {
		w := fmt.Sprint(l.Method, " ", l.Event.Sequence)
		for _, g := range l.Guests {
			w += " " + strings.TrimSuffix(g.Email, "@outside.example")
		}
		if l.ActedBy != "" {
			w += " by " + l.ActedBy
		}
		words = append(words, w)
	}
	return strings.Join(words, ", ")
}

func (r *rig) current() calendar.Event {
	r.Helper()
	ev, err := r.ByID(r.Context(), tenant, r.event.ID)
	r.must(err)
	return ev
}

func TestProposedTimes(t *testing.T) {
	at := time.Date(2030, 1, 16, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		lines    []string
		decision rsvp.Decision
		want     calendar.Span
	}{
		"instants":               {[]string{"DTSTART:20300116T120000Z", "DTEND:20300116T133000Z"}, rsvp.Counter, calendar.Span{Start: at, End: at.Add(90 * time.Minute)}},
		"another zone":           {[]string{"DTSTART;TZID=Europe/Paris:20300116T130000", "DURATION:PT2H"}, rsvp.Counter, calendar.Span{Start: at, End: at.Add(2 * time.Hour)}},
		"the event's zone":       {[]string{"DTSTART:20300116T210000", "DTEND:20300116T220000"}, rsvp.Counter, calendar.Span{Start: at, End: at.Add(time.Hour)}},
		"no end: as long as now": {[]string{"DTSTART:20300116T120000Z"}, rsvp.Counter, calendar.Span{Start: at, End: at.Add(time.Hour)}},
		"no time":                {[]string{"LOCATION:elsewhere"}, rsvp.Malformed, calendar.Span{}},
		"ends before it starts":  {[]string{"DTSTART:20300116T120000Z", "DTEND:20300116T110000Z"}, rsvp.Malformed, calendar.Span{}},
		"no time of any year":    {[]string{"DTSTART:00000101T000000Z", "DTEND:00000101T010000Z"}, rsvp.Malformed, calendar.Span{}},
		"the time that it has": {[]string{"DTSTART:20300115T120000Z", "DTEND:20300115T130000Z"}, rsvp.Malformed,
			calendar.Span{Start: at.AddDate(0, 0, -1), End: at.AddDate(0, 0, -1).Add(time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			r := sqlite(t)
			out := r.ingest(letter{}.with(counter(r.event.UID, tt.lines...)))
			r.expect(out, tt.decision, rsvp.TrustAuthserv)
			e, err := r.store.Entry(t.Context(), tenant, out.ReplyID)
			if err != nil || e.Proposed != tt.want {
				t.Errorf("%+v, %v", e.Proposed, err)
			}
			r.expectPartstat(calendar.NeedsAction)
		})
	}
}

// TestProposerAmongMany: a counter-proposal may repeat the whole list; who sent it is who proposes.
func TestProposerAmongMany(t *testing.T) {
	r := sqlite(t)
	object := counter(r.event.UID, "DTSTART:20300116T120000Z", "ATTENDEE:mailto:second@outside.example", "ATTENDEE:mailto:"+guest)
	if out := r.ingest(letter{}.with(object)); out.Decision != rsvp.Counter || out.Attendee != guest {
		t.Errorf("%+v", out)
	}
	r.expect(r.ingest(letter{from: "eve@evil.example", auth: mx + "; dkim=pass header.d=evil.example"}.with(object)), rsvp.SenderMismatch, rsvp.TrustAuthserv)
}

func TestAccept(t *testing.T) {
	for name, db := range databases() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, db(t))
			alice := calendartest.By("alice")
			id := r.propose()
			later := r.propose("DTSTART:20300117T120000Z")
			r.sent()
			list, err := r.rsvp.Replies(t.Context(), alice, r.event.ID, rsvp.Counter, page.Request{})
			if err != nil || len(list.Items) != 2 || list.Items[1].ID != id || list.Items[1].Comment != "better then" {
				t.Fatalf("%+v, %v", list.Items, err)
			}
			e, err := r.rsvp.Accept(t.Context(), alice, r.event.ID, id)
			if err != nil || e.Settled != rsvp.Accepted || e.SettledBy != "alice" || e.SettledAt.IsZero() {
				t.Fatalf("%+v, %v", e, err)
			}
			if stored, err := r.store.Entry(t.Context(), tenant, id); err != nil || stored != e {
				t.Errorf("stored %+v, %v", stored, err)
			}
			ev := r.current()
			if !ev.Start.Equal(e.Proposed.Start) || !ev.End.Equal(e.Proposed.End) || ev.Sequence != 1 {
				t.Errorf("%v to %v, SEQUENCE %d", ev.Start, ev.End, ev.Sequence)
			}
			if got := r.sent(); got != "REQUEST 1 guest second" {
				t.Errorf("sent %q", got)
			}
			for id, want := range map[string]error{id: rsvp.ErrSettled, later: rsvp.ErrStale, "unknown": rsvp.ErrNotFound} {
				if _, err := r.rsvp.Accept(t.Context(), alice, r.event.ID, id); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
				if _, err := r.rsvp.Decline(t.Context(), alice, r.event.ID, id); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			}
			if got := r.sent(); got != "" {
				t.Errorf("sent %q", got)
			}
		})
	}
}

func TestDecline(t *testing.T) {
	for name, db := range databases() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, db(t))
			id := r.propose()
			r.Delegations[[2]string{"alice", "secretary"}] = []calendar.Permission{calendar.Edit}
			r.Log.Take()
			e, err := r.rsvp.Decline(t.Context(), calendartest.By("secretary").For("alice"), r.event.ID, id)
			if err != nil || e.Settled != rsvp.Declined || e.SettledBy != "secretary" {
				t.Fatalf("%+v, %v", e, err)
			}
			if ev := r.current(); !ev.Start.Equal(r.event.Start) || ev.Version != r.event.Version {
				t.Errorf("the event changed: %+v", ev)
			}
			events, entries := r.Log.Take()
			var letters []calendar.Invitation
			for _, ev := range events {
				if letter, ok := ev.Data.(calendar.Invitation); ok {
					letters = append(letters, letter)
				}
			}
			if got := told(letters); got != "DECLINECOUNTER 0 guest by secretary@example.com" {
				t.Errorf("sent %q", got)
			}
			if len(entries) != 1 || entries[0].Action != rsvp.ActionDecline || entries[0].ActorID != "secretary" || entries[0].SubjectID != "alice" || entries[0].Metadata["reply_id"] != id {
				t.Errorf("audit %+v", entries)
			}
			if _, err := r.rsvp.Accept(t.Context(), calendartest.By("alice"), r.event.ID, id); !errors.Is(err, rsvp.ErrSettled) {
				t.Error(err)
			}
		})
	}
}

// TestSettledOnce: of an acceptance and refusals at once, one is.
func TestSettledOnce(t *testing.T) {
	r := newRig(t, sqldbtest.Postgres(t, migrations...))
	id := r.propose()
	r.sent()
	errs := make(chan error)
	for i := range 6 {
		settle := r.rsvp.Decline
		if i%2 == 0 {
			settle = r.rsvp.Accept
		}
		go func() { _, err := settle(t.Context(), calendartest.By("alice"), r.event.ID, id); errs <- err }()
	}
	done := 0
	for range 6 {
		if err := <-errs; err == nil {
			done++
		} else if !errors.Is(err, rsvp.ErrSettled) {
			t.Error(err)
		}
	}
	if done != 1 || strings.Contains(r.sent(), ",") {
		t.Errorf("%d settled it", done)
	}
}

func TestProposalsGoStale(t *testing.T) {
	alice := calendartest.By("alice")
	for name, tt := range map[string]struct {
		meanwhile func(r *rig) error
		want      error
	}{
		"another time": {func(r *rig) error {
			start, end := r.event.Start.Add(time.Hour), r.event.End.Add(time.Hour)
			_, err := r.Update(r.Context(), alice, r.event.ID, 0, calendar.Patch{Start: &start, End: &end})
			return err
		}, rsvp.ErrStale},
		"the guest is gone": {func(r *rig) error {
			_, err := r.Update(r.Context(), alice, r.event.ID, 0, calendar.Patch{Attendees: &[]calendar.NewAttendee{{Email: "bob@example.com"}}})
			return err
		}, rsvp.ErrStale},
		"cancelled": {func(r *rig) error { return r.Cancel(r.Context(), alice, r.event.ID, 0) }, calendar.ErrCancelled},
		"another description": {func(r *rig) error {
			text := "Bring pens"
			_, err := r.Update(r.Context(), alice, r.event.ID, 0, calendar.Patch{Description: &text})
			return err
		}, nil},
		"another answer": {func(r *rig) error {
			r.expect(r.ingest(letter{}.with(ics(r.event.UID, "ACCEPTED", stampOf(7200)))), rsvp.Applied, rsvp.TrustAuthserv)
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := sqlite(t)
			accepted, declined := r.propose("SEQUENCE:7", "DTSTART:20300117T120000Z"), r.propose() // of a version to come: of this one
			r.must(tt.meanwhile(r))
			before := r.current()
			if _, err := r.rsvp.Decline(t.Context(), alice, r.event.ID, declined); !errors.Is(err, tt.want) {
				t.Errorf("declined: %v, want %v", err, tt.want)
			}
			if _, err := r.rsvp.Accept(t.Context(), alice, r.event.ID, accepted); !errors.Is(err, tt.want) {
				t.Errorf("accepted: %v, want %v", err, tt.want)
			}
			if ev := r.current(); tt.want != nil && ev.Version != before.Version {
				t.Error("the event changed")
			}
		})
	}
}

// TestAcceptIsAChange: a room that is taken refuses it, one that asks for consent makes the event wait, and what the
// calendar refuses leaves the proposal open.
func TestAcceptIsAChange(t *testing.T) {
	for name, db := range databases() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, db(t))
			alice := calendartest.By("alice")
			other := calendartest.Meeting(48 * time.Hour)
			other.Resources = []string{"room-a"}
			taken, err := r.Create(t.Context(), calendartest.By("carol"), other)
			r.must(err)
			rooms := []string{"room-a"}
			_, err = r.Update(t.Context(), alice, r.event.ID, 0, calendar.Patch{Resources: &rooms})
			r.must(err)
			id := r.propose()
			var conflict *calendar.ResourceConflict
			if _, err := r.rsvp.Accept(t.Context(), alice, r.event.ID, id); !errors.As(err, &conflict) || len(conflict.Alternatives) == 0 {
				t.Fatalf("%v", err)
			}
			if e, err := r.store.Entry(t.Context(), tenant, id); err != nil || e.Settled != "" || r.current().Sequence != 0 {
				t.Fatalf("%+v, %v", e, err)
			}
			r.must(r.Cancel(t.Context(), calendartest.By("carol"), taken.ID, 0))
			_, err = r.rsvp.Accept(t.Context(), alice, r.event.ID, id)
			r.must(err)

			rooms = []string{"room-large"}
			_, err = r.Update(t.Context(), alice, r.event.ID, 0, calendar.Patch{Resources: &rooms})
			r.must(err)
			r.must(r.Confirm(t.Context(), tenant, r.event.ID))
			id = r.propose(fmt.Sprint("SEQUENCE:", r.current().Sequence), "DTSTART:20300118T120000Z", stampOf(7200))
			r.sent()
			_, err = r.rsvp.Accept(t.Context(), alice, r.event.ID, id)
			r.must(err)
			if ev := r.current(); ev.Status != calendar.Pending || ev.Start.Day() != 18 || r.sent() != "" {
				t.Errorf("%s at %v", ev.Status, ev.Start)
			}
		})
	}
	r := sqlite(t)
	id := r.propose("DTSTART:20300116T120000Z", "DTEND:20330116T120000Z")
	if _, err := r.rsvp.Accept(t.Context(), calendartest.By("alice"), r.event.ID, id); fault.CodeOf(err) != fault.Invalid || r.current().Sequence != 0 {
		t.Errorf("three years: %v", err)
	}
}

func TestWhoSettles(t *testing.T) {
	r := sqlite(t)
	id := r.propose()
	answer := r.ingest(letter{}.with(ics(r.event.UID, "ACCEPTED", stampOf(7200)))).ReplyID
	secretary := calendartest.By("secretary").For("alice")
	other, err := r.Create(t.Context(), calendartest.By("alice"), calendartest.Meeting(72*time.Hour))
	r.must(err)
	type attempt struct {
		by        identity.Principal
		event, id string
		may       []calendar.Permission
		want      error
	}
	for name, a := range map[string]attempt{
		"an attendee":                   {calendartest.By("bob"), r.event.ID, id, nil, calendar.ErrNotOrganizer},
		"an administrator":              {calendartest.By("admin"), r.event.ID, id, nil, calendar.ErrNotOrganizer},
		"another tenant":                {identity.Principal{Tenant: "other", Actor: "alice"}, r.event.ID, id, nil, calendar.ErrNotFound},
		"no delegate":                   {secretary, r.event.ID, id, nil, calendar.ErrNotDelegated},
		"a delegate who may answer":     {secretary, r.event.ID, id, []calendar.Permission{calendar.Respond}, calendar.ErrNotDelegated},
		"by the path of another event":  {calendartest.By("alice"), other.ID, id, nil, rsvp.ErrNotFound},
		"an answer that is no proposal": {calendartest.By("alice"), r.event.ID, answer, nil, rsvp.ErrNoProposal},
	} {
		t.Run(name, func(t *testing.T) {
			r.Delegations[[2]string{"alice", "secretary"}] = a.may
			r.Log.Take()
			for _, settle := range []func() (rsvp.Entry, error){
				func() (rsvp.Entry, error) { return r.rsvp.Accept(t.Context(), a.by, a.event, a.id) },
				func() (rsvp.Entry, error) { return r.rsvp.Decline(t.Context(), a.by, a.event, a.id) },
			} {
				if _, err := settle(); !errors.Is(err, a.want) {
					t.Errorf("%v, want %v", err, a.want)
				}
			}
			_, entries := r.Log.Take()
			denied := slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Action == calendar.ActionDenied })
			if denied != errors.Is(a.want, calendar.ErrNotDelegated) {
				t.Errorf("audit %+v", entries)
			}
		})
	}
	if ev := r.current(); ev.Sequence != 0 {
		t.Error("the event changed")
	}
}

// TestAdmittedProposal: a proposal without proof is one when the organizer vouches for it, and not before.
func TestAdmittedProposal(t *testing.T) {
	r := sqlite(t)
	alice := calendartest.By("alice")
	out := r.ingest(letter{auth: "-"}.with(counter(r.event.UID)))
	r.expect(out, rsvp.Unverified, rsvp.TrustNone)
	if _, err := r.rsvp.Accept(t.Context(), alice, r.event.ID, out.ReplyID); !errors.Is(err, rsvp.ErrNoProposal) {
		t.Error(err)
	}
	e, err := r.rsvp.Admit(t.Context(), alice, r.event.ID, out.ReplyID)
	if err != nil || e.Decision != rsvp.Counter {
		t.Fatalf("%+v, %v", e, err)
	}
	_, err = r.rsvp.Accept(t.Context(), alice, r.event.ID, e.ID)
	r.must(err)
	if ev := r.current(); ev.Start.Day() != 16 {
		t.Errorf("at %v", ev.Start)
	}
}

func TestRefresh(t *testing.T) {
	for name, db := range databases() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, db(t))
			r.sent()
			ask := func(id string, d rsvp.Decision, sent string) {
				t.Helper()
				r.expect(r.ingest(letter{id: id}.with(refresh(r.event.UID, guest))), d, rsvp.TrustAuthserv)
				if got := r.sent(); got != sent {
					t.Errorf("sent %q, want %q", got, sent)
				}
			}
			ask("1", rsvp.Refreshed, "REQUEST 0 guest")
			ask("2", rsvp.RefreshLimited, "")
			r.expect(r.ingest(letter{auth: "-", from: "second@outside.example", to: r.tag("second@outside.example")}.with(
				refresh(r.event.UID, "second@outside.example"))), rsvp.Refreshed, rsvp.TrustAddress) // each has their own hour
			r.sent()
			r.DB.AdvanceClock(rsvp.RefreshEvery - time.Minute)
			ask("3", rsvp.RefreshLimited, "")
			r.DB.AdvanceClock(2 * time.Minute)
			ask("4", rsvp.Refreshed, "REQUEST 0 guest")
			if ev := r.current(); ev.Version != r.event.Version {
				t.Error("the event changed")
			}
		})
	}
}

func TestRefreshRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		mail  func(r *rig) string
		want  rsvp.Decision
		trust rsvp.Trust
	}{
		"no proof": {func(r *rig) string { return letter{auth: "-"}.with(refresh(r.event.UID, guest)) }, rsvp.RefreshRefused, rsvp.TrustNone},
		"not on the list": {func(r *rig) string {
			return letter{from: "crasher@outside.example"}.with(refresh(r.event.UID, "crasher@outside.example"))
		}, rsvp.RefreshRefused, rsvp.TrustAuthserv},
		"a colleague, who was sent no mail": {func(r *rig) string {
			return letter{from: "bob@example.com", auth: mx + "; dkim=pass header.d=example.com"}.with(refresh(r.event.UID, "bob@example.com"))
		}, rsvp.RefreshRefused, rsvp.TrustAuthserv},
		"for another guest": {func(r *rig) string {
			return letter{}.with(refresh(r.event.UID, "second@outside.example"))
		}, rsvp.SenderMismatch, rsvp.TrustAuthserv},
		"while it waits for consent": {func(r *rig) string {
			rooms := []string{"room-large"}
			_, err := r.Update(r.Context(), calendartest.By("alice"), r.event.ID, 0, calendar.Patch{Resources: &rooms})
			r.must(err)
			return letter{}.with(refresh(r.event.UID, guest))
		}, rsvp.RefreshRefused, rsvp.TrustAuthserv},
		"cancelled": {func(r *rig) string {
			r.must(r.Cancel(r.Context(), calendartest.By("alice"), r.event.ID, 0))
			return letter{}.with(refresh(r.event.UID, guest))
		}, rsvp.Cancelled, rsvp.TrustAuthserv},
		"unknown event": {func(*rig) string { return letter{}.with(refresh("nobody-knows", guest)) }, rsvp.UnknownUID, rsvp.TrustAuthserv},
		"another organizer": {func(r *rig) string {
			return letter{}.with(strings.Replace(refresh(r.event.UID, guest), "alice@example.com", "eve@evil.example", 1))
		}, rsvp.Malformed, rsvp.TrustAuthserv},
	} {
		t.Run(name, func(t *testing.T) {
			r := sqlite(t)
			mail := tt.mail(r)
			r.sent()
			out := r.ingest(mail)
			r.expect(out, tt.want, tt.trust)
			if got := r.sent(); got != "" {
				t.Errorf("sent %q", got)
			}
			if _, err := r.rsvp.Admit(t.Context(), calendartest.By("alice"), r.event.ID, out.ReplyID); err == nil {
				t.Error("it was admitted as if it were an answer")
			}
		})
	}
}
