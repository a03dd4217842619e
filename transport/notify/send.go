package notify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/delivery"
)

// send is one attempt. What it finds out about a notice (obsolete, suppressed by which) it leaves in the delivery's
// result; done writes it to the notice in the transaction that completes the delivery.
func (s *Service) send(ctx context.Context, d delivery.Delivery) delivery.Result {
	var r ref
	if err := d.Decode(&r); err != nil {
		return delivery.Fail(err)
	}
	n, err := s.cfg.Store.Get(ctx, d.Tenant, r.Notice)
	if err != nil {
		return delivery.Retry(err)
	}
	if n.State != Pending || n.Channel != r.Channel {
		return delivery.Cancel("the notice is finished")
	}
	_, known := s.templates[n.Template]
	channel := s.cfg.Channels[r.Channel]
	if !known || channel == nil {
		return delivery.Retry(errNotHere) // another node, or the next release, may have it
	}
	if n.Informational {
		if res, held := s.hold(ctx, d, &n); held {
			return res
		}
		return s.carry(ctx, n, channel)
	}
	if res, ready := s.ready(ctx, n); !ready {
		return res
	}
	p, err := s.cfg.Directory.Person(ctx, n.Tenant, n.Recipient)
	if errors.Is(err, identity.ErrUnknownPerson) {
		return delivery.Fail(err)
	}
	if err != nil {
		return delivery.Retry(err)
	}
	content, err := s.content(ctx, n, p)
	if err != nil {
		return unsaid(err)
	}
	return bring(ctx, channel, p, n, content)
}

var errNotHere = errors.New("the template or channel is not in use here")

// ready asks right before a notice is sent whether it may go; if not, it returns what becomes of its delivery.
func (s *Service) ready(ctx context.Context, n Notice) (res delivery.Result, ready bool) {
	if check := s.cfg.Obsolete[n.Template]; check != nil {
		obsolete, err := check(ctx, n)
		if err != nil {
			return delivery.Retry(err), false
		}
		if obsolete {
			return delivery.Cancel("obsolete"), false
		}
	}
	by, wait, err := s.acquire(ctx, n)
	switch {
	case err != nil:
		return delivery.Retry(err), false
	case wait:
		return delivery.Later(s.cfg.Wait), false
	case by != "":
		return delivery.Suppress(by), false
	}
	return res, true
}

// errFill is wrapped around what Config.Fill returns.
var errFill = errors.New("what is not stored with the notice could not be had")

// unsaid is what becomes of a delivery whose notice has no content.
func unsaid(err error) delivery.Result {
	if errors.Is(err, errFill) {
		return delivery.Retry(err)
	}
	return delivery.Fail(err)
}

// content fills the notice's template in.
func (s *Service) content(ctx context.Context, n Notice, p identity.Person) (Content, error) {
	t, ok := s.templates[n.Template]
	if !ok {
		return Content{}, errNotHere
	}
	data, err := plain(n.Data)
	if err != nil {
		return Content{}, err
	}
	if fill := s.cfg.Fill[n.Template]; fill != nil {
		more, err := fill(ctx, n)
		if err != nil {
			return Content{}, errors.Join(errFill, err)
		}
		maps.Copy(data, more)
	}
	return t.fill(map[string]any{"Data": data, "Recipient": p, "Subject": n.Subject, "ID": n.ID})
}

func bring(ctx context.Context, channel Channel, p identity.Person, n Notice, c Content) delivery.Result {
	err := channel.Notify(ctx, p, n, c)
	if later, ok := errors.AsType[*notYetError](err); ok {
		return delivery.Later(later.wait)
	}
	return delivery.Of(err)
}

// acquire takes the suppression key for a notice that is about to be sent. It answers who suppresses it, or that it has
// to wait for a twin on its way, or neither: it may go.
func (s *Service) acquire(ctx context.Context, n Notice) (by string, wait bool, err error) {
	if n.Subject == "" || n.ResendOf != "" {
		return "", false, nil
	}
	err = s.cfg.Store.Do(ctx, func(ctx context.Context) error {
		by, wait = "", false
		if err := s.cfg.Store.LockKey(ctx, n.Key()); err != nil {
			return err
		}
		h, held, err := s.cfg.Store.Holder(ctx, n.Key())
		if err != nil {
			return err
		}
		if held && h.NoticeID != n.ID {
			if by, wait, err = s.judge(ctx, n, h); err != nil || wait || by != "" {
				return err
			}
		}
		return s.cfg.Store.SetHolder(ctx, n.Key(), Holder{NoticeID: n.ID})
	})
	return by, wait, err
}

