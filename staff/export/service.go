package export

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
)

// ActionMapping is what the audit trail calls a new version of a mapping, on the target "export.mapping".
const ActionMapping = "SET_EXPORT_MAPPING"

// People is where people come from; staff.Service is one.
type People interface {
	Records(ctx context.Context, by identity.Principal, inactive bool) iter.Seq2[[]staff.Record, error]
	Today() staff.Date
}

// Config says what a Service works with.
type Config struct {
	People People         // required
	Store  Store          // required
	Audit  audit.Recorder // required
	// Do runs what is done to the store and the audit trail in one transaction. Required; sqldb.DB.Do is one.
	Do func(ctx context.Context, fn func(ctx context.Context) error) error
	// Now stamps mappings. Default time.Now.
	Now func() time.Time
}

// Service exports people and keeps mappings. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes a Service. It fails when the configuration is not complete.
func New(cfg Config) (*Service, error) {
	if cfg.People == nil || cfg.Store == nil || cfg.Audit == nil || cfg.Do == nil {
		return nil, errors.New("export: People, Store, Audit and Do are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg}, nil
}

// SetMapping stores a new version of a mapping and returns it. It is for who is no API key and may write people. It
// returns staff.ErrReadForbidden, ErrBuiltIn, or a fault like check.ErrInput.
func (s *Service) SetMapping(ctx context.Context, by identity.Principal, name string, columns []Column) (Mapping, error) {
	if _, isKey := staff.KeyOf(by); isKey {
		return Mapping{}, staff.ErrReadForbidden
	}
	if err := staff.Allow(by, staff.ScopeExports); err != nil {
		return Mapping{}, err
	}
	m := Mapping{Name: name, Columns: columns, CreatedBy: by.Actor, CreatedAt: s.cfg.Now().UTC().Truncate(time.Microsecond)}
	if _, ok := builtIn(name); ok {
		return m, ErrBuiltIn
	}
	if err := m.Validate(); err != nil {
		return m, err
	}
	err := s.cfg.Do(ctx, func(ctx context.Context) (err error) {
		if m.Version, err = s.cfg.Store.InsertMapping(ctx, by.Tenant, m); err != nil {
			return err
		}
		return s.cfg.Audit.Record(ctx, audit.By(by, ActionMapping, "export.mapping", name))
	})
	return m, err
}

// Mapping returns a mapping by "name", the newest version, or "name@version". It returns staff.ErrReadForbidden or
// ErrUnknownMapping.
func (s *Service) Mapping(ctx context.Context, by identity.Principal, ref string) (Mapping, error) {
	if err := staff.Allow(by, staff.ScopeExports); err != nil {
		return Mapping{}, err
	}
	name, number, versioned := strings.Cut(ref, "@")
	if m, ok := builtIn(name); ok && !versioned {
		return m, nil
	}
	var version int64
	if versioned {
		var err error
		if version, err = strconv.ParseInt(number, 10, 64); err != nil || version < 1 {
			return Mapping{}, ErrUnknownMapping
		}
	}
	if !mappingName.MatchString(name) {
		return Mapping{}, ErrUnknownMapping
	}
	return s.cfg.Store.Mapping(ctx, by.Tenant, name, version)
}

// Mappings returns the newest versions of the mappings by name; the built-in ones come on the first page before the
// others. It returns staff.ErrReadForbidden or page.ErrBadCursor.
func (s *Service) Mappings(ctx context.Context, by identity.Principal, p page.Request) (page.Page[Mapping], error) {
	const scope = "staff.mappings"
	if err := staff.Allow(by, staff.ScopeExports); err != nil {
		return page.Page[Mapping]{}, err
	}
	var after string
	follows, err := page.Decode(scope, p.Cursor, &after)
	if err != nil {
		return page.Page[Mapping]{}, err
	}
	stored, err := s.cfg.Store.Mappings(ctx, by.Tenant, after, p.Size()+1)
	if err != nil {
		return page.Page[Mapping]{}, err
	}
	out := page.Of(scope, stored, p.Size(), func(m Mapping) any { return m.Name })
	if !follows {
		out.Items = append(BuiltIn(), out.Items...)
	}
	return out, nil
}

// Request is what to export.
type Request struct {
	System   string // hr, finance or lms
	Mapping  string // "name" or "name@version"; default: the built-in one of the system
	Format   Format // default JSON
	Inactive bool   // those too
	BOM      bool   // a byte order mark before CSV in UTF-8, for spreadsheets
	ShiftJIS bool   // CSV in Shift_JIS; what it lacks becomes 〓
	Limit    int    // at most so many people; 0: all
}

// Open begins an export: it reads the first people, so that what can be wrong is known before anything is written. It
// returns staff.ErrReadForbidden, ErrUnknownSystem, ErrUnknownMapping, or a fault like check.ErrInput.
func (s *Service) Open(ctx context.Context, by identity.Principal, r Request) (*Stream, error) {
	m, ok := builtIn(r.System)
	if !ok {
		return nil, ErrUnknownSystem
	}
	if r.Mapping != "" {
		var err error
		if m, err = s.Mapping(ctx, by, r.Mapping); err != nil {
			return nil, err
		}
	}
	return s.open(ctx, by, m, r)
}

// Preview is Open with a mapping that need not be stored, of at most 20 people.
func (s *Service) Preview(ctx context.Context, by identity.Principal, columns []Column, r Request) (*Stream, error) {
	m := Mapping{Name: "preview", Columns: columns}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	const most = 20
	if r.Limit <= 0 || r.Limit > most {
		r.Limit = most
	}
	return s.open(ctx, by, m, r)
}

func (s *Service) open(ctx context.Context, by identity.Principal, m Mapping, r Request) (*Stream, error) {
	if r.Format == "" {
		r.Format = JSON
	}
	if !slices.Contains([]Format{JSON, NDJSON, CSV}, r.Format) {
		return nil, fault.InvalidField("format", "must be json, ndjson or csv")
	}
	if r.Format != CSV && (r.BOM || r.ShiftJIS) {
		return nil, fault.InvalidField("format", "must be csv for a byte order mark or Shift_JIS")
	}
	if r.BOM && r.ShiftJIS {
		return nil, fault.InvalidField("bom", "is only for UTF-8")
	}
	if err := staff.Allow(by, staff.ScopeExports); err != nil {
		return nil, err
	}
	next, stop := iter.Pull2(s.cfg.People.Records(ctx, by, r.Inactive))
	st := &Stream{request: r, name: m.Name, columns: m.readable(staff.GroupsOf(by)), today: s.cfg.People.Today(), next: next, stop: stop}
	var err error
	if st.batch, err, st.more = next(); err != nil {
		stop()
		return nil, err
	}
	return st, nil
}
