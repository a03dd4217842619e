package staff

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
)

// KeyPrefix begins the secrets that this package makes, so that people and scanners know them.
const KeyPrefix = "stf_"

// Key is the right of an external system to call. Its secret is shown once and stored as a hash.
type Key struct {
	ID           int64
	Name         string
	Prefix       string // the first characters of the secret, to recognise it by
	Scopes       []Scope
	Groups       Groups   // what it reads of people; Basic always
	SystemType   string   // of the system that has it; what it pulls is noted in Systems under Name
	CIDRs        []string // where it may be used from; empty: anywhere
	ExpiresAt    time.Time
	RevokedAt    time.Time
	LastUsedAt   time.Time // to the minute
	LastUsedFrom string
	OldUntil     time.Time // until when the secret before the present one is good too
	Allowance    int       // how many people it may deactivate beyond Config.Deactivations
	AllowedUntil time.Time // and until when
	CreatedBy    string
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// StoredKey is a key with the hashes (secret.HashToken) of its secrets.
type StoredKey struct {
	Key
	Hash, OldHash string
}

// NewKey is a key to make.
type NewKey struct {
	Name       string    `json:"name" validate:"required,maxrunes=100,single_line"`
	Scopes     []Scope   `json:"scopes" validate:"max=20"`       // default ScopeRead
	Groups     Groups    `json:"field_groups" validate:"max=20"` // default DefaultGroups
	SystemType string    `json:"system_type"`                    // default SystemOther
	CIDRs      []string  `json:"allowed_cidrs" validate:"max=100"`
	ExpiresAt  time.Time `json:"expires_at"` // zero: never
	// Hex asks for a secret of 64 hex characters, for systems that were made for the service of seed 001.
	Hex bool `json:"-"`
	// Hash carries a key of such a service over: the SHA-256, in hex, of a secret that somebody has already. No secret is
	// made then.
	Hash string `json:"key_sha256" validate:"omitempty,len=64,hexadecimal,lowercase"`
}

// The faults of keys.
var (
	ErrUnknownKey   = fault.New(fault.NotFound, "unknown_api_key", "there is no such API key")
	ErrBadKey       = fault.New(fault.Unauthenticated, "invalid_api_key", "a valid API key is needed")
	ErrKeyExpired   = fault.New(fault.Unauthenticated, "api_key_expired", "the API key has expired")
	ErrKeyRevoked   = fault.New(fault.Unauthenticated, "api_key_revoked", "the API key was revoked")
	ErrKeyAddress   = fault.New(fault.Forbidden, "api_key_address", "the API key may not be used from this address")
	ErrDuplicateKey = fault.New(fault.Conflict, "duplicate_api_key", "there is an API key with this name or secret")
)

// CreateKey makes a key and returns it with its secret, which is not shown again. It returns ErrForbidden,
// ErrDuplicateKey, or a fault like check.ErrInput.
func (s *Service) CreateKey(ctx context.Context, by identity.Principal, n NewKey) (Key, secret.String, error) {
	if !mayChange(by) {
		return Key{}, secret.String{}, ErrForbidden
	}
	k, err := s.newKey(by, n)
	if err != nil {
		return Key{}, secret.String{}, err
	}
	var plain secret.String
	if k.Hash == "" {
		plain = newSecret(n.Hex)
		k.Hash, k.Prefix = secret.HashToken(plain.Reveal()), plain.Reveal()[:len(KeyPrefix)+6]
	}
	err = s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		same, err := s.keyNamed(ctx, by.Tenant, k.Name)
		if err != nil {
			return err
		}
		if same {
			return ErrDuplicateKey.WithField("name", "is another key's")
		}
		k.ID, err = s.cfg.Store.InsertKey(ctx, by.Tenant, k)
		if fault.CodeOf(err) == fault.Conflict {
			return ErrDuplicateKey
		}
		if err != nil {
			return err
		}
		return s.cfg.Audit.Record(ctx, keyEntry(by, ActionKeyCreate, k.Key))
	})
	if err != nil {
		return Key{}, secret.String{}, err
	}
	return k.Key, plain, nil
}

// keyNamed says whether a live key has the name: the name is that of the external system too.
func (s *Service) keyNamed(ctx context.Context, tenant identity.TenantID, name string) (bool, error) {
	for after := int64(0); ; {
		some, err := s.cfg.Store.Keys(ctx, tenant, after, page.MaxLimit)
		if err != nil || len(some) == 0 {
			return false, err
		}
		if slices.ContainsFunc(some, func(k StoredKey) bool { return k.Name == name && k.RevokedAt.IsZero() }) {
			return true, nil
		}
		after = some[len(some)-1].ID
	}
}

