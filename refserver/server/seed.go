package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/foundation/identity"
)

// prepare writes down what the settings say of the organisation and, in the demo, makes the demo company. It runs at
// every start, and on several nodes at once.
func (p *parts) prepare(ctx context.Context, cfg Config) error {
	if err := p.setDomains(ctx, cfg); err != nil || !cfg.Demo {
		return err
	}
	return p.seedCompany(ctx, cfg.Tenant, cfg.MailDomains[0])
}

// setDomains leaves the directory alone when it has them already, so that a start is no act in the audit trail.
func (p *parts) setDomains(ctx context.Context, cfg Config) error {
	now, err := p.staff.Domains(ctx, cfg.Tenant)
	if err != nil || cfg.domainsByDefault && len(now) > 0 || slices.Equal(now, slices.Sorted(slices.Values(cfg.MailDomains))) {
		return err
	}
	return p.staff.SetDomains(ctx, identity.System(cfg.Tenant, "seed"), cfg.MailDomains...)
}

// rooms are the resources of the demo company.
var rooms = [...]calendar.NewResource{
	{ID: "room-large", Name: "大会議室", Kind: "room", Capacity: 30, RequiresApproval: true},
	{ID: "room-a", Name: "会議室 A", Kind: "room", Capacity: 8},
	{ID: "room-b", Name: "会議室 B", Kind: "room", Capacity: 8},
}

// seedCompany makes the demo company, with mail addresses in the domain. What is there already is left as it is.
func (p *parts) seedCompany(ctx context.Context, tenant identity.TenantID, domain string) error {
	by := identity.System(tenant, "seed")
	by.Roles = []string{roleAdmin}
	if err := p.seedPeople(ctx, by, company(domain)); err != nil {
		return err
	}
	for _, room := range rooms {
		if _, err := p.calendar.CreateResource(ctx, by, room); err != nil && !errors.Is(err, calendar.ErrDuplicate) {
			return err
		}
	}
	if err := p.seedAcks(ctx, by); err != nil {
		return err
	}
	granted, err := p.delegations.Permissions(ctx, tenant, "exec", "secretary")
	if err != nil || len(granted) > 0 {
		return err
	}
	_, err = p.delegations.Grant(ctx, identity.Principal{Tenant: tenant, Actor: "exec"}, delegation.NewDelegation{
		DelegateeID: "secretary", Permissions: []calendar.Permission{calendar.ReadPrivate, calendar.Edit, calendar.Respond},
	})
	return err
}

// seed is the command: the demo company in the configured database, without its tokens.
func seed(ctx context.Context, cfg Config, stdout io.Writer) (err error) {
	if len(cfg.MailDomains) == 0 {
		cfg.MailDomains = []string{demoDomain}
	}
	cfg = cfg.withDefaults()
	cfg.Broker, cfg.PublicURL = "", "http://"+cfg.Listen // nothing is sent
	p, err := wire(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := errors.Join(p.setDomains(ctx, cfg), p.seedCompany(ctx, cfg.Tenant, cfg.MailDomains[0])); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "tenant %s has the demo company: %d people at %s, %d rooms, and secretary acts for exec\n",
		cfg.Tenant, len(company("")), cfg.MailDomains[0], len(rooms))
	return err
}
