package staff

import (
	"context"
	"iter"

	"github.com/renkei-go/renkei/foundation/identity"
)

// batchSize is how many people an export reads at a time.
const batchSize = 1000

// Records yields the people by ID, in batches, with the field groups that by may read; nobody twice, and nobody who is
// there all the time is left out. It keeps no transaction open while the caller works, but reads the next batch meanwhile:
// ctx must carry no transaction. The whole Person is in a Record: show only what the groups allow. It needs the scope
// exports:read, and yields ErrReadForbidden without.
func (s *Service) Records(ctx context.Context, by identity.Principal, inactive bool) iter.Seq2[[]Record, error] {
	return func(yield func([]Record, error) bool) {
		if err := Allow(by, ScopeExports); err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		batches := make(chan batch)
		go s.readAhead(ctx, by.Tenant, inactive, batches)
		defer func() {
			cancel()
			for range batches { // until the reader has ended
			}
		}()
		for b := range batches {
			if !yield(b.records, b.err) || b.err != nil {
				return
			}
		}
	}
}

// batch is what was read of an export.
type batch struct {
	records []Record
	err     error
}

// readAhead reads a batch while the one before is worked on, until all are read or ctx ends.
func (s *Service) readAhead(ctx context.Context, tenant identity.TenantID, inactive bool, out chan<- batch) {
	defer close(out)
	for after := int64(0); ; {
		records, err := s.cfg.Store.Batch(ctx, tenant, after, inactive, s.today(), batchSize)
		if err == nil && len(records) == 0 {
			return
		}
		select {
		case out <- batch{records, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		after = records[len(records)-1].ID
	}
}

// Today is the present day where the organisation is.
func (s *Service) Today() Date { return s.today() }
