package rsvphttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
)

// Service is what this package serves; *rsvp.Service is one.
type Service interface {
	Ingest(ctx context.Context, tenant identity.TenantID, raw []byte, via rsvp.Via) (rsvp.Outcome, error)
	Invitation(ctx context.Context, token string) (rsvp.Invitation, error)
	Answer(ctx context.Context, token string, partstat calendar.Partstat, comment string) (rsvp.Outcome, error)
	Replies(ctx context.Context, by identity.Principal, eventID string, d rsvp.Decision, p page.Request) (page.Page[rsvp.Entry], error)
	Ledger(ctx context.Context, by identity.Principal, p page.Request) (page.Page[rsvp.Entry], error)
	Admit(ctx context.Context, by identity.Principal, eventID, replyID string) (rsvp.Entry, error)
	Accept(ctx context.Context, by identity.Principal, eventID, replyID string) (rsvp.Entry, error)
	Decline(ctx context.Context, by identity.Principal, eventID, replyID string) (rsvp.Entry, error)
}

// Config says who may bring mails.
type Config struct {
	// InboundToken is the bearer token of whoever posts mails. Empty: nobody may.
	InboundToken secret.String
	// Tenant is whose mails they are. Required with InboundToken.
	Tenant identity.TenantID
}

// Mux is where plain handlers go; *http.ServeMux is one.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// Reply is an entry of the ledger as it is sent.
type Reply struct {
	ID         string     `json:"id"`
	EventID    string     `json:"event_id,omitempty"`
	ReceivedAt time.Time  `json:"received_at"`
	Attendee   string     `json:"attendee"`
	Partstat   string     `json:"partstat"`
	Comment    string     `json:"comment,omitempty"`
	Decision   string     `json:"decision"`
	Trust      string     `json:"trust"`
	Via        string     `json:"via"`
	Sequence   int        `json:"sequence"`
	Stamp      *time.Time `json:"dtstamp,omitempty"`
	Detail     string     `json:"detail"`
	From       string     `json:"from,omitempty"`
	Delegate   string     `json:"delegated_to,omitempty"`
	Admits     string     `json:"admits,omitempty"`
	AdmittedBy string     `json:"admitted_by,omitempty"`
	AdmittedAt *time.Time `json:"admitted_at,omitempty"`
	Proposal   *Proposal  `json:"proposal,omitempty"`
}

// Proposal is the time that a guest proposes, and what became of it.
type Proposal struct {
	Start     time.Time  `json:"start_at"`
	End       time.Time  `json:"end_at"`
	Settled   string     `json:"settled,omitempty" enum:"accepted,declined"`
	SettledBy string     `json:"settled_by,omitempty"`
	SettledAt *time.Time `json:"settled_at,omitempty"`
}

