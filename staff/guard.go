package staff

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/notify"
)

// Deactivations is how many people one API key may deactivate in any Window without being let: as many as the greater of
// Count and of Share of the active people, but never more than half of them (or one). It keeps a faulty or stolen key,
// above all one with the scope scim, from shutting everybody out.
type Deactivations struct {
	Count  int           // default 5
	Share  float64       // default 0.05
	Window time.Duration // default 24 hours
}

func (d Deactivations) validate() error {
	if d.Count < 0 || d.Share < 0 || d.Share > 1 || math.IsNaN(d.Share) || d.Window < 0 {
		return errors.New("staff: Deactivations has a count and a window that are not negative, and a share between 0 and 1")
	}
	return nil
}

func (d Deactivations) withDefaults() Deactivations {
	if d.Count == 0 {
		d.Count = 5
	}
	if d.Share == 0 {
		d.Share = 0.05
	}
	if d.Window == 0 {
		d.Window = 24 * time.Hour
	}
	return d
}

// most is how many of so many active people are within the limit.
func (d Deactivations) most(active int64) int64 {
	return min(max(int64(d.Count), int64(d.Share*float64(active))), max(active/2, 1))
}

// The faults of deactivations by API keys.
var (
	// ErrLastAdmin keeps somebody there who can revoke the key.
	ErrLastAdmin = fault.New(fault.Forbidden, "last_administrator", "an API key cannot deactivate the only administrator")
	// ErrTooManyDeactivations has the details limit and window_seconds.
	ErrTooManyDeactivations = fault.New(fault.Forbidden, "too_many_deactivations", "the API key has deactivated as many people as it may for now; an administrator can let it go on")
	errAllowance            = fault.InvalidField("until", "must be in the next 30 days")
)

// guard stops an API key that deactivates the last administrator, or a person too many. What an administrator has let it do
// does not count towards the limit. It needs the Lock.
func (s *Service) guard(ctx context.Context, by identity.Principal, p Person) error {
	id, isKey := KeyOf(by)
	if !isKey {
		return nil
	}
	person := p.ID
	if slices.Contains(p.Roles, RoleAdmin) {
		admins, err := s.Holders(ctx, by.Tenant, RoleAdmin)
		if err != nil {
			return err
		}
		if len(admins) < 2 {
			return ErrLastAdmin
		}
	}
	now, limits := s.now(), s.cfg.Deactivations
	since := now.Add(-limits.Window)
	done, err := s.cfg.Store.Deactivated(ctx, by.Tenant, id, person, since)
	if err != nil {
		return err
	}
	active, err := s.cfg.Store.Count(ctx, by.Tenant, Query{})
	if err != nil {
		return err
	}
	most := limits.most(active + done) // as if those were still there
	if done < most {
		return s.cfg.Store.Deactivate(ctx, by.Tenant, id, person, now, since)
	}
	k, err := s.cfg.Store.Key(ctx, by.Tenant, id)
	if err != nil {
		return err
	}
	if k.Allowance == 0 || !now.Before(k.AllowedUntil) {
		return ErrTooManyDeactivations.With("limit", most).With("window_seconds", int64(limits.Window/time.Second))
	}
	k.Allowance--
	return s.cfg.Store.UpdateKey(ctx, by.Tenant, k)
}

// ErrAdminEmail keeps who is no administrator from becoming one by an address, by which people sign in, or from shutting
// one out by sharing it.
var ErrAdminEmail = fault.New(fault.Forbidden, "administrator_email", "only an administrator changes an administrator's address, or gives it to somebody else")

// guardEmail returns ErrAdminEmail.
func (s *Service) guardEmail(ctx context.Context, by identity.Principal, old, p Person) error {
	if mayChange(by) || identity.NormalEmail(p.Email) == old.Email {
		return nil
	}
	same, err := s.ByEmail(ctx, by.Tenant, []string{p.Email})
	if err != nil {
		return err
	}
	if slices.Contains(old.Roles, RoleAdmin) || slices.ContainsFunc(same, func(o identity.Person) bool { return slices.Contains(o.Roles, RoleAdmin) }) {
		return ErrAdminEmail
	}
	return nil
}

// MostAllowed is how many deactivations beyond the limit AllowDeactivations lets happen at most.
const MostAllowed = 1_000_000

const longestAllowed = 30 * 24 * time.Hour

// AllowDeactivations lets an API key deactivate so many people beyond Config.Deactivations, until then (zero: for a
// Window). It takes the place of what was allowed before; 0 people takes that back. It returns ErrForbidden, ErrUnknownKey,
// ErrKeyRevoked or a fault like check.ErrInput.
func (s *Service) AllowDeactivations(ctx context.Context, by identity.Principal, id int64, people int, until time.Time) (Key, error) {
	now := s.now()
	if until.IsZero() {
		until = now.Add(s.cfg.Deactivations.Window)
	}
	return s.changeKey(ctx, by, id, ActionKeyAllow, func(_ context.Context, k *StoredKey, entry *audit.Entry) error {
		switch {
		case people < 0 || people > MostAllowed:
			return fault.InvalidField("people", fmt.Sprintf("must be from 0 to %d", MostAllowed))
		case !until.After(now) || until.After(now.Add(longestAllowed)):
			return errAllowance
		case !k.RevokedAt.IsZero():
			return ErrKeyRevoked
		}
		k.Allowance, k.AllowedUntil = people, until.UTC()
		if people == 0 {
			k.AllowedUntil = time.Time{}
		}
		entry.Metadata["people"], entry.Metadata["until"] = people, until.UTC().Format(time.RFC3339)
		return nil
	})
}

// TemplateKeyStopped is the template of the notice that an API key was stopped by Deactivations.
const TemplateKeyStopped = "staff.key_stopped"

// guardTemplates are its texts.
var guardTemplates = map[string]notify.Template{
	TemplateKeyStopped: {
		Subject: "The API key {{.Data.key}} wants to deactivate many people",
		Text: "The API key {{.Data.key}} ({{.Data.id}}) was stopped: it may deactivate {{.Data.limit}} people in {{.Data.hours}} hours and tried more.\n" +
			"If that is right, let it go on: POST /api/api-keys/{{.Data.id}}/deactivations. If not, revoke it.\n",
	},
}

// Stopped writes down that ErrTooManyDeactivations stopped an API key, if err is that, and tells the administrators once a
// day. Update does so by itself; it is for who calls Update in a transaction that the error has undone.
func (s *Service) Stopped(ctx context.Context, by identity.Principal, err error) error {
	id, isKey := KeyOf(by)
	if !isKey || !errors.Is(err, ErrTooManyDeactivations) {
		return nil
	}
	limit, now := fault.As(err).Details["limit"], s.now()
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		k, err := s.cfg.Store.Key(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		entry := keyEntry(by, ActionKeyStop, k.Key)
		entry.Reason, entry.Metadata["limit"] = ErrTooManyDeactivations.Reason, limit
		if err := s.cfg.Audit.Record(ctx, entry); err != nil || s.cfg.Notifier == nil {
			return err
		}
		return s.tellAdmins(ctx, transport.Notice{
			Tenant: by.Tenant, Template: TemplateKeyStopped, Subject: subject("api_key", id) + "/" + now.Format(time.DateOnly),
			Data: map[string]any{"key": k.Name, "id": id, "limit": limit, "hours": math.Ceil(s.cfg.Deactivations.Window.Hours())},
		})
	})
}
