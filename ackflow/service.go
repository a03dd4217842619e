package ackflow

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// TargetResolver knows the targets of one table. Implementations are safe for concurrent use, join the transaction in ctx
// and lock nothing.
type TargetResolver interface {
	// Participants returns who takes part in a target (requester, approvers): they may read its links. It returns
	// ErrTargetNotFound when there is no such target.
	Participants(ctx context.Context, tenant identity.TenantID, id string) ([]string, error)
}

// MessageSource is a chat of the embedder's own that messages live in. The service then keeps copies, which the embedder
// brings up to date by Service.SyncMessage. Implementations are safe for concurrent use, join the transaction in ctx and
// make no network call in it.
type MessageSource interface {
	// Message returns a message that by may ask others to acknowledge, or ErrNotFound.
	Message(ctx context.Context, by identity.Principal, id string) (Message, error)
	// Post writes a new message; its ID is set.
	Post(ctx context.Context, m Message) error
}

// Config says what a Service works with. There is no Now: the one clock is the store's, so that all nodes agree.
type Config struct {
	Store     Store              // required
	Directory identity.Directory // required
	Outbox    transport.Outbox   // required
	Audit     audit.Recorder     // required
	Notifier  transport.Notifier // nil: nobody is told; the events still are published

	// Targets are the tables whose rows may be linked, each with who knows them. Empty: nothing can be linked.
	Targets map[string]TargetResolver
	// Messages is where messages live; nil: in the Store.
	Messages MessageSource
	// Room names the room of a message that a template makes; it has at most 200 characters. Nil: the target's String.
	Room func(t Target) string
	// Link returns the address of a message's page, for notices and for messages without a URL of their own. Nil: none.
	Link func(m Message) string

	// StandIns returns those who stand in for a person at present. With it, from the second reminder on they are told,
	// and from the third on the managers of those who are missing. Nil: only those who are missing are reminded.
	StandIns func(ctx context.Context, tenant identity.TenantID, person string) ([]string, error)
	// NewID makes ids. Default: UUIDv7.
	NewID func() string
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	require := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("ackflow: "+what))
		}
	}
	require(c.Store != nil, "Store is required")
	require(c.Directory != nil, "Directory is required")
	require(c.Outbox != nil, "Outbox is required")
	require(c.Audit != nil, "Audit is required")
	for table, r := range c.Targets {
		require(table != "" && r != nil, "a target needs a table and a resolver")
	}
	return errors.Join(errs...)
}

// Service takes requests, acknowledgements, links and templates. It is safe for concurrent use and starts nothing: tick
// Sweep.
type Service struct {
	cfg   Config
	store Store
}

// New makes a Service. It returns what Config.Validate finds.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Room == nil {
		cfg.Room = Target.String
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return &Service{cfg: cfg, store: cfg.Store}, nil
}

// oversees says whether the caller may see and end everything of the tenant, and make links and templates.
func oversees(by identity.Principal) bool { return by.HasRole("admin", "mgmt") }

// valid judges an input by its tags, as ErrInput.
func valid(v any) error {
	err := check.Struct(v)
	if f := fault.As(err); f != nil && errors.Is(err, check.ErrInput) {
		e := *ErrInput
		e.Fields = f.Fields
		return &e
	}
	return err
}

// now is the store's clock in the precision that is kept.
func (s *Service) now(ctx context.Context) (time.Time, error) {
	now, err := s.store.Now(ctx)
	return now.UTC().Truncate(time.Microsecond), err
}

// The events of this package, published with Subject "chat_ack_requests/<id>" and an Event as data.
const (
	EventRequested = "ackflow.requested"
	EventAcked     = "ackflow.acked"
	EventRevoked   = "ackflow.revoked"
	EventCompleted = "ackflow.completed"
	EventVoided    = "ackflow.voided" // the message was edited or deleted, so that no acknowledgement holds any more
	EventCanceled  = "ackflow.canceled"
	EventEscalated = "ackflow.escalated"
)

// Event is the data of the events.
type Event struct {
	ID        string     `json:"id"`
	MessageID string     `json:"messageId"`
	RoomID    string     `json:"roomId"`
	State     State      `json:"state"`
	Revision  int64      `json:"revision"`
	Required  int        `json:"requiredCount"`
	Acked     int        `json:"ackedCount"`
	DueAt     *time.Time `json:"dueAt"`
	UserIDs   []string   `json:"userIds,omitempty"` // whom it is about: who acknowledged, who is told
}

// fact is something that happened to a request, to be told in one go.
type fact struct {
	action  string // of the audit entry; empty: none
	event   string // type; empty: none
	request Request
	users   []string
	reason  string
	more    map[string]any // metadata of the audit entry
	notices []transport.Notice
}

// tell writes facts to audit, outbox and notifier: one call each.
func (s *Service) tell(ctx context.Context, by identity.Principal, now time.Time, facts ...fact) error {
	var entries []audit.Entry
	var events []transport.Event
	var notices []transport.Notice
	for _, f := range facts {
		r, p := f.request, by
		p.Tenant = r.Tenant
		if f.action != "" {
			e := audit.By(p, f.action, TargetKind, r.ID)
			e.Reason = f.reason
			e.Metadata["messageId"] = r.MessageID
			maps.Copy(e.Metadata, f.more)
			entries = append(entries, e)
		}
		if f.event != "" {
			e := Event{
				ID: r.ID, MessageID: r.MessageID, RoomID: r.Room, State: r.State(now), Revision: r.Revision,
				Required: r.Required, Acked: r.Required - r.Missing, UserIDs: f.users,
			}
			if !r.DueAt.IsZero() {
				e.DueAt = &r.DueAt
			}
			events = append(events, transport.Event{Type: f.event, Tenant: r.Tenant, Subject: TargetKind + "/" + r.ID, Time: now, Data: e})
		}
		notices = append(notices, f.notices...)
	}
	if err := s.record(ctx, entries...); err != nil {
		return err
	}
	if len(events) > 0 {
		if err := s.cfg.Outbox.Publish(ctx, events...); err != nil {
			return err
		}
	}
	if s.cfg.Notifier == nil || len(notices) == 0 {
		return nil
	}
	return s.cfg.Notifier.Notify(ctx, notices...)
}

func (s *Service) record(ctx context.Context, entries ...audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	return s.cfg.Audit.Record(ctx, entries...)
}
