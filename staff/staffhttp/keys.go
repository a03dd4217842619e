package staffhttp

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/transport/webhook"
)

// Key is an API key on the wire.
type Key struct {
	ID           int64         `json:"id"`
	Name         string        `json:"name"`
	Key          string        `json:"key,omitempty" doc:"The secret; shown once, when it is made."`
	Prefix       string        `json:"key_prefix" doc:"The first characters of the secret."`
	Scopes       []staff.Scope `json:"scopes" nullable:"false"`
	Groups       staff.Groups  `json:"field_groups" nullable:"false"`
	SystemType   string        `json:"system_type"`
	CIDRs        []string      `json:"allowed_cidrs" nullable:"false" doc:"Empty: anywhere."`
	ExpiresAt    *time.Time    `json:"expires_at"`
	LastUsedAt   *time.Time    `json:"last_used_at" doc:"To the minute."`
	LastUsedFrom string        `json:"last_used_from,omitempty"`
	OldUntil     *time.Time    `json:"old_key_valid_until,omitempty" doc:"Until when the secret before the present one works too."`
	Allowance    int           `json:"allowed_deactivations,omitempty" doc:"How many people it may deactivate beyond the limit."`
	AllowedUntil *time.Time    `json:"allowed_until,omitempty"`
	RevokedAt    *time.Time    `json:"revoked_at"`
	CreatedBy    string        `json:"created_by"`
	CreatedAt    time.Time     `json:"created_at"`
	UpdatedAt    time.Time     `json:"updated_at"`
}

func viewKey(k staff.Key, plain secret.String) Key {
	return Key{
		ID: k.ID, Name: k.Name, Key: plain.Reveal(), Prefix: k.Prefix, Scopes: k.Scopes, Groups: k.Groups, SystemType: k.SystemType,
		CIDRs: k.CIDRs, ExpiresAt: given(k.ExpiresAt), LastUsedAt: given(k.LastUsedAt), LastUsedFrom: k.LastUsedFrom,
		Allowance: k.Allowance, AllowedUntil: given(k.AllowedUntil),
		OldUntil: given(k.OldUntil), RevokedAt: given(k.RevokedAt), CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt,
	}
}

type newKeyIn struct {
	Body struct {
		Name       string        `json:"name" minLength:"1" maxLength:"100" example:"payroll"`
		Scopes     []staff.Scope `json:"scopes,omitempty" maxItems:"20" doc:"staff:read, staff:write, staff:import, webhooks:manage, exports:read, sync:manage, scim; default staff:read."`
		Groups     staff.Groups  `json:"field_groups,omitempty" maxItems:"20" doc:"basic, work, contact, payroll, sensitive; default basic and work."`
		SystemType string        `json:"system_type,omitempty" doc:"entra, hr, finance, lms, recruitment or other, which is the default."`
		CIDRs      []string      `json:"allowed_cidrs,omitempty" maxItems:"100" example:"203.0.113.0/24"`
		ExpiresAt  *time.Time    `json:"expires_at,omitempty"`
		Format     string        `json:"format,omitempty" enum:"prefixed,hex" doc:"hex: 64 hex characters, for older systems."`
		Hash       string        `json:"key_sha256,omitempty" maxLength:"64" doc:"SHA-256, in hex, of a key that exists already: it is taken over and none is made."`
	}
}

type keyOut struct{ Body Key }

type keysIn struct{ web.PageParams }

type keysOut struct{ Body web.List[Key] }

type keyID struct {
	ID int64 `path:"id" minimum:"1"`
}

// Rotation is how a key is rotated.
type Rotation struct {
	Overlap *int `json:"overlap_seconds,omitempty" minimum:"0" maximum:"7776000" doc:"How long the old secret works too; default 7 days."`
}

type rotateIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body *Rotation
}

// Allowance lets a key deactivate more people.
type Allowance struct {
	People int        `json:"people" minimum:"0" maximum:"1000000" doc:"How many beyond the limit; 0 takes back what was allowed."`
	Until  *time.Time `json:"until,omitempty" doc:"At most 30 days ahead; default: one window of the limit, 24 hours unless set otherwise."`
}

type allowIn struct {
	ID   int64 `path:"id" minimum:"1"`
	Body Allowance
}

