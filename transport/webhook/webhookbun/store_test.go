package webhookbun_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
	"github.com/renkei-go/renkei/transport/webhook/webhooktest"
)

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		webhooktest.Run(t, func(t *testing.T) webhooktest.Store {
			return webhookbun.New(sqldbtest.SQLite(t, webhookbun.Migrations))
		})
	})
	t.Run("postgres", func(t *testing.T) {
		webhooktest.Run(t, func(t *testing.T) webhooktest.Store {
			return webhookbun.New(sqldbtest.Postgres(t, webhookbun.Migrations))
		})
	})
}

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err == nil {
		err = sqldb.Migrate(ctx, db, webhookbun.Migrations)
	}
	if err != nil {
		slog.Error("no database", "error", err)
		os.Exit(1)
	}
	cut, err := webhookbun.New(db).List(ctx, webhook.Scope{Tenant: "acme", Kind: webhook.Kind}, webhook.Filter{}, page.Request{})
	fmt.Println(len(cut.Items), err)
	// Output: 0 <nil>
}
