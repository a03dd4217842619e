package delivery

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/retry"
)

// Lane is where deliveries wait for each other: one destination of one tenant.
type Lane struct {
	Tenant      identity.TenantID
	Destination string
}

func compareLanes(a, b Lane) int {
	return cmp.Or(strings.Compare(string(a.Tenant), string(b.Tenant)), strings.Compare(a.Destination, b.Destination))
}

// Lane returns where d waits.
func (d Delivery) Lane() Lane { return Lane{d.Tenant, d.Destination} }

// Limit is how much a destination wants at most. The zero Limit is none.
type Limit struct {
	PerSecond float64 // all nodes together
	Burst     int     // at once after a pause; default PerSecond rounded up
}

func (l Limit) burst() float64 {
	if l.Burst > 0 {
		return float64(l.Burst)
	}
	return max(1, math.Ceil(l.PerSecond))
}

// Health is when a destination that fails is spared, and when it is given up. It suits destinations that are somebody's
// server, such as a webhook's; not a relay that refuses one recipient and takes the next. The zero Health means the
// defaults.
type Health struct {
	// The circuit breaker opens when this many attempts in a row have failed (default 10; negative: never) over at least
	// TripAfter (default 30 seconds; negative: at once). What waits then waits without losing attempts. After a delay of
	// Probe (default 30 seconds, doubling up to 15 minutes, 20 % jitter) a single delivery is tried: if it succeeds the
	// breaker closes, otherwise the next delay begins.
	Trip      int
	TripAfter time.Duration
	Probe     retry.Policy

	// The destination is disabled when it has failed without a success between for at least DisableAfter (default 5 days;
	// negative: never) and at least DisableFailures times (default 20).
	DisableAfter    time.Duration
	DisableFailures int

	// Warn are the parts of the way to being disabled at which Kind.OnWarning is told; default 0.5, 0.75 and 0.9.
	Warn []float64
}

func (h Health) withDefaults() Health {
	h.Trip = or(h.Trip, 10)
	h.TripAfter = or(h.TripAfter, 30*time.Second)
	h.Probe.First = or(h.Probe.First, 30*time.Second)
	h.Probe.Max = or(h.Probe.Max, 15*time.Minute)
	h.Probe.Multiplier = or(h.Probe.Multiplier, 2)
	h.DisableAfter = or(h.DisableAfter, 5*24*time.Hour)
	h.DisableFailures = or(h.DisableFailures, 20)
	if h.Warn == nil {
		h.Warn = []float64{0.5, 0.75, 0.9}
	}
	h.Warn = slices.Sorted(slices.Values(h.Warn))
	return h
}

// Destination is how a destination is: all nodes share what it says. One that is well and has no Limit is not stored.
type Destination struct {
	Lane

	Failures       int       // attempts that failed in a row
	FailingSince   time.Time // when the first of them did; zero when well
	LastError      string    // cleaned and at most 1 KiB
	Warned         int       // how many of Health.Warn have been told
	Trips          int       // how often in a row the circuit breaker has opened; 0: it is closed
	HeldUntil      time.Time // nothing is sent before: the breaker, a probe on its way, or Retry-After
	DisabledAt     time.Time // zero: enabled
	DisabledReason string    // e.g. "gone" or "failing"
	Limit          Limit
	LimitAt        time.Time // when all of Limit's burst is free again
}

// Reasons for which the engine disables a destination.
const (
	ReasonGone    = "gone"    // it answered 410
	ReasonFailing = "failing" // it failed for too long, and too often
)

// WarningStage is why a Warning is given.
type WarningStage string

// The stages, in the order in which they come.
const (
	StageTripped  WarningStage = "tripped"  // the breaker has opened, for the first time in a row
	StageFailing  WarningStage = "failing"  // another part of the way to being disabled has passed
	StageDisabled WarningStage = "disabled" // it is disabled, and what waits for it is held
	StageWell     WarningStage = "well"     // it succeeds again after one of the above
)

