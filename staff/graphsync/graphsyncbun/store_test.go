package graphsyncbun_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphsyncbun"
	"github.com/renkei-go/renkei/staff/graphsync/graphsynctest"
)

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		graphsynctest.Run(t, func(t *testing.T) graphsync.Store {
			return graphsyncbun.New(sqldbtest.SQLite(t, graphsyncbun.Migrations))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		graphsynctest.Run(t, func(t *testing.T) graphsync.Store {
			return graphsyncbun.New(sqldbtest.Postgres(t, graphsyncbun.Migrations))
		})
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
	if err := sqldb.Migrate(ctx, db, graphsyncbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	store := graphsyncbun.New(db)
	err = store.PutLinks(ctx, "acme", []graphsync.Link{{Kind: graphsync.KindUser, Local: 1, Remote: "6f2b", Rule: graphsync.RuleManual}})
	fmt.Println(err)
	links, err := store.LinksOf(ctx, "acme", graphsync.KindUser, []int64{1})
	fmt.Println(links[0].Remote, err)
	// Output:
	// <nil>
	// 6f2b <nil>
}
