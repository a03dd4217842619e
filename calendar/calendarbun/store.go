package calendarbun

import (
	"context"
	"embed"
	"errors"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the migration line of this package. On PostgreSQL it needs the extension btree_gist or the right to
// create it.
var Migrations = sqldb.Migration{Name: "calendar", FS: migrations}

// Store implements calendar.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ calendar.Store = (*Store)(nil)

// New makes a store on a database that has Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

// Do implements calendar.Store.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// occupy ends a script with holdings, which must be sorted by resource, and runs it.
func (s *Store) occupy(ctx context.Context, c *sqldb.Script, rows []holdingRow) error {
	if len(rows) == 0 {
		_, err := s.db.Run(ctx, c)
		return err
	}
	q := c.NewInsert().Model(&rows)
	if s.db.IsPostgres() {
		q = q.On("CONFLICT DO NOTHING")
	}
	c.Add(q)
	n, err := s.db.Run(ctx, c)
	if errors.Is(err, sqldb.ErrExcluded) || err == nil && n < int64(len(rows)) {
		return calendar.ErrResourceConflict.Because(err)
	}
	return err
}

// queue makes bookings of the same resource follow each other, as sqldb.DB.Lock does, but in the script.
func (s *Store) queue(c *sqldb.Script, rows []holdingRow) {
	if !s.db.IsPostgres() {
		return
	}
	for _, r := range rows {
		c.Addf("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", "calendar.resource/"+r.Tenant+"/"+r.ResourceID)
	}
}

// Insert implements calendar.Events.
func (s *Store) Insert(ctx context.Context, ev calendar.Event, holdings []calendar.Holding) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		event, attendees, occurrences := eventRowOf(ev), attendeeRows(ev), occurrenceRows(ev)
		held := holdingRows(ev.Tenant, holdings)
		c := s.db.Script()
		c.Add(c.NewInsert().Model(&event))
		if len(attendees) > 0 {
			c.Add(c.NewInsert().Model(&attendees))
		}
		c.Add(c.NewInsert().Model(&occurrences))
		s.queue(c, held)
		return s.occupy(ctx, c, held)
	})
}

// Update implements calendar.Events.
func (s *Store) Update(ctx context.Context, was, ev calendar.Event) error {
	c := s.db.Script()
	before, after := attendeeRows(was), attendeeRows(ev)
	if changed := missing(after, before); len(changed) > 0 {
		c.Add(c.NewInsert().Model(&changed).On("CONFLICT (tenant, event_id, email) DO UPDATE").
			Set("position = EXCLUDED.position, name = EXCLUDED.name, user_id = EXCLUDED.user_id, external = EXCLUDED.external").
			Set("partstat = EXCLUDED.partstat, comment = EXCLUDED.comment, reply_sequence = EXCLUDED.reply_sequence").
			Set("reply_stamp = EXCLUDED.reply_stamp, reply_time = EXCLUDED.reply_time").
			Set("undeliverable = EXCLUDED.undeliverable, invited = EXCLUDED.invited"))
	}
	if gone := missing(emails(before), emails(after)); len(gone) > 0 {
		c.Addf("DELETE FROM calendar_attendees WHERE tenant = ? AND event_id = ? AND email IN (?)", string(ev.Tenant), ev.ID, bun.List(gone))
	}
	old, now := occurrenceRows(was), occurrenceRows(ev)
	for _, o := range missing(old, now) {
		c.Addf("DELETE FROM calendar_occurrences WHERE tenant = ? AND owner_id = ? AND lane = ? AND start_at = ? AND event_id = ?",
			o.Tenant, o.OwnerID, o.Lane, o.StartAt, o.EventID)
	}
	if fresh := missing(now, old); len(fresh) > 0 {
		c.Add(c.NewInsert().Model(&fresh))
	}
	row := eventRowOf(ev)
	c.Add(c.NewUpdate().Model(&row).ExcludeColumn("tenant", "id").
		Where("tenant = ?", row.Tenant).Where("id = ?", row.ID).Where("version = ?", was.Version))
	if n, err := s.db.Run(ctx, c); err != nil || n == 1 {
		return err
	}
	return calendar.ErrVersionMismatch
}

func emails(rows []attendeeRow) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Email
	}
	return out
}

// Hold implements calendar.Events.
func (s *Store) Hold(ctx context.Context, tenant identity.TenantID, eventID string, holdings []calendar.Holding) error {
	held := holdingRows(tenant, holdings)
	c := s.db.Script()
	s.queue(c, held)
	c.Addf("DELETE FROM calendar_holdings WHERE tenant = ? AND event_id = ?", string(tenant), eventID)
	return s.occupy(ctx, c, held)
}

// notFound turns sqldb's fault into the calendar's.
func notFound(err error) error {
	if err = sqldb.Fault(err); errors.Is(err, sqldb.ErrNoRows) {
		return calendar.ErrNotFound
	}
	return err
}

// errNoTransaction is for a lock that would end with its own statement: a mistake of the caller's.
var errNoTransaction = fault.New(fault.Internal, "no_transaction", "a lock needs a transaction")
