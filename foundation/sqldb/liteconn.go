package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
)

// liteConnector makes connections that keep Statements prepared.
type liteConnector struct {
	driver driver.Driver
	dsn    string
}

func (c liteConnector) Driver() driver.Driver { return c.driver }

func (c liteConnector) Connect(context.Context) (driver.Conn, error) {
	inner, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	own, ok := inner.(liteInner)
	if !ok {
		return inner, nil
	}
	return &liteConn{own, map[string]*liteStmt{}}, nil
}

// liteInner is what the driver's connection does.
type liteInner interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// liteConn prepares what has arguments once: that is a Statement, since bun writes arguments into the text.
type liteConn struct {
	liteInner

	kept map[string]*liteStmt
}

// liteStmt is a prepared statement.
type liteStmt struct {
	exec  driver.StmtExecContext
	query driver.StmtQueryContext
	stmt  driver.Stmt
	busy  bool // its rows are being read
}

const mostKept = 256 // there are not that many Statements

// keep returns the prepared statement, or nil when it cannot be had.
func (c *liteConn) keep(ctx context.Context, query string, args []driver.NamedValue) (*liteStmt, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if s := c.kept[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(c.kept) >= mostKept {
		return nil, nil
	}
	stmt, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	s := &liteStmt{stmt: stmt}
	var executes, queries bool
	s.exec, executes = stmt.(driver.StmtExecContext)
	s.query, queries = stmt.(driver.StmtQueryContext)
	if !executes || !queries {
		return nil, stmt.Close()
	}
	c.kept[query] = s
	return s, nil
}

// ExecContext implements driver.ExecerContext.
func (c *liteConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.keep(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.liteInner.ExecContext(ctx, query, args)
	}
	return s.exec.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *liteConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.keep(ctx, query, args)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.liteInner.QueryContext(ctx, query, args)
	}
	rows, err := s.query.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &liteRows{rows, s}, nil
}

// liteRows let their statement go when they are closed.
type liteRows struct {
	driver.Rows

	stmt *liteStmt
}

func (r *liteRows) Close() error {
	r.stmt.busy = false
	return r.Rows.Close()
}

// Close implements driver.Conn.
func (c *liteConn) Close() error {
	errs := make([]error, 0, len(c.kept)+1)
	for _, s := range c.kept {
		errs = append(errs, s.stmt.Close())
	}
	return errors.Join(append(errs, c.liteInner.Close())...)
}
