package sqldb

import (
	"context"
	"database/sql"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"
)

// Statement is one that is executed often. It is read and planned once for each connection; any other text is read and
// planned each time, which may cost more than to execute it. Make it once, for a package variable.
type Statement struct {
	text     string // in bun's notation
	numbered string // in PostgreSQL's
	name     string // at a connection
}

// NewStatement takes a single statement with a question mark for each argument and none elsewhere. Its arguments are what
// pgx encodes and bun can write: strings, numbers, a Time; on PostgreSQL a time.Duration for an interval, and slices for
// arrays, of pointers where an element may be NULL. What is planned for a connection stays planned as the tables were
// then, so each of its searches needs one index that serves it well whatever their size.
func NewStatement(text string) *Statement {
	var numbered strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			numbered.WriteString("$" + strconv.Itoa(i))
		}
		numbered.WriteString(part)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	return &Statement{text, numbered.String(), "renkei_" + strconv.FormatUint(h.Sum64(), 36)}
}

// Query runs a statement in the transaction in ctx, or alone. It returns faults.
func (db *DB) Query(ctx context.Context, st *Statement, args ...any) (*sql.Rows, error) {
	text, args := db.spell(st, args)
	rows, err := db.plain(ctx).QueryContext(ctx, text, args...)
	return rows, Fault(err)
}

// Exec is Query for a statement without rows.
func (db *DB) Exec(ctx context.Context, st *Statement, args ...any) error {
	text, args := db.spell(st, args)
	_, err := db.plain(ctx).ExecContext(ctx, text, args...)
	return Fault(err)
}

// spell writes a statement as the connections take it.
func (db *DB) spell(st *Statement, args []any) (text string, rest []any) {
	switch {
	case !db.prepares:
		return string(schema.NewQueryGen(db.writer.Dialect()).AppendQuery(nil, st.text, literals(args)...)), nil
	case db.IsPostgres():
		return st.numbered, append([]any{pgx.QueryExecModeCacheStatement}, args...)
	}
	rest = make([]any, len(args))
	for i, arg := range args {
		rest[i] = arg
		if t, ok := arg.(Time); ok {
			rest[i] = t.micro()
		}
	}
	return st.text, rest
}

// plain is IDB for statements that were spelt.
func (db *DB) plain(ctx context.Context) plain {
	u := unitIn(ctx)
	if u != nil {
		u.flush(ctx)
	}
	return db.plainIn(u)
}

// plainIn goes round bun, which would write the arguments into the text. An embedder's database may have hooks in bun.
func (db *DB) plainIn(u *unit) plain {
	switch {
	case u != nil && db.prepares:
		return u.tx.Tx
	case u != nil:
		return u.tx
	case db.prepares:
		return db.writer.DB
	}
	return db.writer
}

type plain interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// literals makes arguments what bun can write into a text.
func literals(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		out[i] = arg
		if d, ok := arg.(time.Duration); ok {
			out[i] = strconv.FormatInt(d.Microseconds(), 10) + " microseconds"
		} else if t := reflect.TypeOf(arg); t != nil && t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 {
			out[i] = pgdialect.Array(arg)
		}
	}
	return out
}