// judge says whether another notice's row stands in the way.
func (s *Service) judge(ctx context.Context, n Notice, h Holder) (by string, wait bool, err error) {
	if !h.AcceptedAt.IsZero() {
		now, err := s.cfg.Store.Now(ctx)
		if err == nil && now.Before(h.AcceptedAt.Add(s.cfg.Window)) {
			by = h.NoticeID
		}
		return by, false, err
	}
	twin, err := s.cfg.Store.Get(ctx, n.Tenant, h.NoticeID)
	if errors.Is(err, ErrUnknown) {
		return "", false, nil // it was deleted on its way: nothing will release the key
	}
	return "", err == nil && twin.State == Pending, err
}

// change is what became of a notice by a delivery: its own, or that of its digest's carrier.
type change struct {
	notice Notice
	by     delivery.Delivery
}

// done writes what became of deliveries to their notices, in the same transaction. Keys are locked in their order, so
// that two batches do not wait for each other.
func (s *Service) done(ctx context.Context, ds []delivery.Delivery) error {
	changes := make([]change, 0, len(ds))
	for _, d := range ds {
		var r ref
		if d.Decode(&r) != nil {
			continue // not one of ours: nothing to tell
		}
		n, err := s.cfg.Store.Get(ctx, d.Tenant, r.Notice)
		if errors.Is(err, ErrUnknown) {
			continue
		}
		if err != nil {
			return err
		}
		if n.State != Pending || n.Channel != r.Channel {
			continue
		}
		changes = append(changes, change{n, d})
		if n.DigestID != n.ID {
			continue
		}
		members, err := s.cfg.Store.Members(ctx, n.Tenant, n.ID)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.ID != n.ID {
				changes = append(changes, change{m, d})
			}
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return compare(a.notice.Key(), b.notice.Key()) })
	for _, c := range changes {
		if err := s.finish(ctx, c.notice, c.by); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) finish(ctx context.Context, n Notice, d delivery.Delivery) error {
	if d.EventID != n.ID && (d.State == delivery.Suppressed || d.State == delivery.Cancelled) {
		return s.cfg.Store.Leave(ctx, n.Tenant, n.DigestID, n.ID) // that is true of the carrier only
	}
	accepted, channel := time.Time{}, n.Channel
	n.LastError = d.LastError
	switch d.State {
	case delivery.Succeeded:
		n.State, n.SentAt, n.LastError, accepted = Sent, d.FinishedAt, "", d.FinishedAt
	case delivery.Suppressed:
		n.State, n.SuppressedBy, n.LastError = Suppressed, d.LastError, ""
	case delivery.Cancelled:
		n.State, n.LastError = Obsolete, ""
	default:
		if next := slices.Index(n.Channels, n.Channel) + 1; next < len(n.Channels) {
			n.Channel, n.DigestID = n.Channels[next], "" // the key stays held
			if changed, err := s.cfg.Store.Update(ctx, n, channel); err != nil || !changed {
				return err
			}
			return s.cfg.Deliveries.Enqueue(ctx, job(n, d.ID))
		}
		n.State = Dead
	}
	if changed, err := s.cfg.Store.Update(ctx, n, channel); err != nil || !changed || n.Subject == "" {
		return err
	}
	if err := s.cfg.Store.LockKey(ctx, n.Key()); err != nil {
		return err
	}
	if !accepted.IsZero() {
		return s.cfg.Store.SetHolder(ctx, n.Key(), Holder{NoticeID: n.ID, AcceptedAt: accepted})
	}
	return s.cfg.Store.Release(ctx, n.Key(), n.ID)
}

func compare(a, b Key) int {
	return slices.Compare([]string{string(a.Tenant), a.Subject, a.Template, a.Recipient}, []string{string(b.Tenant), b.Subject, b.Template, b.Recipient})
}
