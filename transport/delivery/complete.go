package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport/retry"
)

// job is a claimed delivery in this process.
type job struct {
	Delivery
	claimed time.Time // by this process's clock, for the age of the lease
	noted   bool      // there was a stored Destination
	probe   bool      // its breaker is open, and this is the one let through
}

// result is a job with what came of it.
type result struct {
	job
	Result
	released bool // not begun: give it back
	began    time.Time
	took     time.Duration
}

var errUnknownOutcome = errors.New("the outcome of the last attempt is unknown, and no attempt is left")

// attempt runs the sender once.
func (e *Engine) attempt(ctx context.Context, j job) (res result) {
	res = result{job: j, began: time.Now()}
	ctx, end := e.watch.attempt(ctx, j.Delivery)
	defer func() {
		if p := recover(); p != nil {
			e.cfg.Logger.ErrorContext(ctx, "a sender panicked", "kind", j.Kind, "delivery", j.ID, "panic", fmt.Sprint(p))
			res.Result = Retry(errors.New("the sender panicked"))
		}
		res.took = time.Since(res.began)
		end(res)
	}()
	if e.exhausted(j.Delivery, j.Attempts-1) {
		res.Result = Fail(errUnknownOutcome) // its processes died each time
		return res
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	res.Result = e.cfg.Kinds[j.Kind].Sender.Send(ctx, j.Delivery)
	return res
}

// exhausted says whether no attempt is left after the given number.
func (e *Engine) exhausted(d Delivery, attempts int) bool {
	if d.MaxAttempts > 0 {
		return attempts >= d.MaxAttempts
	}
	k := e.cfg.Kinds[d.Kind]
	if len(k.Schedule) > 0 {
		return k.Policy.Tries >= 0 && attempts > len(k.Schedule)
	}
	return attempts > 0 && k.Policy.Exhausted(attempts)
}

// delay is how long to wait after the given number of attempts.
func (k Kind) delay(attempts int, random func() float64) time.Duration {
	p := k.Policy
	if n := len(k.Schedule); n > 0 {
		at := k.Schedule[min(max(attempts, 1), n)-1]
		if at <= 0 {
			return 0
		}
		p = retry.Policy{First: at, Max: at, Multiplier: 1, Jitter: p.Jitter}
	}
	return p.Delay(attempts, random)
}

// complete writes results down: all in one transaction, or, when that fails because of one of them, one by one. While the
// database is away and the leases last it tries again, since what was sent should not be sent twice. What cannot be
// written stays leased and is tried again when the lease has run out. It returns the lanes that are held now.
func (e *Engine) complete(ctx context.Context, results []result, hurry <-chan struct{}) []Lane {
	held, err := e.completeAll(ctx, results)
	for delay := firstWait; fault.CodeOf(err) == fault.Unavailable && e.leased(results) && wait(delay, hurry); delay = min(2*delay, time.Second) {
		held, err = e.completeAll(ctx, results)
	}
	if err == nil {
		return held
	}
	held = nil
	for _, r := range results {
		var more []Lane
		if len(results) > 1 {
			more, err = e.completeAll(ctx, []result{r})
			held = append(held, more...)
		}
		if err != nil {
			e.cfg.Logger.LogAttrs(ctx, slog.LevelError, "a delivery's result could not be written; it will be sent again",
				slog.String("kind", r.Kind), slog.String("delivery", r.ID), slog.Any("error", err))
		}
	}
	return held
}

// firstWait is the first pause before results are written again.
const firstWait = 50 * time.Millisecond

// wait says whether the time passed before hurry closed.
func wait(d time.Duration, hurry <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-hurry:
		return false
	}
}

// leased says whether one of the results may still have its lease.
func (e *Engine) leased(results []result) bool {
	return slices.ContainsFunc(results, func(r result) bool { return time.Since(r.claimed) < e.cfg.Lease })
}

func (e *Engine) completeAll(ctx context.Context, results []result) ([]Lane, error) {
	now, err := e.now(ctx)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(results))
	for i, r := range results {
		outcomes[i] = e.outcome(r, now)
	}
	var spared []Lane
	lost := 0
	err = e.store.Do(ctx, func(ctx context.Context) error {
		held, err := e.store.Complete(ctx, outcomes)
		if err != nil {
			return err
		}
		ours := make(map[string]bool, len(held))
		for _, id := range held {
			ours[id] = true
		}
		lost = 0
		var final []Delivery
		var counted []result
		for i, o := range outcomes {
			if !ours[o.ID] {
				lost++
				continue
			}
			if !results[i].released {
				counted = append(counted, results[i])
			}
			if o.State.Final() {
				d := results[i].Delivery
				d.State, d.FinishedAt, d.LastError, d.Attempts = o.State, o.Finished, o.LastError, o.Attempts
				d.NextAttemptAt, d.LeaseToken = time.Time{}, ""
				final = append(final, d)
			}
		}
		if spared, err = e.note(ctx, counted, now); err != nil {
			return err
		}
		return e.done(ctx, final)
	})
	if err != nil {
		return nil, err
	}
	if lost > 0 {
		e.watch.lost.Add(ctx, int64(lost))
		e.cfg.Logger.WarnContext(ctx, "leases were lost before their results were written", "deliveries", lost)
	}
	return spared, nil
}

