package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/notify/notifybun"
)

var tokyo = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		panic(err)
	}
	return loc
}()

var night = &notify.QuietHours{Start: "22:00", End: "07:00", TimeZone: "Asia/Tokyo"}

func as(who string) identity.Principal { return identity.Principal{Tenant: "acme", Actor: who} }

func (s *site) set(ctx context.Context, t fataler, who string, set notify.Settings) {
	if _, err := s.service.SetSettings(ctx, as(who), set); err != nil {
		t.Fatal(err)
	}
}

// toTime moves the clock to the next time at which it is that hour and minute in Tokyo.
func (s *site) toTime(ctx context.Context, t fataler, hour, minute int) {
	now, err := s.db.Now(ctx)
	if err != nil {
		t.Fatal(err)
	}
	local := now.In(tokyo)
	next := time.Date(local.Year(), local.Month(), local.Day(), hour, minute, 0, 0, tokyo)
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	s.db.AdvanceClock(next.Sub(now))
}

// settle sends all that is due, and what waits for another to be sent.
func (s *site) settle(ctx context.Context, t fataler) {
	for range 3 {
		s.db.AdvanceClock(time.Minute)
		s.drain(ctx, t)
	}
}

// info is an informational notice about something of its own.
func info(recipient, title string) transport.Notice {
	return transport.Notice{Tenant: "acme", Template: "calendar.changed", Recipient: recipient, Subject: "calendar.event/" + title, Data: map[string]any{"title": title}}
}

// byTitle returns the notices by their subject's id.
func (s *site) byTitle(ctx context.Context, t fataler) map[string]notify.Record {
	out := map[string]notify.Record{}
	for _, r := range s.all(ctx, t) {
		_, title, _ := strings.Cut(r.Subject, "/")
		out[title] = r
	}
	return out
}

// TestCriticalPassesASleepingTwin: a notice that was tried before the quiet hours began holds up no critical one that says
// the same, whether it goes alone or in a digest.
func TestCriticalPassesASleepingTwin(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		for _, digest := range []notify.Digest{notify.Off, notify.Hourly} {
			s := newSite(t, db, nil)
			s.set(ctx, t, "alice", notify.Settings{QuietHours: night, Digest: digest})
			s.toTime(ctx, t, 20, 50)
			first, second := "first "+string(digest), "second "+string(digest)
			s.notify(ctx, t, info("alice", first), info("alice", second))
			s.toTime(ctx, t, 21, 58)
			s.mail.fail(errBusy)
			s.drain(ctx, t)
			for _, title := range []string{first, second} {
				if r := s.byTitle(ctx, t)[title]; r.State != notify.Pending || len(r.Attempts) != 1 {
					t.Fatalf("%s: before the night: %+v", title, r)
				}
			}
			s.mail.fail(nil)
			s.toTime(ctx, t, 23, 0)
			s.drain(ctx, t)
			critical := info("alice", second)
			critical.Critical = true
			s.notify(ctx, t, critical)
			s.drain(ctx, t)
			sent := 0
			for _, r := range s.all(ctx, t) {
				if r.Critical && r.State == notify.Sent && r.Subject == "calendar.event/"+second {
					sent++
				}
			}
			if sent != 1 {
				t.Fatalf("%s: the critical one waits: %s", digest, s.states(ctx, t))
			}
			s.toTime(ctx, t, 7, 1)
			s.settle(ctx, t)
			states := map[notify.State]int{}
			for _, r := range s.all(ctx, t) {
				if strings.HasSuffix(r.Subject, string(digest)) {
					states[r.State]++
				}
			}
			if states[notify.Sent] != 2 || states[notify.Suppressed] != 1 {
				t.Errorf("%s: in the morning: %v", digest, states)
			}
		}
	})
}

