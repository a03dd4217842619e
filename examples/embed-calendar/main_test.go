package main

import (
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := "first order: stored\nsecond order: the van is out; free again at 10:00\norders stored: 1\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
