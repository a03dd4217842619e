package calendarbun_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

var migrations = []sqldb.Migration{calendarbun.Migrations}

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		calendartest.TestStore(t, func(t *testing.T) calendar.Store {
			t.Helper()
			return calendarbun.New(sqldbtest.SQLite(t, migrations...))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		calendartest.TestStore(t, func(t *testing.T) calendar.Store {
			t.Helper()
			return calendarbun.New(sqldbtest.Postgres(t, migrations...))
		})
	})
}

// TestProof writes holdings past the store: the database itself must refuse what overlaps.
func TestProof(t *testing.T) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		write := func(id string, from, to int) error {
			_, err := db.IDB(t.Context()).ExecContext(t.Context(),
				"INSERT INTO calendar_holdings (tenant, resource_id, event_id, start_at, end_at) VALUES ('t', 'r', ?, ?, ?)",
				id, sqldb.At(calendartest.Noon.AddDate(0, 0, from)), sqldb.At(calendartest.Noon.AddDate(0, 0, to)))
			return sqldb.Fault(err)
		}
		for _, c := range []struct {
			id       string
			from, to int
			want     error
		}{{"0", 0, 2, nil}, {"1", 2, 4, nil}, {"2", 1, 3, sqldb.ErrExcluded}, {"3", -1, 9, sqldb.ErrExcluded}} {
			if err := write(c.id, c.from, c.to); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.id, err, c.want)
			}
		}
		_, err := db.IDB(t.Context()).ExecContext(t.Context(), "UPDATE calendar_holdings SET end_at = ? WHERE event_id = '0'",
			sqldb.At(calendartest.Noon.AddDate(0, 0, 3)))
		if !errors.Is(sqldb.Fault(err), sqldb.ErrExcluded) {
			t.Errorf("the update: %v", err)
		}
	})
}

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, calendarbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	store := calendarbun.New(db)
	err = store.InsertResource(ctx, calendar.Resource{Tenant: identity.TenantID("acme"), ID: "room-a", Name: "A", Kind: "room", Active: true, Version: 1})
	fmt.Println(err)
	found, err := store.Resources(ctx, "acme", []string{"room-a", "room-z"})
	fmt.Println(len(found), err)
	// Output:
	// <nil>
	// 1 <nil>
}
