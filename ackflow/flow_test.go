package ackflow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	texttemplate "text/template"
	"time"

	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/ackflow"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
)

// TestPreviewIsReality: the dry run asks exactly those whom the request asks, or refuses for the same reason.
func TestPreviewIsReality(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	users := rapid.SliceOfN(rapid.SampledFrom([]string{"alice", "bob", "carol", "manager", "gone", "stranger"}), 0, 4)
	groups := rapid.SliceOfN(rapid.SampledFrom([]string{"sales", "empty", "mgmt"}), 0, 2)
	asked, foreign := r.ask(t, "alice", asking("bob")), r.ask(t, "bob", asking("alice"))
	fresh := func() string {
		m, err := r.PostMessage(t.Context(), as("alice"), ackflow.NewMessage{RoomID: "general", Body: "Mine."})
		if err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := asking(users.Draw(rt, "users")...)
		n.RequiredGroupIDs, n.RequiredRoles = groups.Draw(rt, "groups"), groups.Draw(rt, "roles")
		n.EscalationUserIDs = users.Draw(rt, "escalation")
		if rapid.Bool().Draw(rt, "due") {
			n.DueAt = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		if rapid.Bool().Draw(rt, "escalates") {
			n.EscalationAfterHours = new(rapid.IntRange(0, 100).Draw(rt, "hours"))
		}
		if about := rapid.SampledFrom([]string{"", fresh(), asked.MessageID, foreign.MessageID, "unknown"}).Draw(rt, "message"); about != "" {
			n.Message, n.MessageID = nil, about
		}
		p, previewErr := r.Preview(t.Context(), as("alice"), n)
		d, err := r.Ask(t.Context(), as("alice"), n)
		if fault.ReasonOf(previewErr) != fault.ReasonOf(err) || fmt.Sprint(previewErr) != fmt.Sprint(err) {
			rt.Fatalf("preview %v, reality %v", previewErr, err)
		}
		if err != nil {
			return
		}
		var asked []string
		for _, a := range p.Asked {
			asked = append(asked, a.UserID)
		}
		if !slices.Equal(asked, d.UserIDs()) || !p.DueAt.Equal(d.DueAt) || !p.RemindAt.Equal(d.RemindAt) || !p.EscalateAt.Equal(d.EscalateAt) ||
			p.EscalateAt.IsZero() && len(p.Escalates) > 0 ||
			p.RemindHour != d.RemindHour {
			rt.Fatalf("preview %+v, reality %+v", p, d)
		}
	})
}

// TestCountsAgree: whatever people do, what a request counts is what its people have done.
func TestCountsAgree(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	people := []string{"bob", "carol", "dave"}
	rapid.Check(t, func(rt *rapid.T) {
		d := r.ask(t, "alice", asking(people...))
		revision := 1
		for i, step := range rapid.SliceOfN(rapid.IntRange(0, 6), 0, 12).Draw(rt, "steps") {
			var err error
			switch {
			case step < 3:
				_, err = r.Ack(t.Context(), as(people[step]), d.ID, 0)
			case step < 6:
				_, err = r.Revoke(t.Context(), as(people[step-3]), d.ID)
			default:
				revision++
				_, err = r.EditMessage(t.Context(), as("alice"), d.MessageID, fmt.Sprint("edit ", i))
			}
			if err != nil {
				rt.Fatal(err)
			}
			got, err := r.Get(t.Context(), as("alice"), d.ID)
			if err != nil {
				rt.Fatal(err)
			}
			if acks := len(got.Acks()); got.Missing != len(people)-acks || got.Revision != int64(revision) ||
				(got.State == ackflow.Completed) != (acks == len(people)) || got.CompletedAt.IsZero() != (acks != len(people)) {
				rt.Fatalf("%+v", got)
			}
		}
	})
}

