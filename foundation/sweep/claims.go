package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/renkei-go/renkei/foundation/fault"
)

// Claims is due work that is claimed in batches.
type Claims[T any] struct {
	// Work claims up to limit due units and does them, in one transaction. With an error it returns what it had claimed;
	// nothing of that has happened.
	Work func(ctx context.Context, limit int) ([]T, error)
	// PutOff keeps a unit from being due for a while. It is not called in a transaction of Work.
	PutOff func(ctx context.Context, unit T) error
	// Name says in an error which unit it was: "approval: request 7".
	Name func(unit T) string
	// Batch is how many units are in one transaction. Default: as many as are asked for.
	Batch int
}

// Sweep does up to limit units of due work and returns how many it did. It is a Func. Where a batch fails, its units are
// done one by one: those that fail are put off, and hold up no others; their errors are part of the returned one. When
// the store cannot be reached (fault.Unavailable), nothing is put off.
func (c Claims[T]) Sweep(ctx context.Context, limit int) (int, error) {
	for done := 0; ; {
		most := limit - done
		if c.Batch > 0 {
			most = min(most, c.Batch)
		}
		batch, err := c.Work(ctx, most)
		switch {
		case err == nil:
			done += len(batch)
		case len(batch) == 0, fault.CodeOf(err) == fault.Unavailable, ctx.Err() != nil:
			return done, err
		default:
			n, err := c.singly(ctx, limit-done)
			return done + n, err
		}
		if len(batch) < most || done >= limit {
			return done, nil
		}
	}
}

// singly finds the units that spoil a batch and puts them off.
func (c Claims[T]) singly(ctx context.Context, limit int) (int, error) {
	done := 0
	var failures []error
	for range limit {
		batch, err := c.Work(ctx, 1)
		switch {
		case err == nil && len(batch) == 0:
			return done, errors.Join(failures...)
		case err == nil:
			done++
			continue
		case len(batch) == 0, ctx.Err() != nil:
			return done, errors.Join(append(failures, err)...)
		}
		failures = append(failures, fmt.Errorf("%s is put off: %w", c.Name(batch[0]), err))
		if err := c.PutOff(ctx, batch[0]); err != nil {
			return done, errors.Join(append(failures, err)...)
		}
	}
	return done, errors.Join(failures...)
}
