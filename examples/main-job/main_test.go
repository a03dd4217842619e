package main

import (
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestMainJob: the story holds on both databases, and again in a database that has seen it.
func TestMainJob(t *testing.T) {
	for name, database := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": sqldbtest.PostgresURL,
	} {
		t.Run(name, func(t *testing.T) {
			url := database(t)
			for range 2 {
				var out strings.Builder
				if err := run(t.Context(), url, &out); err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
			}
		})
	}
}