func TestPeopleAreFreeOfEachOther(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		people := []string{"bob", "carol", "dave", "alice", "manager", "exec"}
		d := r.ask(t, "mgmt", asking(people...))
		var wg sync.WaitGroup
		for _, who := range people {
			for range 2 {
				wg.Go(func() {
					if _, err := r.Ack(t.Context(), as(who), d.ID, 0); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		got, err := r.Get(t.Context(), as("bob"), d.ID)
		if err != nil || got.State != ackflow.Completed || len(got.Acks()) != len(people) {
			t.Errorf("%+v, %v", got, err)
		}
		r.audited(t, "chat_ack_added", len(people))
		r.told(t, ackflow.TemplateCompleted, "mgmt")
		if n := len(r.ledger.Lines(t, "event", ackflow.EventCompleted)); n != 1 {
			t.Errorf("completed %d times", n)
		}
	})
}

// TestEditAgainstAck lets an edit and an acknowledgement race: whatever comes first, nobody has acknowledged what they have
// not read.
func TestEditAgainstAck(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		for range 20 {
			d := r.ask(t, "alice", asking("bob"))
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := r.EditMessage(t.Context(), as("alice"), d.MessageID, "It moves on Tuesday."); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := r.Ack(t.Context(), as("bob"), d.ID, d.Revision); err != nil && !errors.Is(err, ackflow.ErrStaleMessage) {
					t.Error(err)
				}
			})
			wg.Wait()
			got, err := r.Get(t.Context(), as("alice"), d.ID)
			if err != nil || len(got.Acks()) != 0 || got.Missing != 1 {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
}

func TestWhoSees(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		d := r.ask(t, "dave", asking("bob"))
		sees := func(people ...string) {
			t.Helper()
			for _, who := range []string{"admin", "mgmt", "exec", "manager", "alice", "bob", "carol", "dave"} {
				_, err := r.Get(t.Context(), as(who), d.ID)
				_, messageErr := r.Message(t.Context(), as(who), d.MessageID)
				if may := slices.Contains(people, who); may != (err == nil) || may != (messageErr == nil) {
					t.Errorf("%s: %v, %v", who, err, messageErr)
				}
			}
			foreign := identity.Principal{Tenant: "other", Actor: "bob", Roles: []string{"admin"}}
			_, err := r.Get(t.Context(), foreign, d.ID)
			want(t, err, ackflow.ErrNotFound)
		}
		sees("admin", "mgmt", "bob", "dave")
		r.link(t, d.ID, target)
		sees("admin", "mgmt", "bob", "dave", "alice", "manager")
		r.targets.Remove(target.ID)
		sees("admin", "mgmt", "bob", "dave")
	})
}

// TestForeignLinksTakeNoRoom has more links than a page stand before the one that the caller may read.
func TestForeignLinksTakeNoRoom(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	d := r.ask(t, "dave", asking("bob"))
	r.link(t, d.ID, target)
	for i := range page.MaxLimit + 5 {
		to := ackflow.Target{Table: table, ID: fmt.Sprint("other", i)}
		r.targets.Add(to.ID, "exec")
		r.link(t, d.ID, to)
	}
	links, err := r.Links(t.Context(), as("alice"), ackflow.LinkQuery{AckRequestID: d.ID, Limit: 1})
	if err != nil || len(links) != 1 || links[0].Target != target {
		t.Errorf("%+v, %v", links, err)
	}
}

// chat is an embedder's chat: everybody may ask about what is in it.
type chat struct {
	mu       sync.Mutex
	messages map[string]ackflow.Message
}

func (c *chat) Message(_ context.Context, _ identity.Principal, id string) (ackflow.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.messages[id]
	if !ok {
		return ackflow.Message{}, ackflow.ErrNotFound
	}
	return m, nil
}

func (c *chat) Post(_ context.Context, m ackflow.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages[m.ID] = m
	return nil
}

