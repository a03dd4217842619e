package outboxbun

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

type poisonRow struct {
	bun.BaseModel `bun:"table:transport_poison"`

	ID       string `bun:",pk"`
	Tenant   string
	Handler  string
	Reason   string
	Tries    int
	FailedAt sqldb.Time
	EventID  string
	Type     string
	Subject  string
	Sequence int64
	Time     sqldb.Time
	Data     string
	Trace    string
}

func (r poisonRow) poisoned() transport.Poisoned {
	return transport.Poisoned{
		ID: r.ID, Handler: r.Handler, Reason: r.Reason, Tries: r.Tries, Time: r.FailedAt.Time,
		Event: transport.Event{
			ID: r.EventID, Type: r.Type, Tenant: identity.TenantID(r.Tenant), Subject: r.Subject, Time: r.Time.Time,
			Sequence: r.Sequence, Data: json.RawMessage(r.Data), Trace: r.Trace,
		},
	}
}

// Bury implements transport.PoisonStore.
func (s *Store) Bury(ctx context.Context, p transport.Poisoned) error {
	data, err := p.Event.JSON()
	if err != nil {
		return transport.ErrInvalidEvent.WithField("data", "must encode to JSON").Because(err)
	}
	row := poisonRow{
		ID: p.ID, Tenant: string(p.Event.Tenant), Handler: p.Handler, Reason: p.Reason, Tries: p.Tries, FailedAt: sqldb.At(p.Time),
		EventID: p.Event.ID, Type: p.Event.Type, Subject: p.Event.Subject, Sequence: p.Event.Sequence,
		Time: sqldb.At(p.Event.Time), Data: string(data), Trace: p.Event.Trace,
	}
	if row.ID == "" {
		row.ID = s.newID()
	}
	if p.Time.IsZero() {
		row.FailedAt = sqldb.At(s.now())
	}
	_, err = s.db.IDB(ctx).NewInsert().Model(&row).Exec(ctx)
	return sqldb.Fault(err)
}

const poisonScope = "poisoned"

type poisonKey struct {
	At int64  `json:"t"` // microseconds
	ID string `json:"i"`
}

// Poisoned implements transport.PoisonStore.
func (s *Store) Poisoned(ctx context.Context, tenant identity.TenantID, p page.Request) (page.Page[transport.Poisoned], error) {
	var none page.Page[transport.Poisoned]
	var after poisonKey
	more, err := page.Decode(poisonScope, p.Cursor, &after)
	if err != nil {
		return none, err
	}
	var rows []poisonRow
	q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).
		OrderExpr("failed_at DESC, id DESC").Limit(int64(p.Size()) + 1)
	if more {
		q = q.Where("(failed_at, id) < (?, ?)", sqldb.At(time.UnixMicro(after.At)), after.ID)
	}
	if err := q.Scan(ctx); err != nil {
		return none, sqldb.Fault(err)
	}
	items := make([]transport.Poisoned, len(rows))
	for i, r := range rows {
		items[i] = r.poisoned()
	}
	return page.Of(poisonScope, items, p.Size(), func(p transport.Poisoned) any {
		return poisonKey{p.Time.UnixMicro(), p.ID}
	}), nil
}

// Exhume implements transport.PoisonStore.
func (s *Store) Exhume(ctx context.Context, tenant identity.TenantID, id string) (transport.Poisoned, error) {
	var rows []poisonRow
	err := s.db.IDB(ctx).NewRaw("DELETE FROM transport_poison WHERE tenant = ? AND id = ? RETURNING *", string(tenant), id).Scan(ctx, &rows)
	if err != nil {
		return transport.Poisoned{}, sqldb.Fault(err)
	}
	if len(rows) == 0 {
		return transport.Poisoned{}, transport.ErrNotPoisoned
	}
	return rows[0].poisoned(), nil
}
