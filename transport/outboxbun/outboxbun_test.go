package outboxbun_test

import (
	"context"
	"fmt"
	"testing"
	"time"

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
