package delegationtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

var noon = time.Date(2030, 1, 15, 12, 0, 0, 123456000, time.UTC)

// granted returns a delegation of all permissions without limits.
func granted(tenant identity.TenantID, from, to string) delegation.Delegation {
	return delegation.Delegation{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: tenant, DelegatorID: from, DelegateeID: to,
		Permissions: delegation.All(), CreatedAt: noon,
	}
}

// Run checks a Store. newStore returns an empty one; it is called once per test.
func Run(t *testing.T, newStore func(t *testing.T) delegation.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, delegation.Store){
		"CRUD": crud, "Effective": effective, "List": list, "Transactions": transactions,
		"Concurrency": concurrency, "Tenants": tenants,
	} {
		t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
	}
}

func crud(t *testing.T, s delegation.Store) {
	ctx := t.Context()
	d := granted("acme", "exec", "secretary")
	d.Permissions = []calendar.Permission{calendar.Edit}
	d.ValidFrom, d.ValidUntil = noon, noon.Add(time.Hour)
	open := granted("acme", "exec", "secretary")
	insert(t, s, d, open)
	for _, want := range []delegation.Delegation{d, open} {
		got, err := s.Delegation(ctx, "acme", want.ID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Delegation = %+v, %v, want %+v", got, err, want)
		}
	}
	if _, err := s.Delegation(ctx, "acme", "nothing"); !errors.Is(err, delegation.ErrNotFound) {
		t.Errorf("an unknown id: %v, want ErrNotFound", err)
	}
	at := noon.Add(time.Minute)
	if revoked, err := s.Revoke(ctx, "acme", d.ID, at); err != nil || !revoked {
		t.Errorf("Revoke = %v, %v", revoked, err)
	}
	if revoked, err := s.Revoke(ctx, "acme", d.ID, at.Add(time.Hour)); err != nil || revoked {
		t.Errorf("Revoke again = %v, %v, want false", revoked, err)
	}
	if revoked, err := s.Revoke(ctx, "acme", "nothing", at); err != nil || revoked {
		t.Errorf("Revoke of an unknown id = %v, %v, want false", revoked, err)
	}
	if got, err := s.Delegation(ctx, "acme", d.ID); err != nil || !got.RevokedAt.Equal(at) {
		t.Errorf("revoked at %v, %v, want %v", got.RevokedAt, err, at)
	}
}

// effective compares the store's answers with EffectiveAt, at all instants around the ends of random windows.
func effective(t *testing.T, s delegation.Store) {
	ctx := t.Context()
	people := []string{"exec", "boss", "cfo", "secretary", "o'neil", "山田"}
	tenant := 0
	rapid.Check(t, func(t *rapid.T) {
		tenant++
		id := identity.TenantID(fmt.Sprint("t", tenant))
		var all []delegation.Delegation
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			pair := rapid.Permutation(people).Draw(t, "pair")
			d := granted(id, pair[0], pair[1])
			from := rapid.IntRange(0, 3).Draw(t, "from")
			if from > 0 {
				d.ValidFrom = noon.Add(time.Duration(from) * time.Microsecond)
			}
			if until := rapid.IntRange(from, 5).Draw(t, "until"); until > from {
				d.ValidUntil = noon.Add(time.Duration(until) * time.Microsecond)
			}
			if rapid.IntRange(0, 3).Draw(t, "revoked") == 0 {
				d.RevokedAt = noon
			}
			if err := s.Insert(ctx, d); err != nil {
				t.Fatalf("Insert: %v", err)
			}
			all = append(all, d)
		}
		who := rapid.SampledFrom(people).Draw(t, "who")
		delegators := rapid.SliceOf(rapid.SampledFrom(people)).Draw(t, "delegators")
		for tick := range 7 {
			at := noon.Add(time.Duration(tick) * time.Microsecond)
			got, err := s.Effective(ctx, id, who, delegators, at)
			if err != nil {
				t.Fatalf("Effective: %v", err)
			}
			var want []string
			for _, d := range all {
				if d.DelegateeID == who && slices.Contains(delegators, d.DelegatorID) && d.EffectiveAt(at) {
					want = append(want, d.ID)
				}
			}
			if ids := sorted(got); !slices.Equal(ids, want) {
				t.Fatalf("Effective at tick %d = %v, want %v", tick, ids, want)
			}
			got, err = s.EffectiveFrom(ctx, id, who, at)
			if err != nil {
				t.Fatalf("EffectiveFrom: %v", err)
			}
			want = nil
			for _, d := range all {
				if d.DelegatorID == who && d.EffectiveAt(at) {
					want = append(want, d.ID)
				}
			}
			if ids := sorted(got); !slices.Equal(ids, want) {
				t.Fatalf("EffectiveFrom at tick %d = %v, want %v", tick, ids, want)
			}
		}
	})
	many := []string{"exec"}
	for i := range 2500 {
		many = append(many, fmt.Sprint("nobody-", i))
	}
	insert(t, s, granted("acme", "exec", "secretary"), granted("acme", "boss", "secretary"))
	if got, err := s.Effective(ctx, "acme", "secretary", append(many, "boss"), noon); err != nil || len(got) != 2 {
		t.Errorf("of many people: %d, %v, want 2", len(got), err)
	}
	if got, err := s.Effective(ctx, "acme", "secretary", nil, noon); err != nil || len(got) != 0 {
		t.Errorf("of nobody: %d, %v, want 0", len(got), err)
	}
}

