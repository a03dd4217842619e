package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/sweep"
)

var errBroken = errors.New("broken")

// queue is due units; those in bad fail.
type queue struct {
	due, done, off []int
	bad            map[int]error
	batches        []int
	away           error // of the store
	stuck          error // of putting off
}

func (q *queue) work(_ context.Context, limit int) ([]int, error) {
	q.batches = append(q.batches, limit)
	if q.away != nil {
		return nil, q.away
	}
	batch := slices.Clone(q.due[:min(limit, len(q.due))])
	for _, n := range batch {
		if err := q.bad[n]; err != nil {
			return batch, err
		}
	}
	q.due, q.done = q.due[len(batch):], append(q.done, batch...)
	return batch, nil
}

func (q *queue) putOff(_ context.Context, n int) error {
	if q.stuck != nil {
		return q.stuck
	}
	q.due, q.off = slices.DeleteFunc(q.due, func(m int) bool { return m == n }), append(q.off, n)
	return nil
}

func (q *queue) claims(batch int) sweep.Claims[int] {
	return sweep.Claims[int]{Work: q.work, PutOff: q.putOff, Name: func(n int) string { return fmt.Sprint("unit ", n) }, Batch: batch}
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestClaims(t *testing.T) {
	away := fault.New(fault.Unavailable, "away", "")
	for name, c := range map[string]struct {
		q            queue
		batch, limit int
		done, off    int
		batches      string
		err          error
	}{
		"nothing due":             {q: queue{}, limit: 5, batches: "[5]"},
		"fewer than asked for":    {q: queue{due: numbers(3)}, limit: 5, done: 3, batches: "[5]"},
		"as many":                 {q: queue{due: numbers(5)}, limit: 5, done: 5, batches: "[5]"},
		"more":                    {q: queue{due: numbers(9)}, limit: 5, done: 5, batches: "[5]"},
		"in batches":              {q: queue{due: numbers(9)}, batch: 2, limit: 5, done: 5, batches: "[2 2 1]"},
		"in batches, until none":  {q: queue{due: numbers(3)}, batch: 2, limit: 5, done: 3, batches: "[2 2]"},
		"some fail":               {q: queue{due: numbers(5), bad: map[int]error{1: errBroken, 4: errBroken}}, limit: 9, done: 3, off: 2, batches: "[9 1 1 1 1 1 1]", err: errBroken},
		"all fail, up to a limit": {q: queue{due: numbers(5), bad: map[int]error{0: errBroken, 1: errBroken, 2: errBroken}}, limit: 2, off: 2, batches: "[2 1 1]", err: errBroken},
		"one of a later batch":    {q: queue{due: numbers(5), bad: map[int]error{3: errBroken}}, batch: 2, limit: 5, done: 4, off: 1, batches: "[2 2 1 1 1]", err: errBroken},
		"the store is away":       {q: queue{due: numbers(5), away: errBroken}, limit: 5, batches: "[5]", err: errBroken},
		"it goes in the middle":   {q: queue{due: numbers(5), bad: map[int]error{3: away}}, batch: 2, limit: 5, done: 2, batches: "[2 2]", err: away},
		"nothing can be put off":  {q: queue{due: numbers(5), bad: map[int]error{1: errBroken}, stuck: away}, limit: 5, done: 1, batches: "[5 1 1]", err: away},
		"a limit of 0":            {q: queue{due: numbers(5)}, limit: 0, batches: "[0]"},
	} {
		n, err := c.q.claims(c.batch).Sweep(t.Context(), c.limit)
		if n != c.done || len(c.q.done) != c.done || len(c.q.off) != c.off || fmt.Sprint(c.q.batches) != c.batches || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %d, %v, %+v", name, n, err, c.q)
		}
		for _, off := range c.q.off {
			if !strings.Contains(err.Error(), fmt.Sprint("unit ", off, " is put off: broken")) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestGivenUp: nothing is put off because the program ends.
func TestGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := queue{due: numbers(3), bad: map[int]error{0: context.Canceled}}
	if n, err := q.claims(0).Sweep(ctx, 3); n != 0 || !errors.Is(err, context.Canceled) || len(q.off) != 0 {
		t.Errorf("%d, %v, %+v", n, err, q)
	}
}

func TestAll(t *testing.T) {
	left := 3
	good := func(context.Context, int) (int, error) {
		if left == 0 {
			return 0, nil
		}
		left--
		return 1, nil
	}
	bad := func(context.Context, int) (int, error) { return 7, errBroken }
	alas := func(context.Context, int) (int, error) { return 0, errBroken }
	if err := sweep.All(t.Context(), bad, good, alas); !errors.Is(err, errBroken) || strings.Count(err.Error(), "broken") != 2 || left != 0 {
		t.Errorf("%v, %d left", err, left)
	}
	if err := sweep.All(t.Context(), good); err != nil {
		t.Error(err)
	}
}

// TestEvery: at once, then after every interval, whatever fails, until the end.
func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var at []time.Duration
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		err := sweep.Loop{Logger: slog.New(slog.NewTextHandler(&log, nil)), Sweeps: []sweep.Func{func(context.Context, int) (int, error) {
			at = append(at, time.Since(begin))
			return 0, errBroken
		}}}.Run(ctx)
		if err != nil || fmt.Sprint(at) != "[0s 1s 2s 3s]" || strings.Count(log.String(), "level=ERROR msg=sweep error=broken") != 4 {
			t.Errorf("%v at %v: %s", err, at, &log)
		}
	})
}
