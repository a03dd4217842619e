package sweep

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Func does up to limit units of due work and returns how many it did. It is safe for concurrent use, also by several
// nodes.
type Func func(ctx context.Context, limit int) (int, error)

const atOnce = 500 // units that a Func is asked for

// All calls each function until nothing is due any more. One that fails does not keep the others from their work; the
// errors are joined.
func All(ctx context.Context, sweeps ...Func) error {
	var errs []error
	for _, f := range sweeps {
		for {
			n, err := f(ctx, atOnce)
			if err != nil {
				errs = append(errs, err)
			}
			if err != nil || n == 0 {
				break
			}
		}
	}
	return errors.Join(errs...)
}

// Every is Loop.Run with the default logger.
func Every(ctx context.Context, interval time.Duration, sweeps ...Func) error {
	return Loop{Sweeps: sweeps, Interval: interval}.Run(ctx)
}

// Loop calls All again and again.
type Loop struct {
	Sweeps   []Func
	Interval time.Duration // between the beginnings, unless one takes longer; default 1 second
	Logger   *slog.Logger  // gets what fails; default slog.Default()
}

// Run begins at once and goes on until ctx ends; then it returns nil. What fails is logged, and tried again the next time.
func (l Loop) Run(ctx context.Context) error {
	if l.Interval <= 0 {
		l.Interval = time.Second
	}
	if l.Logger == nil {
		l.Logger = slog.Default()
	}
	tick := time.NewTicker(l.Interval)
	defer tick.Stop()
	for {
		if err := All(ctx, l.Sweeps...); err != nil && ctx.Err() == nil {
			l.Logger.ErrorContext(ctx, "sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
