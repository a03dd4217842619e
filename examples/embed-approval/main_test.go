package main

import (
	"strings"
	"testing"
)

const want = `order 1, a lamp: placed
order 2 asks [boss] because [amount 250000 ≥ 100000]
finance before its turn: step_not_open: this step has not begun
finance before the warehouse has acknowledged: ACTION_POLICY_DENIED: a condition of this decision is not met
order 2, a press: waiting
order 2, a press: waiting
order 2, a press: placed
order 3, a second press: refused (one is enough)
an order that cannot be stored: true asks nobody: true
the manager, too late: true
order 4, a forklift: lapsed
`

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}
