package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// Script is several statements that go to the database in one round trip. It is for one goroutine.
type Script struct {
	db    *bun.DB
	gen   schema.QueryGen
	calls []call
	err   error
}

// call is a statement of a script: a text, or a Statement with its arguments, or what is the same as both.
type call struct {
	text string
	st   *Statement
	args []any
}

// Script makes an empty one.
func (db *DB) Script() *Script {
	return &Script{db: db.writer, gen: schema.NewQueryGen(db.writer.Dialect())}
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
		var text []byte
		text, c.err = q.AppendQuery(c.gen, make([]byte, 0, 1024))
		c.calls = append(c.calls, call{text: string(text)})
	}
}

// Addf appends a statement with arguments, in bun's notation. Without arguments the text may be several statements, and
// stays as it is, question marks and all.
func (c *Script) Addf(query string, args ...any) {
	if len(args) > 0 {
		query = string(c.gen.AppendQuery(make([]byte, 0, 1024), query, args...))
	}
	c.calls = append(c.calls, call{text: query})
}

// Call appends a Statement.
func (c *Script) Call(st *Statement, args ...any) {
	c.calls = append(c.calls, call{st: st, args: args})
}

// Run executes the script, after what Later put off, in the transaction in ctx, and returns how many rows its last
// statement changed. Without a transaction it has one of its own on PostgreSQL, and none on SQLite.
func (db *DB) Run(ctx context.Context, c *Script) (int64, error) {
	if c.err != nil {
		return 0, c.err
	}
	u := unitIn(ctx)
	res, err := db.exec(ctx, db.plainIn(u), append(u.take(), c.calls...))
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
	u.queued = append(u.queued, c.calls...)
	return nil
}

// exec makes calls in one round trip.
func (db *DB) exec(ctx context.Context, run plain, calls []call) (sql.Result, error) {
	if p, ok := db.pipeline(calls); ok {
		return run.ExecContext(ctx, "", p)
	}
	if !db.prepares || db.IsPostgres() {
		return run.ExecContext(ctx, db.text(calls))
	}
	var res sql.Result = driver.RowsAffected(0)
	for _, c := range calls { // SQLite is not far away
		text, args := c.text, []any(nil)
		if c.st != nil {
			text, args = db.spell(c.st, c.args)
		}
		var err error
		if res, err = run.ExecContext(ctx, text, args...); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// pipeline says whether all calls can be made as they are, without writing them into a text.
func (db *DB) pipeline(calls []call) (pipeline, bool) {
	return calls, db.prepares && db.IsPostgres() && !slices.ContainsFunc(calls, func(c call) bool { return c.st == nil })
}

// text writes calls for the simple protocol, which takes several in one message.
func (db *DB) text(calls []call) string {
	gen := schema.NewQueryGen(db.writer.Dialect())
	text := make([]byte, 0, 2048)
	for _, c := range calls {
		if c.text != "" {
			text = append(text, c.text...)
		} else {
			text = gen.AppendQuery(text, c.st.text, literals(c.args)...)
		}
		text = append(text, ";\n"...)
	}
	return string(text)
}

// take hands over what Later put off.
func (u *unit) take() []call {
	if u == nil {
		return nil
	}
	calls := u.queued
	u.queued = nil
	return calls
}

// flush executes what Later put off.
func (u *unit) flush(ctx context.Context) {
	if len(u.queued) == 0 {
		return
	}
	if _, err := u.db.exec(ctx, u.db.plainIn(u), u.take()); err != nil {
		u.broken = Fault(err)
	}
}