func viewOf(e rsvp.Entry) Reply {
	r := Reply{
		ID: e.ID, EventID: e.EventID, ReceivedAt: e.ReceivedAt, Attendee: e.Attendee, Partstat: string(e.Partstat), Comment: e.Comment,
		Decision: string(e.Decision), Trust: string(e.Trust), Via: string(e.Via), Sequence: e.Sequence, Stamp: given(e.Stamp),
		Detail: e.Detail, From: e.From, Delegate: e.DelegatedTo, Admits: e.Admits, AdmittedBy: e.AdmittedBy, AdmittedAt: given(e.AdmittedAt),
	}
	if !e.Proposed.Start.IsZero() {
		r.Proposal = &Proposal{Start: e.Proposed.Start, End: e.Proposed.End, Settled: string(e.Settled), SettledBy: e.SettledBy, SettledAt: given(e.SettledAt)}
	}
	return r
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type listInput struct {
	ID       string `path:"id" maxLength:"255"`
	Decision string `query:"decision" enum:"applied,duplicate,stale,out_of_order,unknown_uid,not_an_occurrence,not_invited,sender_mismatch,unverified,malformed,not_a_reply,cancelled,bounce,counter,refreshed,refresh_limited,refresh_refused" doc:"Only these; counter: the proposals of other times"`
	web.PageParams
}

type ledgerInput struct{ web.PageParams }

type listOutput struct{ Body web.List[Reply] }

type oneInput struct {
	ID      string `path:"id" maxLength:"255"`
	ReplyID string `path:"reply_id" maxLength:"255"`
}

type replyOutput struct{ Body Reply }

// Register adds the operations to api, on which web.Use has been called, and the pages and the inbound road to mux. Put
// web.Server around the mux.
func Register(api huma.API, mux Mux, svc Service, cfg Config) {
	web.Handle(api, huma.Operation{
		OperationID: "list-replies", Method: http.MethodGet, Path: "/events/{id}/replies", Tags: []string{"calendar"},
		Summary: "What was received for an event, newest first", Errors: []int{403, 404},
	}, func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
		entries, err := svc.Replies(ctx, by, in.ID, rsvp.Decision(in.Decision), in.Page())
		return &listOutput{web.ListOf(entries, viewOf)}, err
	})
	web.Handle(api, huma.Operation{
		OperationID: "list-reply-ledger", Method: http.MethodGet, Path: "/rsvp/replies", Tags: []string{"calendar"},
		Summary: "Replies that belong to no event; for administrators", Errors: []int{403},
	}, func(ctx context.Context, by identity.Principal, in *ledgerInput) (*listOutput, error) {
		entries, err := svc.Ledger(ctx, by, in.Page())
		return &listOutput{web.ListOf(entries, viewOf)}, err
	})
	web.Handle(api, huma.Operation{
		OperationID: "admit-reply", Method: http.MethodPost, Path: "/events/{id}/replies/{reply_id}/admit", Tags: []string{"calendar"},
		Summary: "Let a quarantined reply pass", Errors: []int{403, 404, 409}, DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, by identity.Principal, in *oneInput) (*replyOutput, error) {
		e, err := svc.Admit(ctx, by, in.ID, in.ReplyID)
		return &replyOutput{viewOf(e)}, err
	})
	web.Handle(api, huma.Operation{
		OperationID: "accept-proposal", Method: http.MethodPost, Path: "/events/{id}/replies/{reply_id}/accept", Tags: []string{"calendar"},
		Summary: "Move the event to the time that a guest proposed", Errors: []int{403, 404, 409, 422}, DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, by identity.Principal, in *oneInput) (*replyOutput, error) {
		e, err := svc.Accept(ctx, by, in.ID, in.ReplyID)
		return &replyOutput{viewOf(e)}, err
	})
	web.Handle(api, huma.Operation{
		OperationID: "decline-proposal", Method: http.MethodPost, Path: "/events/{id}/replies/{reply_id}/decline", Tags: []string{"calendar"},
		Summary: "Decline the time that a guest proposed, and tell them", Errors: []int{403, 404, 409}, DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, by identity.Principal, in *oneInput) (*replyOutput, error) {
		e, err := svc.Decline(ctx, by, in.ID, in.ReplyID)
		return &replyOutput{viewOf(e)}, err
	})
	document(api)
	mux.Handle("POST /rsvp/inbound", inbound(svc, cfg))
	p := newPages(svc)
	mux.Handle("GET /rsvp/{token}", http.HandlerFunc(p.show))
	mux.Handle("POST /rsvp/{token}", http.HandlerFunc(p.answer))
}

// document describes the plain handlers in OpenAPI.
func document(api huma.API) {
	text := &huma.Schema{Type: huma.TypeString}
	token := []*huma.Param{{Name: "token", In: "path", Required: true, Schema: text}}
	html := map[string]*huma.Response{"200": {Description: "A page", Content: map[string]*huma.MediaType{"text/html": {Schema: text}}}}
	for _, op := range []*huma.Operation{
		{
			OperationID: "post-inbound-mail", Method: http.MethodPost, Path: "/rsvp/inbound", Summary: "Bring a mail",
			Security:    []map[string][]string{{"bearer": {}}},
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"message/rfc822": {Schema: text}}},
			Responses: map[string]*huma.Response{"200": {Description: "The decision", Content: map[string]*huma.MediaType{
				"application/json": {Schema: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{
					"decision": text, "reply_id": text, "event_id": text, "attendee": text, "partstat": text, "trust": text, "detail": text,
				}}},
			}}},
		},
		{OperationID: "show-rsvp-page", Method: http.MethodGet, Path: "/rsvp/{token}", Summary: "The page behind a button", Parameters: token, Responses: html},
		{OperationID: "post-rsvp-page", Method: http.MethodPost, Path: "/rsvp/{token}", Summary: "A guest's answer", Parameters: token, Responses: html},
	} {
		op.Tags = []string{"calendar"}
		api.OpenAPI().AddOperation(op)
	}
}
