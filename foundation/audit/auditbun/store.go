package auditbun

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
)

//go:embed migrations
var files embed.FS

// Migrations makes the tables audit_….
var Migrations = sqldb.Migration{Name: "audit", FS: files}

// Store implements audit.Recorder, audit.Reader and audit.SealStore. It is safe for concurrent use.
type Store struct {
	db    *sqldb.DB
	now   func() time.Time
	newID func() string
}

var (
	_ audit.Recorder  = (*Store)(nil)
	_ audit.Reader    = (*Store)(nil)
	_ audit.SealStore = (*Store)(nil)
)

// Option changes a Store.
type Option func(*Store)

// Now sets the clock that stamps entries; default db.Clock.
func Now(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// NewID sets what makes ids; default UUIDv7.
func NewID(newID func() string) Option { return func(s *Store) { s.newID = newID } }

// New makes a Store on a database that has the Migrations.
func New(db *sqldb.DB, opts ...Option) *Store {
	s := &Store{db: db, now: db.Clock, newID: func() string { return uuid.Must(uuid.NewV7()).String() }}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

type row struct {
	bun.BaseModel `bun:"table:audit_entries,alias:e"`

	ID         string `bun:",pk"`
	Tenant     string
	Time       sqldb.Time
	ActorID    string
	SubjectID  string
	Action     string
	TargetKind string
	TargetID   string
	Reason     string
	Metadata   string
	RequestID  string
	Seq        int64  `bun:",nullzero"`
	KeyID      string `bun:",nullzero"`
	Digest     string `bun:",nullzero"`
	MAC        string `bun:"mac,nullzero"`
}

func (r row) entry() (audit.Entry, error) {
	e := audit.Entry{
		ID: r.ID, Tenant: identity.TenantID(r.Tenant), Seq: r.Seq, Time: r.Time.Time, ActorID: r.ActorID, SubjectID: r.SubjectID,
		Action: r.Action, TargetKind: r.TargetKind, TargetID: r.TargetID, Reason: r.Reason, RequestID: r.RequestID,
	}
	dec := json.NewDecoder(strings.NewReader(r.Metadata))
	dec.UseNumber() // a float64 would not hold every digit that the seal covers
	err := dec.Decode(&e.Metadata)
	return e, err
}

func entries(rows []row) ([]audit.Entry, error) {
	out := make([]audit.Entry, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.entry(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

const insertRows = 1000

// Record adds entries in the transaction in ctx, where they go along with its next statement (sqldb.DB.Later), or in
// one of its own. It returns audit.ErrInvalidEntry when tenant, actor or action are missing or text is not UTF-8 without
// NUL.
func (s *Store) Record(ctx context.Context, entries ...audit.Entry) error {
	rows := make([]row, 0, len(entries))
	for _, e := range entries {
		r, err := s.newRow(ctx, e)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	if len(rows) <= insertRows {
		return s.insert(ctx, rows)
	}
	return s.db.Do(ctx, func(ctx context.Context) error {
		for rest := rows; len(rest) > 0; {
			n := min(len(rest), insertRows)
			if err := s.insert(ctx, rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
}

var insertOne = sqldb.NewStatement(`INSERT INTO audit_entries
	(id, tenant, time, actor_id, subject_id, action, target_kind, target_id, reason, metadata, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)

func (s *Store) insert(ctx context.Context, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	c := s.db.Script()
	if len(rows) == 1 { // as nearly always
		r := rows[0]
		c.Call(insertOne, r.ID, r.Tenant, r.Time, r.ActorID, r.SubjectID, r.Action, r.TargetKind, r.TargetID, r.Reason, r.Metadata, r.RequestID)
	} else {
		c.Add(c.NewInsert().Model(&rows))
	}
	return s.db.Later(ctx, c)
}

func (s *Store) newRow(ctx context.Context, e audit.Entry) (row, error) {
	metadata := []byte("{}")
	bad := audit.ErrInvalidEntry
	if len(e.Metadata) > 0 {
		var err error
		if metadata, err = json.Marshal(e.Metadata); err != nil {
			return row{}, bad.WithField("metadata", "must encode to JSON").Because(err)
		}
		if strings.Contains(strings.ReplaceAll(string(metadata), `\\`, ""), `\u0000`) {
			bad = bad.WithField("metadata", "must not hold NUL")
		}
	}
	r := row{
		ID: e.ID, Tenant: string(e.Tenant), Time: sqldb.At(e.Time), ActorID: e.ActorID, SubjectID: e.SubjectID, Action: e.Action,
		TargetKind: e.TargetKind, TargetID: e.TargetID, Reason: e.Reason, Metadata: string(metadata), RequestID: e.RequestID,
	}
	if r.ID == "" {
		r.ID = s.newID()
	}
	if e.Time.IsZero() {
		r.Time = sqldb.At(s.now())
	}
	if r.RequestID == "" {
		r.RequestID = identity.RequestID(ctx)
	}
	for _, f := range []struct {
		location, value string
		required        bool
	}{
		{"tenant", r.Tenant, true}, {"actor_id", r.ActorID, true}, {"action", r.Action, true}, {"subject_id", r.SubjectID, false},
		{"target_kind", r.TargetKind, false}, {"target_id", r.TargetID, false}, {"reason", r.Reason, false},
		{"request_id", r.RequestID, false}, {"id", r.ID, true},
	} {
		switch {
		case f.required && f.value == "":
			bad = bad.WithField(f.location, "is required")
		case !utf8.ValidString(f.value) || strings.ContainsRune(f.value, 0):
			bad = bad.WithField(f.location, "must be UTF-8 without NUL")
		}
	}
	if len(bad.Fields) > 0 {
		return row{}, bad
	}
	return r, nil
}

const scope = "audit"

type key struct {
	Time int64  `json:"t"` // microseconds
	ID   string `json:"i"`
}

// List implements audit.Reader. It returns page.ErrBadCursor for a cursor of something else. Numbers in metadata come
// back as json.Number.
func (s *Store) List(ctx context.Context, tenant identity.TenantID, f audit.Filter, p page.Request) (page.Page[audit.Entry], error) {
	var none page.Page[audit.Entry]
	var after key
	more, err := page.Decode(scope, p.Cursor, &after)
	if err != nil {
		return none, err
	}
	query := func(conditions ...string) ([]row, error) {
		var rows []row
		q := s.db.Reader(ctx).NewSelect().Model(&rows).Where("tenant = ?", string(tenant)).
			OrderExpr("time DESC, id DESC").Limit(int64(p.Size()) + 1)
		for column, value := range map[string]string{"actor_id": f.ActorID, "subject_id": f.SubjectID, "target_id": f.TargetID, "action": f.Action} {
			if value != "" {
				q = q.Where("? = ?", bun.Ident(column), value)
			}
		}
		for _, condition := range conditions {
			q = q.Where(condition, f.Involving)
		}
		if !f.From.IsZero() {
			q = q.Where("time >= ?", sqldb.At(f.From))
		}
		if !f.To.IsZero() {
			q = q.Where("time < ?", sqldb.At(f.To))
		}
		if more {
			q = q.Where("(time, id) < (?, ?)", sqldb.At(time.UnixMicro(after.Time)), after.ID)
		}
		return rows, sqldb.Fault(q.Scan(ctx))
	}
	var rows []row
	if f.Involving == "" {
		rows, err = query()
	} else {
		rows, err = involving(query)
	}
	if err != nil {
		return none, err
	}
	items, err := entries(rows)
	if err != nil {
		return none, err
	}
	return page.Of(scope, items, p.Size(), func(e audit.Entry) any { return key{e.Time.UnixMicro(), e.ID} }), nil
}

// involving reads one half by each index, newest first: for an OR over two columns the tenant's whole trail would be read.
func involving(query func(conditions ...string) ([]row, error)) ([]row, error) {
	acted, err := query("actor_id = ?")
	if err != nil {
		return nil, err
	}
	suffered, err := query("subject_id = ?", "actor_id <> ?")
	if err != nil {
		return nil, err
	}
	rows := slices.Concat(acted, suffered)
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(b.Time.Compare(a.Time.Time), strings.Compare(b.ID, a.ID)) })
	return rows, nil
}
