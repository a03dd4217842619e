package delegationbun_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/calendar/delegation/delegationbun"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// BenchmarkEffective is the check on the path of every call of a proxy, among 10,000 delegations of a tenant.
func BenchmarkEffective(b *testing.B) {
	sqldbtest.EachBench(b, migrations, func(b *testing.B, db *sqldb.DB) {
		s, now := delegationbun.New(db), time.Now()
		err := s.Do(b.Context(), func(ctx context.Context) error {
			for i := range 10_000 {
				err := s.Insert(ctx, delegation.Delegation{ID: fmt.Sprint(i), Tenant: "acme", DelegatorID: fmt.Sprint("exec-", i),
					DelegateeID: fmt.Sprint("secretary-", i%100), Permissions: delegation.All(), CreatedAt: now})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			found, err := s.Effective(b.Context(), "acme", "secretary-7", []string{"exec-1007"}, now)
			if err != nil || len(found) != 1 {
				b.Fatal(len(found), err)
			}
		}
	})
}
