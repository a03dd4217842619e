package sqldb

import (
	"context"
	"database/sql"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"

	"github.com/renkei-go/renkei/foundation/fault"
)

// ErrLocked is returned by Open when another process owns the SQLite file. Several nodes need PostgreSQL.
var ErrLocked = fault.New(fault.Conflict, "database_locked", "another process is using this SQLite file; several processes need PostgreSQL")

// parseSQLite takes what follows "sqlite:" apart.
func parseSQLite(rest string) (path, synchronous string, err error) {
	path, query, _ := strings.Cut(rest, "?")
	params, err := url.ParseQuery(query)
	if err != nil || path == "" {
		return "", "", ErrBadURL
	}
	for name := range params {
		if name != "synchronous" {
			return "", "", ErrBadURL.WithMessage("the only parameter of a SQLite URL is synchronous")
		}
	}
	switch synchronous = strings.ToLower(params.Get("synchronous")); synchronous {
	case "":
		synchronous = "full"
	case "full", "normal", "off":
	default:
		return "", "", ErrBadURL.WithMessage("synchronous is full, normal or off")
	}
	return path, synchronous, nil
}

func openSQLite(ctx context.Context, rest string, o options) (*DB, error) {
	path, synchronous, err := parseSQLite(rest)
	if err != nil {
		return nil, err
	}
	pragmas := "_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=temp_store(2)&_pragma=cache_size(-65536)&_pragma=synchronous(" + synchronous + ")"

	if path == ":memory:" {
		// A second connection would see another, empty database.
		w, err := openSQLitePool(ctx, "file::memory:?_txlock=immediate&"+pragmas, 1)
		if err != nil {
			return nil, err
		}
		return liteDB(w, w), nil
	}

	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	file := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	w, err := openSQLitePool(ctx, file+"?_txlock=immediate&_pragma=journal_mode(WAL)&"+pragmas, 1)
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	r, err := openSQLitePool(ctx, file+"?_pragma=query_only(1)&_pragma=mmap_size(268435456)&"+pragmas, o.maxConns)
	if err != nil {
		_ = w.Close()
		_ = lock.Close()
		return nil, err
	}
	db := liteDB(w, r)
	db.owned = append(db.owned, r, lock)
	return db, nil
}

// liteDB owns the writer.
func liteDB(w, r *bun.DB) *DB {
	return &DB{writer: w, reader: r, owned: []io.Closer{w}, prepares: true, groups: groups{turn: make(chan struct{}, 1)}}
}

func openSQLitePool(ctx context.Context, dsn string, conns int) (*bun.DB, error) {
	pool := sql.OpenDB(liteConnector{&sqlite.Driver{}, dsn})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxLifetime(0)
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close()
		return nil, fault.New(fault.Unavailable, "database_unavailable", "the SQLite file cannot be opened").Because(err)
	}
	return bun.NewDB(pool, sqlitedialect.New()), nil
}
