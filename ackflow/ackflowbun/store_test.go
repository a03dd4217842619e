package ackflowbun_test

import (
	"testing"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/ackflow/ackflowtest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

func TestStore(t *testing.T) {
	for name, open := range map[string]func(tb testing.TB, migrations ...sqldb.Migration) *sqldb.DB{
		"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres,
	} {
		t.Run(name, func(t *testing.T) {
			ackflowtest.Run(t, func(t *testing.T) ackflow.Store {
				t.Helper()
				return ackflowbun.New(open(t, ackflowbun.Migrations))
			})
		})
	}
}
