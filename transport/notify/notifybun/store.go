package notifybun

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/notify"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables of this package.
var Migrations = sqldb.Migration{Name: "notify", FS: migrations}

// Store implements notify.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ notify.Store = (*Store)(nil)

// New makes a Store on a database that has the Migrations.
func New(db *sqldb.DB) *Store { return &Store{db} }

// Do implements notify.Store.
func (s *Store) Do(ctx context.Context, fn func(context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// Now implements notify.Store.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.db.Now(ctx) }

type row struct {
	bun.BaseModel `bun:"table:notices,alias:notices"`

	ID            string `bun:",pk"`
	Tenant        string
	Template      string
	Recipient     string
	Subject       string
	SubjectID     string
	Data          string
	Critical      bool
	Informational bool
	State         string
	Channels      string
	Channel       string
	SuppressedBy  string
	DigestID      string `bun:",nullzero"`
	LastError     string
	CreatedAt     sqldb.Time
	SentAt        sqldb.Time `bun:",nullzero"`
	ResendOf      string     `bun:",nullzero"`
	ResentBy      string
	ResendKey     string `bun:",nullzero"`
}

func toRow(n notify.Notice) row {
	_, subjectID, _ := strings.Cut(n.Subject, "/")
	return row{
		ID: n.ID, Tenant: string(n.Tenant), Template: n.Template, Recipient: n.Recipient, Subject: n.Subject,
		SubjectID: subjectID, Data: string(n.Data), Critical: n.Critical, Informational: n.Informational,
		State: string(n.State), Channels: strings.Join(n.Channels, ","), Channel: n.Channel, SuppressedBy: n.SuppressedBy,
		DigestID: n.DigestID, LastError: n.LastError,
		CreatedAt: sqldb.At(n.CreatedAt), SentAt: sqldb.At(n.SentAt), ResendOf: n.ResendOf, ResentBy: n.ResentBy,
		ResendKey: n.ResendKey,
	}
}

func (r row) notice() notify.Notice {
	n := notify.Notice{
		ID: r.ID, Tenant: identity.TenantID(r.Tenant), Template: r.Template, Recipient: r.Recipient, Subject: r.Subject,
		Data: json.RawMessage(r.Data), Critical: r.Critical, Informational: r.Informational, State: notify.State(r.State),
		Channel: r.Channel, SuppressedBy: r.SuppressedBy, DigestID: r.DigestID, LastError: r.LastError, CreatedAt: r.CreatedAt.Time, SentAt: r.SentAt.Time,
		ResendOf: r.ResendOf, ResentBy: r.ResentBy, ResendKey: r.ResendKey,
	}
	n.Channels = split(r.Channels)
	return n
}

func split(names string) []string {
	if names == "" {
		return nil
	}
	return strings.Split(names, ",")
}

func notices(rows []row) []notify.Notice {
	ns := make([]notify.Notice, len(rows))
	for i, r := range rows {
		ns[i] = r.notice()
	}
	return ns
}

// Insert implements notify.Notices.
func (s *Store) Insert(ctx context.Context, ns []notify.Notice) error {
	if len(ns) == 0 {
		return nil
	}
	rows := make([]row, len(ns))
	for i, n := range ns {
		rows[i] = toRow(n)
	}
	_, err := s.db.IDB(ctx).NewInsert().Model(&rows).
		On("CONFLICT (tenant, resend_of, resend_key) WHERE resend_key IS NOT NULL DO NOTHING").Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// Get implements notify.Notices.
func (s *Store) Get(ctx context.Context, tenant identity.TenantID, id string) (notify.Notice, error) {
	return s.one(ctx, "tenant = ? AND id = ?", string(tenant), id)
}

// Resent implements notify.Notices.
func (s *Store) Resent(ctx context.Context, tenant identity.TenantID, id, key string) (notify.Notice, error) {
	return s.one(ctx, "tenant = ? AND resend_of = ? AND resend_key = ?", string(tenant), id, key)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (notify.Notice, error) {
	var rows []row
	if err := s.db.Reader(ctx).NewSelect().Model(&rows).Where(where, args...).Limit(1).Scan(ctx); err != nil {
		return notify.Notice{}, sqldb.Fault(err)
	}
	if len(rows) == 0 {
		return notify.Notice{}, notify.ErrUnknown
	}
	return rows[0].notice(), nil
}

// place is where a page of the list ends.
type place struct {
	Created int64  `json:"c"`
	ID      string `json:"i"`
}

const listing = "notices"

// List implements notify.Notices.
func (s *Store) List(ctx context.Context, tenant identity.TenantID, f notify.Filter, p page.Request) (page.Page[notify.Notice], error) {
	var after place
	more, err := page.Decode(listing, p.Cursor, &after)
	if err != nil {
		return page.Page[notify.Notice]{}, err
	}
	var rows []row
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant))
	for _, c := range []struct{ column, value string }{
		{"recipient", f.Recipient}, {"template", f.Template}, {"subject", f.Subject}, {"subject_id", f.SubjectID}, {"state", string(f.State)},
	} {
		if c.value != "" {
			q = q.Where("? = ?", bun.Ident(c.column), c.value)
		}
	}
	if more {
		q = q.Where("(created_at, id) < (?, ?)", sqldb.At(time.UnixMicro(after.Created)), after.ID)
	}
	if err := q.Order("created_at DESC", "id DESC").Limit(int64(p.Size()) + 1).Scan(ctx); err != nil {
		return page.Page[notify.Notice]{}, sqldb.Fault(err)
	}
	return page.Of(listing, notices(rows), p.Size(), func(n notify.Notice) any { return place{n.CreatedAt.UnixMicro(), n.ID} }), nil
}

// Update implements notify.Notices.
func (s *Store) Update(ctx context.Context, n notify.Notice, channel string) (bool, error) {
	r := toRow(n)
	return changed(s.db.IDB(ctx).NewUpdate().Model(&r).Column("state", "channel", "suppressed_by", "digest_id", "last_error", "sent_at").
		Where("tenant = ? AND id = ? AND state = 'pending' AND channel = ?", r.Tenant, r.ID, channel).Exec(ctx))
}

// Move implements notify.Notices.
func (s *Store) Move(ctx context.Context, n notify.Notice, channel string) (bool, error) {
	r := toRow(n)
	return changed(s.db.IDB(ctx).NewUpdate().Model(&r).Column("channels", "channel").
		Where("tenant = ? AND id = ? AND state = 'pending' AND channel = ? AND digest_id IS NULL", r.Tenant, r.ID, channel).Exec(ctx))
}

func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// PruneNotices implements notify.Notices.
func (s *Store) PruneNotices(ctx context.Context, t time.Time, limit int) (int, error) {
	res, err := s.db.IDB(ctx).NewRaw(`DELETE FROM notices WHERE id IN (
		SELECT id FROM notices WHERE state <> 'pending' AND created_at < ? ORDER BY created_at LIMIT ?)`, sqldb.At(t), limit).Exec(ctx)
	if err != nil {
		return 0, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
