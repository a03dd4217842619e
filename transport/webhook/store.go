package webhook

import (
	"context"
	"iter"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

// Stored is a subscription as a Store keeps it: no secret in the clear, and no State or Failures, which the engine
// knows.
type Stored struct {
	Subscription
	Kind   string // the Service's
	Sealed string // secrets and headers
}

// Scope is whose subscriptions: of one tenant and one Service.
type Scope struct {
	Tenant identity.TenantID
	Kind   string
}

// Filter selects subscriptions; empty fields select all.
type Filter struct {
	URL, Owner string
	Number     int64
}

// Outcome is how the latest finished deliveries to a subscription ended; zero times say nothing.
type Outcome struct {
	Scope
	ID                    string
	SucceededAt, FailedAt time.Time
}

// Store keeps subscriptions. Package webhookbun implements it for PostgreSQL and SQLite; any other has to pass the suite
// of package webhooktest. Implementations are safe for concurrent use, and every method joins the transaction in ctx.
type Store interface {
	// Do runs fn in one transaction.
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// AfterCommit runs f when the transaction in ctx has committed, or now when there is none.
	AfterCommit(ctx context.Context, f func())
	// Insert adds a subscription and returns its Number, which is never given twice in a scope. It returns ErrTooMany when
	// the scope has most already.
	Insert(ctx context.Context, s Stored, most int) (int64, error)
	// Get returns a subscription, or ErrUnknown. In a transaction it holds up others who get it there to change it.
	Get(ctx context.Context, in Scope, id string) (Stored, error)
	// List returns subscriptions, oldest first.
	List(ctx context.Context, in Scope, f Filter, p page.Request) (page.Page[Stored], error)
	// All returns all subscriptions of a scope, oldest first.
	All(ctx context.Context, in Scope) ([]Stored, error)
	// Scan returns up to limit subscriptions of a kind and of all tenants whose id comes after the one given, by id.
	Scan(ctx context.Context, kind, after string, limit int) ([]Stored, error)
	// Update stores what may change: URL, Events, Description, Owner, Sealed, SecretUntil, UpdatedAt. It returns ErrUnknown.
	Update(ctx context.Context, s Stored) error
	// Delete removes a subscription, or returns ErrUnknown.
	Delete(ctx context.Context, in Scope, id string) error
	// Note keeps the times of outcomes. It may leave out what another is just writing.
	Note(ctx context.Context, outcomes []Outcome) error
}

// Log remembers events, so that ReplayMissing knows what a subscription never got. Implementations are safe for
// concurrent use and join the transaction in ctx.
type Log interface {
	// Append keeps events; one that is there already is left alone.
	Append(ctx context.Context, events []transport.Event) error
	// Since yields a tenant's events from since on, oldest first. It holds no transaction open while the caller works.
	Since(ctx context.Context, tenant identity.TenantID, since time.Time) iter.Seq2[transport.Event, error]
	// Forget deletes a tenant's events about a subject from before t.
	Forget(ctx context.Context, tenant identity.TenantID, subject string, t time.Time) error
	// PruneLog deletes up to limit events from before t and says how many.
	PruneLog(ctx context.Context, t time.Time, limit int) (int, error)
}
