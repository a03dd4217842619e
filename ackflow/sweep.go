package ackflow

import (
	"context"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sweep"
	"github.com/renkei-go/renkei/transport"
)

const (
	machine      = "ackflow" // "system:ackflow"
	defaultSweep = 500       // requests in one call
	sweepBatch   = 20        // in one transaction: each may tell hundreds of people
	retryAfter   = time.Minute
)

// Sweep sends what is due of up to limit requests (0: 500), of all tenants, and returns how many it dealt with; call it
// again while that is limit. It costs what the due ones cost, however many are open. Any number of nodes may sweep at
// once: nothing is sent twice.
//
// Reminders go to those who are missing, at DueAt and then every so many hours; what an outage swallowed is made up for by
// one. Escalation happens once: nobody hears of the same request twice. Hours are hours that have passed, whatever the
// clocks on the wall do, and a store's clock that is set back makes nothing due again.
//
// It commits on its own, so call it outside of transactions. A request that fails is left for a minute and does not hold
// up the others; its error is part of the returned one.
func (s *Service) Sweep(ctx context.Context, limit int) (int, error) {
	if limit <= 0 {
		limit = defaultSweep
	}
	now, err := s.now(ctx)
	if err != nil {
		return 0, err
	}
	if due, err := s.store.AnyDue(ctx, now); err != nil || !due {
		return 0, err
	}
	return sweep.Claims[Request]{
		Work: s.sweep, PutOff: s.putOff, Name: func(r Request) string { return "ackflow: request " + r.ID }, Batch: sweepBatch,
	}.Sweep(ctx, limit)
}

// putOff leaves a request whose due work failed for a while.
func (s *Service) putOff(ctx context.Context, r Request) error {
	now, err := s.now(ctx)
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
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		if batch, err = s.store.ClaimDue(ctx, now, limit); err != nil {
			return err
		}
		var facts []fact
		for _, r := range batch {
			sent, err := s.due(ctx, r, now)
			if err != nil {
				return err
			}
			facts = append(facts, sent...)
		}
		return s.tell(ctx, identity.System("", machine), now, facts...)
	})
	return batch, err
}

// due does what is due for one request.
func (s *Service) due(ctx context.Context, r Request, now time.Time) ([]fact, error) {
	lacking, err := s.store.Lacking(ctx, r.Tenant, 0, r.ID)
	if err != nil {
		return nil, err
	}
	missing, err := s.active(ctx, r.Tenant, lacking[r.ID])
	if err != nil {
		return nil, err
	}
	m, err := s.store.Message(ctx, r.Tenant, r.MessageID)
	if err != nil && !isGone(err) {
		return nil, err
	}
	var facts []fact
	if !r.RemindAt.IsZero() && !r.RemindAt.After(now) {
		r.Reminders++
		r.RemindedAt, r.RemindAt = now, now.Add(time.Duration(r.RemindHour)*time.Hour)
		if len(missing) > 0 { // else all of them have left, which reminders do not mend
			f, err := s.remind(ctx, r, m, missing)
			if err != nil {
				return nil, err
			}
			facts = append(facts, f)
		}
	}
	if !r.EscalateAt.IsZero() && !r.EscalateAt.After(now) {
		r.EscalateAt = time.Time{}
		f, err := s.escalate(ctx, r, m, lacking[r.ID], now)
		if err != nil {
			return nil, err
		}
		facts = append(facts, f)
	}
	return facts, s.store.SetRequest(ctx, r)
}

// remind tells those who are missing and, later, those who stand in for them and lead them.
func (s *Service) remind(ctx context.Context, r Request, m Message, missing []string) (fact, error) {
	f := fact{
		action: "chat_ack_reminder_sent", request: r, users: missing, notices: s.noticesTo(r, m, TemplateReminder, missing),
		more: map[string]any{"userIds": missing, "round": r.Reminders},
	}
	if s.cfg.StandIns == nil || r.Reminders < 2 {
		return f, nil
	}
	var others []string
	for _, id := range missing {
		standIns, err := s.cfg.StandIns(ctx, r.Tenant, id)
		if err != nil {
			return fact{}, err
		}
		others = append(others, standIns...)
	}
	if r.Reminders > 2 {
		managers, err := s.managers(ctx, r.Tenant, missing)
		if err != nil {
			return fact{}, err
		}
		others = append(others, managers...)
	}
	slices.Sort(others)
	others, err := s.active(ctx, r.Tenant, slices.Compact(others))
	if err != nil {
		return fact{}, err
	}
	others = slices.DeleteFunc(others, func(id string) bool { return slices.Contains(missing, id) })
	f.notices = append(f.notices, naming(missing, s.noticesTo(r, m, TemplateStandIn, others))...)
	if len(others) > 0 {
		f.more["alsoToldIds"] = others
	}
	return f, s.store.Tell(ctx, r.Tenant, r.ID, r.RemindedAt, others)
}

// escalate tells those who were named for it, as they are now, each once in the life of the request. It names everybody who
// is missing: those who have left above all keep the request from its end.
func (s *Service) escalate(ctx context.Context, r Request, m Message, missing []string, now time.Time) (fact, error) {
	var to []string
	var err error
	if r.Escalation.To.IsEmpty() {
		to, err = s.managers(ctx, r.Tenant, missing)
	} else {
		var people []Asked
		people, _, _, err = s.expand(ctx, r.Tenant, r.Escalation.To)
		to = ids(people)
	}
	if err == nil {
		to, err = s.store.Escalate(ctx, r.Tenant, r.ID, now, to)
	}
	if err != nil {
		return fact{}, err
	}
	return fact{
		action: "chat_ack_escalated", event: EventEscalated, request: r, users: to,
		notices: naming(missing, s.noticesTo(r, m, TemplateEscalated, to)), more: map[string]any{"userIds": to, "missingUserIds": missing},
	}, nil
}

// naming adds who is missing to notices for others, the first few of them.
func naming(missing []string, notices []transport.Notice) []transport.Notice {
	for _, n := range notices {
		n.Data["missing_ids"] = missing[:min(len(missing), mostIncomplete)]
	}
	return notices
}
