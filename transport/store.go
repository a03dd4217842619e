package transport

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Errors of this package. Match with errors.Is.
var (
	ErrInvalidEvent   = fault.New(fault.Invalid, "invalid_event", "the event is not complete")
	ErrInvalidMessage = fault.New(fault.Invalid, "invalid_message", "the message is no event")
	ErrInvalidConfig  = fault.New(fault.Invalid, "invalid_config", "the configuration is not complete")
	ErrNotPoisoned    = fault.New(fault.NotFound, "not_poisoned", "there is no such failed event")
	ErrUnknownHandler = fault.New(fault.NotFound, "unknown_handler", "no handler of this name is registered here")
	ErrNotReceived    = fault.New(fault.Unavailable, "not_received", "not every subscriber took the message")
)

// UnitOfWork runs fn in the transaction that it finds in ctx, or in a new one; sqldb.DB is one.
type UnitOfWork interface {
	Do(ctx context.Context, fn func(ctx context.Context) error) error
}

// Claimed is an unsent event that a relay has to itself. Lane is the share of the subjects that the event's belongs to.
type Claimed struct {
	Position int64
	Lane     int
	Event    Event
}

// Claim is what a relay may publish until its lease ends. Events of a subject come in order.
type Claim struct {
	Token  string // proves the lease; opaque
	Events []Claimed
}

// OutboxStore is what a Relay needs of an outbox. Implementations are safe for concurrent use by several nodes.
//
// Subjects are divided into lanes, and a claim leases whole lanes: while it lasts nobody else gets an event of the same
// subject, so several relays keep the order. When a lease runs out under a relay that still publishes, events may be
// published twice, but the first publication of each keeps the order, because every relay starts with the first unsent.
type OutboxStore interface {
	// Claim leases the lanes of up to limit committed, unsent events and returns these. An empty claim needs no Settle.
	Claim(ctx context.Context, limit int, lease time.Duration) (Claim, error)
	// Settle marks events of the claim as sent, gives lanes of it back, and extends the lease of its other lanes.
	// Marking is right even when the lease was lost: the events were sent.
	Settle(ctx context.Context, token string, sent []int64, done []int, lease time.Duration) error
	// PruneOutbox deletes up to limit events that were sent longer than keep ago.
	PruneOutbox(ctx context.Context, keep time.Duration, limit int) (int, error)
}

// Inbox remembers what was handled. Implementations are safe for concurrent use.
type Inbox interface {
	// Mark notes, in the transaction in ctx, that the handler has handled the events, and returns those ids that it had
	// not handled before, in the order given. It waits for a transaction that is handling one of them.
	Mark(ctx context.Context, handler string, eventIDs ...string) (fresh []string, err error)
	// PruneInbox forgets up to limit events handled longer than keep ago.
	PruneInbox(ctx context.Context, keep time.Duration, limit int) (int, error)
}

// Poisoned is an event that a handler failed for good, waiting for somebody to look at it.
type Poisoned struct {
	ID      string // UUIDv7, of this failure
	Handler string
	Event   Event
	Reason  string // readable, for operators; may quote an error, so it is not for end users
	Tries   int
	Time    time.Time // when it was given up, UTC
}

// PoisonStore keeps failed events. Implementations are safe for concurrent use and join the transaction in ctx.
type PoisonStore interface {
	// Bury adds one; ID and Time are filled when empty.
	Bury(ctx context.Context, p Poisoned) error
	// Poisoned lists those of a tenant, newest first. Messages that were no events have the tenant "".
	Poisoned(ctx context.Context, tenant identity.TenantID, p page.Request) (page.Page[Poisoned], error)
	// Exhume takes one out, in the transaction in ctx, or returns ErrNotPoisoned.
	Exhume(ctx context.Context, tenant identity.TenantID, id string) (Poisoned, error)
}
