package server

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/staffhttp"
)

// authenticators returns the ways to prove oneself that the settings allow: OpenID Connect tokens, demo tokens, the
// administrator's token of the data folder where there is neither, and API keys.
func authenticators(ctx context.Context, c Config, people *staff.Service) (web.Authenticator, error) {
	var ways []web.Authenticator
	if c.OIDCIssuer != "" {
		way, err := oidcTokens(ctx, c, people)
		if err != nil {
			return nil, err
		}
		ways = append(ways, way)
	}
	if c.Demo {
		ways = append(ways, demoTokens(c.Tenant, people))
	}
	if len(ways) == 0 { // API keys come from an administrator, so they are no way in by themselves
		token, err := kept(c.DataDir, "admin.token", func() string { return secret.NewToken("renkei_").Reveal() })
		if err != nil {
			return nil, err
		}
		ways = append(ways, adminToken(c.Tenant, token))
	}
	return web.AnyOf(append(ways, staffhttp.Keys(people))...), nil
}

// issuerPatience is how long one call to the issuer may take: for its configuration at the start, for its keys later.
const issuerPatience = 10 * time.Second

// oidcTokens accepts tokens of the issuer whose verified mail address belongs to an active person of the directory.
func oidcTokens(ctx context.Context, c Config, people identity.Directory) (web.Authenticator, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, &http.Client{Timeout: issuerPatience}), c.OIDCIssuer)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "oidc_unavailable", "the OpenID Connect issuer does not answer").Because(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: c.OIDCClientID})
	return web.Bearer(func(ctx context.Context, token string) (identity.Principal, error) {
		verified, err := verifier.Verify(ctx, token)
		if err != nil {
			return identity.Principal{}, web.ErrUnauthenticated.Because(err)
		}
		var claims struct {
			Email    string `json:"email"`
			Verified bool   `json:"email_verified"`
		}
		if err := verified.Claims(&claims); err != nil || !claims.Verified {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		found, err := people.ByEmail(ctx, c.Tenant, []string{claims.Email})
		if err != nil {
			return identity.Principal{}, err
		}
		if len(found) != 1 || !found[0].Active {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		return principal(c.Tenant, found[0]), nil
	}), nil
}

const demoPrefix = "demo-"

// demoTokens accepts "demo-<user>" for the people of the demo company. Config.Validate keeps it to loopback addresses.
func demoTokens(tenant identity.TenantID, people identity.Directory) web.Authenticator {
	return web.Bearer(func(ctx context.Context, token string) (identity.Principal, error) {
		user, ok := strings.CutPrefix(token, demoPrefix)
		if !ok {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		person, err := people.Person(ctx, tenant, user)
		if errors.Is(err, identity.ErrUnknownPerson) || err == nil && !person.Active {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		return principal(tenant, person), err
	})
}

func adminToken(tenant identity.TenantID, token string) web.Authenticator {
	return web.Bearer(func(_ context.Context, given string) (identity.Principal, error) {
		if !secret.Equal(given, token) {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		return identity.Principal{Tenant: tenant, Actor: "admin", Roles: []string{roleAdmin}}, nil
	})
}

// delegable are the routes of secretary mode: the calendar and what belongs to it.
var delegable = []string{"/events", "/freebusy", "/resources", "/delegations", "/rsvp", "/audit"}

// actAs is delegation.Service.ActAs on the routes of the calendar. Elsewhere the caller stays who they are: a permission
// on somebody's calendar is none to decide in their name or to read what they are asked and told (seed 003 §2.1).
func (s *Server) actAs(ctx context.Context, by identity.Principal, subject, operation string) (identity.Principal, error) {
	p, err := s.delegations.ActAs(ctx, by, subject, operation)
	_, path, _ := strings.Cut(operation, " ")
	if err != nil || slices.ContainsFunc(delegable, func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") }) {
		return p, err
	}
	return by, nil
}

const roleAdmin = "admin"

var errAdminOnly = fault.New(fault.Forbidden, "admin_required", "only an administrator may do this")

func principal(tenant identity.TenantID, p identity.Person) identity.Principal {
	return identity.Principal{Tenant: tenant, Actor: p.ID, Roles: p.Roles}
}

// kept returns a secret from a file of the data folder, which only the server's user can read, and makes it at first.
func kept(dir, name string, create func() string) (string, error) {
	path := filepath.Join(dir, name)
	for {
		raw, err := os.ReadFile(path)
		if err == nil {
			return strings.TrimSpace(string(raw)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fault.New(fault.Unavailable, "data_dir", "the data folder cannot be read").Because(err)
		}
		// Exclusive: of two servers that start together one makes it and the other reads it. Written beside and linked,
		// so that nobody reads half a secret.
		tmp, err := os.CreateTemp(dir, name+".*")
		if err == nil {
			_, err = tmp.WriteString(create() + "\n")
			err = errors.Join(err, tmp.Close())
		}
		if err == nil {
			if err = os.Link(tmp.Name(), path); errors.Is(err, fs.ErrExist) {
				err = nil
			}
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
		if err != nil {
			return "", fault.New(fault.Unavailable, "data_dir", "the data folder cannot be written").Because(err)
		}
	}
}
