package ackflowhttp

import (
	"encoding/json"
	"time"

	"github.com/renkei-go/renkei/ackflow"
)

// list is the body of a list.
type list[T any] struct {
	Items      []T    `json:"items" nullable:"false"`
	NextCursor string `json:"nextCursor,omitempty" doc:"Absent at the end."`
}

// Message is a message on the wire.
type Message struct {
	ID        string     `json:"id"`
	RoomID    string     `json:"roomId"`
	AuthorID  string     `json:"authorId"`
	Body      string     `json:"body" doc:"Empty once it is deleted."`
	Revision  int64      `json:"revision" doc:"Rises with every edit, from 1."`
	URL       *string    `json:"url" doc:"Where it is shown; null when nobody knows."`
	CreatedAt time.Time  `json:"createdAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
	DeletedAt *time.Time `json:"deletedAt"`
}

// Ack is an acknowledgement that holds.
type Ack struct {
	UserID   string    `json:"userId"`
	AckedAt  time.Time `json:"ackedAt"`
	AckedBy  string    `json:"ackedBy" doc:"Who did it: the person, or somebody acting for them."`
	Revision int64     `json:"revision" doc:"Of the message."`
}

// Link is a link on the wire.
type Link struct {
	ID           string    `json:"id"`
	AckRequestID string    `json:"ackRequestId"`
	MessageID    string    `json:"messageId"`
	TargetTable  string    `json:"targetTable" example:"approval_instances"`
	TargetID     string    `json:"targetId"`
	FlowType     *string   `json:"flowType"`
	ActionKey    *string   `json:"actionKey"`
	TemplateID   *string   `json:"templateId" doc:"That made it; null when somebody did."`
	CreatedBy    string    `json:"createdBy"`
	CreatedAt    time.Time `json:"createdAt"`
	UpdatedAt    time.Time `json:"updatedAt"`
}

// Summary is a request in a list.
type Summary struct {
	ID                   string     `json:"id"`
	MessageID            string     `json:"messageId"`
	RoomID               string     `json:"roomId"`
	State                string     `json:"state" enum:"open,completed,canceled,expired"`
	DueAt                *time.Time `json:"dueAt"`
	RequiredCount        int        `json:"requiredCount"`
	AckedCount           int        `json:"ackedCount"`
	RemindIntervalHours  int        `json:"remindIntervalHours"`
	EscalationAfterHours *int       `json:"escalationAfterHours" doc:"After dueAt; null: never."`
	TemplateID           *string    `json:"templateId" doc:"That made it; null when somebody did."`
	CreatedBy            string     `json:"createdBy"`
	CreatedAt            time.Time  `json:"createdAt"`
	CompletedAt          *time.Time `json:"completedAt"`
	CanceledBy           *string    `json:"canceledBy"`
	CanceledAt           *time.Time `json:"canceledAt"`
	CancelReason         *string    `json:"cancelReason"`
	Message              *Message   `json:"message,omitempty" doc:"Absent when it is not there any more."`
}

// Listed is a request in a list, with the caller's part in it.
type Listed struct {
	Summary

	AckedAt *time.Time `json:"ackedAt" doc:"When the caller acknowledged it; null: not, or not asked."`
}

// Request is a request on the wire.
type Request struct {
	Summary

	RequiredUserIDs    []string `json:"requiredUserIds" nullable:"false" doc:"Everybody who is asked."`
	RequestedUserIDs   []string `json:"requestedUserIds" nullable:"false" doc:"Who was named one by one."`
	RequestedGroupIDs  []string `json:"requestedGroupIds" nullable:"false"`
	RequestedRoles     []string `json:"requestedRoles" nullable:"false"`
	EscalationUserIDs  []string `json:"escalationUserIds" nullable:"false"`
	EscalationGroupIDs []string `json:"escalationGroupIds" nullable:"false"`
	EscalationRoles    []string `json:"escalationRoles" nullable:"false"`
	Acks               []Ack    `json:"acks" nullable:"false" doc:"Those that hold, the earliest first."`
	Links              []Link   `json:"links" nullable:"false" doc:"Those that the caller may read, newest first."`
}

// Asked is somebody in a preview.
type Asked struct {
	UserID string   `json:"userId"`
	Name   string   `json:"name"`
	Via    []string `json:"via" nullable:"false" doc:"user, group:<id> or role:<name>."`
}

// Preview is what a request would do.
type Preview struct {
	RequiredUserIDs     []string   `json:"requiredUserIds" nullable:"false"`
	Required            []Asked    `json:"required" nullable:"false"`
	RequiredCount       int        `json:"requiredCount"`
	DueAt               *time.Time `json:"dueAt"`
	RemindAt            *time.Time `json:"remindAt" doc:"The first reminder to those who are missing then."`
	RemindIntervalHours int        `json:"remindIntervalHours"`
	EscalateAt          *time.Time `json:"escalateAt"`
	Escalation          []Asked    `json:"escalation" nullable:"false" doc:"Who would be told, as things stand; empty with escalateAt: the managers of those missing."`
}

// Template is a template on the wire.
type Template struct {
	ID                   string    `json:"id"`
	FlowType             string    `json:"flowType"`
	ActionKey            string    `json:"actionKey"`
	MessageBody          string    `json:"messageBody"`
	RequiredUserIDs      []string  `json:"requiredUserIds" nullable:"false"`
	RequiredGroupIDs     []string  `json:"requiredGroupIds" nullable:"false"`
	RequiredRoles        []string  `json:"requiredRoles" nullable:"false"`
	DueInHours           *int      `json:"dueInHours"`
	RemindIntervalHours  int       `json:"remindIntervalHours"`
	EscalationAfterHours *int      `json:"escalationAfterHours"`
	EscalationUserIDs    []string  `json:"escalationUserIds" nullable:"false"`
	EscalationGroupIDs   []string  `json:"escalationGroupIds" nullable:"false"`
	EscalationRoles      []string  `json:"escalationRoles" nullable:"false"`
	IsEnabled            bool      `json:"isEnabled"`
	CreatedAt            time.Time `json:"createdAt"`
	CreatedBy            string    `json:"createdBy"`
	UpdatedAt            time.Time `json:"updatedAt"`
	UpdatedBy            string    `json:"updatedBy"`
}

// OK is the answer when there is nothing to show.
type OK struct {
	OK bool `json:"ok"`
}

// MarshalJSON writes no items as [].
func (l list[T]) MarshalJSON() ([]byte, error) {
	type plain list[T]
	if l.Items == nil {
		l.Items = []T{}
	}
	return json.Marshal(plain(l))
}

func mapped[V, T any](values []V, view func(V) T) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = view(v)
	}
	return out
}

// opt is nil for the zero value.
func opt[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func some(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

func (h handler) message(m ackflow.Message) Message {
	v := Message{
		ID: m.ID, RoomID: m.Room, AuthorID: m.Author, Body: m.Body, Revision: m.Revision, URL: opt(h.svc.URL(m)),
		CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt, DeletedAt: opt(m.DeletedAt),
	}
	if v.DeletedAt != nil {
		v.Body = ""
	}
	return v
}

func (h handler) summary(r ackflow.Request, state ackflow.State, m *ackflow.Message) Summary {
	s := Summary{
		ID: r.ID, MessageID: r.MessageID, RoomID: r.Room, State: string(state), DueAt: opt(r.DueAt),
		RequiredCount: r.Required, AckedCount: r.Required - r.Missing,
		RemindIntervalHours: r.RemindHour, EscalationAfterHours: r.Escalation.AfterHours, TemplateID: opt(r.TemplateID),
		CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, CompletedAt: opt(r.CompletedAt),
		CanceledBy: opt(r.CanceledBy), CanceledAt: opt(r.CanceledAt), CancelReason: opt(r.CancelReason),
	}
	if m != nil {
		v := h.message(*m)
		s.Message = &v
	}
	return s
}

func (h handler) request(d ackflow.Detail) Request {
	to := d.Escalation.To
	return Request{
		Summary:         h.summary(d.Request, d.State, d.Message),
		RequiredUserIDs: d.UserIDs(), RequestedUserIDs: some(d.Named.Users), RequestedGroupIDs: some(d.Named.Groups), RequestedRoles: some(d.Named.Roles),
		EscalationUserIDs: some(to.Users), EscalationGroupIDs: some(to.Groups), EscalationRoles: some(to.Roles),
		Acks: mapped(d.Acks(), func(p ackflow.Person) Ack { return Ack(p) }), Links: mapped(d.Links, linkOf),
	}
}

func linkOf(l ackflow.Link) Link {
	return Link{
		ID: l.ID, AckRequestID: l.RequestID, MessageID: l.MessageID, TargetTable: l.Target.Table, TargetID: l.Target.ID,
		FlowType: opt(l.FlowType), ActionKey: opt(l.ActionKey), TemplateID: opt(l.TemplateID),
		CreatedBy: l.CreatedBy, CreatedAt: l.CreatedAt, UpdatedAt: l.UpdatedAt,
	}
}

func previewOf(p ackflow.Preview) Preview {
	asked := func(a ackflow.Asked) Asked { return Asked(a) }
	return Preview{
		RequiredUserIDs: mapped(p.Asked, func(a ackflow.Asked) string { return a.UserID }), Required: mapped(p.Asked, asked),
		RequiredCount: len(p.Asked), DueAt: opt(p.DueAt), RemindAt: opt(p.RemindAt), RemindIntervalHours: p.RemindHour,
		EscalateAt: opt(p.EscalateAt), Escalation: mapped(p.Escalates, asked),
	}
}

func templateOf(t ackflow.Template) Template {
	to := t.Escalation.To
	return Template{
		ID: t.ID, FlowType: t.FlowType, ActionKey: t.ActionKey, MessageBody: t.Body,
		RequiredUserIDs: some(t.Required.Users), RequiredGroupIDs: some(t.Required.Groups), RequiredRoles: some(t.Required.Roles),
		DueInHours: t.DueInHours, RemindIntervalHours: t.RemindHour, EscalationAfterHours: t.Escalation.AfterHours,
		EscalationUserIDs: some(to.Users), EscalationGroupIDs: some(to.Groups), EscalationRoles: some(to.Roles),
		IsEnabled: t.Enabled, CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy, UpdatedAt: t.UpdatedAt, UpdatedBy: t.UpdatedBy,
	}
}
