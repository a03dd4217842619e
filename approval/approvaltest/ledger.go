package approvaltest

import (
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/transporttest"
)

// Ledger is a transporttest.Ledger.
type Ledger = transporttest.Ledger

// Line is one row of a Ledger.
type Line = transporttest.Line

// NewLedger makes the table of a Ledger.
func NewLedger(tb testing.TB, db *sqldb.DB) Ledger {
	tb.Helper()
	return transporttest.NewLedger(tb, db)
}
