package graphsync

import (
	"errors"
	"math"
)

// Guard is a reason to ask somebody before a plan is applied.
type Guard string

// The guards.
const (
	GuardEmpty    Guard = "empty_source"    // nobody is to have an account
	GuardShrunken Guard = "shrunken_source" // fewer people than Limits.Drop allows, compared with the last time
	GuardDisables Guard = "too_many_disables"
	GuardDeletes  Guard = "too_many_deletes"
	GuardRemovals Guard = "too_many_removals" // of people from groups or, where Entra owns the members, from units
)

// Limits is what a plan may do without being confirmed.
type Limits struct {
	// Count and Share: as many disables, and as many deletes, as the greater of Count and of Share of the accounts that
	// are linked and enabled. Default 5 and 0.05.
	Count int
	Share float64
	// Drop: as many fewer people than the last time may be to have an account as the greater of Count and of this share
	// of them. Default 0.2.
	Drop float64
	// RemovalCount and RemovalShare: as many removals from groups as the greater of RemovalCount and of RemovalShare of
	// the memberships. Default 20 and 0.2.
	RemovalCount int
	RemovalShare float64
}

func (l Limits) withDefaults() Limits {
	number := func(n *float64, def float64) {
		if *n == 0 {
			*n = def
		}
	}
	if l.Count == 0 {
		l.Count = 5
	}
	if l.RemovalCount == 0 {
		l.RemovalCount = 20
	}
	number(&l.Share, 0.05)
	number(&l.Drop, 0.2)
	number(&l.RemovalShare, 0.2)
	return l
}

func (l Limits) validate() error {
	for _, share := range []float64{l.Share, l.Drop, l.RemovalShare} {
		if share < 0 || share > 1 || math.IsNaN(share) {
			return errors.New("graphsync: shares in Limits lie between 0 and 1")
		}
	}
	if l.Count < 0 || l.RemovalCount < 0 {
		return errors.New("graphsync: counts in Limits cannot be negative")
	}
	return nil
}

// guards returns those that the plan trips.
func (p *planner) guards() []Guard {
	var out []Guard
	l, n := p.rules.Limits, p.plan.Counts()
	trip := func(g Guard, tripped bool) {
		if tripped {
			out = append(out, g)
		}
	}
	most := func(count int, share float64, of int) int { return max(count, int(share*float64(of))) }
	trip(GuardEmpty, p.plan.People == 0 && len(p.plan.Actions) > 0)
	trip(GuardShrunken, p.plan.People > 0 && p.LastPeople-p.plan.People > most(l.Count, l.Drop, p.LastPeople))
	trip(GuardDisables, n[OpDisableUser] > most(l.Count, l.Share, p.enabled))
	trip(GuardDeletes, n[OpDeleteUser] > most(l.Count, l.Share, p.enabled))
	trip(GuardRemovals, n[OpRemoveMember]+n[OpUnassign] > most(l.RemovalCount, l.RemovalShare, p.members))
	return out
}