func (h *handlers) keys(api huma.API) {
	s := h.cfg.Staff
	web.Handle(api, operation(http.MethodPost, "/api/api-keys", "Make an API key; its secret is shown once", http.StatusCreated, http.StatusConflict),
		func(ctx context.Context, by identity.Principal, in *newKeyIn) (*keyOut, error) {
			b := in.Body
			n := staff.NewKey{
				Name: b.Name, Scopes: b.Scopes, Groups: b.Groups, SystemType: b.SystemType, CIDRs: b.CIDRs, Hex: b.Format == "hex", Hash: b.Hash,
			}
			if b.ExpiresAt != nil {
				n.ExpiresAt = *b.ExpiresAt
			}
			k, plain, err := s.CreateKey(ctx, by, n)
			if err != nil {
				return nil, err
			}
			return &keyOut{viewKey(k, plain)}, nil
		})
	web.Handle(api, operation(http.MethodGet, "/api/api-keys", "List API keys", http.StatusOK),
		func(ctx context.Context, by identity.Principal, in *keysIn) (*keysOut, error) {
			cut, err := s.ListKeys(ctx, by, in.Page())
			if err != nil {
				return nil, err
			}
			return &keysOut{web.ListOf(cut, func(k staff.Key) Key { return viewKey(k, secret.String{}) })}, nil
		})
	web.Handle(api, operation(http.MethodPost, "/api/api-keys/{id}/rotate", "Give an API key a new secret", http.StatusOK, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *rotateIn) (*keyOut, error) {
			var overlap time.Duration
			if in.Body != nil && in.Body.Overlap != nil {
				if overlap = time.Duration(*in.Body.Overlap) * time.Second; overlap == 0 {
					overlap = -1
				}
			}
			k, plain, err := s.RotateKey(ctx, by, in.ID, overlap)
			if err != nil {
				return nil, err
			}
			return &keyOut{viewKey(k, plain)}, nil
		})
	web.Handle(api, operation(http.MethodPost, "/api/api-keys/{id}/deactivations", "Let an API key deactivate more people than the limit", http.StatusOK, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *allowIn) (*keyOut, error) {
			var until time.Time
			if in.Body.Until != nil {
				until = *in.Body.Until
			}
			k, err := s.AllowDeactivations(ctx, by, in.ID, in.Body.People, until)
			if err != nil {
				return nil, err
			}
			return &keyOut{viewKey(k, secret.String{})}, nil
		})
	web.Handle(api, operation(http.MethodDelete, "/api/api-keys/{id}", "Revoke an API key", http.StatusNoContent, http.StatusNotFound),
		func(ctx context.Context, by identity.Principal, in *keyID) (*struct{}, error) {
			return nil, s.InTurn(ctx, by.Tenant, func(ctx context.Context) error {
				if err := s.RevokeKey(ctx, by, in.ID); err != nil {
					return err
				}
				return h.silence(ctx, by, in.ID)
			})
		})
}

// silence pauses the subscriptions of a key that was revoked: what waits for them, with the fields that the key could read,
// must not go out any more.
func (h *handlers) silence(ctx context.Context, by identity.Principal, key int64) error {
	for p := (page.Request{Limit: page.MaxLimit}); ; {
		cut, err := h.cfg.Webhooks.List(ctx, by, webhook.Filter{Owner: staff.Owner(key)}, p)
		if err != nil {
			return err
		}
		for _, sub := range cut.Items {
			if err := h.cfg.Webhooks.Pause(ctx, by, sub.ID); err != nil {
				return err
			}
		}
		if p.Cursor = cut.Next; p.Cursor == "" {
			return nil
		}
	}
}

// System is an external system on the wire: a row of seed 001's external_system_sync.
type System struct {
	ID               int64          `json:"id"`
	Organisation     any            `json:"organisation_id"`
	Name             string         `json:"system_name"`
	Type             string         `json:"system_type" enum:"entra,hr,finance,lms,recruitment,other"`
	LastSyncAt       *time.Time     `json:"last_sync_at"`
	LastSuccessfulAt *time.Time     `json:"last_successful_sync_at"`
	Status           string         `json:"sync_status" enum:"active,pending,failed,disabled"`
	Error            *string        `json:"sync_error"`
	Metadata         map[string]any `json:"sync_metadata"`
	StaleAfter       *time.Time     `json:"stale_after" doc:"When it counts as late; null: never."`
	CreatedAt        time.Time      `json:"created_at"`
	UpdatedAt        time.Time      `json:"updated_at"`
}

type systemsIn struct{ web.PageParams }

type systemsOut struct{ Body web.List[System] }

func (h *handlers) systems(api huma.API) {
	web.Handle(api, operation(http.MethodGet, "/api/external-systems", "List external systems and how they synchronise", http.StatusOK),
		func(ctx context.Context, by identity.Principal, in *systemsIn) (*systemsOut, error) {
			cut, err := h.cfg.Staff.ExternalSystems(ctx, by, in.Page())
			if err != nil {
				return nil, err
			}
			return &systemsOut{web.ListOf(cut, func(y staff.System) System {
				out := System{
					y.ID, rawJSON(staff.AppendOrganisation(nil, by.Tenant)), y.Name, y.Type, given(y.LastSyncAt), given(y.LastSuccessfulAt), y.Status,
					nil, y.Metadata, given(y.StaleAfter), y.CreatedAt, y.UpdatedAt,
				}
				if y.Error != "" {
					out.Error = &y.Error
				}
				return out
			})}, nil
		})
}
