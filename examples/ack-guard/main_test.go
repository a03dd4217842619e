package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if n := strings.Count(out.String(), "ok    "); n != 13 || strings.Contains(out.String(), "WRONG") {
		t.Errorf("%d checks:\n%s", n, &out)
	}
}

// TestWrong: a check that does not hold is shown and counted.
func TestWrong(t *testing.T) {
	var out strings.Builder
	c := checks{out: &out}
	c.that(false, "the sky is green", "blue")
	if c.wrong != 1 || out.String() != "WRONG the sky is green: blue\n" {
		t.Errorf("%d, %q", c.wrong, &out)
	}
}
