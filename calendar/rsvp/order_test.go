package rsvp_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

var partstats = []calendar.Partstat{calendar.Accepted, calendar.Declined, calendar.Tentative}

// TestOrder: whatever the order of arrival, the last answer by SEQUENCE, DTSTAMP and tie-break stands.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type sent struct {
			reply rsvp.Reply
			key   [4]int // sequence, stamp, reply time; unique by the last
		}
		n := rapid.IntRange(1, 12).Draw(t, "replies")
		at := func(s int) time.Time { return calendartest.Noon.Add(time.Duration(s) * time.Second) }
		ev := calendar.Event{ID: "e", UID: "e", Status: calendar.Confirmed, Sequence: 1, Attendees: []calendar.Attendee{{Email: guest, Partstat: calendar.NeedsAction}}}
		all := make([]sent, n)
		for i := range all {
			key := [4]int{rapid.IntRange(0, 3).Draw(t, "sequence"), rapid.IntRange(0, 2).Draw(t, "stamp"), rapid.IntRange(0, 2).Draw(t, "date")*100 + i}
			partstat := rapid.SampledFrom(partstats).Draw(t, "partstat")
			all[i] = sent{rsvp.Reply{UID: "e", Attendee: guest, Partstat: partstat, HasSequence: true, Sequence: key[0], Stamp: at(key[1]), ReplyTime: at(key[2])}, key}
		}
		want := calendar.NeedsAction
		ordered := slices.SortedFunc(slices.Values(all), func(a, b sent) int { return slices.Compare(a.key[:], b.key[:]) })
		if last := ordered[n-1]; last.key[0] >= ev.Sequence {
			want = last.reply.Partstat
		}
		for _, s := range rapid.Permutation(all).Draw(t, "arrival") {
			if rsvp.Judge(&ev, s.reply, rsvp.Proof{Trust: rsvp.TrustInternal}).Decision == rsvp.Applied {
				a := &ev.Attendees[0]
				a.Partstat, a.ReplySequence, a.ReplyStamp, a.ReplyTime = s.reply.Partstat, s.reply.Sequence, s.reply.Stamp, s.reply.ReplyTime
			}
		}
		if got := ev.Attendees[0].Partstat; got != want {
			t.Fatalf("%s stands, want %s", got, want)
		}
	})
}

// TestRace sends 32 replies at once: the last one by order stands, and all are in the ledger.
func TestRace(t *testing.T) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db)
		const n = 32
		mails := make([]string, n)
		for i := range mails {
			partstat := calendar.Tentative
			if i == n-1 {
				partstat = calendar.Accepted
			}
			mails[i] = letter{id: fmt.Sprint(i, "@outside.example")}.with(ics(r.event.UID, string(partstat), stampOf(i)))
		}
		rand.Shuffle(n, func(i, j int) { mails[i], mails[j] = mails[j], mails[i] })
		outcomes := make([]rsvp.Outcome, 2*n)
		errs := make([]error, 2*n)
		var wg sync.WaitGroup
		for i := range outcomes { // each mail twice: two roads
			wg.Go(func() {
				outcomes[i], errs[i] = r.rsvp.Ingest(t.Context(), tenant, []byte(mails[i%n]), rsvp.ViaMail)
			})
		}
		wg.Wait()
		count := map[rsvp.Decision]int{}
		for i, out := range outcomes {
			if errs[i] != nil {
				t.Fatal(errs[i])
			}
			count[out.Decision]++
		}
		if count[rsvp.Duplicate] != n || count[rsvp.Applied]+count[rsvp.OutOfOrder] != n || count[rsvp.Applied] == 0 {
			t.Errorf("%v", count)
		}
		r.T = t
		r.expectPartstat(calendar.Accepted)
		if got := r.attendee(guest).ReplyStamp; cmp.Compare(got.Sub(calendartest.Noon), (n-1)*time.Second) != 0 {
			t.Errorf("the stamp is %v", got)
		}
	})
}
