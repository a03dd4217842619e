package delegation

import (
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Delegation lets the delegatee work for the delegator (seed 003 §2.1). Times are UTC in whole microseconds.
type Delegation struct {
	ID          string // UUIDv7
	Tenant      identity.TenantID
	DelegatorID string                // whose calendar it is: the executive
	DelegateeID string                // who may work on it: the secretary
	Permissions []calendar.Permission // at least one, in the order of All
	ValidFrom   time.Time             // zero: since it was granted
	ValidUntil  time.Time             // exclusive; zero: until it is revoked
	RevokedAt   time.Time             // zero: not revoked
	CreatedAt   time.Time
}

// EffectiveAt says whether the delegation allows anything at the instant t.
func (d Delegation) EffectiveAt(t time.Time) bool {
	return d.RevokedAt.IsZero() && !t.Before(d.ValidFrom) && (d.ValidUntil.IsZero() || t.Before(d.ValidUntil))
}

// All returns the permissions that there are (seed 003 §2.1).
func All() []calendar.Permission {
	return []calendar.Permission{calendar.ReadPrivate, calendar.Edit, calendar.Respond}
}

// NewDelegation is what a person grants. Zero times mean from now on, and until revoked.
type NewDelegation struct {
	DelegateeID string                `json:"delegatee_id" validate:"required,max=255,text"`
	Permissions []calendar.Permission `json:"permissions" validate:"required,min=1,max=3,unique,dive,oneof=READ_PRIVATE EDIT RESPOND"`
	ValidFrom   time.Time             `json:"valid_from"`
	ValidUntil  time.Time             `json:"valid_until"` // after ValidFrom and after now
}

// The refusals of this package. Match with errors.Is.
var (
	// ErrNotFound: there is no such delegation, or the caller has nothing to do with it.
	ErrNotFound = fault.New(fault.NotFound, "not_found", "there is no such delegation")
	// ErrNotDelegated: there is no effective delegation to act for this person, or no such person. It is the same error
	// as web.ErrActAs.
	ErrNotDelegated = fault.New(fault.Forbidden, "not_delegated", "there is no delegation to act for this person")
	// ErrNotDelegator: only the person themselves may delegate, and only they or an administrator may revoke or look;
	// never somebody who acts for them.
	ErrNotDelegator = fault.New(fault.Forbidden, "not_delegator", "only the person themselves may do this with their delegations")
)
