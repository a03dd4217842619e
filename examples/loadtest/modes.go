package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	publishers  = 16
	senders     = 32
	hangingPath = "/hang/0"
	inFront     = 500                   // deliveries to the hanging endpoint
	lightEvery  = 10 * time.Millisecond // between events of an idle system
)

var modes = map[string]func(ctx context.Context, s settings, out io.Writer) (report, error){
	"one":     func(ctx context.Context, s settings, out io.Writer) (report, error) { return fast(ctx, s, out, 1) },
	"fanout":  func(ctx context.Context, s settings, out io.Writer) (report, error) { return fast(ctx, s, out, 10) },
	"light":   light,
	"hanging": hanging,
	"backlog": backlog,
	"bare":    bare,
}

// publishAll commits n events with 16 publishers and returns when each was committed.
func publishAll(ctx context.Context, n int, publish func(ctx context.Context, id string) error) (map[string]time.Time, error) {
	var next atomic.Int64
	var mu sync.Mutex
	var first error
	committed := make(map[string]time.Time, n)
	var wg sync.WaitGroup
	for range publishers {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(n) {
					return
				}
				id := fmt.Sprintf("e%08d", i)
				err := publish(ctx, id)
				at := time.Now()
				mu.Lock()
				if err != nil && first == nil {
					first = err
				}
				committed[id] = at
				failed := first != nil
				mu.Unlock()
				if failed {
					return
				}
			}
		})
	}
	wg.Wait()
	return committed, first
}

// fast publishes as fast as it can to a number of subscriptions.
func fast(ctx context.Context, s settings, out io.Writer, subscriptions int) (report, error) {
	return measure(ctx, s, out, subscriptions, func(ctx context.Context, sys *system) (map[string]time.Time, error) {
		return publishAll(ctx, s.n, sys.publish)
	})
}

// light publishes now and then, so that the latency is that of an idle system.
func light(ctx context.Context, s settings, out io.Writer) (report, error) {
	return measure(ctx, s, out, 1, func(ctx context.Context, sys *system) (map[string]time.Time, error) {
		tick := time.NewTicker(lightEvery)
		defer tick.Stop()
		committed := map[string]time.Time{}
		for i := range s.n {
			id := fmt.Sprintf("e%08d", i)
			if err := sys.publish(ctx, id); err != nil {
				return committed, err
			}
			committed[id] = time.Now()
			select {
			case <-tick.C:
			case <-ctx.Done():
				return committed, ctx.Err()
			}
		}
		return committed, nil
	})
}

// measure starts the system and the sink, lets publish work, waits for the deliveries and counts.
func measure(ctx context.Context, s settings, out io.Writer, subscriptions int, publish func(context.Context, *system) (map[string]time.Time, error)) (report, error) {
	receiver := newSink()
	defer receiver.close()
	sys, err := newSystem(ctx, s.database)
	if err != nil {
		return report{}, err
	}
	defer sys.close()
	paths, err := sys.subscribe(ctx, receiver, subscriptions)
	if err != nil {
		return report{}, err
	}
	stop := sys.start(ctx)
	fmt.Fprintf(out, "%s: %d events to %d subscriptions\n", s.mode, s.n, subscriptions)
	start := time.Now()
	committed, err := publish(ctx, sys)
	if err == nil {
		err = receiver.wait(ctx, s.n*subscriptions)
	}
	if serr := stop(); err == nil {
		err = serr
	}
	return receiver.tally(committed, paths, start), err
}

// hanging lets deliveries to an endpoint that never answers stand in front, and measures the healthy one beside it.
func hanging(ctx context.Context, s settings, out io.Writer) (report, error) {
	receiver := newSink()
	defer receiver.close()
	sys, err := newSystem(ctx, s.database)
	if err != nil {
		return report{}, err
	}
	defer sys.close()
	if err := sys.subscribeTo(ctx, receiver.server.URL+hangingPath, stuckType); err != nil {
		return report{}, err
	}
	paths, err := sys.subscribe(ctx, receiver, 1)
	if err != nil {
		return report{}, err
	}
	stop := sys.start(ctx)
	if _, err := publishAll(ctx, inFront, sys.publishStuck); err != nil {
		return report{}, err
	}
	fmt.Fprintf(out, "hanging: %d deliveries hang; %d events to the healthy destination\n", inFront, s.n)
	start := time.Now()
	tick := time.NewTicker(lightEvery)
	defer tick.Stop()
	committed := map[string]time.Time{}
	for i := range s.n {
		id := fmt.Sprintf("e%08d", i)
		if err := sys.publish(ctx, id); err != nil {
			return report{}, err
		}
		committed[id] = time.Now()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return report{}, ctx.Err()
		}
	}
	err = receiver.wait(ctx, s.n)
	stop() //nolint:errcheck // deliveries still hang: that is what was measured
	return receiver.tally(committed, paths, start), err
}

// backlog lets n deliveries wait before anything sends, and measures how fast they leave.
func backlog(ctx context.Context, s settings, out io.Writer) (report, error) {
	receiver := newSink()
	defer receiver.close()
	sys, err := newSystem(ctx, s.database)
	if err != nil {
		return report{}, err
	}
	defer sys.close()
	paths, err := sys.subscribe(ctx, receiver, 1)
	if err != nil {
		return report{}, err
	}
	fmt.Fprintf(out, "backlog: storing %d deliveries\n", s.n)
	committed, err := sys.pile(ctx, s.n)
	if err != nil {
		return report{}, err
	}
	fmt.Fprintln(out, "backlog: sending")
	start := time.Now()
	for id := range committed {
		committed[id] = start
	}
	stop := sys.start(ctx)
	err = receiver.wait(ctx, s.n)
	if serr := stop(); err == nil {
		err = serr
	}
	return receiver.tally(committed, paths, start), err
}
