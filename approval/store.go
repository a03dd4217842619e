package approval

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Filter selects requests; empty fields select all. At most one of Approver, Requester and Involving is set.
type Filter struct {
	Approver  string   // who is, or was, asked; with the status Pending: whose word is missing in the open step
	For       []string // with Approver: or a pending one in which the word of any of these is missing, in whose place they may decide
	Requester string   // the requester, or who acted for them
	Involving string   // either of the two
	Status    Status
}

// Requests stores requests. Every method joins the transaction in ctx and sees one tenant only.
type Requests interface {
	// Insert stores a new, pending request. It returns ErrAlreadyPending when the subject has a pending one in the flow.
	Insert(ctx context.Context, r Request) error
	// Request returns one request, or ErrNotFound.
	Request(ctx context.Context, tenant identity.TenantID, id string) (Request, error)
	// Lock returns one request and keeps it from other transactions until this one ends, or ErrNotFound.
	Lock(ctx context.Context, tenant identity.TenantID, id string) (Request, error)
	// LockPending is Lock for the pending requests of a subject, of every flow.
	LockPending(ctx context.Context, tenant identity.TenantID, subject Subject) ([]Request, error)
	// AskedSince says whether there is a request about the subject, other than the one of the id, that was created after t.
	AskedSince(ctx context.Context, tenant identity.TenantID, subject Subject, t time.Time, but string) (bool, error)
	// Advance writes r's Steps, and raises its version to r.Version, under the condition of Settle; the lists of people
	// follow from r.Deciders.
	Advance(ctx context.Context, r Request) error
	// Settle writes r's Status, Outcome and Steps, and raises its version to r.Version, if the stored request is pending at
	// version r.Version-1; else it returns ErrDecided.
	Settle(ctx context.Context, r Request) error
	// Revise writes r's Summary, Discreet, Reasons, Explanation, ContentHash and Shown, and raises its version, under the same condition.
	Revise(ctx context.Context, r Request) error
	// Conceal makes the Summary of every request about the subject its Discreet, and returns the ids of those that differed.
	// No version rises.
	Conceal(ctx context.Context, tenant identity.TenantID, subject Subject) ([]string, error)
	// List returns requests, newest first.
	List(ctx context.Context, tenant identity.TenantID, f Filter, p page.Request) (page.Page[Request], error)
}

// Timers makes deadlines happen, over all tenants. Claims pass over rows that another transaction holds; each returns
// what it claimed, already changed.
type Timers interface {
	// AnyDue says whether a pending request has a reminder or a deadline at or before now.
	AnyDue(ctx context.Context, now time.Time) (bool, error)
	// TimeOut ends up to limit pending requests whose deadline is at or before now, with the outcome ActionTimeout by
	// the machine actor at now.
	TimeOut(ctx context.Context, now time.Time, by string, limit int) ([]Request, error)
	// Remind marks up to limit pending requests as reminded at now whose reminder is due and whose deadline is not.
	Remind(ctx context.Context, now time.Time, limit int) ([]Request, error)
	// Postpone keeps a pending request from being due before until. Its deadline stays.
	Postpone(ctx context.Context, tenant identity.TenantID, id string, until time.Time) error
}

// Store is what the service needs of a database. Package approvalbun implements it; approvaltest proves one.
// Implementations are safe for concurrent use.
type Store interface {
	// Do runs fn in the transaction in ctx or in a new one (sqldb.DB.Do).
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// Now is the clock that deadlines are judged by, the same for every node.
	Now(ctx context.Context) (time.Time, error)
	Requests
	Timers
	Substitutes
	PolicyStore
	LinkStore
	ActionPolicies
}
