package webhook_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

func TestTenantsAreApart(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		s, sink := newSite(t, db, webhook.Config{Log: webhookbun.New(db)}), newSink(t)
		sub := s.subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		s.publish(t, ctx, transport.Event{ID: "e1"})
		s.drain(t, ctx)
		id := s.records(t, ctx, sub.ID)[0].ID
		calls := map[string]func(by identity.Principal) error{
			"Get": func(by identity.Principal) error { _, err := s.hooks.Get(ctx, by, sub.ID); return err },
			"Update": func(by identity.Principal) error {
				_, err := s.hooks.Update(ctx, by, sub.ID, webhook.Change{})
				return err
			},
			"Pause":  func(by identity.Principal) error { return s.hooks.Pause(ctx, by, sub.ID) },
			"Resume": func(by identity.Principal) error { _, err := s.hooks.Resume(ctx, by, sub.ID, true); return err },
			"RotateSecret": func(by identity.Principal) error {
				_, err := s.hooks.RotateSecret(ctx, by, sub.ID, webhook.Rotation{})
				return err
			},
			"Ping": func(by identity.Principal) error { _, err := s.hooks.Ping(ctx, by, sub.ID); return err },
			"Deliveries": func(by identity.Principal) error {
				_, err := s.hooks.Deliveries(ctx, by, sub.ID, page.Request{})
				return err
			},
			"Resend": func(by identity.Principal) error { _, err := s.hooks.Resend(ctx, by, sub.ID, id, ""); return err },
			"Recover": func(by identity.Principal) error {
				_, err := s.hooks.Recover(ctx, by, sub.ID, time.Time{}, true)
				return err
			},
			"ReplayMissing": func(by identity.Principal) error {
				_, err := s.hooks.ReplayMissing(ctx, by, sub.ID, time.Time{}, true)
				return err
			},
			"Delete": func(by identity.Principal) error { return s.hooks.Delete(ctx, by, sub.ID) },
		}
		for name, call := range calls {
			if err := call(mallory); fault.CodeOf(err) != fault.NotFound {
				t.Errorf("%s by another tenant: %v", name, err)
			}
		}
		if cut, err := s.hooks.List(ctx, mallory, webhook.Filter{}, page.Request{}); err != nil || len(cut.Items) != 0 {
			t.Errorf("%v, %v", cut, err)
		}
		if err := s.hooks.Publish(ctx, transport.Event{Tenant: mallory.Tenant, Type: "person.updated"}); err != nil || s.drain(t, ctx) != 0 {
			t.Errorf("an event of another tenant: %v", err)
		}
		if _, err := s.hooks.Subscribe(ctx, identity.Principal{}, webhook.Subscription{URL: sink.URL, Events: []string{"*"}}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("without a tenant: %v", err)
		}
		for name, call := range calls {
			if name == "Delete" || name == "Pause" {
				continue
			}
			if err := call(alice); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := strings.Join(s.trail.actions, " "); !strings.Contains(got, "webhook_subscribe") || !strings.Contains(got, "webhook_resend") {
			t.Errorf("audit: %s", got)
		}
	})
}

func TestReseal(t *testing.T) {
	each(t, func(t *testing.T, ctx context.Context, db *sqldb.DB) {
		sink := newSink(t)
		k1, k2 := "k1:"+secret.NewKey().Reveal(), "k2:"+secret.NewKey().Reveal()
		with := func(keys string) *site {
			s := newSite(t, db, webhook.Config{})
			sealer, err := secret.ParseKeys(keys)
			if err != nil {
				t.Fatal(err)
			}
			if s.hooks, err = webhook.New(webhook.Config{Store: webhookbun.New(db), Deliveries: s.queue, Sealer: sealer, Guard: loopback(t, webhook.GuardConfig{})}); err != nil {
				t.Fatal(err)
			}
			s.engine, err = delivery.New(delivery.Config{Queue: s.queue, Kinds: map[string]delivery.Kind{webhook.Kind: s.hooks.DeliveryKind()}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		sub := with(k1).subscribe(t, ctx, webhook.Subscription{URL: sink.URL, Events: []string{"*"}})
		if _, err := with(k2).hooks.Get(ctx, alice, sub.ID); fault.CodeOf(err) != fault.Internal {
			t.Errorf("without its key: %v", err)
		}
		for _, want := range []int{1, 0} {
			if n, err := with(k2 + "," + k1).hooks.Reseal(ctx); err != nil || n != want {
				t.Errorf("%d, %v, want %d", n, err, want)
			}
		}
		s := with(k2)
		s.publish(t, ctx, transport.Event{ID: "e1"})
		s.drain(t, ctx)
		if got := sink.take(); len(got) != 1 {
			t.Errorf("%d came", len(got))
		} else if _, err := webhook.Verify(got[0].again(), sub.Secret.Reveal()); err != nil {
			t.Errorf("%v", err)
		}
	})
}
