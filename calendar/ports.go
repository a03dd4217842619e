package calendar

import (
	"context"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Delegations answers who may act for whom. Package calendar/delegation implements it. A nil Delegations lets nobody
// act for anybody.
type Delegations interface {
	// Permissions returns what delegatee may do for delegator now; empty when nothing. It joins the transaction in ctx.
	Permissions(ctx context.Context, tenant identity.TenantID, delegator, delegatee string) ([]Permission, error)
	// Delegators returns, of the given people, those for whom delegatee holds the permission now.
	Delegators(ctx context.Context, tenant identity.TenantID, delegatee string, of []string, p Permission) ([]string, error)
}

// Gate decides whether a booking needs somebody's consent. Package calendar/approvalgate implements it with package
// approval; a nil Gate lets every booking through. All methods but Reasons run in the transaction that stores the event.
type Gate interface {
	// Reasons says why ev needs consent ("attendees", "executive", "resource"), or nothing when it does not.
	// resources are those that ev holds.
	Reasons(ctx context.Context, ev Event, resources []Resource) ([]string, error)
	// Open asks for consent and returns the id of the request. It is called again, after Withdraw, when a material
	// change of ev asks anew.
	Open(ctx context.Context, by identity.Principal, ev Event, resources []Resource) (string, error)
	// Revise tells the request of a pending ev that ev has changed in a way that does not ask anew, so that nobody
	// decides on what is no longer true.
	Revise(ctx context.Context, by identity.Principal, ev Event, resources []Resource) error
	// Conceal takes out of every request about ev, decided ones too, what the visibility of ev has come to hide.
	Conceal(ctx context.Context, by identity.Principal, ev Event) error
	// Withdraw takes a request back because ev was cancelled or changed; it does nothing when it is decided already.
	Withdraw(ctx context.Context, by identity.Principal, ev Event) error
}

// Method is an iTIP method that the calendar sends (RFC 5546).
type Method string

// The methods.
const (
	Request        Method = "REQUEST"
	Cancel         Method = "CANCEL"
	DeclineCounter Method = "DECLINECOUNTER"
)

// Invitation is what the event "calendar.invitation" carries through the outbox: guests outside to be told, and the
// event as it was when that was decided, so that a late mail says what was true then.
type Invitation struct {
	Method  Method
	Event   Event
	Guests  []Attendee // each gets a mail of their own
	ActedBy string     // the secretary's address for SENT-BY; empty when the organizer acted
	Updated bool       // the guests had an earlier REQUEST
}
