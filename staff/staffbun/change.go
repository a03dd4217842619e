package staffbun

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
)

type changeRow struct {
	bun.BaseModel `bun:"table:staff_changes,alias:c"`

	Tenant  string     `bun:"tenant,pk"`
	Seq     int64      `bun:"seq,pk"`
	At      sqldb.Time `bun:"at"`
	Event   string     `bun:"event"`
	Kind    string     `bun:"kind"`
	ItemID  int64      `bun:"item_id"`
	UnitID  int64      `bun:"unit_id"`
	Fields  string     `bun:"fields"`
	Deleted bool       `bun:"deleted"`
}

// Append implements staff.Changes.
func (s *Store) Append(ctx context.Context, tenant identity.TenantID, changes []staff.Change) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		last, err := s.advance(ctx, tenant, int64(len(changes)), 0, 0)
		if err != nil {
			return err
		}
		rows := make([]changeRow, len(changes))
		for i := range changes {
			c := &changes[i]
			c.Number = last - int64(len(changes)-1-i)
			rows[i] = changeRow{
				Tenant: string(tenant), Seq: c.Number, At: sqldb.At(c.Time), Event: c.Event, Kind: c.Kind, ItemID: c.ID, UnitID: c.UnitID,
				Fields: join(c.Fields), Deleted: c.Deleted,
			}
		}
		for some := range slices.Chunk(rows, batch) {
			if _, err := s.db.IDB(ctx).NewInsert().Model(&some).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// Changes implements staff.Changes.
func (s *Store) Changes(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]staff.Change, error) {
	var rows []changeRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("seq > ?", after).Order("seq").Limit(int64(limit)).Scan(ctx)
	out := make([]staff.Change, len(rows))
	for i, r := range rows {
		out[i] = staff.Change{
			Number: r.Seq, Time: r.At.Time, Event: r.Event, Kind: r.Kind, ID: r.ItemID, UnitID: r.UnitID, Fields: fields[string](r.Fields), Deleted: r.Deleted,
		}
	}
	return out, sqldb.Fault(err)
}

// Span implements staff.Changes.
func (s *Store) Span(ctx context.Context, tenant identity.TenantID) (pruned, last int64, err error) {
	h, err := s.head(ctx, tenant)
	return h.Pruned, h.Last, err
}

// PruneChanges implements staff.Changes. The head says what is gone before it goes.
func (s *Store) PruneChanges(ctx context.Context, t time.Time, limit int) (int, error) {
	n := 0
	err := s.db.Do(ctx, func(ctx context.Context) error {
		n = 0
		var old []struct {
			Tenant string
			Seq    int64
		}
		err := s.db.IDB(ctx).NewSelect().Model((*changeRow)(nil)).Column("tenant", "seq").Where("at < ?", sqldb.At(t)).
			OrderExpr("at, tenant, seq").Limit(int64(limit)).Scan(ctx, &old)
		if err != nil {
			return err
		}
		upTo := map[string]int64{}
		var tenants []string
		for _, o := range old {
			if _, seen := upTo[o.Tenant]; !seen {
				tenants = append(tenants, o.Tenant)
			}
			upTo[o.Tenant] = max(upTo[o.Tenant], o.Seq)
		}
		slices.Sort(tenants)
		for _, tenant := range tenants {
			if err := s.Lock(ctx, identity.TenantID(tenant)); err != nil {
				return err
			}
			_, err := s.db.IDB(ctx).NewUpdate().Model((*head)(nil)).Set("pruned_seq = ?", upTo[tenant]).
				Where("tenant = ?", tenant).Where("pruned_seq < ?", upTo[tenant]).Exec(ctx)
			if err != nil {
				return err
			}
			result, err := s.db.IDB(ctx).NewDelete().Model((*changeRow)(nil)).Where("tenant = ?", tenant).Where("seq <= ?", upTo[tenant]).Exec(ctx)
			if err != nil {
				return err
			}
			gone, err := result.RowsAffected()
			if err != nil {
				return err
			}
			n += int(gone)
		}
		return nil
	})
	return n, err
}
