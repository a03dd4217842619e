package approval

import (
	"context"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// MaxBulk is how many decisions ActAll takes at once.
const MaxBulk = 100

// Item is a decision on one of several requests.
type Item struct {
	ID string
	Decision
}

// Result is what became of an Item: the request after it, or why it was refused.
type Result struct {
	ID      string
	Request Request
	Err     error
}

// ActAll is Act for each item, one after the other, each in a transaction of its own: one that is refused holds up none.
// It returns one result per item, in their order, or an Invalid fault for no item or more than MaxBulk. Call it outside of
// transactions.
func (s *Service) ActAll(ctx context.Context, by identity.Principal, items []Item) ([]Result, error) {
	if len(items) == 0 || len(items) > MaxBulk {
		return nil, fault.InvalidField("items", "must be 1 to 100")
	}
	results := make([]Result, len(items))
	for i, item := range items {
		results[i].ID = item.ID
		results[i].Request, results[i].Err = s.Act(ctx, by, item.ID, item.Decision)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return results, nil
}
