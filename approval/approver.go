package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// interested returns everybody who counts as the requester: the requester, who acted for them, and their delegates.
func (s *Service) interested(ctx context.Context, tenant identity.TenantID, requester, actedBy string) ([]string, error) {
	people := []string{requester}
	if actedBy != "" {
		people = append(people, actedBy)
	}
	if s.cfg.Delegates != nil {
		delegates, err := s.cfg.Delegates(ctx, tenant, requester)
		if err != nil {
			return nil, err
		}
		people = append(people, delegates...)
	}
	return people, nil
}

// router finds the people of a request's steps, in one transaction.
type router struct {
	*Service
	tenant    identity.TenantID
	requester string
	own       []string          // who counts as the requester
	barred    map[string]string // who else cannot be asked, and why
	now       time.Time
}

// routerFor is a router that asks nobody who has decided in the request already.
func (s *Service) routerFor(ctx context.Context, r Request, now time.Time) (router, error) {
	own, err := s.interested(ctx, r.Tenant, r.Requester, r.ActedBy)
	if err != nil {
		return router{}, err
	}
	to := router{s, r.Tenant, r.Requester, own, map[string]string{}, now}
	for _, step := range r.Steps {
		for _, d := range step.Decisions {
			for _, id := range []string{d.By, d.For, d.ActedBy} {
				to.barred[id] = "has decided already"
			}
		}
	}
	for _, id := range own {
		to.barred[id] = "takes part in the request"
	}
	return to, nil
}

// route finds who decides in every step of a new request and opens the first. What it finds for later steps is how
// things stand now: they are found anew when their step opens. It returns ErrNoApprover.
func (s *Service) route(ctx context.Context, r *Request, now time.Time) error {
	to, err := s.routerFor(ctx, *r, now)
	if err != nil {
		return err
	}
	for i := range r.Steps {
		step := &r.Steps[i]
		if err := to.fill(ctx, step); err != nil {
			return err
		}
		if step.Need() == len(step.Approvers) { // all of them will have decided
			for _, id := range step.Approvers {
				to.barred[id] = "decides before"
			}
		}
	}
	r.Steps[0].State, r.Steps[0].OpenedAt = StepOpen, now
	return nil
}

// open opens the step, whose people are found anew. It returns ErrNoApprover.
func (s *Service) open(ctx context.Context, r *Request, i int, now time.Time) error {
	to, err := s.routerFor(ctx, *r, now)
	if err != nil {
		return err
	}
	r.Steps[i].State, r.Steps[i].OpenedAt = StepOpen, now
	return to.fill(ctx, &r.Steps[i])
}

// fill finds the step's approvers and says why they. Whoever cannot be found is made up for by the fallback group: by
// one of it, in the order of their ids, for each who is missing of All; by all of it when there are too few for the
// mode. It returns ErrNoApprover when that does not help.
func (to router) fill(ctx context.Context, step *Step) error {
	step.Approvers, step.Why = []string{}, []string{}
	missing := 0
	for _, source := range step.Ask {
		found, why, err := to.find(ctx, source)
		if err != nil {
			return err
		}
		step.Why = append(step.Why, why...)
		if len(found) == 0 {
			missing++
		}
		step.add(found)
	}
	want := 0 // of the fallback group; -1: all
	switch {
	case step.Mode == All:
		want = missing
	case len(step.Approvers) < step.Need():
		want = -1
	}
	if want != 0 {
		if err := to.fallBack(ctx, step, want); err != nil {
			return err
		}
	}
	if len(step.Approvers) == 0 || len(step.Approvers) < step.Need() {
		return ErrNoApprover
	}
	return nil
}

func (s *Step) add(ids []string) {
	for _, id := range ids {
		if !slices.Contains(s.Approvers, id) {
			s.Approvers = append(s.Approvers, id)
		}
	}
}

// fallBack adds so many of the fallback group that are not asked yet, or all of it.
func (to router) fallBack(ctx context.Context, step *Step, want int) error {
	group, _, err := to.holders(ctx, to.cfg.FallbackGroup)
	if err != nil {
		return err
	}
	group = slices.DeleteFunc(group, func(id string) bool { return slices.Contains(step.Approvers, id) })
	if want >= 0 && len(group) < want {
		return ErrNoApprover
	}
	if want >= 0 {
		group = group[:want]
	}
	if len(group) > 0 {
		step.add(group)
		step.Why = append(step.Why, "the group "+to.cfg.FallbackGroup+" is asked")
	}
	return nil
}

