package graphsync

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/transport/retry"
)

// SystemName is what external_system_sync calls Entra.
const SystemName = "Microsoft Entra"

// Directory is the staff as this package needs it; staff.Service is one.
type Directory interface {
	Records(ctx context.Context, by identity.Principal, inactive bool) iter.Seq2[[]staff.Record, error]
	Units(ctx context.Context, by identity.Principal, p page.Request) (page.Page[staff.Unit], error)
	Get(ctx context.Context, by identity.Principal, id int64) (staff.View, error)
	ChangeUnit(ctx context.Context, by identity.Principal, id, version int64, e staff.UnitEdit) (staff.Unit, error)
	Assign(ctx context.Context, by identity.Principal, person int64, n staff.NewAssignment) (staff.Assignment, error)
	Unassign(ctx context.Context, by identity.Principal, person, assignment int64, last staff.Date) error
	Note(ctx context.Context, tenant identity.TenantID, system staff.System, err error) error
	Today() staff.Date
}

// Config says what a Service works with.
type Config struct {
	Tenant identity.TenantID // required: the organisation whose staff Entra follows
	Store  Store             // required
	Graph  *Client           // required
	Staff  Directory         // required
	Audit  audit.Recorder    // required

	Rules Rules
	// Approve makes every plan wait until somebody approves it. Default: only those that trip a guard do.
	Approve bool
	// Interval is how long after a run began the next one is due. Default 1 hour (seed 001 recommends 1 to 4).
	Interval time.Duration
	// FullEvery is how often everything is read anew, because deltas do not tell all. Default 24 hours.
	FullEvery time.Duration
	// PlanFor is how long after it was made a plan may be approved and, once begun, be worked on. Default 24 hours.
	PlanFor time.Duration
	// KeepRuns is how long runs are kept after their end. Default 90 days.
	KeepRuns time.Duration
	// Lease is for how long a process that was killed keeps others from going on. Default 1 minute.
	Lease time.Duration
	// Quarantine says when an object that failed is tried again: after fewer than QuarantineAfter failures in a row in
	// the next run, then after the policy's delays, in quarantine. Default: 1 day, twice as long each time, at most 7 days.
	Quarantine retry.Policy
	// QuarantineAfter defaults to 3.
	QuarantineAfter int
	// Password gives a new account its first password, which nobody is told and which must be changed. Default: random.
	Password func() string
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Default slog.Default().
	Logger *slog.Logger
}

// Validate returns everything that is wrong with the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.Tenant == "" || c.Store == nil || c.Graph == nil || c.Staff == nil || c.Audit == nil {
		errs = append(errs, errors.New("graphsync: Tenant, Store, Graph, Staff and Audit are required"))
	}
	if c.Lease != 0 && c.Lease < time.Second {
		errs = append(errs, errors.New("graphsync: Lease is at least a second"))
	}
	for _, d := range []time.Duration{c.Interval, c.FullEvery, c.PlanFor, c.KeepRuns} {
		if d < 0 {
			errs = append(errs, errors.New("graphsync: durations cannot be negative"))
		}
	}
	return errors.Join(append(errs, c.Rules.Validate())...)
}

// Service keeps Entra in step with the staff of one tenant. It is safe for concurrent use; of several processes on one
// store, one works at a time.
type Service struct {
	cfg    Config
	by     identity.Principal
	holder string
}

// New makes a Service; it starts nothing.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Rules = cfg.Rules.withDefaults()
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	const day = 24 * time.Hour
	def(&cfg.Interval, time.Hour)
	def(&cfg.FullEvery, day)
	def(&cfg.PlanFor, day)
	def(&cfg.KeepRuns, 90*day)
	def(&cfg.Lease, time.Minute)
	if cfg.Quarantine == (retry.Policy{}) {
		cfg.Quarantine = retry.Policy{First: day, Max: 7 * day, Multiplier: 2, Jitter: -1, Tries: -1}
	}
	if cfg.QuarantineAfter == 0 {
		cfg.QuarantineAfter = 3
	}
	if cfg.Password == nil {
		cfg.Password = func() string { return "Rk-" + rand.Text() + "-z" }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Service{cfg: cfg, by: identity.System(cfg.Tenant, "entra-sync"), holder: rand.Text()}, nil
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Run steps until ctx ends, whenever something is due, looking every few seconds. Failures go to the log and to
// external_system_sync; they do not end it.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		if _, err := s.Step(ctx); err != nil && ctx.Err() == nil {
			level := slog.LevelWarn
			if fault.CodeOf(err) == fault.Internal {
				level = slog.LevelError
			}
			s.cfg.Logger.Log(ctx, level, "entra sync", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Step does what is due: it goes on with a run that was begun, or begins one that was asked for or whose time has come,
// and carries it to its end or to where it waits for somebody. It says whether there was anything to do. When it is
// interrupted, or the process is killed, the next Step goes on from there, here or in another process.
func (s *Service) Step(ctx context.Context) (bool, error) {
	due, err := s.due(ctx)
	if err != nil || !due {
		return false, err
	}
	ctx, release, err := s.hold(ctx)
	if errors.Is(err, ErrHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer release()
	run, ok, err := s.next(ctx)
	if err != nil || !ok {
		return false, err
	}
	err = s.carry(ctx, run)
	if ctx.Err() != nil {
		return true, ctx.Err() // to be gone on with
	}
	return true, s.settle(ctx, err)
}

// due says whether next would return anything, without the lease.
func (s *Service) due(ctx context.Context) (bool, error) {
	p, err := s.cfg.Store.Progress(ctx, s.cfg.Tenant)
	if err != nil || p.RetryAt.After(s.now()) {
		return false, err
	}
	if !p.Paused && !p.NextAt.After(s.now()) {
		return true, nil
	}
	live, err := s.cfg.Store.LiveRuns(ctx, s.cfg.Tenant)
	for _, r := range live {
		if r.State != RunPlanned {
			return true, nil
		}
	}
	return false, err
}

// hold takes the lease and keeps it until release, or ends the context when it is lost.
func (s *Service) hold(ctx context.Context) (context.Context, func(), error) {
	extend := func(ctx context.Context) error {
		now := s.now()
		return s.cfg.Store.Hold(ctx, s.cfg.Tenant, s.holder, now, now.Add(s.cfg.Lease))
	}
	if err := extend(ctx); err != nil {
		return ctx, nil, err
	}
	held, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(s.cfg.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
				if err := extend(held); errors.Is(err, ErrHeld) {
					cancel(err)
				}
			}
		}
	}()
	return held, func() {
		cancel(nil)
		<-ended
		// A process that is told to stop leaves no lease behind.
		if err := s.cfg.Store.Release(context.WithoutCancel(ctx), s.cfg.Tenant, s.holder); err != nil {
			s.cfg.Logger.ErrorContext(ctx, "entra sync: the lease is not released", "error", err)
		}
	}, nil
}

// keep runs fn in a transaction in which the lease is ours.
func (s *Service) keep(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		now := s.now()
		if err := s.cfg.Store.Hold(ctx, s.cfg.Tenant, s.holder, now, now.Add(s.cfg.Lease)); err != nil {
			return err
		}
		return fn(ctx)
	})
}

