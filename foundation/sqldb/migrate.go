package sqldb

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"github.com/renkei-go/renkei/foundation/fault"
)

// Migration is the migration line of one package: goose SQL files under migrations/postgres and migrations/sqlite of
// FS (usually an embed.FS), and the table "<Name>_migrations" that remembers which have run.
type Migration struct {
	Name string // a lower-case identifier, e.g. "calendar"
	FS   fs.FS
}

var migrationName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// ErrOneConnection is returned by Migrate, which would wait for itself, on a PostgreSQL pool of one connection.
var ErrOneConnection = fault.New(fault.Invalid, "one_connection", "migrating PostgreSQL needs a pool of at least two connections")

// Migrate brings each package's tables up to date, in the order given. Several nodes may call it at once: they take
// turns. It can be called again at any time; what has run is left alone. On PostgreSQL it takes two connections, one of
// them for the lock; it returns ErrOneConnection, or a fault of the database's.
func Migrate(ctx context.Context, db *DB, migrations ...Migration) error {
	if db.IsPostgres() {
		if db.writer.Stats().MaxOpenConnections == 1 {
			return ErrOneConnection
		}
		conn, err := db.writer.Conn(ctx)
		if err != nil {
			return Fault(err)
		}
		defer func() { _ = conn.Close() }()
		// Per schema, so that tests in schemas of their own do not wait for each other.
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(hashtextextended('renkei.migrate.' || current_schema(), 0))"); err != nil {
			return Fault(err)
		}
		defer func() {
			// On a context of its own: a cancelled migration must not leave the lock to the next user of the connection.
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtextextended('renkei.migrate.' || current_schema(), 0))")
		}()
	}
	for _, m := range migrations {
		if err := migrate(ctx, db, m); err != nil {
			return fmt.Errorf("sqldb: migrating %s: %w", m.Name, err)
		}
	}
	return nil
}

func migrate(ctx context.Context, db *DB, m Migration) error {
	if !migrationName.MatchString(m.Name) {
		return fmt.Errorf("%q is no migration name", m.Name)
	}
	dir, dialect := "migrations/sqlite", database.DialectSQLite3
	if db.IsPostgres() {
		dir, dialect = "migrations/postgres", database.DialectPostgres
	}
	files, err := fs.Sub(m.FS, dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db.writer.DB, files,
		goose.WithTableName(m.Name+"_migrations"), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return Fault(err)
}
