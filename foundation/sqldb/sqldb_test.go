package sqldb_test

import (
	"context"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

//go:embed testdata/migrations
var testdata embed.FS

// things is one table with every kind of constraint that Fault tells apart.
var things = sqldb.Migration{Name: "things", FS: sub("testdata")}

func sub(dir string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, engine := range []string{"postgres", "sqlite"} {
		name := "migrations/" + engine + "/00001_init.sql"
		data, err := testdata.ReadFile(dir + "/" + name)
		if err != nil {
			panic(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	return files
}

type thing struct {
	bun.BaseModel `bun:"table:things"`

	ID     string     `bun:",pk"`
	Parent string     `bun:",nullzero"`
	At     sqldb.Time `bun:",nullzero"`
	Amount int64
}

func each(t *testing.T, f func(t *testing.T, ctx context.Context, db *sqldb.DB)) {
	sqldbtest.Each(t, []sqldb.Migration{things}, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		f(t, ctx, db)
	})
}

func insert(ctx context.Context, db *sqldb.DB, row thing) error {
	_, err := db.IDB(ctx).NewInsert().Model(&row).Exec(ctx)
	return sqldb.Fault(err)
}

func count(t *testing.T, ctx context.Context, db *sqldb.DB) int64 {
	t.Helper()
	n, err := db.Reader(ctx).NewSelect().Model((*thing)(nil)).Count(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDoCommitsOrNot(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		var committed int
		err := db.Do(ctx, func(ctx context.Context) error {
			db.AfterCommit(ctx, func() { committed++ })
			return db.Do(ctx, func(ctx context.Context) error { return insert(ctx, db, thing{ID: "a"}) })
		})
		if err != nil || committed != 1 || count(t, ctx, db) != 1 {
			t.Fatalf("err %v, committed %d, rows %d", err, committed, count(t, ctx, db))
		}

		mine := errors.New("mine")
		err = db.Do(ctx, func(ctx context.Context) error {
			db.AfterCommit(ctx, func() { committed++ })
			if err := insert(ctx, db, thing{ID: "b", Amount: 2}); err != nil {
				return err
			}
			return mine
		})
		if !errors.Is(err, mine) || committed != 1 || count(t, ctx, db) != 1 {
			t.Fatalf("a failed unit left something: err %v, committed %d, rows %d", err, committed, count(t, ctx, db))
		}

		// A failure inside a joined unit cannot be swallowed.
		err = db.Do(ctx, func(ctx context.Context) error {
			_ = db.Do(ctx, func(ctx context.Context) error {
				_ = insert(ctx, db, thing{ID: "c", Amount: 3})
				return mine
			})
			return nil
		})
		if !errors.Is(err, mine) || count(t, ctx, db) != 1 {
			t.Fatalf("a swallowed failure committed: err %v, rows %d", err, count(t, ctx, db))
		}

		func() {
			defer func() { _ = recover() }()
			_ = db.Do(ctx, func(ctx context.Context) error {
				_ = insert(ctx, db, thing{ID: "d", Amount: 4})
				panic("on purpose")
			})
		}()
		if count(t, ctx, db) != 1 {
			t.Fatal("a panic committed")
		}
	})
}

func TestJoinsTheEmbeddersTransaction(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		own, ok := db.IDB(ctx).(*bun.DB)
		if !ok {
			t.Fatalf("%T outside a unit of work", db.IDB(ctx))
		}
		wrapped := sqldb.Wrap(own)
		tx, err := own.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		in := sqldb.WithTx(ctx, tx)
		if err := wrapped.Do(in, func(ctx context.Context) error { return insert(ctx, wrapped, thing{ID: "a"}) }); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if count(t, ctx, db) != 0 {
			t.Fatal("the row outlived the embedder's rollback")
		}
	})
}

// TestEmbeddersTransactionSurvives: what fails in an embedder's transaction leaves nothing in it, and the embedder may go on
// and commit.
func TestEmbeddersTransactionSurvives(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		if err := insert(ctx, db, thing{ID: "taken", Amount: 1}); err != nil {
			t.Fatal(err)
		}
		err := db.Do(ctx, func(ctx context.Context) error {
			tx, ok := db.IDB(ctx).(bun.Tx)
			if !ok {
				t.Fatal("no transaction")
			}
			in, amount := sqldb.WithTx(t.Context(), tx), int64(1)
			inserts := func(ids ...string) func(context.Context) error {
				return func(ctx context.Context) error {
					for _, id := range ids {
						amount++
						if err := insert(ctx, db, thing{ID: id, Amount: amount}); err != nil {
							return err
						}
					}
					return nil
				}
			}
			if err := db.Do(in, inserts("before")); err != nil {
				t.Error(err)
			}
			if err := db.Do(in, inserts("half", "taken")); !errors.Is(err, sqldb.ErrDuplicate) {
				t.Errorf("got %v", err)
			}
			boom := errors.New("boom")
			err := db.Do(in, func(ctx context.Context) error { // a failure further in, which the caller swallows, fails the whole
				_ = db.Do(ctx, func(ctx context.Context) error { return errors.Join(inserts("inner")(ctx), boom) })
				return inserts("outer")(ctx)
			})
			if !errors.Is(err, boom) {
				t.Errorf("got %v", err)
			}
			return db.Do(in, inserts("afterwards"))
		})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		if err := db.Reader(ctx).NewSelect().Model((*thing)(nil)).Column("id").OrderExpr("id").Scan(ctx, &ids); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(ids, " "); got != "afterwards before taken" {
			t.Errorf("left: %s", got)
		}
	})
}

