package notifybun_test

import (
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/notify/notifybun"
	"github.com/renkei-go/renkei/transport/notify/notifytest"
)

func TestStore(t *testing.T) {
	migrations := []sqldb.Migration{notifybun.Migrations}
	t.Run("sqlite", func(t *testing.T) {
		notifytest.Run(t, func(t *testing.T) notify.Store { return notifybun.New(sqldbtest.SQLite(t, migrations...)) })
	})
	t.Run("postgres", func(t *testing.T) {
		notifytest.Run(t, func(t *testing.T) notify.Store { return notifybun.New(sqldbtest.Postgres(t, migrations...)) })
	})
}
