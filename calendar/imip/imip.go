package imip

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/mail"
)

// EventType is the transport event that Handle consumes.
const EventType = calendar.EventInvitation

// Kind is the kind of delivery that Send sends.
const Kind = "mail.imip"

// DefaultTokenLife is how long after the end of an event its guests can still answer.
const DefaultTokenLife = 30 * 24 * time.Hour

// Tokens are the credentials of guests; *rsvp.Tokens is one.
type Tokens interface {
	// Issue makes the guest's tokens valid until expires, in the transaction in ctx, and returns their generation.
	Issue(ctx context.Context, tenant identity.TenantID, eventID, guest string, expires time.Time) (int, error)
	// Revoke makes them invalid, in the transaction in ctx.
	Revoke(ctx context.Context, tenant identity.TenantID, eventID, guest string) error
	// AddressTag returns the tag of the guest's reply address. The same arguments give the same tag.
	AddressTag(tenant identity.TenantID, eventID, guest string, generation int) string
	// ButtonToken returns the token of the guest's buttons. The same arguments give the same token.
	ButtonToken(tenant identity.TenantID, eventID, guest string, generation int) string
}

// Config is what an Inviter needs.
type Config struct {
	Queue  delivery.Enqueuer // required
	Mailer mail.Sender       // required
	Tokens Tokens            // required
	// From is the server's own address, without a name. Required. Its domain is that of the Message-IDs.
	From string
	// ReplyAddress is where replies go, tagged per guest: "local+token@domain". Required.
	ReplyAddress string
	// PublicURL is where guests reach the server; buttons link to PublicURL/rsvp/{token}. Required.
	PublicURL string
	// Directory gives the name of a secretary. Nil: the address stands for it.
	Directory identity.Directory
	// TokenLife is how long after the end of an event its guests can answer. Default DefaultTokenLife.
	TokenLife time.Duration
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Queue == nil || c.Mailer == nil || c.Tokens == nil {
		errs = append(errs, errors.New("imip: Queue, Mailer and Tokens are required"))
	}
	if identity.NormalEmail(c.From) == "" {
		errs = append(errs, errors.New("imip: From must be a mail address"))
	}
	if identity.NormalEmail(c.ReplyAddress) == "" || strings.Contains(c.ReplyAddress, "+") {
		errs = append(errs, errors.New("imip: ReplyAddress must be a mail address without a tag"))
	}
	if u, err := url.Parse(c.PublicURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		errs = append(errs, errors.New("imip: PublicURL must be an http or https URL"))
	}
	return errors.Join(errs...)
}

// Inviter sends invitations. It is safe for concurrent use.
type Inviter struct{ cfg Config }

var _ delivery.Sender = (*Inviter)(nil)

// New makes an Inviter.
func New(cfg Config) (*Inviter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.From, cfg.ReplyAddress = identity.NormalEmail(cfg.From), identity.NormalEmail(cfg.ReplyAddress)
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	if cfg.TokenLife == 0 {
		cfg.TokenLife = DefaultTokenLife
	}
	return &Inviter{cfg}, nil
}

// Letter is the payload of a delivery: what one guest is told. It holds no token.
type Letter struct {
	Method     calendar.Method
	Event      calendar.Event // as it was; without what guests wrote in their replies
	Guest      calendar.Attendee
	ActedBy    string // the secretary's address; empty when the organizer acted
	Updated    bool
	Stamp      time.Time // DTSTAMP
	Generation int       // of the guest's tokens
}

// Handle implements transport.Handler for EventType.
func (s *Inviter) Handle(ctx context.Context, ev transport.Event) error {
	var inv calendar.Invitation
	if err := ev.Decode(&inv); err != nil {
		return err
	}
	inv.Event.Attendees = slices.Clone(inv.Event.Attendees)
	for i := range inv.Event.Attendees {
		inv.Event.Attendees[i] = shown(inv.Event.Attendees[i])
	}
	jobs := make([]delivery.Job, 0, len(inv.Guests))
	for _, guest := range inv.Guests {
		letter := Letter{Method: inv.Method, Event: inv.Event, Guest: shown(guest), ActedBy: inv.ActedBy, Updated: inv.Updated, Stamp: ev.Time}
		var err error
		if inv.Method == calendar.Cancel {
			err = s.cfg.Tokens.Revoke(ctx, ev.Tenant, inv.Event.ID, guest.Email)
		} else {
			letter.Generation, err = s.cfg.Tokens.Issue(ctx, ev.Tenant, inv.Event.ID, guest.Email, inv.Event.End.Add(s.cfg.TokenLife))
		}
		if err != nil {
			return err
		}
		jobs = append(jobs, delivery.Job{
			Tenant: ev.Tenant, Kind: Kind, Destination: "mail", Key: ev.ID + "/" + guest.Email,
			Subject: ev.Subject, EventID: ev.ID, OrderKey: ev.Subject + "/" + guest.Email, Payload: letter,
		})
	}
	return s.cfg.Queue.Enqueue(ctx, jobs...)
}

// shown is what other guests may know of an attendee.
func shown(a calendar.Attendee) calendar.Attendee {
	return calendar.Attendee{Email: a.Email, Name: a.Name, External: a.External, Partstat: a.Partstat}
}

// Send implements delivery.Sender for Kind.
func (s *Inviter) Send(ctx context.Context, d delivery.Delivery) delivery.Result {
	var letter Letter
	if err := d.Decode(&letter); err != nil {
		return delivery.Fail(err)
	}
	m, err := s.Render(d.Tenant, d.ID, letter, s.name(ctx, d.Tenant, letter.ActedBy))
	if err != nil {
		return delivery.Fail(err)
	}
	return delivery.Of(s.cfg.Mailer.Send(ctx, m))
}

// name is what a secretary is called.
func (s *Inviter) name(ctx context.Context, tenant identity.TenantID, email string) string {
	if email != "" && s.cfg.Directory != nil {
		if people, err := s.cfg.Directory.ByEmail(ctx, tenant, []string{email}); err == nil && len(people) > 0 {
			return people[0].Name
		}
	}
	return email
}
