package graphsync

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Op is what an Action does.
type Op string

// The operations, in the order in which they are applied: whoever comes is there before they are put anywhere, and
// what takes something away comes last.
const (
	OpLinkUser     Op = "link_user"    // an account that is there is a person's
	OpRestoreUser  Op = "restore_user" // out of Entra's bin; only in a roll-back
	OpCreateUser   Op = "create_user"  // with a password that nobody knows
	OpUpdateUser   Op = "update_user"  // only what differs
	OpEnableUser   Op = "enable_user"  // only what this package disabled
	OpSetManager   Op = "set_manager"  // or takes it away
	OpLinkGroup    Op = "link_group"   // a group that is there is a unit's
	OpCreateGroup  Op = "create_group"
	OpUpdateGroup  Op = "update_group"
	OpChangeUnit   Op = "change_unit" // in staff, what Entra owns
	OpAssign       Op = "assign"      // in staff, who was put into the group
	OpUnassign     Op = "unassign"    // in staff, who was taken out of the group
	OpAddMember    Op = "add_member"
	OpRemoveMember Op = "remove_member"
	OpDisableUser  Op = "disable_user" // and end the sessions
	OpDeleteUser   Op = "delete_user"  // after it was disabled long enough
	OpDeleteGroup  Op = "delete_group" // only in a roll-back
	OpUnlinkUser   Op = "unlink_user"  // an account no longer is a person's
)

// Ops returns the operations in the order in which they are applied.
func Ops() []Op {
	return []Op{
		OpLinkUser, OpRestoreUser, OpCreateUser, OpUpdateUser, OpEnableUser, OpSetManager, OpLinkGroup, OpCreateGroup, OpUpdateGroup,
		OpChangeUnit, OpAssign, OpUnassign, OpAddMember, OpRemoveMember, OpDisableUser, OpDeleteUser, OpDeleteGroup, OpUnlinkUser,
	}
}

// Fields of accounts and groups, by the names of Graph.
const (
	FieldName        = "displayName"
	FieldUPN         = "userPrincipalName"
	FieldEmployeeID  = "employeeId"
	FieldJobTitle    = "jobTitle"
	FieldDescription = "description"
	FieldManager     = "manager" // the id of an account
)

// Edit is a field before and after an Action.
type Edit struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Why is the reason of an Action.
type Why string

// The reasons.
const (
	WhyNew        Why = "new"         // is not there yet
	WhyMatched    Why = "matched"     // is there and nobody's
	WhyChanged    Why = "changed"     // differs
	WhyLeft       Why = "left"        // is not, or no longer, to have an account
	WhyGone       Why = "gone"        // the person is no longer in staff
	WhyBack       Why = "back"        // came back
	WhyExpired    Why = "expired"     // left long enough ago
	WhyRolledBack Why = "rolled_back" // undoes another run
)

// Action is a step of a plan.
type Action struct {
	Op      Op     `json:"op"`
	Person  int64  `json:"person_id,omitempty"`
	Unit    int64  `json:"unit_id,omitempty"`
	Manager int64  `json:"manager_person_id,omitempty"` // of OpSetManager; 0: nobody, or FieldManager says
	Remote  string `json:"remote_id,omitempty"`         // the account or group; empty: as the Link says by then
	Edits   []Edit `json:"edits,omitempty"`
	Why     Why    `json:"why"`
}

// IssueKind is what keeps a plan from doing what it should.
type IssueKind string

// The kinds of issues. All of them leave Entra as it is until somebody decides, or what is wrong is put right.
const (
	IssueAmbiguous   IssueKind = "ambiguous_employee_id" // several accounts have the person's employee reference
	IssueOfAnother   IssueKind = "account_of_another"    // the account with the employee reference is linked to another person, or that linked has another's reference
	IssueNameTaken   IssueKind = "name_taken"            // the user principal name is another account's or another person's
	IssueAccountGone IssueKind = "account_gone"          // somebody deleted the account of who is to have one
	IssueGroupGone   IssueKind = "group_gone"            // somebody deleted the group of a unit
	IssueUnitGone    IssueKind = "unit_gone"             // the unit of a group is no longer in staff; the group stays
	IssueDisabled    IssueKind = "disabled_in_entra"     // somebody else disabled the account of who is to have one
	IssueProtected   IssueKind = "protected"             // the account would be changed, which the configuration forbids
	IssueOnPremises  IssueKind = "on_premises"           // the account would be changed, which only its on-premises master can
	IssueNoReference IssueKind = "no_employee_reference"
	IssueReference   IssueKind = "employee_reference_too_long"
	IssueNoEmail     IssueKind = "no_email"
)

// Issue is something that somebody should look at.
type Issue struct {
	Kind    IssueKind `json:"kind"`
	Object  Kind      `json:"object"`
	Local   int64     `json:"local_id"`
	Remotes []string  `json:"remote_ids"` // the accounts or groups in question
}

// Plan says what is to be done in Entra, and in staff for what Entra owns, and what stands in the way.
type Plan struct {
	Actions []Action
	Issues  []Issue
	Tripped []Guard // guards that want a confirmation
	Waiting int     // objects in quarantine, which are left alone
	People  int     // who is to have an account

	// Seen is who was seen in the group of each unit whose members Entra owns, see Link.Seen.
	Seen map[int64][]int64
}

// Hash tells plans apart: two plans with the same one do the same.
func (p Plan) Hash() string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, a := range p.Actions {
		_ = enc.Encode(a) // texts and numbers into a hash: cannot fail
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Counts says how many actions there are of each operation.
func (p Plan) Counts() map[Op]int {
	out := map[Op]int{}
	for _, a := range p.Actions {
		out[a.Op]++
	}
	return out
}

// MakePlan says what makes Entra follow staff. It is a pure function: the same snapshot and rules give the same plan. It
// matches by link, then by employee reference, never by mail address.
func MakePlan(s Snapshot, r Rules) Plan {
	p := newPlanner(s, r.withDefaults())
	p.users()
	p.managers()
	p.units()
	inOrder(p.plan.Actions)
	p.plan.Tripped = p.guards()
	return p.plan
}

// inOrder sorts actions by operation, in the order of Ops.
func inOrder(actions []Action) {
	order := map[Op]int{}
	for i, op := range Ops() {
		order[op] = i
	}
	slices.SortStableFunc(actions, func(a, b Action) int { return order[a.Op] - order[b.Op] })
}
