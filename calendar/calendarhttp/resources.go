package calendarhttp

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

type resourceID struct {
	ID string `path:"id" maxLength:"200"`
}

type newResourceInput struct{ Body NewResource }

type newResourceOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     Resource
}

type resourceOutput struct {
	ETag string `header:"ETag"`
	Body Resource
}

type resourcesInput struct {
	Kind string `query:"kind" maxLength:"50"`
	web.PageParams
}

type resourcesOutput struct{ Body web.List[Resource] }

type resourcePatchInput struct {
	ID string `path:"id" maxLength:"200"`
	web.Precondition
	Body ResourcePatch
}

type availabilityInput struct {
	ID   string    `path:"id" maxLength:"200"`
	From time.Time `query:"from" required:"true"`
	To   time.Time `query:"to" required:"true"`
}

type availabilityOutput struct{ Body Availability }

func registerResources(api huma.API, s *calendar.Service) {
	web.Handle(api, huma.Operation{
		OperationID: "create-resource", Method: http.MethodPost, Path: "/resources", Tags: tags,
		Summary: "Offer a resource (administrators)", DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, by identity.Principal, in *newResourceInput) (*newResourceOutput, error) {
		r, err := s.CreateResource(ctx, by, calendar.NewResource(in.Body))
		if err != nil {
			return nil, err
		}
		return &newResourceOutput{Location: "/resources/" + url.PathEscape(r.ID), ETag: web.ETag(r.Version), Body: resourceOf(r)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "list-resources", Method: http.MethodGet, Path: "/resources", Tags: tags, Summary: "Resources by id",
	}, func(ctx context.Context, by identity.Principal, in *resourcesInput) (*resourcesOutput, error) {
		p, err := s.Resources(ctx, by, in.Kind, in.Page())
		if err != nil {
			return nil, err
		}
		return &resourcesOutput{Body: web.ListOf(p, resourceOf)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "get-resource", Method: http.MethodGet, Path: "/resources/{id}", Tags: tags, Summary: "A resource",
	}, func(ctx context.Context, by identity.Principal, in *resourceID) (*resourceOutput, error) {
		r, err := s.Resource(ctx, by, in.ID)
		if err != nil {
			return nil, err
		}
		return &resourceOutput{ETag: web.ETag(r.Version), Body: resourceOf(r)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "update-resource", Method: http.MethodPatch, Path: "/resources/{id}", Tags: tags,
		Summary: "Change a resource (administrators)", Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, by identity.Principal, in *resourcePatchInput) (*resourceOutput, error) {
		version, err := in.Version()
		if err != nil {
			return nil, err
		}
		r, err := s.UpdateResource(ctx, by, in.ID, version, calendar.ResourcePatch(in.Body))
		if err != nil {
			return nil, err
		}
		return &resourceOutput{ETag: web.ETag(r.Version), Body: resourceOf(r)}, nil
	})
	web.Handle(api, huma.Operation{
		OperationID: "get-availability", Method: http.MethodGet, Path: "/resources/{id}/availability", Tags: tags,
		Summary: "When a resource is taken, not by what",
	}, func(ctx context.Context, by identity.Principal, in *availabilityInput) (*availabilityOutput, error) {
		busy, err := s.Availability(ctx, by, in.ID, in.From, in.To)
		if err != nil {
			return nil, err
		}
		return &availabilityOutput{Body: Availability{ResourceID: in.ID, Busy: spans(busy)}}, nil
	})
}