func TestQuietHours(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.set(ctx, t, "alice", notify.Settings{QuietHours: night})
		s.toTime(ctx, t, 23, 0)
		critical := info("alice", "critical")
		critical.Critical = true
		s.notify(ctx, t, info("alice", "waits"), critical, notice("alice"), info("bob", "sleepless"))
		s.drain(ctx, t)
		got := s.byTitle(ctx, t)
		if got["waits"].State != notify.Pending || got["critical"].State != notify.Sent || got["7"].State != notify.Sent || got["sleepless"].State != notify.Sent {
			t.Fatalf("%+v", got)
		}
		if r := got["waits"]; r.NextRetry.IsZero() || len(r.Attempts) != 0 {
			t.Errorf("%+v", r)
		}
		s.toTime(ctx, t, 6, 50)
		s.drain(ctx, t)
		if got := s.byTitle(ctx, t)["waits"]; got.State != notify.Pending {
			t.Fatalf("%+v", got)
		}
		s.toTime(ctx, t, 7, 1)
		s.drain(ctx, t)
		if got := s.byTitle(ctx, t)["waits"]; got.State != notify.Sent || len(got.Attempts) != 1 {
			t.Fatalf("%+v", got)
		}
		// Sent again by hand it waits for nothing.
		s.toTime(ctx, t, 23, 0)
		if _, err := s.service.Resend(ctx, as("admin"), s.byTitle(ctx, t)["waits"].ID, ""); err != nil {
			t.Fatal(err)
		}
		s.drain(ctx, t)
		if states := s.states(ctx, t); strings.Contains(states, "pending") {
			t.Error(states)
		}
	})
}

func TestDigest(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.set(ctx, t, "alice", notify.Settings{QuietHours: night, Digest: notify.Daily})
		s.set(ctx, t, "bob", notify.Settings{Channels: []string{"chat"}, Digest: notify.Hourly})
		s.toTime(ctx, t, 10, 30)
		tomorrow := info("alice", "gone")
		tomorrow.Template = "calendar.tomorrow"
		s.notify(ctx, t, info("alice", "one"), info("bob", "three"))
		s.notify(ctx, t, info("alice", "two"), tomorrow, info("alice", "twin"), notice("alice"))
		s.notify(ctx, t, info("alice", "twin"), info("bob", "four"))
		s.drain(ctx, t)
		if len(s.mail.sent) != 1 || len(s.chat.sent) != 0 {
			t.Fatalf("%d mails and %d messages at once", len(s.mail.sent), len(s.chat.sent))
		}
		s.toTime(ctx, t, 11, 0)
		s.settle(ctx, t)
		if len(s.chat.text) != 1 || s.chat.text[0].Subject != "2 notices" || s.chat.text[0].Text != "■ three\nthree;\n\n■ four\nfour;" {
			t.Fatalf("%+v", s.chat.text)
		}
		s.toTime(ctx, t, 8, 59)
		s.notify(ctx, t, info("alice", "late"))
		s.drain(ctx, t)
		if len(s.mail.sent) != 1 {
			t.Fatal("the digest came early")
		}
		s.toTime(ctx, t, 9, 0)
		s.notify(ctx, t, info("alice", "next day"))
		s.decided = true
		s.settle(ctx, t)
		if len(s.mail.text) != 2 || s.mail.text[1].Subject != "4 notices" || strings.Count(s.mail.text[1].Text, "twin;") != 1 {
			t.Fatalf("%+v", s.mail.text)
		}
		got := s.byTitle(ctx, t)
		for _, title := range []string{"two", "late"} {
			r, other := got[title], got["one"]
			if r.State != notify.Sent || r.DigestID == "" || r.DigestID != other.DigestID || !r.SentAt.Equal(other.SentAt) || len(r.Attempts) != 1 || r.Attempts[0].Channel != "mail" {
				t.Errorf("%+v", r)
			}
		}
		if got["gone"].State != notify.Obsolete || got["next day"].State != notify.Pending {
			t.Errorf("%+v, %+v", got["gone"], got["next day"])
		}
		if states := s.states(ctx, t); strings.Count(states, "suppressed") != 1 || strings.Count(states, "pending") != 1 {
			t.Error(states)
		}
	})
}

