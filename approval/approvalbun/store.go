package approvalbun

import (
	"context"
	"embed"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the migration line of this package.
var Migrations = sqldb.Migration{Name: "approval", FS: migrations}

// Store implements approval.Store. It is safe for concurrent use.
type Store struct{ db *sqldb.DB }

var _ approval.Store = (*Store)(nil)

// New makes a store on a database that has Migrations.
func New(db *sqldb.DB) *Store { return &Store{db: db} }

// Do implements approval.Store.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.Do(ctx, fn)
}

// Now implements approval.Store by the database's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.db.Now(ctx) }

// Insert implements approval.Requests.
func (s *Store) Insert(ctx context.Context, r approval.Request) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		row := rowOf(r)
		_, err := s.db.IDB(ctx).NewInsert().Model(&row).Exec(ctx)
		if errors.Is(sqldb.Fault(err), sqldb.ErrDuplicate) {
			return approval.ErrAlreadyPending.Because(err)
		}
		if err != nil {
			return err
		}
		parties := partiesOf(r)
		_, err = s.db.IDB(ctx).NewInsert().Model(&parties).Exec(ctx)
		return err
	})
}

// Request implements approval.Requests.
func (s *Store) Request(ctx context.Context, tenant identity.TenantID, id string) (approval.Request, error) {
	return s.one(ctx, s.db.Reader(ctx).NewSelect(), tenant, id)
}

// Lock implements approval.Requests.
func (s *Store) Lock(ctx context.Context, tenant identity.TenantID, id string) (approval.Request, error) {
	return s.one(ctx, s.locking(s.db.IDB(ctx).NewSelect()), tenant, id)
}

func (s *Store) one(ctx context.Context, q *bun.SelectQuery, tenant identity.TenantID, id string) (approval.Request, error) {
	var row requestRow
	err := sqldb.Fault(q.Model(&row).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		return approval.Request{}, approval.ErrNotFound
	}
	if err != nil {
		return approval.Request{}, err
	}
	return row.request(), nil
}

// locking adds the row lock; SQLite's one writer needs none.
func (s *Store) locking(q *bun.SelectQuery) *bun.SelectQuery {
	if s.db.IsPostgres() {
		return q.For("UPDATE")
	}
	return q
}

// LockPending implements approval.Requests.
func (s *Store) LockPending(ctx context.Context, tenant identity.TenantID, subject approval.Subject) ([]approval.Request, error) {
	var rows []requestRow
	err := s.locking(s.db.IDB(ctx).NewSelect()).Model(&rows).
		Where("tenant = ?", string(tenant)).
		Where("subject_kind = ?", subject.Kind).Where("subject_id = ?", subject.ID).
		Where("status = 'pending'").
		OrderExpr("id").Scan(ctx)
	return requests(rows), sqldb.Fault(err)
}

// AskedSince implements approval.Requests.
func (s *Store) AskedSince(ctx context.Context, tenant identity.TenantID, subject approval.Subject, t time.Time, but string) (bool, error) {
	exists, err := s.db.Reader(ctx).NewSelect().Model((*requestRow)(nil)).
		Where("tenant = ?", string(tenant)).
		Where("subject_kind = ?", subject.Kind).Where("subject_id = ?", subject.ID).
		Where("created_at > ?", sqldb.At(t)).Where("id <> ?", but).
		Exists(ctx)
	return exists, sqldb.Fault(err)
}

// Advance implements approval.Requests.
func (s *Store) Advance(ctx context.Context, r approval.Request) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		if err := s.write(ctx, r, "version", "steps"); err != nil {
			return err
		}
		return s.changeParties(ctx, r)
	})
}

// changeParties makes the lists of people follow from the steps, and writes what differs.
func (s *Store) changeParties(ctx context.Context, r approval.Request) error {
	var rows []partyRow
	err := s.db.IDB(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(r.Tenant)).Where("request_id = ?", r.ID).Scan(ctx)
	if err != nil {
		return sqldb.Fault(err)
	}
	parts := map[string]string{}
	for _, row := range rows {
		parts[row.UserID] = row.Part
	}
	var changed []partyRow
	set := func(who, part string) {
		if was := parts[who]; was != part && was != partRequester {
			parts[who] = part
			changed = append(changed, partyRow{Tenant: string(r.Tenant), RequestID: r.ID, UserID: who, Part: part, CreatedAt: sqldb.At(r.CreatedAt)})
		}
	}
	deciders := r.Deciders()
	for _, row := range rows {
		if row.Part == partApprover && !slices.Contains(deciders, row.UserID) {
			set(row.UserID, partAsked)
		}
	}
	for _, who := range deciders {
		set(who, partApprover)
	}
	for _, step := range r.Steps {
		for _, d := range step.Decisions {
			if parts[d.By] == "" {
				set(d.By, partAsked)
			}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	_, err = s.db.IDB(ctx).NewInsert().Model(&changed).On("CONFLICT (tenant, request_id, user_id) DO UPDATE").Set("part = EXCLUDED.part").Exec(ctx)
	return sqldb.Fault(err)
}

// Settle implements approval.Requests.
func (s *Store) Settle(ctx context.Context, r approval.Request) error {
	return s.db.Do(ctx, func(ctx context.Context) error {
		if err := s.settle(ctx, r); err != nil {
			return err
		}
		return s.addSubstitute(ctx, r)
	})
}

// addSubstitute lists the request for who ended it in an approver's place.
func (s *Store) addSubstitute(ctx context.Context, r approval.Request) error {
	if r.Outcome == nil || r.Status != approval.Approved && r.Status != approval.Rejected || r.IsApprover(r.Outcome.By) {
		return nil
	}
	row := partyRow{
		Tenant: string(r.Tenant), RequestID: r.ID, UserID: r.Outcome.By, Part: partAsked, CreatedAt: sqldb.At(r.CreatedAt),
	}
	_, err := s.db.IDB(ctx).NewInsert().Model(&row).On("CONFLICT (tenant, request_id, user_id) DO NOTHING").Exec(ctx)
	return sqldb.Fault(err)
}

func (s *Store) settle(ctx context.Context, r approval.Request) error {
	return s.write(ctx, r, "status", "version", "steps", "ended_by", "ended_action", "ended_reason", "ended_at")
}

// Revise implements approval.Requests.
func (s *Store) Revise(ctx context.Context, r approval.Request) error {
	return s.write(ctx, r, "version", "summary", "discreet", "reasons", "explanation", "content_hash", "shown")
}

// Conceal implements approval.Requests.
func (s *Store) Conceal(ctx context.Context, tenant identity.TenantID, subject approval.Subject) ([]string, error) {
	ids := []string{}
	err := s.db.IDB(ctx).NewUpdate().Model((*requestRow)(nil)).Set("summary = discreet").
		Where("tenant = ?", string(tenant)).
		Where("subject_kind = ?", subject.Kind).Where("subject_id = ?", subject.ID).
		Where("summary <> discreet").
		Returning("id").Scan(ctx, &ids)
	return ids, sqldb.Fault(err)
}

// write sets columns of a request that is pending at the version before r's.
func (s *Store) write(ctx context.Context, r approval.Request, columns ...string) error {
	row := rowOf(r)
	res, err := s.db.IDB(ctx).NewUpdate().Model(&row).
		Column(columns...).
		Where("tenant = ?", row.Tenant).Where("id = ?", row.ID).
		Where("status = 'pending'").Where("version = ?", row.Version-1).
		Exec(ctx)
	if err != nil {
		return sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return approval.ErrDecided
	}
	return err
}
