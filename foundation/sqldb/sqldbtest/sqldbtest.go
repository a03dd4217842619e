package sqldbtest

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest/postgrestest"
)

// Each runs f as subtests "sqlite" and "postgres", each on a database of its own with the migrations applied.
func Each(t *testing.T, migrations []sqldb.Migration, f func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t, migrations...)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t, migrations...)) })
}

// EachBench is Each for benchmarks. SQLite then has its default durability (fsync on every commit).
func EachBench(b *testing.B, migrations []sqldb.Migration, f func(b *testing.B, db *sqldb.DB)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) {
		f(b, open(b, "sqlite:"+filepath.Join(b.TempDir(), "bench.db"), migrations))
	})
	b.Run("postgres", func(b *testing.B) { f(b, Postgres(b, migrations...)) })
}

// SQLite opens a fresh SQLite file, without fsync: a test does not outlive a power cut.
func SQLite(tb testing.TB, migrations ...sqldb.Migration) *sqldb.DB {
	tb.Helper()
	return open(tb, "sqlite:"+filepath.Join(tb.TempDir(), "test.db")+"?synchronous=off", migrations)
}

// Postgres opens a fresh schema; it fails the test when no server can be had.
func Postgres(tb testing.TB, migrations ...sqldb.Migration) *sqldb.DB {
	tb.Helper()
	return open(tb, PostgresURL(tb), migrations)
}

// PostgresURL returns the URL of a fresh schema that is dropped when the test ends, for tests that open it themselves
// or several times, as several nodes do.
func PostgresURL(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	base, err := postgrestest.URL(ctx)
	if err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	admin, err := sqldb.Open(ctx, base, sqldb.MaxConns(1))
	if err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	// btree_gist lives in "public", whichever test comes first; the lock keeps parallel packages from colliding.
	err = admin.Do(ctx, func(ctx context.Context) error {
		if err := admin.Lock(ctx, "renkei.sqldbtest"); err != nil {
			return err
		}
		_, err := admin.IDB(ctx).ExecContext(ctx, "CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public")
		return err
	})
	if err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	schema := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := admin.IDB(ctx).ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	tb.Cleanup(func() {
		ctx := context.Background()
		if _, err := admin.IDB(ctx).ExecContext(ctx, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
			tb.Errorf("sqldbtest: dropping the schema: %v", err)
		}
		_ = admin.Close()
	})
	u, err := url.Parse(base)
	if err != nil {
		tb.Fatalf("sqldbtest: the PostgreSQL URL is not valid")
	}
	q := u.Query()
	q.Set("search_path", schema+",public")
	u.RawQuery = q.Encode()
	return u.String()
}

func open(tb testing.TB, url string, migrations []sqldb.Migration) *sqldb.DB {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sqldb.Open(ctx, url)
	if err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if err := sqldb.Migrate(ctx, db, migrations...); err != nil {
		tb.Fatalf("sqldbtest: %v", err)
	}
	return db
}
