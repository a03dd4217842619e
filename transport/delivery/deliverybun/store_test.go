package deliverybun_test

import (
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/delivery/deliverytest"
)

func TestStore(t *testing.T) {
	migrations := []sqldb.Migration{deliverybun.Migrations}
	t.Run("sqlite", func(t *testing.T) {
		deliverytest.Run(t, func(t *testing.T) delivery.Store { return deliverybun.New(sqldbtest.SQLite(t, migrations...)) })
	})
	t.Run("postgres", func(t *testing.T) {
		deliverytest.Run(t, func(t *testing.T) delivery.Store { return deliverybun.New(sqldbtest.Postgres(t, migrations...)) })
	})
}
