package audit

import (
	"context"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
)

// Sealed is an entry with its seal.
type Sealed struct {
	Entry
	Seal Seal
}

// SealStore is what sealing and verifying need of the table. Implementations are safe for concurrent use by several
// nodes. Entries come back exactly as they will at any later time (times in microseconds, numbers in metadata as
// json.Number), for their seal is made of that.
type SealStore interface {
	// UnsealedTenants returns up to limit tenants that have entries without a seal, those first whose oldest one waits
	// longest: else a few busy ones would keep the others waiting for ever.
	UnsealedTenants(ctx context.Context, limit int) ([]identity.TenantID, error)
	// SealNext takes the tenant's chain for itself, gives seal the last one's number and MAC (0 and "" at the start)
	// and up to limit committed entries without a seal, and stores what it returns, all in one transaction. It returns
	// 0 when another node has the chain.
	SealNext(ctx context.Context, tenant identity.TenantID, limit int, seal func(last Seal, entries []Entry) ([]Seal, error)) (int, error)
	// Sealed returns up to limit entries with a seal whose Seq is greater than after, by rising Seq.
	Sealed(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]Sealed, error)
	// Last returns the end of the chain as it was written down when sealing; the zero Seal when there is none.
	Last(ctx context.Context, tenant identity.TenantID) (Seal, error)
	// CountUnsealed counts the entries without a seal.
	CountUnsealed(ctx context.Context, tenant identity.TenantID) (int64, error)
}

// SealerConfig configures a Sealer; Store and Keys are needed.
type SealerConfig struct {
	Store SealStore
	Keys  Keys
	Now   func() time.Time // stamps exported heads; default time.Now
}

// Sealer gives entries their place in the chain. Any number may run at the same time. It is safe for concurrent use.
type Sealer struct{ SealerConfig }

// NewSealer makes a sealer; it starts nothing. It returns ErrBadKeys.
func NewSealer(c SealerConfig) (*Sealer, error) {
	if err := c.Keys.Validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Sealer{c}, nil
}

const tenantsPerSweep = 100

// Sweep seals up to limit entries per tenant and returns how many it sealed. Call it about once a second; as long as it
// returns more than 0 there may be more. A transaction that commits late is sealed late: it is neither skipped nor
// waited for, so the chain tells the order of sealing, and Time when it happened.
func (s *Sealer) Sweep(ctx context.Context, limit int) (n int, err error) {
	tenants, err := s.Store.UnsealedTenants(ctx, tenantsPerSweep)
	if err != nil {
		return 0, err
	}
	for _, tenant := range tenants {
		k, err := s.Store.SealNext(ctx, tenant, limit, func(last Seal, entries []Entry) ([]Seal, error) {
			return s.seal(tenant, last, entries)
		})
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Sealer) seal(tenant identity.TenantID, last Seal, entries []Entry) ([]Seal, error) {
	key := s.Keys.Secrets[s.Keys.Current]
	seals := make([]Seal, len(entries))
	for i, e := range entries {
		d, err := digest(key, s.Keys.Current, e)
		if err != nil {
			return nil, err
		}
		seal := Seal{Seq: last.Seq + 1, KeyID: s.Keys.Current, Digest: d}
		seal.MAC = link(key, tenant, seal.Seq, last.MAC, d)
		seals[i], last = seal, seal
	}
	return seals, nil
}

// Head exports the end of the tenant's chain, signed. Store it elsewhere, e.g. print or mail it once a day. It returns
// ErrNoChain when nothing is sealed.
func (s *Sealer) Head(ctx context.Context, tenant identity.TenantID) (Head, error) {
	last, err := s.Store.Last(ctx, tenant)
	if err != nil {
		return Head{}, err
	}
	if last.Seq == 0 {
		return Head{}, ErrNoChain
	}
	h := Head{Tenant: tenant, Seq: last.Seq, MAC: last.MAC, Time: s.Now().UTC().Truncate(time.Microsecond), KeyID: s.Keys.Current}
	h.Signature = h.signature(s.Keys.Secrets[h.KeyID])
	return h, nil
}
