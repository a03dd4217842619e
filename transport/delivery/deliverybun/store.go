package deliverybun

import (
	"context"
	"embed"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport/delivery"
)

//go:embed migrations
var migrations embed.FS

// Migrations are the tables of this package.
var Migrations = sqldb.Migration{Name: "delivery", FS: migrations}

// topic is the wake-up signal.
const topic = "delivery"

// Store implements delivery.Store. It is safe for concurrent use.
type Store struct {
	db     *sqldb.DB
	floors floors
}

var _ delivery.Store = (*Store)(nil)

// New makes a Store on a database that has the Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db, floors: floors{worth: worthSparing}} }

// Do implements delivery.Unit.
func (s *Store) Do(ctx context.Context, fn func(context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// Now implements delivery.Unit.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.db.Now(ctx) }

// Wake implements delivery.Unit.
func (s *Store) Wake(ctx context.Context) { s.db.Wake(ctx, topic) }

// Woken implements delivery.Unit.
func (s *Store) Woken() <-chan struct{} { return s.db.Woken(topic) }

// insertRows keeps one statement at a size that both engines parse quickly.
const insertRows = 500

// Insert implements delivery.Jobs.
func (s *Store) Insert(ctx context.Context, ds []delivery.Delivery) error {
	if len(ds) == 0 {
		return nil
	}
	if len(ds) <= insertRows && s.db.IsPostgres() {
		return s.insert(ctx, ds) // one message is one transaction
	}
	return s.db.Do(ctx, func(ctx context.Context) error {
		for start := 0; start < len(ds); start += insertRows {
			if err := s.insert(ctx, ds[start:min(start+insertRows, len(ds))]); err != nil {
				return err
			}
		}
		return nil
	})
}

// insert writes deliveries and their places in the queue in one round trip. With a key in play the queue takes only what
// the table let in.
func (s *Store) insert(ctx context.Context, ds []delivery.Delivery) error {
	put := s.db.Script()
	if s.db.IsPostgres() {
		s.floors.came(ds)
		insertPostgres(put, ds)
	} else {
		insertSQLite(put, ds)
	}
	c := s.script(ctx)
	var taken []string
	var dead []delivery.Delivery
	for _, d := range ds {
		if d.State == delivery.Dead {
			dead = append(dead, d)
		}
		if d.ResendOf != "" {
			taken = append(taken, d.ResendOf)
		}
	}
	c.bury(dead)
	if len(taken) > 0 {
		c.add("UPDATE delivery_dead SET resent = 1 WHERE id IN (?);\n", bun.List(taken))
	}
	if len(c.text) > 0 {
		put.Addf(string(c.text))
	}
	return s.db.Later(ctx, put)
}

// stored is the state in the table: the queue knows whether a delivery is leased.
func stored(s delivery.State) delivery.State {
	if s.Final() {
		return s
	}
	return delivery.Pending
}

// leaseEnd is zero when nobody has the delivery.
func leaseEnd(d delivery.Delivery) time.Time {
	if d.LeaseToken == "" {
		return time.Time{}
	}
	return d.NextAttemptAt
}

// bury appends the list of dead letters.
func (c *script) bury(dead []delivery.Delivery) {
	if len(dead) == 0 {
		return
	}
	c.add("INSERT INTO delivery_dead (id, lane, tenant, finished_at, resent) VALUES ")
	c.list(len(dead), "(?,?,?,?,0)", func(i int) []any {
		d := dead[i]
		return []any{d.ID, lane(d.Lane()), string(d.Tenant), sqldb.At(d.FinishedAt)}
	})
	c.add(";\n")
}

// Get implements delivery.Jobs.
func (s *Store) Get(ctx context.Context, tenant identity.TenantID, id string) (delivery.Delivery, error) {
	return s.one(ctx, "WHERE d.tenant = ? AND d.id = ?", string(tenant), id)
}

// ByKey implements delivery.Jobs.
func (s *Store) ByKey(ctx context.Context, tenant identity.TenantID, kind, key string) (delivery.Delivery, error) {
	return s.one(ctx, "WHERE d.tenant = ? AND d.kind = ? AND d.dedupe_key = ?", string(tenant), kind, key)
}

func (s *Store) one(ctx context.Context, where string, args ...any) (delivery.Delivery, error) {
	ds, err := deliveries(s.db.Reader(ctx).QueryContext(ctx, selected+where, args...))
	if err != nil {
		return delivery.Delivery{}, err
	}
	if len(ds) == 0 {
		return delivery.Delivery{}, delivery.ErrUnknown
	}
	return ds[0], nil
}

// Known implements delivery.Jobs.
func (s *Store) Known(ctx context.Context, tenant identity.TenantID, kind string, keys []string) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	return texts(s.db.Reader(ctx).QueryContext(ctx, "SELECT dedupe_key FROM deliveries WHERE tenant = ? AND kind = ? AND dedupe_key IN (?)",
		string(tenant), kind, bun.List(keys)))
}

// place is where a page of the list ends.
type place struct {
	Created int64  `json:"c"`
	ID      string `json:"i"`
}

const listing = "deliveries"

// List implements delivery.Jobs.
func (s *Store) List(ctx context.Context, tenant identity.TenantID, f delivery.Filter, p page.Request) (page.Page[delivery.Delivery], error) {
	var after place
	more, err := page.Decode(listing, p.Cursor, &after)
	if err != nil {
		return page.Page[delivery.Delivery]{}, err
	}
	c := s.script(ctx)
	c.add(selected+"WHERE d.tenant = ?", string(tenant))
	for _, part := range []struct{ column, value string }{{"kind", f.Kind}, {"destination", f.Destination}, {"subject", f.Subject}} {
		if part.value != "" {
			c.add(" AND d."+part.column+" = ?", part.value)
		}
	}
	if len(f.States) == 1 && f.States[0] == delivery.Dead {
		c.add(" AND d.id IN (SELECT id FROM delivery_dead WHERE tenant = ?)", string(tenant)) // few among many
	} else if len(f.States) > 0 {
		c.add(" AND CASE WHEN q.lease_token IS NOT NULL THEN 'leased' ELSE d.state END IN (?)", bun.List(f.States))
	}
	if more {
		c.add(" AND (d.created_at, d.id) < (?, ?)", sqldb.At(time.UnixMicro(after.Created)), after.ID)
	}
	c.add(" ORDER BY d.created_at DESC, d.id DESC LIMIT ?", p.Size()+1)
	ds, err := deliveries(s.db.Reader(ctx).QueryContext(ctx, string(c.text)))
	if err != nil {
		return page.Page[delivery.Delivery]{}, err
	}
	return page.Of(listing, ds, p.Size(), func(d delivery.Delivery) any {
		return place{d.CreatedAt.UnixMicro(), d.ID}
	}), nil
}

// ByEvent implements delivery.Jobs.
func (s *Store) ByEvent(ctx context.Context, tenant identity.TenantID, kind string, eventIDs []string) ([]delivery.Delivery, error) {
	return deliveries(s.db.Reader(ctx).QueryContext(ctx, selected+"WHERE d.tenant = ? AND d.kind = ? AND d.event_id <> '' AND d.event_id IN (?) ORDER BY d.created_at, d.id",
		string(tenant), kind, bun.List(eventIDs)))
}

// old finds what was finished before a time. It was created before that, too, and the index of the list knows when, for
// each tenant.
const old = `
WITH RECURSIVE t (tenant) AS (
	SELECT min(tenant) FROM deliveries
	UNION ALL
	SELECT (SELECT min(d.tenant) FROM deliveries AS d WHERE d.tenant > t.tenant) FROM t WHERE t.tenant IS NOT NULL
)
SELECT d.id FROM t JOIN deliveries AS d ON d.tenant = t.tenant AND d.created_at < ? WHERE d.finished_at < ? LIMIT ?`

// walk has PostgreSQL read old off the index, and not wait for the disk: what a power cut forgets is pruned again.
const walk = `SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off; SET LOCAL jit = off; SET LOCAL synchronous_commit = off`

// Prune implements delivery.Jobs.
func (s *Store) Prune(ctx context.Context, t time.Time, limit int) (int, error) {
	var pruned int
	err := s.db.Do(ctx, func(ctx context.Context) error {
		if s.db.IsPostgres() {
			if _, err := s.db.IDB(ctx).ExecContext(ctx, walk); err != nil {
				return err
			}
		}
		ids, err := texts(s.db.IDB(ctx).QueryContext(ctx, old, sqldb.At(t), sqldb.At(t), limit))
		if pruned = len(ids); err != nil || pruned == 0 {
			return err
		}
		c := s.script(ctx)
		for _, table := range []string{"delivery_attempts WHERE delivery_id", "delivery_dead WHERE id", "deliveries WHERE id"} {
			c.add("DELETE FROM "+table+" IN (?);\n", bun.List(ids))
		}
		return s.run(ctx, c)
	})
	return pruned, err
}

// Forget implements delivery.Jobs.
func (s *Store) Forget(ctx context.Context, tenant identity.TenantID, ids []string) (int, error) {
	var gone []string
	err := s.db.Do(ctx, func(ctx context.Context) (err error) {
		gone, err = texts(s.db.IDB(ctx).QueryContext(ctx, `UPDATE deliveries SET state = 'forgotten', payload = 'null', last_error = '',
			attempt_response = CASE WHEN attempt_response IS NULL THEN NULL ELSE '' END
			WHERE tenant = ? AND id IN (?) AND state <> 'pending' RETURNING id`, string(tenant), bun.List(ids)))
		if err != nil || len(gone) == 0 {
			return err
		}
		c := s.script(ctx)
		c.add("UPDATE delivery_attempts SET response = '', error = '' WHERE delivery_id IN (?);\n", bun.List(gone))
		c.add("DELETE FROM delivery_dead WHERE id IN (?);\n", bun.List(gone))
		return s.run(ctx, c)
	})
	return len(gone), err
}
