package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	netmail "net/mail"
	"os"
	"strings"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/ackflow/ackflowbun"
	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvalbun"
	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/approvalgate"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/calendar/delegation/delegationbun"
	"github.com/renkei-go/renkei/calendar/imip"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvpbun"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/web/webbun"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/export"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphsyncbun"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/mail"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/notify/notifybun"
	"github.com/renkei-go/renkei/transport/outboxbun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

// parts is everything that is wired. Nothing in it has been started.
type parts struct {
	db          *sqldb.DB
	keys        keyRing
	audit       *auditbun.Store
	sealer      *audit.Sealer
	staff       *staff.Service
	hooks       *webhook.Service
	exports     *export.Service
	entra       *graphsync.Service // nil: there is none
	delegations *delegation.Service
	queue       *delivery.Queue
	deliveries  *delivery.Engine
	notices     *notify.Service
	acks        *ackflow.Service
	approvals   *approval.Service
	calendar    *calendar.Service
	replies     *rsvp.Service
	idempotency *webbun.Store
	poison      transport.PoisonStore
	relay       *transport.Relay
	router      *transport.Router
	broker      io.Closer    // what the relay publishes to
	outbox      *mail.Memory // what was "sent" when there is no SMTP server; else nil
	watching    watching
}

// close lets go of what wire has opened.
func (p *parts) close() error { return errors.Join(p.broker.Close(), p.db.Close()) }

// migrations is every package's line, in the order in which they are applied.
var migrations = [...]sqldb.Migration{
	auditbun.Migrations, outboxbun.Migrations, deliverybun.Migrations, notifybun.Migrations, webbun.Migrations,
	webhookbun.Migrations, staffbun.Migrations, graphsyncbun.Migrations, delegationbun.Migrations, approvalbun.Migrations, calendarbun.Migrations, rsvpbun.Migrations,
	ackflowbun.Migrations,
}

// open connects to the database and brings its tables up to date.
func open(ctx context.Context, cfg Config) (*sqldb.DB, error) {
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "data_dir", "the data folder cannot be made").Because(err)
	}
	db, err := sqldb.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	if err := sqldb.Migrate(ctx, db, migrations[:]...); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func wire(ctx context.Context, cfg Config, log *slog.Logger) (p parts, err error) {
	if p.db, err = open(ctx, cfg); err != nil {
		return p, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.db.Close())
		}
	}()
	if p.keys, err = keysOf(cfg); err != nil {
		return p, err
	}
	if p.watching, err = watch(ctx, cfg.OTLPEndpoint); err != nil {
		return p, err
	}
	now := p.db.Clock
	outbox := outboxbun.New(p.db)
	p.audit, p.poison = auditbun.New(p.db), outbox
	p.idempotency = webbun.New(p.db, webbun.Config{Sealer: p.keys.seal})
	var errs []error
	made := func(err error) { errs = append(errs, err) }

	p.sealer, err = audit.NewSealer(audit.SealerConfig{Store: p.audit, Keys: p.keys.audit, Now: now})
	made(err)
	made(p.wireStaff(cfg, outbox))
	p.delegations, err = delegation.New(delegation.Config{Store: delegationbun.New(p.db), Audit: p.audit, Directory: p.staff, Outbox: outbox, Now: now})
	made(err)
	p.queue, err = delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(p.db), Now: now})
	made(err)
	if err := errors.Join(errs...); err != nil {
		return p, err
	}

	mailer, err := p.mailer(cfg)
	if err != nil {
		return p, err
	}
	if err := p.wireApproval(cfg, outbox, mailer); err != nil {
		return p, err
	}
	if err := errors.Join(p.wireHub(cfg, log), p.wireEntra(cfg, log)); err != nil {
		return p, err
	}
	invitations, err := p.wireGuests(cfg, mailer)
	if err != nil {
		return p, err
	}
	p.deliveries, err = delivery.New(delivery.Config{Queue: p.queue, Logger: log, Tracer: p.watching.tracer, Meter: p.watching.meter, Kinds: map[string]delivery.Kind{
		notify.Kind:  p.notices.DeliveryKind(),
		imip.Kind:    {Sender: invitations},
		webhook.Kind: p.staff.WebhookKind(p.hooks),
	}})
	if err != nil {
		return p, err
	}
	err = p.wireEvents(ctx, cfg, outbox, invitations, log)
	return p, err
}

