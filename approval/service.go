package approval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// Config says what a Service works with. There is no Now: the one clock is the store's, so that all nodes agree.
type Config struct {
	Store     Store              // required
	Directory identity.Directory // required
	Outbox    transport.Outbox   // required
	Audit     audit.Recorder     // required
	Notifier  transport.Notifier // nil: nobody is told; the events still are published

	Policies Rules                     // nil: DefaultRules(); an empty list asks for nothing; a stored policy of the flow replaces them
	Steps    map[string][]Plan         // who is asked, by flow; a flow without: DefaultSteps(); a stored policy replaces them
	Guards   map[string]Guard          // by type, for the action policies that name them
	Follower Follower                  // told of every decision; nil: nobody
	Subjects map[string]SubjectHandler // by Subject.Kind; a kind without one is settled by events alone

	Timeout       time.Duration // default 48 h
	RemindBefore  time.Duration // before the deadline; default 24 h; half of the time when that is past already
	FallbackGroup string        // role or group at the end of every chain; default "mgmt"
	Auditors      string        // role or group that is told of overrides; default "auditors"; without holders: "admin", then FallbackGroup

	// Delegates returns those who may act for a person at present. They count as that person for the four-eyes rule. It
	// joins the transaction in ctx. Nil: only who did act counts.
	Delegates func(ctx context.Context, tenant identity.TenantID, person string) ([]string, error)
	// Link returns the address of the page of a request, for notices. Nil: no link.
	Link func(r Request) string
	// NewID makes ids. Default: UUIDv7.
	NewID func() string
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	require := func(ok bool, what string) {
		if !ok {
			errs = append(errs, errors.New("approval: "+what))
		}
	}
	require(c.Store != nil, "Store is required")
	require(c.Directory != nil, "Directory is required")
	require(c.Outbox != nil, "Outbox is required")
	require(c.Audit != nil, "Audit is required")
	require(c.Timeout >= 0, "Timeout must not be negative")
	require(c.RemindBefore >= 0, "RemindBefore must not be negative")
	for _, flow := range slices.Sorted(maps.Keys(c.Steps)) {
		if err := validateSteps(c.Steps[flow]); err != nil {
			errs = append(errs, fmt.Errorf("approval: flow %q: %w", flow, err))
		}
	}
	return errors.Join(append(errs, c.Policies.Validate())...)
}

func (c Config) withDefaults() Config {
	if c.Policies == nil {
		c.Policies = DefaultRules()
	}
	if c.Timeout == 0 {
		c.Timeout = 48 * time.Hour
	}
	if c.RemindBefore == 0 {
		c.RemindBefore = 24 * time.Hour
	}
	if c.FallbackGroup == "" {
		c.FallbackGroup = "mgmt"
	}
	if c.Auditors == "" {
		c.Auditors = "auditors"
	}
	if c.NewID == nil {
		c.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return c
}

// Service takes requests and decisions. It is safe for concurrent use and starts nothing: tick Sweep.
type Service struct {
	cfg     Config
	store   Store
	lockers bool // some handler is a SubjectLocker
}

// New makes a Service. It returns what Config.Validate finds.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Service{cfg: cfg, store: cfg.Store}
	for _, h := range cfg.Subjects {
		if _, ok := h.(SubjectLocker); ok {
			s.lockers = true
		}
	}
	return s, nil
}

// Submit asks for consent if a rule of the flow's policy wants it: the request, its audit entry, event and notices are
// written in the transaction in ctx. When no rule does, nothing is stored and the answer has the status NotRequired. It
// returns ErrAlreadyPending, ErrNoApprover, ErrTooLate, or an Invalid fault for a submission that is not complete.
func (s *Service) Submit(ctx context.Context, by identity.Principal, sub Submission) (Request, error) {
	if sub.Requester == "" {
		sub.Requester = by.User()
	}
	if err := check.Struct(sub); err != nil {
		return Request{}, err
	}
	shown, err := shownOf(sub.Content)
	if err != nil {
		return Request{}, err
	}
	r := Request{Tenant: by.Tenant, Subject: sub.Subject, Flow: sub.Flow, Requester: sub.Requester, Summary: sub.Summary, Discreet: sub.Discreet, Status: NotRequired}
	if by.Actor != sub.Requester {
		r.ActedBy = by.Actor
	}
	err = s.store.Do(ctx, func(ctx context.Context) error {
		policy, err := s.Policy(ctx, by.Tenant, sub.Flow)
		if err != nil {
			return err
		}
		verdict := policy.Judge(sub.Facts)
		r.Policy, r.Reasons, r.Explanation = verdict.Version, verdict.Reasons, verdict.Explanation
		if !verdict.Required {
			return nil
		}
		now, err := s.store.Now(ctx)
		if err != nil {
			return err
		}
		if err := s.schedule(&r, policy, now, sub.NotAfter); err != nil {
			return err
		}
		r.Steps = steps(policy)
		if err := s.route(ctx, &r, now); err != nil {
			return err
		}
		r.ID, r.Status, r.Version = s.cfg.NewID(), Pending, 1
		shown.At, shown.Version, shown.By = now, 1, by.User()
		r.Shown, r.ContentHash = []Shown{shown}, shown.Hash
		return s.submit(ctx, by, r)
	})
	if err != nil {
		return Request{}, err
	}
	return r, nil
}