func (s *Service) newKey(by identity.Principal, n NewKey) (StoredKey, error) {
	if err := check.Struct(n); err != nil {
		return StoredKey{}, err
	}
	bad := check.ErrInput
	if n.Scopes == nil {
		n.Scopes = []Scope{ScopeRead}
	}
	if n.Groups == nil {
		n.Groups = DefaultGroups()
	}
	if n.SystemType == "" {
		n.SystemType = SystemOther
	}
	for i, scope := range n.Scopes {
		if !slices.Contains(Scopes(), scope) {
			bad = bad.WithField(fmt.Sprintf("scopes[%d]", i), "must be a scope")
		}
	}
	for i, g := range n.Groups {
		if !AllGroups().Has(g) {
			bad = bad.WithField(fmt.Sprintf("field_groups[%d]", i), "must be basic, work, contact, payroll or sensitive")
		}
	}
	if !slices.Contains(SystemTypes(), n.SystemType) {
		bad = bad.WithField("system_type", "must be one of "+strings.Join(SystemTypes(), ", "))
	}
	for i, text := range n.CIDRs {
		prefix, err := parseCIDR(text)
		if err != nil {
			bad = bad.WithField(fmt.Sprintf("allowed_cidrs[%d]", i), "must be a CIDR block or an address")
		}
		n.CIDRs[i] = prefix.String()
	}
	if !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(s.now()) {
		bad = bad.WithField("expires_at", "must be in the future")
	}
	if len(bad.Fields) > 0 {
		return StoredKey{}, bad
	}
	now := s.now()
	k := StoredKey{Hash: n.Hash, Key: Key{
		Name: n.Name, SystemType: n.SystemType, CIDRs: append([]string{}, n.CIDRs...), ExpiresAt: n.ExpiresAt.UTC(),
		CreatedBy: by.Actor, CreatedAt: now, UpdatedAt: now,
	}}
	for _, scope := range Scopes() {
		if slices.Contains(n.Scopes, scope) {
			k.Scopes = append(k.Scopes, scope)
		}
	}
	for _, g := range AllGroups() {
		if g == Basic || n.Groups.Has(g) {
			k.Groups = append(k.Groups, g)
		}
	}
	return k, nil
}

func parseCIDR(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

func newSecret(asHex bool) secret.String {
	if !asHex {
		return secret.NewToken(KeyPrefix)
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return secret.NewString(hex.EncodeToString(b[:]))
}

func keyEntry(by identity.Principal, action string, k Key) audit.Entry {
	e := audit.By(by, action, "api_key", personID(k.ID))
	e.Metadata["name"] = k.Name
	return e
}

// ListKeys returns the keys by ID. It returns ErrForbidden or page.ErrBadCursor.
func (s *Service) ListKeys(ctx context.Context, by identity.Principal, p page.Request) (page.Page[Key], error) {
	if !mayChange(by) {
		return page.Page[Key]{}, ErrForbidden
	}
	return byID(p, "staff.keys", func(k Key) int64 { return k.ID }, func(after int64, limit int) ([]Key, error) {
		stored, err := s.cfg.Store.Keys(ctx, by.Tenant, after, limit)
		keys := make([]Key, len(stored))
		for i, k := range stored {
			keys[i] = k.Key
		}
		return keys, err
	})
}

// RotateKey gives a key a new secret and returns it. The former one stays good for the overlap: zero is
// Config.KeyOverlap, negative none. It returns ErrForbidden, ErrUnknownKey or ErrKeyRevoked.
func (s *Service) RotateKey(ctx context.Context, by identity.Principal, id int64, overlap time.Duration) (Key, secret.String, error) {
	if overlap == 0 {
		overlap = s.cfg.KeyOverlap
	}
	var plain secret.String
	k, err := s.changeKey(ctx, by, id, ActionKeyRotate, func(_ context.Context, k *StoredKey, _ *audit.Entry) error {
		if !k.RevokedAt.IsZero() {
			return ErrKeyRevoked
		}
		k.OldHash, k.OldUntil = "", time.Time{}
		if overlap > 0 {
			k.OldHash, k.OldUntil = k.Hash, s.now().Add(overlap)
		}
		plain = newSecret(k.Prefix != "" && !strings.HasPrefix(k.Prefix, KeyPrefix))
		k.Hash, k.Prefix = secret.HashToken(plain.Reveal()), plain.Reveal()[:len(KeyPrefix)+6]
		return nil
	})
	return k, plain, err
}

// RevokeKey ends a key at once and for good; its webhooks get nothing more, and its external system, which is silent now,
// is disabled until a key of the same name pulls. Doing it again changes nothing. It returns
// ErrForbidden or ErrUnknownKey.
func (s *Service) RevokeKey(ctx context.Context, by identity.Principal, id int64) error {
	_, err := s.changeKey(ctx, by, id, ActionKeyRevoke, func(ctx context.Context, k *StoredKey, _ *audit.Entry) error {
		if k.RevokedAt.IsZero() {
			k.RevokedAt = s.now()
			return s.cfg.Store.DisableSystem(ctx, by.Tenant, k.Name, k.RevokedAt)
		}
		return nil
	})
	return err
}

// Revoked says whether an API key was revoked, or is none of the tenant's.
func (s *Service) Revoked(ctx context.Context, tenant identity.TenantID, id int64) (bool, error) {
	k, err := s.cfg.Store.Key(ctx, tenant, id)
	if fault.CodeOf(err) == fault.NotFound {
		return true, nil
	}
	return !k.RevokedAt.IsZero(), err
}

func (s *Service) changeKey(ctx context.Context, by identity.Principal, id int64, action string, change func(context.Context, *StoredKey, *audit.Entry) error) (Key, error) {
	if !mayChange(by) {
		return Key{}, ErrForbidden
	}
	var k StoredKey
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) (err error) {
		if err := s.cfg.Store.Lock(ctx, by.Tenant); err != nil {
			return err
		}
		if k, err = s.cfg.Store.Key(ctx, by.Tenant, id); err != nil {
			return err
		}
		entry := keyEntry(by, action, k.Key)
		if err := change(ctx, &k, &entry); err != nil {
			return err
		}
		k.UpdatedAt = s.now()
		if err := s.cfg.Store.UpdateKey(ctx, by.Tenant, k); err != nil {
			return err
		}
		return s.cfg.Audit.Record(ctx, entry)
	})
	return k.Key, err
}