// progress changes how far it has got.
func (s *Service) progress(ctx context.Context, change func(p *Progress)) error {
	return s.keep(ctx, func(ctx context.Context) error {
		p, err := s.cfg.Store.Progress(ctx, s.cfg.Tenant)
		if err != nil {
			return err
		}
		change(&p)
		return s.cfg.Store.SaveProgress(ctx, s.cfg.Tenant, p)
	})
}

// next returns the run to work on: one that was begun, one that was asked for, or a new one whose time has come.
func (s *Service) next(ctx context.Context) (run Run, ok bool, err error) {
	err = s.keep(ctx, func(ctx context.Context) error {
		live, err := s.cfg.Store.LiveRuns(ctx, s.cfg.Tenant)
		if err != nil {
			return err
		}
		for _, state := range []RunState{RunApplying, RunRequested} {
			for _, r := range live {
				if r.State == state {
					run, ok = r, true
					return nil
				}
			}
		}
		p, err := s.cfg.Store.Progress(ctx, s.cfg.Tenant)
		if err != nil || p.Paused || p.NextAt.After(s.now()) {
			return err
		}
		run, ok = Run{State: RunRequested, Trigger: TriggerSchedule, By: s.by.Actor, CreatedAt: s.now()}, true
		run.ID, err = s.cfg.Store.InsertRun(ctx, s.cfg.Tenant, run)
		return err
	})
	return run, ok, err
}

// carry takes a run as far as it goes.
func (s *Service) carry(ctx context.Context, run Run) (err error) {
	if run.State == RunRequested {
		if err := s.read(ctx, run.Full); err != nil {
			return err
		}
		if run, err = s.plan(ctx, run); err != nil {
			return err
		}
	}
	if run.State == RunApplying {
		return s.apply(ctx, run)
	}
	return nil
}

// settle writes down how a step went: in external_system_sync, and when to try again.
func (s *Service) settle(ctx context.Context, failure error) error {
	system := staff.System{Name: SystemName, Type: staff.SystemEntra, Metadata: map[string]any{"pattern": "graphsync"}}
	last, err := s.cfg.Store.Runs(ctx, s.cfg.Tenant, 0, 1)
	if err != nil {
		return err
	}
	for _, r := range last {
		system.Metadata["run_id"], system.Metadata["state"], system.Metadata["issues"], system.Metadata["quarantined"] = r.ID, r.State, r.Issues, r.Waiting
		system.Metadata["steps"] = r.Result
	}
	live, err := s.cfg.Store.LiveRuns(ctx, s.cfg.Tenant)
	if err != nil {
		return err
	}
	for _, r := range live {
		switch {
		case failure != nil || r.State != RunPlanned || r.Trigger == TriggerRollback:
		case len(r.Tripped) > 0:
			failure = ErrUnapproved
		default:
			system.Status = staff.SyncPending
		}
	}
	err = s.progress(ctx, func(p *Progress) {
		if failure == nil || errors.Is(failure, ErrUnapproved) || errors.Is(failure, ErrStepsFailed) {
			p.Failures, p.RetryAt = 0, time.Time{}
			return
		}
		p.Failures++
		p.RetryAt = s.now().Add(pauseAfter(p.Failures))
	})
	return errors.Join(failure, err, s.cfg.Staff.Note(ctx, s.cfg.Tenant, system, failure))
}

// pauseAfter is how long to wait after some failures of a whole run.
func pauseAfter(failures int) time.Duration {
	return retry.Policy{First: time.Minute, Max: 30 * time.Minute, Multiplier: 2, Jitter: -1, Tries: -1}.Delay(failures, nil)
}

// Sweep deletes up to limit runs that ended long ago and says how many.
func (s *Service) Sweep(ctx context.Context, limit int) (int, error) {
	return s.cfg.Store.PruneRuns(ctx, s.now().Add(-s.cfg.KeepRuns), limit)
}
