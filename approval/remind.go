package approval

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

const machineReminder = "reminder" // "system:reminder"

// remind tells the approvers of requests whose reminder has come. Approvers of the open step who can no longer decide are
// replaced first, as at the beginning: by the managers' chain, then by the fallback group. Where nobody is found the
// request stays as it is.
func (s *Service) remind(ctx context.Context, now time.Time, due []Request) error {
	tenants := map[identity.TenantID][]int{}
	for i, r := range due {
		tenants[r.Tenant] = append(tenants[r.Tenant], i)
	}
	var notices []transport.Notice
	for tenant, places := range tenants {
		asked := map[string][]string{}
		for _, i := range places {
			asked[due[i].ID] = due[i].Deciders()
		}
		everybody := members(asked)
		people, err := s.cfg.Directory.People(ctx, tenant, everybody)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		for _, p := range people {
			there[p.ID] = p.Active && !p.OnLeave
		}
		standIns, err := s.standIns(ctx, tenant, everybody, nil, now)
		if err != nil {
			return err
		}
		for _, i := range places {
			told, err := s.remindOf(ctx, due[i], now, there, standIns)
			if err != nil {
				return err
			}
			notices = append(notices, told...)
		}
	}
	return s.notify(ctx, notices)
}

// remindOf returns the reminders of one request. Most of them cost no query but for the requester's delegates: everybody is
// there and has no substitute.
func (s *Service) remindOf(ctx context.Context, r Request, now time.Time, there map[string]bool, standIns map[string][]string) ([]transport.Notice, error) {
	own, err := s.interested(ctx, r.Tenant, r.Requester, r.ActedBy)
	if err != nil {
		return nil, err
	}
	awry := slices.ContainsFunc(r.Deciders(), func(id string) bool { return !there[id] || r.Decided(id) || slices.Contains(own, id) })
	if awry {
		if r, err = s.reroute(ctx, r, now); err != nil {
			return nil, err
		}
	}
	if awry || slices.ContainsFunc(r.Deciders(), func(id string) bool { return len(standIns[id]) > 0 }) {
		return s.noticesToAsked(ctx, r, TemplateReminder)
	}
	return s.noticesTo(r, TemplateReminder, true, r.Deciders()), nil
}

// reroute replaces the approvers of the open step who can no longer decide, and writes that down.
func (s *Service) reroute(ctx context.Context, r Request, now time.Time) (Request, error) {
	to, err := s.routerFor(ctx, r, now)
	if err != nil {
		return r, err
	}
	then := r.withSteps()
	step := &then.Steps[then.Current()]
	gone, err := to.refill(ctx, step)
	if errors.Is(err, ErrNoApprover) || err == nil && len(gone) == 0 {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	machine := identity.System(r.Tenant, machineReminder)
	step.Changes = append(slices.Clone(step.Changes), Moment{At: now, Kind: "replaced", By: machineRouter, Detail: strings.Join(step.Why, "; ")})
	then.Version++
	if err := s.store.Advance(ctx, then); err != nil {
		return r, err
	}
	e := s.entry(machine, "approval_rerouted", then)
	e.Reason, e.Metadata["replaced"], e.Metadata["approvers"] = "", gone, step.Approvers
	return then, s.cfg.Audit.Record(ctx, e)
}

// refill keeps the approvers who have decided or still can, and finds others for the rest: what the policy would find
// now. It returns who was dropped, or ErrNoApprover.
func (to router) refill(ctx context.Context, step *Step) (gone []string, err error) {
	kept := []string{}
	for _, id := range step.Approvers {
		stays := slices.ContainsFunc(step.Decisions, func(d StepDecision) bool { return d.For == id })
		if !stays {
			if stays, _, err = to.fit(ctx, id); err != nil {
				return nil, err
			}
		}
		if stays {
			kept = append(kept, id)
		} else {
			gone = append(gone, id)
		}
	}
	if len(gone) == 0 {
		return nil, nil
	}
	size := len(step.Approvers)
	fresh := *step
	if err := to.fill(ctx, &fresh); err != nil && !(errors.Is(err, ErrNoApprover) && len(kept) >= step.Need()) {
		return nil, err
	}
	step.Approvers = kept
	step.Why = append([]string{strings.Join(gone, ", ") + " can no longer decide"}, fresh.Why...)
	for _, id := range fresh.Approvers {
		if step.Mode != All || len(step.Approvers) < size {
			step.add([]string{id})
		}
	}
	if len(step.Approvers) < step.Need() || step.Mode == All && len(step.Approvers) < size {
		return nil, ErrNoApprover
	}
	return gone, nil
}
