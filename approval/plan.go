package approval

import (
	"errors"
	"fmt"

	"github.com/renkei-go/renkei/foundation/check"
)

// The types of sources.
const (
	FromManager = "manager" // of the requester, Source.Level managers up the chain
	FromRole    = "role"    // everybody who holds the role
	FromGroup   = "group"   // everybody in the group
	FromUser    = "user"    // the person
)

// Source says whom a step asks, in the terms of a policy.
type Source struct {
	Type  string `json:"type"`            // FromManager, FromRole, FromGroup or FromUser
	ID    string `json:"id,omitempty"`    // of the role, group or person
	Level int    `json:"level,omitempty"` // of FromManager: 1 (or 0) is the manager, 2 the manager's manager, up to MaxLevel
}

// Manager is the requester's manager.
func Manager() Source { return Source{Type: FromManager, Level: 1} }

// ManagerAbove is the manager so many levels up: ManagerAbove(2) is the manager's manager.
func ManagerAbove(level int) Source { return Source{Type: FromManager, Level: level} }

// Holders is everybody who holds a role or is in a group of that name.
func Holders(roleOrGroup string) Source { return Source{Type: FromRole, ID: roleOrGroup} }

// User is one person.
func User(id string) Source { return Source{Type: FromUser, ID: id} }

// Plan is a step as a policy has it.
type Plan struct {
	Name   string   `json:"name,omitempty"`
	Mode   Mode     `json:"mode,omitempty"`   // default Any
	Quorum int      `json:"quorum,omitempty"` // for the mode Quorum: how many must agree
	Ask    []Source `json:"approvers"`        // at least one
}

// DefaultSteps is the seed's one step: the manager (seed 003 §6.2).
func DefaultSteps() []Plan { return []Plan{{Mode: Any, Ask: []Source{Manager()}}} }

// The limits of a flow's steps.
const (
	MaxSteps   = 10
	MaxSources = 200 // of one step
	MaxQuorum  = 1000
	MaxLevel   = 10
)

// validateSteps returns what is wrong with the steps of a flow, with places such as "steps[0].quorum".
func validateSteps(steps []Plan) error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(steps) > MaxSteps {
		wrong("steps: at most %d", MaxSteps)
	}
	for i, p := range steps {
		at := fmt.Sprintf("steps[%d]", i)
		if !check.IsText(p.Name, false) || len([]rune(p.Name)) > maxName {
			wrong("%s.name: a short line of text", at)
		}
		switch {
		case p.Mode != "" && p.Mode != Any && p.Mode != All && p.Mode != Quorum:
			wrong("%s.mode: any, all or quorum", at)
		case p.Mode == Quorum && (p.Quorum < 1 || p.Quorum > MaxQuorum):
			wrong("%s.quorum: 1 to %d", at, MaxQuorum)
		case p.Mode != Quorum && p.Quorum != 0:
			wrong("%s.quorum: only for the mode quorum", at)
		}
		if len(p.Ask) == 0 || len(p.Ask) > MaxSources {
			wrong("%s.approvers: 1 to %d", at, MaxSources)
		}
		for j, s := range p.Ask {
			if what := s.wrong(); what != "" {
				wrong("%s.approvers[%d]: %s", at, j, what)
			}
		}
	}
	return errors.Join(errs...)
}

const maxName = 200 // characters of a name or id in a policy

func (s Source) wrong() string {
	switch s.Type {
	case FromManager:
		if s.ID != "" || s.Level < 0 || s.Level > MaxLevel {
			return fmt.Sprintf("a manager has a level of 1 to %d and no id", MaxLevel)
		}
	case FromRole, FromGroup, FromUser:
		if s.ID == "" || !check.IsText(s.ID, false) || len([]rune(s.ID)) > maxName || s.Level != 0 {
			return "an id is required, and no level"
		}
	default:
		return "the type is manager, role, group or user"
	}
	return ""
}

// step is the plan at the beginning of a request, before anybody has been found.
func (p Plan) step() Step {
	s := Step{Name: p.Name, Mode: p.Mode, Quorum: p.Quorum, Ask: p.Ask, Approvers: []string{}, Why: []string{}, State: StepWaiting}
	if s.Mode == "" {
		s.Mode = Any
	}
	return s
}
