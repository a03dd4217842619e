package ackflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/ackflow"
)

func TestVerdicts(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for _, c := range []struct {
			target ackflow.Target
			reason string
		}{
			{ackflow.Target{}, ackflow.TargetRequired}, {ackflow.Target{Table: table}, ackflow.TargetRequired},
			{ackflow.Target{ID: "a1"}, ackflow.TargetRequired}, {ackflow.Target{Table: "invoices", ID: "1"}, ackflow.UnsupportedTarget},
			{target, ackflow.MissingLink},
		} {
			v := r.evaluate(t, c.target)
			if v.OK || len(v.Failures) != 1 || v.Failures[0].Reason != c.reason || v.Failures[0].Type != "chat_ack_completed" {
				t.Errorf("%v: %+v", c.target, v)
			}
		}
		d := r.ask(t, "alice", asking("bob", "carol"))
		r.link(t, d.ID, target)
		f := lacks(t, r.evaluate(t, target))
		if len(f) != 1 || f[0].Reason != ackflow.RequestIncomplete || !slices.Equal(f[0].IncompleteUserIDs, []string{"bob", "carol"}) {
			t.Errorf("%+v", f)
		}
		r.ack(t, d.ID, "bob")
		f = lacks(t, r.evaluate(t, target))
		if f[0].AckedCount != 1 || f[0].RequiredCount != 2 || !slices.Equal(f[0].IncompleteUserIDs, []string{"carol"}) {
			t.Errorf("%+v", f)
		}
		r.ack(t, d.ID, "carol")
		if v := r.evaluate(t, target); !v.OK || len(v.Failures) != 0 {
			t.Errorf("%+v", v)
		}
		// All linked requests count.
		second := r.ask(t, "alice", asking("dave"))
		r.link(t, second.ID, target)
		f = lacks(t, r.evaluate(t, target))
		if len(f) != 1 || f[0].ID != second.ID {
			t.Errorf("%+v", f)
		}
	})
}

func TestWhatARequestLacks(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		now, _ := r.db.Now(t.Context())
		soon := asking("bob")
		soon.DueAt = now.Add(time.Hour)
		expired, late := r.ask(t, "alice", soon), r.ask(t, "alice", soon)
		canceled, deleted, purged := r.ask(t, "alice", asking("bob")), r.ask(t, "alice", asking("bob")), r.ask(t, "alice", asking("bob"))
		edited, empty := r.ask(t, "alice", asking("bob")), r.ask(t, "alice", asking("bob"))
		reasons := map[string]string{}
		for id, reason := range map[string]string{
			expired.ID: "expired", late.ID: "", canceled.ID: "canceled", deleted.ID: "message_deleted", purged.ID: "message_missing",
			edited.ID: "incomplete", empty.ID: "required_users_empty",
		} {
			r.link(t, id, target)
			if reason != "" {
				reasons[id] = reason
			}
		}
		r.db.AdvanceClock(2 * time.Hour)
		r.ack(t, late.ID, "bob") // complete but late passes
		for _, d := range []ackflow.Detail{canceled, deleted, purged, edited} {
			r.ack(t, d.ID, "bob")
		}
		if _, err := r.Cancel(t.Context(), as("alice"), canceled.ID, ""); err != nil {
			t.Error(err)
		}
		if err := r.DeleteMessage(t.Context(), as("alice"), deleted.MessageID); err != nil {
			t.Error(err)
		}
		if _, err := r.EditMessage(t.Context(), as("alice"), edited.MessageID, "The office moves on Tuesday."); err != nil {
			t.Error(err)
		}
		for _, damage := range []string{
			"DELETE FROM chat_messages WHERE id = '" + purged.MessageID + "'",
			"UPDATE chat_ack_requests SET missing = 0, required = 0 WHERE id = '" + empty.ID + "'",
		} {
			if _, err := r.db.IDB(t.Context()).ExecContext(t.Context(), damage); err != nil {
				t.Fatal(err)
			}
		}
		got := map[string]string{}
		var order []string
		for _, f := range lacks(t, r.evaluate(t, target)) {
			got[f.ID] = f.Reason
			order = append(order, f.ID)
			if (f.DueAt != nil) != (f.ID == expired.ID) || f.DueAt != nil && !f.DueAt.Equal(expired.DueAt) {
				t.Errorf("due %v", f.DueAt)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(reasons) || !slices.IsSorted(order) {
			t.Errorf("got %v, want %v", got, reasons)
		}
	})
}

func TestTwentyAreNamed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for _, n := range []int{20, 21} {
			people := make([]string, n)
			for i := range people {
				people[i] = fmt.Sprintf("u%02d", i)
			}
			r.cfg.Directory = everybody{}
			r.Service = r.open(t)
			d := r.ask(t, "alice", asking(people...))
			to := ackflow.Target{Table: table, ID: fmt.Sprint("n", n)}
			r.targets.Add(to.ID)
			r.link(t, d.ID, to)
			f := lacks(t, r.evaluate(t, to))[0]
			if !slices.Equal(f.IncompleteUserIDs, people[:20]) || f.IncompleteTruncated != (n > 20) || f.RequiredCount != n {
				t.Errorf("%d: %+v", n, f)
			}
		}
	})
}

