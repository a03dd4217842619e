package notifytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport/notify"
)

// Run tests the stores that open makes; each call of open makes an empty one.
func Run(t *testing.T, open func(t *testing.T) notify.Store) {
	tests := map[string]func(t *testing.T, ctx context.Context, s notify.Store){
		"notices": notices, "paging": paging, "resent": resent, "transactions": transactions, "ledger": ledger, "lock": lock,
		"move": move, "digests": digests, "gathering": gathering, "settings": settings, "pruning": pruning,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			test(t, ctx, open(t))
		})
	}
}

const tenant identity.TenantID = "acme"

var start = time.Date(2030, 1, 15, 10, 0, 0, 123456000, time.UTC)

func some(n int) []notify.Notice {
	ns := make([]notify.Notice, n)
	for i := range ns {
		ns[i] = notify.Notice{
			ID: fmt.Sprintf("n%03d", i), Tenant: tenant, Template: "approval.requested", Recipient: "alice", Subject: "approval/7",
			Data: []byte(`{"title":"会議"}`), State: notify.Pending, Channels: []string{"slack", "mail"}, Channel: "slack",
			CreatedAt: start.Add(time.Duration(i/2) * time.Second),
		}
	}
	return ns
}

func insert(t *testing.T, ctx context.Context, s notify.Store, ns []notify.Notice) {
	t.Helper()
	if err := s.Insert(ctx, ns); err != nil {
		t.Fatal(err)
	}
}

func notices(t *testing.T, ctx context.Context, s notify.Store) {
	n := some(1)[0]
	n.Critical, n.Informational = true, true
	n.LastError, n.ResendOf, n.ResentBy, n.ResendKey = "e", "old", "admin", "k"
	insert(t, ctx, s, []notify.Notice{n})
	got, err := s.Get(ctx, tenant, n.ID)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(n) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, n)
	}
	if _, err := s.Get(ctx, "other", n.ID); !errors.Is(err, notify.ErrUnknown) {
		t.Errorf("another tenant's: %v", err)
	}
	stranger := n
	stranger.Tenant = "other"
	if changed, err := s.Update(ctx, stranger, n.Channel); err != nil || changed {
		t.Errorf("another tenant's update: %v, %v", changed, err)
	}
	if changed, err := s.Update(ctx, n, "mail"); err != nil || changed {
		t.Errorf("an update for another channel: %v, %v", changed, err)
	}
	n.State, n.Channel, n.SuppressedBy, n.DigestID, n.LastError, n.SentAt = notify.Sent, "mail", "x", "d", "", start
	for _, want := range []bool{true, false} {
		if changed, err := s.Update(ctx, n, "slack"); err != nil || changed != want {
			t.Errorf("update: %v, want %v, %v", changed, want, err)
		}
	}
	if got, err = s.Get(ctx, tenant, n.ID); err != nil || fmt.Sprint(got) != fmt.Sprint(n) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, n)
	}
}

