package sqldb

import (
	"context"
	"database/sql"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// Script is several statements that go to the database in one round trip. It is for one goroutine.
type Script struct {
	db   *bun.DB
	gen  schema.QueryGen
	text []byte
	err  error
}

// Script makes an empty one.
func (db *DB) Script() *Script {
	return &Script{db: db.writer, gen: schema.NewQueryGen(db.writer.Dialect()), text: make([]byte, 0, 2048)}
}

// NewInsert begins a statement for Add.
func (c *Script) NewInsert() *bun.InsertQuery { return c.db.NewInsert() }

// NewUpdate begins a statement for Add.
func (c *Script) NewUpdate() *bun.UpdateQuery { return c.db.NewUpdate() }

// Query is a statement that bun has built, such as a *bun.InsertQuery.
type Query interface {
	AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error)
}

// Add appends a statement that bun has built.
func (c *Script) Add(q Query) {
	if c.err == nil {
		c.text, c.err = q.AppendQuery(c.gen, c.text)
		c.text = append(c.text, ";\n"...)
	}
}

// Addf appends a statement with arguments, in bun's notation.
func (c *Script) Addf(query string, args ...any) {
	c.text = c.gen.AppendQuery(c.text, query, args...)
	c.text = append(c.text, ";\n"...)
}

// Run executes the script, after what Later put off, in the transaction in ctx, and returns how many rows its last
// statement changed. Without a transaction it has one of its own on PostgreSQL, and none on SQLite.
func (db *DB) Run(ctx context.Context, c *Script) (int64, error) {
	if c.err != nil {
		return 0, c.err
	}
	text := c.text
	u := unitIn(ctx)
	var run execer = db.writer
	if u != nil {
		run = u.tx
		if len(u.queued) > 0 {
			text = append(u.queued, text...)
			u.queued = nil
		}
	}
	// No arguments: bun leaves a text without them as it is, question marks and all.
	res, err := run.ExecContext(ctx, string(text))
	if err != nil {
		return 0, Fault(err)
	}
	return res.RowsAffected()
}

// Later puts a script off that nobody waits for, such as the audit entry of a change, to spare it a round trip: it goes
// with the next statement of the transaction in ctx, at the latest before the commit. If it fails, Do does. Where that
// would gain nothing, or nobody would see to it (SQLite, no transaction, an embedder's transaction), it runs at once.
func (db *DB) Later(ctx context.Context, c *Script) error {
	if c.err != nil {
		return c.err
	}
	u := unitIn(ctx)
	if u == nil || !u.own || !db.IsPostgres() {
		_, err := db.Run(ctx, c)
		return err
	}
	u.queued = append(u.queued, c.text...)
	return nil
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// take hands over what Later put off.
func (u *unit) take() string {
	if u == nil {
		return ""
	}
	text := string(u.queued)
	u.queued = nil
	return text
}

// flush executes what Later put off.
func (u *unit) flush(ctx context.Context) {
	if len(u.queued) == 0 {
		return
	}
	if _, err := u.tx.ExecContext(ctx, u.take()); err != nil {
		u.broken = Fault(err)
	}
}
