package approval_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/renkei-go/renkei/approval"
	"github.com/renkei-go/renkei/approval/approvaltest"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/transport"
)

// link makes a link for the manager.
func (r *rig) link(tb testing.TB, q approval.Request) string {
	tb.Helper()
	token, err := r.NewLink(tb.Context(), q.Tenant, q.ID, "manager")
	if err != nil {
		tb.Fatal(err)
	}
	return token.Reveal()
}

// refusal is what looking at a link says.
func (r *rig) refusal(tb testing.TB, token string) error {
	tb.Helper()
	l, err := r.OpenLink(tb.Context(), token)
	if err != nil {
		tb.Fatal(err)
	}
	return l.Refusal
}

// TestLinkIsUsedOnce: of many who send the form at once, on two nodes, one decides; a refused decision leaves it good.
func TestLinkIsUsedOnce(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		nodes := []*approval.Service{r.Service, r.open(t)}
		for range 5 {
			q := r.submit(t, as("alice"))
			token := r.link(t, q)
			if _, err := r.ActByLink(t.Context(), token, approval.Decision{Action: approval.Reject}); !errors.Is(err, approval.ErrReasonRequired) {
				t.Errorf("%v", err)
			}
			if err := r.refusal(t, token); err != nil {
				t.Errorf("a refused decision has used it up: %v", err)
			}
			var won atomic.Int64
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					_, err := nodes[i%2].ActByLink(t.Context(), token, approve)
					if err == nil {
						won.Add(1)
					} else if !errors.Is(err, approval.ErrLinkUsed) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := r.get(t, q); won.Load() != 1 || got.Status != approval.Approved || got.Outcome.By != "manager" || len(got.Steps[0].Decisions) != 1 {
				t.Errorf("%d won, %+v", won.Load(), got)
			}
			if err := r.refusal(t, token); !errors.Is(err, approval.ErrLinkUsed) {
				t.Errorf("%v", err)
			}
		}
	})
}

// TestLinkAndActionAreOne: when the program's own transaction fails, the link is as good as before.
func TestLinkAndActionAreOne(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		q := r.submit(t, as("alice"))
		token := r.link(t, q)
		undo := errors.New("undo")
		err := r.db.Do(t.Context(), func(ctx context.Context) error {
			if _, err := r.ActByLink(ctx, token, approve); err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) || r.refusal(t, token) != nil || r.get(t, q).Status != approval.Pending {
			t.Errorf("%v, %v, %s", err, r.refusal(t, token), r.get(t, q).Status)
		}
		r.things.broken = func(approval.Request) error { return undo }
		if _, err := r.ActByLink(t.Context(), token, approve); !errors.Is(err, undo) || r.refusal(t, token) != nil {
			t.Errorf("%v", err)
		}
	})
}

// TestLinkRefusals: everything that keeps the person of a link from deciding when signed in keeps them here, and somebody
// whom it does not concern any more sees nothing of the request.
func TestLinkRefusals(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		company := approvaltest.Company()
		for name, c := range map[string]struct {
			then   func(q approval.Request)
			want   error
			hidden bool
		}{
			"decided":   {func(q approval.Request) { r.says(t, q, "manager") }, approval.ErrDecided, false},
			"withdrawn": {func(q approval.Request) { _ = second(r.Withdraw(t.Context(), as("alice"), q.ID, "x")) }, approval.ErrDecided, false},
			"late":      {func(approval.Request) { r.db.AdvanceClock(49 * time.Hour) }, approval.ErrExpired, false},
			"left": {func(approval.Request) {
				r.cfg.Directory = company.With("manager", func(p *identity.Person) { p.Active = false })
			}, approval.ErrNotApprover, true},
			"deleted":    {func(approval.Request) { r.cfg.Directory = company[:1] }, approval.ErrNotApprover, true},
			"a delegate": {func(approval.Request) { r.cfg.Delegates = delegates{"alice": {"manager"}}.of }, approval.ErrSelfApproval, true},
			"revised": {func(q approval.Request) {
				err := r.Revise(t.Context(), as("alice"), approval.Submission{Subject: q.Subject, Flow: q.Flow, Facts: approval.Facts{"attendees": 12}, Content: 2})
				if err != nil {
					t.Fatal(err)
				}
			}, approval.ErrStaleContent, false},
		} {
			r.cfg.Directory, r.cfg.Delegates = company, nil
			r.Service = r.open(t)
			q := r.submit(t, as("alice"))
			token := r.link(t, q)
			c.then(q)
			r.Service = r.open(t)
			l, err := r.OpenLink(t.Context(), token)
			if err != nil || !errors.Is(l.Refusal, c.want) || (l.ID == "") != c.hidden || l.Person.ID != "manager" {
				t.Errorf("%s, looking: %+v, %v", name, l, err)
			}
			if before := r.get(t, q).Status; c.want == approval.ErrExpired && before != approval.Pending {
				t.Errorf("%s: looking ended it as %s", name, before)
			}
			if _, err := r.ActByLink(t.Context(), token, approve); !errors.Is(err, c.want) {
				t.Errorf("%s, acting: %v", name, err)
			}
		}
		if _, err := r.OpenLink(t.Context(), "ra_x"); !errors.Is(err, approval.ErrLink) {
			t.Errorf("%v", err)
		}
		if _, err := r.ActByLink(t.Context(), "ra_x", approve); !errors.Is(err, approval.ErrLink) {
			t.Errorf("%v", err)
		}
	})
}

