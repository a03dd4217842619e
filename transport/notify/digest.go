package notify

import (
	"context"
	"errors"
	htmltemplate "html/template"
	"slices"
	"time"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/retry"
)

// Every notice has a delivery of its own, and so has each one of a digest: nothing that is collected can get lost. When
// they come due, the first gathers the others by giving them its id (Notice.DigestID), and carries them. The deliveries
// of the others wait until its notice is final, and find theirs so too. An informational notice that goes alone is a
// digest of one, so that no other can gather it on its way.

// DefaultDigest is the template of messages that hold several notices. Templates of digests have .Items, each with
// .Subject, .Text and .HTML, and .Recipient (identity.Person).
func DefaultDigest() Template {
	return Template{
		Subject: "{{len .Items}} notices",
		Text:    "{{range $i, $n := .Items}}{{if $i}}\n\n{{end}}■ {{.Subject}}\n{{.Text}}{{end}}",
	}
}

// Item is a notice inside a digest.
type Item struct {
	Subject, Text string
	HTML          htmltemplate.HTML // safe: html/template made it
}

// hold decides whether an informational notice waits, goes by another channel or goes in another's message: then it
// returns what becomes of this delivery. Else n.DigestID is n.ID, and the notice carries all that have that.
func (s *Service) hold(ctx context.Context, d delivery.Delivery, n *Notice) (res delivery.Result, held bool) {
	p, err := s.cfg.Directory.Person(ctx, n.Tenant, n.Recipient)
	if errors.Is(err, identity.ErrUnknownPerson) {
		return delivery.Fail(err), true
	}
	if err != nil {
		return delivery.Retry(err), true
	}
	if held, err = s.carried(ctx, n); err != nil {
		return delivery.Retry(err), true
	} else if held {
		return delivery.Later(s.cfg.Wait), true
	}
	set, err := s.settings(ctx, n.Tenant, n.Recipient)
	if err != nil {
		return delivery.Retry(err), true
	}
	now, err := s.cfg.Store.Now(ctx)
	if err != nil {
		return delivery.Retry(err), true
	}
	now = now.In(s.zone(p, set))
	slot := s.slot(set.Digest, n.CreatedAt.In(now.Location()))
	until := set.QuietHours.quietUntil(now)
	if n.DigestID == "" && until.Before(slot) {
		until = slot
	}
	if now.Before(until) {
		if err := s.release(ctx, *n); err != nil {
			return delivery.Retry(err), true
		}
		return delivery.Later(min(until.Sub(now), s.cfg.Look)), true
	}
	if n.DigestID != "" {
		return res, false
	}
	if d.Attempts <= 1 && n.Channel == n.Channels[0] {
		if res, held = s.reroute(ctx, d, n, s.channels(p, set)); held {
			return res, true
		}
	}
	return s.gather(ctx, n, set.Digest, slot)
}

// release gives back the suppression keys that a notice, and those that it carries, have from a try before it had to wait
// for a time: a twin that may go now need not wait with it.
func (s *Service) release(ctx context.Context, n Notice) error {
	all := []Notice{n}
	if n.DigestID == n.ID {
		var err error
		if all, err = s.cfg.Store.Members(ctx, n.Tenant, n.ID); err != nil {
			return err
		}
	}
	for _, one := range all {
		if one.Subject == "" {
			continue
		}
		if err := s.cfg.Store.Release(ctx, one.Key(), one.ID); err != nil {
			return err
		}
	}
	return nil
}

// carried says whether another notice carries n. One that does so no more is forgotten.
func (s *Service) carried(ctx context.Context, n *Notice) (bool, error) {
	if n.DigestID == "" || n.DigestID == n.ID {
		return false, nil
	}
	carrier, err := s.cfg.Store.Get(ctx, n.Tenant, n.DigestID)
	if err == nil && carrier.State == Pending && carrier.Channel == n.Channel && carrier.DigestID == carrier.ID {
		return true, nil
	}
	if err != nil && !errors.Is(err, ErrUnknown) {
		return false, err
	}
	err = s.cfg.Store.Leave(ctx, n.Tenant, n.DigestID, n.ID)
	n.DigestID = ""
	return false, err
}

