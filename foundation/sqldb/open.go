package sqldb

import (
	"context"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"

	"github.com/renkei-go/renkei/foundation/fault"
)

// DB is a database with a unit of work. It is safe for concurrent use.
type DB struct {
	writer *bun.DB
	reader *bun.DB // the same as writer except on a SQLite file
	owned  []io.Closer
	offset atomic.Int64 // nanoseconds added to the database's clock; tests and the demo only
	wakes  wakes
	pgURL  string // for the LISTEN connection; empty when wrapped or SQLite

	prepares bool   // connections keep Statements
	groups   groups // of a SQLite database that Open has opened
}

type options struct{ maxConns int }

// Option changes how Open connects.
type Option func(*options)

// MaxConns caps the open connections to PostgreSQL, or the readers of a SQLite file. Default: four per processor, at
// least 16.
func MaxConns(n int) Option { return func(o *options) { o.maxConns = n } }

// ErrBadURL is returned by Open for a URL of no known kind.
var ErrBadURL = fault.New(fault.Invalid, "invalid_database_url", `a database URL starts with "postgres://" or "sqlite:"`)

// Open connects to "postgres://…" (any parameter that pgx knows, e.g. search_path; default_query_exec_mode=simple_protocol
// behind a pooler that keeps no prepared statements) or to "sqlite:path"
// (parameter synchronous=full|normal|off, default full: an answered commit survives a power cut) or
// "sqlite::memory:", and pings. It returns ErrBadURL, ErrLocked when another process owns the SQLite file, or a fault
// with code Unavailable.
func Open(ctx context.Context, url string, opts ...Option) (*DB, error) {
	o := options{maxConns: max(16, 4*runtime.GOMAXPROCS(0))}
	for _, opt := range opts {
		opt(&o)
	}
	switch {
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		return openPostgres(ctx, url, o)
	case strings.HasPrefix(url, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"), o)
	}
	return nil, ErrBadURL
}

// CheckURL returns ErrBadURL for what Open would refuse without trying, and nil otherwise. It connects to nothing.
func CheckURL(url string) error {
	switch {
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		_, err := parsePostgres(url)
		return err
	case strings.HasPrefix(url, "sqlite:"):
		_, _, err := parseSQLite(strings.TrimPrefix(url, "sqlite:"))
		return err
	}
	return ErrBadURL
}

// Wrap uses an embedder's bun.DB (pgdialect or sqlitedialect) for reading and writing. Close leaves it open. For
// SQLite give it one connection and _txlock=immediate, or expect SQLITE_BUSY.
func Wrap(db *bun.DB) *DB { return &DB{writer: db, reader: db} }

// Close closes what Open opened.
func (db *DB) Close() error {
	var first error
	for _, c := range db.owned {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// IsPostgres says which engine it is; otherwise it is SQLite. Most code needs no such question.
func (db *DB) IsPostgres() bool { return db.writer.Dialect().Name() == dialect.PG }

// Ping asks the database for a sign of life.
func (db *DB) Ping(ctx context.Context) error {
	return Fault(db.writer.PingContext(ctx))
}

// Now returns the database's clock plus the offset: the time that deadlines are judged by, the same for every node.
// On SQLite the process owns the file, so its clock is the database's.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	now := time.Now()
	if db.IsPostgres() {
		if err := db.IDB(ctx).NewRaw("SELECT clock_timestamp()").Scan(ctx, &now); err != nil {
			return time.Time{}, Fault(err)
		}
	}
	return now.UTC().Add(time.Duration(db.offset.Load())).Truncate(time.Microsecond), nil
}

// Clock is this process's clock plus the offset, in UTC and whole microseconds: for stamps that decide nothing.
func (db *DB) Clock() time.Time {
	return time.Now().UTC().Add(time.Duration(db.offset.Load())).Truncate(time.Microsecond)
}

// Offset is what AdvanceClock has added, for statements that read the database's clock themselves.
func (db *DB) Offset() time.Duration { return time.Duration(db.offset.Load()) }

// AdvanceClock moves the clock that Now and Clock show, for tests and demonstrations.
func (db *DB) AdvanceClock(d time.Duration) { db.offset.Add(int64(d)) }
