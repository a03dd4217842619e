package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/retry"
)

// Deliveries is what this package needs of a delivery.Queue.
type Deliveries interface {
	delivery.Enqueuer
	History(ctx context.Context, tenant identity.TenantID, kind string, eventIDs ...string) ([]delivery.Record, error)
}

// Config is what a Service needs. The zero values mean the defaults.
type Config struct {
	Store      Store              // required
	Deliveries Deliveries         // required, on the same database as Store
	Directory  identity.Directory // required
	Channels   map[string]Channel // required: by the names that Person.Channels holds
	Templates  map[string]Template

	// Obsolete are asked, by template, right before a notice is sent, outside any transaction: true means that it is no
	// longer true or needed, such as a reminder of a request that was just decided. An error counts as a failed attempt.
	Obsolete map[string]func(ctx context.Context, n Notice) (bool, error)

	// Fill are asked, by template, right before a notice is sent, outside any transaction, for what its data must not hold
	// while it is stored, such as the address of a link for this recipient alone: its members join those of the data. They
	// are asked again for every attempt. An error counts as a failed attempt.
	Fill map[string]func(ctx context.Context, n Notice) (map[string]any, error)

	// Audit records who sent a notice again and who changed their settings; nil: nobody does.
	Audit audit.Recorder

	Window time.Duration // of suppression; default 7 days
	Keep   time.Duration // how long Sweep leaves finished notices in people's lists, from their creation; default 400 days, at least Window, negative for ever
	Policy retry.Policy  // per channel; default a first try and three more after about 1, 4 and 16 minutes
	Wait   time.Duration // between looks of a notice whose twin or digest is on its way; default 1 minute
	Look   time.Duration // between looks of a notice that waits for a time, so that changed settings take effect; default 10 minutes

	Digest     Template       // of a message that holds several notices; see DefaultDigest, which is the default
	DigestHour int            // when daily digests go, 0 to 23 in the person's time zone; default 9; see Midnight
	DigestMost int            // most notices in one message; default 100
	TimeZone   *time.Location // of people who name none; default UTC

	Now   func() time.Time // stamps CreatedAt, which decides in which digest a notice goes, and nothing else; default time.Now
	NewID func() string    // default UUIDv7
}

// Midnight is the DigestHour of daily digests at 0:00, since 0 is the default.
const Midnight = 24

// Service takes notices, sends them and answers questions about them. It is safe for concurrent use.
type Service struct {
	cfg       Config
	templates map[string]compiled
	digest    compiled
}

var _ transport.Notifier = (*Service)(nil)

// New makes a Service. It starts nothing.
func New(cfg Config) (*Service, error) {
	var errs []error
	if cfg.Store == nil || cfg.Deliveries == nil || cfg.Directory == nil {
		errs = append(errs, errors.New("a Store, Deliveries and a Directory are required"))
	}
	if len(cfg.Channels) == 0 {
		errs = append(errs, errors.New("no Channels"))
	}
	for name, c := range cfg.Channels {
		if c == nil {
			errs = append(errs, fmt.Errorf("channel %q is nil", name))
		}
	}
	s := &Service{templates: map[string]compiled{}}
	for name, t := range cfg.Templates {
		c, err := compile(name, t)
		if err != nil {
			errs = append(errs, err)
		}
		s.templates[name] = c
	}
	for name := range cfg.Obsolete {
		if _, ok := cfg.Templates[name]; !ok {
			errs = append(errs, fmt.Errorf("unknown template %q in Obsolete", name))
		}
	}
	for name := range cfg.Fill {
		if _, ok := cfg.Templates[name]; !ok {
			errs = append(errs, fmt.Errorf("unknown template %q in Fill", name))
		}
	}
	cfg = withDefaults(cfg)
	if min(cfg.Window, cfg.Wait, cfg.Look) < 0 || cfg.DigestMost < 0 {
		errs = append(errs, errors.New("a duration or number is negative"))
	}
	if cfg.Keep > 0 && cfg.Keep < cfg.Window {
		errs = append(errs, errors.New("a Keep shorter than Window"))
	}
	if cfg.DigestHour < 0 || cfg.DigestHour > Midnight {
		errs = append(errs, errors.New("no hour of a day in DigestHour"))
	}
	var err error
	if s.digest, err = compile("digest", cfg.Digest); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("notify: %w", errors.Join(errs...))
	}
	s.cfg = cfg
	return s, nil
}

func withDefaults(cfg Config) Config {
	cfg.Window = cmp.Or(cfg.Window, 7*24*time.Hour)
	cfg.Keep = cmp.Or(cfg.Keep, 400*24*time.Hour)
	cfg.Wait = cmp.Or(cfg.Wait, time.Minute)
	cfg.Look = cmp.Or(cfg.Look, 10*time.Minute)
	cfg.DigestHour = cmp.Or(cfg.DigestHour, 9)
	cfg.DigestMost = cmp.Or(cfg.DigestMost, 100)
	cfg.TimeZone = cmp.Or(cfg.TimeZone, time.UTC)
	if cfg.Digest == (Template{}) {
		cfg.Digest = DefaultDigest()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	return cfg
}

// DeliveryKind is how a delivery.Engine sends notices: register it under Kind.
func (s *Service) DeliveryKind() delivery.Kind {
	return delivery.Kind{Sender: delivery.SenderFunc(s.send), Policy: s.cfg.Policy, Done: s.done}
}

// Notify implements transport.Notifier. It returns ErrTemplate for a template that is not in Config.Templates and
// ErrNotice; somebody whom the directory does not know, or who has no usable channel, gets a Dead notice instead, so
// that the business change does not fail for it.
func (s *Service) Notify(ctx context.Context, notices ...transport.Notice) error {
	if len(notices) == 0 {
		return nil
	}
	ns := make([]Notice, len(notices))
	for i, in := range notices {
		if _, ok := s.templates[in.Template]; !ok {
			return ErrTemplate.With("template", in.Template)
		}
		data, err := json.Marshal(in.Data)
		if err != nil || in.Tenant == "" || in.Recipient == "" {
			return ErrNotice.Because(err)
		}
		ns[i] = Notice{
			ID: s.cfg.NewID(), Tenant: in.Tenant, Template: in.Template, Recipient: in.Recipient, Subject: in.Subject,
			Data: data, Critical: in.Critical, Informational: s.templates[in.Template].informational && !in.Critical, CreatedAt: s.now(),
		}
	}
	return s.store(ctx, ns)
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// store writes notices with their first deliveries.
func (s *Service) store(ctx context.Context, ns []Notice) error {
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.route(ctx, ns); err != nil {
			return err
		}
		if err := s.cfg.Store.Insert(ctx, ns); err != nil {
			return err
		}
		var jobs []delivery.Job
		for _, n := range ns {
			if n.State == Pending {
				jobs = append(jobs, job(n, ""))
			}
		}
		return s.cfg.Deliveries.Enqueue(ctx, jobs...)
	})
}

