package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy is exponential back-off. The zero Policy is that of notices (seed 003 §6.3): a first try and three more after
// about 1, 4 and 16 minutes. It is a value, safe for concurrent use.
type Policy struct {
	First      time.Duration // delay after the first try; default one minute
	Max        time.Duration // longest delay; default one hour
	Multiplier float64       // growth from one delay to the next; default 4, at least 1
	Jitter     float64       // the random part of a delay d, which lies in [d·(1-Jitter), d]; 1 is full jitter; default 0.2, negative none
	Tries      int           // tries in all, the first one included; default 4, negative unlimited
}

// MaxAfter caps what After can ask for.
const MaxAfter = 24 * time.Hour

func (p Policy) withDefaults() Policy {
	if p.First <= 0 {
		p.First = time.Minute
	}
	if p.Max <= 0 {
		p.Max = time.Hour
	}
	if p.Multiplier == 0 {
		p.Multiplier = 4
	}
	p.Multiplier = max(p.Multiplier, 1)
	if p.Jitter == 0 {
		p.Jitter = 0.2
	}
	p.Jitter = min(max(p.Jitter, 0), 1)
	if p.Tries == 0 {
		p.Tries = 4
	}
	return p
}

// Delay returns how long to wait after the given number of tries (1 after the first). random returns numbers in [0, 1);
// nil is the usual source.
func (p Policy) Delay(tries int, random func() float64) time.Duration {
	p = p.withDefaults()
	b := backoff.ExponentialBackOff{
		InitialInterval: min(p.First, p.Max), Multiplier: p.Multiplier, MaxInterval: p.Max, Clock: backoff.SystemClock,
	}
	b.Reset()
	d := b.NextBackOff()
	for i := 1; i < tries && d < p.Max && p.Multiplier > 1; i++ {
		d = b.NextBackOff()
	}
	if random == nil {
		random = rand.Float64
	}
	return d - time.Duration(float64(d)*p.Jitter*random())
}

// Exhausted says whether no try is left after the given number of them.
func (p Policy) Exhausted(tries int) bool {
	p = p.withDefaults()
	return p.Tries >= 0 && tries >= p.Tries
}

// Next says whether to try again after the given number of tries, the last of which ended with err, and after which
// delay: the policy's, or the one that After asked for when that is longer.
func (p Policy) Next(tries int, err error) (delay time.Duration, again bool) {
	if IsPermanent(err) || p.Exhausted(tries) {
		return 0, false
	}
	d := p.Delay(tries, nil)
	if asked, ok := AskedFor(err); ok {
		d = max(d, asked)
	}
	return d, true
}

// Do calls fn until it succeeds, its error is permanent, the policy is exhausted or ctx ends, and returns the last
// error without the Permanent or After mark. It holds everything in memory: give it delays of seconds at most.
func Do(ctx context.Context, p Policy, fn func(ctx context.Context) error) error {
	for tries := 1; ; tries++ {
		err := fn(ctx)
		if err == nil {
			return nil
		}
		delay, again := p.Next(tries, err)
		if !again || ctx.Err() != nil {
			return bare(err)
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return bare(err)
		case <-timer.C:
		}
	}
}

// Permanent marks an error that another try cannot cure. Permanent(nil) is nil.
func Permanent(err error) error { return backoff.Permanent(err) }

// IsPermanent says whether err, or an error that it wraps, was marked by Permanent.
func IsPermanent(err error) bool {
	var p *backoff.PermanentError
	return errors.As(err, &p)
}

type after struct {
	error
	delay time.Duration
}

func (a *after) Unwrap() error { return a.error }

// After marks an error with the time to wait before the next try, capped at MaxAfter. After(nil, d) is nil.
func After(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &after{err, min(max(d, 0), MaxAfter)}
}

// AskedFor returns the delay that After put on err.
func AskedFor(err error) (time.Duration, bool) {
	if a, ok := errors.AsType[*after](err); ok {
		return a.delay, true
	}
	return 0, false
}

// bare takes an outer mark off.
func bare(err error) error {
	for {
		switch e := err.(type) { //nolint:errorlint // the outer mark only
		case *backoff.PermanentError:
			err = e.Err
		case *after:
			err = e.error
		default:
			return err
		}
	}
}
