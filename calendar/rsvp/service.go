package rsvp

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
)

// Config is what a Service needs.
type Config struct {
	Events Events  // required
	Store  Store   // required
	Tokens *Tokens // required
	// ReplyAddress is the address whose tagged forms ("local+token@domain") invitations carry in Reply-To. Required.
	ReplyAddress string
	// AuthservID is the name under which our own mail server writes Authentication-Results (RFC 8601 §2.5). That server
	// must remove such fields from what it receives. Empty: nobody is believed by them.
	AuthservID string
	// LookupTXT answers for DKIM keys. Nil: signatures prove nothing.
	LookupTXT LookupTXT
	// Delegations says who may admit replies for the organizer: with EDIT, or with RESPOND for a guest who was invited.
	// Nil: only the organizer.
	Delegations calendar.Delegations
	Audit       audit.Recorder // records who admitted what; nil: nobody does
	// KeepRaw is how long mails are kept beside their ledger entries, which stay. Default 90 days.
	KeepRaw time.Duration
	NewID   func() string // default UUIDv7
}

// Validate returns everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Events == nil || c.Store == nil || c.Tokens == nil {
		errs = append(errs, errors.New("rsvp: Events, Store and Tokens are required"))
	}
	if identity.NormalEmail(c.ReplyAddress) == "" || strings.Contains(c.ReplyAddress, "+") {
		errs = append(errs, errors.New("rsvp: ReplyAddress must be a mail address without a tag"))
	}
	if c.KeepRaw < 0 {
		errs = append(errs, errors.New("rsvp: KeepRaw cannot be negative"))
	}
	return errors.Join(errs...)
}

// Service takes in answers. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes a Service.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.ReplyAddress = identity.NormalEmail(cfg.ReplyAddress)
	if cfg.KeepRaw == 0 {
		cfg.KeepRaw = 90 * 24 * time.Hour
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return &Service{cfg}, nil
}

// Sweep deletes up to limit mails, and as many tokens, that have had their time, and says how many.
func (s *Service) Sweep(ctx context.Context, limit int) (int, error) {
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return 0, err
	}
	mails, err := s.cfg.Store.PruneRaw(ctx, now.Add(-s.cfg.KeepRaw), limit)
	if err != nil {
		return 0, err
	}
	tokens, err := s.cfg.Store.PruneTokens(ctx, now.Add(-s.cfg.KeepRaw), limit)
	return mails + tokens, err
}
