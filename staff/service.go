package staff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// What the audit trail calls the acts of this package, on the targets "person" (an ID; a user id for ActionUpsert),
// "unit", "api_key" and "tenant".
const (
	ActionUpsert   = "UPSERT_PERSON"
	ActionDomains  = "SET_DOMAINS"
	ActionCreate   = "CREATE_PERSON"
	ActionUpdate   = "UPDATE_PERSON"
	ActionAssign   = "ASSIGN_UNIT"
	ActionUnassign = "END_ASSIGNMENT"
	ActionUnit     = "CHANGE_UNIT"
	ActionImport   = "IMPORT_PERSON"
	ActionErase    = "ERASE_PERSON"
	ActionDisclose = "EXPORT_PERSON"

	ActionKeyCreate = "CREATE_API_KEY"
	ActionKeyRotate = "ROTATE_API_KEY"
	ActionKeyRevoke = "REVOKE_API_KEY"
	ActionKeyUse    = "USE_API_KEY"
	ActionKeyRefuse = "REFUSE_API_KEY"
	ActionKeyStop   = "STOP_API_KEY" // from deactivating more people
	ActionKeyAllow  = "ALLOW_DEACTIVATIONS"
)

// LeastKept is the shortest time for which the change log must be kept.
const LeastKept = 90 * 24 * time.Hour

// Config says what a Service works with.
type Config struct {
	Store Store          // required
	Audit audit.Recorder // required

	// Outbox takes the events, in the transaction of each change. Default: there are none; the change log is kept all the
	// same.
	Outbox transport.Outbox
	// Notifier tells administrators of external systems that are late or failing. Default: nobody is told.
	Notifier transport.Notifier
	// UserIDs gives who is imported a user account by naming their user id, or none by "". Default: nobody gets one.
	UserIDs func(tenant identity.TenantID, p Person) string
	// Keepers keep something about people beside the directory, by the names under which Disclose shows it. Default: none.
	Keepers map[string]Keeper

	// KeepChanges is how long the change log is kept, at least LeastKept. Default 100 days.
	KeepChanges time.Duration
	// Late is how long after its last success an external system of a type counts as late; a type that is missing never
	// does. Default LateByDefault.
	Late map[string]time.Duration
	// KeyOverlap is how long the former secret of a rotated key stays good unless Rotate is told otherwise. Default 7 days.
	KeyOverlap time.Duration
	// Deactivations limits how many people an API key deactivates.
	Deactivations Deactivations
	// Location is where a day begins. Default UTC.
	Location *time.Location
	// Now stamps what is stored and judges deadlines. Default time.Now.
	Now func() time.Time
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("staff: Store is required"))
	}
	if c.Audit == nil {
		errs = append(errs, errors.New("staff: Audit is required"))
	}
	if c.KeepChanges != 0 && c.KeepChanges < LeastKept {
		errs = append(errs, errors.New("staff: KeepChanges is at least 90 days"))
	}
	if c.KeyOverlap < 0 {
		errs = append(errs, errors.New("staff: KeyOverlap cannot be negative"))
	}
	for systemType, d := range c.Late {
		if !slices.Contains(SystemTypes(), systemType) || d <= 0 {
			errs = append(errs, errors.New("staff: Late has types of systems and positive durations"))
		}
	}
	return errors.Join(append(errs, c.Deactivations.validate())...)
}

// Service keeps the directory and answers questions about it. It is safe for concurrent use.
type Service struct{ cfg Config }

var _ identity.Directory = (*Service)(nil)

// New makes a Service. It fails when the configuration is not valid.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Location == nil {
		cfg.Location = time.UTC
	}
	if cfg.KeepChanges == 0 {
		cfg.KeepChanges = 100 * 24 * time.Hour
	}
	if cfg.KeyOverlap == 0 {
		cfg.KeyOverlap = 7 * 24 * time.Hour
	}
	cfg.Deactivations = cfg.Deactivations.withDefaults()
	if cfg.Late == nil {
		cfg.Late = LateByDefault()
	}
	return &Service{cfg: cfg}, nil
}

// LateByDefault is when external systems count as late: entra after 4 hours, hr and finance after a day, lms after 7 days
// (seed 001 "Sync Scheduling").
func LateByDefault() map[string]time.Duration {
	day := 24 * time.Hour
	return map[string]time.Duration{SystemEntra: 4 * time.Hour, SystemHR: day, SystemFinance: day, SystemLMS: 7 * day}
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// today is the present day where the organisation is.
func (s *Service) today() Date { return DateOf(s.cfg.Now().In(s.cfg.Location)) }

// InTurn runs fn in a transaction that follows the others that change the tenant's directory.
func (s *Service) InTurn(ctx context.Context, tenant identity.TenantID, fn func(ctx context.Context) error) error {
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Lock(ctx, tenant); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// Sweep does up to limit units of what falls due with time: events of assignments that begin or ended, alerts of
// external systems, and pruning of the change log. It says how many.
func (s *Service) Sweep(ctx context.Context, limit int) (int, error) {
	done := 0
	for _, sweep := range []func(context.Context, int) (int, error){s.sweepAssignments, s.sweepSystems, s.sweepChanges} {
		n, err := sweep(ctx, limit-done)
		if done += n; err != nil || done >= limit {
			return done, err
		}
	}
	return done, nil
}

func (s *Service) sweepChanges(ctx context.Context, limit int) (int, error) {
	return s.cfg.Store.PruneChanges(ctx, s.now().Add(-s.cfg.KeepChanges), limit)
}

// SetDomains replaces the tenant's own mail domains. A subdomain is internal only if it is listed. It returns
// ErrForbidden, or a fault like check.ErrInput with locations such as "domains[0]".
func (s *Service) SetDomains(ctx context.Context, by identity.Principal, domains ...string) error {
	if !mayChange(by) {
		return ErrForbidden
	}
	bad := check.ErrInput
	ready := make([]string, len(domains))
	for i, d := range domains {
		if ready[i] = domainOf("x@" + d); ready[i] == "" || strings.Contains(d, "@") {
			bad = bad.WithField(fmt.Sprintf("domains[%d]", i), "must be a mail domain")
		}
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	ready = set(ready)
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.SetDomains(ctx, by.Tenant, ready); err != nil {
			return err
		}
		e := audit.By(by, ActionDomains, "tenant", string(by.Tenant))
		e.Metadata["domains"] = ready
		return s.cfg.Audit.Record(ctx, e)
	})
}

// Domains returns the tenant's own mail domains in order, in ASCII form.
func (s *Service) Domains(ctx context.Context, tenant identity.TenantID) ([]string, error) {
	return s.cfg.Store.Domains(ctx, tenant)
}