// note writes down how the destinations of kinds with Health are, and returns those that are held now. Successes of a
// destination that nothing is known against cost nothing.
func (e *Engine) note(ctx context.Context, results []result, now time.Time) ([]Lane, error) {
	if len(e.health) == 0 {
		return nil, nil
	}
	matter := map[Lane]bool{}
	for _, r := range results {
		if _, ok := e.health[r.Kind]; ok && r.counts() && (r.noted || r.State() != Succeeded) {
			matter[r.Lane()] = true
		}
	}
	if len(matter) == 0 {
		return nil, nil
	}
	lanes := slices.SortedFunc(maps.Keys(matter), compareLanes)
	ds, err := e.store.LockDestinations(ctx, lanes)
	if err != nil {
		return nil, err
	}
	var warnings []Warning
	for _, r := range results {
		h, ok := e.health[r.Kind]
		i, found := slices.BinarySearchFunc(lanes, r.Lane(), compareLanes)
		if !ok || !found || !r.counts() {
			continue
		}
		told := len(warnings)
		if r.State() == Succeeded {
			warnings = append(warnings, ds[i].succeeded(now)...)
		} else {
			f := failure{text: errorText(r.err), gone: r.gone, probe: r.probe}
			if r.slow {
				f.asked, _ = retry.AskedFor(r.err)
			}
			warnings = append(warnings, ds[i].failed(h, now, f, e.cfg.Random)...)
		}
		for ; told < len(warnings); told++ {
			warnings[told].Kind = r.Kind
		}
	}
	if err := e.store.SaveDestinations(ctx, ds, now); err != nil {
		return nil, err
	}
	for _, w := range warnings {
		e.watch.warned(ctx, w)
		e.cfg.Logger.WarnContext(ctx, "a destination changed", "stage", string(w.Stage), "destination", w.Lane.Destination, "failures", w.Failures)
		if tell := e.cfg.Kinds[w.Kind].OnWarning; tell != nil {
			if err := tell(ctx, w); err != nil {
				return nil, err
			}
		}
	}
	var held []Lane
	for _, d := range ds {
		if d.Held(now) {
			held = append(held, d.Lane)
		}
	}
	return held, nil
}

// counts says whether the result tells something about the destination.
func (r result) counts() bool {
	switch {
	case r.released, r.later, errors.Is(r.err, errUnknownOutcome):
		return false
	case r.state == Cancelled, r.state == Suppressed:
		return false
	}
	return true
}

// outcome decides what becomes of a delivery.
func (e *Engine) outcome(r result, now time.Time) Outcome {
	o := Outcome{ID: r.ID, Token: r.LeaseToken, Lane: r.Lane(), State: r.State(), Attempts: r.Attempts, LastError: r.LastError}
	switch {
	case r.released:
		o.State, o.Next, o.Attempts = Pending, now, r.Attempts-1
		return o
	case r.later:
		o.Next, o.Attempts = now.Add(r.wait), r.Attempts-1
		return o
	}
	o.LastError = errorText(r.err)
	if r.state == "" {
		o.LastError = errUnknown.Error()
	}
	if o.State == Pending && e.exhausted(r.Delivery, r.Attempts) {
		o.State = Dead
	}
	if o.State == Pending {
		delay := e.cfg.Kinds[r.Kind].delay(r.Attempts, e.cfg.Random)
		if asked, ok := retry.AskedFor(r.err); ok {
			delay = max(delay, asked)
		}
		o.Next = now.Add(delay)
		if e.cfg.Kinds[r.Kind].Ordered {
			o.OrderKey = r.OrderKey
		}
	}
	if o.State.Final() {
		o.Finished = now
	}
	o.Attempt = &Attempt{
		DeliveryID: r.ID, Number: r.Attempts, StartedAt: now.Add(-time.Since(r.began)), Duration: r.took, State: o.State,
		Status: r.status, Response: clean(r.response), Error: o.LastError,
	}
	if errors.Is(r.err, errUnknownOutcome) {
		o.Attempts, o.Attempt.Number = r.Attempts-1, r.Attempts-1 // it was claimed only to be given up
	}
	return o
}
