package graphsync

import (
	"context"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/staff"
)

// Keeper returns what a staff.Config needs to disclose which account a person has in Entra, and to forget what plans say of
// them. The link to the account stays, without a name, until the account is disabled and deleted.
func Keeper(s Store) staff.Keeper { return keeper{s} }

type keeper struct{ store Store }

func (k keeper) Kept(ctx context.Context, tenant identity.TenantID, person int64) (any, error) {
	links, err := k.store.LinksOf(ctx, tenant, KindUser, []int64{person})
	if err != nil || len(links) == 0 {
		return nil, err
	}
	l := links[0]
	kept := map[string]any{"account_id": l.Remote, "matched_by": l.Rule}
	if l.Pending != "" {
		kept["account_in_the_making"] = l.Pending
	}
	if !l.DisabledAt.IsZero() {
		kept["disabled_at"] = l.DisabledAt
	}
	return kept, nil
}

func (k keeper) Forget(ctx context.Context, tenant identity.TenantID, person int64) error {
	if err := k.store.ForgetEdits(ctx, tenant, person); err != nil {
		return err
	}
	links, err := k.store.LinksOf(ctx, tenant, KindUser, []int64{person})
	if err != nil || len(links) == 0 || links[0].Pending == "" {
		return err
	}
	links[0].Pending = "" // the name of an account that was to be made
	return k.store.PutLinks(ctx, tenant, links)
}
