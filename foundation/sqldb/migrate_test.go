package sqldb_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestMigrateAtOnce: four nodes start together, and again later.
func TestMigrateAtOnce(t *testing.T) {
	url := sqldbtest.PostgresURL(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			db, err := sqldb.Open(ctx, url, sqldb.MaxConns(3))
			if err != nil {
				errs[i] = err
				return
			}
			defer func() { _ = db.Close() }()
			errs[i] = errors.Join(sqldb.Migrate(ctx, db, things), sqldb.Migrate(ctx, db, things))
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestMigrateOnOneConnection(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	db, err := sqldb.Open(ctx, sqldbtest.PostgresURL(t), sqldb.MaxConns(1))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, things); !errors.Is(err, sqldb.ErrOneConnection) {
		t.Errorf("got %v", err)
	}
}

func TestFailedMigrationIsNotRecorded(t *testing.T) {
	bad := fstest.MapFS{}
	for _, engine := range []string{"postgres", "sqlite"} {
		bad["migrations/"+engine+"/00001_bad.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE half (id int);\nSELECT nonsense(;\n")}
	}
	sqldbtest.Each(t, nil, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		m := sqldb.Migration{Name: "bad", FS: bad}
		for range 2 {
			if sqldb.Migrate(ctx, db, m) == nil {
				t.Fatal("a broken migration passed")
			}
		}
	})
}

func TestSecondOwnerOfAFileIsRefused(t *testing.T) {
	ctx := t.Context()
	url := "sqlite:" + filepath.Join(t.TempDir(), "one.db")
	first, err := sqldb.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqldb.Open(ctx, url); !errors.Is(err, sqldb.ErrLocked) {
		t.Fatalf("second owner: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sqldb.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}
