package delegation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
)

// What the audit trail calls the acts of this package. The target of the first two is a "delegation", that of the last
// a "person".
const (
	ActionGrant  = "GRANT_DELEGATION"
	ActionRevoke = "REVOKE_DELEGATION"
	ActionDenied = "ACT_AS_DENIED" // somebody tried to act for somebody without a delegation
)

// Types of the events, with the subject "delegation/<id>" and Changed as data.
const (
	EventGranted = "delegation.granted"
	EventRevoked = "delegation.revoked"
)

// Changed is the data of EventGranted and EventRevoked.
type Changed struct {
	ID          string                `json:"id"`
	DelegatorID string                `json:"delegator_id"`
	DelegateeID string                `json:"delegatee_id"`
	Permissions []calendar.Permission `json:"permissions"`
	ActorID     string                `json:"actor_id"`
}

// RoleAdmin is the role that may look at and revoke everybody's delegations.
const RoleAdmin = "admin"

// Config says what a Service works with.
type Config struct {
	Store     Store              // required
	Audit     audit.Recorder     // required
	Directory identity.Directory // required; who delegates and who receives must be active people in it
	Outbox    transport.Outbox   // nil: no events
	// Now is the clock by which delegations begin and end. Default time.Now; a server with several nodes gives the
	// database's, e.g. sqldb.DB.Clock.
	Now func() time.Time
	// NewID makes ids. Default UUIDv7; a list is ordered by them.
	NewID func() string
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	require := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("delegation: "+what+" is required"))
		}
	}
	require(c.Store != nil, "Store")
	require(c.Audit != nil, "Audit")
	require(c.Directory != nil, "Directory")
	return errors.Join(errs...)
}

// Service grants, revokes and judges delegations. It is safe for concurrent use.
type Service struct{ cfg Config }

var _ calendar.Delegations = (*Service)(nil)

// New makes a Service. It fails when the configuration is not valid.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return &Service{cfg: cfg}, nil
}

// Grant lets in.DelegateeID act for by. Nobody can grant for another, so a proxy gets ErrNotDelegator, as does a machine
// or somebody who is no active person. Bad input is a fault like check.ErrInput with a field for each broken rule.
func (s *Service) Grant(ctx context.Context, by identity.Principal, in NewDelegation) (Delegation, error) {
	if by.IsProxy() || by.IsSystem() {
		return Delegation{}, ErrNotDelegator
	}
	now := s.now()
	if err := validate(by.User(), in, now); err != nil {
		return Delegation{}, err
	}
	d := Delegation{
		ID: s.cfg.NewID(), Tenant: by.Tenant, DelegatorID: by.User(), DelegateeID: in.DelegateeID,
		Permissions: slices.DeleteFunc(All(), func(p calendar.Permission) bool { return !slices.Contains(in.Permissions, p) }),
		ValidFrom:   stored(in.ValidFrom), ValidUntil: stored(in.ValidUntil), CreatedAt: now,
	}
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		people, err := s.cfg.Directory.People(ctx, by.Tenant, []string{d.DelegatorID, d.DelegateeID})
		if err != nil {
			return err
		}
		active := func(id string) bool {
			return slices.ContainsFunc(people, func(p identity.Person) bool { return p.ID == id && p.Active })
		}
		if !active(d.DelegatorID) {
			return ErrNotDelegator
		}
		if !active(d.DelegateeID) {
			return fault.InvalidField("delegatee_id", "must be an active person of the directory")
		}
		if err := s.cfg.Store.Insert(ctx, d); err != nil {
			return err
		}
		return s.tell(ctx, by, ActionGrant, EventGranted, d)
	})
	if err != nil {
		return Delegation{}, err
	}
	return d, nil
}

func validate(delegator string, in NewDelegation, now time.Time) error {
	err := check.Struct(in)
	bad := fault.As(err)
	if err != nil && bad == nil {
		return err
	}
	if bad == nil {
		bad = check.ErrInput
	}
	if in.DelegateeID == delegator {
		bad = bad.WithField("delegatee_id", "must be somebody else")
	}
	from, until := stored(in.ValidFrom), stored(in.ValidUntil)
	for _, f := range []struct {
		name string
		time time.Time
	}{{"valid_from", from}, {"valid_until", until}} {
		if y := f.time.Year(); !f.time.IsZero() && (y < 1970 || y > 2200) {
			bad = bad.WithField(f.name, "must be in the years 1970 to 2200")
		}
	}
	switch {
	case until.IsZero():
	case !until.After(from):
		bad = bad.WithField("valid_until", "must be after valid_from")
	case !until.After(now):
		bad = bad.WithField("valid_until", "must be in the future")
	}
	if len(bad.Fields) == 0 {
		return nil
	}
	return bad
}

// Revoke ends a delegation at once. The delegator and an administrator may; the delegatee gets ErrNotDelegator, as does
// whoever acts for the delegator, and everybody else ErrNotFound. One that is revoked already stays as it is.
func (s *Service) Revoke(ctx context.Context, by identity.Principal, id string) error {
	if !check.IsText(id, false) {
		return ErrNotFound
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		d, err := s.cfg.Store.Delegation(ctx, by.Tenant, id)
		switch {
		case err != nil:
			return err
		case by.IsProxy() && slices.Contains([]string{d.DelegatorID, d.DelegateeID}, by.Actor):
			return ErrNotDelegator
		case by.IsProxy() && d.DelegatorID == by.Subject:
			return ErrNotDelegator
		case by.IsProxy():
			return ErrNotFound
		case d.DelegatorID == by.Actor, by.HasRole(RoleAdmin):
		case d.DelegateeID == by.Actor:
			return ErrNotDelegator
		default:
			return ErrNotFound
		}
		revoked, err := s.cfg.Store.Revoke(ctx, by.Tenant, id, s.now())
		if err != nil || !revoked {
			return err
		}
		return s.tell(ctx, by, ActionRevoke, EventRevoked, d)
	})
}