func TestMessagesElsewhere(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		t.Helper()
		now, _ := r.db.Now(t.Context())
		there := ackflow.Message{ID: "x1", Room: "general", Author: "dave", Body: "Hello", Revision: 3, CreatedAt: now, UpdatedAt: now, URL: "https://chat.example/x1"}
		gone := there
		gone.ID, gone.DeletedAt = "x2", now
		slack := &chat{messages: map[string]ackflow.Message{"x1": there, "x2": gone}}
		r.cfg.Messages = slack
		r.Service = r.open(t)

		about := func(id string) ackflow.NewRequest {
			return ackflow.NewRequest{MessageID: id, Terms: ackflow.Terms{RequiredUserIDs: []string{"bob"}}}
		}
		_, err := r.Ask(t.Context(), as("alice"), about("nothing"))
		want(t, err, ackflow.ErrNotFound)
		_, err = r.Ask(t.Context(), as("alice"), about("x2"))
		want(t, err, ackflow.ErrMessageDeleted)
		if _, err := r.Preview(t.Context(), as("alice"), about("x1")); err != nil {
			t.Error(err)
		}
		d := r.ask(t, "alice", about("x1"))
		if d.Revision != 3 || d.Message.URL != there.URL || d.Message.Author != "dave" {
			t.Errorf("%+v %+v", d, d.Message)
		}
		r.ack(t, d.ID, "bob")
		_, err = r.EditMessage(t.Context(), as("dave"), "x1", "other")
		want(t, err, ackflow.ErrMessageElsewhere)
		want(t, r.DeleteMessage(t.Context(), as("dave"), "x1"), ackflow.ErrMessageElsewhere)

		machine := identity.System("acme", "slack")
		sync := func(m ackflow.Message) {
			t.Helper()
			if err := r.SyncMessage(t.Context(), machine, m); err != nil {
				t.Error(err)
			}
		}
		acks := func(want int) {
			t.Helper()
			if got, err := r.Get(t.Context(), as("bob"), d.ID); err != nil || len(got.Acks()) != want {
				t.Errorf("%d acknowledgements hold, want %d: %v", len(got.Acks()), want, err)
			}
		}
		sync(there) // nothing new
		stale := there
		stale.Revision, stale.Body = 2, "Hel"
		sync(stale)
		acks(1)
		edited := there
		edited.Revision, edited.Body = 4, "Hello all"
		sync(edited)
		acks(0)
		r.told(t, ackflow.TemplateEdited, "bob")
		r.ack(t, d.ID, "bob")
		edited.DeletedAt = now
		sync(edited)
		r.link(t, r.ask(t, "alice", asking("bob")).ID, target) // posted into the chat
		if got := r.linked(t, target); len(slack.messages) != 3 || slack.messages[got[0].MessageID].Body != "The office moves on Monday." {
			t.Errorf("%+v", slack.messages)
		}
		_, err = r.Ack(t.Context(), as("bob"), d.ID, 0)
		want(t, err, ackflow.ErrMessageDeleted)
		unknown := there
		unknown.ID = "x9"
		sync(unknown)
		want(t, r.SyncMessage(t.Context(), machine, ackflow.Message{ID: "x1"}), ackflow.ErrInput)
	})
}

func TestStillNeeded(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	d, canceled := r.ask(t, "alice", asking("bob", "carol")), r.ask(t, "alice", asking("bob"))
	complete := r.ask(t, "alice", asking("bob"))
	r.ack(t, d.ID, "bob")
	r.ack(t, complete.ID, "bob")
	if _, err := r.Cancel(t.Context(), as("alice"), canceled.ID, ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		template, recipient, request string
		want                         bool
	}{
		{ackflow.TemplateReminder, "carol", d.ID, true}, {ackflow.TemplateReminder, "bob", d.ID, false}, {ackflow.TemplateRequested, "bob", d.ID, false},
		{ackflow.TemplateReminder, "dave", d.ID, false}, {ackflow.TemplateEscalated, "exec", d.ID, true}, {ackflow.TemplateEscalated, "exec", canceled.ID, false},
		{ackflow.TemplateReminder, "bob", canceled.ID, false}, {ackflow.TemplateCanceled, "bob", canceled.ID, true}, {ackflow.TemplateReminder, "bob", "nothing", false},
		{ackflow.TemplateCompleted, "alice", d.ID, false}, {ackflow.TemplateCompleted, "alice", complete.ID, true}, {ackflow.TemplateReminder, "bob", complete.ID, false},
		{"calendar.other", "bob", "nothing", true},
	} {
		got, err := r.StillNeeded(t.Context(), transport.Notice{Template: c.template, Recipient: c.recipient, Tenant: "acme", Data: map[string]any{"request_id": c.request}})
		if err != nil || got != c.want {
			t.Errorf("%+v: %t, %v", c, got, err)
		}
	}
}

