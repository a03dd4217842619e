package approvalbun

import (
	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type requestRow struct {
	bun.BaseModel `bun:"table:approval_requests,alias:r"`

	Tenant      string           `bun:"tenant,pk"`
	ID          string           `bun:"id,pk"`
	SubjectKind string           `bun:"subject_kind"`
	SubjectID   string           `bun:"subject_id"`
	Flow        string           `bun:"flow"`
	Requester   string           `bun:"requester"`
	ActedBy     string           `bun:"acted_by"`
	Summary     string           `bun:"summary"`
	Discreet    string           `bun:"discreet"`
	Steps       []approval.Step  `bun:"steps,type:jsonb"`
	Policy      int64            `bun:"policy"`
	Reasons     []string         `bun:"reasons,type:jsonb"`
	Explanation []string         `bun:"explanation,type:jsonb"`
	ContentHash string           `bun:"content_hash"`
	Shown       []approval.Shown `bun:"shown,type:jsonb"`
	Status      string           `bun:"status"`
	Version     int64            `bun:"version"`
	CreatedAt   sqldb.Time       `bun:"created_at"`
	RemindAt    sqldb.Time       `bun:"remind_at"`
	ExpiresAt   sqldb.Time       `bun:"expires_at"`
	RemindedAt  sqldb.Time       `bun:"reminded_at"`
	DueAt       sqldb.Time       `bun:"due_at"`
	EndedBy     string           `bun:"ended_by"`
	EndedAction string           `bun:"ended_action"`
	EndedReason string           `bun:"ended_reason"`
	EndedAt     sqldb.Time       `bun:"ended_at"`
}

// The parts that people have in a request.
const (
	partApprover  = "approver"  // whose word is missing in the open step
	partAsked     = "asked"     // was an approver, or decided in the place of one
	partRequester = "requester" // also of who acted for the requester
)

type partyRow struct {
	bun.BaseModel `bun:"table:approval_parties"`

	Tenant    string     `bun:"tenant,pk"`
	RequestID string     `bun:"request_id,pk"`
	UserID    string     `bun:"user_id,pk"`
	Part      string     `bun:"part"`
	CreatedAt sqldb.Time `bun:"created_at"` // the request's, which lists are ordered by
}

func partiesOf(r approval.Request) []partyRow {
	rows := []partyRow{}
	add := func(who, part string) {
		rows = append(rows, partyRow{Tenant: string(r.Tenant), RequestID: r.ID, UserID: who, Part: part, CreatedAt: sqldb.At(r.CreatedAt)})
	}
	add(r.Requester, partRequester)
	if r.ActedBy != "" {
		add(r.ActedBy, partRequester)
	}
	for _, who := range r.Deciders() {
		add(who, partApprover)
	}
	return rows
}

// rowOf is for a new request, whose reminder is due next, and for the columns that Settle writes.
func rowOf(r approval.Request) requestRow {
	row := requestRow{
		Tenant: string(r.Tenant), ID: r.ID, SubjectKind: r.Subject.Kind, SubjectID: r.Subject.ID, Flow: r.Flow,
		Requester: r.Requester, ActedBy: r.ActedBy, Summary: r.Summary, Discreet: r.Discreet,
		Steps: r.Steps, Policy: r.Policy, Reasons: r.Reasons, Explanation: r.Explanation,
		ContentHash: r.ContentHash, Shown: r.Shown,
		Status: string(r.Status), Version: r.Version,
		CreatedAt: sqldb.At(r.CreatedAt), RemindAt: sqldb.At(r.RemindAt), ExpiresAt: sqldb.At(r.ExpiresAt),
		RemindedAt: sqldb.At(r.RemindedAt), DueAt: sqldb.At(r.RemindAt),
	}
	if o := r.Outcome; o != nil {
		row.EndedBy, row.EndedAction, row.EndedReason, row.EndedAt = o.By, o.Action, o.Reason, sqldb.At(o.At)
	}
	return row
}

func (row requestRow) request() approval.Request {
	r := approval.Request{
		ID: row.ID, Tenant: identity.TenantID(row.Tenant), Subject: approval.Subject{Kind: row.SubjectKind, ID: row.SubjectID},
		Flow: row.Flow, Requester: row.Requester, ActedBy: row.ActedBy, Summary: row.Summary, Discreet: row.Discreet,
		Steps: row.Steps, Policy: row.Policy, Reasons: row.Reasons, Explanation: row.Explanation,
		ContentHash: row.ContentHash, Shown: row.Shown,
		Status: approval.Status(row.Status), Version: row.Version,
		CreatedAt: row.CreatedAt.Time, RemindAt: row.RemindAt.Time, ExpiresAt: row.ExpiresAt.Time, RemindedAt: row.RemindedAt.Time,
	}
	if !row.EndedAt.IsZero() {
		r.Outcome = &approval.Outcome{By: row.EndedBy, Action: row.EndedAction, Reason: row.EndedReason, At: row.EndedAt.Time}
		r.CloseSteps(r.Outcome.At) // TimeOut writes no steps
	}
	return r
}

func requests(rows []requestRow) []approval.Request {
	out := make([]approval.Request, 0, len(rows))
	for _, row := range rows {
		out = append(out, row.request())
	}
	return out
}
