package graphsynchttp

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
)

// ErrDisabled is the answer where nothing is synchronised with Entra.
var ErrDisabled = fault.New(fault.NotFound, "entra_sync_disabled", "nothing is synchronised with Microsoft Entra here")

const base = "/api/entra-sync"

func operation(method, path, summary string, status int, errors ...int) huma.Operation {
	return huma.Operation{
		Method: method, Path: base + path, Summary: summary, Tags: []string{"entra"}, DefaultStatus: status,
		Errors: append([]int{http.StatusForbidden, http.StatusNotFound}, errors...),
	}
}

// handle registers an operation that needs the service.
func handle[I, O any](api huma.API, op huma.Operation, s *graphsync.Service, h func(ctx context.Context, by identity.Principal, in *I) (*O, error)) {
	web.Handle(api, op, func(ctx context.Context, by identity.Principal, in *I) (*O, error) {
		if s == nil {
			if err := staff.Allow(by, staff.ScopeSync); err != nil {
				return nil, err
			}
			return nil, ErrDisabled
		}
		return h(ctx, by, in)
	})
}

type none struct{}

type statusOut struct{ Body Status }

type runID struct {
	ID int64 `path:"id" minimum:"1"`
}

type runOut struct{ Body Run }

type madeRun struct {
	Location string `header:"Location"`
	Body     Run
}

func made(r graphsync.Run, err error) (*madeRun, error) {
	if err != nil {
		return nil, err
	}
	return &madeRun{base + "/runs/" + strconv.FormatInt(r.ID, 10), viewRun(r)}, nil
}

func shown(r graphsync.Run, err error) (*runOut, error) {
	if err != nil {
		return nil, err
	}
	return &runOut{viewRun(r)}, nil
}

// listOut is a page of views.
type listOut[V any] struct{ Body web.List[V] }

func listed[V, T any](cut page.Page[T], err error, view func(T) V) (*listOut[V], error) {
	if err != nil {
		return nil, err
	}
	return &listOut[V]{web.ListOf(cut, view)}, nil
}

type pageIn struct{ web.PageParams }

type newRunIn struct {
	Body *struct {
		DryRun bool `json:"dry_run,omitempty" doc:"The plan waits for somebody to approve it."`
		Full   bool `json:"full,omitempty" doc:"Everything is read anew first."`
	}
}

type stepsIn struct {
	ID int64 `path:"id" minimum:"1"`
	web.PageParams
	State string `query:"state" enum:"open,done,failed,skipped"`
}

type approveIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Hash    string   `json:"hash" maxLength:"64" doc:"Of the plan that was seen."`
		Confirm []string `json:"confirm,omitempty" maxItems:"10" nullable:"false" doc:"Each guard that tripped."`
	}
}

// Register adds the routes to api, on which web.Use was called. With a nil service they answer ErrDisabled.
func Register(api huma.API, s *graphsync.Service) {
	handle(api, operation(http.MethodGet, "", "See how the synchronisation with Entra stands", http.StatusOK), s,
		func(ctx context.Context, by identity.Principal, _ *none) (*statusOut, error) {
			status, err := s.Status(ctx, by)
			if err != nil {
				return nil, err
			}
			return &statusOut{viewStatus(status)}, nil
		})
	for path, paused := range map[string]bool{"/pause": true, "/resume": false} {
		summary := map[bool]string{true: "Stop the schedule", false: "Let the schedule go on"}[paused]
		handle(api, operation(http.MethodPost, path, summary, http.StatusNoContent), s,
			func(ctx context.Context, by identity.Principal, _ *none) (*none, error) {
				return nil, s.Pause(ctx, by, paused)
			})
	}
	runs(api, s)
	queues(api, s)
}

