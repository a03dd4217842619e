package delivery

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/telemetry"
)

// recoverRows is how many are sent again in one transaction.
const recoverRows = 500

// Recover sends again, each as a new delivery with ResendOf, what died at a destination at or after since and was not
// sent again already. It says how many; with dryRun it only counts. It works in transactions of 500, unless there is one
// in ctx: when it fails in between, calling it again does the rest. Whether by is allowed to is for the caller to judge.
func (q *Queue) Recover(ctx context.Context, by identity.Principal, destination string, since time.Time, dryRun bool) (int, error) {
	l := Lane{by.Tenant, destination}
	since = maxTime(since, time.UnixMicro(1)) // the zero Time is all time
	if dryRun {
		return q.store.CountDead(ctx, l, since)
	}
	for total := 0; ; {
		n := 0
		err := q.store.Do(ctx, func(ctx context.Context) error {
			dead, err := q.store.Dead(ctx, l, since, recoverRows)
			if n = len(dead); err != nil || n == 0 {
				return err
			}
			again := make([]Delivery, n)
			for i, d := range dead {
				again[i] = q.repeat(ctx, d, by, "recover")
			}
			if err := q.store.Insert(ctx, again); err != nil {
				return err
			}
			q.store.Wake(ctx)
			return nil
		})
		total += n
		if err != nil || n < recoverRows {
			return total, err
		}
	}
}

// ReplayMissing takes the jobs whose Key is not known yet and leaves the others out: what a destination missed because
// it was not subscribed, or because its events were never given to this queue. It says how many; with dryRun it only
// counts. All jobs need a Key (ErrUnknownKind). It works in transactions of 500, unless there is one in ctx.
func (q *Queue) ReplayMissing(ctx context.Context, jobs iter.Seq2[Job, error], dryRun bool) (int, error) {
	total := 0
	var some []Job
	flush := func() error {
		missing, err := q.missing(ctx, some)
		if some = some[:0]; err != nil {
			return err
		}
		total += len(missing)
		if dryRun {
			return nil
		}
		return q.Enqueue(ctx, missing...)
	}
	for j, err := range jobs {
		if err != nil {
			return total, err
		}
		if j.Key == "" || j.Tenant == "" || j.Kind == "" || j.Destination == "" {
			return total, ErrUnknownKind
		}
		if some = append(some, j); len(some) == recoverRows {
			if err := flush(); err != nil {
				return total, err
			}
		}
	}
	return total, flush()
}

// missing returns the jobs whose keys are unknown, each key once.
func (q *Queue) missing(ctx context.Context, jobs []Job) ([]Job, error) {
	type family struct {
		tenant identity.TenantID
		kind   string
	}
	keys := map[family][]string{}
	for _, j := range jobs {
		f := family{j.Tenant, j.Kind}
		keys[f] = append(keys[f], j.Key)
	}
	known := map[family]map[string]bool{}
	for f, ks := range keys {
		there, err := q.store.Known(ctx, f.tenant, f.kind, ks)
		if err != nil {
			return nil, err
		}
		known[f] = make(map[string]bool, len(ks))
		for _, k := range there {
			known[f][k] = true
		}
	}
	var out []Job
	for _, j := range jobs {
		if there := known[family{j.Tenant, j.Kind}]; !there[j.Key] {
			there[j.Key] = true
			out = append(out, j)
		}
	}
	return out, nil
}

// repeat makes the delivery that sends d again.
func (q *Queue) repeat(ctx context.Context, d Delivery, by identity.Principal, key string) Delivery {
	now := q.now().UTC().Truncate(time.Microsecond)
	return Delivery{
		ID: q.newID(), Tenant: d.Tenant, Kind: d.Kind, Destination: d.Destination, Subject: d.Subject, EventID: d.EventID,
		OrderKey: d.OrderKey, Payload: d.Payload, State: Pending, MaxAttempts: d.MaxAttempts, NextAttemptAt: now, CreatedAt: now,
		Key: strings.Join([]string{"resend", d.ID, key}, "/"), ResendOf: d.ID, ResentBy: by.Actor,
		Trace: telemetry.Parent(ctx),
	}
}