// TestVerdictShape is the wire form of seed 002.
func TestVerdictShape(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		ids := []string{"m1", "r1", "l1"}
		r.cfg.NewID = func() string {
			id := ids[0]
			ids = ids[1:]
			return id
		}
		r.Service = r.open(t)
		n := asking("bob")
		n.DueAt = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		r.link(t, r.ask(t, "alice", n).ID, target)
		got, err := json.Marshal(r.evaluate(t, target).Failures)
		const want = `[{"type":"chat_ack_completed","reason":"incomplete","details":{"missingAckRequestIds":["r1"],"requests":[{"id":"r1",` +
			`"reason":"incomplete","dueAt":"2100-01-01T00:00:00Z","requiredCount":1,"ackedCount":0,"incompleteUserIds":["bob"],` +
			`"incompleteTruncated":false}],"targetId":"a1","targetTable":"approval_instances"}}]`
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	})
}

// TestNothingSlipsThrough holds a decision's transaction open after its verdict: whatever would change the verdict has to
// wait until the decision is made. A guard outside of the transaction would let every one of them through.
func TestNothingSlipsThrough(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for name, change := range map[string]func(ctx context.Context, d ackflow.Detail) error{
			"revoke": func(ctx context.Context, d ackflow.Detail) error {
				_, err := r.Revoke(ctx, as("bob"), d.ID)
				return err
			},
			"cancel": func(ctx context.Context, d ackflow.Detail) error {
				_, err := r.Cancel(ctx, as("alice"), d.ID, "")
				return err
			},
			"edit": func(ctx context.Context, d ackflow.Detail) error {
				_, err := r.EditMessage(ctx, as("alice"), d.MessageID, "other")
				return err
			},
			"delete": func(ctx context.Context, d ackflow.Detail) error {
				return r.DeleteMessage(ctx, as("alice"), d.MessageID)
			},
			"new link": func(ctx context.Context, d ackflow.Detail) error {
				open, err := r.Ask(ctx, as("alice"), asking("carol"))
				if err != nil {
					return err
				}
				_, err = r.CreateLink(ctx, as("mgmt"), ackflow.NewLink{AckRequestID: open.ID, TargetTable: table, TargetID: d.ID})
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				d := r.ask(t, "alice", asking("bob"))
				to := ackflow.Target{Table: table, ID: d.ID} // a target of its own
				r.targets.Add(to.ID)
				r.link(t, d.ID, to)
				r.ack(t, d.ID, "bob")
				changed := make(chan error, 1)
				err := r.db.Do(t.Context(), func(ctx context.Context) error {
					v, err := r.Evaluate(ctx, "acme", to)
					if err != nil || !v.OK {
						t.Errorf("before: %+v, %v", v, err)
					}
					go func() { changed <- change(t.Context(), d) }()
					r.waitForWaiter(ctx, t, changed)
					again, err := r.Evaluate(ctx, "acme", to)
					if err != nil || !again.OK {
						t.Errorf("it changed before the decision: %+v, %v", again, err)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := <-changed; err != nil {
					t.Fatal(err)
				}
				if v := r.evaluate(t, to); v.OK {
					t.Errorf("after: %+v", v)
				}
			})
		}
	})
}

// waitForWaiter returns when the database shows somebody waiting for the transaction in ctx. On SQLite the one writer is
// ours, so whoever comes waits.
func (r *rig) waitForWaiter(ctx context.Context, t *testing.T, changed <-chan error) {
	t.Helper()
	for waiting := !r.db.IsPostgres(); !waiting; {
		err := r.db.IDB(ctx).NewRaw("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))").
			Scan(ctx, &waiting)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-changed:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
	}
}

// TestRevokeAgainstDecision lets revocations and decisions race: whoever decided had a whole set of acknowledgements when
// the decision was committed.
func TestRevokeAgainstDecision(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		const rounds = 25
		decided, refused := 0, 0
		for i := range rounds {
			d := r.ask(t, "alice", asking("bob", "carol"))
			r.targets.Add(d.ID)
			to := ackflow.Target{Table: table, ID: d.ID}
			r.link(t, d.ID, to)
			r.ack(t, d.ID, "bob", "carol")
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := r.Revoke(t.Context(), as("bob"), d.ID); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				err := r.db.Do(t.Context(), func(ctx context.Context) error {
					v, err := r.Evaluate(ctx, "acme", to)
					if err != nil || !v.OK {
						return err
					}
					// The ledger is written in the transactions, so its order is the order of the commits of what excludes each other.
					return r.ledger.Publish(ctx, decision(d.ID))
				})
				if err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			var made, revoked int64
			for _, l := range r.ledger.Lines(t, "event", "") {
				if l.Target != ackflow.TargetKind+"/"+d.ID {
					continue
				}
				switch l.Name {
				case "decision":
					made = l.ID
				case ackflow.EventRevoked:
					revoked = l.ID
				}
			}
			switch {
			case made == 0:
				refused++
			case made < revoked:
				decided++
			default:
				t.Errorf("round %d: decided at %d after the revocation at %d", i, made, revoked)
			}
		}
		t.Logf("%d decided, %d refused", decided, refused)
	})
}
