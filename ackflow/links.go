package ackflow

import (
	"context"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// NewLink ties a request, named by its id or its message's, to a target.
type NewLink struct {
	AckRequestID string `json:"ackRequestId" validate:"single_line,maxrunes=200"`
	MessageID    string `json:"messageId" validate:"single_line,maxrunes=200"`
	TargetTable  string `json:"targetTable" validate:"required,single_line,maxrunes=200"`
	TargetID     string `json:"targetId" validate:"required,single_line,maxrunes=200"`
	FlowType     string `json:"flowType" validate:"single_line,maxrunes=200"`
	ActionKey    string `json:"actionKey" validate:"single_line,maxrunes=200"`
}

// CreateLink ties a request to a target, for those who oversee (role admin or mgmt). It returns, in this order of
// precedence: ErrForbidden, ErrInput, ErrTargetTable, ErrNotFound for a request that is not there or whose message was
// deleted, ErrTargetNotFound, ErrRequestCanceled, or ErrDuplicateLink.
func (s *Service) CreateLink(ctx context.Context, by identity.Principal, n NewLink) (Link, error) {
	if !oversees(by) {
		return Link{}, ErrForbidden
	}
	if err := valid(n); err != nil {
		return Link{}, err
	}
	if n.AckRequestID == "" && n.MessageID == "" {
		return Link{}, ErrInput.WithField("ackRequestId", "is required, or messageId")
	}
	target := Target{n.TargetTable, n.TargetID}
	if _, ok := s.cfg.Targets[target.Table]; !ok {
		return Link{}, ErrTargetTable
	}
	var out Link
	err := s.store.Do(ctx, func(ctx context.Context) error {
		if err := s.store.LockTarget(ctx, by.Tenant, target); err != nil {
			return err
		}
		r, err := s.linkable(ctx, by.Tenant, n)
		if err != nil {
			return err
		}
		if _, err := s.participants(ctx, by.Tenant, target); err != nil {
			return err
		}
		if !r.CanceledAt.IsZero() {
			return ErrRequestCanceled
		}
		out, err = s.link(ctx, by, Link{RequestID: r.ID, MessageID: r.MessageID, Target: target, FlowType: n.FlowType, ActionKey: n.ActionKey})
		return err
	})
	if err != nil {
		return Link{}, err
	}
	return out, nil
}

// linkable returns the request that is named, locked so that it is not canceled meanwhile.
func (s *Service) linkable(ctx context.Context, tenant identity.TenantID, n NewLink) (Request, error) {
	id := n.AckRequestID
	if id == "" {
		r, err := s.store.RequestOf(ctx, tenant, n.MessageID)
		if err != nil {
			return Request{}, err
		}
		id = r.ID
	}
	r, err := s.store.LockRequest(ctx, tenant, id)
	switch {
	case err != nil:
		return Request{}, err
	case n.MessageID != "" && n.MessageID != r.MessageID:
		return Request{}, ErrInput.WithField("messageId", "must be the message of ackRequestId")
	case r.MessageDeleted:
		return Request{}, ErrNotFound
	}
	return r, nil
}

// link stores a link whose target is locked.
func (s *Service) link(ctx context.Context, by identity.Principal, l Link) (Link, error) {
	now, err := s.now(ctx)
	if err != nil {
		return Link{}, err
	}
	l.ID, l.Tenant, l.CreatedBy, l.CreatedAt, l.UpdatedAt = s.cfg.NewID(), by.Tenant, by.User(), now, now
	if err := s.store.InsertLink(ctx, l); err != nil {
		return Link{}, err
	}
	return l, s.record(ctx, linkEntries(by, "chat_ack_link_created", l)...)
}

// linkEntries are one entry for the request and one for the target, so that the history of either is whole.
func linkEntries(by identity.Principal, action string, l Link) []audit.Entry {
	entries := []audit.Entry{audit.By(by, action, TargetKind, l.RequestID), audit.By(by, action, l.Target.Table, l.Target.ID)}
	for i := range entries {
		for k, v := range map[string]string{
			"linkId": l.ID, "ackRequestId": l.RequestID, "messageId": l.MessageID, "targetTable": l.Target.Table, "targetId": l.Target.ID,
			"flowType": l.FlowType, "actionKey": l.ActionKey, "templateId": l.TemplateID,
		} {
			if v != "" {
				entries[i].Metadata[k] = v
			}
		}
	}
	return entries
}

// DeleteLink unties a request from a target, for those who oversee. It returns ErrForbidden or ErrNotFound.
func (s *Service) DeleteLink(ctx context.Context, by identity.Principal, id string) error {
	if !oversees(by) {
		return ErrForbidden
	}
	return s.store.Do(ctx, func(ctx context.Context) error {
		l, err := s.store.Link(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		if err := s.store.LockTarget(ctx, by.Tenant, l.Target); err != nil {
			return err
		}
		there, err := s.store.DeleteLink(ctx, by.Tenant, id)
		if err == nil && !there {
			err = ErrNotFound // somebody else has just deleted it
		}
		if err != nil {
			return err
		}
		return s.record(ctx, linkEntries(by, "chat_ack_link_deleted", l)...)
	})
}

// LinkQuery selects links: of a request, of a message, of a target, or of what several of these name.
type LinkQuery struct {
	AckRequestID, MessageID string
	TargetTable, TargetID   string
	Limit                   int // 1 to 200; 0: 50
}

// Links returns links, newest first, to those who oversee and to those who take part in a link's target; the latter see
// the links of their targets only. It returns ErrMissingQuery, ErrInvalidQuery, ErrTargetTable, or ErrForbidden when there
// is nothing that the caller may read.
func (s *Service) Links(ctx context.Context, by identity.Principal, q LinkQuery) ([]Link, error) {
	switch {
	case q.AckRequestID == "" && q.MessageID == "" && q.TargetTable == "" && q.TargetID == "":
		return nil, ErrMissingQuery
	case q.TargetTable != "" && q.TargetID == "":
		return nil, ErrInvalidQuery.WithField("targetId", "is required with targetTable")
	case q.TargetTable == "" && q.TargetID != "":
		return nil, ErrInvalidQuery.WithField("targetTable", "is required with targetId")
	case q.Limit < 0 || q.Limit > page.MaxLimit:
		return nil, ErrInvalidQuery.WithField("limit", "must be 1 to 200")
	}
	target := Target{q.TargetTable, q.TargetID}
	if target != (Target{}) {
		if _, ok := s.cfg.Targets[target.Table]; !ok {
			return nil, ErrTargetTable
		}
	}
	limit := page.Request{Limit: q.Limit}.Size()
	f := LinkFilter{RequestID: q.AckRequestID, MessageID: q.MessageID, Target: target}
	links, err := s.readable(ctx, by, f, limit)
	if err != nil || len(links) > 0 || oversees(by) {
		return links, err
	}
	if target != (Target{}) {
		part, err := s.takesPart(ctx, by, target)
		if err != nil || part {
			return links, err
		}
	}
	return nil, ErrForbidden
}

// readable returns up to limit links that the caller may read. What they may not is left out before the cut, so that it
// takes no room from the others.
func (s *Service) readable(ctx context.Context, by identity.Principal, f LinkFilter, limit int) ([]Link, error) {
	if oversees(by) {
		return s.store.Links(ctx, by.Tenant, f, limit)
	}
	out := []Link{}
	part := map[Target]bool{}
	for {
		batch, err := s.store.Links(ctx, by.Tenant, f, page.MaxLimit)
		if err != nil {
			return nil, err
		}
		for _, l := range batch {
			mine, known := part[l.Target]
			if !known {
				if mine, err = s.takesPart(ctx, by, l.Target); err != nil {
					return nil, err
				}
				part[l.Target] = mine
			}
			if mine {
				out = append(out, l)
			}
			if len(out) == limit {
				return out, nil
			}
		}
		if len(batch) < page.MaxLimit {
			return out, nil
		}
		f.Before = &batch[len(batch)-1]
	}
}

// isGone says whether an error means that there is no such thing.
func isGone(err error) bool { return fault.CodeOf(err) == fault.NotFound }
