package auditbun

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

type chainRow struct {
	bun.BaseModel `bun:"table:audit_chains,alias:c"`

	Tenant string `bun:",pk"`
	Seq    int64
	KeyID  string
	Digest string
	MAC    string `bun:"mac"`
}

func (c chainRow) seal() audit.Seal {
	return audit.Seal{Seq: c.Seq, KeyID: c.KeyID, Digest: c.Digest, MAC: c.MAC}
}

// UnsealedTenants implements audit.SealStore.
func (s *Store) UnsealedTenants(ctx context.Context, limit int) ([]identity.TenantID, error) {
	var tenants []identity.TenantID
	err := s.db.Reader(ctx).NewRaw("SELECT tenant FROM audit_entries WHERE seq IS NULL GROUP BY tenant ORDER BY min(time) LIMIT ?", limit).Scan(ctx, &tenants)
	return tenants, sqldb.Fault(err)
}

// SealNext implements audit.SealStore.
func (s *Store) SealNext(ctx context.Context, tenant identity.TenantID, limit int, seal func(audit.Seal, []audit.Entry) ([]audit.Seal, error)) (int, error) {
	var n int
	err := s.db.Do(ctx, func(ctx context.Context) error {
		n = 0
		db := s.db.IDB(ctx)
		chain, found, err := s.lockChain(ctx, tenant)
		if err != nil || !found {
			return err
		}
		var rows []row
		if err := db.NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("seq IS NULL").
			OrderExpr("time, id").Limit(int64(limit)).Scan(ctx); err != nil || len(rows) == 0 {
			return err
		}
		list, err := entries(rows)
		if err != nil {
			return err
		}
		seals, err := seal(chain.seal(), list)
		if err != nil {
			return err
		}
		args := make([]any, 0, 5*len(seals))
		var q strings.Builder
		q.WriteString("WITH v (id, seq, key_id, digest, mac) AS (VALUES ")
		for i, sl := range seals {
			if i > 0 {
				q.WriteString(", ")
			}
			q.WriteString("(?, ?, ?, ?, ?)")
			args = append(args, rows[i].ID, sl.Seq, sl.KeyID, sl.Digest, sl.MAC)
		}
		q.WriteString(`) UPDATE audit_entries SET seq = v.seq, key_id = v.key_id, digest = v.digest, mac = v.mac
FROM v WHERE audit_entries.id = v.id AND audit_entries.seq IS NULL`)
		if _, err := db.NewRaw(q.String(), args...).Exec(ctx); err != nil {
			return err
		}
		last := seals[len(seals)-1]
		chain.Seq, chain.KeyID, chain.Digest, chain.MAC = last.Seq, last.KeyID, last.Digest, last.MAC
		n = len(seals)
		_, err = db.NewUpdate().Model(&chain).WherePK().Exec(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// lockChain takes the tenant's chain unless another node has it.
func (s *Store) lockChain(ctx context.Context, tenant identity.TenantID) (chainRow, bool, error) {
	var rows []chainRow
	lock := func() error {
		q := s.db.IDB(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant))
		if s.db.IsPostgres() {
			q = q.For("UPDATE SKIP LOCKED")
		}
		return q.Scan(ctx)
	}
	if err := lock(); err != nil || len(rows) > 0 {
		return first(rows), len(rows) > 0, err
	}
	// New, or taken; for a new one the insert decides between nodes.
	if _, err := s.db.IDB(ctx).NewInsert().Model(&chainRow{Tenant: string(tenant)}).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
		return chainRow{}, false, err
	}
	err := lock()
	return first(rows), len(rows) > 0, err
}

func first(rows []chainRow) chainRow {
	if len(rows) == 0 {
		return chainRow{}
	}
	return rows[0]
}

// Sealed implements audit.SealStore.
func (s *Store) Sealed(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]audit.Sealed, error) {
	var rows []row
	if err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("seq > ?", after).
		OrderExpr("seq").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, sqldb.Fault(err)
	}
	out := make([]audit.Sealed, len(rows))
	for i, r := range rows {
		e, err := r.entry()
		if err != nil {
			// Metadata that is no JSON was not written by Record: whatever it holds now, the seal will not match.
			e.Metadata = map[string]any{"not JSON": r.Metadata}
		}
		out[i] = audit.Sealed{Entry: e, Seal: audit.Seal{Seq: r.Seq, KeyID: r.KeyID, Digest: r.Digest, MAC: r.MAC}}
	}
	return out, nil
}

// Last implements audit.SealStore.
func (s *Store) Last(ctx context.Context, tenant identity.TenantID) (audit.Seal, error) {
	var rows []chainRow
	if err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Scan(ctx); err != nil {
		return audit.Seal{}, sqldb.Fault(err)
	}
	return first(rows).seal(), nil
}

// CountUnsealed implements audit.SealStore.
func (s *Store) CountUnsealed(ctx context.Context, tenant identity.TenantID) (int64, error) {
	n, err := s.db.Reader(ctx).NewSelect().Model((*row)(nil)).Where("tenant = ?", string(tenant)).Where("seq IS NULL").Count(ctx)
	return n, sqldb.Fault(err)
}