// mailer is the way out for mail: SMTP, or a list to look at.
func (p *parts) mailer(cfg Config) (mail.Sender, error) {
	if cfg.SMTPURL == "" {
		p.outbox = &mail.Memory{From: cfg.MailFrom, Now: p.db.Clock}
		return p.outbox, nil
	}
	return mail.NewSMTP(mail.Config{URL: cfg.SMTPURL, From: cfg.MailFrom})
}

// wireApproval ties the calendar, the approvals, the acknowledgements and the notices together. The gate is the bridge that
// two of them need before both exist, so it is bound at the end.
func (p *parts) wireApproval(cfg Config, outbox transport.Outbox, mailer mail.Sender) (err error) {
	store := calendarbun.New(p.db)
	gate := approvalgate.New(approvalgate.Config{Directory: p.staff, Events: store})
	ways, err := channels(cfg, mailer)
	if err != nil {
		return err
	}
	p.notices, err = notify.New(notify.Config{
		Store: notifybun.New(p.db), Deliveries: p.queue, Directory: p.staff, Templates: wording(), Now: p.db.Clock,
		Channels: ways, Audit: p.audit, Obsolete: p.moot(), Fill: p.fill(cfg),
	})
	if err != nil {
		return err
	}
	requests := approvalbun.New(p.db)
	acks, err := p.wireAcks(cfg, requests, outbox)
	if err != nil {
		return err
	}
	p.approvals, err = approval.New(approval.Config{
		Store: requests, Directory: p.staff, Outbox: outbox, Audit: p.audit, Notifier: p.notices,
		Subjects: map[string]approval.SubjectHandler{approvalgate.Kind: gate}, Delegates: p.delegations.Delegatees,
		Guards: map[string]approval.Guard{approval.ChatAckCompleted: acks}, Follower: acks,
	})
	if err != nil {
		return err
	}
	p.calendar, err = calendar.New(calendar.Config{
		Store: store, Outbox: outbox, Audit: p.audit, Directory: p.staff, Delegations: p.delegations, Gate: gate, Now: p.db.Clock,
	})
	if err != nil {
		return err
	}
	gate.Bind(p.calendar, p.approvals)
	return nil
}

// wireGuests makes the way out for invitations and the way in for replies.
func (p *parts) wireGuests(cfg Config, mailer mail.Sender) (*imip.Inviter, error) {
	store := rsvpbun.New(p.db)
	tokens, err := rsvp.NewTokens(rsvp.TokensConfig{Key: p.keys.tokens, Store: store, Now: p.db.Clock})
	if err != nil {
		return nil, err
	}
	p.replies, err = rsvp.New(rsvp.Config{
		Events: p.calendar, Store: store, Tokens: tokens, ReplyAddress: cfg.ReplyAddress, AuthservID: cfg.AuthservID,
		LookupTXT: net.DefaultResolver.LookupTXT, Delegations: p.delegations, Audit: p.audit,
	})
	if err != nil {
		return nil, err
	}
	return imip.New(imip.Config{
		Queue: p.queue, Mailer: mailer, Tokens: tokens, From: cfg.mailAddress(), ReplyAddress: cfg.ReplyAddress,
		PublicURL: cfg.PublicURL, Directory: p.staff,
	})
}

// mailAddress is MailFrom without the name.
func (c Config) mailAddress() string {
	if a, err := netmail.ParseAddress(c.MailFrom); err == nil {
		return a.Address
	}
	return c.MailFrom
}

func (c Config) mailDomain() string {
	_, domain, _ := strings.Cut(c.mailAddress(), "@")
	return domain
}
