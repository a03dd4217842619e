package approvalbun_test

import (
	"testing"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

func TestStore(t *testing.T) {
	for name, open := range map[string]func(tb testing.TB, migrations ...sqldb.Migration) *sqldb.DB{
		"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			approvaltest.Run(t, func(t *testing.T) approval.Store {
				t.Helper()
				return approvalbun.New(open(t, approvalbun.Migrations))
			})
		})
	}
}
