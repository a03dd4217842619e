package sqldb

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
)

// groups lets units of work that wait for SQLite's one writer share a transaction, each in a savepoint: a commit waits
// for the disk, and so they wait together once. A unit that fails goes back to its savepoint; Do returns to each when all
// are committed.
type groups struct {
	turn    chan struct{} // holds something while a unit is at work
	waiting atomic.Int32
	open    *group // not committed, because somebody waited; belongs to who has the turn
}

// group is such a transaction.
type group struct {
	conn  bun.Conn
	tx    bun.Tx
	units int  // that have succeeded
	saved bool // there is a savepoint, of the last that joined
	began time.Time
	done  chan struct{}
	err   error // of the commit, when done is closed
}

const (
	groupUnits = 64
	groupTime  = 5 * time.Millisecond // after which nobody joins any more
)

// grouped is once for a SQLite database that Open has opened.
func (db *DB) grouped(ctx context.Context, fn func(ctx context.Context) error) error {
	if err := db.takeTurn(ctx); err != nil {
		return Fault(err)
	}
	g, err := db.groups.enter(ctx, db)
	if err != nil {
		<-db.groups.turn
		return Fault(err)
	}
	u := &unit{db: db, own: true, tx: g.tx}
	succeeded := false
	defer func() {
		if !succeeded { // fn may have panicked
			db.groups.undo(g)
		}
	}()
	err = fn(context.WithValue(ctx, unitKey{}, u))
	if err := cmp.Or(Fault(err), u.failed, ctx.Err()); err != nil {
		return Fault(err)
	}
	succeeded = true
	db.groups.leave(g, 1)
	<-g.done
	if g.err != nil {
		return Fault(g.err)
	}
	for _, f := range u.after {
		f()
	}
	return nil
}

func (db *DB) takeTurn(ctx context.Context) error {
	gs := &db.groups
	gs.waiting.Add(1)
	select {
	case gs.turn <- struct{}{}:
		gs.waiting.Add(-1)
		return nil
	case <-ctx.Done():
		gs.waiting.Add(-1)
		go func() { // somebody may have left it to this unit to commit
			gs.turn <- struct{}{}
			if gs.open != nil {
				gs.leave(gs.open, 0)
			} else {
				<-gs.turn
			}
		}()
		return ctx.Err()
	}
}

// enter joins the open group, or begins one. Its transaction outlives ctx, which others do not care about.
func (gs *groups) enter(ctx context.Context, db *DB) (*group, error) {
	lasting := context.WithoutCancel(ctx)
	if g := gs.open; g != nil {
		text := "SAVEPOINT unit"
		if g.saved {
			text = "RELEASE unit; " + text
		}
		_, err := g.tx.ExecContext(lasting, text)
		if g.saved = true; err == nil {
			return g, nil
		}
		gs.giveUp(g, err)
	}
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(lasting, nil)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	gs.open = &group{conn: conn, tx: tx, began: time.Now(), done: make(chan struct{})}
	return gs.open, nil
}

// undo takes back what a unit has done, and gives the turn back.
func (gs *groups) undo(g *group) {
	if g.units == 0 {
		_ = g.tx.Rollback()
		gs.end(g, nil)
		<-gs.turn
		return
	}
	if _, err := g.tx.ExecContext(context.Background(), "ROLLBACK TO unit"); err != nil {
		gs.giveUp(g, err)
		<-gs.turn
		return
	}
	gs.leave(g, 0)
}

// giveUp is for when SQLite has given up the whole transaction, as it does when a disk is full or a write was
// interrupted. The units before did nothing wrong, and run again.
func (gs *groups) giveUp(g *group, cause error) {
	_ = g.tx.Rollback()
	gs.end(g, ErrAborted.Because(cause))
}

// leave commits unless somebody is waiting who will, and gives the turn back. It counts the units that have succeeded.
func (gs *groups) leave(g *group, units int) {
	g.units += units
	if gs.waiting.Load() == 0 || g.units >= groupUnits || time.Since(g.began) > groupTime {
		if err := g.tx.Commit(); g.units > 1 && err != nil && !errors.Is(Fault(err), ErrUnavailable) {
			gs.giveUp(g, err) // somebody did not tell that a statement had failed
		} else {
			gs.end(g, err)
		}
	}
	<-gs.turn
}

// end closes a group that is committed, or never will be.
func (gs *groups) end(g *group, err error) {
	_ = g.conn.Close()
	g.err, gs.open = err, nil
	close(g.done)
}