// TestFill: a notice that is sent late says what the message says then, and nothing of one that was deleted.
func TestFill(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	d := r.ask(t, "alice", asking("bob"))
	filled := func(template, tenant string) string {
		t.Helper()
		more, err := r.Fill(t.Context(), transport.Notice{
			Template: template, Recipient: "bob", Tenant: identity.TenantID(tenant), Data: map[string]any{"message_id": d.MessageID, "body": "as it was"},
		})
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprint(more)
	}
	for _, c := range []struct{ change, template, tenant, want string }{
		{"", ackflow.TemplateRequested, "acme", "map[body:The office moves on Monday.]"},
		{"It stays.", ackflow.TemplateReminder, "acme", "map[body:It stays.]"},
		{"", "staff.hired", "acme", "map[]"},
		{"", ackflow.TemplateReminder, "other", "map[body:]"},
	} {
		if c.change != "" {
			if _, err := r.EditMessage(t.Context(), as("alice"), d.MessageID, c.change); err != nil {
				t.Fatal(err)
			}
		}
		if got := filled(c.template, c.tenant); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if err := r.DeleteMessage(t.Context(), as("alice"), d.MessageID); err != nil {
		t.Fatal(err)
	}
	if got := filled(ackflow.TemplateCanceled, "acme"); got != "map[body:]" {
		t.Errorf("deleted: %s", got)
	}
}

// TestWording fills every template with the data of the notices that are really sent.
func TestWording(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...))
	r.cfg.StandIns = func(context.Context, identity.TenantID, string) ([]string, error) { return []string{"dave"}, nil }
	r.Service = r.open(t)
	d := r.due(t, func(n *ackflow.NewRequest) { n.EscalationAfterHours = new(0) }, "bob", "carol")
	r.ack(t, d.ID, "bob")
	if _, err := r.EditMessage(t.Context(), as("alice"), d.MessageID, strings.Repeat("長い文", 200)); err != nil {
		t.Fatal(err)
	}
	r.after(t, 2*time.Hour)
	r.after(t, 25*time.Hour)
	if _, err := r.Cancel(t.Context(), as("alice"), d.ID, "a mistake"); err != nil {
		t.Fatal(err)
	}
	done := r.ask(t, "alice", asking("bob"))
	r.ack(t, done.ID, "bob")
	wording := ackflow.Templates()
	seen := map[string]bool{}
	for _, l := range r.ledger.Lines(t, "notice", "") {
		seen[l.Name] = true
		var n transport.Notice
		if err := json.Unmarshal([]byte(l.Body), &n); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{wording[l.Name].Subject, wording[l.Name].Text} {
			var b bytes.Buffer
			if err := texttemplate.Must(texttemplate.New("").Parse(text)).Execute(&b, n.Data); err != nil || strings.Contains(b.String(), "no value") || b.Len() == 0 || b.Len() > 2000 {
				t.Errorf("%s: %v\n%s", l.Name, err, b.String())
			}
		}
	}
	if len(seen) != len(wording) {
		t.Errorf("only %v are sent", seen)
	}
}

func TestConfig(t *testing.T) {
	if _, err := ackflow.New(ackflow.Config{Targets: map[string]ackflow.TargetResolver{"x": nil}}); err == nil ||
		strings.Count(err.Error(), "required") != 4 || !strings.Contains(err.Error(), "resolver") {
		t.Errorf("%v", err)
	}
}