// Use is what a key is used for.
type Use struct {
	Method, Path string
	Address      string // of the caller, without a port
}

// Authenticate returns the principal of who holds the secret of a key, and writes down the use. It returns ErrBadKey,
// ErrKeyExpired, ErrKeyRevoked or ErrKeyAddress.
func (s *Service) Authenticate(ctx context.Context, token secret.String, use Use) (identity.Principal, error) {
	if !LooksLikeKey(token.Reveal()) {
		return identity.Principal{}, ErrBadKey
	}
	hash := secret.HashToken(token.Reveal())
	found, err := s.cfg.Store.KeyByHash(ctx, hash)
	if fault.CodeOf(err) == fault.NotFound {
		return identity.Principal{}, ErrBadKey
	}
	if err != nil {
		return identity.Principal{}, err
	}
	k, now := found.Item, s.now()
	by := identity.Principal{Tenant: found.Tenant, Actor: keyActor + personID(k.ID)}
	refusal := k.refuse(hash, now, use)
	entry := keyEntry(by, ActionKeyUse, k.Key)
	if refusal != nil {
		entry.Action, entry.Reason = ActionKeyRefuse, refusal.Reason
	}
	entry.Metadata["method"], entry.Metadata["path"], entry.Metadata["address"] = use.Method, use.Path, use.Address
	err = s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if refusal == nil && (now.Sub(k.LastUsedAt) >= time.Minute || k.LastUsedFrom != use.Address) {
			if err := s.cfg.Store.UseKey(ctx, found.Tenant, k.ID, now, use.Address); err != nil {
				return err
			}
		}
		return s.cfg.Audit.Record(ctx, entry)
	})
	if err != nil {
		return identity.Principal{}, err
	}
	if refusal != nil {
		return identity.Principal{}, refusal
	}
	for _, scope := range k.Scopes {
		by.Scopes = append(by.Scopes, string(scope))
	}
	for _, g := range k.Groups {
		by.Scopes = append(by.Scopes, groupPrefix+string(g))
	}
	return by, nil
}

func (k StoredKey) refuse(hash string, now time.Time, use Use) *fault.Error {
	old := secret.Equal(k.OldHash, hash)
	switch {
	case !secret.Equal(k.Hash, hash) && !old:
		return ErrBadKey
	case !k.RevokedAt.IsZero():
		return ErrKeyRevoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt), old && !now.Before(k.OldUntil):
		return ErrKeyExpired
	case len(k.CIDRs) > 0 && !k.allows(use.Address):
		return ErrKeyAddress
	}
	return nil
}

func (k Key) allows(address string) bool {
	addr, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(k.CIDRs, func(text string) bool {
		prefix, err := netip.ParsePrefix(text)
		return err == nil && prefix.Contains(addr.Unmap().WithZone(""))
	})
}

// live says whether the key works, from wherever.
func (k Key) live(now time.Time) bool {
	return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

// LooksLikeKey says whether a text has the form of a key's secret: KeyPrefix and 43 characters, or 64 hex characters.
func LooksLikeKey(token string) bool {
	if rest, ok := strings.CutPrefix(token, KeyPrefix); ok {
		return len(rest) == 43
	}
	_, err := hex.DecodeString(token)
	return err == nil && len(token) == 64
}