// TestDigestFails: a digest is tried again as a whole, and falls back as a whole.
func TestDigestFails(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.set(ctx, t, "bob", notify.Settings{Channels: []string{"chat", "mail"}, Digest: notify.Hourly})
		s.toTime(ctx, t, 10, 30)
		for _, title := range []string{"a", "b", "c"} {
			s.notify(ctx, t, info("bob", title))
		}
		s.drain(ctx, t)
		s.chat.fail(errBusy)
		s.toTime(ctx, t, 11, 0)
		s.db.AdvanceClock(time.Second)
		s.drain(ctx, t)
		s.notify(ctx, t, info("bob", "later"))
		s.db.AdvanceClock(time.Minute)
		s.drain(ctx, t)
		for title, r := range s.byTitle(ctx, t) {
			if want := 2; title != "later" && (r.State != notify.Pending || len(r.Attempts) != want) {
				t.Errorf("%s: %+v", title, r)
			}
		}
		s.chat.fail(errGone)
		s.db.AdvanceClock(5 * time.Minute)
		s.settle(ctx, t)
		if len(s.mail.text) != 1 || s.mail.text[0].Subject != "3 notices" {
			t.Fatalf("%+v", s.mail.text)
		}
		for title, r := range s.byTitle(ctx, t) {
			if title != "later" && (r.State != notify.Sent || r.Channel != "mail") {
				t.Errorf("%s: %+v", title, r)
			}
		}
		s.mail.fail(errGone)
		s.toTime(ctx, t, 12, 0)
		s.settle(ctx, t)
		if r := s.byTitle(ctx, t)["later"]; r.State != notify.Dead {
			t.Errorf("%+v", r)
		}
	})
}

func TestSettingsChangeWhileWaiting(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.set(ctx, t, "alice", notify.Settings{QuietHours: night})
		s.set(ctx, t, "bob", notify.Settings{Channels: []string{"chat", "mail"}, QuietHours: night})
		s.toTime(ctx, t, 23, 0)
		s.notify(ctx, t, info("alice", "a"), info("bob", "b"))
		s.drain(ctx, t)
		s.set(ctx, t, "alice", notify.Settings{})
		s.set(ctx, t, "bob", notify.Settings{Channels: []string{"mail", "chat"}, QuietHours: night, Digest: notify.Daily})
		s.set(ctx, t, "bob", notify.Settings{Channels: []string{"mail", "chat"}, QuietHours: night})
		s.db.AdvanceClock(10 * time.Minute)
		s.settle(ctx, t)
		if got := s.byTitle(ctx, t); got["a"].State != notify.Sent || got["b"].State != notify.Pending {
			t.Fatalf("%+v", got)
		}
		s.mail.fail(errGone) // and from there to the channel where it has been before
		s.toTime(ctx, t, 7, 0)
		s.settle(ctx, t)
		r := s.byTitle(ctx, t)["b"]
		if r.State != notify.Sent || r.Channel != "chat" || strings.Join(r.Channels, " ") != "mail chat" || len(r.Attempts) != 2 || r.Attempts[0].Channel != "mail" {
			t.Fatalf("%+v", r)
		}
		if n := s.audit.count("notification_settings_change"); n != 5 {
			t.Errorf("%d audit entries", n)
		}
	})
}

