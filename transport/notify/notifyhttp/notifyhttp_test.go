package notifyhttp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/page"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/notify"
	"github.com/renkei-go/renkei/transport/notify/notifyhttp"
)

// fixed is a service with two notices; it remembers what it was asked.
type fixed struct {
	filter   notify.Filter
	key      string
	settings notify.Settings
}

func (s *fixed) Settings(context.Context, identity.Principal) (notify.Settings, error) {
	return s.settings, nil
}

func (s *fixed) SetSettings(_ context.Context, by identity.Principal, set notify.Settings) (notify.Settings, error) {
	if by.IsProxy() {
		return notify.Settings{}, notify.ErrNotOwn
	}
	if slices.Contains(set.Channels, "pigeon") {
		return notify.Settings{}, notify.ErrSettings.WithField("channels[0]", "must be a channel that is in use here")
	}
	set.Person, s.settings = by.User(), set
	return set, nil
}

func (s *fixed) ChannelNames() []string { return []string{"mail", "slack"} }

var at = time.Date(2030, 1, 15, 10, 0, 0, 0, time.UTC)

var stored = map[string]notify.Record{
	"n1": {
		Notice: notify.Notice{ID: "n1", Template: "approval.requested", Recipient: "alice", Subject: "approval/7", State: notify.Sent,
			Channel: "mail", CreatedAt: at, SentAt: at.Add(time.Minute)},
		Attempts: []notify.Attempt{
			{Channel: "mail", Attempt: delivery.Attempt{Number: 1, StartedAt: at, Duration: 5 * time.Millisecond, State: delivery.Pending, Error: "busy"}},
			{Channel: "mail", Attempt: delivery.Attempt{Number: 2, StartedAt: at.Add(time.Minute), State: delivery.Succeeded}},
		},
	},
	"n2": {Notice: notify.Notice{ID: "n2", Recipient: "bob", State: notify.Pending, CreatedAt: at}},
}

func (s *fixed) Get(_ context.Context, tenant identity.TenantID, id string) (notify.Record, error) {
	if r, ok := stored[id]; ok && tenant == "acme" {
		return r, nil
	}
	return notify.Record{}, notify.ErrUnknown
}

func (s *fixed) List(_ context.Context, _ identity.TenantID, f notify.Filter, _ page.Request) (page.Page[notify.Record], error) {
	s.filter = f
	out := page.Page[notify.Record]{Next: "more"}
	for _, id := range []string{"n1", "n2"} {
		if r := stored[id]; f.Recipient == "" || f.Recipient == r.Recipient {
			out.Items = append(out.Items, r)
		}
	}
	return out, nil
}

func (s *fixed) Resend(_ context.Context, by identity.Principal, id, key string) (notify.Notice, error) {
	s.key = key
	if id == "n2" {
		return notify.Notice{}, notify.ErrNotFinal
	}
	return notify.Notice{ID: "n3", ResendOf: id, State: notify.Pending, CreatedAt: at, ResentBy: by.Actor}, nil
}

// call makes a request as the user whose name is the token.
func call(s notifyhttp.Service, method, path, token, key string) *httptest.ResponseRecorder {
	return send(s, method, path, token, "", map[string]string{"Idempotency-Key": key})
}

