package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/renkei-go/renkei/foundation/fault"
)

// What the databases report, in one vocabulary. Match with errors.Is.
var (
	ErrNoRows      = fault.New(fault.NotFound, "not_found", "there is no such thing")
	ErrDuplicate   = fault.New(fault.Conflict, "duplicate", "it exists already")
	ErrExcluded    = fault.New(fault.Conflict, "excluded", "it collides with something that exists") // EXCLUDE, or a trigger's RAISE on SQLite
	ErrReference   = fault.New(fault.Conflict, "missing_reference", "it refers to something that does not exist, or is referred to")
	ErrText        = fault.New(fault.Invalid, "invalid_text", "text must be valid UTF-8 without NUL")
	ErrAborted     = fault.New(fault.Unavailable, "try_again", "another change came in between; try again")
	ErrUnavailable = fault.New(fault.Unavailable, "database_unavailable", "the database does not answer")
)

// Fault turns an error of either driver into a fault that keeps it as the cause. Faults, nil, and errors that are no
// driver's pass unchanged.
func Fault(err error) error {
	if err == nil || fault.As(err) != nil {
		return err
	}
	var pg *pgconn.PgError
	var lite *sqlite.Error
	var netErr net.Error
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNoRows.Because(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "cancelled", "the request was given up before it was done").Because(err)
	case errors.As(err, &pg):
		if f := postgresFault(pg); f != nil {
			return f.Because(err)
		}
	case errors.As(err, &lite):
		if f := sqliteFault(lite.Code()); f != nil {
			return f.Because(err)
		}
	case errors.Is(err, sql.ErrConnDone), errors.Is(err, driver.ErrBadConn), errors.As(err, &netErr), pgconn.SafeToRetry(err),
		errors.Is(err, io.ErrUnexpectedEOF): // PostgreSQL has gone in the middle of an answer
		return ErrUnavailable.Because(err)
	}
	return err
}

func postgresFault(e *pgconn.PgError) *fault.Error {
	switch e.Code {
	case "23505":
		return ErrDuplicate
	case "23P01":
		return ErrExcluded
	case "23503":
		return ErrReference
	case "40001", "40P01":
		return ErrAborted
	case "22021", "22P05":
		return ErrText
	case "57014": // cancelled by us or by statement_timeout
		return ErrUnavailable
	}
	if strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "57P") {
		return ErrUnavailable
	}
	return nil
}

func sqliteFault(code int) *fault.Error {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return ErrDuplicate
	case sqlite3.SQLITE_CONSTRAINT_TRIGGER:
		return ErrExcluded
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return ErrReference
	}
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_INTERRUPT:
		return ErrUnavailable
	}
	return nil
}
