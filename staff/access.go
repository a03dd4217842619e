package staff

import (
	"slices"
	"strconv"
	"strings"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
)

// The roles that may read and change everything here. Keys and mail domains are for RoleAdmin alone.
const (
	RoleAdmin = "admin"
	RoleHR    = "hr"
)

// Scope is what an API key may do.
type Scope string

// The scopes.
const (
	ScopeRead     Scope = "staff:read"
	ScopeWrite    Scope = "staff:write"
	ScopeImport   Scope = "staff:import"
	ScopeWebhooks Scope = "webhooks:manage"
	ScopeExports  Scope = "exports:read"
	ScopeSync     Scope = "sync:manage"
	ScopeSCIM     Scope = "scim"
)

// Scopes returns every scope.
func Scopes() []Scope {
	return []Scope{ScopeRead, ScopeWrite, ScopeImport, ScopeWebhooks, ScopeExports, ScopeSync, ScopeSCIM}
}

// Who may not do what.
var (
	// ErrForbidden is returned to who may not change the directory: everybody but administrators, HR and machines, and
	// whoever acts for somebody else.
	ErrForbidden      = fault.New(fault.Forbidden, "admin_required", "only an administrator may change the directory")
	ErrReadForbidden  = fault.New(fault.Forbidden, "staff_forbidden", "this needs the role admin or hr, or an API key with the scope for it")
	ErrFieldForbidden = fault.New(fault.Forbidden, "field_forbidden", "the API key lacks the group of a field")
)

const (
	keyActor    = "key:"
	groupPrefix = "fields:" // of a scope that stands for a field group
)

// KeyOf returns the ID of the API key that a principal is.
func KeyOf(by identity.Principal) (int64, bool) {
	text, ok := strings.CutPrefix(by.Actor, keyActor)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil && id > 0
}

// Allow says whether by may do what the scope is for: an API key by its scopes, else administrators, HR and machines.
// It returns ErrReadForbidden.
func Allow(by identity.Principal, scope Scope) error {
	ok := !by.IsProxy() && (by.HasRole(RoleAdmin, RoleHR) || by.IsSystem())
	if _, isKey := KeyOf(by); isKey {
		ok = slices.Contains(by.Scopes, string(scope))
	}
	if !ok {
		return ErrReadForbidden.With("scope", string(scope))
	}
	return nil
}

// Readable returns the field groups that by reads with the scope staff:read, or ErrReadForbidden.
func Readable(by identity.Principal) (Groups, error) {
	if err := Allow(by, ScopeRead); err != nil {
		return nil, err
	}
	return GroupsOf(by), nil
}

// GroupsOf returns the field groups of who has been allowed something: those of an API key, else all.
func GroupsOf(by identity.Principal) Groups {
	if _, isKey := KeyOf(by); !isKey {
		return AllGroups()
	}
	var gs Groups
	for _, g := range AllGroups() {
		if slices.Contains(by.Scopes, groupPrefix+string(g)) {
			gs = append(gs, g)
		}
	}
	return gs
}

func mayChange(by identity.Principal) bool {
	return !by.IsProxy() && (by.HasRole(RoleAdmin) || by.IsSystem())
}
