package webbun

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/web"
)

//go:embed migrations
var files embed.FS

// Migrations is the table's migration line, for sqldb.Migrate.
var Migrations = sqldb.Migration{Name: "web", FS: files}

// Config of a Store.
type Config struct {
	// Sealer encrypts the kept answers, which may hold secrets that are shown only once. Default: they are kept as
	// they are.
	Sealer *secret.Sealer
}

// Store is a web.IdempotencyStore. It is safe for concurrent use, also by several processes. Deadlines are judged by
// the database's clock.
type Store struct {
	db     *sqldb.DB
	sealer *secret.Sealer
}

var _ web.IdempotencyStore = (*Store)(nil)

// New makes a Store.
func New(db *sqldb.DB, cfg Config) *Store { return &Store{db: db, sealer: cfg.Sealer} }

type row struct {
	bun.BaseModel `bun:"table:web_idempotency,alias:w"`

	Tenant      string     `bun:"tenant,pk"`
	Actor       string     `bun:"actor,pk"`
	Subject     string     `bun:"subject,pk"`
	Operation   string     `bun:"operation,pk"`
	Key         string     `bun:"key,pk"`
	Fingerprint string     `bun:"fingerprint"`
	Token       string     `bun:"token"`
	LeasedUntil sqldb.Time `bun:"leased_until"`
	ExpiresAt   sqldb.Time `bun:"expires_at"`
	Status      int        `bun:"status"` // 0: not answered yet
	Answer      string     `bun:"answer"`
}

// Begin implements web.IdempotencyStore. Besides its errors it returns those of the database (Unavailable).
func (s *Store) Begin(ctx context.Context, c web.Claim) (*web.Answer, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return nil, err
	}
	r := &row{
		Tenant: string(c.Tenant), Actor: c.Actor, Subject: c.Subject, Operation: c.Operation, Key: c.Key,
		Fingerprint: c.Fingerprint, Token: c.Token, LeasedUntil: sqldb.At(now.Add(c.Lease)), ExpiresAt: sqldb.At(now.Add(c.Keep)),
	}
	// One statement decides who is first, so that neither engine needs a transaction around it.
	_, err = s.db.IDB(ctx).NewInsert().Model(r).
		On("CONFLICT (tenant, actor, subject, operation, key) DO UPDATE").
		Set("fingerprint = EXCLUDED.fingerprint").Set("token = EXCLUDED.token").
		Set("leased_until = EXCLUDED.leased_until").Set("expires_at = EXCLUDED.expires_at").
		Set("status = 0").Set("answer = ''").
		Where("w.expires_at <= ?", sqldb.At(now)).
		WhereOr("w.status = 0 AND w.leased_until <= ? AND w.fingerprint = EXCLUDED.fingerprint", sqldb.At(now)).
		Exec(ctx)
	if err != nil {
		return nil, sqldb.Fault(err)
	}
	held := new(row)
	err = where(s.db.IDB(ctx).NewSelect().Model(held), c).Scan(ctx)
	switch err = sqldb.Fault(err); {
	case fault.CodeOf(err) == fault.NotFound: // released or swept between the two statements
		return nil, web.ErrIdempotencyInProgress
	case err != nil:
		return nil, err
	case held.Token == c.Token:
		return nil, nil
	case held.Fingerprint != c.Fingerprint:
		return nil, web.ErrIdempotencyReused
	case held.Status == 0:
		return nil, web.ErrIdempotencyInProgress
	}
	return s.open(held)
}

// Complete implements web.IdempotencyStore.
func (s *Store) Complete(ctx context.Context, c web.Claim, a web.Answer) error {
	text, err := s.seal(c, a)
	if err != nil {
		return err
	}
	q := s.db.IDB(ctx).NewUpdate().Model((*row)(nil)).Set("status = ?", a.Status).Set("answer = ?", text)
	_, err = owned(q, c).Exec(ctx)
	return sqldb.Fault(err)
}

// Release implements web.IdempotencyStore.
func (s *Store) Release(ctx context.Context, c web.Claim) error {
	_, err := owned(s.db.IDB(ctx).NewDelete().Model((*row)(nil)), c).Exec(ctx)
	return sqldb.Fault(err)
}