// TestNewLink: for those who may decide now, and nobody else.
func TestNewLink(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		r.stand(t, "manager", "hr")
		q, done, late := r.submit(t, as("alice")), r.submit(t, as("alice")), r.submit(t, as("alice"))
		r.says(t, done, "manager")
		for who, want := range map[string]error{"manager": nil, "hr": nil, "alice": approval.ErrNotApprover, "admin": approval.ErrNotApprover, "": approval.ErrNotApprover} {
			if _, err := r.NewLink(t.Context(), "acme", q.ID, who); !errors.Is(err, want) {
				t.Errorf("%s: %v", who, err)
			}
		}
		if _, err := r.NewLink(t.Context(), "other", q.ID, "manager"); !errors.Is(err, approval.ErrNotFound) {
			t.Errorf("another tenant: %v", err)
		}
		if _, err := r.NewLink(t.Context(), "acme", done.ID, "manager"); !errors.Is(err, approval.ErrDecided) {
			t.Errorf("decided: %v", err)
		}
		one, two := r.link(t, q), r.link(t, q)
		if one == two || len(one) != 46 || !strings.HasPrefix(one, "ra_") {
			t.Errorf("tokens %q %q", one, two)
		}
		r.db.AdvanceClock(49 * time.Hour)
		if _, err := r.NewLink(t.Context(), "acme", late.ID, "manager"); !errors.Is(err, approval.ErrExpired) {
			t.Errorf("late: %v", err)
		}
	})
}

// TestFill: a notice that asks for a decision gets a link of its recipient's own; others, those that are moot, and those
// that others read none. What was hidden since it was stored is not in it.
func TestFill(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		told := &recorder{}
		r.cfg.Notifier = told
		r.Service = r.open(t)
		q := r.submit(t, as("alice"))
		address := func(token string) string { return "https://x.example/" + token }
		more, err := r.Fill(t.Context(), told.notices[0], address)
		link, _ := more[approval.DecideURL].(string)
		token := strings.TrimPrefix(link, "https://x.example/")
		if err != nil || token == link || len(more) != 2 || more["summary"] != "Review" {
			t.Fatalf("%v, %v", more, err)
		}
		if l, err := r.OpenLink(t.Context(), token); err != nil || l.Person.ID != "manager" || l.ID != q.ID || l.Refusal != nil || l.Names["alice"] != "alice" {
			t.Errorf("%+v, %v", l, err)
		}
		if more, err := r.Fill(t.Context(), told.notices[0], nil); err != nil || len(more) != 1 {
			t.Errorf("where others read it: %v, %v", more, err)
		}
		r.says(t, q, "manager")
		if err := r.Conceal(t.Context(), as("alice"), q.Subject); err != nil {
			t.Fatal(err)
		}
		for _, n := range told.notices {
			if more, err := r.Fill(t.Context(), n, address); err != nil || len(more) != 1 || more["summary"] != "a booking" {
				t.Errorf("%s: %v, %v", n.Template, more, err)
			}
		}
		for name, n := range map[string]transport.Notice{
			"about nothing":     {Tenant: "acme", Template: approval.TemplateReminder, Recipient: "manager"},
			"of another tenant": {Tenant: "other", Template: approval.TemplateReminder, Recipient: "manager", Data: map[string]any{"approval_id": q.ID}},
		} {
			if more, err := r.Fill(t.Context(), n, address); err != nil || len(more) != 0 {
				t.Errorf("%s: %v, %v", name, more, err)
			}
		}
	})
}

// TestSweepLinks: links stay for 90 days after the deadline, to show the outcome, and then go.
func TestSweepLinks(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		token := r.link(t, r.submit(t, as("alice")))
		r.db.AdvanceClock(48*time.Hour + 90*24*time.Hour - time.Minute)
		if n, err := r.SweepLinks(t.Context(), 0); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		sweepAll(t, r.Service)
		if err := r.refusal(t, token); !errors.Is(err, approval.ErrExpired) {
			t.Errorf("%v", err)
		}
		r.db.AdvanceClock(2 * time.Minute)
		if n, err := r.SweepLinks(t.Context(), 0); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := r.OpenLink(t.Context(), token); !errors.Is(err, approval.ErrLink) {
			t.Errorf("%v", err)
		}
	})
}

// TestActAll: each on its own, in order, refused or not.
func TestActAll(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		one, two := r.submit(t, as("alice")), r.submit(t, as("alice"))
		r.things.broken = func(q approval.Request) error {
			if q.ID == one.ID {
				return errors.New("broken")
			}
			return nil
		}
		item := func(id string) approval.Item { return approval.Item{ID: id, Decision: approve} }
		results, err := r.ActAll(t.Context(), as("manager"), []approval.Item{item(one.ID), item("x"), item(two.ID), item(two.ID)})
		if err != nil {
			t.Fatal(err)
		}
		said := []string{}
		for _, res := range results {
			said = append(said, fault.ReasonOf(res.Err)+string(res.Request.Status))
		}
		if !slices.Equal(said, []string{"internal", "not_found", "approved", "already_decided"}) || r.get(t, one).Status != approval.Pending {
			t.Errorf("%v", said)
		}
		for _, n := range []int{0, approval.MaxBulk + 1} {
			if _, err := r.ActAll(t.Context(), as("manager"), make([]approval.Item, n)); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%d items: %v", n, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.ActAll(ctx, as("manager"), []approval.Item{item(one.ID)}); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	})
}