func TestSettings(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		if set, err := s.service.Settings(ctx, as("bob")); err != nil || strings.Join(set.Channels, " ") != "chat mail" || set.Digest != notify.Off || set.QuietHours != nil {
			t.Errorf("%+v, %v", set, err)
		}
		s.set(ctx, t, "bob", notify.Settings{Channels: []string{"mail"}, QuietHours: night, Digest: notify.Daily})
		set, err := s.service.Settings(ctx, as("bob"))
		if err != nil || strings.Join(set.Channels, " ") != "mail" || set.Digest != notify.Daily || *set.QuietHours != *night {
			t.Errorf("%+v, %v", set, err)
		}
		if other, err := s.service.Settings(ctx, identity.Principal{Tenant: "other", Actor: "bob"}); err != nil || other.QuietHours != nil {
			t.Errorf("another tenant's: %+v, %v", other, err)
		}
		if _, err := s.service.SetSettings(ctx, as("secretary").For("bob"), set); !errors.Is(err, notify.ErrNotOwn) {
			t.Error(err)
		}
		_, err = s.service.SetSettings(ctx, as("bob"), notify.Settings{
			Channels: []string{"mail", "mail", "pigeon"}, QuietHours: &notify.QuietHours{Start: "7:00", End: "x", TimeZone: "Nowhere"}, Digest: "weekly",
		})
		var where []string
		for _, f := range fault.FieldsOf(err) {
			where = append(where, f.Location)
		}
		if got := strings.Join(where, " "); !errors.Is(err, notify.ErrSettings) || got != "channels[1] channels[2] quiet_hours.start quiet_hours.end quiet_hours.time_zone digest" {
			t.Errorf("%v", err)
		}
		if _, err := s.service.SetSettings(ctx, as("bob"), notify.Settings{QuietHours: &notify.QuietHours{Start: "07:00", End: "07:00"}}); !errors.Is(err, notify.ErrSettings) {
			t.Error(err)
		}
		if names := strings.Join(s.service.ChannelNames(), " "); names != "chat mail" {
			t.Error(names)
		}
	})
}

// TestDigestRace: engines of several nodes, one message.
func TestDigestRace(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		channel := &fake{}
		var nodes []*site
		for range 3 {
			nodes = append(nodes, newSite(t, db, map[string]notify.Channel{"mail": channel}))
		}
		s := nodes[0]
		s.set(ctx, t, "alice", notify.Settings{Digest: notify.Hourly})
		s.toTime(ctx, t, 10, 1)
		const n = 30
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { nodes[i%3].notify(ctx, t, info("alice", fmt.Sprint(i))) })
		}
		wg.Wait()
		s.drain(ctx, t)
		s.toTime(ctx, t, 11, 1)
		for range 2 {
			for _, node := range nodes {
				wg.Go(func() { node.drain(ctx, t) })
			}
			wg.Wait()
			s.db.AdvanceClock(time.Minute)
		}
		if got := s.states(ctx, t); len(channel.text) != 1 || channel.text[0].Subject != "30 notices" || strings.Count(got, "sent") != n {
			t.Errorf("%d messages, %s", len(channel.text), got)
		}
	})
}

