package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sweep"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport/delivery"
)

// demoClock is POST /demo/clock: it moves the clock that deadlines are judged by, so that anybody can watch a reminder
// or a timeout happen, and sweeps before it answers.
func (s *Server) demoClock(api huma.API) {
	type input struct {
		Body struct {
			Advance string `json:"advance" doc:"how far, e.g. 49h or 30m" example:"49h" maxLength:"32"`
		}
	}
	type output struct {
		Body struct {
			Now time.Time `json:"now" doc:"what the clock shows afterwards"`
		}
	}
	web.Handle(api, huma.Operation{Method: http.MethodPost, Path: "/demo/clock", Summary: "Move the clock (demo only)", Tags: []string{"demo"}},
		func(ctx context.Context, _ identity.Principal, in *input) (*output, error) {
			d, err := time.ParseDuration(in.Body.Advance)
			if err != nil || d < 0 || d > 10*366*24*time.Hour {
				return nil, fault.InvalidField("advance", "must be a duration such as 49h, forward, and at most ten years")
			}
			s.awaitQuiet(ctx)
			s.db.AdvanceClock(d)
			if err := sweep.All(ctx, s.sweeps()...); err != nil {
				return nil, err
			}
			now, err := s.db.Now(ctx)
			if err != nil {
				return nil, err
			}
			out := &output{}
			out.Body.Now = now
			return out, nil
		})
}

// quietPatience is how long the clock waits for deliveries that are being made.
const quietPatience = 2 * time.Second

// awaitQuiet waits, but not for long, until no delivery is under way: a jump would run out its lease, as a real outage
// does, and it would be made twice.
func (s *Server) awaitQuiet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, quietPatience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		busy, err := s.queue.List(ctx, s.cfg.Tenant, delivery.Filter{States: []delivery.State{delivery.Leased}}, page.Request{Limit: 1})
		if err != nil || len(busy.Items) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
