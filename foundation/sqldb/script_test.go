package sqldb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
)

func later(ctx context.Context, db *sqldb.DB, rows ...thing) error {
	c := db.Script()
	for _, row := range rows {
		c.Add(c.NewInsert().Model(&row))
	}
	return db.Later(ctx, c)
}

var insertThing = sqldb.NewStatement("INSERT INTO things (id, amount) VALUES (?, ?)")

// prepared is later with Statements, mixed with a text now and then.
func prepared(mixed bool) func(ctx context.Context, db *sqldb.DB, rows ...thing) error {
	return func(ctx context.Context, db *sqldb.DB, rows ...thing) error {
		c := db.Script()
		for i, row := range rows {
			if mixed && (i+len(row.ID))%2 == 0 {
				c.Addf("UPDATE things SET amount = 0 WHERE id = 'nobody?'")
			}
			c.Call(insertThing, row.ID, row.Amount)
		}
		return db.Later(ctx, c)
	}
}

func TestLater(t *testing.T) {
	for name, later := range map[string]func(ctx context.Context, db *sqldb.DB, rows ...thing) error{
		"text": later, "statements": prepared(false), "mixed": prepared(true),
	} {
		t.Run(name, func(t *testing.T) { testLater(t, later) })
	}
}

func testLater(t *testing.T, later func(ctx context.Context, db *sqldb.DB, rows ...thing) error) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		if err := later(ctx, db, thing{ID: "alone", Amount: 1}); err != nil || count(t, ctx, db) != 1 {
			t.Fatalf("without a transaction: %v", err)
		}
		err := db.Do(ctx, func(ctx context.Context) error {
			if err := later(ctx, db, thing{ID: "a?", Amount: 2}, thing{ID: "b", Amount: 3}); err != nil {
				return err
			}
			if n := count(t, ctx, db); n != 3 { // a query sees what was put off before it
				t.Errorf("%d rows", n)
			}
			if err := later(ctx, db, thing{ID: "c", Amount: 4}); err != nil {
				return err
			}
			c := db.Script()
			c.Addf("UPDATE things SET amount = amount + 100 WHERE id IN (?, ?)", "b", "c")
			if n, err := db.Run(ctx, c); n != 2 || err != nil {
				t.Errorf("changed %d, %v", n, err)
			}
			return later(ctx, db, thing{ID: "d", Amount: 5}) // goes with the commit
		})
		if err != nil || count(t, ctx, db) != 5 {
			t.Fatalf("%v, %d rows", err, count(t, ctx, db))
		}
		// A failure fails the whole, and is what Do tells of, whatever failed for it.
		for name, then := range map[string]func(ctx context.Context) error{
			"at the commit":    func(context.Context) error { return nil },
			"before a query":   func(ctx context.Context) error { return insert(ctx, db, thing{ID: "e", Amount: 6}) },
			"swallowed":        func(ctx context.Context) error { _ = insert(ctx, db, thing{ID: "e", Amount: 6}); return nil },
			"within a script":  func(ctx context.Context) error { _, err := db.Run(ctx, db.Script()); return err },
			"put off, as well": func(ctx context.Context) error { return later(ctx, db, thing{ID: "e", Amount: 6}) },
		} {
			err := db.Do(ctx, func(ctx context.Context) error {
				if err := later(ctx, db, thing{ID: "a?"}); err != nil {
					return err
				}
				return then(ctx)
			})
			if !errors.Is(err, sqldb.ErrDuplicate) || count(t, ctx, db) != 5 {
				t.Errorf("%s: %v, %d rows", name, err, count(t, ctx, db))
			}
		}
		// Nobody would see to it before an embedder's commit.
		tx, err := db.IDB(ctx).BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := later(sqldb.WithTx(ctx, tx), db, thing{ID: "mine", Amount: 7}); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil || count(t, ctx, db) != 6 {
			t.Fatalf("%v, %d rows", err, count(t, ctx, db))
		}
	})
}
