package postgrestest

import (
	"context"
	"errors"
	"os"
	"testing"
)

func TestPrivateRestarts(t *testing.T) {
	p, err := StartPrivate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
			t.Error("its data are still there:", err)
		}
		if ping(context.WithoutCancel(t.Context()), p.URL) == nil {
			t.Error("it still answers")
		}
	})
	before := query(t, p.URL, "SELECT pg_postmaster_start_time()::text")
	for _, crash := range []bool{false, true} {
		if err := p.Restart(t.Context(), crash); err != nil {
			t.Fatal(err)
		}
		after := query(t, p.URL, "SELECT pg_postmaster_start_time()::text")
		if after == before {
			t.Errorf("crash %t: the server did not restart", crash)
		}
		before = after
		if got := query(t, p.URL, "SHOW max_connections"); got != "200" {
			t.Errorf("it came back with max_connections %s", got)
		}
	}
}