func send(s notifyhttp.Service, method, path, token, body string, headers map[string]string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Notices", "1.0"))
	web.Use(api, web.Config{
		Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
			p := identity.Principal{Tenant: "acme", Actor: token}
			if token == "admin" {
				p.Roles = []string{"admin"}
			}
			return p, nil
		}),
		ActAs: func(_ context.Context, by identity.Principal, subject, _ string) (identity.Principal, error) {
			return by.For(subject), nil
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	notifyhttp.Register(api, s)
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func TestWhoSeesWhat(t *testing.T) {
	for _, c := range []struct {
		method, path, token string
		status              int
		has, hasNot         string
	}{
		{"GET", "/notices", "admin", 200, `"n2"`, "zzz"},
		{"GET", "/notices?recipient=bob", "admin", 200, `"n2"`, `"n1"`},
		{"GET", "/notices", "alice", 200, `"n1"`, `"n2"`},
		{"GET", "/notices?recipient=bob", "alice", 200, `"items":[]`, `"n2"`},
		{"GET", "/notices?state=nonsense", "alice", 422, "query.state", `"n1"`},
		{"POST", "/notices/n1/resend", "admin", 201, `"resend_of":"n1"`, "zzz"},
		{"POST", "/notices/n2/resend", "admin", 409, "notice_pending", "zzz"},
		{"POST", "/notices/n1/resend", "alice", 403, "admin_only", "zzz"},
		{"POST", "/notices/n2/resend", "alice", 404, "unknown_notice", "bob"},
		{"POST", "/notices/n9/resend", "alice", 404, "unknown_notice", "zzz"},
	} {
		w := call(&fixed{}, c.method, c.path, c.token, "")
		if body := w.Body.String(); w.Code != c.status || !strings.Contains(body, c.has) || strings.Contains(body, c.hasNot) {
			t.Errorf("%s %s as %s: %d %s", c.method, c.path, c.token, w.Code, body)
		}
	}
}

func TestFilterAndKey(t *testing.T) {
	var s fixed
	call(&s, "GET", "/notices?recipient=alice&template=approval.requested&subject_id=7&state=sent", "admin", "")
	if want := (notify.Filter{Recipient: "alice", Template: "approval.requested", SubjectID: "7", State: notify.Sent}); s.filter != want {
		t.Errorf("%+v", s.filter)
	}
	if w := call(&s, "POST", "/notices/n1/resend", "admin", "again-1"); w.Code != 201 || s.key != "again-1" {
		t.Errorf("%d, key %q", w.Code, s.key)
	}
}

func TestSettings(t *testing.T) {
	var s fixed
	const path = "/me/notification-settings"
	const full = `{"channels":["slack","mail"],"quiet_hours":{"start":"22:00","end":"07:00","time_zone":"Asia/Tokyo"},"digest":"daily","available_channels":["mail","slack"]}`
	for _, c := range []struct {
		body   string
		status int
		has    string
	}{
		{`{"channels":["slack","mail"],"quiet_hours":{"start":"22:00","end":"07:00","time_zone":"Asia/Tokyo"},"digest":"daily"}`, 200, full},
		{`{"channels":["slack","mail"]}`, 200, `{"channels":["slack","mail"],"quiet_hours":null,"digest":"off","available_channels":["mail","slack"]}`},
		{`{"channels":[],"quiet_hours":null}`, 200, `"channels":[],"quiet_hours":null`},
		{`{"channels":["pigeon"]}`, 422, "body.channels[0]"},
		{`{"quiet_hours":{"start":"25:00","end":"07:00"}}`, 422, "body.quiet_hours.start"},
		{`{"quiet_hours":{"start":"22:00"}}`, 422, "end"},
		{`{"digest":"weekly"}`, 422, "body.digest"},
	} {
		w := send(&s, "PUT", path, "alice", c.body, nil)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) {
			t.Errorf("%s: %d %s", c.body, w.Code, w.Body)
		}
	}
	if w := send(&s, "PUT", path, "secretary", `{"channels":["mail"]}`, map[string]string{"X-Act-As-User": "exec"}); w.Code != 403 || !strings.Contains(w.Body.String(), "own_settings_only") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	s.settings = notify.Settings{Channels: []string{"slack", "mail"}, QuietHours: &notify.QuietHours{Start: "22:00", End: "07:00", TimeZone: "Asia/Tokyo"}, Digest: notify.Daily}
	if w := send(&s, "GET", path, "alice", "", nil); w.Code != 200 || strings.TrimSpace(w.Body.String()) != full {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func Example() {
	w := call(&fixed{}, "GET", "/notices?subject_id=7", "alice", "")
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 200 {"items":[{"id":"n1","template":"approval.requested","recipient":"alice","channel":"mail","state":"sent","subject_id":"7","created_at":"2030-01-15T10:00:00Z","sent_at":"2030-01-15T10:01:00Z","attempts":[{"channel":"mail","number":1,"at":"2030-01-15T10:00:00Z","duration_ms":5,"result":"failed","error":"busy"},{"channel":"mail","number":2,"at":"2030-01-15T10:01:00Z","duration_ms":0,"result":"sent"}]}],"next_cursor":"more"}
}
