package notifytest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/notify"
)

// informational returns notices that a digest may hold.
func informational(n int) []notify.Notice {
	ns := some(n)
	for i := range ns {
		ns[i].Informational = true
	}
	return ns
}

func members(t *testing.T, ctx context.Context, s notify.Store, id string) (ids []string) {
	t.Helper()
	ns, err := s.Members(ctx, tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range ns {
		ids = append(ids, n.ID)
	}
	return ids
}

func move(t *testing.T, ctx context.Context, s notify.Store) {
	n := informational(1)[0]
	insert(t, ctx, s, []notify.Notice{n})
	try := func(want bool, to ...string) {
		t.Helper()
		n.Channels, n.Channel = to, to[0]
		if moved, err := s.Move(ctx, n, "slack"); err != nil || moved != want {
			t.Errorf("moved %v, want %v, %v", moved, want, err)
		}
	}
	try(true, "slack", "teams")
	try(true, "mail", "slack")
	try(false, "teams")
	if got, err := s.Get(ctx, tenant, n.ID); err != nil || got.Channel != "mail" || !slices.Equal(got.Channels, []string{"mail", "slack"}) {
		t.Errorf("%+v, %v", got, err)
	}
	n.Channel = "mail"
	if _, err := s.Gather(ctx, n, start, 1); err != nil {
		t.Fatal(err)
	}
	if moved, err := s.Move(ctx, n, "mail"); err != nil || moved {
		t.Errorf("one that is in a digest: %v, %v", moved, err)
	}
}

func digests(t *testing.T, ctx context.Context, s notify.Store) {
	ns := informational(10)
	ns[1].Recipient, ns[2].Channel, ns[3].Informational, ns[4].State, ns[5].Tenant = "bob", "mail", false, notify.Sent, "other"
	ns[9].CreatedAt = start.Add(time.Hour)
	insert(t, ctx, s, ns)
	gather := func(n notify.Notice, limit int, want string) {
		t.Helper()
		if id, err := s.Gather(ctx, n, start.Add(time.Hour), limit); err != nil || id != want {
			t.Errorf("gathered by %q, want %q, %v", id, want, err)
		}
	}
	gather(ns[7], 3, "n007") // itself and the oldest two
	if got := members(t, ctx, s, "n007"); !slices.Equal(got, []string{"n000", "n006", "n007"}) {
		t.Errorf("members %v", got)
	}
	gather(ns[6], 9, "n007")
	gather(ns[4], 9, "")
	if err := s.Leave(ctx, tenant, "n007", "n006", "n008"); err != nil {
		t.Fatal(err)
	}
	gather(ns[8], 9, "n008")
	if got := members(t, ctx, s, "n008"); !slices.Equal(got, []string{"n006", "n008"}) {
		t.Errorf("members %v", got)
	}
	gather(ns[9], 1, "n009")
	for _, stays := range []string{"n001", "n002", "n003"} {
		if n, err := s.Get(ctx, tenant, stays); err != nil || n.DigestID != "" {
			t.Errorf("%+v, %v", n, err)
		}
	}
	if ns, err := s.Members(ctx, "other", "n007"); err != nil || len(ns) != 0 {
		t.Errorf("another tenant's: %v, %v", ns, err)
	}
	if err := s.Leave(ctx, "other", "n007", "n000"); err != nil {
		t.Fatal(err)
	}
	ns[7].DigestID, ns[7].State = "n007", notify.Sent
	if changed, err := s.Update(ctx, ns[7], "slack"); err != nil || !changed {
		t.Errorf("%v, %v", changed, err)
	}
	if got := members(t, ctx, s, "n007"); !slices.Equal(got, []string{"n000"}) {
		t.Errorf("members %v", got)
	}
}

// gathering: of many at once, one takes all.
func gathering(t *testing.T, ctx context.Context, s notify.Store) {
	const n = 12
	ns := informational(n)
	insert(t, ctx, s, ns)
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range ns {
		wg.Go(func() {
			var err error
			if ids[i], err = s.Gather(ctx, ns[i], start.Add(time.Hour), 100); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if ids[0] != ids[n-1] || len(members(t, ctx, s, ids[0])) != n {
		t.Errorf("gathered by %v", ids)
	}
}

func settings(t *testing.T, ctx context.Context, s notify.Store) {
	all := []notify.Settings{
		{Tenant: tenant, Person: "alice", Digest: notify.Off, UpdatedAt: start},
		{Tenant: tenant, Person: "alice", Channels: []string{"slack", "mail"}, Digest: notify.Daily, UpdatedAt: start.Add(time.Second),
			QuietHours: &notify.QuietHours{Start: "22:00", End: "07:00", TimeZone: "Asia/Tokyo"}},
		{Tenant: tenant, Person: "bob", QuietHours: &notify.QuietHours{Start: "00:00", End: "06:00"}, Digest: notify.Hourly, UpdatedAt: start},
		{Tenant: "other", Person: "alice", Digest: notify.Hourly, UpdatedAt: start},
		{Tenant: tenant, Person: "bob", Digest: notify.Off, UpdatedAt: start},
	}
	show := func(set notify.Settings) string {
		q := "none"
		if set.QuietHours != nil {
			q = fmt.Sprint(*set.QuietHours)
		}
		set.QuietHours = nil
		return fmt.Sprint(set, q)
	}
	for _, set := range all {
		if err := s.SetSettings(ctx, set); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Settings(ctx, set.Tenant, []string{set.Person, "nobody"}); err != nil || len(got) != 1 || show(got[0]) != show(set) {
			t.Errorf("got %v, %v, want %s", got, err, show(set))
		}
	}
	if got, err := s.Settings(ctx, tenant, []string{"alice", "bob"}); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := s.Settings(ctx, tenant, nil); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func pruning(t *testing.T, ctx context.Context, s notify.Store) {
	ns := some(6)
	for i := range ns {
		ns[i].CreatedAt = start.Add(time.Duration(i) * time.Second)
		ns[i].State = notify.Sent
	}
	ns[1].State, ns[2].State = notify.Pending, notify.Dead
	insert(t, ctx, s, ns)
	for _, want := range []struct {
		at    time.Time
		limit int
		n     int
	}{{start, 9, 0}, {start.Add(4 * time.Second), 2, 2}, {start.Add(4 * time.Second), 2, 1}, {start.Add(4 * time.Second), 2, 0}} {
		if n, err := s.PruneNotices(ctx, want.at, want.limit); err != nil || n != want.n {
			t.Errorf("pruned %d, want %d, %v", n, want.n, err)
		}
	}
	for _, id := range []string{"n001", "n004", "n005"} {
		if _, err := s.Get(ctx, tenant, id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
