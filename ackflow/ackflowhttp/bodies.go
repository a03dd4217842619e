package ackflowhttp

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/ackflow"
)

// NewMessage is a message to be written.
type NewMessage struct {
	RoomID string `json:"roomId"`
	Body   string `json:"body"`
}

// Terms say who is asked, and what happens when they do not answer.
type Terms struct {
	RequiredUserIDs      []string `json:"requiredUserIds,omitempty"`
	RequiredGroupIDs     []string `json:"requiredGroupIds,omitempty"`
	RequiredRoles        []string `json:"requiredRoles,omitempty"`
	RemindIntervalHours  *int     `json:"remindIntervalHours,omitempty" nullable:"true" minimum:"1" maximum:"8784" doc:"From dueAt on; default 24."`
	EscalationAfterHours *int     `json:"escalationAfterHours,omitempty" nullable:"true" minimum:"0" maximum:"8784" doc:"After dueAt; default never."`
	EscalationUserIDs    []string `json:"escalationUserIds,omitempty" doc:"Nobody here, in a group or a role: the managers of those missing."`
	EscalationGroupIDs   []string `json:"escalationGroupIds,omitempty"`
	EscalationRoles      []string `json:"escalationRoles,omitempty"`
}

func (t Terms) terms() ackflow.Terms {
	return ackflow.Terms{
		RequiredUserIDs: t.RequiredUserIDs, RequiredGroupIDs: t.RequiredGroupIDs, RequiredRoles: t.RequiredRoles,
		RemindIntervalHours: value(t.RemindIntervalHours), EscalationAfterHours: t.EscalationAfterHours,
		EscalationUserIDs: t.EscalationUserIDs, EscalationGroupIDs: t.EscalationGroupIDs, EscalationRoles: t.EscalationRoles,
	}
}

// NewRequest asks for acknowledgement.
type NewRequest struct {
	Terms

	MessageID *string     `json:"messageId,omitempty" nullable:"true" doc:"A message of the caller's, or of anybody for admin and mgmt; this or message."`
	Message   *NewMessage `json:"message,omitempty" doc:"A new message; this or messageId."`
	DueAt     *time.Time  `json:"dueAt,omitempty" nullable:"true"`
}

func (n NewRequest) request() ackflow.NewRequest {
	out := ackflow.NewRequest{MessageID: value(n.MessageID), Terms: n.terms(), DueAt: value(n.DueAt)}
	if n.Message != nil {
		out.Message = &ackflow.NewMessage{RoomID: n.Message.RoomID, Body: n.Message.Body}
	}
	return out
}

// NewLink ties a request to a target.
type NewLink struct {
	AckRequestID *string `json:"ackRequestId,omitempty" nullable:"true" doc:"This or messageId."`
	MessageID    *string `json:"messageId,omitempty" nullable:"true"`
	TargetTable  string  `json:"targetTable"`
	TargetID     string  `json:"targetId"`
	FlowType     *string `json:"flowType,omitempty" nullable:"true"`
	ActionKey    *string `json:"actionKey,omitempty" nullable:"true"`
}

// NewTemplate makes a template.
type NewTemplate struct {
	Terms

	FlowType    string `json:"flowType"`
	ActionKey   string `json:"actionKey" doc:"approve or reject, for approvals."`
	MessageBody string `json:"messageBody"`
	DueInHours  *int   `json:"dueInHours,omitempty" nullable:"true" minimum:"0" maximum:"8784" doc:"After the action."`
	IsEnabled   *bool  `json:"isEnabled,omitempty" nullable:"true" doc:"Default true."`
}

func (n NewTemplate) template() ackflow.NewTemplate {
	return ackflow.NewTemplate{
		FlowType: n.FlowType, ActionKey: n.ActionKey, MessageBody: n.MessageBody, Terms: n.terms(), DueInHours: n.DueInHours,
		IsEnabled: n.IsEnabled == nil || *n.IsEnabled,
	}
}

// TemplatePatch changes a template. What is absent stays; null clears what can be clear.
type TemplatePatch struct {
	FlowType             change[string]   `json:"flowType,omitzero"`
	ActionKey            change[string]   `json:"actionKey,omitzero"`
	MessageBody          change[string]   `json:"messageBody,omitzero"`
	RequiredUserIDs      change[[]string] `json:"requiredUserIds,omitzero"`
	RequiredGroupIDs     change[[]string] `json:"requiredGroupIds,omitzero"`
	RequiredRoles        change[[]string] `json:"requiredRoles,omitzero"`
	DueInHours           change[*int]     `json:"dueInHours,omitzero"`
	RemindIntervalHours  change[int]      `json:"remindIntervalHours,omitzero"`
	EscalationAfterHours change[*int]     `json:"escalationAfterHours,omitzero"`
	EscalationUserIDs    change[[]string] `json:"escalationUserIds,omitzero"`
	EscalationGroupIDs   change[[]string] `json:"escalationGroupIds,omitzero"`
	EscalationRoles      change[[]string] `json:"escalationRoles,omitzero"`
	IsEnabled            *bool            `json:"isEnabled,omitempty" nullable:"true" doc:"Null changes nothing."`
}

func (p TemplatePatch) apply(n *ackflow.NewTemplate) {
	p.FlowType.to(&n.FlowType)
	p.ActionKey.to(&n.ActionKey)
	p.MessageBody.to(&n.MessageBody)
	p.RequiredUserIDs.to(&n.RequiredUserIDs)
	p.RequiredGroupIDs.to(&n.RequiredGroupIDs)
	p.RequiredRoles.to(&n.RequiredRoles)
	p.DueInHours.to(&n.DueInHours)
	p.RemindIntervalHours.to(&n.RemindIntervalHours)
	p.EscalationAfterHours.to(&n.EscalationAfterHours)
	p.EscalationUserIDs.to(&n.EscalationUserIDs)
	p.EscalationGroupIDs.to(&n.EscalationGroupIDs)
	p.EscalationRoles.to(&n.EscalationRoles)
	if p.IsEnabled != nil {
		n.IsEnabled = *p.IsEnabled
	}
}

// change is a member of a patch: null is a change, too.
type change[T any] struct {
	given bool
	value T
}

var _ huma.SchemaProvider = change[string]{}

// UnmarshalJSON is called for members that are there.
func (c *change[T]) UnmarshalJSON(b []byte) error {
	c.given = true
	return json.Unmarshal(b, &c.value)
}

// Schema is that of the value, or null.
func (change[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}

func (c change[T]) to(field *T) {
	if c.given {
		*field = c.value
	}
}

// value is what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
