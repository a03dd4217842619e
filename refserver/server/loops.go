package server

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/sweep"
)

// loop is work that never ends by itself.
type loop struct {
	name string
	run  func(ctx context.Context) error
}

// loops is every loop of the server.
func (s *Server) loops() []loop {
	all := []loop{
		{"wakes", s.db.Announce},
		{"router", s.router.Run},
		{"relay", s.relay.Run},
		{"deliveries", s.deliveries.Run},
		{"sweeps", sweep.Loop{Sweeps: s.sweeps(), Logger: s.log}.Run},
	}
	if s.entra != nil {
		all = append(all, loop{"entra", s.entra.Run})
	}
	return all
}

// sweeps is everything that falls due with time. The relay, the router and the deliveries prune for themselves.
func (s *Server) sweeps() []sweep.Func {
	all := []sweep.Func{
		named("approvals", s.approvals.Sweep),
		named("approval links", s.approvals.SweepLinks),
		named("acknowledgements", s.acks.Sweep),
		named("audit seal", s.sealer.Sweep),
		named("idempotency keys", s.idempotency.Sweep),
		named("mails and tokens", s.replies.Sweep),
		named("notices", s.notices.Sweep),
		named("staff", s.staff.Sweep),
		named("webhook log", s.hooks.Sweep),
		named("old deliveries", s.deliveries.Sweep),
	}
	if s.entra != nil {
		all = append(all, named("old runs of entra", s.entra.Sweep))
	}
	return all
}

// named says in an error whose it is.
func named(name string, f sweep.Func) sweep.Func {
	return func(ctx context.Context, limit int) (int, error) {
		n, err := f(ctx, limit)
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return n, err
	}
}

// work runs every loop until ctx ends. A loop that fails ends the server: it could only be half alive.
func (s *Server) work(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range s.loops() {
		group.Go(func() error {
			err := l.run(ctx)
			if err != nil {
				s.log.Error("loop ended", "loop", l.name, "error", err)
			}
			return err
		})
	}
	return group.Wait()
}
