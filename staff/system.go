package staff

import (
	"context"
	"maps"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/notify"
)

// The types of external systems (seed 001).
const (
	SystemEntra       = "entra"
	SystemHR          = "hr"
	SystemFinance     = "finance"
	SystemLMS         = "lms"
	SystemRecruitment = "recruitment"
	SystemOther       = "other"
)

// SystemTypes returns the types of external systems.
func SystemTypes() []string {
	return []string{SystemEntra, SystemHR, SystemFinance, SystemLMS, SystemRecruitment, SystemOther}
}

// The states of a System (seed 001 "Monitoring and Reporting").
const (
	SyncActive   = "active"
	SyncPending  = "pending"
	SyncFailed   = "failed"
	SyncDisabled = "disabled"
)

// System is how it stands with an external system: a row of external_system_sync.
type System struct {
	ID               int64
	Name             string // unique in the tenant: the name of its API key, or the source of imports
	Type             string
	LastSyncAt       time.Time
	LastSuccessfulAt time.Time
	Status           string
	Error            string // the reason of the last failure; empty after a success
	Metadata         map[string]any
	AlertedAt        time.Time
	CreatedAt        time.Time
	UpdatedAt        time.Time
	StaleAfter       time.Time // when it counts as late; zero: never. Filled in by ExternalSystems
}

// Note writes down a synchronisation with an external system, now, whether it went well or err says why not. With the
// Status SyncPending it has begun and waits for somebody, which is no success yet. Pulls by API keys, imports and webhooks
// do so by themselves; it is for other runs, e.g. of graphsync.
func (s *Service) Note(ctx context.Context, tenant identity.TenantID, system System, err error) error {
	return s.sync(ctx, tenant, system, err)
}

// Disable says that a system is no longer synchronised with, so that nobody is told that it is late. The next Note, pull
// or import of that name takes it back. A system that is not known stays so.
func (s *Service) Disable(ctx context.Context, tenant identity.TenantID, name string) error {
	return s.cfg.Store.DisableSystem(ctx, tenant, name, s.now())
}

// note is Note for what callers asked for: that they asked wrongly is no failure of the synchronisation.
func (s *Service) note(ctx context.Context, tenant identity.TenantID, system System, err error) error {
	if code := fault.CodeOf(err); err != nil && code != fault.Internal && code != fault.Unavailable {
		return nil
	}
	return s.sync(ctx, tenant, system, err)
}

func (s *Service) sync(ctx context.Context, tenant identity.TenantID, system System, err error) error {
	system.LastSyncAt, system.Error = s.now(), ""
	switch {
	case err != nil:
		system.Status, system.Error = SyncFailed, fault.ReasonOf(err)
		ctx = context.WithoutCancel(ctx) // a caller that went away is one way to fail
	case system.Status != SyncPending:
		system.Status, system.LastSuccessfulAt = SyncActive, system.LastSyncAt
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error { return s.cfg.Store.SyncSystem(ctx, tenant, system) })
}

// Pulled writes down that an API key has read something, or failed to; others are no external systems. pattern says what
// it was, e.g. "export hr", and records how many, or -1.
func (s *Service) Pulled(ctx context.Context, by identity.Principal, pattern string, records int64, err error) error {
	id, isKey := KeyOf(by)
	if !isKey {
		return nil
	}
	k, keyErr := s.cfg.Store.Key(ctx, by.Tenant, id)
	if keyErr != nil || !k.RevokedAt.IsZero() {
		return keyErr
	}
	meta := map[string]any{"pattern": pattern, "api_key_id": id}
	if records >= 0 {
		meta["records"] = records
	}
	return s.note(ctx, by.Tenant, System{Name: k.Name, Type: k.SystemType, Metadata: meta}, err)
}

