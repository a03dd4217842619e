package auditbun_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/audit/audittest"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

func TestSQLite(t *testing.T) {
	audittest.Run(t, func(t *testing.T) (audittest.Store, audittest.UnitOfWork) {
		db := sqldbtest.SQLite(t, auditbun.Migrations)
		return auditbun.New(db), db
	})
}

func TestPostgres(t *testing.T) {
	audittest.Run(t, func(t *testing.T) (audittest.Store, audittest.UnitOfWork) {
		db := sqldbtest.Postgres(t, auditbun.Migrations)
		return auditbun.New(db), db
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fill(t testing.TB, db *sqldb.DB, n int) {
	var all []audit.Entry
	for i := range n {
		all = append(all, audit.Entry{
			Tenant: "acme", ActorID: fmt.Sprint("a", i%3), Action: "TEST", TargetID: fmt.Sprint(i), Metadata: map[string]any{"n": i},
			Time: time.Date(2026, 1, 1, 0, 0, 0, i*1000, time.UTC),
		})
	}
	must(t, auditbun.New(db).Record(context.Background(), all...))
}

func newSealer(t testing.TB, db *sqldb.DB) *audit.Sealer {
	s, err := audit.NewSealer(audit.SealerConfig{Store: auditbun.New(db), Keys: audittest.Keys()})
	must(t, err)
	return s
}

// TestVerifyFindsTampering changes the tables in one way after the other, each in a transaction that is rolled back.
func TestVerifyFindsTampering(t *testing.T) {
	const n = 12
	db := sqldbtest.SQLite(t, auditbun.Migrations)
	ctx := t.Context()
	fill(t, db, n)
	sealer := newSealer(t, db)
	if k, err := sealer.Sweep(ctx, 100); k != n || err != nil {
		t.Fatal(k, err)
	}
	head, err := sealer.Head(ctx, "acme")
	must(t, err)
	store := auditbun.New(db)
	undo := errors.New("undo")

	edits := []string{
		"id = id || 'x'", "time = time + 1", "actor_id = 'mallory'", "subject_id = 'x'", "action = ''", "target_kind = 'x'",
		"target_id = target_id || '0'", "reason = 'x'", `metadata = '{"n":99}'`, "metadata = '{'", "request_id = 'x'", "key_id = 'k2'",
		"digest = 'x'", "digest = ''", "mac = 'x'", "mac = NULL", "tenant = 'other'", "actor_id = '', subject_id = actor_id", "seq = NULL",
	}
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(1, n).Draw(t, "i")
		j := rapid.IntRange(1, n).Filter(func(j int) bool { return j != i }).Draw(t, "j")
		sql := ""
		var withHead *audit.Head
		var want audit.Kind
		switch kind := rapid.SampledFrom([]string{"edit", "remove", "swap", "cut", "cut and note", "insert", "shift"}).Draw(t, "kind"); kind {
		case "edit":
			sql = fmt.Sprintf("UPDATE audit_entries SET %s WHERE seq = %d", rapid.SampledFrom(edits).Draw(t, "edit"), i)
		case "remove":
			sql = fmt.Sprintf("DELETE FROM audit_entries WHERE seq = %d", i)
			want = audit.Removed
			if i == n {
				want = audit.CutTail
			}
		case "swap":
			sql = fmt.Sprintf(`UPDATE audit_entries SET seq = -1 WHERE seq = %d; UPDATE audit_entries SET seq = %[1]d WHERE seq = %[2]d;
				UPDATE audit_entries SET seq = %[2]d WHERE seq = -1`, i, j)
			want = audit.Reordered
		case "cut":
			sql = fmt.Sprintf("DELETE FROM audit_entries WHERE seq >= %d", i)
			want = audit.CutTail
		case "cut and note":
			sql = fmt.Sprintf(`DELETE FROM audit_entries WHERE seq > %d;
				UPDATE audit_chains SET (seq, key_id, digest, mac) = (SELECT seq, key_id, digest, mac FROM audit_entries WHERE seq = %[1]d)`, min(i, n-1))
			withHead, want = &head, audit.CutTail
		case "insert":
			sql = fmt.Sprintf(`INSERT INTO audit_entries SELECT 'new', tenant, time, actor_id, subject_id, action, target_kind, target_id, reason, metadata,
				request_id, %d, key_id, digest, mac FROM audit_entries WHERE seq = %d`, n+1, i)
			want = audit.Inserted
		case "shift": // closes the gap that a removal leaves
			sql = fmt.Sprintf(`DELETE FROM audit_entries WHERE seq = %d; UPDATE audit_entries SET seq = seq - 1000 WHERE seq > %[1]d;
				UPDATE audit_entries SET seq = seq + 999 WHERE seq < 0; UPDATE audit_chains SET seq = seq - 1`, i)
			withHead = &head
		}
		err := db.Do(ctx, func(ctx context.Context) error {
			if _, err := db.IDB(ctx).ExecContext(ctx, sql); err != nil {
				return err
			}
			r, err := audit.Verify(ctx, store, "acme", audittest.Keys(), withHead)
			if err != nil {
				return err
			}
			found := r.Problems
			if len(found) == 0 {
				t.Fatalf("not found: %s", sql)
			}
			for _, p := range found {
				if want == "" || p.Kind == want {
					return undo
				}
			}
			t.Fatalf("found as %v, want %s: %s", found, want, sql)
			return nil
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
	})
	if r, err := audit.Verify(ctx, store, "acme", audittest.Keys(), &head); err != nil || !r.OK() {
		t.Errorf("the untouched chain: %+v, %v", r, err)
	}
}

// TestSlowTransaction seals around a transaction that is still open.
func TestSlowTransaction(t *testing.T) {
	db := sqldbtest.Postgres(t, auditbun.Migrations)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	store, sealer := auditbun.New(db), newSealer(t, db)
	written, finish, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- db.Do(ctx, func(ctx context.Context) error {
			err := store.Record(ctx, audit.Entry{Tenant: "acme", ActorID: "slow", Action: "TEST"})
			close(written)
			<-finish
			return err
		})
	}()
	<-written
	fill(t, db, 3)
	if n, err := sealer.Sweep(ctx, 10); n != 3 || err != nil {
		t.Errorf("%d sealed while a transaction is open, %v", n, err)
	}
	close(finish)
	must(t, <-ended)
	if n, err := sealer.Sweep(ctx, 10); n != 1 || err != nil {
		t.Errorf("%d sealed after it committed, %v", n, err)
	}
	if r, err := audit.Verify(ctx, store, "acme", audittest.Keys(), nil); err != nil || !r.OK() || r.Sealed != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

func BenchmarkSeal(b *testing.B) {
	sqldbtest.EachBench(b, []sqldb.Migration{auditbun.Migrations}, func(b *testing.B, db *sqldb.DB) {
		b.Run("sweep", func(b *testing.B) {
			fill(b, db, b.N)
			sealer := newSealer(b, db)
			b.ResetTimer()
			for {
				n, err := sealer.Sweep(b.Context(), 500)
				must(b, err)
				if n == 0 {
					break
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
		b.Run("verify", func(b *testing.B) {
			store := auditbun.New(db)
			total := int64(0)
			for range b.N {
				r, err := audit.Verify(b.Context(), store, "acme", audittest.Keys(), nil)
				must(b, err)
				if !r.OK() {
					b.Fatal(r)
				}
				total += r.Sealed
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "entries/s")
		})
	})
}

func Example() {
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
	by := identity.Principal{Tenant: "acme", Actor: "sato"}.For("tanaka")

	err = db.Do(ctx, func(ctx context.Context) error {
		// … the change itself, in the same transaction …
		return trail.Record(ctx, audit.By(by, "CREATE_EVENT", "calendar.event", "1"))
	})
	if err != nil {
		panic(err)
	}
	keys := audittest.Keys() // yours come from a secret store
	sealer, err := audit.NewSealer(audit.SealerConfig{Store: trail, Keys: keys})
	if err != nil {
		panic(err)
	}
	if _, err := sealer.Sweep(ctx, 500); err != nil { // about once a second
		panic(err)
	}
	report, _ := audit.Verify(ctx, trail, "acme", keys, nil)
	fmt.Println(report.Sealed, report.OK())

	_, _ = db.IDB(ctx).ExecContext(ctx, "UPDATE audit_entries SET actor_id = 'somebody else'")
	report, _ = audit.Verify(ctx, trail, "acme", keys, nil)
	fmt.Println(report.Problems[0].Seq, report.Problems[0].Kind)
	// Output:
	// 1 true
	// 1 edited
}
