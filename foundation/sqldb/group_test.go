package sqldb_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
)

// lite is a database in a file.
func lite(t *testing.T) (context.Context, *sqldb.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	db := open(t, ctx, "sqlite:"+filepath.Join(t.TempDir(), "group.db"))
	if err := sqldb.Migrate(ctx, db, things); err != nil {
		t.Fatal(err)
	}
	return ctx, db
}

// await returns when a unit waits for the writer.
func await(t *testing.T, db *sqldb.DB) {
	t.Helper()
	for poll, end := time.NewTicker(time.Millisecond), time.Now().Add(30*time.Second); !db.Waited(); <-poll.C {
		if time.Now().After(end) {
			t.Error("nobody waits")
			return
		}
	}
}

// TestGroup has many units at once: those that fail, panic or are given up leave nothing, the others are all there.
func TestGroup(t *testing.T) {
	ctx, db := lite(t)
	boom := errors.New("boom")
	const units, kinds = 200, 5
	var all sync.WaitGroup
	for i := range units {
		all.Go(func() {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer func() {
				if p := recover(); (p != nil) != (i%kinds == 1) {
					t.Errorf("unit %d: panic %v", i, p)
				}
			}()
			told := false
			err := db.Do(ctx, func(ctx context.Context) error {
				db.AfterCommit(ctx, func() { told = true })
				if err := insert(ctx, db, thing{ID: fmt.Sprint(i), Amount: int64(i)}); err != nil {
					return err
				}
				switch i % kinds {
				case 1:
					panic("boom")
				case 2:
					return boom
				case 3:
					cancel()
				}
				return nil
			})
			var want error
			switch i % kinds {
			case 2:
				want = boom
			case 3:
				want = context.Canceled
			}
			if !errors.Is(err, want) || told != (want == nil) {
				t.Errorf("unit %d: %v, told %v", i, err, told)
			}
		})
	}
	all.Wait()
	if n := count(t, ctx, db); n != units*2/kinds {
		t.Errorf("%d rows", n)
	}
}

// TestGroupIsCommitted has the one that was to commit leave instead.
func TestGroupIsCommitted(t *testing.T) {
	ctx, db := lite(t)
	impatient, leave := context.WithCancel(ctx)
	second := make(chan error, 1)
	err := db.Do(ctx, func(ctx context.Context) error {
		go func() { second <- db.Do(impatient, func(context.Context) error { return nil }) }()
		await(t, db)
		leave()
		return insert(ctx, db, thing{ID: "a", Amount: 1})
	})
	if err := <-second; err != nil && !errors.Is(err, context.Canceled) { // it may have come in before it left
		t.Error(err)
	}
	if err != nil || count(t, ctx, db) != 1 {
		t.Errorf("%v, %d rows", err, count(t, ctx, db))
	}
}

// TestGroupGivenUp has SQLite give up the transaction under a unit, as it does when a write is interrupted: the one that
// had succeeded before is run again.
func TestGroupGivenUp(t *testing.T) {
	outside, db := lite(t)
	runs, second := 0, make(chan error, 1)
	err := db.Do(outside, func(ctx context.Context) error {
		if runs++; runs == 1 {
			go func() {
				second <- db.Do(outside, func(ctx context.Context) error {
					_, err := db.IDB(ctx).ExecContext(ctx, "ROLLBACK")
					return errors.Join(err, errors.New("interrupted"))
				})
			}()
			await(t, db)
		}
		return insert(ctx, db, thing{ID: "a", Amount: 1})
	})
	if secondErr := <-second; secondErr == nil {
		t.Error("the second succeeded")
	}
	if err != nil || runs != 2 || count(t, outside, db) != 1 {
		t.Errorf("%v, %d runs, %d rows", err, runs, count(t, outside, db))
	}
}
