package staffbun

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/staff"
)

type keyRow struct {
	bun.BaseModel `bun:"table:staff_api_keys,alias:k"`

	ID           int64      `bun:"id,pk,autoincrement"`
	Tenant       string     `bun:"tenant"`
	Name         string     `bun:"name"`
	Prefix       string     `bun:"prefix"`
	Hash         string     `bun:"hash"`
	OldHash      string     `bun:"old_hash"`
	OldUntil     sqldb.Time `bun:"old_until,nullzero"`
	Scopes       string     `bun:"scopes"`
	Groups       string     `bun:"field_groups"`
	SystemType   string     `bun:"system_type"`
	CIDRs        string     `bun:"cidrs"`
	ExpiresAt    sqldb.Time `bun:"expires_at,nullzero"`
	RevokedAt    sqldb.Time `bun:"revoked_at,nullzero"`
	LastUsedAt   sqldb.Time `bun:"last_used_at,nullzero"`
	LastUsedFrom string     `bun:"last_used_from"`
	Allowance    int        `bun:"allowance"`
	AllowedUntil sqldb.Time `bun:"allowed_until,nullzero"`
	CreatedBy    string     `bun:"created_by"`
	CreatedAt    sqldb.Time `bun:"created_at"`
	UpdatedAt    sqldb.Time `bun:"updated_at"`
}

func keyRowOf(tenant identity.TenantID, k staff.StoredKey) keyRow {
	return keyRow{
		ID: k.ID, Tenant: string(tenant), Name: k.Name, Prefix: k.Prefix, Hash: k.Hash, OldHash: k.OldHash, OldUntil: sqldb.At(k.OldUntil),
		Scopes: join(k.Scopes), Groups: join(k.Groups), SystemType: k.SystemType, CIDRs: join(k.CIDRs), ExpiresAt: sqldb.At(k.ExpiresAt),
		RevokedAt: sqldb.At(k.RevokedAt), LastUsedAt: sqldb.At(k.LastUsedAt), LastUsedFrom: k.LastUsedFrom, CreatedBy: k.CreatedBy,
		Allowance: k.Allowance, AllowedUntil: sqldb.At(k.AllowedUntil),
		CreatedAt: sqldb.At(k.CreatedAt), UpdatedAt: sqldb.At(k.UpdatedAt),
	}
}

func (r keyRow) key() staff.StoredKey {
	return staff.StoredKey{Hash: r.Hash, OldHash: r.OldHash, Key: staff.Key{
		ID: r.ID, Name: r.Name, Prefix: r.Prefix, Scopes: fields[staff.Scope](r.Scopes), Groups: fields[staff.Group](r.Groups),
		SystemType: r.SystemType, CIDRs: fields[string](r.CIDRs), ExpiresAt: r.ExpiresAt.Time, RevokedAt: r.RevokedAt.Time,
		LastUsedAt: r.LastUsedAt.Time, LastUsedFrom: r.LastUsedFrom, OldUntil: r.OldUntil.Time, CreatedBy: r.CreatedBy,
		CreatedAt: r.CreatedAt.Time, UpdatedAt: r.UpdatedAt.Time, Allowance: r.Allowance, AllowedUntil: r.AllowedUntil.Time,
	}}
}

// InsertKey implements staff.Keys.
func (s *Store) InsertKey(ctx context.Context, tenant identity.TenantID, k staff.StoredKey) (int64, error) {
	r := keyRowOf(tenant, k)
	r.ID = 0
	_, err := s.db.IDB(ctx).NewInsert().Model(&r).Returning("id").Exec(ctx)
	return r.ID, sqldb.Fault(err)
}

// UpdateKey implements staff.Keys.
func (s *Store) UpdateKey(ctx context.Context, tenant identity.TenantID, k staff.StoredKey) error {
	r := keyRowOf(tenant, k)
	result, err := s.db.IDB(ctx).NewUpdate().Model(&r).ExcludeColumn("id", "tenant", "created_at").
		Where("tenant = ?", string(tenant)).Where("id = ?", k.ID).Exec(ctx)
	return affected(result, err, staff.ErrUnknownKey)
}

// Key implements staff.Keys.
func (s *Store) Key(ctx context.Context, tenant identity.TenantID, id int64) (staff.StoredKey, error) {
	var r keyRow
	err := s.db.Reader(ctx).NewSelect().Model(&r).Where("tenant = ?", string(tenant)).Where("id = ?", id).Scan(ctx)
	return r.key(), orUnknown(err, staff.ErrUnknownKey)
}

// Keys implements staff.Keys.
func (s *Store) Keys(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]staff.StoredKey, error) {
	var rows []keyRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx)
	out := make([]staff.StoredKey, len(rows))
	for i, r := range rows {
		out[i] = r.key()
	}
	return out, sqldb.Fault(err)
}

