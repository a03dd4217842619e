package identity

import (
	"context"
	"net/mail"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/renkei-go/renkei/foundation/fault"
)

// TenantID names an organisation. Every store method takes it; nothing crosses it.
type TenantID string

// Principal is who is asking. Actor is the person or machine that proved itself; Subject is whom they act for
// (secretary mode, seed 003 §2), empty when they act for themselves.
type Principal struct {
	Tenant  TenantID
	Actor   string
	Subject string
	Roles   []string // of the actor; a proxy does not gain the subject's roles
	Scopes  []string // of the token, e.g. an API key's
}

// System is a machine actor of a tenant, e.g. System("acme", "timeout") is "system:timeout".
func System(tenant TenantID, name string) Principal {
	return Principal{Tenant: tenant, Actor: "system:" + name}
}

// User returns the effective person: the subject in secretary mode, else the actor.
func (p Principal) User() string {
	if p.Subject != "" {
		return p.Subject
	}
	return p.Actor
}

// IsProxy says whether somebody acts for somebody else.
func (p Principal) IsProxy() bool { return p.Subject != "" && p.Subject != p.Actor }

// IsSystem says whether a machine acts.
func (p Principal) IsSystem() bool { return strings.HasPrefix(p.Actor, "system:") }

// HasRole says whether the actor holds one of the roles.
func (p Principal) HasRole(roles ...string) bool {
	return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(p.Roles, r) })
}

// For returns the principal acting for subject.
func (p Principal) For(subject string) Principal {
	p.Subject = subject
	return p
}

// Person is what the other packages need to know of somebody in the directory.
type Person struct {
	ID        string
	Email     string
	Name      string
	ManagerID string // empty: nobody
	Roles     []string
	Groups    []string
	Active    bool
	OnLeave   bool
	TimeZone  string   // IANA; empty: the tenant's
	Locale    string   // BCP 47; empty: the tenant's
	Channels  []string // preferred notice channels, first choice first; empty: mail
}

// HasRole says whether the person holds the role.
func (p Person) HasRole(role string) bool { return slices.Contains(p.Roles, role) }

// ErrUnknownPerson is returned by a Directory for an id that it does not know.
var ErrUnknownPerson = fault.New(fault.NotFound, "unknown_person", "there is no such person")

// Directory answers questions about the people of a tenant. Implementations are safe for concurrent use, join the
// transaction in ctx if they have one, and make no network call when they are used inside one.
type Directory interface {
	// Person returns one person, or ErrUnknownPerson.
	Person(ctx context.Context, tenant TenantID, id string) (Person, error)
	// People returns those of ids that exist, in any order; unknown ones are left out.
	People(ctx context.Context, tenant TenantID, ids []string) ([]Person, error)
	// ByEmail returns the people who have one of the addresses (compared by NormalEmail); unknown ones are left out.
	ByEmail(ctx context.Context, tenant TenantID, emails []string) ([]Person, error)
	// Holders returns the active people who hold a role or belong to a group of that name, ordered by id.
	Holders(ctx context.Context, tenant TenantID, roleOrGroup string) ([]Person, error)
	// IsInternal says whether an address belongs to one of the tenant's own mail domains.
	IsInternal(ctx context.Context, tenant TenantID, email string) (bool, error)
}

// NormalEmail returns the form in which addresses are compared: no "mailto:", no surrounding space, case folded,
// the domain in IDNA ASCII form. It returns "" for what is no address.
func NormalEmail(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if strings.ContainsAny(s, "\r\n\x00<>, ") {
		return ""
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || len(s) > 320 {
		return ""
	}
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(s[at+1:], "."))
	if err != nil || domain == "" {
		return ""
	}
	if again, err := idna.Lookup.ToASCII(domain); err != nil || again != domain {
		return "" // a label whose own ASCII form is not valid: the address could not be read back
	}
	normal := strings.ToLower(s[:at]) + "@" + strings.ToLower(domain)
	if _, err := mail.ParseAddress(normal); err != nil {
		return ""
	}
	return normal
}

type requestIDKey struct{}

// WithRequestID puts the id of the request at hand into ctx, for logs, audit entries and problem details.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id of the request at hand, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
