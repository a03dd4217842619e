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

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/notify/notifybun"
)

func TestSuppressionWindow(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		s.notify(ctx, t, notice("alice"))
		s.drain(ctx, t)
		first := s.all(ctx, t)[0]
		if first.State != notify.Sent || first.SentAt.IsZero() || len(first.Attempts) != 1 || first.Channel != "mail" {
			t.Fatalf("%+v", first)
		}
		other := notice("alice")
		other.Subject = "approval/8"
		s.notify(ctx, t, notice("alice"), notice("bob"), other)
		s.drain(ctx, t)
		if got := s.states(ctx, t); strings.Count(got, "sent") != 3 || strings.Count(got, "suppressed") != 1 {
			t.Fatal(got)
		}
		for _, r := range s.all(ctx, t) {
			if r.State == notify.Suppressed && r.SuppressedBy != first.ID {
				t.Errorf("suppressed by %q", r.SuppressedBy)
			}
		}
		// A minute before the window ends it still holds; the edge itself is judged in TestWindowEdge.
		now, _ := db.Now(ctx)
		db.AdvanceClock(first.SentAt.Add(7*24*time.Hour - time.Minute).Sub(now))
		s.notify(ctx, t, notice("alice"))
		s.drain(ctx, t)
		now, _ = db.Now(ctx)
		db.AdvanceClock(first.SentAt.Add(7 * 24 * time.Hour).Sub(now))
		s.notify(ctx, t, notice("alice"))
		s.drain(ctx, t)
		if got := s.states(ctx, t); !strings.HasSuffix(got, "suppressed sent") {
			t.Error(got)
		}
		unbound := notice("alice")
		unbound.Subject = ""
		s.notify(ctx, t, unbound, unbound)
		s.drain(ctx, t)
		if got := s.states(ctx, t); !strings.HasSuffix(got, "sent sent sent") {
			t.Error("without a subject: " + got)
		}
	})
}

// still is a store whose clock stands.
type still struct {
	notify.Store
	now time.Time
}

func (s still) Now(context.Context) (time.Time, error) { return s.now, nil }

// TestWindowEdge: the window is half-open, to the microsecond.
func TestWindowEdge(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		accepted := db.Clock()
		for i, c := range []struct {
			after time.Duration
			want  delivery.State
		}{{7*24*time.Hour - time.Microsecond, delivery.Suppressed}, {7 * 24 * time.Hour, delivery.Succeeded}} {
			store := notifybun.New(db)
			queue, _ := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db), Now: db.Clock})
			service, err := notify.New(notify.Config{
				Store: still{store, accepted.Add(c.after)}, Deliveries: queue, Directory: staff, Channels: map[string]notify.Channel{"mail": &fake{}},
				Templates: map[string]notify.Template{"approval.requested": {Subject: "s", Text: "t"}}, Now: db.Clock,
			})
			if err != nil {
				t.Fatal(err)
			}
			n := notice("alice")
			n.Subject = fmt.Sprint("edge/", i)
			key := notify.Key{Tenant: "acme", Subject: n.Subject, Template: n.Template, Recipient: "alice"}
			if err := errors.Join(store.SetHolder(ctx, key, notify.Holder{NoticeID: "earlier", AcceptedAt: accepted}), service.Notify(ctx, n)); err != nil {
				t.Fatal(err)
			}
			cut, _ := queue.List(ctx, "acme", delivery.Filter{Subject: n.Subject}, page.Request{})
			if got := service.DeliveryKind().Sender.Send(ctx, cut.Items[0]).State(); got != c.want {
				t.Errorf("after %s: %s, want %s", c.after, got, c.want)
			}
		}
	})
}

// TestTwinsRace: of many at once, with several engines, one is sent and the others point to it.
func TestTwinsRace(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s := newSite(t, db, nil)
		const n = 20
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { s.notify(ctx, t, notice("alice")) })
		}
		wg.Wait()
		for range 3 {
			for range 3 {
				wg.Go(func() { s.drain(ctx, t) })
			}
			wg.Wait()
			db.AdvanceClock(time.Minute)
		}
		got := s.states(ctx, t)
		if strings.Count(got, "sent") != 1 || strings.Count(got, "suppressed") != n-1 || len(s.mail.sent) != 1 {
			t.Errorf("%s; %d mails", got, len(s.mail.sent))
		}
	})
}

// TestSuppressionProperties: whatever happens in whatever order, no two of a key are accepted within 7 days, only an
// accepted one suppresses, and nothing is lost.
func TestSuppressionProperties(t *testing.T) {
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
		total := 0
		for range rapid.IntRange(1, 25).Draw(rt, "actions") {
			switch rapid.SampledFrom([]string{"notify", "notify", "send", "send", "busy", "gone", "wait"}).Draw(rt, "action") {
			case "notify":
				n := notice("alice")
				n.Subject = rapid.SampledFrom([]string{"a/1", "a/2"}).Draw(rt, "subject")
				s.notify(ctx, rt, n)
				total++
			case "send":
				s.mail.fail(nil)
				s.drain(ctx, rt)
			case "busy":
				s.mail.fail(errBusy)
				s.drain(ctx, rt)
			case "gone":
				s.mail.fail(errGone)
				s.drain(ctx, rt)
			case "wait":
				db.AdvanceClock(rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Minute, time.Hour, 4 * 24 * time.Hour, 7 * 24 * time.Hour}).Draw(rt, "time"))
			}
		}
		s.mail.fail(nil)
		for range 3 {
			s.drain(ctx, rt)
			db.AdvanceClock(time.Hour)
		}
		all := s.all(ctx, rt)
		if len(all) != total {
			rt.Fatalf("%d of %d notices", len(all), total)
		}
		byID := map[string]notify.Record{}
		var mails int
		for _, r := range all {
			byID[r.ID] = r
		}
		for _, r := range all {
			switch r.State {
			case notify.Sent:
				mails++
				for _, other := range all {
					if gap := other.SentAt.Sub(r.SentAt); other.ID != r.ID && other.Subject == r.Subject && other.State == notify.Sent && gap >= 0 && gap < 7*24*time.Hour {
						rt.Fatalf("two accepted %s apart", gap)
					}
				}
			case notify.Suppressed:
				by := byID[r.SuppressedBy]
				if judged := r.Attempts[len(r.Attempts)-1].StartedAt; by.State != notify.Sent || by.Subject != r.Subject || judged.Sub(by.SentAt) >= 7*24*time.Hour+time.Second {
					rt.Fatalf("suppressed by %+v", by)
				}
			case notify.Dead:
				if last := r.Attempts[len(r.Attempts)-1]; last.Error == "" {
					rt.Fatalf("dead without an error")
				}
			default:
				rt.Fatalf("%s in the end", r.State)
			}
		}
		if mails != len(s.mail.sent) {
			rt.Fatalf("%d sent, %d mails", mails, len(s.mail.sent))
		}
	})
}
