package ackflowbun

import (
	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type messageRow struct {
	bun.BaseModel `bun:"table:chat_messages,alias:m"`

	Tenant    string     `bun:"tenant,pk"`
	ID        string     `bun:"id,pk"`
	Room      string     `bun:"room"`
	Author    string     `bun:"author"`
	Body      string     `bun:"body"`
	Revision  int64      `bun:"revision"`
	URL       string     `bun:"url"`
	CreatedAt sqldb.Time `bun:"created_at"`
	UpdatedAt sqldb.Time `bun:"updated_at"`
	DeletedAt sqldb.Time `bun:"deleted_at"`
}

func messageRowOf(m ackflow.Message) messageRow {
	return messageRow{
		Tenant: string(m.Tenant), ID: m.ID, Room: m.Room, Author: m.Author, Body: m.Body, Revision: m.Revision, URL: m.URL,
		CreatedAt: sqldb.At(m.CreatedAt), UpdatedAt: sqldb.At(m.UpdatedAt), DeletedAt: sqldb.At(m.DeletedAt),
	}
}

func (r messageRow) message() ackflow.Message {
	return ackflow.Message{
		ID: r.ID, Tenant: identity.TenantID(r.Tenant), Room: r.Room, Author: r.Author, Body: r.Body, Revision: r.Revision, URL: r.URL,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time, DeletedAt: r.DeletedAt.Time,
	}
}

// escalation is ackflow.Escalation as it is stored.
type escalation struct {
	AfterHours *int             `json:"after_hours,omitempty"`
	To         ackflow.Audience `json:"to"`
}

type requestRow struct {
	bun.BaseModel `bun:"table:chat_ack_requests,alias:r"`

	Tenant         string           `bun:"tenant,pk"`
	ID             string           `bun:"id,pk"`
	MessageID      string           `bun:"message_id"`
	Room           string           `bun:"room"`
	Named          ackflow.Audience `bun:"named,type:jsonb"`
	DueAt          sqldb.Time       `bun:"due_at"`
	RemindHours    int              `bun:"remind_hours"`
	Escalation     escalation       `bun:"escalation,type:jsonb"`
	TemplateID     string           `bun:"template_id"`
	CreatedAt      sqldb.Time       `bun:"created_at"`
	CreatedBy      string           `bun:"created_by"`
	CanceledAt     sqldb.Time       `bun:"canceled_at"`
	CanceledBy     string           `bun:"canceled_by"`
	CancelReason   string           `bun:"cancel_reason"`
	Revision       int64            `bun:"revision"`
	MessageDeleted bool             `bun:"message_deleted"`
	Required       int              `bun:"required"`
	Missing        int              `bun:"missing"`
	CompletedAt    sqldb.Time       `bun:"completed_at"`
	Reminders      int              `bun:"reminders"`
	RemindedAt     sqldb.Time       `bun:"reminded_at"`
	RemindAt       sqldb.Time       `bun:"remind_at"`
	EscalateAt     sqldb.Time       `bun:"escalate_at"`
	NextAt         sqldb.Time       `bun:"next_at"`
}

func requestRowOf(r ackflow.Request) requestRow {
	return requestRow{
		Tenant: string(r.Tenant), ID: r.ID, MessageID: r.MessageID, Room: r.Room, Named: r.Named,
		DueAt: sqldb.At(r.DueAt), RemindHours: r.RemindHour, Escalation: escalation(r.Escalation), TemplateID: r.TemplateID,
		CreatedAt: sqldb.At(r.CreatedAt), CreatedBy: r.CreatedBy,
		CanceledAt: sqldb.At(r.CanceledAt), CanceledBy: r.CanceledBy, CancelReason: r.CancelReason,
		Revision: r.Revision, MessageDeleted: r.MessageDeleted, Required: r.Required, Missing: r.Missing,
		CompletedAt: sqldb.At(r.CompletedAt), Reminders: r.Reminders, RemindedAt: sqldb.At(r.RemindedAt),
		RemindAt: sqldb.At(r.RemindAt), EscalateAt: sqldb.At(r.EscalateAt), NextAt: sqldb.At(r.NextAt()),
	}
}

func (row requestRow) request() ackflow.Request {
	return ackflow.Request{
		ID: row.ID, Tenant: identity.TenantID(row.Tenant), MessageID: row.MessageID, Room: row.Room, Named: row.Named,
		DueAt: row.DueAt.Time, RemindHour: row.RemindHours, Escalation: ackflow.Escalation(row.Escalation), TemplateID: row.TemplateID,
		CreatedAt: row.CreatedAt.Time, CreatedBy: row.CreatedBy,
		CanceledAt: row.CanceledAt.Time, CanceledBy: row.CanceledBy, CancelReason: row.CancelReason,
		Revision: row.Revision, MessageDeleted: row.MessageDeleted, Required: row.Required, Missing: row.Missing,
		CompletedAt: row.CompletedAt.Time, Reminders: row.Reminders, RemindedAt: row.RemindedAt.Time,
		RemindAt: row.RemindAt.Time, EscalateAt: row.EscalateAt.Time,
	}
}

func requests(rows []requestRow) []ackflow.Request {
	out := make([]ackflow.Request, 0, len(rows))
	for _, row := range rows {
		out = append(out, row.request())
	}
	return out
}

type ackRow struct {
	bun.BaseModel `bun:"table:chat_acks,alias:a"`

	Tenant    string     `bun:"tenant,pk"`
	RequestID string     `bun:"request_id,pk"`
	UserID    string     `bun:"user_id,pk"`
	Position  int        `bun:"position"`
	CreatedAt sqldb.Time `bun:"created_at"`
	AckedAt   sqldb.Time `bun:"acked_at"`
	AckedBy   string     `bun:"acked_by"`
	Revision  int64      `bun:"revision"`
}

func (row ackRow) person() ackflow.Person {
	return ackflow.Person{UserID: row.UserID, AckedAt: row.AckedAt.Time, AckedBy: row.AckedBy, Revision: row.Revision}
}

type linkRow struct {
	bun.BaseModel `bun:"table:chat_ack_links,alias:l"`

	Tenant      string     `bun:"tenant,pk"`
	ID          string     `bun:"id,pk"`
	RequestID   string     `bun:"request_id"`
	MessageID   string     `bun:"message_id"`
	TargetTable string     `bun:"target_table"`
	TargetID    string     `bun:"target_id"`
	FlowType    string     `bun:"flow_type"`
	ActionKey   string     `bun:"action_key"`
	TemplateID  string     `bun:"template_id"`
	CreatedBy   string     `bun:"created_by"`
	CreatedAt   sqldb.Time `bun:"created_at"`
	UpdatedAt   sqldb.Time `bun:"updated_at"`
}

func linkRowOf(l ackflow.Link) linkRow {
	return linkRow{
		Tenant: string(l.Tenant), ID: l.ID, RequestID: l.RequestID, MessageID: l.MessageID, TargetTable: l.Target.Table,
		TargetID: l.Target.ID, FlowType: l.FlowType, ActionKey: l.ActionKey, TemplateID: l.TemplateID,
		CreatedBy: l.CreatedBy, CreatedAt: sqldb.At(l.CreatedAt), UpdatedAt: sqldb.At(l.UpdatedAt),
	}
}

func (row linkRow) link() ackflow.Link {
	return ackflow.Link{
		ID: row.ID, Tenant: identity.TenantID(row.Tenant), RequestID: row.RequestID, MessageID: row.MessageID,
		Target: ackflow.Target{Table: row.TargetTable, ID: row.TargetID}, FlowType: row.FlowType, ActionKey: row.ActionKey,
		TemplateID: row.TemplateID, CreatedBy: row.CreatedBy, CreatedAt: row.CreatedAt.Time, UpdatedAt: row.UpdatedAt.Time,
	}
}

type templateRow struct {
	bun.BaseModel `bun:"table:chat_ack_templates,alias:t"`

	Tenant      string           `bun:"tenant,pk"`
	ID          string           `bun:"id,pk"`
	FlowType    string           `bun:"flow_type"`
	ActionKey   string           `bun:"action_key"`
	Body        string           `bun:"body"`
	Required    ackflow.Audience `bun:"required,type:jsonb"`
	DueInHours  *int             `bun:"due_in_hours"`
	RemindHours int              `bun:"remind_hours"`
	Escalation  escalation       `bun:"escalation,type:jsonb"`
	Enabled     bool             `bun:"enabled"`
	CreatedAt   sqldb.Time       `bun:"created_at"`
	CreatedBy   string           `bun:"created_by"`
	UpdatedAt   sqldb.Time       `bun:"updated_at"`
	UpdatedBy   string           `bun:"updated_by"`
}

func templateRowOf(t ackflow.Template) templateRow {
	return templateRow{
		Tenant: string(t.Tenant), ID: t.ID, FlowType: t.FlowType, ActionKey: t.ActionKey, Body: t.Body, Required: t.Required,
		DueInHours: t.DueInHours, RemindHours: t.RemindHour, Escalation: escalation(t.Escalation), Enabled: t.Enabled,
		CreatedAt: sqldb.At(t.CreatedAt), CreatedBy: t.CreatedBy, UpdatedAt: sqldb.At(t.UpdatedAt), UpdatedBy: t.UpdatedBy,
	}
}

func (row templateRow) template() ackflow.Template {
	return ackflow.Template{
		ID: row.ID, Tenant: identity.TenantID(row.Tenant), FlowType: row.FlowType, ActionKey: row.ActionKey, Body: row.Body,
		Required: row.Required, DueInHours: row.DueInHours, RemindHour: row.RemindHours, Escalation: ackflow.Escalation(row.Escalation),
		Enabled: row.Enabled, CreatedAt: row.CreatedAt.Time, CreatedBy: row.CreatedBy, UpdatedAt: row.UpdatedAt.Time, UpdatedBy: row.UpdatedBy,
	}
}

type useRow struct {
	bun.BaseModel `bun:"table:chat_ack_template_uses"`

	Tenant      string     `bun:"tenant,pk"`
	TargetTable string     `bun:"target_table,pk"`
	TargetID    string     `bun:"target_id,pk"`
	FlowType    string     `bun:"flow_type,pk"`
	ActionKey   string     `bun:"action_key,pk"`
	TemplateID  string     `bun:"template_id,pk"`
	RequestID   string     `bun:"request_id"`
	CreatedAt   sqldb.Time `bun:"created_at"`
}

type escalationRow struct {
	bun.BaseModel `bun:"table:chat_ack_escalations,alias:e"`

	Tenant    string     `bun:"tenant,pk"`
	RequestID string     `bun:"request_id,pk"`
	UserID    string     `bun:"user_id,pk"`
	CreatedAt sqldb.Time `bun:"created_at"`
	Escalated bool       `bun:"escalated"` // else: told
}
