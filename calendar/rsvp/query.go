package rsvp

import (
	"context"
	"errors"
	"slices"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/ical"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// ActionAdmit is the audit action of Admit.
const ActionAdmit = "ADMIT_REPLY"

const (
	kind = "calendar.event"
	// roleAdmin may read the ledger of its tenant.
	roleAdmin = "admin"
)

// Replies lists what was received for an event, newest first: of one decision, e.g. the counter-proposals, unless d is
// empty. The organizer sees it, a delegate acting for them who may
// see the event, and the role admin for events whose text they may see. It returns calendar's ErrNotFound and ErrNotOrganizer, and page.ErrBadCursor.
func (s *Service) Replies(ctx context.Context, by identity.Principal, eventID string, d Decision, p page.Request) (page.Page[Entry], error) {
	err := s.organized(ctx, by, eventID)
	if errors.Is(err, calendar.ErrNotOrganizer) && by.HasRole(roleAdmin) {
		err = nil // not hidden, as it was found
	}
	if err != nil {
		return page.Page[Entry]{}, err
	}
	return s.cfg.Store.Entries(ctx, by.Tenant, eventID, d, p)
}

// Ledger lists the entries that belong to no event (unknown_uid, malformed, not_a_reply, …), newest first: for the role
// admin, else ErrNotAdmin. The others are listed with their event, to those who may see it.
func (s *Service) Ledger(ctx context.Context, by identity.Principal, p page.Request) (page.Page[Entry], error) {
	if !by.HasRole(roleAdmin) {
		return page.Page[Entry]{}, ErrNotAdmin
	}
	return s.cfg.Store.Entries(ctx, by.Tenant, "", "", p)
}

// Raw returns the mail of an entry, cut at MaxRaw, to administrators whom Replies or Ledger shows the entry. A mail of
// several replies is kept with the first of them, one that came again with the entry of its first coming. It returns
// ErrNotAdmin, what Replies does, and ErrNotFound when there is no mail, or none any more.
func (s *Service) Raw(ctx context.Context, by identity.Principal, replyID string) ([]byte, error) {
	if !by.HasRole(roleAdmin) {
		return nil, ErrNotAdmin
	}
	entry, err := s.cfg.Store.Entry(ctx, by.Tenant, replyID)
	if err == nil && entry.EventID != "" {
		if err = s.organized(ctx, by, entry.EventID); errors.Is(err, calendar.ErrNotOrganizer) {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	return s.cfg.Store.Raw(ctx, by.Tenant, replyID)
}

// organized fails unless by organizes the event or acts for the organizer and sees it.
func (s *Service) organized(ctx context.Context, by identity.Principal, eventID string) error {
	view, err := s.cfg.Events.Get(ctx, by, eventID)
	switch {
	case err != nil:
		return err
	case !view.Full:
		return calendar.ErrNotFound
	case view.OrganizerID != by.User():
		return calendar.ErrNotOrganizer
	}
	if by.IsProxy() {
		permissions, err := s.permissions(ctx, by)
		if err == nil && len(permissions) == 0 {
			err = calendar.ErrNotDelegated
		}
		return err
	}
	return nil
}

func (s *Service) permissions(ctx context.Context, by identity.Principal) ([]calendar.Permission, error) {
	if s.cfg.Delegations == nil {
		return nil, nil
	}
	return s.cfg.Delegations.Permissions(ctx, by.Tenant, by.Subject, by.Actor)
}

// Admit applies a reply that was quarantined: the organizer vouches for it, or a delegate who acts for them with EDIT or,
// unless a guest has to be put on the list, with RESPOND. Whoever was not invited is put on the list. The order of
// replies still holds: the new entry that comes back may be out_of_order. It returns calendar's ErrNotFound,
// ErrNotOrganizer, ErrNotDelegated and ErrOverCapacity, ErrNotFound for an unknown reply, and ErrNotPending.
func (s *Service) Admit(ctx context.Context, by identity.Principal, eventID, replyID string) (Entry, error) {
	if err := s.organized(ctx, by, eventID); err != nil {
		return Entry{}, err
	}
	entry, err := s.cfg.Store.Entry(ctx, by.Tenant, replyID)
	switch {
	case err != nil:
		return Entry{}, err
	case entry.EventID != eventID:
		return Entry{}, ErrNotFound
	case !entry.Decision.Quarantined() || entry.AdmittedBy != "":
		return Entry{}, ErrNotPending
	}
	may, err := s.allowed(ctx, by)
	if err != nil {
		return Entry{}, err
	}
	var admitted Entry
	err = s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		ev, err := s.cfg.Events.ByID(ctx, by.Tenant, eventID)
		if err != nil {
			return err
		}
		now, err := s.cfg.Store.Now(ctx)
		if err != nil {
			return err
		}
		admitted = entry
		admitted.ID, admitted.ReceivedAt, admitted.Admits = s.cfg.NewID(), now, entry.ID
		admitted.Trust, admitted.Via = TrustInternal, ViaAPI
		admitted.MessageID, admitted.ContentHash = "", ""
		if err := s.admit(ctx, by, may, ev, &admitted); err != nil {
			return err
		}
		if err := s.cfg.Store.Admitted(ctx, by.Tenant, entry.ID, by.Actor, now); err != nil {
			return err
		}
		if err := s.record(ctx, by, ActionAdmit, eventID, entry.ID, admitted.Decision); err != nil {
			return err
		}
		return s.cfg.Store.Append(ctx, admitted, nil)
	})
	if errors.Is(err, calendar.ErrNotDelegated) {
		err = errors.Join(err, s.denied(ctx, by, ActionAdmit, eventID))
	}
	return admitted, err
}

// allowed is what by may do with replies; the organizer needs no permission, and has EDIT.
func (s *Service) allowed(ctx context.Context, by identity.Principal) ([]calendar.Permission, error) {
	if !by.IsProxy() {
		return []calendar.Permission{calendar.Edit}, nil
	}
	return s.permissions(ctx, by)
}

// record writes into the audit log what was done with a reply.
func (s *Service) record(ctx context.Context, by identity.Principal, action, eventID, replyID string, d Decision) error {
	if s.cfg.Audit == nil {
		return nil
	}
	entry := audit.By(by, action, kind, eventID)
	entry.Metadata["reply_id"], entry.Metadata["decision"] = replyID, string(d)
	return s.cfg.Audit.Record(ctx, entry)
}

// denied records what a proxy was not let do.
func (s *Service) denied(ctx context.Context, by identity.Principal, action, eventID string) error {
	if s.cfg.Audit == nil {
		return nil
	}
	entry := audit.By(by, calendar.ActionDenied, kind, eventID)
	entry.Metadata["attempted"] = action
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error { return s.cfg.Audit.Record(ctx, entry) })
}

