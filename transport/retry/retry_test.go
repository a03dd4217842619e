package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/transport/retry"
)

func ExamplePolicy_Delay() {
	var notices retry.Policy
	none := func() float64 { return 0 }
	for tries := 1; !notices.Exhausted(tries); tries++ {
		fmt.Println(notices.Delay(tries, none))
	}
	// Output:
	// 1m0s
	// 4m0s
	// 16m0s
}

func ExamplePermanent() {
	gone := errors.New("410 Gone")
	err := retry.Do(context.Background(), retry.Policy{}, func(context.Context) error {
		return retry.Permanent(gone)
	})
	fmt.Println(err == gone)
	// Output: true
}

func TestDelay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := retry.Policy{
			First:      time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "first")),
			Max:        time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "max")),
			Multiplier: rapid.Float64Range(0, 10).Draw(t, "multiplier"),
			Jitter:     rapid.Float64Range(-1, 2).Draw(t, "jitter"),
		}
		tries := rapid.IntRange(0, 1_000_000).Draw(t, "tries")
		random := rapid.Float64Range(0, 0.999999).Draw(t, "random")
		most := p.Max
		if most == 0 {
			most = time.Hour
		}
		longest := p.Delay(tries, func() float64 { return 0 })
		d := p.Delay(tries, func() float64 { return random })
		if d < 0 || d > longest || longest > most {
			t.Fatalf("delay %v, longest %v, cap %v", d, longest, most)
		}
		if next := p.Delay(tries+1, func() float64 { return 0 }); next < longest {
			t.Fatalf("delays shrink: %v then %v", longest, next)
		}
	})
}

func TestFullJitter(t *testing.T) {
	p := retry.Policy{First: time.Second, Jitter: 1}
	if d := p.Delay(1, func() float64 { return 0.75 }); d != 250*time.Millisecond {
		t.Errorf("delay %v", d)
	}
	p.Jitter = -1
	if d := p.Delay(1, func() float64 { return 0.75 }); d != time.Second {
		t.Errorf("without jitter %v", d)
	}
}

func TestNext(t *testing.T) {
	failed := errors.New("503")
	p := retry.Policy{First: time.Second, Jitter: -1, Tries: 3}
	tests := []struct {
		name  string
		tries int
		err   error
		delay time.Duration
		again bool
	}{
		{"first", 1, failed, time.Second, true},
		{"second", 2, failed, 4 * time.Second, true},
		{"exhausted", 3, failed, 0, false},
		{"permanent", 1, fmt.Errorf("sending: %w", retry.Permanent(failed)), 0, false},
		{"asked for longer", 1, fmt.Errorf("sending: %w", retry.After(failed, time.Minute)), time.Minute, true},
		{"asked for shorter", 2, retry.After(failed, time.Second), 4 * time.Second, true},
		{"asked for too long", 1, retry.After(failed, 1000*time.Hour), retry.MaxAfter, true},
	}
	for _, tt := range tests {
		if d, again := p.Next(tt.tries, tt.err); d != tt.delay || again != tt.again {
			t.Errorf("%s: %v %t, want %v %t", tt.name, d, again, tt.delay, tt.again)
		}
	}
	if p := (retry.Policy{Tries: -1}); p.Exhausted(1 << 30) {
		t.Error("unlimited tries came to an end")
	}
}

func TestDo(t *testing.T) {
	failed := errors.New("failed")
	quick := retry.Policy{First: time.Nanosecond, Max: time.Nanosecond, Tries: 3}
	calls := 0
	err := retry.Do(t.Context(), quick, func(context.Context) error {
		calls++
		return retry.After(failed, 0)
	})
	if err != failed || calls != 3 {
		t.Errorf("%v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	err = retry.Do(ctx, retry.Policy{}, func(context.Context) error {
		calls++
		cancel()
		return failed
	})
	if err != failed || calls != 1 {
		t.Errorf("cancelled: %v after %d calls", err, calls)
	}
	if retry.Permanent(nil) != nil || retry.After(nil, time.Second) != nil {
		t.Error("a mark on nil is an error")
	}
}