// KeyByHash implements staff.Keys.
func (s *Store) KeyByHash(ctx context.Context, hash string) (staff.Owned[staff.StoredKey], error) {
	var r keyRow
	err := s.db.Reader(ctx).NewSelect().Model(&r).Where("hash = ? OR (old_hash = ? AND old_hash <> '')", hash, hash).Limit(1).Scan(ctx)
	return staff.Owned[staff.StoredKey]{Tenant: identity.TenantID(r.Tenant), Item: r.key()}, orUnknown(err, staff.ErrUnknownKey)
}

// UseKey implements staff.Keys.
func (s *Store) UseKey(ctx context.Context, tenant identity.TenantID, id int64, at time.Time, address string) error {
	_, err := s.db.IDB(ctx).NewUpdate().Model((*keyRow)(nil)).Set("last_used_at = ?", sqldb.At(at)).Set("last_used_from = ?", address).
		Where("tenant = ?", string(tenant)).Where("id = ?", id).Exec(ctx)
	return sqldb.Fault(err)
}

type deactivationRow struct {
	bun.BaseModel `bun:"table:staff_deactivations"`

	Tenant   string     `bun:"tenant,pk"`
	KeyID    int64      `bun:"key_id,pk"`
	PersonID int64      `bun:"person_id,pk"`
	At       sqldb.Time `bun:"at"`
}

// Deactivate implements staff.Keys.
func (s *Store) Deactivate(ctx context.Context, tenant identity.TenantID, key, person int64, at, since time.Time) error {
	_, err := s.db.IDB(ctx).NewDelete().Model((*deactivationRow)(nil)).
		Where("tenant = ?", string(tenant)).Where("key_id = ?", key).Where("at <= ?", sqldb.At(since)).Exec(ctx)
	if err != nil {
		return sqldb.Fault(err)
	}
	r := deactivationRow{Tenant: string(tenant), KeyID: key, PersonID: person, At: sqldb.At(at)}
	_, err = s.db.IDB(ctx).NewInsert().Model(&r).On("CONFLICT (tenant, key_id, person_id) DO UPDATE").Set("at = EXCLUDED.at").Exec(ctx)
	return sqldb.Fault(err)
}

// Deactivated implements staff.Keys.
func (s *Store) Deactivated(ctx context.Context, tenant identity.TenantID, key, person int64, since time.Time) (int64, error) {
	n, err := s.db.IDB(ctx).NewSelect().Model((*deactivationRow)(nil)).Where("tenant = ?", string(tenant)).Where("key_id = ?", key).
		Where("person_id <> ?", person).Where("at > ?", sqldb.At(since)).Count(ctx)
	return n, sqldb.Fault(err)
}

func orUnknown(err, unknown error) error {
	if err = sqldb.Fault(err); errors.Is(err, sqldb.ErrNoRows) {
		return unknown
	}
	return err
}

type importRow struct {
	bun.BaseModel `bun:"table:staff_imports,alias:i"`

	Tenant    string     `bun:"tenant,pk"`
	Source    string     `bun:"source,pk"`
	Key       string     `bun:"key,pk"`
	Hash      string     `bun:"hash"`
	PersonID  int64      `bun:"person_id"`
	CreatedAt sqldb.Time `bun:"created_at"`
}

func (r importRow) imported() staff.Imported {
	return staff.Imported{Source: r.Source, Key: r.Key, Hash: r.Hash, PersonID: r.PersonID, CreatedAt: r.CreatedAt.Time}
}

// Import implements staff.Imports.
func (s *Store) Import(ctx context.Context, tenant identity.TenantID, source, key string) (staff.Imported, bool, error) {
	var r importRow
	err := sqldb.Fault(s.db.Reader(ctx).NewSelect().Model(&r).Where("tenant = ?", string(tenant)).Where("source = ?", source).Where("key = ?", key).Scan(ctx))
	if errors.Is(err, sqldb.ErrNoRows) {
		return staff.Imported{}, false, nil
	}
	return r.imported(), err == nil, err
}

// InsertImport implements staff.Imports.
func (s *Store) InsertImport(ctx context.Context, tenant identity.TenantID, i staff.Imported) error {
	r := importRow{Tenant: string(tenant), Source: i.Source, Key: i.Key, Hash: i.Hash, PersonID: i.PersonID, CreatedAt: sqldb.At(i.CreatedAt)}
	_, err := s.db.IDB(ctx).NewInsert().Model(&r).Exec(ctx)
	return sqldb.Fault(err)
}

// ForgetImports implements staff.Imports.
func (s *Store) ForgetImports(ctx context.Context, tenant identity.TenantID, person int64) error {
	_, err := s.db.IDB(ctx).NewDelete().Model((*importRow)(nil)).Where("tenant = ?", string(tenant)).Where("person_id = ?", person).Exec(ctx)
	return sqldb.Fault(err)
}

// ImportsOf implements staff.Imports.
func (s *Store) ImportsOf(ctx context.Context, tenant identity.TenantID, person int64) ([]staff.Imported, error) {
	var rows []importRow
	err := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).Where("person_id = ?", person).Order("created_at", "key").Scan(ctx)
	var out []staff.Imported
	for _, r := range rows {
		out = append(out, r.imported())
	}
	return out, sqldb.Fault(err)
}
