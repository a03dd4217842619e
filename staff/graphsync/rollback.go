package graphsync

import (
	"slices"
)

// inverse returns what undoes the steps of a run that were done, in the order in which it is applied. What cannot be
// undone, or is undone with something else, is left out.
func inverse(done []Step) []Action {
	var out []Action
	for _, p := range slices.Backward(done) {
		a := p.Action
		a.Why, a.Edits = WhyRolledBack, swapped(p.Edits)
		switch p.Op {
		case OpUpdateUser, OpUpdateGroup, OpChangeUnit:
		case OpSetManager:
			a.Manager = 0
		case OpLinkUser:
			a.Op = OpUnlinkUser
		case OpUnlinkUser:
			a.Op = OpLinkUser
		case OpCreateUser:
			a.Op, a.Edits = OpDisableUser, nil
		case OpEnableUser:
			a.Op = OpDisableUser
		case OpDisableUser:
			a.Op = OpEnableUser
		case OpDeleteUser:
			a.Op = OpRestoreUser
		case OpCreateGroup:
			a.Op, a.Edits = OpDeleteGroup, nil
		case OpAddMember:
			a.Op = OpRemoveMember
		case OpRemoveMember:
			a.Op = OpAddMember
		case OpAssign:
			a.Op = OpUnassign
		case OpUnassign:
			a.Op = OpAssign
		default:
			continue
		}
		out = append(out, a)
	}
	inOrder(out)
	return out
}

func swapped(edits []Edit) []Edit {
	out := make([]Edit, len(edits))
	for i, e := range edits {
		out[i] = Edit{e.Field, e.After, e.Before}
	}
	return out
}
