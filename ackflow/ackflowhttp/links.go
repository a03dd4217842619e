package ackflowhttp

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

type linksInput struct {
	AckRequestID string `query:"ackRequestId" maxLength:"200"`
	MessageID    string `query:"messageId" maxLength:"200"`
	TargetTable  string `query:"targetTable" maxLength:"200"`
	TargetID     string `query:"targetId" maxLength:"200"`
	Limit        int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type linksOutput struct{ Body list[Link] }

type linkInput struct{ Body NewLink }

type linkOutput struct{ Body Link }

func (h handler) links(api huma.API) {
	web.Handle(api, operation(api, http.MethodGet, "/chat-ack-links", "list-chat-ack-links", "List the links of a target, request or message, newest first", http.StatusForbidden),
		func(ctx context.Context, by identity.Principal, in *linksInput) (*linksOutput, error) {
			links, err := h.svc.Links(ctx, by, ackflow.LinkQuery(*in))
			if err != nil {
				return nil, err
			}
			return &linksOutput{list[Link]{Items: mapped(links, linkOf)}}, nil
		})
	create := operation(api, http.MethodPost, "/chat-ack-links", "create-chat-ack-link", "Tie a request to a target", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	create.DefaultStatus = http.StatusCreated
	web.Handle(api, create, func(ctx context.Context, by identity.Principal, in *linkInput) (*linkOutput, error) {
		b := in.Body
		l, err := h.svc.CreateLink(ctx, by, ackflow.NewLink{
			AckRequestID: value(b.AckRequestID), MessageID: value(b.MessageID), TargetTable: b.TargetTable, TargetID: b.TargetID,
			FlowType: value(b.FlowType), ActionKey: value(b.ActionKey),
		})
		if err != nil {
			return nil, err
		}
		return &linkOutput{linkOf(l)}, nil
	})
	web.Handle(api, operation(api, http.MethodDelete, "/chat-ack-links/{id}", "delete-chat-ack-link", "Untie a request from a target", http.StatusForbidden, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *idInput) (*okOutput, error) {
			if err := h.svc.DeleteLink(ctx, by, in.ID); err != nil {
				return nil, err
			}
			return &okOutput{OK{true}}, nil
		})
}

type templatesInput struct {
	web.PageParams

	FlowType  string `query:"flowType" maxLength:"200"`
	ActionKey string `query:"actionKey" maxLength:"200"`
}

type templatesOutput struct{ Body list[Template] }

type templateInput struct{ Body NewTemplate }

type templatePatchInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body TemplatePatch
}

type templateOutput struct{ Body Template }

func (h handler) templates(api huma.API) {
	web.Handle(api, operation(api, http.MethodGet, "/chat-ack-templates", "list-chat-ack-templates", "List templates, newest first", http.StatusForbidden),
		func(ctx context.Context, by identity.Principal, in *templatesInput) (*templatesOutput, error) {
			p, err := h.svc.ListTemplates(ctx, by, ackflow.TemplateFilter{FlowType: in.FlowType, ActionKey: in.ActionKey}, in.Page())
			if err != nil {
				return nil, err
			}
			return &templatesOutput{list[Template]{Items: mapped(p.Items, templateOf), NextCursor: p.Next}}, nil
		})
	create := operation(api, http.MethodPost, "/chat-ack-templates", "create-chat-ack-template", "Make a template", http.StatusForbidden)
	create.DefaultStatus = http.StatusCreated
	web.Handle(api, create, func(ctx context.Context, by identity.Principal, in *templateInput) (*templateOutput, error) {
		t, err := h.svc.CreateTemplate(ctx, by, in.Body.template())
		if err != nil {
			return nil, err
		}
		return &templateOutput{templateOf(t)}, nil
	})
	web.Handle(api, operation(api, http.MethodPatch, "/chat-ack-templates/{id}", "update-chat-ack-template", "Change or retire a template", http.StatusForbidden, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *templatePatchInput) (*templateOutput, error) {
			t, err := h.svc.UpdateTemplate(ctx, by, in.ID, in.Body.apply)
			if err != nil {
				return nil, err
			}
			return &templateOutput{templateOf(t)}, nil
		})
}
