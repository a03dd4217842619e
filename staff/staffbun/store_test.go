package staffbun_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/scim"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/staff/stafftest"
)

var migrations = []sqldb.Migration{staffbun.Migrations}

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		stafftest.Run(t, func(t *testing.T) staff.Store { return staffbun.New(sqldbtest.SQLite(t, migrations...)) })
	})
	t.Run("postgres", func(t *testing.T) {
		stafftest.Run(t, func(t *testing.T) staff.Store { return staffbun.New(sqldbtest.Postgres(t, migrations...)) })
	})
}

func TestSCIMStore(t *testing.T) {
	both := func(db *sqldb.DB) (staff.Store, scim.Store) { return staffbun.New(db), staffbun.New(db) }
	t.Run("sqlite", func(t *testing.T) {
		stafftest.RunSCIM(t, func(t *testing.T) (staff.Store, scim.Store) { return both(sqldbtest.SQLite(t, migrations...)) })
	})
	t.Run("postgres", func(t *testing.T) {
		stafftest.RunSCIM(t, func(t *testing.T) (staff.Store, scim.Store) { return both(sqldbtest.Postgres(t, migrations...)) })
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
	if err := sqldb.Migrate(ctx, db, staffbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	store := staffbun.New(db)
	now := db.Clock()
	_, err = store.Upsert(ctx, "acme", []staff.Person{
		{UserID: "alice", Name: "佐藤 アリス", Active: true, Groups: []string{"mgmt"}, CreatedAt: now, UpdatedAt: now}})
	fmt.Println(err)
	found, err := store.Holders(ctx, "acme", "mgmt")
	fmt.Println(found[0].Name, err)
	// Output:
	// <nil>
	// 佐藤 アリス <nil>
}
