package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphsyncbun"
	"github.com/renkei-go/renkei/transport"
)

// EntraConfig is how the staff is synchronised with Microsoft Entra, by the names of seed 001.
type EntraConfig struct {
	Enabled      bool
	TenantID     string // of the directory in Entra
	ClientID     string
	ClientSecret secret.String
	Interval     time.Duration // default 1 hour
	Approve      bool          // every plan waits for somebody
	Deprovision  string        // none, disable (the default), leave or delete
	Protected    []string      // accounts that are never touched
	Owns         []string      // what Entra owns of units: name, description, members
	GraphURL     string        // for national clouds; default https://graph.microsoft.com/v1.0
	TokenURL     string        // default that of Microsoft's public cloud
	HTTP         *http.Client  // to reach both by; no setting. Default: one with a time limit of 60 seconds
}

// entraSettings are its lines of the list.
var entraSettings = []setting{
	{"entra-sync-enabled", "ENTRA_SYNC_ENABLED", "keep Microsoft Entra in step with the staff, true or false (default false)", yes(func(c *Config) *bool { return &c.Entra.Enabled })},
	{"entra-tenant-id", "ENTRA_TENANT_ID", "id or domain of the directory in Entra", text(func(c *Config) *string { return &c.Entra.TenantID })},
	{"entra-client-id", "ENTRA_CLIENT_ID", "the application registered there", text(func(c *Config) *string { return &c.Entra.ClientID })},
	{"entra-client-secret", "ENTRA_CLIENT_SECRET", "and its secret", hidden(func(c *Config) *secret.String { return &c.Entra.ClientSecret })},
	{"entra-sync-interval", "ENTRA_SYNC_INTERVAL", "seconds from one synchronisation to the next, at least 60 (default 3600)", entraInterval},
	{"entra-approve-plans", "ENTRA_APPROVE_PLANS", "every plan waits for somebody to approve it, true or false (default: those that a guard stops)", yes(func(c *Config) *bool { return &c.Entra.Approve })},
	{"entra-deprovision", "ENTRA_DEPROVISION", "what becomes of the account of who has left: none, disable, leave (the groups, too) or delete (after 30 days; default disable)", text(func(c *Config) *string { return &c.Entra.Deprovision })},
	{"entra-protected-accounts", "ENTRA_PROTECTED_ACCOUNTS", "ids or user principal names that are never touched, with commas between", words(func(c *Config) *[]string { return &c.Entra.Protected })},
	{"entra-owns", "ENTRA_OWNS", "what Entra owns of organisational units: name, description, members, with commas between (default nothing)", words(func(c *Config) *[]string { return &c.Entra.Owns })},
	{"entra-graph-url", "ENTRA_GRAPH_URL", "Microsoft Graph of a national cloud (default https://graph.microsoft.com/v1.0)", text(func(c *Config) *string { return &c.Entra.GraphURL })},
	{"entra-token-url", "ENTRA_TOKEN_URL", "and the address that gives tokens", text(func(c *Config) *string { return &c.Entra.TokenURL })},
}

// yes sets a field that is true or false.
func yes(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return errors.New("it must be true or false")
		}
		*field(c) = b
		return nil
	}
}

// words sets a field of several words.
func words(field func(*Config) *[]string) func(*Config, string) error {
	return func(c *Config, v string) error {
		*field(c) = nil
		for w := range strings.SplitSeq(v, ",") {
			*field(c) = append(*field(c), strings.TrimSpace(w))
		}
		return nil
	}
}

func entraInterval(c *Config, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 60 || n > 7*24*60*60 {
		return errors.New("it must be a whole number of seconds, from 60 to a week")
	}
	c.Entra.Interval = time.Duration(n) * time.Second
	return nil
}

// validateEntra says what is wrong with a synchronisation that is switched on.
func (c Config) validateEntra() error {
	e := c.Entra
	if !e.Enabled {
		return nil
	}
	var errs []error
	bad := func(text string) { errs = append(errs, badSetting("%s", text)) }
	if e.TenantID == "" || e.ClientID == "" || e.ClientSecret.IsZero() {
		bad("entra-tenant-id, entra-client-id and entra-client-secret: entra-sync-enabled needs all three")
	} else if e.client().Validate() != nil {
		bad("entra-tenant-id, entra-graph-url, entra-token-url: the tenant is an id or a domain, and the others are https URLs")
	}
	if e.rules().Validate() != nil {
		bad("entra-deprovision: it is none, disable, leave or delete")
	}
	if slices.ContainsFunc(e.Owns, func(field string) bool { return field != "name" && field != "description" && field != "members" }) {
		bad("entra-owns: the fields are name, description and members")
	}
	return errors.Join(errs...)
}

func (e EntraConfig) client() graphsync.ClientConfig {
	return graphsync.ClientConfig{
		TenantID: e.TenantID, ClientID: e.ClientID, ClientSecret: e.ClientSecret, BaseURL: e.GraphURL, TokenURL: e.TokenURL, HTTP: e.HTTP,
	}
}

func (e EntraConfig) rules() graphsync.Rules {
	r := graphsync.Rules{Deprovision: graphsync.Deprovision(e.Deprovision), Protected: e.Protected}
	for field, owner := range map[string]*graphsync.Owner{"name": &r.Owners.Name, "description": &r.Owners.Description, "members": &r.Owners.Members} {
		if slices.Contains(e.Owns, field) {
			*owner = graphsync.OwnerEntra
		}
	}
	return r
}

// wireEntra makes the synchronisation with Entra, if there is to be one.
func (p *parts) wireEntra(cfg Config, log *slog.Logger) error {
	if !cfg.Entra.Enabled {
		return nil
	}
	client, err := graphsync.NewClient(cfg.Entra.client())
	if err != nil {
		return err
	}
	p.entra, err = graphsync.New(graphsync.Config{
		Tenant: cfg.Tenant, Store: graphsyncbun.New(p.db), Graph: client, Staff: p.staff, Audit: p.audit, Rules: cfg.Entra.rules(),
		Approve: cfg.Entra.Approve, Interval: cfg.Entra.Interval, Now: p.db.Clock, Logger: log,
	})
	return err
}

// forget removes what runs say of who was erased, also of those from when Entra was synchronised.
func (p *parts) forget(ctx context.Context, ev transport.Event) error {
	var data staff.EventData
	if err := ev.Decode(&data); err != nil {
		return err
	}
	return graphsyncbun.New(p.db).ForgetEdits(ctx, ev.Tenant, data.PersonID)
}
