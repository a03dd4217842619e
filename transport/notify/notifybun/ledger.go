package notifybun

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/notify"
)

type entry struct {
	bun.BaseModel `bun:"table:notice_ledger,alias:notice_ledger"`

	Tenant     string `bun:",pk"`
	Subject    string `bun:",pk"`
	Template   string `bun:",pk"`
	Recipient  string `bun:",pk"`
	NoticeID   string
	AcceptedAt sqldb.Time `bun:",nullzero"`
}

const thisKey = "tenant = ? AND subject = ? AND template = ? AND recipient = ?"

func columns(k notify.Key) []any {
	return []any{string(k.Tenant), k.Subject, k.Template, k.Recipient}
}

// LockKey implements notify.Ledger.
func (s *Store) LockKey(ctx context.Context, k notify.Key) error {
	return s.db.Lock(ctx, strings.Join([]string{"notify", string(k.Tenant), k.Subject, k.Template, k.Recipient}, "|"))
}

// Holder implements notify.Ledger.
func (s *Store) Holder(ctx context.Context, k notify.Key) (notify.Holder, bool, error) {
	var rows []entry
	err := s.db.IDB(ctx).NewSelect().Model(&rows).Where(thisKey, columns(k)...).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return notify.Holder{}, false, sqldb.Fault(err)
	}
	return notify.Holder{NoticeID: rows[0].NoticeID, AcceptedAt: rows[0].AcceptedAt.Time}, true, nil
}

// SetHolder implements notify.Ledger.
func (s *Store) SetHolder(ctx context.Context, k notify.Key, h notify.Holder) error {
	e := entry{
		Tenant: string(k.Tenant), Subject: k.Subject, Template: k.Template, Recipient: k.Recipient, NoticeID: h.NoticeID,
		AcceptedAt: sqldb.At(h.AcceptedAt),
	}
	_, err := s.db.IDB(ctx).NewInsert().Model(&e).
		On("CONFLICT (tenant, subject, template, recipient) DO UPDATE").
		Set("notice_id = EXCLUDED.notice_id").Set("accepted_at = EXCLUDED.accepted_at").Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// Release implements notify.Ledger.
func (s *Store) Release(ctx context.Context, k notify.Key, noticeID string) error {
	_, err := s.db.IDB(ctx).NewDelete().Model((*entry)(nil)).Where(thisKey, columns(k)...).
		Where("notice_id = ? AND accepted_at IS NULL", noticeID).Exec(ctx)
	return sqldb.Fault(err)
}

// PruneLedger implements notify.Ledger.
func (s *Store) PruneLedger(ctx context.Context, t time.Time, limit int) (int, error) {
	res, err := s.db.IDB(ctx).NewRaw(`DELETE FROM notice_ledger WHERE (tenant, subject, template, recipient) IN (
		SELECT tenant, subject, template, recipient FROM notice_ledger WHERE accepted_at IS NOT NULL AND accepted_at < ? LIMIT ?)`,
		sqldb.At(t), limit).Exec(ctx)
	if err != nil {
		return 0, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