func list(t *testing.T, s delegation.Store) {
	ctx := t.Context()
	var want []string
	for i := range 7 {
		d := granted("acme", "exec", "secretary")
		if i%2 == 1 {
			d = granted("acme", "secretary", "alice")
		}
		if i == 3 {
			d.RevokedAt = noon
		}
		insert(t, s, d, granted("acme", "exec", "bob"))
		want = append([]string{d.ID}, want...)
	}
	for size := 1; size <= 8; size++ {
		var got []string
		for cursor := ""; ; {
			p, err := s.List(ctx, "acme", "secretary", page.Request{Limit: size, Cursor: cursor})
			if err != nil {
				t.Fatalf("List: %v", err)
			}
			if len(p.Items) > size {
				t.Fatalf("a page of %d has %d items", size, len(p.Items))
			}
			for _, d := range p.Items {
				got = append(got, d.ID)
			}
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v, want %v", size, got, want)
		}
	}
	if _, err := s.List(ctx, "acme", "secretary", page.Request{Cursor: page.Encode("events", "x")}); !errors.Is(err, page.ErrBadCursor) {
		t.Errorf("another listing's cursor: %v, want ErrBadCursor", err)
	}
	if p, err := s.List(ctx, "acme", "nobody", page.Request{}); err != nil || len(p.Items) != 0 {
		t.Errorf("nobody's list has %d items, %v", len(p.Items), err)
	}
}

func transactions(t *testing.T, s delegation.Store) {
	ctx := t.Context()
	kept := granted("acme", "exec", "secretary")
	insert(t, s, kept)
	lost := granted("acme", "exec", "bob")
	stop := errors.New("stop")
	err := s.Do(ctx, func(ctx context.Context) error {
		if err := s.Insert(ctx, lost); err != nil {
			return err
		}
		if _, err := s.Revoke(ctx, "acme", kept.ID, noon); err != nil {
			return err
		}
		got, err := s.Effective(ctx, "acme", "bob", []string{"exec"}, noon)
		if err != nil || len(got) != 1 {
			t.Errorf("inside the transaction: %d, %v, want 1", len(got), err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatalf("Do: %v", err)
	}
	if _, err := s.Delegation(ctx, "acme", lost.ID); !errors.Is(err, delegation.ErrNotFound) {
		t.Errorf("inserted in a transaction that failed: %v, want ErrNotFound", err)
	}
	if got, err := s.Delegation(ctx, "acme", kept.ID); err != nil || !got.RevokedAt.IsZero() {
		t.Errorf("revoked in a transaction that failed: %v, %v", got.RevokedAt, err)
	}
}

func concurrency(t *testing.T, s delegation.Store) {
	ctx := t.Context()
	d := granted("acme", "exec", "secretary")
	insert(t, s, d)
	var winners atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			revoked, err := s.Revoke(ctx, "acme", d.ID, noon)
			if err != nil {
				t.Errorf("Revoke: %v", err)
			}
			if revoked {
				winners.Add(1)
			}
		})
	}
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("%d of 8 revoked it, want 1", n)
	}
}

func tenants(t *testing.T, s delegation.Store) {
	ctx := t.Context()
	d := granted("acme", "exec", "secretary")
	insert(t, s, d)
	if _, err := s.Delegation(ctx, "rival", d.ID); !errors.Is(err, delegation.ErrNotFound) {
		t.Errorf("another tenant reads it: %v, want ErrNotFound", err)
	}
	if revoked, err := s.Revoke(ctx, "rival", d.ID, noon); err != nil || revoked {
		t.Errorf("another tenant revokes it: %v, %v", revoked, err)
	}
	if got, err := s.Effective(ctx, "rival", "secretary", []string{"exec"}, noon); err != nil || len(got) != 0 {
		t.Errorf("it is effective for another tenant: %d, %v", len(got), err)
	}
	if got, err := s.EffectiveFrom(ctx, "rival", "exec", noon); err != nil || len(got) != 0 {
		t.Errorf("another tenant's delegator gave it: %d, %v", len(got), err)
	}
	if p, err := s.List(ctx, "rival", "exec", page.Request{}); err != nil || len(p.Items) != 0 {
		t.Errorf("another tenant lists it: %d, %v", len(p.Items), err)
	}
	same := d
	same.Tenant = "rival"
	insert(t, s, same) // an id is unique in its tenant only
	if got, err := s.Effective(ctx, "acme", "secretary", []string{"exec"}, noon); err != nil || len(got) != 1 {
		t.Errorf("the first tenant sees %d, %v, want 1", len(got), err)
	}
}

func insert(t *testing.T, s delegation.Store, ds ...delegation.Delegation) {
	t.Helper()
	for _, d := range ds {
		if err := s.Insert(t.Context(), d); err != nil {
			t.Fatalf("Insert: %v", err)
		}
	}
}

func sorted(ds []delegation.Delegation) []string {
	var ids []string
	for _, d := range ds {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}
