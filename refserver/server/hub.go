package server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/export"
	"github.com/renkei-go/renkei/staff/graphsync"
	"github.com/renkei-go/renkei/staff/graphsync/graphsyncbun"
	"github.com/renkei-go/renkei/staff/scim"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/outboxbun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

// notifier is a transport.Notifier that is known only later: the notices need the directory, which warns by notices.
type notifier func(ctx context.Context, notices ...transport.Notice) error

func (f notifier) Notify(ctx context.Context, notices ...transport.Notice) error {
	return f(ctx, notices...)
}

// wireStaff makes the directory.
func (p *parts) wireStaff(cfg Config, outbox transport.Outbox) (err error) {
	store := staffbun.New(p.db)
	late := staff.LateByDefault()
	late[staff.SystemEntra] = max(late[staff.SystemEntra], 2*cfg.Entra.Interval)
	p.staff, err = staff.New(staff.Config{
		Late: late, Deactivations: cfg.Guard,
		Store: store, Keepers: map[string]staff.Keeper{"scim": scim.Keeper(store), "entra": graphsync.Keeper(graphsyncbun.New(p.db))}, Audit: p.audit, Outbox: outbox, Now: p.db.Clock, UserIDs: userIDs(cfg.MailDomains),
		Notifier: notifier(func(ctx context.Context, notices ...transport.Notice) error { return p.notices.Notify(ctx, notices...) }),
	})
	return err
}

// userIDs gives new hires the local part of their address as user id, if the address is one of the organisation's own.
func userIDs(domains []string) func(identity.TenantID, staff.Person) string {
	return func(_ identity.TenantID, p staff.Person) string {
		local, domain, _ := strings.Cut(identity.NormalEmail(p.Email), "@")
		for _, own := range domains {
			if identity.NormalEmail("x@"+own) == "x@"+domain {
				return local
			}
		}
		return ""
	}
}

// wireHub makes what external systems meet: webhooks and exports.
func (p *parts) wireHub(cfg Config, log *slog.Logger) error {
	blocks, err := prefixes(cfg.AllowPrivate)
	if err != nil {
		return err
	}
	guard, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: blocks})
	if err != nil {
		return err
	}
	store := webhookbun.New(p.db)
	p.hooks, err = webhook.New(webhook.Config{
		Deliveries: p.queue, Store: store, Sealer: p.keys.seal, Guard: guard, Audit: p.audit, Log: store,
		EventTypes: staff.EventTypes(), View: p.staff.Webhook, OnWarning: p.staff.WarnOfWebhook, Now: p.db.Clock, Stamp: time.Now, Logger: log,
	})
	if err != nil {
		return err
	}
	p.exports, err = export.New(export.Config{People: p.staff, Store: staffbun.New(p.db), Audit: p.audit, Do: p.db.Do, Now: p.db.Clock})
	return err
}

// routeWebhooks hands the events that others may subscribe to from the router to the webhooks.
func (p *parts) routeWebhooks() {
	for _, event := range staff.EventTypes() {
		p.router.HandleBatch("webhooks of "+event, event, p.hooks.Handle)
	}
}

// errBeingSent has the router try again, for as long as a receiver may take.
var errBeingSent = fault.New(fault.Unavailable, "being_sent", "a webhook about the person is just being sent")

// withdraw forgets what was told of who was erased since, and cancels what was still to be told: a receiver that was
// away, or a subscription that was paused, would get it afterwards, and so would whoever asks for it again.
func (p *parts) withdraw(ctx context.Context, ev transport.Event) error {
	about := delivery.Filter{Kind: webhook.Kind, Subject: ev.Subject}
	for next := (page.Request{Limit: page.MaxLimit}); ; {
		cut, err := p.queue.List(ctx, ev.Tenant, about, next)
		if err != nil {
			return err
		}
		var ids []string
		for _, d := range cut.Items {
			if tellsOfErasure(d) {
				continue
			}
			if d.State == delivery.Pending {
				err = p.deliveries.Cancel(ctx, ev.Tenant, d.ID, "the person was erased")
			}
			if d.State == delivery.Leased || errors.Is(err, delivery.ErrNotPending) {
				return errBeingSent
			}
			if err != nil {
				return err
			}
			ids = append(ids, d.ID)
		}
		if _, err := p.queue.Forget(ctx, ev.Tenant, ids...); err != nil {
			return err
		}
		if next.Cursor = cut.Next; next.Cursor == "" {
			break
		}
	}
	if err := webhookbun.New(p.db).Forget(ctx, ev.Tenant, ev.Subject, ev.Time); err != nil {
		return err
	}
	return outboxbun.New(p.db).Forget(ctx, ev.Tenant, ev.Subject, ev.Time)
}

// tellsOfErasure says whether a delivery has nothing personal in it, but that somebody was erased.
func tellsOfErasure(d delivery.Delivery) bool {
	var body struct {
		Data staff.EventData `json:"data"`
	}
	return d.Decode(&body) == nil && body.Data.Erased
}
