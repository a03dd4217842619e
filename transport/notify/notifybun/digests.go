package notifybun

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/notify"
)

// Gather implements notify.Digests.
func (s *Store) Gather(ctx context.Context, n notify.Notice, t time.Time, limit int) (id string, err error) {
	err = s.db.Do(ctx, func(ctx context.Context) error {
		if err := s.db.Lock(ctx, strings.Join([]string{"notify digest", string(n.Tenant), n.Recipient, n.Channel}, "|")); err != nil {
			return err
		}
		db := s.db.IDB(ctx)
		_, err := db.NewRaw(`UPDATE notices SET digest_id = id WHERE tenant = ? AND id = ? AND state = 'pending' AND digest_id IS NULL`,
			string(n.Tenant), n.ID).Exec(ctx)
		if err != nil {
			return err
		}
		var rows []row
		if err := db.NewSelect().Model(&rows).Where("tenant = ? AND id = ? AND state = 'pending'", string(n.Tenant), n.ID).Scan(ctx); err != nil {
			return err
		}
		if id = ""; len(rows) == 1 {
			id = rows[0].DigestID
		}
		if id != n.ID || limit < 2 {
			return nil
		}
		_, err = db.NewRaw(`UPDATE notices SET digest_id = ? WHERE digest_id IS NULL AND id IN (
			SELECT id FROM notices WHERE tenant = ? AND recipient = ? AND channel = ? AND created_at < ?
			AND state = 'pending' AND informational AND digest_id IS NULL ORDER BY created_at, id LIMIT ?)`,
			n.ID, string(n.Tenant), n.Recipient, n.Channel, sqldb.At(t), limit-1).Exec(ctx)
		return err
	})
	return id, sqldb.Fault(err)
}

// Members implements notify.Digests.
func (s *Store) Members(ctx context.Context, tenant identity.TenantID, digestID string) ([]notify.Notice, error) {
	var rows []row
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ? AND digest_id = ? AND state = 'pending'", string(tenant), digestID).
		Order("created_at", "id").Scan(ctx)
	return notices(rows), sqldb.Fault(err)
}

// Leave implements notify.Digests.
func (s *Store) Leave(ctx context.Context, tenant identity.TenantID, digestID string, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := s.db.IDB(ctx).NewRaw(`UPDATE notices SET digest_id = NULL WHERE tenant = ? AND digest_id = ? AND state = 'pending' AND id IN (?)`,
		string(tenant), digestID, bun.List(ids)).Exec(ctx)
	return sqldb.Fault(err)
}
