package approval

import (
	"context"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Action is a decision of an approver: about to be taken, as guards see it, or just taken, as a Follower does.
type Action struct {
	By      identity.Principal
	For     string // the approver whose word it is: By.User(), or whom they stand in for
	Flow    string
	Key     string // Approve or Reject
	Request Request
	Reason  string // that was given
}

// Failure is one condition that is not met. Its JSON form is the one of seed 002.
type Failure struct {
	Type    string         `json:"type"`   // of the guard, "chat_ack_completed"
	Reason  string         `json:"reason"` // stable, for programs
	Details map[string]any `json:"details,omitempty"`
}

// Guard is a further condition of a decision. Check returns every failure, none when the action may go on; their Type is
// set to the guard's. It runs inside the decision's transaction (so it reads through ctx, and locks what must not change
// before the decision is written) and also in dry runs, with or without one: it must change nothing. In a dry run the
// request may be empty. An error refuses the action. Implementations are safe for concurrent use and make no network
// call.
type Guard interface {
	Check(ctx context.Context, a Action) ([]Failure, error)
}

// Follower is told of every decision that an approver takes, also of those after which the request still waits for
// others, in the transaction that takes it: an error takes the decision back. Time-outs and withdrawals are no decisions.
// Implementations are safe for concurrent use and make no network call.
type Follower interface {
	Acted(ctx context.Context, a Action) error
}

// ChatAckCompleted is the type of the guard that wants the linked acknowledgements complete (seed 002, phase 2); package
// ackguard has it. It is the one whose failures may be overridden.
const ChatAckCompleted = "chat_ack_completed"

// The reasons of failures that the package itself reports. They cannot be overridden: what has not been asked is not
// known to have failed.
const (
	UnknownGuardType = "unknown_guard_type" // Config.Guards has none of this type
	GuardError       = "guard_error"        // it could not answer; why is in the log
)

// GuardState is what a guard says at present.
type GuardState struct {
	Type     string    `json:"type"`
	Action   string    `json:"action_key"`
	PolicyID string    `json:"policy_id" doc:"The action policy that asks for it."`
	Passed   bool      `json:"passed"`
	Failures []Failure `json:"failures" nullable:"false"`
}

// ask asks every guard of the policy, in order, each type once. Cause is the first error of a guard.
func (s *Service) ask(ctx context.Context, p ActionPolicy, a Action) (states []GuardState, cause error) {
	asked := map[string]bool{}
	for _, spec := range p.Guards {
		if asked[spec.Type] {
			continue
		}
		asked[spec.Type] = true
		failures, err := s.askOne(ctx, spec.Type, a)
		if err != nil && cause == nil {
			cause = err
		}
		states = append(states, GuardState{Type: spec.Type, Action: a.Key, PolicyID: p.ID, Passed: len(failures) == 0, Failures: failures})
	}
	return states, cause
}

func (s *Service) askOne(ctx context.Context, name string, a Action) ([]Failure, error) {
	guard := s.cfg.Guards[name]
	if guard == nil {
		return []Failure{{Type: name, Reason: UnknownGuardType}}, nil
	}
	found, err := guard.Check(ctx, a)
	if err != nil {
		return []Failure{{Type: name, Reason: GuardError}}, err
	}
	failures := make([]Failure, len(found))
	for i, f := range found {
		f.Type = name
		failures[i] = f
	}
	return failures, nil
}