// Sweep implements web.IdempotencyStore.
func (s *Store) Sweep(ctx context.Context, limit int) (int, error) {
	now, err := s.db.Now(ctx)
	if err != nil {
		return 0, err
	}
	pk := "tenant, actor, subject, operation, key"
	due := s.db.IDB(ctx).NewSelect().Model((*row)(nil)).ColumnExpr(pk).
		Where("expires_at <= ?", sqldb.At(now)).OrderExpr("expires_at").Limit(int64(limit))
	res, err := s.db.IDB(ctx).NewDelete().Model((*row)(nil)).
		Where("("+pk+") IN (?)", due).Where("expires_at <= ?", sqldb.At(now)).Exec(ctx)
	if err != nil {
		return 0, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return int(n), sqldb.Fault(err)
}

// resealRows is how many rows Reseal reads at once.
const resealRows = 200

// Reseal seals with the Sealer's newest key the answers that were kept with another, or open, and says how many that
// was. Call it after a key was put in front and before an old one is dropped; it can be called again when it fails in
// between. Without a Sealer it does nothing.
func (s *Store) Reseal(ctx context.Context) (int, error) {
	if s.sealer == nil {
		return 0, nil
	}
	total := 0
	for after := new(row); ; {
		var rows []row
		err := s.db.IDB(ctx).NewSelect().Model(&rows).Where("status <> 0").
			Where("(tenant, actor, subject, operation, key) > (?, ?, ?, ?, ?)", after.Tenant, after.Actor, after.Subject, after.Operation, after.Key).
			OrderExpr("tenant, actor, subject, operation, key").Limit(resealRows).Scan(ctx)
		if err != nil {
			return total, sqldb.Fault(err)
		}
		for i := range rows {
			r := &rows[i]
			if sealed, ok := strings.CutPrefix(r.Answer, sealedMark); ok && !s.sealer.NeedsReseal(sealed) {
				continue
			}
			changed, err := s.reseal(ctx, r)
			if err != nil {
				return total, err
			}
			if changed {
				total++
			}
		}
		if len(rows) < resealRows {
			return total, nil
		}
		after = &rows[len(rows)-1]
	}
}

// reseal changes a row unless another request has taken its key meanwhile.
func (s *Store) reseal(ctx context.Context, r *row) (bool, error) {
	a, err := s.open(r)
	if err != nil {
		return false, err
	}
	c := web.Claim{IdempotencyKey: web.IdempotencyKey{
		Tenant: identity.TenantID(r.Tenant), Actor: r.Actor, Subject: r.Subject, Operation: r.Operation, Key: r.Key,
	}}
	text, err := s.seal(c, *a)
	if err != nil {
		return false, err
	}
	res, err := where(s.db.IDB(ctx).NewUpdate().Model((*row)(nil)).Set("answer = ?", text), c).Where("answer = ?", r.Answer).Exec(ctx)
	if err != nil {
		return false, sqldb.Fault(err)
	}
	n, err := res.RowsAffected()
	return n > 0, sqldb.Fault(err)
}

// where narrows any query to the key of a claim.
func where[Q interface{ Where(string, ...any) Q }](q Q, c web.Claim) Q {
	return q.Where("tenant = ? AND actor = ? AND subject = ? AND operation = ? AND key = ?",
		string(c.Tenant), c.Actor, c.Subject, c.Operation, c.Key)
}

// owned also asks for the token and for no answer: a holder whose lease was taken over changes nothing.
func owned[Q interface{ Where(string, ...any) Q }](q Q, c web.Claim) Q {
	return where(q, c).Where("token = ? AND status = 0", c.Token)
}

type kept struct {
	Header map[string]string `json:"h,omitempty"`
	Body   []byte            `json:"b,omitempty"`
}

// Sealed answers begin with a mark, so that a Sealer can be configured later than the first answers were kept.
const sealedMark = "sealed:"

func (s *Store) seal(c web.Claim, a web.Answer) (string, error) {
	b, err := json.Marshal(kept{a.Header, a.Body})
	if err != nil {
		return "", err
	}
	if s.sealer == nil {
		return string(b), nil
	}
	return sealedMark + s.sealer.Seal(b, aad(string(c.Tenant), c.Actor, c.Subject, c.Operation, c.Key)), nil
}

func (s *Store) open(r *row) (*web.Answer, error) {
	b := []byte(r.Answer)
	if sealed, ok := strings.CutPrefix(r.Answer, sealedMark); ok {
		if s.sealer == nil {
			return nil, secret.ErrUnknownKey
		}
		var err error
		if b, err = s.sealer.Open(sealed, aad(r.Tenant, r.Actor, r.Subject, r.Operation, r.Key)); err != nil {
			return nil, err
		}
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, err
	}
	return &web.Answer{Status: r.Status, Header: k.Header, Body: k.Body}, nil
}

// aad binds a sealed answer to its key; lengths keep ("a","bc") apart from ("ab","c").
func aad(parts ...string) []byte {
	b := []byte("web_idempotency")
	for _, p := range parts {
		b = fmt.Appendf(b, "|%d:%s", len(p), p)
	}
	return b
}
