package approvaltest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
)

func links(t *testing.T, s approval.Store) {
	r := request(1)
	insert(t, s, r)
	l := approval.Link{Hash: "h1", Tenant: r.Tenant, RequestID: r.ID, Person: "manager", ContentHash: r.ContentHash, CreatedAt: t0, ExpiresAt: r.ExpiresAt}
	if err := s.AddLink(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LinkByHash(t.Context(), l.Hash); err != nil || !reflect.DeepEqual(got, l) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, l)
	}
	if _, err := s.LinkByHash(t.Context(), "h2"); !errors.Is(err, approval.ErrLink) {
		t.Errorf("unknown: %v", err)
	}
	if fresh, err := s.UseLink(t.Context(), "h2", t0); err != nil || fresh {
		t.Errorf("using an unknown one: %v, %v", fresh, err)
	}
	var wg sync.WaitGroup
	var won atomic.Int64
	used := t0.Add(time.Minute)
	for range 8 {
		wg.Go(func() {
			fresh, err := s.UseLink(t.Context(), l.Hash, used)
			if err != nil {
				t.Error(err)
			}
			if fresh {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("used %d times", won.Load())
	}
	if got, err := s.LinkByHash(t.Context(), l.Hash); err != nil || !got.UsedAt.Equal(used) {
		t.Errorf("%+v, %v", got, err)
	}
}

func pruneLinks(t *testing.T, s approval.Store) {
	r := request(1)
	insert(t, s, r)
	for n := range 5 {
		err := s.AddLink(t.Context(), approval.Link{
			Hash: fmt.Sprint("h", n), Tenant: r.Tenant, RequestID: r.ID, Person: "manager", CreatedAt: t0, ExpiresAt: t0.Add(time.Duration(n) * time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 1, 0} { // h0 to h2 have expired before; h3 expires at that instant
		if n, err := s.PruneLinks(t.Context(), t0.Add(3*time.Hour), 2); err != nil || n != want {
			t.Errorf("pruned %d, want %d, %v", n, want, err)
		}
	}
	for n := range 5 {
		if _, err := s.LinkByHash(t.Context(), fmt.Sprint("h", n)); (err == nil) != (n >= 3) {
			t.Errorf("h%d: %v", n, err)
		}
	}
}