// TestWaitingProperties: whatever happens in whatever order, a notice that is sent is in exactly one accepted message,
// any other in none, none arrives in quiet hours, and nothing stays behind.
func TestWaitingProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		db, err := sqldb.Open(ctx, "sqlite::memory:")
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if err := sqldb.Migrate(ctx, db, migrations...); err != nil {
			rt.Fatal(err)
		}
		s := newSite(t, db, nil)
		var quiet *notify.QuietHours
		check := func() {
			hour := s.db.Clock().In(tokyo).Hour()
			before := len(s.mail.sent) + len(s.chat.sent)
			s.drain(ctx, rt)
			if quiet != nil && (hour >= 22 || hour < 7) && len(s.mail.sent)+len(s.chat.sent) > before {
				rt.Fatalf("a message at %d o'clock", hour)
			}
		}
		total := 0
		for range rapid.IntRange(1, 30).Draw(rt, "actions") {
			switch rapid.SampledFrom([]string{"notify", "notify", "notify", "send", "send", "wait", "wait", "settings", "fail", "decide"}).Draw(rt, "action") {
			case "notify":
				n := info("bob", fmt.Sprintf("#%d", total))
				if rapid.IntRange(0, 4).Draw(rt, "kind") == 0 {
					n.Template, n.Subject, n.Data = "calendar.tomorrow", "", nil
				}
				s.notify(ctx, rt, n)
				total++
			case "send":
				check()
			case "wait":
				s.db.AdvanceClock(rapid.SampledFrom([]time.Duration{time.Minute, 7 * time.Minute, 25 * time.Minute, time.Hour, 5 * time.Hour, 11 * time.Hour}).Draw(rt, "time"))
			case "settings":
				quiet = rapid.SampledFrom([]*notify.QuietHours{nil, night}).Draw(rt, "quiet")
				s.set(ctx, rt, "bob", notify.Settings{
					QuietHours: quiet, Digest: rapid.SampledFrom([]notify.Digest{notify.Off, notify.Hourly, notify.Daily}).Draw(rt, "digest"),
					Channels: rapid.SampledFrom([][]string{nil, {"chat"}, {"mail", "chat"}, {"chat", "mail"}}).Draw(rt, "channels"),
				})
			case "fail":
				rapid.SampledFrom([]*fake{s.mail, s.chat}).Draw(rt, "channel").fail(rapid.SampledFrom([]error{nil, nil, errBusy, errGone, notify.NotYet(3 * time.Minute)}).Draw(rt, "error"))
			case "decide":
				s.decided = rapid.Bool().Draw(rt, "decided")
			}
		}
		s.mail.fail(nil)
		s.chat.fail(nil)
		for i := 0; i < 60 && strings.Contains(s.states(ctx, rt), "pending"); i++ { // two days and a half
			check()
			s.db.AdvanceClock(time.Hour)
		}
		text := ""
		for _, f := range []*fake{s.mail, s.chat} {
			for _, c := range f.text {
				text += c.Text
			}
		}
		all := s.all(ctx, rt)
		if len(all) != total {
			rt.Fatalf("%d of %d notices", len(all), total)
		}
		reminders := 0
		for _, r := range all {
			_, title, _ := strings.Cut(r.Subject, "/")
			times, want := strings.Count(text, title+";"), 0
			if r.State == notify.Sent {
				want = 1
			}
			switch {
			case r.State == notify.Pending:
				rt.Fatalf("still pending: %+v", r)
			case r.Template == "calendar.tomorrow":
				reminders += want
			case times != want:
				rt.Fatalf("%s is %s and in %d messages", title, r.State, times)
			}
			if r.State == notify.Sent && len(r.Attempts) == 0 {
				rt.Fatalf("sent without an attempt: %+v", r)
			}
		}
		if got := strings.Count(text, "tomorrow;"); got != reminders {
			rt.Fatalf("%d reminders sent, %d in messages", reminders, got)
		}
	})
}

func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.set(ctx, t, "alice", notify.Settings{QuietHours: night})
		s.notify(ctx, t, notice("bob"), notice("carol"))
		s.drain(ctx, t)
		sweep := func(limit, want int) {
			t.Helper()
			if n, err := s.service.Sweep(ctx, limit); err != nil || n != want {
				t.Errorf("swept %d, want %d, %v", n, want, err)
			}
		}
		sweep(10, 0)
		db.AdvanceClock(8 * 24 * time.Hour)
		sweep(10, 1) // bob's row in the ledger; the notices stay in the lists
		db.AdvanceClock(391 * 24 * time.Hour)
		s.toTime(ctx, t, 23, 0)
		s.notify(ctx, t, info("alice", "waits"))
		s.drain(ctx, t)
		db.AdvanceClock(2 * 24 * time.Hour)
		sweep(1, 1)
		sweep(10, 1)
		sweep(10, 0)
		if got := s.states(ctx, t); got != "pending" {
			t.Error(got)
		}
	})
}

// TestNodesShareSettings: what one node writes the others see.
func TestNodesShareSettings(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		store := notifybun.New(db)
		a, b := newSite(t, db, nil), newSite(t, db, nil)
		a.set(ctx, t, "alice", notify.Settings{Digest: notify.Hourly})
		b.set(ctx, t, "alice", notify.Settings{Digest: notify.Daily})
		if found, err := store.Settings(ctx, "acme", []string{"alice", "bob"}); err != nil || len(found) != 1 || found[0].Digest != notify.Daily {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
