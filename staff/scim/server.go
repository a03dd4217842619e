package scim

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
)

// ActionLink is what the audit trail calls a change of the names that a client gave a person or unit, and of their being
// deleted by a client, on the targets "person" and "unit".
const ActionLink = "LINK_SCIM"

// Root is the path under which a Server serves.
const Root = "/scim/v2"

// Config says what a Server works with.
type Config struct {
	Staff *staff.Service // required; its Config.Keepers should have the Keeper of Store
	Store Store          // required
	Audit audit.Recorder // required
	// Authenticate says who calls: the same as web.Config.Authenticate. Required.
	Authenticate web.Authenticator
	// Limiter counts the requests of a caller. Default: no limit.
	Limiter *web.Limiter
	// URL is how clients reach the server, without Root, for the addresses of resources. Default: addresses without a host.
	URL string
	// ReadOnly are fields of a person, by the names of seed 001, that clients read and do not write; staff.FieldUnits stands
	// for groups as a whole. Default: none.
	ReadOnly []string
	// MostScanned is how many resources a filter may look at that names no id, userName, externalId, employeeNumber, mail
	// address or member with eq; what needs more is refused with ErrTooMany. Default 20,000.
	MostScanned int
	// MostMembers is how many members one request may add to a group and remove from it. Default 5,000.
	MostMembers int
	// Now stamps links. Default time.Now.
	Now func() time.Time
	// Logger gets what goes wrong inside. Default slog.Default().
	Logger *slog.Logger
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Staff == nil || c.Store == nil || c.Audit == nil || c.Authenticate == nil {
		errs = append(errs, errors.New("scim: Staff, Store, Audit and Authenticate are required"))
	}
	for _, name := range c.ReadOnly {
		if _, known := staff.GroupOf(name); !known {
			errs = append(errs, errors.New("scim: ReadOnly has names of fields"))
		}
	}
	if c.MostScanned < 0 || c.MostMembers < 0 {
		errs = append(errs, errors.New("scim: limits cannot be negative"))
	}
	return errors.Join(errs...)
}

// Server serves SCIM under Root; it is an http.Handler and safe for concurrent use.
type Server struct{ cfg Config }

// New makes a Server. It fails when the configuration is not valid.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.MostScanned == 0 {
		cfg.MostScanned = 20_000
	}
	if cfg.MostMembers == 0 {
		cfg.MostMembers = 5_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.URL = strings.TrimRight(cfg.URL, "/") + Root
	return &Server{cfg}, nil
}

// errHidden is returned for an attribute that exists, but not for the caller.
var errHidden = staff.ErrFieldForbidden

// inside is a caller who has been allowed the scope scim: whoever has it reads and writes through this door. The audit
// trail knows them by the same name.
func inside(by identity.Principal) identity.Principal {
	if _, isKey := staff.KeyOf(by); isKey {
		by.Scopes = append(slices.Clone(by.Scopes), string(staff.ScopeRead), string(staff.ScopeWrite))
	}
	return by
}

// caller is who asks and what they may see.
type caller struct {
	by     identity.Principal
	groups staff.Groups
	users  resource
	units  resource
}

func (s *Server) caller(by identity.Principal) (caller, error) {
	if err := staff.Allow(by, staff.ScopeSCIM); err != nil {
		return caller{}, err
	}
	groups := staff.GroupsOf(by)
	return caller{inside(by), groups, users(groups, s.cfg.ReadOnly), units(groups, s.cfg.ReadOnly)}, nil
}

// item reads the id of a resource; 0 is nobody's.
func item(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != id {
		return 0
	}
	return n
}

// links returns the links of items by item.
func (s *Server) links(ctx context.Context, tenant identity.TenantID, kind Kind, items ...int64) (map[int64]Link, error) {
	out := map[int64]Link{}
	if len(items) == 0 {
		return out, nil
	}
	found, err := s.cfg.Store.Links(ctx, tenant, kind, items...)
	for _, l := range found {
		out[l.ItemID] = l
	}
	return out, err
}

// save stores a changed link and writes it into the audit trail.
func (s *Server) save(ctx context.Context, by identity.Principal, old, l Link) error {
	if l.NameKey = strings.ToLower(l.UserName); l == old {
		return nil
	}
	l.Version, l.UpdatedAt = old.Version+1, s.cfg.Now().UTC().Truncate(time.Microsecond)
	if err := s.cfg.Store.SaveLink(ctx, by.Tenant, l); err != nil {
		return err
	}
	kind := staff.KindPerson
	if l.Kind == Group {
		kind = staff.KindUnit
	}
	entry := audit.By(by, ActionLink, kind, strconv.FormatInt(l.ItemID, 10))
	entry.Metadata["deleted"] = !l.DeletedAt.IsZero()
	return s.cfg.Audit.Record(ctx, entry)
}

// version is the entity tag of a resource, of the numbers that rise when it changes.
func version(numbers ...int64) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = strconv.FormatInt(n, 10)
	}
	return `W/"` + strings.Join(texts, ".") + `"`
}

// names says whether a header such as If-Match names the tag. Clients send back the weak tags that they got, as the
// examples of RFC 7644 section 3.14 do, so weak and strong are the same here.
func names(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// unchanged returns ErrStale if there is an If-Match that does not name the tag.
func unchanged(ifMatch, tag string) error {
	if ifMatch != "" && !names(ifMatch, tag) {
		return ErrStale
	}
	return nil
}
