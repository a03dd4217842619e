package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/sqldb"
)

// TestTransactionThatBeginsLate covers what a transaction promises although its BEGIN waits for the first statement and
// its last statements go with the COMMIT.
func TestTransactionThatBeginsLate(t *testing.T) {
	exec := func(ctx context.Context, db *sqldb.DB, query string) error {
		_, err := db.IDB(ctx).ExecContext(ctx, query)
		return err
	}
	const one = "INSERT INTO things (id, amount) VALUES ('one', 1)"
	boom := errors.New("boom")
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		outside, ok := db.IDB(ctx).(*bun.DB)
		if !ok {
			t.Fatalf("outside a transaction there is a %T", db.IDB(ctx))
		}
		prepared, err := outside.PrepareContext(ctx, one)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = prepared.Close() }()
		// What ends in an error leaves nothing, whichever statement was the first.
		for name, fn := range map[string]func(ctx context.Context) error{
			"nothing":          func(context.Context) error { return boom },
			"executed":         func(ctx context.Context) error { return errors.Join(exec(ctx, db, one), boom) },
			"queried":          func(ctx context.Context) error { count(t, ctx, db); return errors.Join(exec(ctx, db, one), boom) },
			"put off":          func(ctx context.Context) error { return errors.Join(later(ctx, db, thing{ID: "one"}), boom) },
			"put off, fails":   func(ctx context.Context) error { return later(ctx, db, thing{ID: "one"}, thing{ID: "one"}) },
			"fails, then more": func(ctx context.Context) error { return errors.Join(exec(ctx, db, "no SQL"), exec(ctx, db, one)) },
			"a prepared one": func(ctx context.Context) error {
				tx, ok := db.IDB(ctx).(bun.Tx)
				if !ok {
					t.Fatalf("inside a transaction there is a %T", db.IDB(ctx))
				}
				_, err := tx.StmtContext(ctx, prepared.Stmt).ExecContext(ctx)
				return errors.Join(err, boom)
			},
		} {
			if err := db.Do(ctx, fn); err == nil || count(t, ctx, db) != 0 {
				t.Errorf("%s: %v, %d rows", name, err, count(t, ctx, db))
			}
		}
		if err := db.Do(ctx, func(context.Context) error { return nil }); err != nil {
			t.Errorf("an empty one: %v", err)
		}
		// A savepoint is one also when it is the first thing in the transaction.
		err = db.Do(ctx, func(ctx context.Context) error {
			point, err := db.IDB(ctx).BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err := point.ExecContext(ctx, one); err != nil {
				return err
			}
			if err := point.Rollback(); err != nil {
				return err
			}
			return exec(ctx, db, "INSERT INTO things (id, amount) VALUES ('two', 2)")
		})
		if err != nil || count(t, ctx, db) != 1 {
			t.Errorf("after a savepoint: %v, %d rows", err, count(t, ctx, db))
		}
		// The first statement tells how many rows it changed.
		err = db.Do(ctx, func(ctx context.Context) error {
			c := db.Script()
			c.Addf("UPDATE things SET amount = ?", 3)
			if n, err := db.Run(ctx, c); n != 1 || err != nil {
				t.Errorf("changed %d, %v", n, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestMistakeThatIsSwallowed has a transaction begin with something that PostgreSQL cannot read, and go on: nothing of
// it may stay.
func TestMistakeThatIsSwallowed(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		if !db.IsPostgres() {
			return // SQLite goes on after a mistake, and so does the transaction
		}
		for name, first := range map[string]string{"unreadable": "no SQL", "fails": "SELECT 1/0"} {
			err := db.Do(ctx, func(ctx context.Context) error {
				if _, err := db.IDB(ctx).ExecContext(ctx, first); err == nil {
					t.Errorf("%s: it was executed", name)
				}
				if err := insert(ctx, db, thing{ID: "a", Amount: 1}); err == nil {
					t.Errorf("%s: the next was executed", name)
				}
				return nil
			})
			if err == nil || count(t, ctx, db) != 0 {
				t.Errorf("%s: %v, %d rows", name, err, count(t, ctx, db))
			}
			if err := insert(ctx, db, thing{ID: name, Amount: 1}); err != nil { // the connection serves on
				t.Errorf("%s: %v", name, err)
			}
			if _, err := db.IDB(ctx).ExecContext(ctx, "DELETE FROM things"); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestSecondTransaction begins another transaction with the context of Do: what Do has put off stays Do's.
func TestSecondTransaction(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		if !db.IsPostgres() {
			return // SQLite has one writer, and puts nothing off
		}
		outside, ok := db.IDB(ctx).(*bun.DB)
		if !ok {
			t.Fatal("no database")
		}
		boom := errors.New("boom")
		err := db.Do(ctx, func(ctx context.Context) error {
			if err := later(ctx, db, thing{ID: "mine", Amount: 1}); err != nil {
				return err
			}
			second, err := outside.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			return errors.Join(second.Commit(), boom)
		})
		if !errors.Is(err, boom) || count(t, ctx, db) != 0 {
			t.Errorf("%v, %d rows", err, count(t, ctx, db))
		}
	})
}