// Warning tells that a destination got worse, or well again.
type Warning struct {
	Stage WarningStage
	Kind  string // of the deliveries that go there
	Destination
	Progress float64   // of the way to being disabled, in [0, 1]
	At       time.Time // of the attempt that caused it
}

// Idle says that it is well and has no Limit, so that nothing needs to be stored.
func (d Destination) Idle() bool {
	return d.Failures == 0 && d.Trips == 0 && d.HeldUntil.IsZero() && d.DisabledAt.IsZero() && d.Limit == (Limit{})
}

// Held says whether nothing may be sent to it at t.
func (d Destination) Held(t time.Time) bool { return !d.DisabledAt.IsZero() || d.HeldUntil.After(t) }

// admit returns how many of want may be sent at t, and when to ask again if that is fewer (zero: when told).
func (d Destination) admit(t time.Time, want int) (int, time.Time) {
	if d.Held(t) {
		if d.DisabledAt.IsZero() {
			return 0, d.HeldUntil
		}
		return 0, time.Time{}
	}
	if d.Trips > 0 {
		want = min(want, 1)
	}
	if d.Limit.PerSecond <= 0 {
		return want, time.Time{}
	}
	// The generic cell rate algorithm (ITU-T I.371): each send moves LimitAt one interval on, up to a burst ahead of now.
	interval := float64(time.Second) / d.Limit.PerSecond
	ahead := float64(max(0, d.LimitAt.Sub(t)))
	free := int((d.Limit.burst()*interval - ahead) / interval)
	if free >= want {
		return want, time.Time{}
	}
	return max(0, free), t.Add(time.Duration(math.Ceil(max(interval, ahead-(d.Limit.burst()-1)*interval))))
}

// took notes that n of what was admitted at t are on their way until the end of their lease.
func (d *Destination) took(t, until time.Time, n int) {
	if n == 0 {
		return
	}
	if d.Trips > 0 {
		d.HeldUntil = until // nobody else probes
	}
	if d.Limit.PerSecond > 0 {
		if d.LimitAt.Before(t) {
			d.LimitAt = t
		}
		d.LimitAt = d.LimitAt.Add(time.Duration(float64(n) * float64(time.Second) / d.Limit.PerSecond))
	}
}

// succeeded makes it well.
func (d *Destination) succeeded(t time.Time) []Warning {
	told := d.Warned > 0 || d.Trips > 0
	d.Failures, d.FailingSince, d.LastError, d.Warned, d.Trips = 0, time.Time{}, "", 0, 0
	d.HeldUntil = time.Time{}
	if told && d.DisabledAt.IsZero() {
		return []Warning{{Stage: StageWell, Destination: *d, At: t}}
	}
	return nil
}

// failure is a failed attempt, as it concerns the destination.
type failure struct {
	text  string
	asked time.Duration // by Retry-After
	gone  bool
	probe bool // it was the only one let through
}

// failed counts a failure.
func (d *Destination) failed(h Health, t time.Time, f failure, random func() float64) []Warning {
	if d.Failures++; d.FailingSince.IsZero() {
		d.FailingSince = t
	}
	d.LastError = f.text
	if f.probe {
		d.HeldUntil = time.Time{} // until the end of its lease, which nobody needs any more
	}
	if f.asked > 0 {
		d.HeldUntil = maxTime(d.HeldUntil, t.Add(f.asked))
	}
	var out []Warning
	tell := func(s WarningStage, progress float64) {
		out = append(out, Warning{Stage: s, Destination: *d, Progress: progress, At: t})
	}
	if !d.DisabledAt.IsZero() {
		return nil
	}
	lasted := max(0, t.Sub(d.FailingSince)) // results of two batches may be written in either order
	trips := h.Trip > 0 && d.Failures >= h.Trip && lasted >= h.TripAfter
	if trips && (d.Trips == 0 || f.probe) {
		d.Trips++
		d.HeldUntil = maxTime(d.HeldUntil, t.Add(h.Probe.Delay(d.Trips, random)))
		if d.Trips == 1 {
			tell(StageTripped, h.progress(d.Failures, lasted))
		}
	}
	progress := h.progress(d.Failures, lasted)
	if f.gone || progress >= 1 {
		d.DisabledAt, d.DisabledReason = t, ReasonFailing
		if f.gone {
			d.DisabledReason = ReasonGone
		}
		tell(StageDisabled, progress)
		return out
	}
	stage := d.Warned
	for stage < len(h.Warn) && progress >= h.Warn[stage] {
		stage++
	}
	if stage > d.Warned {
		d.Warned = stage
		tell(StageFailing, progress)
	}
	return out
}

