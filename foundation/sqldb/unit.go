package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/fault"
)

// unit is the transaction in a context.
type unit struct {
	db      *DB
	tx      bun.Tx
	failed  error    // a joined Do failed: the whole must not commit
	after   []func() // run once it has committed
	queued  []call   // what Later put off
	broken  error    // they failed: the whole must not commit, and what failed after them did so for that
	own     bool     // begun by Do, which commits it
	flushes bool     // the connection sends what is queued with the commit
	marked  bool     // in an embedder's: there is a savepoint to go back to
}

type unitKey struct{}

func unitIn(ctx context.Context) *unit {
	u, _ := ctx.Value(unitKey{}).(*unit)
	return u
}

// WithTx makes the work done under the returned context part of an embedder's transaction, who commits it. What fails in
// Do leaves nothing behind, so the embedder may go on after an error, and even commit. Functions given to AfterCommit are
// dropped, since nobody says when that is: the relay then finds the rows by its poll.
func WithTx(ctx context.Context, tx bun.Tx) context.Context {
	return context.WithValue(ctx, unitKey{}, &unit{tx: tx})
}

// InTx says whether there is a transaction in ctx.
func InTx(ctx context.Context) bool { return unitIn(ctx) != nil }

// IDB returns the transaction in ctx, or the database for a single statement.
func (db *DB) IDB(ctx context.Context) bun.IDB {
	if u := unitIn(ctx); u != nil {
		u.flush(ctx)
		return u.tx
	}
	return db.writer
}

// Reader returns the transaction in ctx, or a pool that may be read-only: for queries only.
func (db *DB) Reader(ctx context.Context) bun.IDB {
	if u := unitIn(ctx); u != nil {
		u.flush(ctx)
		return u.tx
	}
	return db.reader
}

const maxTries = 4 // first try + 3 when PostgreSQL chose us as the victim of a deadlock, or SQLite gave up a group of units

// Do runs fn in a transaction that it finds in ctx, or in a new one that commits when fn returns nil. A new one may run
// fn up to four times when the database aborts it for others' sake, so fn sets its results anew each time. A failure
// inside a joined Do fails the outer one too, even if the error is swallowed on the way. Driver errors come back as
// faults (see Fault). A panic rolls back.
func (db *DB) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	if u := unitIn(ctx); u != nil {
		if u.own || u.marked {
			return u.join(ctx, fn)
		}
		return u.visit(ctx, fn)
	}
	once := db.once
	if db.groups.turn != nil {
		once = db.grouped
	}
	for try := 1; ; try++ {
		err := once(ctx, fn)
		if try < maxTries && errors.Is(err, ErrAborted) && ctx.Err() == nil {
			continue
		}
		return err
	}
}

// join runs fn in a transaction whose end another Do sees to.
func (u *unit) join(ctx context.Context, fn func(ctx context.Context) error) error {
	err := Fault(fn(ctx))
	if err != nil && u.failed == nil {
		u.failed = err
	}
	return err
}

// visit runs fn in an embedder's transaction, which may be committed whatever comes of it: what failed is taken back.
func (u *unit) visit(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, err := u.tx.ExecContext(ctx, "SAVEPOINT renkei"); err != nil {
		return Fault(err)
	}
	u.marked, u.failed = true, nil
	defer func() { u.marked = false }()
	err := cmp.Or(u.join(ctx, fn), u.failed)
	end := "RELEASE SAVEPOINT renkei"
	if err != nil {
		end = "ROLLBACK TO SAVEPOINT renkei; " + end
	}
	_, endErr := u.tx.ExecContext(context.WithoutCancel(ctx), end)
	return cmp.Or(err, Fault(endErr))
}

func (db *DB) once(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	u := &unit{db: db, own: true}
	inside := context.WithValue(ctx, unitKey{}, u)
	tx, err := db.writer.BeginTx(inside, nil)
	if err != nil {
		return Fault(err)
	}
	u.tx = tx
	committed := false
	defer func() {
		if !committed {
			_ = tx.Rollback()
		}
	}()
	err = fn(inside)
	if err == nil && u.failed == nil && !u.flushes {
		u.flush(ctx)
	}
	if err := cmp.Or(u.broken, Fault(err), u.failed); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			return ctx.Err()
		}
		return Fault(err)
	}
	committed = true
	for _, f := range u.after {
		f()
	}
	return nil
}

// AfterCommit runs f once the transaction in ctx has committed, or now when there is none. f must be quick and cannot
// fail; what must not be lost belongs into the transaction.
func (db *DB) AfterCommit(ctx context.Context, f func()) {
	if u := unitIn(ctx); u != nil {
		u.after = append(u.after, f)
		return
	}
	f()
}

// Lock makes transactions that name the same key follow each other until the one in ctx ends. Keys are taken in the
// order given: sort them. On SQLite there is one writer, so there is nothing to do. It needs a transaction.
func (db *DB) Lock(ctx context.Context, keys ...string) error {
	if !InTx(ctx) {
		return fault.New(fault.Internal, "no_transaction", "a lock needs a transaction")
	}
	if !db.IsPostgres() || len(keys) == 0 {
		return nil
	}
	// One statement per key in one round trip: a set-returning select would not promise the order.
	query := ""
	args := make([]any, 0, len(keys))
	for _, k := range keys {
		query += "SELECT pg_advisory_xact_lock(hashtextextended(?, 0));"
		args = append(args, k)
	}
	_, err := db.IDB(ctx).ExecContext(ctx, query, args...)
	return Fault(err)
}
