package sqldb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// connector makes connections that spare round trips.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	own, ok := inner.(*stdlib.Conn)
	if !ok {
		return inner, nil
	}
	return &conn{Conn: own}, nil
}

// conn is pgx's connection, but for a transaction's begin and end: BEGIN goes along with the first statement that is
// executed, and what DB.Later put off with COMMIT. A transaction in which nothing happened costs nothing, and one that
// was all put off is a single message, which PostgreSQL takes as a transaction (Multiple Statements in a Simple Query,
// in the manual's chapter on the protocol).
type conn struct {
	*stdlib.Conn

	pending bool  // BEGIN is still to be sent
	failed  error // the transaction could not begin, so nothing may run until it ends
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if opts != (driver.TxOptions{}) {
		return c.Conn.BeginTx(ctx, opts)
	}
	if c.Conn.Conn().IsClosed() {
		return nil, driver.ErrBadConn
	}
	c.pending, c.failed = true, nil
	t := &tx{conn: c, ctx: ctx}
	if u := unitIn(ctx); u != nil && u.own && u.tx.Tx == nil { // else a second transaction that somebody begins inside Do
		t.unit, u.flushes = u, true
	}
	return t, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if len(args) == 1 {
		if calls, ok := args[0].Value.(pipeline); ok {
			return c.flush(ctx, calls)
		}
	}
	if c.pending && c.failed == nil && len(args) == 0 {
		query = "BEGIN;" + query
		c.pending = false
		result, err := c.Conn.ExecContext(ctx, query, nil)
		return result, c.begun(err)
	}
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	return c.Conn.ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	return c.Conn.QueryContext(ctx, query, args)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	inner, err := c.Conn.PrepareContext(ctx, query)
	own, ok := inner.(*stdlib.Stmt)
	if err != nil || !ok {
		return inner, err
	}
	return &stmt{own, c}, nil
}

// stmt is a prepared statement, which a later transaction of its connection may use.
type stmt struct {
	*stdlib.Stmt

	conn *conn
}

// ExecContext implements driver.StmtExecContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.conn.begin(ctx); err != nil {
		return nil, err
	}
	return s.Stmt.ExecContext(ctx, args)
}

// QueryContext implements driver.StmtQueryContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.conn.begin(ctx); err != nil {
		return nil, err
	}
	return s.Stmt.QueryContext(ctx, args)
}

func (c *conn) begin(ctx context.Context) error {
	if !c.pending || c.failed != nil {
		return c.failed
	}
	c.pending = false
	_, err := c.Conn.ExecContext(ctx, "BEGIN", nil)
	return c.begun(err)
}

// begun keeps what comes after a failure from running outside the transaction: PostgreSQL reads a message as a whole, so
// that a mistake in the statement means that the BEGIN before it was not executed either.
func (c *conn) begun(err error) error {
	if err != nil && c.Conn.Conn().PgConn().TxStatus() == 'I' {
		c.failed = err
	}
	return err
}

// tx is the transaction of a conn.
type tx struct {
	conn *conn
	ctx  context.Context //nolint:containedctx // database/sql gives none to Commit and Rollback
	unit *unit           // of Do; nil: somebody else's transaction
}

// rollbackTimeout is how long a transaction that failed may take to end before its connection is closed instead.
const rollbackTimeout = 5 * time.Second

// Commit implements driver.Tx.
func (t *tx) Commit() error {
	c := t.conn
	calls := t.unit.take()
	began := !c.pending
	c.pending = false
	switch {
	case c.failed != nil:
		return errors.Join(pgx.ErrTxCommitRollback, t.Rollback())
	case began:
		calls = append(calls, commit)
	case len(calls) == 0:
		return nil
	}
	tag, err := t.end(calls)
	if err != nil {
		_ = t.Rollback() // the error that matters is known
		return err
	}
	if tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback // something in it had failed
	}
	return nil
}

// end makes the last calls in one round trip.
func (t *tx) end(calls []call) (pgconn.CommandTag, error) {
	text := commit.text
	if t.unit != nil {
		if calls, ok := t.unit.db.pipeline(calls); ok {
			return t.conn.send(t.ctx, calls)
		}
		text = t.unit.db.text(calls)
	}
	return t.conn.Conn.Conn().Exec(t.ctx, text)
}

// pipeline are calls that all have a Statement, for ExecContext to make in one round trip.
type pipeline []call

var (
	begin  = call{text: "BEGIN", st: NewStatement("BEGIN")}
	commit = call{text: "COMMIT", st: NewStatement("COMMIT")}
)

// flush makes calls inside the transaction, or as one.
func (c *conn) flush(ctx context.Context, calls pipeline) (driver.Result, error) {
	if c.failed != nil {
		return nil, c.failed
	}
	if c.pending {
		calls = append(pipeline{begin}, calls...)
		c.pending = false
	}
	tag, err := c.send(ctx, calls)
	return driver.RowsAffected(tag.RowsAffected()), c.begun(err)
}

// send returns the tag of the last call. Without a BEGIN before them the calls are a transaction, as all is that stands
// before a Sync.
func (c *conn) send(ctx context.Context, calls pipeline) (pgconn.CommandTag, error) {
	own := c.Conn.Conn()
	values := make([]pgx.ExtendedQueryBuilder, len(calls))
	for i, c := range calls {
		kept, err := own.Prepare(ctx, c.st.name, c.st.numbered) // a round trip the first time only
		if err == nil {
			err = values[i].Build(own.TypeMap(), kept, c.args)
		}
		if err != nil {
			return pgconn.CommandTag{}, err
		}
	}
	pipe := own.PgConn().StartPipeline(ctx)
	for i, c := range calls {
		pipe.SendQueryPrepared(c.st.name, values[i].ParamValues, values[i].ParamFormats, nil)
	}
	tag, err := lastOf(pipe, len(calls))
	return tag, cmp.Or(err, pipe.Close())
}

// lastOf waits for n answers, and returns the tag of the last and the first error.
func lastOf(pipe *pgconn.Pipeline, n int) (tag pgconn.CommandTag, _ error) {
	if err := pipe.Sync(); err != nil {
		return tag, err
	}
	for range n {
		result, err := pipe.GetResults()
		if reader, ok := result.(*pgconn.ResultReader); ok {
			tag, err = reader.Close()
		}
		if err != nil {
			return tag, err
		}
	}
	return tag, nil
}

// Rollback implements driver.Tx.
func (t *tx) Rollback() error {
	c := t.conn
	c.pending, c.failed = false, nil
	if own := c.Conn.Conn(); !own.IsClosed() && own.PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), rollbackTimeout)
		defer cancel()
		if _, err := own.Exec(ctx, "ROLLBACK"); err != nil {
			_ = own.Close(ctx)
			return err
		}
	}
	return nil
}