// find returns the people of a source who may and can decide, and how they were found.
func (to router) find(ctx context.Context, source Source) (found, why []string, err error) {
	var who string
	switch source.Type {
	case FromManager:
		who, why, err = to.climb(ctx, to.requester, max(source.Level, 1))
	case FromUser:
		fit, obstacle, ferr := to.fit(ctx, source.ID)
		if ferr != nil {
			return nil, nil, ferr
		}
		if fit {
			return []string{source.ID}, append(why, source.ID+obstacle+" is asked by name"), nil
		}
		who, why, err = to.climb(ctx, source.ID, 1)
		why = slices.Insert(why, 0, source.ID+obstacle)
	default:
		return to.holders(ctx, source.ID)
	}
	if who != "" {
		found = []string{who}
	}
	return found, why, err
}

// holders returns those of a role or group who may and can decide.
func (to router) holders(ctx context.Context, roleOrGroup string) (found, why []string, err error) {
	holders, err := to.cfg.Directory.Holders(ctx, to.tenant, roleOrGroup)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range holders {
		fit, _, err := to.judge(ctx, h)
		if err != nil {
			return nil, nil, err
		}
		if fit {
			found = append(found, h.ID)
		}
	}
	if len(found) == 0 {
		return nil, []string{"nobody of " + roleOrGroup + " can be asked"}, nil
	}
	return found, []string{"of " + roleOrGroup + ": " + strings.Join(found, ", ")}, nil
}

// climb follows the managers from person up and returns the first, from the given level on, who may and can decide, or ""
// at the end of the chain. It ends where somebody comes twice.
func (to router) climb(ctx context.Context, person string, level int) (string, []string, error) {
	why, seen := []string{}, map[string]bool{}
	for at := 1; ; at++ {
		seen[person] = true
		p, err := to.cfg.Directory.Person(ctx, to.tenant, person)
		if errors.Is(err, identity.ErrUnknownPerson) {
			return "", append(why, person+" is not in the directory"), nil
		}
		if err != nil {
			return "", nil, err
		}
		m := p.ManagerID
		switch {
		case m == "":
			return "", append(why, person+" has no manager"), nil
		case seen[m]:
			return "", append(why, fmt.Sprintf("the managers of %s lead back to %s", person, m)), nil
		}
		if at >= level {
			fit, obstacle, err := to.fit(ctx, m)
			if err != nil {
				return "", nil, err
			}
			if fit {
				return m, append(why, m+obstacle+" is the manager of "+person), nil
			}
			why = append(why, m+obstacle)
		}
		person = m
	}
}

// fit says whether somebody may decide and is there to do so, or why not.
func (to router) fit(ctx context.Context, id string) (bool, string, error) {
	p, err := to.cfg.Directory.Person(ctx, to.tenant, id)
	switch {
	case errors.Is(err, identity.ErrUnknownPerson):
		return false, " cannot be found", nil
	case err != nil:
		return false, "", err
	}
	return to.judge(ctx, p)
}

// judge is fit for a person who is known. The words for somebody on leave who is asked all the same name the reason.
func (to router) judge(ctx context.Context, p identity.Person) (bool, string, error) {
	switch {
	case to.barred[p.ID] != "":
		return false, " " + to.barred[p.ID], nil
	case !p.Active:
		return false, " is not active", nil
	case !p.OnLeave:
		return true, "", nil
	}
	there, err := to.hasSubstitute(ctx, p.ID)
	if err != nil || !there {
		return false, " is on leave", err
	}
	return true, " (on leave, with a substitute)", nil
}

// hasSubstitute says whether somebody may and can decide in the person's place.
func (to router) hasSubstitute(ctx context.Context, person string) (bool, error) {
	standIns, err := to.standIns(ctx, to.tenant, []string{person}, to.own, to.now)
	if err != nil || len(standIns[person]) == 0 {
		return false, err
	}
	people, err := to.cfg.Directory.People(ctx, to.tenant, standIns[person])
	return slices.ContainsFunc(people, func(p identity.Person) bool {
		return to.barred[p.ID] == "" && p.Active && !p.OnLeave
	}), err
}
