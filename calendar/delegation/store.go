package delegation

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
)

// Store keeps delegations. Implementations are safe for concurrent use, join the transaction in ctx, and pass
// delegationtest.Run. Package delegationbun is one.
type Store interface {
	// Do runs fn in the transaction in ctx or in a new one.
	Do(ctx context.Context, fn func(ctx context.Context) error) error
	// Insert stores a new delegation.
	Insert(ctx context.Context, d Delegation) error
	// Delegation returns one, or ErrNotFound.
	Delegation(ctx context.Context, tenant identity.TenantID, id string) (Delegation, error)
	// Revoke marks one as revoked and says whether it was not revoked (or not there) before.
	Revoke(ctx context.Context, tenant identity.TenantID, id string, at time.Time) (bool, error)
	// List returns those that the person gave or received, revoked ones too, newest first. It returns page.ErrBadCursor.
	List(ctx context.Context, tenant identity.TenantID, person string, p page.Request) (page.Page[Delegation], error)
	// Effective returns those that the delegators gave to the delegatee and that are effective at the instant, in any
	// order, by one indexed query.
	Effective(ctx context.Context, tenant identity.TenantID, delegatee string, delegators []string, at time.Time) ([]Delegation, error)
	// EffectiveFrom returns those that the delegator gave to anybody and that are effective at the instant, in any order.
	EffectiveFrom(ctx context.Context, tenant identity.TenantID, delegator string, at time.Time) ([]Delegation, error)
}