// later puts an insertion off.
func TestFaults(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		if err := insert(ctx, db, thing{ID: "a", Amount: 1}); err != nil {
			t.Fatal(err)
		}
		cases := []struct {
			name string
			row  thing
			want *fault.Error
		}{
			{"primary key", thing{ID: "a"}, sqldb.ErrDuplicate},
			{"foreign key", thing{ID: "b", Parent: "nobody"}, sqldb.ErrReference},
			{"exclusion or trigger", thing{ID: "c", Amount: 1}, sqldb.ErrExcluded},
		}
		for _, c := range cases {
			if err := insert(ctx, db, c.row); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
		var row thing
		err := db.IDB(ctx).NewSelect().Model(&row).Where("id = ?", "nothing").Scan(ctx)
		if !errors.Is(sqldb.Fault(err), sqldb.ErrNoRows) {
			t.Errorf("no rows: got %v", err)
		}
		if err := sqldb.Fault(fmt.Errorf("in a transaction: %w", driver.ErrBadConn)); !errors.Is(err, sqldb.ErrUnavailable) {
			t.Errorf("a broken connection: got %v", err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if err := insert(gone, db, thing{ID: "z"}); fault.CodeOf(err) != fault.Unavailable || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
	})
}

// TestTime: what is written comes back in UTC at microseconds, orders as time does, and the zero is NULL.
func TestTime(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		var n int
		rapid.Check(t, func(rt *rapid.T) {
			n++
			micros := rapid.Int64Range(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()).Draw(rt, "micros")
			if micros == 0 {
				micros = 1
			}
			zone := time.FixedZone("x", rapid.IntRange(-12*3600, 14*3600).Draw(rt, "offset"))
			want := time.UnixMicro(micros)
			id := fmt.Sprintf("t%d", n)
			if err := insert(ctx, db, thing{ID: id, At: sqldb.At(want.In(zone)), Amount: int64(n)}); err != nil {
				rt.Fatal(err)
			}
			var got thing
			q := db.IDB(ctx).NewSelect().Model(&got).Where("id = ?", id).Where("at = ?", sqldb.At(want)).
				Where("at < ?", sqldb.At(want.Add(time.Microsecond))).Where("at > ?", sqldb.At(want.Add(-time.Microsecond)))
			if err := q.Scan(ctx); err != nil {
				rt.Fatal(err)
			}
			if !got.At.Equal(want) || got.At.Location() != time.UTC {
				rt.Fatalf("got %v, want %v", got.At, want.UTC())
			}
		})
		if err := insert(ctx, db, thing{ID: "zero", Amount: -1}); err != nil {
			t.Fatal(err)
		}
		var got thing
		if err := db.IDB(ctx).NewSelect().Model(&got).Where("at IS NULL").Scan(ctx); err != nil || !got.At.IsZero() {
			t.Fatalf("zero time: %v %v", got.At, err)
		}
	})
}

