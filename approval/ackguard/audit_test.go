package ackguard_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/audit/audittest"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// audited lets one request go its way: asked, acknowledged, taken back, acknowledged again, decided by somebody, with
// templates that apply; some end otherwise.
func (r *rig) audited(t *testing.T, n int) {
	t.Helper()
	q := r.submit(t)
	d, _ := r.ask(t, q, "bob", "hr")
	r.ack(t, d.ID, "bob")
	if err := r.act(t.Context(), "manager", q, ""); !errors.Is(err, approval.ErrDenied) {
		t.Error(err)
	}
	if _, err := r.acks.Revoke(t.Context(), as("bob"), d.ID); err != nil {
		t.Error(err)
	}
	r.ack(t, d.ID, "bob", "hr")
	var err error
	switch n % 4 {
	case 0:
		err = r.act(t.Context(), "manager", q, "")
	case 1:
		err = r.act(t.Context(), "exec", q, "") // in the manager's place
	case 2:
		_, err = r.approvals.Withdraw(t.Context(), as("alice"), q.ID, "not needed")
	case 3:
		_, err = r.acks.Cancel(t.Context(), as("mgmt"), d.ID, "moot")
	}
	if err != nil {
		t.Error(err)
	}
}

// TestAuditChain: after many approvals and acknowledgements at once, with a sealer at work beside them, the chain holds and
// has every entry; and an edited entry, a removed one and a cut tail are each found.
func TestAuditChain(t *testing.T) {
	sqldbtest.Each(t, append([]sqldb.Migration{auditbun.Migrations}, migrations...), func(t *testing.T, db *sqldb.DB) {
		t.Helper()
		ctx := t.Context()
		r, trail := newRig(t, db), auditbun.New(db)
		r.cfg.Audit, r.acksCfg.Audit = trail, trail
		r.open(t)
		sealer, err := audit.NewSealer(audit.SealerConfig{Store: trail, Keys: audittest.Keys()})
		if err != nil {
			t.Fatal(err)
		}
		r.template(t, "bob")
		if _, err := r.approvals.NameSubstitute(ctx, as("manager"), approval.NewSubstitution{SubstituteID: "exec"}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.approvals.ChangePolicy(ctx, as("admin"), approval.Policy{Flow: approval.BookingFlow, Rules: approval.DefaultRules()}, 0); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for n := range 12 {
			wg.Go(func() { r.audited(t, n) })
			if _, err := sealer.Sweep(ctx, 7); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		for {
			n, err := sealer.Sweep(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		head, err := sealer.Head(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		verify := func() audit.Report {
			t.Helper()
			report, err := audit.Verify(ctx, trail, "acme", audittest.Keys(), &head)
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		if report := verify(); !report.OK() || report.Unsealed != 0 || report.Sealed < 12*7 {
			t.Fatalf("%+v", report)
		}
		for action, want := range map[string]int{ // a link has an entry at either end
			"approval_created": 12, "approval_approve": 6, "approval_cancel": 3, "chat_ack_request_canceled": 3, "chat_ack_revoked": 12, "chat_ack_added": 36,
			"chat_ack_link_created": 2 * (12 + 6), "chat_ack_template_applied": 6, approval.ActionSubstituteNamed: 1, approval.ActionPolicyChanged: 1,
		} {
			if p, err := trail.List(ctx, "acme", audit.Filter{Action: action}, page.Request{Limit: page.MaxLimit}); err != nil || len(p.Items) != want {
				t.Errorf("%s: %d entries, want %d, %v", action, len(p.Items), want, err)
			}
		}
		tamper := func(query string, args ...any) {
			t.Helper()
			if _, err := db.IDB(ctx).ExecContext(ctx, query, args...); err != nil {
				t.Fatal(err)
			}
		}
		found := func(kind audit.Kind, seq int64) {
			t.Helper()
			report := verify()
			for _, p := range report.Problems {
				if p.Kind == kind && p.Seq == seq {
					return
				}
			}
			t.Errorf("no %s at %d in %+v", kind, seq, report.Problems)
		}
		const who = "UPDATE audit_entries SET actor_id = ? WHERE seq = 10"
		entries, err := trail.Sealed(ctx, "acme", 9, 1)
		if err != nil || len(entries) != 1 {
			t.Fatal(err)
		}
		tamper(who, "somebody else")
		found(audit.Edited, 10)
		tamper(who, entries[0].ActorID) // as it was
		if report := verify(); !report.OK() {
			t.Errorf("%+v", report)
		}
		tamper("DELETE FROM audit_entries WHERE seq = 20")
		found(audit.Removed, 20)
		tamper("DELETE FROM audit_entries WHERE seq = (SELECT max(seq) FROM audit_entries)")
		tamper("UPDATE audit_chains SET (seq, key_id, digest, mac) = (SELECT seq, key_id, digest, mac FROM audit_entries ORDER BY seq DESC LIMIT 1)")
		found(audit.CutTail, head.Seq)
	})
}