func runs(api huma.API, s *graphsync.Service) {
	handle(api, operation(http.MethodGet, "/runs", "List runs, newest first", http.StatusOK), s,
		func(ctx context.Context, by identity.Principal, in *pageIn) (*listOut[Run], error) {
			cut, err := s.Runs(ctx, by, in.Page())
			return listed(cut, err, viewRun)
		})
	handle(api, operation(http.MethodPost, "/runs", "Ask for a run", http.StatusAccepted), s,
		func(ctx context.Context, by identity.Principal, in *newRunIn) (*madeRun, error) {
			var request graphsync.RunRequest
			if in.Body != nil {
				request = graphsync.RunRequest{DryRun: in.Body.DryRun, Full: in.Body.Full}
			}
			return made(s.Request(ctx, by, request))
		})
	handle(api, operation(http.MethodGet, "/runs/{id}", "Get a run", http.StatusOK), s,
		func(ctx context.Context, by identity.Principal, in *runID) (*runOut, error) {
			return shown(s.Get(ctx, by, in.ID))
		})
	handle(api, operation(http.MethodGet, "/runs/{id}/steps", "List the steps of a run's plan and what became of them", http.StatusOK), s,
		func(ctx context.Context, by identity.Principal, in *stepsIn) (*listOut[Step], error) {
			cut, err := s.Steps(ctx, by, in.ID, graphsync.StepState(in.State), in.Page())
			return listed(cut, err, viewStep)
		})
	handle(api, operation(http.MethodPost, "/runs/{id}/approve", "Approve a plan that waits", http.StatusOK, http.StatusConflict, http.StatusPreconditionFailed), s,
		func(ctx context.Context, by identity.Principal, in *approveIn) (*runOut, error) {
			a := graphsync.Approval{Hash: in.Body.Hash}
			for _, g := range in.Body.Confirm {
				a.Confirmed = append(a.Confirmed, graphsync.Guard(g))
			}
			return shown(s.Approve(ctx, by, in.ID, a))
		})
	handle(api, operation(http.MethodPost, "/runs/{id}/discard", "End a run; what was done stays done", http.StatusOK, http.StatusConflict), s,
		func(ctx context.Context, by identity.Principal, in *runID) (*runOut, error) {
			return shown(s.Discard(ctx, by, in.ID))
		})
	handle(api, operation(http.MethodPost, "/runs/{id}/rollback", "Make the plan that undoes a run, and stop the schedule", http.StatusCreated, http.StatusConflict), s,
		func(ctx context.Context, by identity.Principal, in *runID) (*madeRun, error) {
			return made(s.Rollback(ctx, by, in.ID))
		})
}

type resolveIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body struct {
		Action string `json:"action" enum:"ignore,link,unlink,enable"`
		Remote string `json:"remote_id,omitempty" maxLength:"255" doc:"For link: one of the conflict's."`
	}
}

type waitingIn struct {
	Kind string `path:"kind" enum:"user,group"`
	web.PageParams
}

type releaseIn struct {
	Kind string `path:"kind" enum:"user,group"`
	ID   int64  `path:"id" minimum:"1" doc:"Of the person or unit."`
}

func queues(api huma.API, s *graphsync.Service) {
	handle(api, operation(http.MethodGet, "/conflicts", "List what somebody should look at", http.StatusOK), s,
		func(ctx context.Context, by identity.Principal, in *pageIn) (*listOut[Conflict], error) {
			cut, err := s.Issues(ctx, by, in.Page())
			return listed(cut, err, viewConflict)
		})
	handle(api, operation(http.MethodPost, "/conflicts/{id}/resolve", "Decide a conflict", http.StatusNoContent, http.StatusConflict), s,
		func(ctx context.Context, by identity.Principal, in *resolveIn) (*none, error) {
			return nil, s.Resolve(ctx, by, in.ID, graphsync.Resolution(in.Body.Action), in.Body.Remote)
		})
	handle(api, operation(http.MethodGet, "/quarantine/{kind}", "List what is left alone because it kept failing", http.StatusOK), s,
		func(ctx context.Context, by identity.Principal, in *waitingIn) (*listOut[Waiting], error) {
			cut, err := s.Quarantine(ctx, by, graphsync.Kind(in.Kind), in.Page())
			return listed(cut, err, viewWaiting)
		})
	handle(api, operation(http.MethodPost, "/quarantine/{kind}/{id}/release", "Let it be tried in the next run", http.StatusNoContent), s,
		func(ctx context.Context, by identity.Principal, in *releaseIn) (*none, error) {
			return nil, s.Retry(ctx, by, graphsync.Kind(in.Kind), in.ID)
		})
}
