package approval

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Status is the outcome of a request, or Pending. It is apart from the subject's own status.
type Status string

// The statuses.
const (
	Pending   Status = "pending"
	Approved  Status = "approved"
	Rejected  Status = "rejected"
	TimedOut  Status = "timed_out"
	Withdrawn Status = "withdrawn"
	// NotRequired is the status of the answer to a Submit that no rule asks consent for; it is never stored.
	NotRequired Status = "not_required"
)

// The actions that an approver decides, and guards are required for.
const (
	Approve = "approve"
	Reject  = "reject"
)

// The actions of a Decision that no approver takes: what ended the request otherwise.
const (
	ActionTimeout  = "timeout"
	ActionWithdraw = "withdraw"
)

// TargetKind names requests in audit entries, event subjects and acknowledgement links (seed 002: targetTable).
const TargetKind = "approval_instances"

// Subject is what is to be approved, in its owner's terms: {"calendar.event", "0197…"}.
type Subject struct {
	Kind string `json:"kind" validate:"required,single_line,maxrunes=200"`
	ID   string `json:"id" validate:"required,single_line,maxrunes=200"`
}

// String returns "<kind>/<id>".
func (s Subject) String() string { return s.Kind + "/" + s.ID }

// Outcome says how a request ended. By is the person decided for (the subject in secretary mode) or a machine such as
// "system:timeout".
type Outcome struct {
	By     string
	Action string // Approve, Reject, ActionTimeout, ActionWithdraw
	Reason string
	At     time.Time
}

// Request is a stored question to approvers. Times are UTC in whole microseconds.
type Request struct {
	ID          string
	Tenant      identity.TenantID
	Subject     Subject
	Flow        string
	Requester   string // the effective person
	ActedBy     string // who submitted in the requester's name; empty when they did it themselves
	Summary     string // one line for people
	Discreet    string // what Summary becomes by Service.Conceal
	Steps       []Step // one after the other; by default one: the manager, or the fallback group
	Policy      int64  // the version of the flow's policy that asked for it
	Reasons     []string
	Explanation []string
	ContentHash string  // SHA-256, hex, of the canonical JSON of the content
	Shown       []Shown // what the content was, oldest first; the last has ContentHash
	Status      Status
	Version     int64 // rises with every decision and revision
	CreatedAt   time.Time
	RemindAt    time.Time
	ExpiresAt   time.Time // the deadline; deciding at this instant is too late
	RemindedAt  time.Time // zero: not (yet)
	Outcome     *Outcome  // nil while pending
}

// Submission asks for consent.
type Submission struct {
	Subject   Subject
	Flow      string    `validate:"required,single_line,maxrunes=200"` // names the rules and guards that apply, e.g. "booking"
	Facts     Facts     `validate:"-"`                                 // what the rules look at
	Content   any       `validate:"-"`                                 // what the approver is shown, as JSON data: hashed, not stored
	Summary   string    `validate:"single_line,maxrunes=4000"`         // one line for the approver; it must hold nothing hidden from them
	Discreet  string    `validate:"single_line,maxrunes=4000"`         // Summary without what may have to be hidden later: see Conceal
	Requester string    `validate:"required,single_line,maxrunes=200"` // whose wish it is; default by.User()
	NotAfter  time.Time // the deadline if sooner than created + Timeout, e.g. the start of a booking; zero: none
}

// Decision is an approver's answer.
type Decision struct {
	Action      string `validate:"oneof=approve reject"`         // Approve or Reject
	Reason      string `validate:"text=multiline,maxrunes=4000"` // required for Reject
	ContentHash string // of what the approver saw; empty: not compared
}

// SubjectHandler owns the subjects of a kind. It is called in the transaction that decides: an error takes the decision
// back. It must be safe for concurrent use and make no network call.
type SubjectHandler interface {
	Approved(ctx context.Context, r Request) error
	Rejected(ctx context.Context, r Request) error // r.Outcome.Reason says why
	TimedOut(ctx context.Context, r Request) error
}

// WithdrawHandler is a SubjectHandler that also wants to know of a request taken back by Service.Withdraw, so that the
// subject does not wait forever. Service.WithdrawSubject does not call it: the owner of the subject is the caller there.
type WithdrawHandler interface {
	Withdrawn(ctx context.Context, r Request) error
}

// SubjectLocker is a SubjectHandler whose subjects are locked by their owner before the owner calls this package, e.g. by
// WithdrawSubject in the transaction that changes one. LockSubject takes the same lock: a decision then locks in the same
// order and the two follow each other, where they would otherwise run into a deadlock that the database has to break.
type SubjectLocker interface {
	LockSubject(ctx context.Context, tenant identity.TenantID, id string) error
}