func paging(t *testing.T, ctx context.Context, s notify.Store) {
	ns := some(7)
	ns[3].Recipient, ns[4].Template, ns[5].Subject, ns[6].State = "bob", "approval.approved", "calendar.event/8/9", notify.Dead
	insert(t, ctx, s, ns)
	var got []string
	for p := (page.Request{Limit: 2}); ; {
		cut, err := s.List(ctx, tenant, notify.Filter{}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range cut.Items {
			got = append(got, n.ID)
		}
		if p.Cursor = cut.Next; cut.Next == "" {
			break
		}
	}
	if !slices.Equal(got, []string{"n006", "n005", "n004", "n003", "n002", "n001", "n000"}) {
		t.Errorf("listed %v", got)
	}
	for want, f := range map[string]notify.Filter{
		"n003": {Recipient: "bob"}, "n004": {Template: "approval.approved"}, "n005": {SubjectID: "8/9"}, "n006": {State: notify.Dead},
	} {
		if cut, err := s.List(ctx, tenant, f, page.Request{}); err != nil || len(cut.Items) != 1 || cut.Items[0].ID != want {
			t.Errorf("%+v: %v, %v", f, cut.Items, err)
		}
	}
	if cut, err := s.List(ctx, "other", notify.Filter{}, page.Request{}); err != nil || len(cut.Items) != 0 {
		t.Errorf("another tenant's: %v, %v", cut.Items, err)
	}
	if _, err := s.List(ctx, tenant, notify.Filter{}, page.Request{Cursor: "x"}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("bad cursor: %v", err)
	}
}

func resent(t *testing.T, ctx context.Context, s notify.Store) {
	ns := some(3)
	ns[1].ResendOf, ns[1].ResendKey, ns[2].ResendOf, ns[2].ResendKey = "n000", "k", "n000", "k"
	insert(t, ctx, s, ns)
	if n, err := s.Resent(ctx, tenant, "n000", "k"); err != nil || n.ID != "n001" {
		t.Errorf("%s, %v", n.ID, err)
	}
	for _, bad := range [][2]string{{"n000", "other"}, {"n001", "k"}} {
		if _, err := s.Resent(ctx, tenant, bad[0], bad[1]); !errors.Is(err, notify.ErrUnknown) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if _, err := s.Resent(ctx, "other", "n000", "k"); !errors.Is(err, notify.ErrUnknown) {
		t.Errorf("another tenant's: %v", err)
	}
}

func transactions(t *testing.T, ctx context.Context, s notify.Store) {
	no := errors.New("no")
	key := some(1)[0].Key()
	err := s.Do(ctx, func(ctx context.Context) error {
		return errors.Join(s.Insert(ctx, some(1)), s.SetHolder(ctx, key, notify.Holder{NoticeID: "n000"}), no)
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, tenant, "n000"); !errors.Is(err, notify.ErrUnknown) {
		t.Errorf("a rolled back notice is there: %v", err)
	}
	if _, held, err := s.Holder(ctx, key); held || err != nil {
		t.Errorf("a rolled back row is there: %v", err)
	}
}

func ledger(t *testing.T, ctx context.Context, s notify.Store) {
	k := some(1)[0].Key()
	others := []notify.Key{k, k, k, k}
	others[0].Tenant, others[1].Subject, others[2].Template, others[3].Recipient = "other", "approval/8", "x", "bob"
	for _, other := range others {
		if err := s.SetHolder(ctx, other, notify.Holder{NoticeID: "other", AcceptedAt: start.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, held, err := s.Holder(ctx, k); held || err != nil {
		t.Fatalf("held %v, %v", held, err)
	}
	for _, h := range []notify.Holder{{NoticeID: "a"}, {NoticeID: "b", AcceptedAt: start}, {NoticeID: "c"}} {
		if err := s.SetHolder(ctx, k, h); err != nil {
			t.Fatal(err)
		}
		if got, held, err := s.Holder(ctx, k); !held || err != nil || got.NoticeID != h.NoticeID || !got.AcceptedAt.Equal(h.AcceptedAt) {
			t.Errorf("%+v, %v, %v", got, held, err)
		}
	}
	release := func(id string, want bool) {
		t.Helper()
		if err := s.Release(ctx, k, id); err != nil {
			t.Fatal(err)
		}
		if _, held, err := s.Holder(ctx, k); held != want || err != nil {
			t.Errorf("after the release by %s: held %v, %v", id, held, err)
		}
	}
	release("x", true)
	release("c", false)
	if err := s.SetHolder(ctx, k, notify.Holder{NoticeID: "d", AcceptedAt: start}); err != nil {
		t.Fatal(err)
	}
	release("d", true) // accepted: it suppresses
	for _, want := range []struct {
		at time.Time
		n  int
	}{{start, 0}, {start.Add(time.Microsecond), 1}, {start.Add(2 * time.Hour), 4}} {
		if n, err := s.PruneLedger(ctx, want.at, 10); err != nil || n != want.n {
			t.Errorf("pruned %d, want %d, %v", n, want.n, err)
		}
	}
}

// lock counts with a read and a write under the key's lock: none may be lost.
func lock(t *testing.T, ctx context.Context, s notify.Store) {
	k := some(1)[0].Key()
	if err := s.LockKey(ctx, k); err == nil {
		t.Error("locked without a transaction")
	}
	const n = 12
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := s.Do(ctx, func(ctx context.Context) error {
				if err := s.LockKey(ctx, k); err != nil {
					return err
				}
				h, _, err := s.Holder(ctx, k)
				if err != nil {
					return err
				}
				return s.SetHolder(ctx, k, notify.Holder{NoticeID: h.NoticeID + "."})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if h, _, err := s.Holder(ctx, k); err != nil || len(h.NoticeID) != n {
		t.Errorf("%d of %d counted, %v", len(h.NoticeID), n, err)
	}
}
