package staff_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/staff"
)

func TestKeys(t *testing.T) {
	each(t, func(t *testing.T, h *hub) {
		ctx := t.Context()
		use := func(plain secret.String, from string) error {
			_, err := h.Authenticate(ctx, plain, staff.Use{Method: "GET", Path: "/api/x", Address: from})
			return err
		}
		by, k, plain := h.key(t, staff.NewKey{Name: "hr", Scopes: []staff.Scope{staff.ScopeRead}, ExpiresAt: t0.Add(time.Hour)})
		if !strings.HasPrefix(plain.Reveal(), k.Prefix) || !strings.HasPrefix(k.Prefix, staff.KeyPrefix) {
			t.Errorf("prefix %q", k.Prefix)
		}
		want(t, "scopes", by.Scopes, []string{"staff:read", "fields:basic", "fields:work"})
		if id, ok := staff.KeyOf(by); !ok || id != k.ID || by.Tenant != "acme" {
			t.Errorf("principal %+v", by)
		}
		for name, c := range map[string]struct{ plain, want string }{
			"unknown": {secret.NewToken(staff.KeyPrefix).Reveal(), "invalid_api_key"}, "no key": {"demo-admin", "invalid_api_key"},
		} {
			want(t, name, fault.ReasonOf(use(secret.NewString(c.plain), "192.0.2.1")), c.want)
		}
		h.now = t0.Add(time.Hour)
		want(t, "expired", fault.ReasonOf(use(plain, "192.0.2.1")), "api_key_expired")
		h.now = t0

		fenced, inside := h.newKey(t, staff.NewKey{Name: "fenced", CIDRs: []string{"192.0.2.0/24", "2001:db8::1"}})
		for from, ok := range map[string]bool{"192.0.2.77": true, "::ffff:192.0.2.5": true, "2001:db8::1": true, "198.51.100.1": false, "": false, "2001:db8::2": false} {
			if err := use(inside, from); (err == nil) != ok || err != nil && !errors.Is(err, staff.ErrKeyAddress) {
				t.Errorf("from %q: %v", from, err)
			}
		}
		_, next, err := h.RotateKey(ctx, admin, fenced.ID, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []secret.String{inside, next} {
			if err := use(s, "192.0.2.1"); err != nil {
				t.Errorf("while it rotates: %v", err)
			}
		}
		h.now = t0.Add(time.Minute)
		want(t, "the old secret afterwards", fault.ReasonOf(use(inside, "192.0.2.1")), "api_key_expired")
		if err := h.RevokeKey(ctx, admin, fenced.ID); err != nil {
			t.Fatal(err)
		}
		want(t, "revoked", fault.ReasonOf(use(next, "192.0.2.1")), "api_key_revoked")
		if _, _, err := h.RotateKey(ctx, admin, fenced.ID, 0); !errors.Is(err, staff.ErrKeyRevoked) {
			t.Errorf("rotate what is revoked: %v", err)
		}

		old := strings.Repeat("0123456789abcdef", 4) // of the service of seed 001, which stored SHA-256
		if _, _, err := h.CreateKey(ctx, admin, staff.NewKey{Name: "taken over", Hash: secret.HashToken(old)}); err != nil {
			t.Fatal(err)
		}
		if err := use(secret.NewString(old), "192.0.2.1"); err != nil {
			t.Errorf("a key that was taken over: %v", err)
		}
		_, hex := h.newKey(t, staff.NewKey{Name: "hex", Hex: true})
		if len(hex.Reveal()) != 64 || use(hex, "192.0.2.1") != nil {
			t.Error("a key of 64 hex characters does not work")
		}
		if _, _, err := h.CreateKey(ctx, admin, staff.NewKey{Name: "hex"}); !errors.Is(err, staff.ErrDuplicateKey) {
			t.Errorf("the same name: %v", err)
		}
		for _, n := range []staff.NewKey{
			{}, {Name: "x", Scopes: []staff.Scope{"all"}}, {Name: "x", Groups: staff.Groups{"all"}}, {Name: "x", CIDRs: []string{"here"}},
			{Name: "x", ExpiresAt: t0}, {Name: "x", SystemType: "moon"}, {Name: "x", Hash: "abc"},
		} {
			if _, _, err := h.CreateKey(ctx, admin, n); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", n, err)
			}
		}
		if _, _, err := h.CreateKey(ctx, by, staff.NewKey{Name: "x"}); !errors.Is(err, staff.ErrForbidden) {
			t.Errorf("a key makes a key: %v", err)
		}
		if n := len(h.ledger.Lines(t, "audit", staff.ActionKeyUse)); n < 6 {
			t.Errorf("%d uses are audited", n)
		}
		if len(h.ledger.Lines(t, "audit", staff.ActionKeyRefuse)) == 0 {
			t.Error("no refusal is audited")
		}
		for _, listed := range must[page.Page[staff.Key]](t)(h.ListKeys(ctx, admin, page.Request{})).Items {
			if strings.Contains(fmt.Sprintf("%+v", listed), plain.Reveal()) {
				t.Error("a list shows a secret")
			}
		}
	})
}

func (h *hub) newKey(t *testing.T, n staff.NewKey) (staff.Key, secret.String) {
	t.Helper()
	k, plain, err := h.CreateKey(t.Context(), admin, n)
	if err != nil {
		t.Fatal(err)
	}
	return k, plain
}