// Pushed writes down that webhooks to the system of an API key were delivered, or given up with err.
func (s *Service) Pushed(ctx context.Context, tenant identity.TenantID, keyID int64, err error) error {
	k, keyErr := s.cfg.Store.Key(ctx, tenant, keyID)
	if keyErr != nil || !k.RevokedAt.IsZero() {
		return keyErr
	}
	return s.sync(ctx, tenant, System{Name: k.Name, Type: k.SystemType, Metadata: map[string]any{"pattern": "webhook", "api_key_id": keyID}}, err)
}

// ErrNotDelivered is what a webhook that was given up leaves in a System.
var ErrNotDelivered = fault.New(fault.Unavailable, "webhook_not_delivered", "a webhook was given up")

// ExternalSystems returns the systems by ID. It needs the scope sync:manage. It returns ErrReadForbidden or
// page.ErrBadCursor.
func (s *Service) ExternalSystems(ctx context.Context, by identity.Principal, p page.Request) (page.Page[System], error) {
	if err := Allow(by, ScopeSync); err != nil {
		return page.Page[System]{}, err
	}
	return byID(p, "staff.systems", func(y System) int64 { return y.ID }, func(after int64, limit int) ([]System, error) {
		all, err := s.cfg.Store.Systems(ctx, by.Tenant, after, limit)
		for i, y := range all {
			if late, ok := s.cfg.Late[y.Type]; ok {
				all[i].StaleAfter = y.since().Add(late)
			}
		}
		return all, err
	})
}

// since is the last success, or the beginning.
func (y System) since() time.Time {
	if y.LastSuccessfulAt.IsZero() {
		return y.CreatedAt
	}
	return y.LastSuccessfulAt
}

// The templates of the notices to administrators.
const (
	TemplateLate    = "staff.system_late"
	TemplateFailing = "staff.system_failing"
)

// Templates returns the texts of the notices, for a notify.Config.
func Templates() map[string]notify.Template {
	all := map[string]notify.Template{
		TemplateLate: {
			Subject: "{{.Data.system}} is late",
			Text:    "The external system {{.Data.system}} ({{.Data.type}}) has not synchronised since {{.Data.since}}.\n",
		},
		TemplateFailing: {
			Subject: "{{.Data.system}} fails to synchronise",
			Text:    "The external system {{.Data.system}} ({{.Data.type}}) failed to synchronise at {{.Data.at}}: {{.Data.error}}.\n",
		},
	}
	maps.Copy(all, webhookTemplates)
	maps.Copy(all, guardTemplates)
	return all
}

// sweepSystems tells the administrators of systems that are late or failing, once until the next success.
func (s *Service) sweepSystems(ctx context.Context, limit int) (int, error) {
	if s.cfg.Notifier == nil {
		return 0, nil
	}
	now := s.now()
	before := map[string]time.Time{}
	for systemType, late := range s.cfg.Late {
		before[systemType] = now.Add(-late)
	}
	due, err := s.cfg.Store.Unhealthy(ctx, before, limit)
	if err != nil {
		return 0, err
	}
	for i, d := range due {
		err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
			if err := s.cfg.Store.Alerted(ctx, d.Tenant, d.Item.ID, now); err != nil {
				return err
			}
			return s.alert(ctx, d.Tenant, d.Item, now)
		})
		if err != nil {
			return i, err
		}
	}
	return len(due), nil
}

func (s *Service) alert(ctx context.Context, tenant identity.TenantID, y System, now time.Time) error {
	n := transport.Notice{Tenant: tenant, Template: TemplateLate, Subject: subject("external_system", y.ID), Data: map[string]any{
		"system": y.Name, "type": y.Type, "since": y.since().Format(time.RFC3339), "at": y.LastSyncAt.Format(time.RFC3339), "error": y.Error,
	}}
	if y.Status == SyncFailed {
		n.Template = TemplateFailing
	}
	// Each incident is told anew, though the notices of one system would count as the same for a week.
	n.Subject += "/" + now.Format(time.RFC3339)
	return s.tellAdmins(ctx, n)
}