// ref is the payload of a delivery: the notice is looked up when it is sent.
type ref struct {
	Notice  string `json:"notice"`
	Channel string `json:"channel"`
}

// job is the delivery of a notice by its present channel, after another delivery of it or none. A notice may come to a
// channel twice, when its recipient changes their mind, so the key names the delivery before.
func job(n Notice, after string) delivery.Job {
	return delivery.Job{
		Tenant: n.Tenant, Kind: Kind, Destination: n.Channel, Key: n.ID + "/" + n.Channel + "/" + after, Subject: n.Subject, EventID: n.ID,
		Payload: ref{n.ID, n.Channel},
	}
}

// route gives each notice its channels, or makes it Dead.
func (s *Service) route(ctx context.Context, ns []Notice) error {
	people := map[identity.TenantID]map[string]identity.Person{}
	for _, n := range ns {
		if people[n.Tenant] == nil {
			people[n.Tenant] = map[string]identity.Person{}
		}
		people[n.Tenant][n.Recipient] = identity.Person{}
	}
	chosen := map[identity.TenantID]map[string]Settings{}
	for tenant, known := range people {
		ids := slices.Sorted(maps.Keys(known))
		found, err := s.cfg.Directory.People(ctx, tenant, ids)
		if err != nil {
			return err
		}
		for _, p := range found {
			known[p.ID] = p
		}
		settings, err := s.cfg.Store.Settings(ctx, tenant, ids)
		if err != nil {
			return err
		}
		chosen[tenant] = map[string]Settings{}
		for _, set := range settings {
			chosen[tenant][set.Person] = set
		}
	}
	for i := range ns {
		n := &ns[i]
		p := people[n.Tenant][n.Recipient]
		n.Channels = s.channels(p, chosen[n.Tenant][n.Recipient])
		switch {
		case p.ID == "":
			n.State, n.LastError, n.Channels = Dead, identity.ErrUnknownPerson.Message, nil
		case len(n.Channels) == 0:
			n.State, n.LastError = Dead, "the person has no channel that is in use here"
		default:
			n.State, n.Channel = Pending, n.Channels[0]
		}
	}
	return nil
}

// channels are those in use here that the person chose, or else that the directory has for them, or else mail.
func (s *Service) channels(p identity.Person, set Settings) []string {
	wanted := p.Channels
	if len(wanted) == 0 {
		wanted = []string{DefaultChannel}
	}
	if chosen := s.inUse(set.Channels); len(chosen) > 0 {
		return chosen
	}
	return s.inUse(wanted)
}

func (s *Service) inUse(names []string) (out []string) {
	for _, name := range names {
		if _, ok := s.cfg.Channels[name]; ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Resend sends a finished notice again as a new one, by the person's present channels and whatever suppression says,
// and returns it; quiet hours and digests do not hold it back. The same key returns the same one again. It leaves an
// audit entry "notice_resend". Whether by is allowed to is for the caller to judge. It returns ErrUnknown or ErrNotFinal.
func (s *Service) Resend(ctx context.Context, by identity.Principal, id, key string) (Notice, error) {
	if key == "" {
		key = s.cfg.NewID()
	}
	var out Notice
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		old, err := s.cfg.Store.Get(ctx, by.Tenant, id)
		if err != nil {
			return err
		}
		// Two requests with one key follow each other here, so that only one makes a delivery.
		if err := s.cfg.Store.LockKey(ctx, old.Key()); err != nil {
			return err
		}
		if out, err = s.cfg.Store.Resent(ctx, by.Tenant, id, key); !errors.Is(err, ErrUnknown) {
			return err
		}
		if old.State == Pending {
			return ErrNotFinal
		}
		ns := []Notice{{
			ID: s.cfg.NewID(), Tenant: old.Tenant, Template: old.Template, Recipient: old.Recipient, Subject: old.Subject,
			Data: old.Data, Critical: old.Critical, CreatedAt: s.now(), ResendOf: old.ID, ResentBy: by.Actor, ResendKey: key,
		}}
		if err := s.store(ctx, ns); err != nil {
			return err
		}
		out = ns[0]
		entry := audit.By(by, "notice_resend", "notice", old.ID)
		entry.Metadata["resent_as"] = out.ID
		return s.record(ctx, entry)
	})
	return out, err
}

func (s *Service) record(ctx context.Context, e audit.Entry) error {
	if s.cfg.Audit == nil {
		return nil
	}
	return s.cfg.Audit.Record(ctx, e)
}
