package outboxbun_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/outboxbun"
	"github.com/renkei-go/renkei/transport/transporttest"
)

func TestSQLite(t *testing.T) {
	transporttest.RunOutbox(t, func(t *testing.T) (transporttest.Store, transport.UnitOfWork) {
		db := sqldbtest.SQLite(t, outboxbun.Migrations)
		return outboxbun.New(db), db
	})
}

func TestPostgres(t *testing.T) {
	transporttest.RunOutbox(t, func(t *testing.T) (transporttest.Store, transport.UnitOfWork) {
		db := sqldbtest.Postgres(t, outboxbun.Migrations)
		return outboxbun.New(db), db
	})
}

func TestWakes(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Migration{outboxbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		store := outboxbun.New(db)
		woken := store.Woken()
		err := db.Do(t.Context(), func(ctx context.Context) error {
			err := store.Publish(ctx, transport.Event{Type: "a", Tenant: "t", Subject: "s"})
			select {
			case <-woken:
				t.Error("woken before the commit")
			default:
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-woken:
		default:
			t.Error("not woken by the commit")
		}
	})
}

// TestForget: what was sent, or failed for good, about a subject goes, and nothing else.
func TestForget(t *testing.T) {
	sqldbtest.Each(t, []sqldb.Migration{outboxbun.Migrations}, func(t *testing.T, db *sqldb.DB) {
		ctx, store, at := t.Context(), outboxbun.New(db), time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC)
		event := func(tenant identity.TenantID, subject string, at time.Time) transport.Event {
			return transport.Event{Type: "a", Tenant: tenant, Subject: subject, Time: at, Data: "Ada"}
		}
		sent := []transport.Event{event("t", "s", at), event("t", "s", at.Add(time.Second)), event("t", "other", at), event("u", "s", at)}
		if err := store.Publish(ctx, sent...); err != nil {
			t.Fatal(err)
		}
		claim, err := store.Claim(ctx, 10, time.Minute)
		if err != nil || len(claim.Events) != len(sent) {
			t.Fatalf("%d, %v", len(claim.Events), err)
		}
		var positions []int64
		for _, c := range claim.Events {
			positions = append(positions, c.Position)
		}
		if err := store.Settle(ctx, claim.Token, positions, nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := store.Publish(ctx, event("t", "s", at)); err != nil { // still to be sent
			t.Fatal(err)
		}
		for _, ev := range sent {
			if err := store.Bury(ctx, transport.Poisoned{Handler: "h", Reason: "no", Event: ev}); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Forget(ctx, "t", "s", at.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		for table, want := range map[string]int{"transport_outbox": 4, "transport_poison": 3} {
			var n int
			if err := db.IDB(ctx).NewRaw("SELECT count(*) FROM "+table).Scan(ctx, &n); err != nil || n != want {
				t.Errorf("%s has %d rows, %v, not %d", table, n, err, want)
			}
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
	if err := sqldb.Migrate(ctx, db, outboxbun.Migrations); err != nil {
		panic(err)
	}
	outbox := outboxbun.New(db)

	err = db.Do(ctx, func(ctx context.Context) error {
		// … change state here, in the same transaction …
		return outbox.Publish(ctx, transport.Event{
			Type: "calendar.event.confirmed", Tenant: "acme", Subject: "calendar.event/1", Data: map[string]string{"title": "Review"},
		})
	})
	if err != nil {
		panic(err)
	}

	claim, err := outbox.Claim(ctx, 10, time.Minute) // what transport.Relay does
	if err != nil {
		panic(err)
	}
	for _, c := range claim.Events {
		data, _ := c.Event.JSON()
		fmt.Println(c.Event.Type, c.Event.Sequence, string(data))
	}
	// Output: calendar.event.confirmed 1 {"title":"Review"}
}