// reroute sends a notice that has waited by the channels that the person has chosen meanwhile.
func (s *Service) reroute(ctx context.Context, d delivery.Delivery, n *Notice, wanted []string) (res delivery.Result, moved bool) {
	if len(wanted) == 0 || slices.Equal(wanted, n.Channels) {
		return res, false
	}
	before := n.Channel
	n.Channels, n.Channel = wanted, wanted[0]
	var changed bool
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) (err error) {
		if changed, err = s.cfg.Store.Move(ctx, *n, before); err != nil || !changed || n.Channel == before {
			return err
		}
		return s.cfg.Deliveries.Enqueue(ctx, job(*n, d.ID))
	})
	switch {
	case err != nil:
		return delivery.Retry(err), true
	case !changed:
		return delivery.Later(s.cfg.Wait), true // it was gathered just now
	}
	return delivery.Cancel("the person has chosen another channel"), n.Channel != before
}

// gather makes n a carrier, unless another was first.
func (s *Service) gather(ctx context.Context, n *Notice, digest Digest, slot time.Time) (res delivery.Result, held bool) {
	most := s.cfg.DigestMost
	if digest != Hourly && digest != Daily {
		most = 1
	}
	var id string
	err := s.cfg.Store.Do(ctx, func(ctx context.Context) (err error) {
		id, err = s.cfg.Store.Gather(ctx, *n, slot, most)
		return err
	})
	switch {
	case err != nil:
		return delivery.Retry(err), true
	case id == n.ID:
		n.DigestID = id
		return res, false
	}
	return delivery.Later(s.cfg.Wait), true
}

// carry sends a carrier with all that it gathered. Those that are not to be sent now leave: their own deliveries settle
// what becomes of them. If the carrier itself is one, all leave.
func (s *Service) carry(ctx context.Context, n Notice, channel Channel) delivery.Result {
	members, err := s.cfg.Store.Members(ctx, n.Tenant, n.ID)
	if err != nil {
		return delivery.Retry(err)
	}
	p, err := s.cfg.Directory.Person(ctx, n.Tenant, n.Recipient)
	if err != nil {
		return delivery.Retry(err)
	}
	res, ready := s.ready(ctx, n)
	var content Content
	if ready {
		if content, err = s.content(ctx, n, p); err != nil {
			res, ready = unsaid(err), false
		}
	}
	if !ready {
		return s.disband(ctx, n, members, res)
	}
	var items []Content
	var leaving []string
	for _, m := range members {
		if m.ID == n.ID {
			items = append(items, content)
			continue
		}
		if item, err := s.content(ctx, m, p); err == nil {
			if _, ready := s.ready(ctx, m); ready {
				items = append(items, item)
				continue
			}
		}
		leaving = append(leaving, m.ID)
	}
	if err := s.cfg.Store.Leave(ctx, n.Tenant, n.ID, leaving...); err != nil {
		return delivery.Retry(err)
	}
	if len(items) > 1 {
		if content, err = s.several(items, p); err != nil {
			return s.disband(ctx, n, members, delivery.Fail(err))
		}
	}
	return bring(ctx, channel, p, n, content)
}

// disband makes all leave the carrier, itself included.
func (s *Service) disband(ctx context.Context, n Notice, members []Notice, res delivery.Result) delivery.Result {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	if err := s.cfg.Store.Leave(ctx, n.Tenant, n.ID, ids...); err != nil {
		return delivery.Retry(err)
	}
	return res
}

// several fills the template of digests in.
func (s *Service) several(contents []Content, p identity.Person) (Content, error) {
	items := make([]Item, len(contents))
	for i, c := range contents {
		items[i] = Item{Subject: c.Subject, Text: c.Text, HTML: htmltemplate.HTML(c.HTML)} //nolint:gosec // html/template made it
	}
	out, err := s.digest.fill(map[string]any{"Items": items, "Recipient": p})
	return out, retry.Permanent(err)
}
