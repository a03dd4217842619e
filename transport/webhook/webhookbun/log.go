package webhookbun

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
)

type event struct {
	bun.BaseModel `bun:"table:webhook_events,alias:webhook_events"`

	ID         string `bun:",pk"`
	Tenant     string `bun:",pk"`
	Type       string
	Subject    string
	OccurredAt sqldb.Time
	Data       string
}

// Append implements webhook.Log.
func (s *Store) Append(ctx context.Context, events []transport.Event) error {
	if len(events) == 0 {
		return nil
	}
	rows := make([]event, len(events))
	for i, ev := range events {
		data, err := ev.JSON()
		if err != nil {
			return err
		}
		rows[i] = event{ID: ev.ID, Tenant: string(ev.Tenant), Type: ev.Type, Subject: ev.Subject, OccurredAt: sqldb.At(ev.Time), Data: string(data)}
	}
	_, err := s.db.IDB(ctx).NewInsert().Model(&rows).On("CONFLICT (tenant, id) DO NOTHING").Returning("NULL").Exec(ctx)
	return sqldb.Fault(err)
}

// logPage is how many events are read at once.
const logPage = 200

// Since implements webhook.Log.
func (s *Store) Since(ctx context.Context, tenant identity.TenantID, since time.Time) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		at, id := sqldb.At(since), ""
		if since.IsZero() {
			at = sqldb.At(time.Unix(0, 0))
		}
		for {
			var rows []event
			err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).
				Where("(occurred_at, id) > (?, ?)", at, id).Order("occurred_at", "id").Limit(logPage).Scan(ctx)
			if err != nil {
				yield(transport.Event{}, sqldb.Fault(err))
				return
			}
			for _, r := range rows {
				ev := transport.Event{
					ID: r.ID, Tenant: identity.TenantID(r.Tenant), Type: r.Type, Subject: r.Subject, Time: r.OccurredAt.Time, Data: json.RawMessage(r.Data),
				}
				if !yield(ev, nil) {
					return
				}
				at, id = r.OccurredAt, r.ID
			}
			if len(rows) < logPage {
				return
			}
		}
	}
}

// Forget implements webhook.Log.
func (s *Store) Forget(ctx context.Context, tenant identity.TenantID, subject string, t time.Time) error {
	_, err := s.db.IDB(ctx).NewRaw("DELETE FROM webhook_events WHERE tenant = ? AND subject = ? AND occurred_at < ?",
		string(tenant), subject, sqldb.At(t)).Exec(ctx)
	return sqldb.Fault(err)
}

// PruneLog implements webhook.Log.
func (s *Store) PruneLog(ctx context.Context, t time.Time, limit int) (int, error) {
	res, err := s.db.IDB(ctx).NewRaw(`DELETE FROM webhook_events WHERE (tenant, id) IN (
		SELECT tenant, id FROM webhook_events WHERE occurred_at < ? LIMIT ?)`, sqldb.At(t), limit).Exec(ctx)
	if err != nil {
		return 0, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
