package webhook

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
)

var _ transport.Outbox = (*Service)(nil)

// Publish makes one delivery of each event for each subscription that wants it, in the transaction in ctx: they are sent
// if and only if it commits. ID and Time are filled when empty. An event whose ID came before makes nothing new. What a
// subscription that is paused or disabled wants is held. It returns ErrEvent.
func (s *Service) Publish(ctx context.Context, events ...transport.Event) error {
	if len(events) == 0 {
		return nil
	}
	ready := make([]transport.Event, len(events))
	for i, ev := range events {
		if ev.ID == "" {
			ev.ID = s.cfg.NewID()
		}
		if ev.Time.IsZero() {
			ev.Time = s.now()
		}
		or(&ev.Tenant, s.cfg.Tenant)
		data, err := dataOf(ev.Data)
		if err != nil || ev.Tenant == "" || !inHeader(ev.ID) || !inHeader(ev.Type) {
			return ErrEvent.Because(err)
		}
		ev.Data = data
		ready[i] = ev
	}
	if s.cfg.Log == nil {
		return s.fanOut(ctx, ready)
	}
	return s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		if err := s.cfg.Log.Append(ctx, ready); err != nil {
			return err
		}
		return s.fanOut(ctx, ready)
	})
}

// inHeader says whether an id or a type can be sent: both are headers too.
func inHeader(s string) bool {
	return s != "" && len(s) <= 255 && strings.TrimSpace(s) == s && httpguts.ValidHeaderFieldValue(s)
}

// Handle is Publish as a transport.BatchHandler, for events that come through the router.
func (s *Service) Handle(ctx context.Context, events []transport.Event) error {
	return s.Publish(ctx, events...)
}

// fanOut enqueues the deliveries of events that are complete.
func (s *Service) fanOut(ctx context.Context, events []transport.Event) error {
	var jobs []delivery.Job
	known := map[identity.TenantID][]Subscription{}
	for _, ev := range events {
		subs, ok := known[ev.Tenant]
		if !ok {
			var err error
			if subs, err = s.subscriptions(ctx, ev.Tenant); err != nil {
				return err
			}
			known[ev.Tenant] = subs
		}
		var common json.RawMessage // everybody's body, unless View makes it theirs
		for _, sub := range subs {
			if !sub.Matches(ev.Type) {
				continue
			}
			body := common
			if s.cfg.View != nil || body == nil {
				var ok bool
				var err error
				if body, ok, err = s.body(ctx, sub, ev); err != nil {
					return err
				}
				if !ok {
					continue
				}
				common = body
			}
			jobs = append(jobs, s.job(sub, ev, body))
		}
	}
	return s.cfg.Deliveries.Enqueue(ctx, jobs...)
}

// body is what the subscriber gets of an event.
func (s *Service) body(ctx context.Context, sub Subscription, ev transport.Event) (json.RawMessage, bool, error) {
	data, err := dataOf(ev.Data)
	if s.cfg.View != nil {
		seen, ok, viewErr := s.cfg.View(ctx, sub, ev)
		if viewErr != nil || !ok {
			return nil, false, viewErr
		}
		data, err = dataOf(seen)
	}
	if err != nil {
		return nil, false, err
	}
	body, err := bodyOf(ev, data)
	return body, err == nil, err
}

// job is the delivery of an event to a subscription. Its key makes a second one impossible.
func (s *Service) job(sub Subscription, ev transport.Event, body json.RawMessage) delivery.Job {
	job := delivery.Job{
		Tenant: ev.Tenant, Kind: s.cfg.Kind, Destination: sub.ID, Key: sub.ID + "/" + ev.ID, Subject: ev.Subject, EventID: ev.ID,
		Payload: body, Trace: ev.Trace,
	}
	if s.cfg.Ordered { // otherwise it would only be one index more to write
		job.OrderKey = ev.Subject
	}
	return job
}

// TestEvent is the type of what Ping sends.
const TestEvent = "webhook.test"

// Ping sends a test event to a subscription, whatever it listens to, and returns the event's id: Deliveries shows what
// became of it. It is tried once. It returns ErrUnknown, or ErrInactive.
func (s *Service) Ping(ctx context.Context, by identity.Principal, id string) (string, error) {
	sub, err := s.Get(ctx, by, id)
	if err != nil {
		return "", err
	}
	if sub.State != Active {
		return "", ErrInactive
	}
	ev := transport.Event{
		ID: s.cfg.NewID(), Type: TestEvent, Tenant: by.Tenant, Subject: "webhook/" + id, Time: s.now(),
	}
	body, err := bodyOf(ev, json.RawMessage(`{"message":"This is a test."}`))
	if err != nil {
		return "", err
	}
	j := s.job(sub, ev, body)
	j.MaxAttempts = 1
	return ev.ID, s.cfg.Deliveries.Enqueue(ctx, j)
}

// ReplayMissing delivers the events since then that the subscription wants and never got a delivery for, e.g. from
// before it existed or before it wanted them, and says how many; with dryRun it only counts. It works in transactions of
// some hundred, unless there is one in ctx. It returns ErrUnknown, or ErrNoLog.
func (s *Service) ReplayMissing(ctx context.Context, by identity.Principal, id string, since time.Time, dryRun bool) (int, error) {
	if s.cfg.Log == nil {
		return 0, ErrNoLog
	}
	st, err := s.cfg.Store.Get(ctx, s.scope(by.Tenant), id)
	if err != nil {
		return 0, err
	}
	if err := s.record(ctx, by, "webhook_replay", id, dryRun); err != nil {
		return 0, err
	}
	return s.cfg.Deliveries.ReplayMissing(ctx, s.wanted(ctx, by.Tenant, st.Subscription, since), dryRun)
}

// wanted yields a delivery for each event that the subscription wants.
func (s *Service) wanted(ctx context.Context, tenant identity.TenantID, sub Subscription, since time.Time) iter.Seq2[delivery.Job, error] {
	return func(yield func(delivery.Job, error) bool) {
		for ev, err := range s.cfg.Log.Since(ctx, tenant, since) {
			if err != nil {
				yield(delivery.Job{}, err)
				return
			}
			if !sub.Matches(ev.Type) {
				continue
			}
			body, ok, err := s.body(ctx, sub, ev)
			if (ok || err != nil) && !yield(s.job(sub, ev, body), err) || err != nil {
				return
			}
		}
	}
}
