package approval

import (
	"slices"
	"time"
)

// Mode says how many of a step's approvers must agree. One rejection ends the request in every mode.
type Mode string

// The modes.
const (
	Any    Mode = "any"    // the first
	All    Mode = "all"    // everybody
	Quorum Mode = "quorum" // as many as Step.Quorum says
)

// StepState is where a step stands.
type StepState string

// The states of a step.
const (
	StepWaiting  StepState = "waiting"  // for the steps before it; its approvers are found anew when it opens
	StepOpen     StepState = "open"     // its approvers may decide
	StepApproved StepState = "approved" // enough have agreed
	StepRejected StepState = "rejected" // somebody has not
	StepClosed   StepState = "closed"   // the request ended otherwise
)

// Step is one round of consent: who is asked, why they (in words, for the timeline), and what they said. Steps open one
// after the other.
type Step struct {
	Name      string         `json:"name,omitempty"`
	Mode      Mode           `json:"mode"`
	Quorum    int            `json:"quorum,omitempty"` // for the mode Quorum
	Ask       []Source       `json:"ask,omitempty"`    // whom the policy asks, in its terms
	Approvers []string       `json:"approvers"`        // those people; until it opens, as things stood at the submission
	Why       []string       `json:"why"`
	State     StepState      `json:"state"`
	OpenedAt  time.Time      `json:"opened_at,omitzero"`
	EndedAt   time.Time      `json:"ended_at,omitzero"`
	Decisions []StepDecision `json:"decisions,omitempty"` // in the order in which they were taken
	Changes   []Moment       `json:"changes,omitempty"`   // approvers who were replaced
}

// StepDecision is one approver's word.
type StepDecision struct {
	By      string    `json:"by"`                 // the person who decided
	For     string    `json:"for"`                // the approver whose word it is; By, unless By is their substitute
	ActedBy string    `json:"acted_by,omitempty"` // who did it in By's name (secretary mode); empty: By
	Action  string    `json:"action"`             // Approve or Reject
	Reason  string    `json:"reason,omitempty"`
	At      time.Time `json:"at"`
}

// Need returns how many approvers must agree.
func (s Step) Need() int {
	switch s.Mode {
	case All:
		return len(s.Approvers)
	case Quorum:
		return s.Quorum
	case Any:
	}
	return 1
}

// waiting returns the approvers whose word is missing.
func (s Step) waiting() []string {
	return slices.DeleteFunc(slices.Clone(s.Approvers), func(id string) bool {
		return slices.ContainsFunc(s.Decisions, func(d StepDecision) bool { return d.For == id })
	})
}

// Current returns the place of the open step, or -1.
func (r Request) Current() int {
	return slices.IndexFunc(r.Steps, func(s Step) bool { return s.State == StepOpen })
}

// Deciders returns those who may decide now, besides their substitutes: the approvers of the open step who have not.
func (r Request) Deciders() []string {
	if i := r.Current(); i >= 0 && r.Status == Pending {
		return r.Steps[i].waiting()
	}
	return []string{}
}

// Approvers returns everybody who has been asked, each once, in order. Those of a step that has not opened are not.
func (r Request) Approvers() []string {
	ids := []string{}
	for _, s := range r.Steps {
		if s.OpenedAt.IsZero() {
			continue
		}
		for _, id := range s.Approvers {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// IsApprover says whether the person has been asked.
func (r Request) IsApprover(id string) bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return !s.OpenedAt.IsZero() && slices.Contains(s.Approvers, id) })
}

// Decided says whether the person's word has been given in any step: by themselves, in their name or for somebody else.
// Nobody counts twice.
func (r Request) Decided(id string) bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool {
		return slices.ContainsFunc(s.Decisions, func(d StepDecision) bool { return d.By == id || d.For == id || d.ActedBy == id })
	})
}

// last returns the newest decision and the place of its step, or nil.
func (r Request) last() (*StepDecision, int) {
	for i, s := range slices.Backward(r.Steps) {
		if n := len(s.Decisions); n > 0 {
			return &s.Decisions[n-1], i
		}
	}
	return nil, -1
}

// withSteps returns the request with steps of its own to change.
func (r Request) withSteps() Request {
	r.Steps = slices.Clone(r.Steps)
	return r
}

// CloseSteps ends whatever step is not at its end yet, for a request that has ended at that instant. A store calls it on
// what Timers.TimeOut ended.
func (r *Request) CloseSteps(at time.Time) {
	for i := range r.Steps {
		switch s := &r.Steps[i]; s.State {
		case StepOpen:
			s.State, s.EndedAt = StepClosed, at
		case StepWaiting:
			s.State = StepClosed
		case StepApproved, StepRejected, StepClosed:
		}
	}
}

// take writes an approver's word into the open step and says what follows: the status that the request ends with, or
// Pending. next is the place of the step that is to be opened, or -1.
func (r *Request) take(d StepDecision) (end Status, next int) {
	i := r.Current()
	s := &r.Steps[i]
	s.Decisions = append(slices.Clone(s.Decisions), d)
	switch {
	case d.Action == Reject:
		s.State, s.EndedAt = StepRejected, d.At
		r.CloseSteps(d.At)
		return Rejected, -1
	case len(s.Decisions) < s.Need():
		return Pending, -1
	}
	s.State, s.EndedAt = StepApproved, d.At
	if i+1 < len(r.Steps) {
		return Pending, i + 1
	}
	return Approved, -1
}
