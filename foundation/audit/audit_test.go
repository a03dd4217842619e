package audit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

func TestKeys(t *testing.T) {
	long := slices.Repeat([]byte("k"), 32)
	for name, keys := range map[string]audit.Keys{
		"none":       {},
		"no current": {Secrets: map[string][]byte{"a": long}},
		"unknown":    {Current: "b", Secrets: map[string][]byte{"a": long}},
		"short":      {Current: "a", Secrets: map[string][]byte{"a": long[1:]}},
		"old short":  {Current: "a", Secrets: map[string][]byte{"a": long, "b": {1}}},
		"no id":      {Current: "", Secrets: map[string][]byte{"": long}},
	} {
		if _, err := audit.NewSealer(audit.SealerConfig{Keys: keys}); !errors.Is(err, audit.ErrBadKeys) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An exported head proves later that nothing was cut off the end.
func ExampleVerify() {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite::memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, auditbun.Migrations); err != nil {
		panic(err)
	}
	trail := auditbun.New(db)
	by := identity.Principal{Tenant: "acme", Actor: "sato"}
	for _, id := range []string{"1", "2", "3"} {
		if err := trail.Record(ctx, audit.By(by, "DELETE_EVENT", "calendar.event", id)); err != nil {
			panic(err)
		}
	}
	keys := audit.Keys{Current: "2026", Secrets: map[string][]byte{"2026": []byte("32 bytes from your secret store.")}}
	sealer, err := audit.NewSealer(audit.SealerConfig{Store: trail, Keys: keys, Now: func() time.Time { return time.Unix(0, 0) }})
	if err != nil {
		panic(err)
	}
	if _, err := sealer.Sweep(ctx, 500); err != nil {
		panic(err)
	}
	head, err := sealer.Head(ctx, "acme") // keep it elsewhere
	if err != nil {
		panic(err)
	}

	// Somebody who knows the tables removes the last act and its traces.
	_, _ = db.IDB(ctx).ExecContext(ctx, `DELETE FROM audit_entries WHERE seq = 3;
		UPDATE audit_chains SET seq = 2, mac = (SELECT mac FROM audit_entries WHERE seq = 2)`)

	report, _ := audit.Verify(ctx, trail, "acme", keys, nil)
	fmt.Println("without the head:", report.Problems)
	report, _ = audit.Verify(ctx, trail, "acme", keys, &head)
	fmt.Println("with it:", report.Problems)
	// Output:
	// without the head: []
	// with it: [{3  cut_tail}]
}
