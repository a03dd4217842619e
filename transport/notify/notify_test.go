package notify_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/notify"
)

func TestRetryThenDeadFreesTheKey(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.mail.fail(errBusy)
		s.notify(ctx, t, notice("alice"))
		s.drain(ctx, t)
		s.notify(ctx, t, notice("alice")) // its twin is on its way: it waits
		for _, wait := range []time.Duration{time.Minute, 4 * time.Minute, 15 * time.Minute} {
			s.drain(ctx, t)
			if got := s.states(ctx, t); got != "pending pending" {
				t.Fatal(got)
			}
			db.AdvanceClock(wait)
		}
		s.drain(ctx, t)
		db.AdvanceClock(time.Minute)
		s.drain(ctx, t)
		all := s.all(ctx, t)
		if all[0].State != notify.Dead || len(all[0].Attempts) != 4 || all[0].LastError != "busy" {
			t.Fatalf("%+v", all[0])
		}
		s.mail.fail(nil)
		db.AdvanceClock(time.Hour)
		s.drain(ctx, t)
		if got := s.states(ctx, t); got != "dead sent" {
			t.Fatalf("%s: the twin was not sent when the key was free", got)
		}
	})
}

func TestFallback(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.chat.fail(errGone)
		s.notify(ctx, t, notice("bob"), notice("carol"), notice("nobody"))
		s.drain(ctx, t)
		byPerson := map[string]notify.Record{}
		for _, r := range s.all(ctx, t) {
			byPerson[r.Recipient] = r
		}
		bob := byPerson["bob"]
		if bob.State != notify.Sent || bob.Channel != "mail" || len(bob.Attempts) != 2 || bob.Attempts[0].Channel != "chat" || bob.Attempts[1].Channel != "mail" {
			t.Errorf("%+v", bob)
		}
		for _, who := range []string{"carol", "nobody"} {
			if r := byPerson[who]; r.State != notify.Dead || r.LastError == "" || len(r.Attempts) != 0 {
				t.Errorf("%+v", r)
			}
		}
		c := s.mail.text[0]
		if c.Subject != "承認依頼: <会議>  Bcc: eve" || c.HTML != "<b>&lt;会議&gt;\r\nBcc: eve</b>" || c.Text != "Bob: <会議>\r\nBcc: eve " {
			t.Errorf("%q", c)
		}
	})
}

// TestFill: what is asked for right before sending is in the message and nowhere else, and new for every attempt.
func TestFill(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		n := notice("alice")
		n.Template = "approval.reminder"
		s.unfilled = errBusy
		s.notify(ctx, t, n)
		s.drain(ctx, t)
		if got := s.states(ctx, t); got != "pending" || s.filled != 1 || len(s.mail.text) != 0 {
			t.Fatalf("%s after %d, sent %v", got, s.filled, s.mail.text)
		}
		s.unfilled = nil
		db.AdvanceClock(2 * time.Minute)
		s.drain(ctx, t)
		if len(s.mail.text) != 1 || s.mail.text[0].Text != "https://x.example/2" {
			t.Errorf("sent %v", s.mail.text)
		}
		if r := s.all(ctx, t)[0]; r.State != notify.Sent || strings.Contains(string(r.Data), "x.example") {
			t.Errorf("stored %s %s", r.State, r.Data)
		}
	})
}

func TestObsoleteAndResend(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		by := identity.Principal{Tenant: "acme", Actor: "admin"}
		reminder := notice("alice")
		reminder.Template = "approval.reminder"
		s.notify(ctx, t, reminder)
		id := s.all(ctx, t)[0].ID
		if _, err := s.service.Resend(ctx, by, id, "1"); !errors.Is(err, notify.ErrNotFinal) {
			t.Errorf("pending: %v", err)
		}
		s.decided = true
		s.drain(ctx, t)
		if r := s.all(ctx, t)[0]; r.State != notify.Obsolete || len(s.mail.sent) != 0 {
			t.Fatalf("%+v", r)
		}
		s.notify(ctx, t, notice("alice"))
		s.drain(ctx, t)
		id = s.all(ctx, t)[1].ID
		var wg sync.WaitGroup
		ids := make([]string, 4)
		for i := range ids {
			wg.Go(func() {
				n, err := s.service.Resend(ctx, by, id, "1")
				if err != nil {
					t.Error(err)
				}
				ids[i] = n.ID
			})
		}
		wg.Wait()
		s.drain(ctx, t)
		if got := s.states(ctx, t); got != "obsolete sent sent" || ids[0] != ids[3] || len(s.mail.sent) != 2 {
			t.Errorf("%s, %v, %d mails", got, ids, len(s.mail.sent))
		}
		if n := s.audit.count("notice_resend"); n != 1 {
			t.Errorf("%d audit entries of one resend", n)
		}
		if r, err := s.service.Get(ctx, "acme", ids[0]); err != nil || r.ResendOf != id || r.ResentBy != "admin" {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := s.service.Resend(ctx, identity.Principal{Tenant: "other"}, id, "1"); !errors.Is(err, notify.ErrUnknown) {
			t.Errorf("another tenant: %v", err)
		}
		if err := s.service.Notify(ctx, transport.Notice{Tenant: "acme", Template: "nonsense", Recipient: "alice"}); !errors.Is(err, notify.ErrTemplate) {
			t.Error(err)
		}
		db.AdvanceClock(8 * 24 * time.Hour)
		if n, err := s.service.PruneLedger(ctx, 10); err != nil || n != 1 {
			t.Errorf("%d pruned, %v", n, err)
		}
	})
}

func TestConfig(t *testing.T) {
	_, err := notify.New(notify.Config{
		Channels:  map[string]notify.Channel{"mail": nil},
		Templates: map[string]notify.Template{"empty": {}, "bad": {Subject: "{{", Text: "x"}},
		Obsolete:  map[string]func(context.Context, notify.Notice) (bool, error){"unknown": nil},
		Fill:      map[string]func(context.Context, notify.Notice) (map[string]any, error){"strange": nil},
		Window:    -1, DigestHour: 25, Keep: time.Hour,
		Digest: notify.Template{Subject: "x"},
	})
	for _, want := range []string{"Store", `"mail"`, `"empty"`, `"bad"`, `"unknown"`, `"strange"`, "negative", "DigestHour", `"digest"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}
