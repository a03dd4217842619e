package rsvpbun

import (
	"context"
	"embed"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the migration line of this package.
var Migrations = sqldb.Migration{Name: "rsvp", FS: migrations}

// Store implements rsvp.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ rsvp.Store = (*Store)(nil)

// New makes a store on a database that has Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

// Do implements rsvp.Store.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// Now implements rsvp.Store by the database's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.db.Now(ctx) }

// Append implements rsvp.Ledger.
func (s *Store) Append(ctx context.Context, e rsvp.Entry, raw []byte) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		row := rowOf(e)
		if _, err := s.db.IDB(ctx).NewInsert().Model(&row).Exec(ctx); err != nil || raw == nil {
			return err
		}
		mail := mailRow{Tenant: row.Tenant, ReplyID: row.ID, ReceivedAt: row.ReceivedAt, Raw: raw}
		_, err := s.db.IDB(ctx).NewInsert().Model(&mail).Exec(ctx)
		return err
	})
}

// Seen implements rsvp.Ledger.
func (s *Store) Seen(ctx context.Context, tenant identity.TenantID, messageID, contentHash string) (seen, proven bool, err error) {
	var trusts []string
	err = s.db.IDB(ctx).NewSelect().Model((*replyRow)(nil)).Column("trust").Distinct().
		Where("tenant = ?", string(tenant)).Where("content_hash = ?", contentHash).Where("content_hash <> ''").
		Where("message_id = ?", messageID).Where("decision <> ?", string(rsvp.Duplicate)).Scan(ctx, &trusts)
	for _, trust := range trusts {
		seen, proven = true, proven || trust != string(rsvp.TrustNone)
	}
	return seen, proven, sqldb.Fault(err)
}

// Entry implements rsvp.Ledger.
func (s *Store) Entry(ctx context.Context, tenant identity.TenantID, id string) (rsvp.Entry, error) {
	var row replyRow
	err := s.db.IDB(ctx).NewSelect().Model(&row).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx)
	return row.entry(), absent(err, rsvp.ErrNotFound)
}

// absent puts the domain's error in the place of "no rows".
func absent(err, none error) error {
	if err = sqldb.Fault(err); errors.Is(err, sqldb.ErrNoRows) {
		return none
	}
	return err
}

// Admitted implements rsvp.Ledger.
func (s *Store) Admitted(ctx context.Context, tenant identity.TenantID, id, by string, at time.Time) error {
	result, err := s.db.IDB(ctx).NewUpdate().Model((*replyRow)(nil)).
		Set("admitted_by = ?", by).Set("admitted_at = ?", sqldb.At(at)).
		Where("tenant = ?", string(tenant)).Where("id = ?", id).Where("admitted_by = ''").Exec(ctx)
	return once(result, err, rsvp.ErrNotPending)
}

// Settled implements rsvp.Ledger.
func (s *Store) Settled(ctx context.Context, tenant identity.TenantID, id string, as rsvp.Settlement, by string, at time.Time) error {
	result, err := s.db.IDB(ctx).NewUpdate().Model((*replyRow)(nil)).
		Set("settled = ?", string(as)).Set("settled_by = ?", by).Set("settled_at = ?", sqldb.At(at)).
		Where("tenant = ?", string(tenant)).Where("id = ?", id).Where("settled = ''").Exec(ctx)
	return once(result, err, rsvp.ErrSettled)
}

// once returns before when an update met no row any more.
func once(result interface{ RowsAffected() (int64, error) }, err, before error) error {
	n, err := affected(result, err)
	if err == nil && n == 0 {
		err = before
	}
	return err
}

// RefreshedAfter implements rsvp.Ledger.
func (s *Store) RefreshedAfter(ctx context.Context, tenant identity.TenantID, eventID, attendee string, t time.Time) (bool, error) {
	found, err := s.db.IDB(ctx).NewSelect().Model((*replyRow)(nil)).Where("tenant = ?", string(tenant)).Where("event_id = ?", eventID).
		Where("received_at > ?", sqldb.At(t)).Where("attendee = ?", attendee).Where("decision = ?", string(rsvp.Refreshed)).Exists(ctx)
	return found, sqldb.Fault(err)
}

// place is where a page of entries ends.
type place struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