// List returns the delegations that a person gave or received, revoked and past ones too, newest first. An empty person
// is by itself; another is for administrators, and ErrNotDelegator for others. In secretary mode it is still the
// actor's own list: no permission covers the delegations of somebody else. It returns page.ErrBadCursor.
func (s *Service) List(ctx context.Context, by identity.Principal, person string, p page.Request) (page.Page[Delegation], error) {
	if person == "" {
		person = by.Actor
	}
	if person != by.Actor && !by.HasRole(RoleAdmin) {
		return page.Page[Delegation]{}, ErrNotDelegator
	}
	if !check.IsText(person, false) {
		return page.Page[Delegation]{}, nil
	}
	return s.cfg.Store.List(ctx, by.Tenant, person, p)
}

// Permissions implements calendar.Delegations by one indexed query.
func (s *Service) Permissions(ctx context.Context, tenant identity.TenantID, delegator, delegatee string) ([]calendar.Permission, error) {
	if !check.IsText(delegator, false) || !check.IsText(delegatee, false) || delegator == delegatee {
		return nil, nil
	}
	effective, err := s.cfg.Store.Effective(ctx, tenant, delegatee, []string{delegator}, s.now())
	if err != nil || len(effective) == 0 {
		return nil, err
	}
	return slices.DeleteFunc(All(), func(p calendar.Permission) bool {
		return !slices.ContainsFunc(effective, func(d Delegation) bool { return slices.Contains(d.Permissions, p) })
	}), nil
}

// Delegators implements calendar.Delegations by one indexed query for up to a thousand people; the answer is ordered.
func (s *Service) Delegators(ctx context.Context, tenant identity.TenantID, delegatee string, of []string, p calendar.Permission) ([]string, error) {
	of = slices.DeleteFunc(slices.Clone(of), func(id string) bool { return id == delegatee || !check.IsText(id, false) })
	if len(of) == 0 || !check.IsText(delegatee, false) {
		return nil, nil
	}
	effective, err := s.cfg.Store.Effective(ctx, tenant, delegatee, of, s.now())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range effective {
		if slices.Contains(d.Permissions, p) {
			ids = append(ids, d.DelegatorID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// Delegatees returns those who may act for delegator now, with whatever permission, ordered. It is an
// approval.Config.Delegates: whom the four-eyes rule counts as one person.
func (s *Service) Delegatees(ctx context.Context, tenant identity.TenantID, delegator string) ([]string, error) {
	if !check.IsText(delegator, false) {
		return nil, nil
	}
	effective, err := s.cfg.Store.EffectiveFrom(ctx, tenant, delegator, s.now())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range effective {
		ids = append(ids, d.DelegateeID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// ActAs decides whether by may act for subject at all, and returns the principal to go on with. It is a web.ActAs;
// operation, e.g. "POST /events", goes into the audit entry of a refusal. Acting for oneself changes nothing. Without an
// effective delegation of any permission, for an unknown person, for a machine, and for who acts for somebody already,
// it returns ErrNotDelegated and audits the attempt. Which permission an operation needs is for the domain to check,
// with Permissions.
func (s *Service) ActAs(ctx context.Context, by identity.Principal, subject, operation string) (identity.Principal, error) {
	if subject == by.User() {
		return by, nil
	}
	if !by.IsProxy() && !by.IsSystem() {
		permissions, err := s.Permissions(ctx, by.Tenant, subject, by.Actor)
		if err != nil {
			return identity.Principal{}, err
		}
		if len(permissions) > 0 {
			return by.For(subject), nil
		}
	}
	if len(subject) > 255 || !check.IsText(subject, false) {
		subject = "" // not fit for a row, and nobody's id
	}
	e := audit.By(by.For(subject), ActionDenied, "person", subject)
	e.Metadata["operation"] = operation
	if err := s.cfg.Audit.Record(ctx, e); err != nil {
		return identity.Principal{}, err
	}
	return identity.Principal{}, ErrNotDelegated
}

// tell records and publishes what happened to d.
func (s *Service) tell(ctx context.Context, by identity.Principal, action, event string, d Delegation) error {
	e := audit.By(by, action, "delegation", d.ID)
	e.SubjectID = d.DelegatorID // also when an administrator revokes: it is the delegator's matter
	e.Metadata["delegatee_id"] = d.DelegateeID
	e.Metadata["permissions"] = d.Permissions
	for name, t := range map[string]time.Time{"valid_from": d.ValidFrom, "valid_until": d.ValidUntil} {
		if !t.IsZero() {
			e.Metadata[name] = t.Format(time.RFC3339Nano)
		}
	}
	if err := s.cfg.Audit.Record(ctx, e); err != nil || s.cfg.Outbox == nil {
		return err
	}
	return s.cfg.Outbox.Publish(ctx, transport.Event{
		Type: event, Tenant: d.Tenant, Subject: "delegation/" + d.ID,
		Data: Changed{ID: d.ID, DelegatorID: d.DelegatorID, DelegateeID: d.DelegateeID, Permissions: d.Permissions, ActorID: by.Actor},
	})
}

func (s *Service) now() time.Time { return stored(s.cfg.Now()) }

// stored is t as the store keeps it.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
