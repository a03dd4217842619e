package webbun_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/foundation/web/webbun"
	"github.com/renkei-go/renkei/foundation/web/webtest"
)

func sealer(t testing.TB) *secret.Sealer {
	s, err := secret.ParseKeys("k1:" + secret.NewKey().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	for name, cfg := range map[string]webbun.Config{"plain": {}, "sealed": {Sealer: sealer(t)}} {
		t.Run(name, func(t *testing.T) {
			sqldbtest.Each(t, []sqldb.Migration{webbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
				webtest.IdempotencyStore(t, webbun.New(db, cfg), db.AdvanceClock)
			})
		})
	}
}

func TestSealedAnswers(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Migration{webbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c := web.Claim{IdempotencyKey: web.IdempotencyKey{Tenant: "acme", Actor: "a", Operation: "POST /keys", Key: "k"}, Fingerprint: "f", Token: "t1", Lease: time.Minute, Keep: time.Hour}
		store := webbun.New(db, webbun.Config{Sealer: sealer(t)})
		if _, err := store.Begin(ctx, c); err != nil {
			t.Fatal(err)
		}
		if err := store.Complete(ctx, c, web.Answer{Status: 201, Body: []byte("shown-once")}); err != nil {
			t.Fatal(err)
		}
		var text string
		if err := db.IDB(ctx).NewRaw("SELECT answer FROM web_idempotency").Scan(ctx, &text); err != nil || strings.Contains(text, "shown-once") {
			t.Fatalf("kept as %q, %v", text, err)
		}
		c.Token = "t2"
		for _, cfg := range []webbun.Config{{}, {Sealer: sealer(t)}} {
			if _, err := webbun.New(db, cfg).Begin(ctx, c); !errors.Is(err, secret.ErrUnknownKey) && !errors.Is(err, secret.ErrBroken) {
				t.Fatalf("got %v", err)
			}
		}
	})
}

// TestReseal: after a new key came in front, answers of the old one and open ones are sealed with it, once, and replay;
// claims without an answer are left alone.
func TestReseal(t *testing.T) {
	k1, k2 := "k1:"+secret.NewKey().Reveal(), "k2:"+secret.NewKey().Reveal()
	with := func(text string) webbun.Config {
		s, err := secret.ParseKeys(text)
		if err != nil {
			t.Fatal(err)
		}
		return webbun.Config{Sealer: s}
	}
	sqldbtest.Each(t, []sqldb.Migration{webbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		claim := func(n int, token string) web.Claim {
			return web.Claim{
				IdempotencyKey: web.IdempotencyKey{Tenant: "acme", Actor: fmt.Sprint("a", n%3), Operation: "POST /keys", Key: fmt.Sprint("k", n)},
				Fingerprint:    "f", Token: token, Lease: time.Minute, Keep: time.Hour,
			}
		}
		const answers = 450 // more than are read at once
		open, old := webbun.New(db, webbun.Config{}), webbun.New(db, with(k1))
		if err := db.Do(ctx, func(ctx context.Context) error {
			for n := range answers {
				store := old
				if n%10 == 0 {
					store = open
				}
				_, err := store.Begin(ctx, claim(n, "t1"))
				if err := errors.Join(err, store.Complete(ctx, claim(n, "t1"), web.Answer{Status: 201, Body: fmt.Append(nil, n)})); err != nil {
					return err
				}
			}
			_, err := old.Begin(ctx, claim(answers, "t1"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		both := webbun.New(db, with(k2+","+k1))
		for _, want := range []int{answers, 0} {
			if n, err := both.Reseal(ctx); n != want || err != nil {
				t.Fatalf("%d resealed, %v, want %d", n, err, want)
			}
		}
		fresh := webbun.New(db, with(k2)) // the old key is gone
		for n := range answers {
			if a, err := fresh.Begin(ctx, claim(n, "t2")); err != nil || string(a.Body) != fmt.Sprint(n) {
				t.Fatalf("answer %d: %v, %v", n, a, err)
			}
		}
		if _, err := fresh.Begin(ctx, claim(answers, "t2")); !errors.Is(err, web.ErrIdempotencyInProgress) {
			t.Errorf("the open claim: %v", err)
		}
		if n, err := open.Reseal(ctx); n != 0 || err != nil {
			t.Errorf("without a sealer: %d, %v", n, err)
		}
	})
}

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, webbun.Migrations); err != nil {
		panic(err)
	}
	store := webbun.New(db, webbun.Config{})
	claim := web.Claim{
		IdempotencyKey: web.IdempotencyKey{Tenant: "acme", Actor: "alice", Operation: "POST /events", Key: "k1"},
		Fingerprint:    "hash", Token: "first", Lease: time.Minute, Keep: 24 * time.Hour,
	}
	kept, err := store.Begin(ctx, claim)
	fmt.Println(kept, err)
	_ = store.Complete(ctx, claim, web.Answer{Status: 201, Body: []byte("{}")})
	claim.Token = "second"
	kept, err = store.Begin(ctx, claim)
	fmt.Println(kept.Status, string(kept.Body), err)
	// Output:
	// <nil> <nil>
	// 201 {} <nil>
}
