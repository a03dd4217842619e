package ackflow

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// Ack acknowledges the message for the caller. revision is what they have read; 0: whatever it says now. Doing it twice is
// harmless, and it is never too late. It returns ErrNotFound, ErrNotRequired, ErrCanceled, ErrMessageDeleted or
// ErrStaleMessage.
func (s *Service) Ack(ctx context.Context, by identity.Principal, id string, revision int64) (Detail, error) {
	return s.answer(ctx, by, id, func(r *Request, p *Person, now time.Time) (fact, error) {
		switch {
		case r.MessageDeleted:
			return fact{}, ErrMessageDeleted
		case revision != 0 && revision != r.Revision:
			return fact{}, ErrStaleMessage.With("revision", r.Revision)
		case p.Acked():
			return fact{}, nil
		}
		p.AckedAt, p.AckedBy, p.Revision = now, by.Actor, r.Revision
		r.Missing--
		if r.Missing == 0 {
			r.CompletedAt = now
		}
		return fact{action: "chat_ack_added", event: EventAcked}, nil
	})
}

// Revoke takes the caller's acknowledgement back. Doing it twice is harmless. It returns ErrNotFound, ErrNotRequired or
// ErrCanceled.
func (s *Service) Revoke(ctx context.Context, by identity.Principal, id string) (Detail, error) {
	return s.answer(ctx, by, id, func(r *Request, p *Person, now time.Time) (fact, error) {
		if !p.Acked() {
			return fact{}, nil
		}
		*p = Person{UserID: p.UserID}
		r.reopen(r.Missing+1, now)
		return fact{action: "chat_ack_revoked", event: EventRevoked}, nil
	})
}

// answer lets change alter the caller's part in a request under its lock. A fact without an action changes nothing.
func (s *Service) answer(
	ctx context.Context, by identity.Principal, id string, change func(r *Request, p *Person, now time.Time) (fact, error),
) (Detail, error) {
	var out Detail
	err := s.store.Do(ctx, func(ctx context.Context) error {
		r, err := s.store.LockRequest(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		p, err := s.store.Person(ctx, by.Tenant, id, by.User())
		if err != nil {
			return err
		}
		if !r.CanceledAt.IsZero() {
			return ErrCanceled
		}
		now, err := s.now(ctx) // after the lock: the wait for it counts
		if err != nil {
			return err
		}
		f, err := change(&r, &p, now)
		if err != nil {
			return err
		}
		if f.action != "" {
			if err := s.answered(ctx, by, r, p, f, now); err != nil {
				return err
			}
		}
		out, err = s.detail(ctx, by, r, now)
		return err
	})
	if err != nil {
		return Detail{}, err
	}
	return out, nil
}

// answered stores a changed part and tells of it, and of the request if that is complete now.
func (s *Service) answered(ctx context.Context, by identity.Principal, r Request, p Person, f fact, now time.Time) error {
	if err := s.store.SetPerson(ctx, r.Tenant, r.ID, p); err != nil {
		return err
	}
	if err := s.store.SetRequest(ctx, r); err != nil {
		return err
	}
	f.request, f.users = r, []string{p.UserID}
	f.more = map[string]any{"userId": p.UserID, "revision": r.Revision}
	facts := []fact{f}
	if r.CompletedAt.Equal(now) && r.Missing == 0 {
		var notices []transport.Notice
		if r.CreatedBy != p.UserID {
			m, err := s.store.Message(ctx, r.Tenant, r.MessageID)
			if err != nil {
				m = Message{} // the notice then says less
			}
			notices = s.noticesTo(r, m, TemplateCompleted, []string{r.CreatedBy})
		}
		facts = append(facts, fact{event: EventCompleted, request: r, notices: notices})
	}
	return s.tell(ctx, by, now, facts...)
}

// cancellation is the input of Cancel.
type cancellation struct {
	Reason string `json:"reason" validate:"text=multiline,maxrunes=4000"`
}

// Cancel ends a request, for who made it and for those who oversee (role admin or mgmt). Those who are still missing are
// told that nothing is left to do. Doing it twice is harmless; the first reason stays. It returns ErrInput, ErrNotFound or
// ErrForbidden.
func (s *Service) Cancel(ctx context.Context, by identity.Principal, id, reason string) (Detail, error) {
	if err := valid(cancellation{reason}); err != nil {
		return Detail{}, err
	}
	var out Detail
	err := s.store.Do(ctx, func(ctx context.Context) error {
		r, err := s.store.LockRequest(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		if r.CreatedBy != by.User() && !oversees(by) {
			return ErrForbidden
		}
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		if r.CanceledAt.IsZero() {
			if err := s.cancel(ctx, by, &r, reason, now); err != nil {
				return err
			}
		}
		out, err = s.detail(ctx, by, r, now)
		return err
	})
	if err != nil {
		return Detail{}, err
	}
	return out, nil
}

func (s *Service) cancel(ctx context.Context, by identity.Principal, r *Request, reason string, now time.Time) error {
	r.CanceledAt, r.CanceledBy, r.CancelReason = now, by.User(), reason
	if err := s.store.SetRequest(ctx, *r); err != nil {
		return err
	}
	lacking, err := s.store.Lacking(ctx, r.Tenant, 0, r.ID)
	if err != nil {
		return err
	}
	f := fact{action: "chat_ack_request_canceled", event: EventCanceled, request: *r, reason: reason}
	if !r.MessageDeleted {
		m, err := s.store.Message(ctx, r.Tenant, r.MessageID)
		if err != nil {
			m = Message{}
		}
		f.notices = s.noticesTo(*r, m, TemplateCanceled, lacking[r.ID])
	}
	return s.tell(ctx, by, now, f)
}
