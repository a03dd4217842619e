package webtest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/web"
)

// IdempotencyStore proves that a store keeps the contract of web.IdempotencyStore. advance moves the clock by which it
// judges deadlines.
func IdempotencyStore(t *testing.T, store web.IdempotencyStore, advance func(time.Duration)) {
	answer := web.Answer{
		Status: 201, Header: map[string]string{"Content-Type": "application/json", "Location": "/x/1", "ETag": `"v1"`}, Body: []byte("{\"a\":\"é\x00\xff\"}"),
	}
	fresh := func() web.Claim {
		return web.Claim{
			IdempotencyKey: web.IdempotencyKey{Tenant: "acme", Actor: "alice", Subject: "exec", Operation: "POST /x", Key: uuid.NewString()},
			Fingerprint:    "f1", Token: uuid.NewString(), Lease: time.Minute, Keep: 24 * time.Hour,
		}
	}
	again := func(c web.Claim) web.Claim {
		c.Token = uuid.NewString()
		return c
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	begin := func(t *testing.T, c web.Claim, want error) *web.Answer {
		t.Helper()
		a, err := store.Begin(ctx, c)
		if !errors.Is(err, want) {
			t.Fatalf("Begin: got %v, want %v", err, want)
		}
		return a
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	replays := func(t *testing.T, c web.Claim) {
		t.Helper()
		a := begin(t, again(c), nil)
		if a == nil || !reflect.DeepEqual(*a, answer) {
			t.Fatalf("got %+v", a)
		}
	}

	t.Run("replays the first answer", func(t *testing.T) {
		c := fresh()
		if a := begin(t, c, nil); a != nil {
			t.Fatalf("an answer before there is one: %+v", a)
		}
		begin(t, again(c), web.ErrIdempotencyInProgress)
		must(t, store.Complete(ctx, c, answer))
		replays(t, c)
		replays(t, c)
	})
	t.Run("keeps an empty answer", func(t *testing.T) {
		c := fresh()
		begin(t, c, nil)
		must(t, store.Complete(ctx, c, web.Answer{Status: 204}))
		if a := begin(t, again(c), nil); a == nil || a.Status != 204 || len(a.Body) != 0 {
			t.Fatalf("got %+v", a)
		}
	})
	t.Run("refuses another request", func(t *testing.T) {
		c := fresh()
		begin(t, c, nil)
		other := again(c)
		other.Fingerprint = "f2"
		begin(t, other, web.ErrIdempotencyReused)
		must(t, store.Complete(ctx, c, answer))
		begin(t, other, web.ErrIdempotencyReused)
	})
	t.Run("keeps owners apart", func(t *testing.T) {
		c := fresh()
		begin(t, c, nil)
		must(t, store.Complete(ctx, c, answer))
		for _, change := range []func(*web.Claim){
			func(c *web.Claim) { c.Tenant = "other" },
			func(c *web.Claim) { c.Actor = "bob" },
			func(c *web.Claim) { c.Subject = "" },
			func(c *web.Claim) { c.Operation = "POST /y" },
			func(c *web.Claim) { c.Key += "x" },
		} {
			other := again(c)
			change(&other)
			if a := begin(t, other, nil); a != nil {
				t.Fatalf("%+v got the answer of another", other.IdempotencyKey)
			}
		}
	})
	t.Run("a released key is free", func(t *testing.T) {
		c := fresh()
		begin(t, c, nil)
		must(t, store.Release(ctx, again(c))) // of another token: nothing
		begin(t, again(c), web.ErrIdempotencyInProgress)
		must(t, store.Release(ctx, c))
		if a := begin(t, again(c), nil); a != nil {
			t.Fatalf("got %+v", a)
		}
	})
	t.Run("a lease passes, and its holder is fenced off", func(t *testing.T) {
		c := fresh()
		begin(t, c, nil)
		advance(time.Minute + time.Second)
		other := again(c)
		other.Fingerprint = "f2"
		begin(t, other, web.ErrIdempotencyReused)
		second := again(c)
		if a := begin(t, second, nil); a != nil {
			t.Fatalf("got %+v", a)
		}
		must(t, store.Complete(ctx, c, web.Answer{Status: 200, Body: []byte("late")}))
		must(t, store.Release(ctx, c))
		begin(t, again(c), web.ErrIdempotencyInProgress)
		must(t, store.Complete(ctx, second, answer))
		must(t, store.Release(ctx, second)) // an answer stays
		replays(t, c)
	})
	t.Run("a key's time passes", func(t *testing.T) {
		c := fresh()
		begin(t, c, nil)
		must(t, store.Complete(ctx, c, answer))
		advance(24*time.Hour + time.Second)
		other := again(c)
		other.Fingerprint = "f2"
		if a := begin(t, other, nil); a != nil {
			t.Fatalf("got %+v", a)
		}
		must(t, store.Complete(ctx, other, answer))
		replays(t, other)
	})
	t.Run("sweep", func(t *testing.T) {
		advance(25 * time.Hour)
		for {
			n, err := store.Sweep(ctx, 100)
			must(t, err)
			if n == 0 {
				break
			}
		}
		old, young := []web.Claim{fresh(), fresh(), fresh()}, fresh()
		for _, c := range old {
			begin(t, c, nil)
			must(t, store.Complete(ctx, c, answer))
		}
		advance(23 * time.Hour)
		begin(t, young, nil)
		must(t, store.Complete(ctx, young, answer))
		advance(90 * time.Minute)
		for _, want := range []int{2, 1, 0} {
			if n, err := store.Sweep(ctx, 2); err != nil || n != want {
				t.Fatalf("got %d, %v, want %d", n, err, want)
			}
		}
		replays(t, young)
	})
	t.Run("one of many is first", func(t *testing.T) {
		c := fresh()
		var first atomic.Int32
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				mine := again(c)
				a, err := store.Begin(ctx, mine)
				switch {
				case err == nil && a == nil:
					first.Add(1)
					if err := store.Complete(ctx, mine, answer); err != nil {
						t.Error(err)
					}
				case err == nil && a.Status != answer.Status, err != nil && !errors.Is(err, web.ErrIdempotencyInProgress):
					t.Errorf("got %+v, %v", a, err)
				}
			})
		}
		wg.Wait()
		if first.Load() != 1 {
			t.Fatalf("%d were first", first.Load())
		}
		replays(t, c)
	})
}
