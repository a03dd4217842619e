package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/telemetry"
)

// QueueConfig is what a Queue needs.
type QueueConfig struct {
	Store Store
	Now   func() time.Time // stamps CreatedAt and decides nothing; default time.Now
	NewID func() string    // default UUIDv7
}

// Queue takes jobs and answers questions about them. It is safe for concurrent use.
type Queue struct {
	store Store
	now   func() time.Time
	newID func() string
}

var _ Enqueuer = (*Queue)(nil)

// NewQueue makes a Queue.
func NewQueue(cfg QueueConfig) (*Queue, error) {
	if cfg.Store == nil {
		return nil, errors.New("delivery: a queue needs a Store")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return &Queue{store: cfg.Store, now: cfg.Now, newID: cfg.NewID}, nil
}

// Enqueue implements Enqueuer. It returns ErrUnknownKind for a job that lacks what is required and ErrPayload.
func (q *Queue) Enqueue(ctx context.Context, jobs ...Job) error {
	if len(jobs) == 0 {
		return nil
	}
	now, parent := q.now().UTC().Truncate(time.Microsecond), telemetry.Parent(ctx)
	ds := make([]Delivery, len(jobs))
	for i, j := range jobs {
		if j.Tenant == "" || j.Kind == "" || j.Destination == "" {
			return ErrUnknownKind
		}
		payload, err := json.Marshal(j.Payload)
		if raw, ok := j.Payload.(json.RawMessage); ok && json.Valid(raw) {
			payload, err = raw, nil // Marshal would compact it, and a signature may cover its bytes
		}
		if err != nil {
			return ErrPayload.Because(err)
		}
		ds[i] = Delivery{
			ID: q.newID(), Tenant: j.Tenant, Kind: j.Kind, Destination: j.Destination, Key: j.Key, Subject: j.Subject,
			EventID: j.EventID, OrderKey: j.OrderKey, Payload: payload, State: Pending, MaxAttempts: j.MaxAttempts,
			NextAttemptAt: now, CreatedAt: now, Trace: or(j.Trace, parent),
		}
		if !j.NotBefore.IsZero() {
			ds[i].NextAttemptAt = j.NotBefore.UTC().Truncate(time.Microsecond)
		}
	}
	if err := q.store.Insert(ctx, ds); err != nil {
		return err
	}
	q.store.Wake(ctx)
	return nil
}

// Get returns a delivery with its history, or ErrUnknown.
func (q *Queue) Get(ctx context.Context, tenant identity.TenantID, id string) (Record, error) {
	d, err := q.store.Get(ctx, tenant, id)
	if err != nil {
		return Record{}, err
	}
	records, err := q.records(ctx, tenant, []Delivery{d})
	if err != nil {
		return Record{}, err
	}
	return records[0], nil
}

// List returns deliveries, newest first. It returns page.ErrBadCursor.
func (q *Queue) List(ctx context.Context, tenant identity.TenantID, f Filter, p page.Request) (page.Page[Delivery], error) {
	return q.store.List(ctx, tenant, f, p)
}

// History returns the deliveries of a kind that have one of the event ids, oldest first, with their attempts.
func (q *Queue) History(ctx context.Context, tenant identity.TenantID, kind string, eventIDs ...string) ([]Record, error) {
	if len(eventIDs) == 0 {
		return nil, nil
	}
	ds, err := q.store.ByEvent(ctx, tenant, kind, eventIDs)
	if err != nil {
		return nil, err
	}
	return q.records(ctx, tenant, ds)
}

func (q *Queue) records(ctx context.Context, tenant identity.TenantID, ds []Delivery) ([]Record, error) {
	if len(ds) == 0 {
		return nil, nil
	}
	records := make([]Record, len(ds))
	ids := make([]string, len(ds))
	place := make(map[string]int, len(ds))
	for i, d := range ds {
		records[i].Delivery, ids[i], place[d.ID] = d, d.ID, i
	}
	attempts, err := q.store.History(ctx, tenant, ids)
	if err != nil {
		return nil, err
	}
	for _, a := range attempts {
		r := &records[place[a.DeliveryID]]
		r.History = append(r.History, a)
	}
	return records, nil
}

// Resend sends a finished delivery again as a new one, and returns that. The same key returns the same one again, so a
// repeated request does it once. Whether by is allowed to is for the caller to judge. It returns ErrUnknown, ErrNotFinal
// or ErrForgotten.
func (q *Queue) Resend(ctx context.Context, by identity.Principal, id, key string) (Delivery, error) {
	var out Delivery
	err := q.store.Do(ctx, func(ctx context.Context) error {
		d, err := q.store.Get(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		switch {
		case !d.State.Final():
			return ErrNotFinal
		case d.State == Forgotten:
			return ErrForgotten
		}
		again := q.repeat(ctx, d, by, key)
		if key == "" {
			again.Key = ""
		}
		if err := q.store.Insert(ctx, []Delivery{again}); err != nil {
			return err
		}
		if out = again; key != "" {
			if out, err = q.store.ByKey(ctx, d.Tenant, d.Kind, again.Key); err != nil {
				return err
			}
		}
		q.store.Wake(ctx)
		return nil
	})
	return out, err
}

// Forget erases what finished deliveries hold, such as somebody's data who asked for it, and says of how many: they become
// Forgotten, and are never sent again. That they were made, and when, stays until they are pruned. Pending ones are left
// alone: see Engine.Cancel.
func (q *Queue) Forget(ctx context.Context, tenant identity.TenantID, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	return q.store.Forget(ctx, tenant, ids)
}

// Prune deletes up to limit deliveries that were finished before t, with their history, and says how many. A key is
// free again when its delivery is gone.
func (q *Queue) Prune(ctx context.Context, t time.Time, limit int) (int, error) {
	return q.store.Prune(ctx, t, limit)
}
