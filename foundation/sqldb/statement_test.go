package sqldb_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestStatement has the same statement answered alike, whether a connection keeps it, may not, or is an embedder's.
func TestStatement(t *testing.T) {
	ctx := t.Context()
	echo := sqldb.NewStatement(`SELECT text, at, number, CAST(? AS text) || '|' || CAST(CAST(? AS interval) AS text), CAST(? AS timestamptz)
		FROM unnest(CAST(? AS text[]), CAST(? AS timestamptz[]), CAST(? AS integer[])) AS v (text, at, number)`)
	quote, at := `it's "a\b", {NULL}?`, sqldb.At(time.Date(2031, 2, 3, 4, 5, 6, 789_000, time.UTC))
	kept := open(t, ctx, sqldbtest.PostgresURL(t))
	simple := open(t, ctx, sqldbtest.PostgresURL(t)+"&default_query_exec_mode=simple_protocol")
	inner, ok := kept.IDB(ctx).(*bun.DB)
	if !ok {
		t.Fatal("no database")
	}
	for name, db := range map[string]*sqldb.DB{"kept": kept, "simple": simple, "embedder's": sqldb.Wrap(inner)} {
		check := func(ctx context.Context) error {
			rows, err := db.Query(ctx, echo, quote, 1500*time.Millisecond, at, []*string{&quote, nil}, []*time.Time{nil, &at.Time}, []int{7, 8})
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for i := 0; rows.Next(); i++ {
				var text *string
				var when, always sqldb.Time
				var number int
				var span string
				if err := rows.Scan(&text, &when, &number, &span, &always); err != nil {
					return err
				}
				first := i == 0 && text != nil && *text == quote && when.IsZero() && number == 7
				second := i == 1 && text == nil && when.Equal(at.Time) && number == 8
				if !first && !second || span != quote+"|00:00:01.5" || !always.Equal(at.Time) {
					t.Errorf("%s, row %d: %v %v %d %s %v", name, i, text, when, number, span, always)
				}
			}
			return rows.Err()
		}
		for range 2 { // once to plan it, once as planned
			if err := check(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := db.Do(ctx, check); err != nil {
				t.Errorf("%s, in a transaction: %v", name, err)
			}
		}
	}
}

func open(t *testing.T, ctx context.Context, url string) *sqldb.DB {
	t.Helper()
	db, err := sqldb.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestStatementOnBoth is about what both engines understand.
func TestStatementOnBoth(t *testing.T) {
	add := sqldb.NewStatement("INSERT INTO things (id, at, amount) VALUES (?, ?, ?)")
	read := sqldb.NewStatement("SELECT at, amount FROM things WHERE id = ?")
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		at := sqldb.At(time.Date(2031, 2, 3, 4, 5, 6, 789_000, time.UTC))
		for amount, id := range []string{"a?", "b'"} {
			if err := db.Exec(ctx, add, id, at, amount); err != nil {
				t.Fatal(err)
			}
			rows, err := db.Query(ctx, read, id)
			if err != nil {
				t.Fatal(err)
			}
			var got sqldb.Time
			n := -1
			for rows.Next() {
				if err := rows.Scan(&got, &n); err != nil {
					t.Error(err)
				}
			}
			if err := rows.Close(); err != nil || !got.Equal(at.Time) || n != amount {
				t.Errorf("%v %d, %v", got, n, err)
			}
		}
		if err := db.Exec(ctx, add, "a?", at, 3); !errors.Is(err, sqldb.ErrDuplicate) {
			t.Errorf("again: %v", err)
		}
	})
}
