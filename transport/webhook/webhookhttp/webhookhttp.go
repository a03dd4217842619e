package webhookhttp

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
)

// Service is what is served; webhook.Service is one.
type Service interface {
	Subscribe(ctx context.Context, by identity.Principal, in webhook.Subscription) (webhook.Subscription, error)
	Update(ctx context.Context, by identity.Principal, id string, c webhook.Change) (webhook.Subscription, error)
	Get(ctx context.Context, by identity.Principal, id string) (webhook.Subscription, error)
	List(ctx context.Context, by identity.Principal, f webhook.Filter, p page.Request) (page.Page[webhook.Subscription], error)
	Delete(ctx context.Context, by identity.Principal, id string) error
	Pause(ctx context.Context, by identity.Principal, id string) error
	Resume(ctx context.Context, by identity.Principal, id string, replay bool) (int, error)
	RotateSecret(ctx context.Context, by identity.Principal, id string, r webhook.Rotation) (webhook.Subscription, error)
	Ping(ctx context.Context, by identity.Principal, id string) (string, error)
	Deliveries(ctx context.Context, by identity.Principal, id string, p page.Request, states ...delivery.State) (page.Page[delivery.Record], error)
	Resend(ctx context.Context, by identity.Principal, id, deliveryID, key string) (delivery.Delivery, error)
	Recover(ctx context.Context, by identity.Principal, id string, since time.Time, dryRun bool) (int, error)
	ReplayMissing(ctx context.Context, by identity.Principal, id string, since time.Time, dryRun bool) (int, error)
}

var _ Service = (*webhook.Service)(nil)

// ErrForbidden is returned to who may not manage webhooks.
var ErrForbidden = fault.New(fault.Forbidden, "webhooks_forbidden", "managing webhooks needs the role admin or the scope webhooks:manage")

// The role and the scope that may use it by default.
const (
	RoleAdmin   = "admin"
	ScopeManage = "webhooks:manage"
)

// Option changes Register.
type Option func(*routes)

// Allow decides who may use it. Return a fault such as ErrForbidden. Default: the role admin or the scope
// webhooks:manage.
func Allow(f func(by identity.Principal) error) Option { return func(r *routes) { r.allow = f } }

// Name sets the tag and the prefix of the operation ids, which must differ when it is mounted twice. Default "webhooks".
func Name(name string) Option { return func(r *routes) { r.name = name } }

type routes struct {
	Service
	prefix, name string
	allow        func(by identity.Principal) error
}

func allowed(by identity.Principal) error {
	if by.HasRole(RoleAdmin) || slices.Contains(by.Scopes, ScopeManage) {
		return nil
	}
	return ErrForbidden
}

type idInput struct {
	ID string `path:"id" maxLength:"100"`
}

type subscriptionOutput struct{ Body Subscription }

type createdOutput struct {
	Location string `header:"Location"`
	Body     Subscription
}

type subscribeInput struct {
	Body struct {
		URL         string                   `json:"url" maxLength:"2048" doc:"https, on the public Internet." example:"https://example.com/hook"`
		Events      []string                 `json:"events" minItems:"1" maxItems:"100" nullable:"false" doc:"Types, \"prefix.*\" or \"*\"."`
		Description string                   `json:"description,omitempty" maxLength:"200"`
		Owner       string                   `json:"owner,omitempty" maxLength:"100"`
		Headers     map[string]secret.String `json:"headers,omitempty" doc:"Sent along with each delivery; not shown again."`
		RateLimit   *RateLimit               `json:"rate_limit,omitempty"`
		Secret      secret.String            `json:"secret,omitzero" required:"false" doc:"Default: one is made. whsec_ and 24 to 64 bytes in base64, or 8 to 256 printable characters."`
	}
}

type updateInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		URL         *string                  `json:"url,omitempty" maxLength:"2048"`
		Events      []string                 `json:"events,omitempty" maxItems:"100"`
		Description *string                  `json:"description,omitempty" maxLength:"200"`
		Owner       *string                  `json:"owner,omitempty" maxLength:"100"`
		Headers     map[string]secret.String `json:"headers,omitempty" doc:"All of them; {} removes them."`
		RateLimit   *RateLimit               `json:"rate_limit,omitempty"`
	}
}

type listInput struct {
	web.PageParams
	URL   string `query:"url" maxLength:"2048"`
	Owner string `query:"owner" maxLength:"100"`
}

type listOutput struct{ Body web.List[Subscription] }

// Register adds the operations to api, on which web.Use was called, under prefix such as "/webhooks".
func Register(api huma.API, s Service, prefix string, options ...Option) {
	r := &routes{Service: s, prefix: strings.TrimSuffix(prefix, "/"), name: "webhooks", allow: allowed}
	for _, o := range options {
		o(r)
	}
	add(api, r, http.MethodPost, "subscribe", "", "Subscribe to events", http.StatusCreated,
		func(ctx context.Context, by identity.Principal, in *subscribeInput) (*createdOutput, error) {
			b := in.Body
			asked := webhook.Subscription{
				URL: b.URL, Events: b.Events, Description: b.Description, Owner: b.Owner, Headers: b.Headers, Secret: b.Secret,
			}
			if l := b.RateLimit.limit(); l != nil {
				asked.Limit = *l
			}
			sub, err := r.Subscribe(ctx, by, asked)
			if err != nil {
				return nil, err
			}
			return &createdOutput{r.prefix + "/" + sub.ID, view(sub)}, nil
		})
	add(api, r, http.MethodGet, "list", "", "List subscriptions, oldest first", http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
			cut, err := r.List(ctx, by, webhook.Filter{URL: in.URL, Owner: in.Owner}, in.Page())
			if err != nil {
				return nil, err
			}
			return &listOutput{web.ListOf(cut, view)}, nil
		})
	add(api, r, http.MethodGet, "get", "/{id}", "Get a subscription", http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *idInput) (*subscriptionOutput, error) {
			return shown(r.Get(ctx, by, in.ID))
		})
	add(api, r, http.MethodPatch, "update", "/{id}", "Change a subscription", http.StatusOK,
		func(ctx context.Context, by identity.Principal, in *updateInput) (*subscriptionOutput, error) {
			b := in.Body
			return shown(r.Update(ctx, by, in.ID, webhook.Change{
				URL: b.URL, Events: b.Events, Description: b.Description, Owner: b.Owner, Headers: b.Headers, Limit: b.RateLimit.limit(),
			}))
		})
	add(api, r, http.MethodDelete, "delete", "/{id}", "Remove a subscription", http.StatusNoContent,
		func(ctx context.Context, by identity.Principal, in *idInput) (*struct{}, error) {
			return nil, r.Delete(ctx, by, in.ID)
		})
	r.lifecycle(api)
	r.deliveries(api)
}

// add registers one operation behind the permission.
func add[I, O any](api huma.API, r *routes, method, id, path, summary string, status int, h func(context.Context, identity.Principal, *I) (*O, error)) {
	web.Handle(api, huma.Operation{
		OperationID: r.name + "-" + id, Method: method, Path: r.prefix + path, Summary: summary, Tags: []string{r.name}, DefaultStatus: status,
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict},
	}, func(ctx context.Context, by identity.Principal, in *I) (*O, error) {
		if err := r.allow(by); err != nil {
			return nil, err
		}
		return h(ctx, by, in)
	})
}

func shown(s webhook.Subscription, err error) (*subscriptionOutput, error) {
	if err != nil {
		return nil, err
	}
	return &subscriptionOutput{view(s)}, nil
}
