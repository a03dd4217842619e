package delegationbun_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/calendar/delegation/delegationbun"
	"github.com/renkei-go/renkei/calendar/delegation/delegationtest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

var migrations = []sqldb.Migration{delegationbun.Migrations}

func TestStore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		delegationtest.Run(t, func(t *testing.T) delegation.Store { return delegationbun.New(sqldbtest.SQLite(t, migrations...)) })
	})
	t.Run("postgres", func(t *testing.T) {
		delegationtest.Run(t, func(t *testing.T) delegation.Store { return delegationbun.New(sqldbtest.Postgres(t, migrations...)) })
	})
}

// The check is on the path of every call of a proxy: it must come from the index, however many delegations there are.
func TestEffectiveUsesItsIndex(t *testing.T) {
	db := sqldbtest.SQLite(t, migrations...)
	var plan []struct {
		ID, Parent int
		NotUsed    int `bun:"notused"`
		Detail     string
	}
	err := db.IDB(t.Context()).NewRaw(`EXPLAIN QUERY PLAN SELECT * FROM delegations WHERE tenant = 'a' AND delegatee_id = 's'
		AND delegator_id IN ('e', 'f') AND revoked_at IS NULL AND (valid_from IS NULL OR valid_from <= 1)`).Scan(t.Context(), &plan)
	if err != nil || len(plan) != 1 || !strings.Contains(plan[0].Detail, "delegations_effective (tenant=? AND delegatee_id=? AND delegator_id=?)") {
		t.Errorf("plan: %+v, %v", plan, err)
	}
}

func Example() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, delegationbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	store := delegationbun.New(db)
	now := time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC)
	_ = store.Insert(ctx, delegation.Delegation{ID: "1", Tenant: "acme", DelegatorID: "exec", DelegateeID: "secretary",
		Permissions: delegation.All(), ValidUntil: now.Add(time.Hour), CreatedAt: now})
	for _, at := range []time.Time{now, now.Add(time.Hour)} {
		found, err := store.Effective(ctx, "acme", "secretary", []string{"exec"}, at)
		fmt.Println(len(found), err)
	}
	// Output:
	// 1 <nil>
	// 0 <nil>
}
