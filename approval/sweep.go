package approval

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sweep"
)

const (
	machineTimeout = "timeout"   // "system:timeout"
	defaultSweep   = 500         // requests in one transaction
	retryAfter     = time.Minute // for a request whose handler failed

	// lockedBatch is how many at once where subjects are locked, too: here after the request, by whoever changes one
	// before it. The fewer a transaction holds, the less often the two run into each other, and the shorter others wait.
	lockedBatch = 20
)

// Sweep times out and reminds up to limit due requests (0: 500), of all tenants, and returns how many it did; call it
// again while that is limit. It costs what the due ones cost, however many wait. Any number of nodes may sweep at once:
// each timer acts exactly once. Where reminder and deadline are both due, only the time-out happens.
//
// It commits on its own, so call it outside of transactions. A request whose SubjectHandler fails is left for a minute
// and does not hold up the others; its error is part of the returned one. Act refuses it as expired all the same.
func (s *Service) Sweep(ctx context.Context, limit int) (int, error) {
	if limit <= 0 {
		limit = defaultSweep
	}
	now, err := s.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	if due, err := s.store.AnyDue(ctx, now); err != nil || !due {
		return 0, err
	}
	batch := 0
	if s.lockers {
		batch = lockedBatch
	}
	return sweep.Claims[Request]{
		Work: s.sweep, PutOff: s.putOff, Name: func(r Request) string { return "approval: request " + r.ID }, Batch: batch,
	}.Sweep(ctx, limit)
}

// putOff leaves a request that could not be ended or reminded of for a while.
func (s *Service) putOff(ctx context.Context, r Request) error {
	now, err := s.store.Now(ctx)
	if err != nil {
		return err
	}
	return s.store.Postpone(ctx, r.Tenant, r.ID, now.Add(retryAfter))
}

// sweep does one batch in one transaction. With an error it returns what it had claimed; nothing of that has happened.
func (s *Service) sweep(ctx context.Context, limit int) ([]Request, error) {
	var batch []Request
	err := s.store.Do(ctx, func(ctx context.Context) error {
		batch = nil
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		machine := identity.System("", machineTimeout)
		late, err := s.store.TimeOut(ctx, now, machine.Actor, limit)
		if err != nil {
			return err
		}
		batch = late
		for _, r := range late {
			if err := s.handle(ctx, r); err != nil {
				return err
			}
		}
		if len(late) > 0 {
			if err := s.tell(ctx, machine, auditAction(TimedOut), EventDecided, late...); err != nil {
				return err
			}
		}
		if len(late) == limit {
			return nil
		}
		waiting, err := s.store.Remind(ctx, now, limit-len(late))
		if err != nil {
			return err
		}
		batch = append(batch, waiting...)
		return s.remind(ctx, now, waiting)
	})
	return batch, err
}
