package audithttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
)

// RoleAdmin is the role that sees all entries of its tenant.
const RoleAdmin = "admin"

// Entry is an audit entry on the wire; see audit.Entry and seed 003 §2.3.
type Entry struct {
	Seq        int64          `json:"seq" doc:"The place in the tenant's chain, from 1; 0 until it is sealed."`
	Time       time.Time      `json:"time"`
	ActorID    string         `json:"actor_id" doc:"Who did it."`
	SubjectID  string         `json:"subject_id" doc:"For whom."`
	Action     string         `json:"action" example:"CREATE_EVENT"`
	TargetID   string         `json:"target_id"`
	TargetKind string         `json:"target_kind" example:"calendar.event"`
	Reason     string         `json:"reason,omitempty" doc:"What the actor gave as reason."`
	Metadata   map[string]any `json:"metadata"`
	RequestID  string         `json:"request_id"`
}

// Entries is a page of the trail, newest first.
type Entries struct {
	Items      []Entry `json:"items" nullable:"false"`
	NextCursor string  `json:"next_cursor,omitempty"`
}

type listInput struct {
	ActorID   string    `query:"actor_id" maxLength:"255"`
	SubjectID string    `query:"subject_id" maxLength:"255"`
	TargetID  string    `query:"target_id" maxLength:"255"`
	Action    string    `query:"action" maxLength:"255"`
	From      time.Time `query:"from" doc:"Inclusive."`
	To        time.Time `query:"to" doc:"Exclusive."`
	Limit     int       `query:"limit" default:"50" minimum:"1" maximum:"200"`
	Cursor    string    `query:"cursor"`
}

type listOutput struct{ Body Entries }

// Register adds GET /audit to an API that web.Use has prepared. An administrator sees every entry of the tenant, others
// those in which they are the actor or the subject. In secretary mode it is still what the actor may see: no permission
// of a delegation covers somebody else's trail.
func Register(api huma.API, reader audit.Reader) {
	web.Handle(api, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/audit", Tags: []string{"audit"},
		Summary: "Who did what for whom, newest first",
	}, func(ctx context.Context, by identity.Principal, in *listInput) (*listOutput, error) {
		f := audit.Filter{ActorID: in.ActorID, SubjectID: in.SubjectID, TargetID: in.TargetID, Action: in.Action, From: in.From, To: in.To}
		if !by.HasRole(RoleAdmin) {
			f.Involving = by.Actor
		}
		p, err := reader.List(ctx, by.Tenant, f, page.Request{Limit: in.Limit, Cursor: in.Cursor})
		if err != nil {
			return nil, err
		}
		out := &listOutput{Body: Entries{Items: []Entry{}, NextCursor: p.Next}}
		for _, e := range p.Items {
			out.Body.Items = append(out.Body.Items, shown(e))
		}
		return out, nil
	})
}

func shown(e audit.Entry) Entry {
	if e.Metadata == nil {
		e.Metadata = map[string]any{}
	}
	return Entry{
		Seq: e.Seq, Time: e.Time.UTC(), ActorID: e.ActorID, SubjectID: e.SubjectID, Action: e.Action, TargetID: e.TargetID,
		TargetKind: e.TargetKind, Reason: e.Reason, Metadata: e.Metadata, RequestID: e.RequestID,
	}
}
