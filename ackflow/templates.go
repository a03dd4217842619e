package ackflow

import (
	"context"
	"errors"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// NewTemplate says what is asked of whom when an action of a flow is taken.
type NewTemplate struct {
	FlowType    string `json:"flowType" validate:"required,single_line,maxrunes=200"`
	ActionKey   string `json:"actionKey" validate:"required,single_line,maxrunes=200"`
	MessageBody string `json:"messageBody" validate:"required,text=multiline,maxrunes=20000"`
	Terms
	DueInHours *int `json:"dueInHours" validate:"omitempty,gte=0,lte=8784"` // after the action; nil: no hurry
	IsEnabled  bool `json:"isEnabled"`
}

func (n NewTemplate) validate() error {
	err := valid(n)
	if n.required().IsEmpty() {
		bad := fault.As(err)
		if bad == nil {
			bad = ErrInput
		}
		return bad.WithField("requiredUserIds", "are required, or groups, or roles")
	}
	return err
}

// input is the template as it could have been made.
func (t Template) input() NewTemplate {
	e := t.Escalation
	return NewTemplate{
		FlowType: t.FlowType, ActionKey: t.ActionKey, MessageBody: t.Body, DueInHours: t.DueInHours, IsEnabled: t.Enabled,
		Terms: Terms{
			RequiredUserIDs: t.Required.Users, RequiredGroupIDs: t.Required.Groups, RequiredRoles: t.Required.Roles,
			RemindIntervalHours: t.RemindHour, EscalationAfterHours: e.AfterHours,
			EscalationUserIDs: e.To.Users, EscalationGroupIDs: e.To.Groups, EscalationRoles: e.To.Roles,
		},
	}
}

func (t *Template) set(n NewTemplate, by identity.Principal, now time.Time) {
	t.FlowType, t.ActionKey, t.Body, t.Required = n.FlowType, n.ActionKey, n.MessageBody, n.required()
	t.DueInHours, t.RemindHour, t.Escalation, t.Enabled = n.DueInHours, n.remind(), n.escalation(), n.IsEnabled
	t.UpdatedAt, t.UpdatedBy = now, by.User()
}

// CreateTemplate makes a template, for those who oversee (role admin or mgmt). Who is named is looked up when it is
// applied. It returns ErrForbidden or ErrInput.
func (s *Service) CreateTemplate(ctx context.Context, by identity.Principal, n NewTemplate) (Template, error) {
	if !oversees(by) {
		return Template{}, ErrForbidden
	}
	if err := n.validate(); err != nil {
		return Template{}, err
	}
	var out Template
	err := s.store.Do(ctx, func(ctx context.Context) error {
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		out = Template{ID: s.cfg.NewID(), Tenant: by.Tenant, CreatedAt: now, CreatedBy: by.User()}
		out.set(n, by, now)
		if err := s.store.InsertTemplate(ctx, out); err != nil {
			return err
		}
		e := templateEntry(by, "chat_ack_template_created", out)
		e.Metadata["after"] = out.input()
		return s.record(ctx, e)
	})
	if err != nil {
		return Template{}, err
	}
	return out, nil
}

// UpdateTemplate lets change alter a template, for those who oversee; what was made by it stays as it is. change may run
// several times. It returns ErrForbidden, ErrNotFound or ErrInput.
func (s *Service) UpdateTemplate(ctx context.Context, by identity.Principal, id string, change func(n *NewTemplate)) (Template, error) {
	if !oversees(by) {
		return Template{}, ErrForbidden
	}
	var out Template
	err := s.store.Do(ctx, func(ctx context.Context) error {
		t, err := s.store.LockTemplate(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		before := t.input()
		n := before
		change(&n)
		if err := n.validate(); err != nil {
			return err
		}
		t.set(n, by, now)
		out = t
		if err := s.store.SetTemplate(ctx, t); err != nil {
			return err
		}
		e := templateEntry(by, "chat_ack_template_updated", t)
		e.Metadata["before"], e.Metadata["after"] = before, t.input()
		return s.record(ctx, e)
	})
	if err != nil {
		return Template{}, err
	}
	return out, nil
}

func templateEntry(by identity.Principal, action string, t Template) audit.Entry {
	e := audit.By(by, action, TemplateKind, t.ID)
	e.Metadata["flowType"], e.Metadata["actionKey"], e.Metadata["isEnabled"] = t.FlowType, t.ActionKey, t.Enabled
	return e
}

// ListTemplates returns templates, newest first, for those who oversee. It returns ErrForbidden or page.ErrBadCursor.
func (s *Service) ListTemplates(ctx context.Context, by identity.Principal, f TemplateFilter, p page.Request) (page.Page[Template], error) {
	if !oversees(by) {
		return page.Page[Template]{}, ErrForbidden
	}
	return s.store.ListTemplates(ctx, by.Tenant, f, p)
}

// The reasons for which a template is not applied; those of ErrRequiredUsers are further ones.
const (
	SkippedApplied    = "already_applied"
	SkippedEscalation = "escalation_users_invalid"
)

// ApplyTemplates makes what the enabled templates of an action ask for: message, request, and the link with the target.
// Each is applied once per (target, flow, action, template), however often and from however many nodes it is called. It
// joins the transaction in ctx, so that what it makes exists if and only if the action was taken.
//
// A template that cannot be applied, because somebody whom it names is gone, is skipped: the action goes on. The audit
// trail has chat_ack_template_applied or chat_ack_template_skipped with the reason, on the target. It returns
// ErrTargetTable.
func (s *Service) ApplyTemplates(ctx context.Context, by identity.Principal, t Target, flow, action string) error {
	if _, ok := s.cfg.Targets[t.Table]; !ok {
		return ErrTargetTable
	}
	return s.store.Do(ctx, func(ctx context.Context) error {
		templates, err := s.store.Enabled(ctx, by.Tenant, flow, action)
		if err != nil || len(templates) == 0 {
			return err
		}
		if err := s.store.LockTarget(ctx, by.Tenant, t); err != nil {
			return err
		}
		for _, template := range templates {
			if err := s.apply(ctx, by, t, template); err != nil {
				return err
			}
		}
		return nil
	})
}

// apply applies one template to a target that is locked.
func (s *Service) apply(ctx context.Context, by identity.Principal, t Target, template Template) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	var due time.Time
	if template.DueInHours != nil {
		due = now.Add(time.Duration(*template.DueInHours) * time.Hour)
	}
	p, err := s.plan(ctx, by.Tenant, template.input().Terms, due, now)
	if reason, details := unfit(err); reason != "" {
		return s.applied(ctx, by, "chat_ack_template_skipped", t, template, reason, details)
	}
	if err != nil {
		return err
	}
	p.request.ID, p.request.TemplateID = s.cfg.NewID(), template.ID
	first, err := s.store.ClaimUse(ctx, Use{
		Tenant: by.Tenant, Target: t, FlowType: template.FlowType, ActionKey: template.ActionKey,
		TemplateID: template.ID, RequestID: p.request.ID, At: now,
	})
	if err != nil {
		return err
	}
	if !first {
		return s.applied(ctx, by, "chat_ack_template_skipped", t, template, SkippedApplied, nil)
	}
	m, err := s.write(ctx, by, NewMessage{RoomID: s.cfg.Room(t), Body: template.Body}, now)
	if err != nil {
		return err
	}
	d, err := s.ask(ctx, by, p, m, now)
	if err != nil {
		return err
	}
	l, err := s.link(ctx, by, Link{
		RequestID: d.ID, MessageID: m.ID, Target: t, FlowType: template.FlowType, ActionKey: template.ActionKey, TemplateID: template.ID,
	})
	if err != nil {
		return err
	}
	return s.applied(ctx, by, "chat_ack_template_applied", t, template, "", map[string]any{
		"ackRequestId": d.ID, "messageId": m.ID, "linkId": l.ID,
	})
}

// unfit says why a template cannot be applied to anybody's advantage, if that is what err means.
func unfit(err error) (reason string, details map[string]any) {
	f := fault.As(err)
	switch {
	case errors.Is(err, ErrRequiredUsers):
		reason, _ = f.Details["reason"].(string)
	case errors.Is(err, ErrEscalationUsers):
		reason = SkippedEscalation
	default:
		return "", nil
	}
	return reason, map[string]any{"userIds": f.Details["userIds"]}
}

func (s *Service) applied(
	ctx context.Context, by identity.Principal, action string, t Target, template Template, reason string, more map[string]any,
) error {
	e := audit.By(by, action, t.Table, t.ID)
	e.Metadata["templateId"], e.Metadata["flowType"], e.Metadata["actionKey"] = template.ID, template.FlowType, template.ActionKey
	if reason != "" {
		e.Metadata["reason"] = reason
	}
	for k, v := range more {
		if v != nil {
			e.Metadata[k] = v
		}
	}
	return s.record(ctx, e)
}