// progress is how much of the way to being disabled has passed: the lesser of time and count, since both must be.
func (h Health) progress(failures int, lasted time.Duration) float64 {
	if h.DisableAfter < 0 || h.DisableFailures < 0 {
		return 0
	}
	return min(1, float64(lasted)/float64(h.DisableAfter), float64(failures)/float64(h.DisableFailures))
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Destination returns how a destination is. One that is well, or unknown, is zero but for its Lane.
func (q *Queue) Destination(ctx context.Context, tenant identity.TenantID, destination string) (Destination, error) {
	return q.store.Destination(ctx, Lane{tenant, destination})
}

// Destinations returns the destinations of a tenant that fail, are held, disabled or limited, by name.
func (q *Queue) Destinations(ctx context.Context, tenant identity.TenantID) ([]Destination, error) {
	return q.store.ListDestinations(ctx, tenant)
}

// SetLimit sets or, with the zero Limit, removes the rate limit of a destination.
func (q *Queue) SetLimit(ctx context.Context, tenant identity.TenantID, destination string, l Limit) error {
	if l.PerSecond < 0 || l.Burst < 0 || math.IsNaN(l.PerSecond) || math.IsInf(l.PerSecond, 0) {
		return ErrLimit
	}
	return q.change(ctx, Lane{tenant, destination}, func(_ time.Time, d *Destination) { d.Limit, d.LimitAt = l, time.Time{} })
}

// Disable holds everything that waits for a destination, and what comes, until Enable.
func (q *Queue) Disable(ctx context.Context, tenant identity.TenantID, destination, reason string) error {
	return q.change(ctx, Lane{tenant, destination}, func(now time.Time, d *Destination) {
		if d.DisabledAt.IsZero() {
			d.DisabledAt, d.DisabledReason = now, clean(reason)
		}
	})
}

// Enable lets a destination be sent to again, whether it was disabled or its breaker is open: what was held goes out.
// With replay, what died since it began to fail is sent again too, as by Recover; Enable says how many those are.
func (q *Queue) Enable(ctx context.Context, by identity.Principal, destination string, replay bool) (int, error) {
	var since time.Time
	err := q.change(ctx, Lane{by.Tenant, destination}, func(now time.Time, d *Destination) {
		since = or(d.FailingSince, or(d.DisabledAt, now))
		limit := d.Limit
		*d = Destination{Lane: d.Lane, Limit: limit}
	})
	if err != nil || !replay {
		return 0, err
	}
	return q.Recover(ctx, by, destination, since, false)
}

func (q *Queue) change(ctx context.Context, l Lane, change func(now time.Time, d *Destination)) error {
	return q.store.Do(ctx, func(ctx context.Context) error {
		ds, err := q.store.LockDestinations(ctx, []Lane{l})
		if err != nil {
			return err
		}
		now, err := q.store.Now(ctx)
		if err != nil {
			return err
		}
		change(now, &ds[0])
		q.store.Wake(ctx)
		return q.store.SaveDestinations(ctx, ds, now)
	})
}
