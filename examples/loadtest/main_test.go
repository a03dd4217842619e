package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestModes runs every mode on both databases with a few events: all arrive, none is lost.
func TestModes(t *testing.T) {
	for name, database := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": sqldbtest.PostgresURL,
	} {
		for mode := range modes {
			t.Run(name+"/"+mode, func(t *testing.T) {
				var out strings.Builder
				if err := run(t.Context(), settings{mode: mode, n: 50, database: database(t), json: true}, &out); err != nil {
					t.Fatalf("%v\n%s", err, out.String())
				}
				var r report
				if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
					t.Fatalf("%v: %s", err, out.String())
				}
				want := 50
				if mode == "fanout" {
					want = 500
				}
				if r.Published != 50 || r.Delivered != want || r.Lost != 0 || r.Mode != mode {
					t.Errorf("%+v", r)
				}
			})
		}
	}
}
