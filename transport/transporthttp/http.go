package transporthttp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport"
)

// The faults of these routes, beside transport.ErrNotPoisoned and transport.ErrUnknownHandler (404).
var (
	ErrAdminOnly  = fault.New(fault.Forbidden, "admin_only", "only an administrator may do this")
	ErrStillFails = fault.New(fault.Conflict, "still_fails", "the handler has failed again; the event stays on the list")
)

// admin is the role that sees the failed events of its tenant.
const admin = "admin"

// Router is what handles again; transport.Router is one.
type Router interface {
	Replay(ctx context.Context, tenant identity.TenantID, id string) error
}

// Config says what is served. All fields are needed.
type Config struct {
	Failed transport.PoisonStore
	Router Router
	Audit  audit.Recorder
	Do     func(ctx context.Context, fn func(context.Context) error) error // runs fn in a transaction of the store's database
}

// FailedEvent is a transport.Poisoned on the wire.
type FailedEvent struct {
	ID        string    `json:"id"`
	Handler   string    `json:"handler" doc:"Which of the handlers has failed; the others have handled the event."`
	EventID   string    `json:"event_id"`
	EventType string    `json:"event_type"`
	Subject   string    `json:"subject" doc:"What the event is about: kind/id."`
	EventTime time.Time `json:"event_time"`
	Reason    string    `json:"reason" doc:"For operators."`
	Tries     int       `json:"tries"`
	FailedAt  time.Time `json:"failed_at"`
}

type listInput struct{ web.PageParams }

type listOutput struct{ Body web.List[FailedEvent] }

type replayInput struct {
	ID string `path:"id" maxLength:"255"`
}

// Register adds the operations to api, on which web.Use was called.
func Register(api huma.API, cfg Config) {
	web.Handle(api, huma.Operation{
		OperationID: "list-failed-events", Method: http.MethodGet, Path: "/failed-events", Tags: []string{"events"},
		Summary: "List events that a handler has failed for good, newest first", Errors: []int{http.StatusForbidden},
	}, func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
		if !by.HasRole(admin) {
			return nil, ErrAdminOnly
		}
		cut, err := cfg.Failed.Poisoned(ctx, by.Tenant, in.Page())
		if err != nil {
			return nil, err
		}
		return &listOutput{web.ListOf(cut, view)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "replay-failed-event", Method: http.MethodPost, Path: "/failed-events/{id}/replay", Tags: []string{"events"},
		Summary: "Have the handler handle the event again", DefaultStatus: http.StatusNoContent,
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, by identity.Principal, in *replayInput) (*struct{}, error) {
		if !by.HasRole(admin) {
			return nil, ErrAdminOnly
		}
		return nil, cfg.replay(ctx, by, in.ID)
	})
}

func (c Config) replay(ctx context.Context, by identity.Principal, id string) error {
	return c.Do(ctx, func(ctx context.Context) error {
		err := c.Router.Replay(ctx, by.Tenant, id)
		switch {
		case err == nil:
			return c.Audit.Record(ctx, audit.By(by, "event_replay", "failed_event", id))
		case errors.Is(err, transport.ErrNotPoisoned), errors.Is(err, transport.ErrUnknownHandler), fault.CodeOf(err) == fault.Unavailable:
			return err
		}
		return ErrStillFails.Because(err)
	})
}

func view(p transport.Poisoned) FailedEvent {
	return FailedEvent{
		ID: p.ID, Handler: p.Handler, EventID: p.Event.ID, EventType: p.Event.Type, Subject: p.Event.Subject, EventTime: p.Event.Time.UTC(),
		Reason: p.Reason, Tries: p.Tries, FailedAt: p.Time.UTC(),
	}
}
