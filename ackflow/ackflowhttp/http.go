package ackflowhttp

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

type handler struct{ svc *ackflow.Service }

type idInput struct {
	ID string `path:"id" maxLength:"200"`
}

type okOutput struct{ Body OK }

// Register adds the operations to an API.
func Register(api huma.API, svc *ackflow.Service) {
	h := handler{svc}
	h.messages(api)
	h.requests(api)
	h.links(api)
	h.templates(api)
}

type messageInput struct{ Body NewMessage }

// EditBody is what a message says from now on.
type EditBody struct {
	Body string `json:"body"`
}

type editInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body EditBody
}

type messageOutput struct{ Body Message }

type messageCreated struct {
	Location string `header:"Location"`
	Body     Message
}

func (h handler) messages(api huma.API) {
	post := operation(api, http.MethodPost, "/chat-messages", "post-chat-message", "Write a message")
	post.DefaultStatus = http.StatusCreated
	web.Handle(api, post, func(ctx context.Context, by identity.Principal, in *messageInput) (*messageCreated, error) {
		m, err := h.svc.PostMessage(ctx, by, ackflow.NewMessage{RoomID: in.Body.RoomID, Body: in.Body.Body})
		if err != nil {
			return nil, err
		}
		return &messageCreated{"/chat-messages/" + m.ID, h.message(m)}, nil
	})
	web.Handle(api, operation(api, http.MethodGet, "/chat-messages/{id}", "get-chat-message", "Read a message", http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *idInput) (*messageOutput, error) {
			m, err := h.svc.Message(ctx, by, in.ID)
			if err != nil {
				return nil, err
			}
			return &messageOutput{h.message(m)}, nil
		})
	web.Handle(api, operation(api, http.MethodPatch, "/chat-messages/{id}", "edit-chat-message", "Edit a message; what was acknowledged before is void",
		http.StatusForbidden, http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, by identity.Principal, in *editInput) (*messageOutput, error) {
			m, err := h.svc.EditMessage(ctx, by, in.ID, in.Body.Body)
			if err != nil {
				return nil, err
			}
			return &messageOutput{h.message(m)}, nil
		})
	web.Handle(api, operation(api, http.MethodDelete, "/chat-messages/{id}", "delete-chat-message", "Delete a message", http.StatusForbidden, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *idInput) (*okOutput, error) {
			if err := h.svc.DeleteMessage(ctx, by, in.ID); err != nil {
				return nil, err
			}
			return &okOutput{OK{true}}, nil
		})
}

type requestInput struct{ Body NewRequest }

type requestOutput struct{ Body Request }

type requestCreated struct {
	Location string `header:"Location"`
	Body     Request
}

type previewOutput struct{ Body Preview }

// AckBody says what was read.
type AckBody struct {
	Revision *int64 `json:"revision,omitempty" nullable:"true" minimum:"1" doc:"Of the message that was read; 409 STALE_MESSAGE when it was edited since."`
}

type ackInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body *AckBody
}

// CancelBody says why a request is canceled.
type CancelBody struct {
	Reason *string `json:"reason,omitempty" nullable:"true"`
}

type cancelInput struct {
	ID   string `path:"id" maxLength:"200"`
	Body *CancelBody
}

type requestsInput struct {
	web.PageParams

	Role  string `query:"role" enum:"required,creator" default:"required" doc:"required: I am asked; creator: I asked."`
	State string `query:"state" enum:"open,completed,canceled,expired"`
	Acked string `query:"acked" enum:"true,false" doc:"With role=required: whether I have acknowledged."`
}

type requestsOutput struct{ Body list[Listed] }

func (h handler) requests(api huma.API) {
	web.Handle(api, operation(api, http.MethodGet, "/chat-ack-requests", "list-chat-ack-requests", "List my requests, newest first"), h.list)
	ask := operation(api, http.MethodPost, "/chat-ack-requests", "ask-for-ack", "Ask people to acknowledge a message", http.StatusNotFound, http.StatusConflict)
	ask.DefaultStatus = http.StatusCreated
	web.Handle(api, ask, func(ctx context.Context, by identity.Principal, in *requestInput) (*requestCreated, error) {
		d, err := h.svc.Ask(ctx, by, in.Body.request())
		if err != nil {
			return nil, err
		}
		return &requestCreated{"/chat-ack-requests/" + d.ID, h.request(d)}, nil
	})
	preview := operation(api, http.MethodPost, "/chat-ack-requests/preview", "preview-ack-request", "Who would be asked", http.StatusNotFound, http.StatusConflict)
	preview.DefaultStatus = http.StatusOK
	web.Handle(api, preview, func(ctx context.Context, by identity.Principal, in *requestInput) (*previewOutput, error) {
		p, err := h.svc.Preview(ctx, by, in.Body.request())
		if err != nil {
			return nil, err
		}
		return &previewOutput{previewOf(p)}, nil
	})
	web.Handle(api, operation(api, http.MethodGet, "/chat-ack-requests/{id}", "get-chat-ack-request", "Read a request", http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *idInput) (*requestOutput, error) {
			return h.answer(h.svc.Get(ctx, by, in.ID))
		})
	act := func(verb, id, summary string) huma.Operation {
		op := operation(api, http.MethodPost, "/chat-ack-requests/{id}/"+verb, id, summary, http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
		op.DefaultStatus = http.StatusOK
		return op
	}
	web.Handle(api, act("ack", "acknowledge", "Acknowledge"), func(ctx context.Context, by identity.Principal, in *ackInput) (*requestOutput, error) {
		return h.answer(h.svc.Ack(ctx, by, in.ID, value(value(in.Body).Revision)))
	})
	web.Handle(api, act("revoke", "revoke-ack", "Take an acknowledgement back"), func(ctx context.Context, by identity.Principal, in *idInput) (*requestOutput, error) {
		return h.answer(h.svc.Revoke(ctx, by, in.ID))
	})
	web.Handle(api, act("cancel", "cancel-ack-request", "End a request"), func(ctx context.Context, by identity.Principal, in *cancelInput) (*requestOutput, error) {
		return h.answer(h.svc.Cancel(ctx, by, in.ID, value(value(in.Body).Reason)))
	})
}

func (h handler) answer(d ackflow.Detail, err error) (*requestOutput, error) {
	if err != nil {
		return nil, err
	}
	return &requestOutput{h.request(d)}, nil
}

func (h handler) list(ctx context.Context, by identity.Principal, in *requestsInput) (*requestsOutput, error) {
	q := ackflow.Query{Role: ackflow.Role(in.Role), State: ackflow.State(in.State)}
	if in.Acked != "" {
		acked := in.Acked == "true"
		q.Acked = &acked
	}
	p, err := h.svc.List(ctx, by, q, in.Page())
	if err != nil {
		return nil, err
	}
	return &requestsOutput{list[Listed]{NextCursor: p.Next, Items: mapped(p.Items, func(l ackflow.Listed) Listed {
		return Listed{h.summary(l.Request, l.State, l.Message), opt(l.AckedAt)}
	})}}, nil
}