// submit stores a new request. Who is asked again about a subject soon after the last time is told so: the notice
// that says no more than the last one would be suppressed (seed 003 §6.3).
func (s *Service) submit(ctx context.Context, by identity.Principal, r Request) error {
	again, err := s.store.AskedSince(ctx, r.Tenant, r.Subject, r.CreatedAt.Add(-suppression), r.ID)
	if err != nil {
		return err
	}
	if err := s.store.Insert(ctx, r); err != nil {
		return err
	}
	if err := s.tell(ctx, by, "approval_created", EventRequested, r); err != nil || !again {
		return err
	}
	return s.notifyAsked(ctx, r, TemplateChanged)
}

// suppression is how long package notify does not say the same twice by default.
const suppression = 7 * 24 * time.Hour

// schedule sets the request's times. A reminder that would be in the past comes at half of the time instead.
func (s *Service) schedule(r *Request, p Policy, now, notAfter time.Time) error {
	r.CreatedAt = now
	r.ExpiresAt = now.Add(cmp.Or(p.Timeout, s.cfg.Timeout)).Truncate(time.Microsecond)
	if end := notAfter.UTC().Truncate(time.Microsecond); !notAfter.IsZero() && end.Before(r.ExpiresAt) {
		r.ExpiresAt = end
	}
	if !r.ExpiresAt.After(now) {
		return ErrTooLate
	}
	r.RemindAt = r.ExpiresAt.Add(-cmp.Or(p.RemindBefore, s.cfg.RemindBefore))
	if !r.RemindAt.After(now) {
		r.RemindAt = now.Add(r.ExpiresAt.Sub(now) / 2)
	}
	r.RemindAt = r.RemindAt.Truncate(time.Microsecond)
	return nil
}

// The events of this package, published with Subject "approval_instances/<id>" and an Event as data.
const (
	EventRequested = "approval.requested"
	EventDecided   = "approval.decided" // also for timed_out and withdrawn: see Event.Status
	// EventStepOpened: a step is done and the next one has opened; Event.Approvers are everybody asked so far.
	EventStepOpened = "approval.step_opened"
)

// Event is the data of the events.
type Event struct {
	ID        string     `json:"id"`
	Subject   Subject    `json:"subject"`
	Flow      string     `json:"flow_type"`
	Requester string     `json:"requester_id"`
	ActedBy   string     `json:"acted_by,omitempty"`
	Approvers []string   `json:"approver_ids"`
	Status    Status     `json:"status"`
	Reasons   []string   `json:"reasons"`
	ExpiresAt time.Time  `json:"expires_at"`
	DecidedBy string     `json:"decided_by,omitempty"`
	DecidedAt *time.Time `json:"decided_at,omitempty"`
	Reason    string     `json:"reason,omitempty"`
}

func eventOf(r Request) Event {
	e := Event{
		ID: r.ID, Subject: r.Subject, Flow: r.Flow, Requester: r.Requester, ActedBy: r.ActedBy, Approvers: r.Approvers(),
		Status: r.Status, Reasons: r.Reasons, ExpiresAt: r.ExpiresAt,
	}
	if o := r.Outcome; o != nil {
		e.DecidedBy, e.DecidedAt, e.Reason = o.By, &o.At, o.Reason
	}
	return e
}

// tell writes what happened to the requests to audit, outbox and notifier: one call each, however many there are. The
// requests may belong to several tenants when a machine acts.
func (s *Service) tell(ctx context.Context, by identity.Principal, action, event string, rs ...Request) error {
	entries := make([]audit.Entry, 0, len(rs))
	events := make([]transport.Event, 0, len(rs))
	var notices []transport.Notice
	for _, r := range rs {
		entries = append(entries, s.entry(by, action, r))
		events = append(events, s.event(event, r))
		told, err := s.notices(ctx, r)
		if err != nil {
			return err
		}
		notices = append(notices, told...)
	}
	if err := s.cfg.Audit.Record(ctx, entries...); err != nil {
		return err
	}
	if err := s.cfg.Outbox.Publish(ctx, events...); err != nil {
		return err
	}
	return s.notify(ctx, notices)
}

// entry says in the audit trail what by has just done to the request. A decision names its step, and the approver in
// whose place it was taken.
func (s *Service) entry(by identity.Principal, action string, r Request) audit.Entry {
	by.Tenant = r.Tenant
	e := audit.By(by, action, TargetKind, r.ID)
	e.Metadata["flowType"], e.Metadata["subject"] = r.Flow, r.Subject.String()
	if r.Outcome != nil {
		e.Reason = r.Outcome.Reason
	}
	d, i := r.last()
	if d == nil || r.Status != Pending && r.Status != Approved && r.Status != Rejected {
		return e
	}
	e.Reason = d.Reason
	if n := r.number(i); n > 0 {
		e.Metadata["step"] = n
	}
	if d.For != d.By {
		e.Metadata["substituteFor"] = d.For
	}
	return e
}

// event is the request's newest event; its time is that of what has happened last.
func (s *Service) event(name string, r Request) transport.Event {
	at := r.CreatedAt
	if d, _ := r.last(); d != nil {
		at = d.At
	}
	if r.Outcome != nil {
		at = r.Outcome.At
	}
	return transport.Event{Type: name, Tenant: r.Tenant, Subject: TargetKind + "/" + r.ID, Time: at, Data: eventOf(r)}
}

func (s *Service) notify(ctx context.Context, notices []transport.Notice) error {
	if s.cfg.Notifier == nil || len(notices) == 0 {
		return nil
	}
	return s.cfg.Notifier.Notify(ctx, notices...)
}

// mayOversee says whether the caller sees and may withdraw every request of the tenant.
func mayOversee(by identity.Principal) bool { return by.HasRole("admin", "mgmt") }

// mayWithdraw says whether the caller may take the request back.
func mayWithdraw(by identity.Principal, r Request) bool {
	return mayOversee(by) || slices.Contains([]string{r.Requester, r.ActedBy}, by.User())
}