// TestFarTimes searches for, and keeps, times that PostgreSQL or RFC 3339 could not write.
func TestFarTimes(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		far := []time.Time{
			time.UnixMicro(math.MinInt64), time.Date(0, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("x", 3600)),
			time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("x", -23*3600)), time.UnixMicro(math.MaxInt64),
		}
		if err := insert(ctx, db, thing{ID: "now", At: sqldb.At(time.Now())}); err != nil {
			t.Fatal(err)
		}
		for i, at := range far {
			n, err := db.IDB(ctx).NewSelect().Model((*thing)(nil)).Where("id = 'now'").Where("at < ?", sqldb.At(at)).Count(ctx)
			if want := int64(i / 3); err != nil || n != want {
				t.Errorf("before %v: %d, %v", at, n, err)
			}
			var got thing
			if err := insert(ctx, db, thing{ID: fmt.Sprint(i), At: sqldb.At(at), Amount: int64(i + 1)}); err != nil {
				t.Error(err)
			}
			if err := db.IDB(ctx).NewSelect().Model(&got).Where("id = ?", fmt.Sprint(i)).Scan(ctx); err != nil || got.At.IsZero() {
				t.Errorf("%v came back as %v, %v", at, got.At, err)
			} else if _, err := got.At.MarshalJSON(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestClockAdvances(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		before, err := db.Now(ctx)
		if err != nil {
			t.Fatal(err)
		}
		db.AdvanceClock(49 * time.Hour)
		after, err := db.Now(ctx)
		if err != nil || after.Sub(before) < 49*time.Hour || after.Sub(before) > 50*time.Hour || after.Location() != time.UTC {
			t.Fatalf("before %v after %v err %v", before, after, err)
		}
		if d := db.Clock().Sub(after); d < -time.Minute || d > time.Minute {
			t.Fatalf("the process clock is %v away", d)
		}
	})
}

// TestLockSerialises: read, think, write under one key loses no update.
func TestLockSerialises(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		if err := insert(ctx, db, thing{ID: "n", Amount: 1000}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var failed atomic.Int64
		for range 32 {
			wg.Go(func() {
				err := db.Do(ctx, func(ctx context.Context) error {
					if err := db.Lock(ctx, "a", "b"); err != nil {
						return err
					}
					var row thing
					if err := db.IDB(ctx).NewSelect().Model(&row).Where("id = 'n'").Scan(ctx); err != nil {
						return err
					}
					_, err := db.IDB(ctx).NewUpdate().Model(&row).Set("amount = ?", row.Amount+1).WherePK().Exec(ctx)
					return err
				})
				if err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		var row thing
		if err := db.IDB(ctx).NewSelect().Model(&row).Where("id = 'n'").Scan(ctx); err != nil || failed.Load() != 0 || row.Amount != 1032 {
			t.Fatalf("amount %d, %d failed, %v", row.Amount, failed.Load(), err)
		}
		if err := db.Lock(ctx, "a"); fault.CodeOf(err) != fault.Internal {
			t.Fatalf("a lock without a transaction: %v", err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text.db"), []byte("this is no database file at all, only text"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]fault.Code{
		"":                               fault.Invalid,
		"mysql://localhost/x":            fault.Invalid,
		"sqlite:":                        fault.Invalid,
		"sqlite:x.db?synchronous=maybe":  fault.Invalid,
		"sqlite:x.db?mode=ro":            fault.Invalid,
		"postgres://host:notaport/x":     fault.Invalid,
		"postgres://u:s3cret@[::1]:1/db": fault.Unavailable,
		"sqlite:" + filepath.Join(dir, "no", "such", "folder.db"): fault.Unavailable,
		"sqlite:" + filepath.Join(dir, "text.db"):                 fault.Unavailable,
	}
	for url, want := range cases {
		db, err := sqldb.Open(ctx, url)
		if fault.CodeOf(err) != want {
			t.Errorf("%q: got %v, want %s", url, err, want)
		}
		if err == nil {
			_ = db.Close()
		}
		if err := sqldb.CheckURL(url); (fault.CodeOf(err) == fault.Invalid) != (want == fault.Invalid) {
			t.Errorf("CheckURL of %q: %v", url, err)
		}
	}
}

// TestWakeReachesOtherNodes: a commit on one node wakes a loop on another, over PostgreSQL.
func TestWakeReachesOtherNodes(t *testing.T) {
	url := sqldbtest.PostgresURL(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var nodes [2]*sqldb.DB
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range nodes {
		db, err := sqldb.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		nodes[i] = db
		wg.Go(func() { _ = db.Announce(ctx) })
	}
	local, remote := nodes[0].Woken("outbox"), nodes[1].Woken("outbox")
	// The listeners may still be connecting, so the sender repeats until it is heard.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for heard := false; !heard; {
		nodes[0].Wake(ctx, "outbox")
		select {
		case <-remote:
			heard = true
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the other node was never woken")
		}
	}
	select {
	case <-local:
	default:
		t.Fatal("the own node was not woken")
	}
}