// Entries implements rsvp.Ledger.
func (s *Store) Entries(ctx context.Context, tenant identity.TenantID, eventID string, d rsvp.Decision, p page.Request) (page.Page[rsvp.Entry], error) {
	scope := "rsvp.replies/" + eventID + "/" + string(d)
	var from place
	after, err := page.Decode(scope, p.Cursor, &from)
	if err != nil {
		return page.Page[rsvp.Entry]{}, err
	}
	var rows []replyRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("event_id = ?", eventID).
		OrderExpr("received_at DESC, id DESC").Limit(int64(p.Size() + 1))
	if d != "" {
		q = q.Where("decision = ?", string(d))
	}
	if after {
		q = q.Where("(received_at, id) < (?, ?)", sqldb.At(from.At), from.ID)
	}
	if err := q.Scan(ctx); err != nil {
		return page.Page[rsvp.Entry]{}, sqldb.Fault(err)
	}
	entries := make([]rsvp.Entry, len(rows))
	for i, row := range rows {
		entries[i] = row.entry()
	}
	return page.Of(scope, entries, p.Size(), func(e rsvp.Entry) any { return place{e.ReceivedAt, e.ID} }), nil
}

// Raw implements rsvp.Ledger.
func (s *Store) Raw(ctx context.Context, tenant identity.TenantID, id string) ([]byte, error) {
	var row mailRow
	err := s.db.Reader(ctx).NewSelect().Model(&row).Where("tenant = ?", string(tenant)).Where("reply_id = ?", id).Scan(ctx)
	return row.Raw, absent(err, rsvp.ErrNotFound)
}

// PruneRaw implements rsvp.Ledger.
func (s *Store) PruneRaw(ctx context.Context, t time.Time, limit int) (int, error) {
	old := s.db.IDB(ctx).NewSelect().Model((*mailRow)(nil)).Column("tenant", "reply_id").
		Where("received_at < ?", sqldb.At(t)).OrderExpr("received_at").Limit(int64(limit))
	return affected(s.db.IDB(ctx).NewDelete().Model((*mailRow)(nil)).Where("(tenant, reply_id) IN (?)", old).Exec(ctx))
}

func affected(result interface{ RowsAffected() (int64, error) }, err error) (int, error) {
	if err != nil {
		return 0, sqldb.Fault(err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// PutToken implements rsvp.TokenStore.
func (s *Store) PutToken(ctx context.Context, t rsvp.Token) error {
	row := tokenRow{
		Hash: t.Hash, Purpose: string(t.Purpose), Tenant: string(t.Tenant), EventID: t.EventID, Guest: t.Guest,
		Generation: t.Generation, ExpiresAt: sqldb.At(t.ExpiresAt), RevokedAt: sqldb.At(t.RevokedAt),
	}
	_, err := s.db.IDB(ctx).NewInsert().Model(&row).On("CONFLICT (hash) DO UPDATE").Set("expires_at = EXCLUDED.expires_at").Exec(ctx)
	return sqldb.Fault(err)
}

// TokenByHash implements rsvp.TokenStore.
func (s *Store) TokenByHash(ctx context.Context, hash string) (rsvp.Token, error) {
	return s.token(ctx, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("hash = ?", hash) })
}

// LastToken implements rsvp.TokenStore.
func (s *Store) LastToken(ctx context.Context, tenant identity.TenantID, eventID, guest string, p rsvp.Purpose) (rsvp.Token, error) {
	return s.token(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("tenant = ?", string(tenant)).Where("event_id = ?", eventID).Where("guest = ?", guest).
			Where("purpose = ?", string(p)).OrderExpr("generation DESC").Limit(1)
	})
}

func (s *Store) token(ctx context.Context, where func(*bun.SelectQuery) *bun.SelectQuery) (rsvp.Token, error) {
	var row tokenRow
	err := where(s.db.IDB(ctx).NewSelect().Model(&row)).Scan(ctx)
	return row.token(), absent(err, rsvp.ErrToken)
}

// RevokeTokens implements rsvp.TokenStore.
func (s *Store) RevokeTokens(ctx context.Context, tenant identity.TenantID, eventID, guest string, at time.Time) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model((*tokenRow)(nil)).Set("revoked_at = ?", sqldb.At(at)).
		Where("tenant = ?", string(tenant)).Where("event_id = ?", eventID).Where("guest = ?", guest).
		Where("revoked_at IS NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// PruneTokens implements rsvp.TokenStore.
func (s *Store) PruneTokens(ctx context.Context, t time.Time, limit int) (int, error) {
	old := s.db.IDB(ctx).NewSelect().Model((*tokenRow)(nil)).Column("hash").
		Where("expires_at < ?", sqldb.At(t)).OrderExpr("expires_at").Limit(int64(limit))
	return affected(s.db.IDB(ctx).NewDelete().Model((*tokenRow)(nil)).Where("hash IN (?)", old).Exec(ctx))
}
