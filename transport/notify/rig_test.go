package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/notify/notifybun"
	"github.com/renkei-go/renkei/transport/retry"
)

var migrations = []sqldb.Migration{deliverybun.Migrations, notifybun.Migrations}

// people is a directory of a few.
type people map[string]identity.Person

func (d people) Person(_ context.Context, _ identity.TenantID, id string) (identity.Person, error) {
	if p, ok := d[id]; ok {
		return p, nil
	}
	return identity.Person{}, identity.ErrUnknownPerson
}

func (d people) People(_ context.Context, _ identity.TenantID, ids []string) ([]identity.Person, error) {
	var out []identity.Person
	for _, id := range ids {
		if p, ok := d[id]; ok {
			out = append(out, p)
		}
	}
	return out, nil
}

func (d people) ByEmail(context.Context, identity.TenantID, []string) ([]identity.Person, error) {
	return nil, nil
}

func (d people) Holders(context.Context, identity.TenantID, string) ([]identity.Person, error) {
	return nil, nil
}
func (d people) IsInternal(context.Context, identity.TenantID, string) (bool, error) {
	return true, nil
}

var staff = people{
	"alice": {ID: "alice", Name: "Alice", Email: "alice@example.com"},
	"bob":   {ID: "bob", Name: "Bob", Email: "bob@example.com", Channels: []string{"pigeon", "chat", "chat", "mail"}},
	"carol": {ID: "carol", Name: "Carol", Channels: []string{"pigeon"}},
}

// fake is a channel that fails on request.
type fake struct {
	mu   sync.Mutex
	err  error
	sent []string // notice ids
	text []notify.Content
}

func (f *fake) Notify(_ context.Context, _ identity.Person, n notify.Notice, c notify.Content) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.sent, f.text = append(f.sent, n.ID), append(f.text, c)
	}
	return f.err
}

func (f *fake) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

var errBusy, errGone = errors.New("busy"), retry.Permanent(errors.New("gone"))

// site is a whole installation.
type site struct {
	db         *sqldb.DB
	service    *notify.Service
	engine     *delivery.Engine
	mail, chat *fake
	audit      trail
	decided    bool
	filled     int   // how often Fill was asked
	unfilled   error // what it answers
}

// trail is a recorder of audit entries.
type trail struct {
	mu      sync.Mutex
	entries []audit.Entry
}

func (r *trail) Record(_ context.Context, entries ...audit.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, entries...)
	return nil
}

func (r *trail) count(action string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.entries {
		if e.Action == action {
			n++
		}
	}
	return n
}

func newSite(t testing.TB, db *sqldb.DB, channels map[string]notify.Channel) *site {
	t.Helper()
	s := &site{db: db, mail: &fake{}, chat: &fake{}}
	if channels == nil {
		channels = map[string]notify.Channel{"mail": s.mail, "chat": s.chat}
	}
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db), Now: db.Clock})
	if err != nil {
		t.Fatal(err)
	}
	s.service, err = notify.New(notify.Config{
		Store: notifybun.New(db), Deliveries: queue, Directory: staff, Channels: channels, Now: db.Clock, Policy: retry.Policy{Jitter: -1},
		Templates: map[string]notify.Template{
			"approval.requested": {Subject: "承認依頼: {{.Data.title}}", Text: "{{.Recipient.Name}}: {{.Data.title}} {{.Data.missing}}", HTML: "<b>{{.Data.title}}</b>"},
			"approval.reminder":  {Subject: "Reminder", Text: "{{with .Data.link}}{{.}}{{else}}…{{end}}"},
			"calendar.changed":   {Subject: "{{.Data.title}}", Text: "{{.Data.title}};", Informational: true},
			"calendar.tomorrow":  {Subject: "Tomorrow", Text: "tomorrow;", Informational: true},
		},
		Audit: &s.audit,
		Fill: map[string]func(context.Context, notify.Notice) (map[string]any, error){
			"approval.reminder": func(context.Context, notify.Notice) (map[string]any, error) {
				s.filled++
				return map[string]any{"link": fmt.Sprint("https://x.example/", s.filled)}, s.unfilled
			},
		},
		Obsolete: map[string]func(context.Context, notify.Notice) (bool, error){
			"approval.reminder": func(context.Context, notify.Notice) (bool, error) { return s.decided, nil },
			"calendar.tomorrow": func(context.Context, notify.Notice) (bool, error) { return s.decided, nil },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.engine, err = delivery.New(delivery.Config{
		Queue: queue, Kinds: map[string]delivery.Kind{notify.Kind: s.service.DeliveryKind()}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func notice(recipient string) transport.Notice {
	return transport.Notice{Tenant: "acme", Template: "approval.requested", Recipient: recipient, Subject: "approval/7", Data: map[string]any{"title": "<会議>\r\nBcc: eve"}}
}

type fataler interface{ Fatal(args ...any) }

func (s *site) notify(ctx context.Context, t fataler, ns ...transport.Notice) {
	if err := s.service.Notify(ctx, ns...); err != nil {
		t.Fatal(err)
	}
}

func (s *site) drain(ctx context.Context, t fataler) {
	for {
		n, err := s.engine.Step(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// all returns the notices, oldest first.
func (s *site) all(ctx context.Context, t fataler) []notify.Record {
	cut, err := s.service.List(ctx, "acme", notify.Filter{}, page.Request{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]notify.Record, len(cut.Items))
	for i, r := range cut.Items {
		out[len(out)-1-i] = r
	}
	return out
}

func (s *site) states(ctx context.Context, t fataler) string {
	var out []string
	for _, r := range s.all(ctx, t) {
		out = append(out, string(r.State))
	}
	return strings.Join(out, " ")
}

func each(t *testing.T, f func(t *testing.T, ctx context.Context, db *sqldb.DB)) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		f(t, ctx, db)
	})
}