// admit judges the reply anew, as one whose sender is vouched for, and applies it.
func (s *Service) admit(ctx context.Context, by identity.Principal, may []calendar.Permission, ev calendar.Event, e *Entry) error {
	r := Reply{Counter: e.Counter, UID: ev.UID, Attendee: e.Attendee, Partstat: e.Partstat, Sequence: e.Sequence, HasSequence: true, Stamp: e.Stamp, ReplyTime: e.ReplyTime}
	r.Start, r.End = ical.Time{At: e.Proposed.Start}, ical.Time{At: e.Proposed.End}
	stranger := attendee(&ev, e.Attendee) == nil // as the list is now
	if !slices.Contains(may, calendar.Edit) && (stranger || !slices.Contains(may, calendar.Respond)) {
		return calendar.ErrNotDelegated
	}
	if ev.Status != calendar.Cancelled && stranger {
		if err := s.cfg.Events.AddAttendee(ctx, by, ev.ID, calendar.Attendee{Email: e.Attendee}); err != nil {
			return err
		}
		var err error
		if ev, err = s.cfg.Events.ByID(ctx, e.Tenant, ev.ID); err != nil {
			return err
		}
	}
	v := Judge(&ev, r, Proof{Trust: TrustInternal})
	e.Decision, e.Detail = v.Decision, v.Detail
	if v.Decision != Applied {
		return nil
	}
	e.Detail = "admitted"
	return s.apply(ctx, *e)
}
