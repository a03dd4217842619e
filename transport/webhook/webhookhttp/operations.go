package webhookhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
)

// Count says how many deliveries were or, with dry_run, would be sent.
type Count struct {
	Count  int  `json:"count"`
	DryRun bool `json:"dry_run,omitempty"`
}

type countOutput struct{ Body Count }

type resumeInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Replay bool `json:"replay,omitempty" doc:"Also send again what was given up since it began to fail."`
	}
}

type rotateInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Secret  secret.String `json:"secret,omitzero" required:"false" doc:"Default: one is made."`
		Overlap *int          `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the old secret signs too; default a day."`
	}
}

type testOutput struct {
	Body struct {
		EventID string `json:"event_id" doc:"To be found among the deliveries."`
	}
}

type deliveriesInput struct {
	web.PageParams
	ID    string `path:"id" maxLength:"100"`
	State string `query:"state" enum:"pending,leased,succeeded,dead,suppressed,cancelled,forgotten"`
}

type deliveriesOutput struct{ Body web.List[Delivery] }

type resendInput struct {
	ID         string `path:"id" maxLength:"100"`
	DeliveryID string `path:"delivery_id" maxLength:"100"`
	Key        string `header:"Idempotency-Key" hidden:"true"`
}

type deliveryOutput struct{ Body Delivery }

type sinceInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Since  time.Time `json:"since" doc:"Inclusive."`
		DryRun bool      `json:"dry_run,omitempty" doc:"Count only."`
	}
}

func (r *routes) lifecycle(api huma.API) {
	add(api, r, http.MethodPost, "pause", "/{id}/pause", "Hold what comes until it is resumed", http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *idInput) (*subscriptionOutput, error) {
			if err := r.Pause(ctx, by, in.ID); err != nil {
				return nil, err
			}
			return shown(r.Get(ctx, by, in.ID))
		})
	add(api, r, http.MethodPost, "resume", "/{id}/resume", "Send again after a pause or a failure", http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *resumeInput) (*countOutput, error) {
			n, err := r.Resume(ctx, by, in.ID, in.Body.Replay)
			if err != nil {
				return nil, err
			}
			return &countOutput{Count{Count: n}}, nil
		})
	add(api, r, http.MethodPost, "rotate-secret", "/{id}/rotate-secret", "Give it a new secret", http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *rotateInput) (*subscriptionOutput, error) {
			rotation := webhook.Rotation{Secret: in.Body.Secret}
			if seconds := in.Body.Overlap; seconds != nil {
				if rotation.Overlap = time.Duration(*seconds) * time.Second; *seconds == 0 {
					rotation.Overlap = -1
				}
			}
			return shown(r.RotateSecret(ctx, by, in.ID, rotation))
		})
	add(api, r, http.MethodPost, "test", "/{id}/test", "Send a test event", http.StatusAccepted,
		func(ctx context.Context, by identity.Principal, in *idInput) (*testOutput, error) {
			id, err := r.Ping(ctx, by, in.ID)
			if err != nil {
				return nil, err
			}
			out := &testOutput{}
			out.Body.EventID = id
			return out, nil
		})
}

func (r *routes) deliveries(api huma.API) {
	add(api, r, http.MethodGet, "list-deliveries", "/{id}/deliveries", "List deliveries with their attempts, newest first", http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *deliveriesInput) (*deliveriesOutput, error) {
			var states []delivery.State
			if in.State != "" {
				states = append(states, delivery.State(in.State))
			}
			cut, err := r.Deliveries(ctx, by, in.ID, in.Page(), states...)
			if err != nil {
				return nil, err
			}
			return &deliveriesOutput{web.ListOf(cut, viewDelivery)}, nil
		})
	add(api, r, http.MethodPost, "resend", "/{id}/deliveries/{delivery_id}/resend", "Send a finished delivery again", http.StatusCreated,
		func(ctx context.Context, by identity.Principal, in *resendInput) (*deliveryOutput, error) {
			d, err := r.Resend(ctx, by, in.ID, in.DeliveryID, in.Key)
			if err != nil {
				return nil, err
			}
			return &deliveryOutput{viewDelivery(delivery.Record{Delivery: d})}, nil
		})
	r.since(api, "recover", "Send again what was given up since a time", r.Recover)
	r.since(api, "replay", "Send what it never got since a time", r.ReplayMissing)
}

func (r *routes) since(api huma.API, name, summary string, do func(context.Context, identity.Principal, string, time.Time, bool) (int, error)) {
	add(api, r, http.MethodPost, name, "/{id}/"+name, summary, http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *sinceInput) (*countOutput, error) {
			n, err := do(ctx, by, in.ID, in.Body.Since, in.Body.DryRun)
			if err != nil {
				return nil, err
			}
			return &countOutput{Count{n, in.Body.DryRun}}, nil
		})
}
