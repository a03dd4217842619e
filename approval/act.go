package approval

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Act gives an approver's word on a request: state, subject, audit, event and notices in one transaction. A rejection ends
// the request; an agreement ends its step when enough have agreed, which opens the next step or ends the request. Of
// several deciders of a step of mode Any one wins.
//
// It returns, in this order of precedence: an Invalid fault for a malformed decision, ErrNotFound, ErrSelfApproval,
// ErrNotApprover, ErrExpired (the request is then timed out, at once), ErrDecided (also for who, or whose step, has
// decided already), ErrNotYet, ErrReasonRequired, ErrStaleContent, ErrDenied with all guard failures or ErrReasonRequired of
// the action policies, ErrNoApprover when the next step has nobody to decide, or the error of the SubjectHandler or the
// Follower. Doing it twice is harmless: the second answer is ErrDecided.
//
// Inside a transaction of the caller, a time-out found by Act becomes lasting only if the caller commits in spite of
// ErrExpired; else Sweep sees to it.
func (s *Service) Act(ctx context.Context, by identity.Principal, id string, d Decision) (Request, error) {
	if err := check.Struct(d); err != nil {
		return Request{}, err
	}
	var out Request
	var refusal error // with which the transaction commits nevertheless
	err := s.store.Do(ctx, func(ctx context.Context) error {
		refusal = nil
		r, err := s.lock(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		now, err := s.store.Now(ctx) // after the lock: the wait for it counts
		if err != nil {
			return err
		}
		then, err := s.rule(ctx, by, r, d, now)
		if errors.Is(err, ErrExpired) && r.Status == Pending {
			refusal = err
			_, err = s.settle(ctx, identity.System(r.Tenant, machineTimeout), r, TimedOut, Outcome{Action: ActionTimeout, At: now})
			return err
		}
		if err != nil {
			return err
		}
		if then.end == Pending {
			out, err = s.advance(ctx, by, then)
		} else {
			out, err = s.settle(ctx, by, then.Request, then.end, Outcome{Action: d.Action, Reason: d.Reason, At: now})
		}
		if err != nil {
			return err
		}
		return s.acted(ctx, then.of(out), then.verdict)
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return Request{}, err
	}
	return out, nil
}

// lock returns a request that nobody else changes until the transaction ends; its subject is locked before it.
func (s *Service) lock(ctx context.Context, tenant identity.TenantID, id string) (Request, error) {
	if s.lockers {
		r, err := s.store.Request(ctx, tenant, id)
		if err != nil {
			return Request{}, err
		}
		if l, ok := s.cfg.Subjects[r.Subject.Kind].(SubjectLocker); ok {
			if err := l.LockSubject(ctx, tenant, r.Subject.ID); err != nil {
				return Request{}, err
			}
		}
	}
	return s.store.Lock(ctx, tenant, id)
}

// Simulate returns the error that Act would return now, and changes nothing. It is the same function up to the
// writing; only a failing SubjectHandler is beyond it.
func (s *Service) Simulate(ctx context.Context, by identity.Principal, id string, d Decision) error {
	if err := check.Struct(d); err != nil {
		return err
	}
	r, err := s.store.Request(ctx, by.Tenant, id)
	if err != nil {
		return err
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	_, err = s.rule(ctx, by, r, d, now)
	return err
}

// ruling is a request after a decision, before anything is written.
type ruling struct {
	Request
	end    Status // with which the request ends; Pending: it goes on
	opened bool   // the next step has

	action  Action
	verdict ActionVerdict
}

// rule judges a decision and says what follows from it. It changes nothing.
func (s *Service) rule(ctx context.Context, by identity.Principal, r Request, d Decision, now time.Time) (ruling, error) {
	then := ruling{Request: r.withSteps()}
	seat, err := s.judge(ctx, by, r, d, now)
	if err != nil {
		return then, err
	}
	then.action = Action{By: by, For: seat, Flow: r.Flow, Key: d.Action, Request: r, Reason: d.Reason}
	if then.verdict, err = s.permit(ctx, then.action); err != nil {
		return then, err
	}
	word := StepDecision{By: by.User(), For: seat, Action: d.Action, Reason: d.Reason, At: now}
	if by.IsProxy() {
		word.ActedBy = by.Actor
	}
	end, next := then.take(word)
	then.end = end
	if next >= 0 {
		then.opened = true
		err = s.open(ctx, &then.Request, next, now)
	}
	return then, err
}

// of is the action as it has been taken.
func (r ruling) of(after Request) Action {
	a := r.action
	a.Request = after
	return a
}

// judge says whether the decision may be taken as far as the request goes, and whose word it is.
func (s *Service) judge(ctx context.Context, by identity.Principal, r Request, d Decision, now time.Time) (seat string, err error) {
	own, err := s.interested(ctx, r.Tenant, r.Requester, r.ActedBy)
	if err != nil {
		return "", err
	}
	if slices.Contains(own, by.Actor) || slices.Contains(own, by.User()) {
		return "", ErrSelfApproval
	}
	seat, refusal, err := s.seat(ctx, by, r, own, now)
	switch {
	case err != nil:
		return "", err
	case errors.Is(refusal, ErrNotApprover):
		return "", refusal
	case r.Status == TimedOut, r.Status == Pending && !now.Before(r.ExpiresAt):
		return "", ErrExpired.With("expires_at", r.ExpiresAt)
	case r.Status != Pending:
		return "", decided(r)
	case refusal != nil:
		return "", refusal
	case d.Action == Reject && blank(d.Reason):
		return "", ErrReasonRequired
	case d.ContentHash != "" && d.ContentHash != r.ContentHash:
		return "", r.stale(d.ContentHash)
	}
	return seat, nil
}

// seat returns the approver whose word the caller gives: their own, or else that of the nearest one in whose place they
// stand. Without one it returns why: ErrNotApprover, ErrDecided or ErrNotYet.
func (s *Service) seat(ctx context.Context, by identity.Principal, r Request, own []string, now time.Time) (seat string, refusal, err error) {
	who, waiting := by.User(), r.Deciders()
	fresh := !r.Decided(who) && !r.Decided(by.Actor)
	if fresh && slices.Contains(waiting, who) {
		return who, nil, nil
	}
	others, err := s.represented(ctx, r.Tenant, who, own, now)
	if err != nil {
		return "", nil, err
	}
	asked := r.IsApprover(who)
	for _, id := range others {
		if fresh && slices.Contains(waiting, id) && !r.Decided(id) { // who acted for another approver has had their say
			return id, nil, nil
		}
		asked = asked || r.IsApprover(id)
	}
	switch {
	case asked || !fresh:
		return "", decided(r).WithMessage("this step, or your part in it, is decided already"), nil
	case slices.ContainsFunc(r.Steps, func(s Step) bool { return slices.Contains(s.Approvers, who) }):
		return "", ErrNotYet, nil
	}
	return "", ErrNotApprover, nil
}

func decided(r Request) *fault.Error {
	err := ErrDecided.With("status", r.Status)
	if r.Outcome != nil {
		err = err.With("decided_at", r.Outcome.At)
	}
	return err
}

// settle ends a pending request and everything that hangs on it.
func (s *Service) settle(ctx context.Context, by identity.Principal, r Request, status Status, o Outcome) (Request, error) {
	o.By = by.User()
	r = r.withSteps()
	r.CloseSteps(o.At)
	r.Status, r.Outcome = status, &o
	r.Version++
	if err := s.store.Settle(ctx, r); err != nil {
		return Request{}, err
	}
	if err := s.handle(ctx, r); err != nil {
		return Request{}, err
	}
	return r, s.tell(ctx, by, auditAction(status), EventDecided, r)
}

// advance writes a decision that the request outlives. Who is asked next is told.
func (s *Service) advance(ctx context.Context, by identity.Principal, then ruling) (Request, error) {
	r := then.Request
	r.Version++
	if err := s.store.Advance(ctx, r); err != nil {
		return Request{}, err
	}
	if err := s.cfg.Audit.Record(ctx, s.entry(by, "approval_step_approve", r)); err != nil {
		return Request{}, err
	}
	if !then.opened {
		return r, nil
	}
	if err := s.cfg.Outbox.Publish(ctx, s.event(EventStepOpened, r)); err != nil {
		return Request{}, err
	}
	return r, s.notifyOpened(ctx, then.action.Request, r)
}

// auditAction names what an audit entry says was done.
func auditAction(ended Status) string {
	switch ended {
	case Approved:
		return "approval_approve"
	case Rejected:
		return "approval_reject"
	case TimedOut:
		return "approval_timeout"
	case Withdrawn, Pending, NotRequired: // the last two are no ends
	}
	return "approval_cancel"
}

// handle calls the owner of the subject, if there is one.
func (s *Service) handle(ctx context.Context, r Request) error {
	h, ok := s.cfg.Subjects[r.Subject.Kind]
	if !ok || h == nil {
		return nil
	}
	switch r.Status {
	case Approved:
		return h.Approved(ctx, r)
	case Rejected:
		return h.Rejected(ctx, r)
	case TimedOut:
		return h.TimedOut(ctx, r)
	case Withdrawn, Pending, NotRequired: // see Withdraw
	}
	return nil
}

// stillActs says whether who submitted in the requester's name may still act for them; it is true of everybody else, and
// where Config.Delegates cannot tell.
func (s *Service) stillActs(ctx context.Context, by identity.Principal, r Request) (bool, error) {
	if s.cfg.Delegates == nil || by.User() != r.ActedBy || mayOversee(by) {
		return true, nil
	}
	delegates, err := s.cfg.Delegates(ctx, r.Tenant, r.Requester)
	return slices.Contains(delegates, by.User()), err
}

// Withdraw takes a pending request back, for the requester, who acted for them (while they still may, by
// Config.Delegates), or an administrator (role admin or mgmt).
// A handler of the subject that is a WithdrawHandler is told in the transaction. It returns ErrNotFound (also for a
// request that the caller may not see), ErrNotRequester, ErrReasonRequired, ErrExpired or ErrDecided.
func (s *Service) Withdraw(ctx context.Context, by identity.Principal, id, reason string) (Request, error) {
	if err := check.Struct(Decision{Action: Reject, Reason: reason}); err != nil {
		return Request{}, err
	}
	var out Request
	err := s.store.Do(ctx, func(ctx context.Context) error {
		r, err := s.lock(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		acts, err := s.stillActs(ctx, by, r)
		if err != nil {
			return err
		}
		switch {
		case !visible(by, r):
			return ErrNotFound
		case !mayWithdraw(by, r), r.Status == Pending && !acts:
			return ErrNotRequester
		case r.Status == TimedOut, r.Status == Pending && !now.Before(r.ExpiresAt):
			return ErrExpired.With("expires_at", r.ExpiresAt)
		case r.Status != Pending:
			return decided(r)
		case blank(reason):
			return ErrReasonRequired
		}
		out, err = s.settle(ctx, by, r, Withdrawn, Outcome{Action: ActionWithdraw, Reason: reason, At: now})
		if err != nil {
			return err
		}
		if h, ok := s.cfg.Subjects[r.Subject.Kind].(WithdrawHandler); ok {
			return h.Withdrawn(ctx, out)
		}
		return nil
	})
	if err != nil {
		return Request{}, err
	}
	return out, nil
}

// WithdrawSubject takes back whatever is pending on a subject, for the owner of the subject, who has cancelled or changed
// it in the same transaction. The owner answers for the permission, and no handler is called. Without a pending request
// it does nothing.
func (s *Service) WithdrawSubject(ctx context.Context, by identity.Principal, subject Subject, reason string) error {
	return s.store.Do(ctx, func(ctx context.Context) error {
		pending, err := s.store.LockPending(ctx, by.Tenant, subject)
		if err != nil || len(pending) == 0 {
			return err
		}
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		for _, r := range pending {
			if _, err := s.settle(ctx, by, r, Withdrawn, Outcome{Action: ActionWithdraw, Reason: reason, At: now}); err != nil {
				return err
			}
		}
		return nil
	})
}
