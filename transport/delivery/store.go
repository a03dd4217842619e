package delivery

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Store keeps deliveries. Package deliverybun implements it for PostgreSQL and SQLite; any other has to pass the suite
// of package deliverytest. Implementations are safe for concurrent use, and every method joins the transaction in ctx.
type Store interface {
	Unit
	Jobs
	Leases
	Destinations
}

// Unit is the store's transaction, clock and signal.
type Unit interface {
	// Do runs fn in one transaction.
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// Now returns the clock that all nodes share.
	Now(ctx context.Context) (time.Time, error)
	// Wake tells the engines of all nodes, after the commit, that there is work.
	Wake(ctx context.Context)
	// Woken returns a channel that receives after Wake.
	Woken() <-chan struct{}
}

// Jobs is what a Queue needs.
type Jobs interface {
	// Insert adds deliveries and leaves out those whose Key exists in their tenant and kind. ResendOf makes that one taken.
	Insert(ctx context.Context, ds []Delivery) error
	// Get returns a delivery, or ErrUnknown.
	Get(ctx context.Context, tenant identity.TenantID, id string) (Delivery, error)
	// ByKey returns the delivery with the key, or ErrUnknown.
	ByKey(ctx context.Context, tenant identity.TenantID, kind, key string) (Delivery, error)
	// List returns deliveries, newest first.
	List(ctx context.Context, tenant identity.TenantID, f Filter, p page.Request) (page.Page[Delivery], error)
	// Known returns those of the keys that exist.
	Known(ctx context.Context, tenant identity.TenantID, kind string, keys []string) ([]string, error)
	// CountDead counts the dead deliveries of a lane that finished at or after since and are not taken.
	CountDead(ctx context.Context, l Lane, since time.Time) (int, error)
	// Dead returns up to limit of those, oldest first, and locks them until the transaction ends.
	Dead(ctx context.Context, l Lane, since time.Time, limit int) ([]Delivery, error)
	// ByEvent returns the deliveries of a kind with one of the event ids, oldest first.
	ByEvent(ctx context.Context, tenant identity.TenantID, kind string, eventIDs []string) ([]Delivery, error)
	// History returns the attempts of the deliveries, by delivery and number.
	History(ctx context.Context, tenant identity.TenantID, ids []string) ([]Attempt, error)
	// Forget makes those of the deliveries that are final Forgotten, without payload, answers and errors, and says how many.
	Forget(ctx context.Context, tenant identity.TenantID, ids []string) (int, error)
	// Prune deletes up to limit deliveries that were finished before t, with their history.
	Prune(ctx context.Context, t time.Time, limit int) (int, error)
}

// Leases is what an Engine needs.
type Leases interface {
	// Due returns lanes after the one given, in an order of the store's, that have a delivery of the kinds to claim at
	// now and are neither held nor disabled.
	Due(ctx context.Context, kinds []string, now time.Time, after Lane, limit int) ([]Waiting, error)
	// Claim leases the most overdue deliveries of each room's lane: State Leased, one attempt more, LeaseToken,
	// NextAttemptAt the end of the lease. Expired leases count as due. Of an ordered kind only the first unfinished one
	// of each lane and OrderKey is leased. What another claim holds at the moment is passed
	// over, not waited for. The answer has those values.
	Claim(ctx context.Context, c Claim) ([]Delivery, error)
	// Complete writes outcomes down and returns the ids of those whose lease still had that token; the others are lost.
	Complete(ctx context.Context, outcomes []Outcome) ([]string, error)
	// Tidy keeps searches quick after many deliveries have left the queue. It may do nothing, and need not be called.
	Tidy(ctx context.Context) error
	// Cancel makes a pending delivery Cancelled and returns it; ErrUnknown or ErrNotPending.
	Cancel(ctx context.Context, tenant identity.TenantID, id, reason string, now time.Time) (Delivery, error)
}

// Destinations remembers how destinations are.
type Destinations interface {
	// Destination returns one, or an empty one of that lane.
	Destination(ctx context.Context, l Lane) (Destination, error)
	// ListDestinations returns those of a tenant that are stored, by name.
	ListDestinations(ctx context.Context, tenant identity.TenantID) ([]Destination, error)
	// LockDestinations returns them in the order of the lanes, which are distinct, and makes others who ask for them wait
	// until the transaction ends. It locks lanes in one order for all callers.
	LockDestinations(ctx context.Context, lanes []Lane) ([]Destination, error)
	// SaveDestinations stores them, and forgets those that have nothing to tell.
	SaveDestinations(ctx context.Context, ds []Destination, now time.Time) error
}

// Waiting is a lane that has something to claim.
type Waiting struct {
	Lane
	Noted bool // there is a stored Destination for it
}

// Filter selects deliveries; empty fields select all.
type Filter struct {
	Kind, Destination, Subject string
	States                     []State
}

// Claim is a request for work.
type Claim struct {
	Kinds      []string
	Ordered    []string  // those of Kinds that keep the order of each OrderKey
	Now, Until time.Time // Until is the end of the lease
	Token      string
	Rooms      []Room
}

// Room is how many deliveries of a lane are wanted.
type Room struct {
	Lane
	Max int
}

// Outcome is what becomes of a leased delivery.
type Outcome struct {
	ID, Token string
	Lane      Lane
	State     State     // Pending or final
	Attempts  int       // of the delivery from now on
	Next      time.Time // when Pending
	OrderKey  string    // when Pending, of an ordered kind: those behind it wait as long
	Finished  time.Time // when final
	LastError string
	Attempt   *Attempt // nil: no line in the history. When final: Number is Attempts and Error is LastError.
}
