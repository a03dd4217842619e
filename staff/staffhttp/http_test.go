package staffhttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"pgregory.net/rapid"

	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
	"github.com/renkei-go/renkei/foundation/web/webbun"
	"github.com/renkei-go/renkei/staff"
	"github.com/renkei-go/renkei/staff/export"
	"github.com/renkei-go/renkei/staff/staffbun"
	"github.com/renkei-go/renkei/staff/staffhttp"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

var migrations = []sqldb.Migration{auditbun.Migrations, webbun.Migrations, deliverybun.Migrations, webhookbun.Migrations, staffbun.Migrations}

// rig is the hub behind HTTP. Events go to the webhooks at once, in the transaction.
type rig struct {
	staff   *staff.Service
	hooks   *webhook.Service
	exports *export.Service
	engine  *delivery.Engine
	handler http.Handler
}

// outbox hands what others may subscribe to to the webhooks.
type outbox struct{ r *rig }

func (o outbox) Publish(ctx context.Context, events ...transport.Event) error {
	for _, ev := range events {
		for _, known := range staff.EventTypes() {
			if ev.Type == known {
				if err := o.r.hooks.Publish(ctx, ev); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func newRig(tb testing.TB, db *sqldb.DB, limit int) *rig {
	tb.Helper()
	r := &rig{}
	fatal := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatal(err)
		}
	}
	store, trail := staffbun.New(db), auditbun.New(db)
	var err error
	r.staff, err = staff.New(staff.Config{Store: store, Audit: trail, Outbox: outbox{r}, Now: db.Clock})
	fatal(err)
	queue, err := delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(db), Now: db.Clock})
	fatal(err)
	sealer, err := secret.ParseKeys("k:" + secret.NewKey().Reveal())
	fatal(err)
	guard, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	fatal(err)
	hooks := webhookbun.New(db)
	r.hooks, err = webhook.New(webhook.Config{
		Deliveries: queue, Store: hooks, Sealer: sealer, Guard: guard, Log: hooks, EventTypes: staff.EventTypes(), View: r.staff.Webhook, Now: db.Clock,
	})
	fatal(err)
	r.engine, err = delivery.New(delivery.Config{Queue: queue, Kinds: map[string]delivery.Kind{webhook.Kind: r.staff.WebhookKind(r.hooks)}})
	fatal(err)
	r.exports, err = export.New(export.Config{People: r.staff, Store: store, Audit: trail, Do: db.Do})
	fatal(err)

	sessions := web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
		user, ok := strings.CutPrefix(token, "demo-")
		if !ok {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		return identity.Principal{Tenant: "1", Actor: user, Roles: []string{user}}, nil
	})
	authenticate := web.AnyOf(sessions, staffhttp.Keys(r.staff))
	quiet := slog.New(slog.DiscardHandler)
	limits := web.RateLimit{Requests: limit, Store: web.MemoryStore(db.Clock)}
	limiter, err := web.NewLimiter(limits, nil, db.Clock)
	fatal(err)
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("test", "1"))
	web.Use(api, web.Config{Authenticate: authenticate, RateLimit: limits, Logger: quiet})
	staffhttp.Register(api, mux, staffhttp.Config{Staff: r.staff, Exports: r.exports, Webhooks: r.hooks, Authenticate: authenticate, Limiter: limiter, Idempotency: webbun.New(db, webbun.Config{})})
	r.handler = web.Server(mux, web.ServerConfig{Logger: quiet})
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(tb interface{ Fatalf(string, ...any) }) map[string]any {
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		tb.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v
}

// call sends a request; token is a session's, an API key's, or a header line.
func (r *rig) call(token, method, path, body string, headers ...string) answer {
	req := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if name, value, ok := strings.Cut(token, ": "); ok {
		req.Header.Set(name, value)
	} else if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// as returns v, which must be a T.
func as[T any](tb interface {
	Helper()
	Fatalf(format string, args ...any)
}, v any,
) T {
	tb.Helper()
	t, ok := v.(T)
	if !ok {
		tb.Fatalf("%v is no %T", v, t)
	}
	return t
}

func (r *rig) key(tb testing.TB, body string) string {
	tb.Helper()
	a := r.call("demo-admin", "POST", "/api/api-keys", body)
	if a.status != http.StatusCreated {
		tb.Fatalf("%d %s", a.status, a.body)
	}
	return as[string](tb, a.json(tb)["key"])
}

func (r *rig) make(tb testing.TB, path, body string) float64 {
	tb.Helper()
	a := r.call("demo-hr", "POST", path, body)
	if a.status != http.StatusCreated {
		tb.Fatalf("POST %s: %d %s", path, a.status, a.body)
	}
	return as[float64](tb, a.json(tb)["id"])
}

func each(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) { f(t, newRig(t, db, 0)) })
}

func (a answer) want(t *testing.T, what string, status int, parts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("%s: %s lacks %s", what, a.body, part)
		}
	}
}

// TestLegacyStaffData: the bytes that clients of seed 001's service know.
func TestLegacyStaffData(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		unit := r.make(t, "/api/staff/units", `{"name":"Care Team A","code":"CTA"}`)
		john := r.make(t, "/api/staff/people", `{"first_name":"John","last_name":"Doe","employee_reference":"EMP001","job_title":"Support Worker","employment_start_date":"2024-02-01"}`)
		r.make(t, "/api/staff/people", `{"first_name":"Ann","last_name":"Adams","is_active":false}`)
		r.make(t, fmt.Sprintf("/api/staff/people/%v/units", john), fmt.Sprintf(`{"organisational_unit_id":%v,"start_date":"2024-02-01"}`, unit))
		key := r.key(t, `{"name":"hr"}`)
		a := r.call(key, "GET", "/api/staff-data.php?include_inactive=0", "")
		start, rest, _ := strings.Cut(a.body, `"created_at":"`)
		wantStart := fmt.Sprintf(`{"success":true,"pagination":{"page":1,"limit":20,"total":1,"total_pages":1,"has_next":false,"has_prev":false},"data":[{"id":%v,"organisation_id":1,"person_type":"staff","user_id":null,"first_name":"John","last_name":"Doe","name":"John Doe","employee_reference":"EMP001","job_title":"Support Worker","employment_start_date":"2024-02-01","employment_end_date":null,"line_manager_id":null,"is_active":true,"photo_approval_status":null,`, john)
		if a.status != 200 || start != wantStart || !strings.HasSuffix(rest, `"organisational_units":[{"id":1,"organisational_unit_id":1,"unit_name":"Care Team A","unit_code":"CTA","role_in_unit":"member","is_primary":true,"start_date":"2024-02-01","end_date":null}]}]}`) {
			t.Errorf("list: %d %s", a.status, a.body)
		}
		again := r.call("X-API-Key: "+key, "GET", "/api/staff-data.php?include_inactive=0", "", "If-None-Match: "+a.header.Get("ETag"))
		if again.status != http.StatusNotModified || again.body != "" {
			t.Errorf("If-None-Match: %d %q", again.status, again.body)
		}
		r.call("Authorization: ApiKey "+key, "GET", fmt.Sprintf("/api/staff-data.php?id=%v", john), "").want(t, "one", 200, `{"success":true,"data":{"id":`)
		r.call(key, "GET", "/api/staff-data.php?id=999", "").want(t, "unknown", 404, `{"error":"Person not found"}`)
		r.call(key, "GET", "/api/staff-data.php?id=x", "").want(t, "no id", 404, `{"error":"Person not found"}`)
		r.call("", "GET", "/api/staff-data.php", "").want(t, "nobody", 401, `"error":"Authentication required"`, `"message":`)
		r.call(key, "POST", "/api/staff-data.php", "{}").want(t, "POST", 405, `{"error":"Method not allowed. Only GET requests are supported."}`)
		r.call("demo-alice", "GET", "/api/staff-data.php", "").want(t, "an employee", 403, `"error":"Forbidden"`)
		r.call(key, "GET", "/api/staff-data.php?include_inactive=1&limit=1&page=2", "").want(t, "second page", 200, `"page":2,"limit":1,"total":2,"total_pages":2,"has_next":false,"has_prev":true`)
		r.call(key, "GET", "/api/staff-data.php?limit=9999&page=-3&search=emp00", "").want(t, "clamped", 200, `"page":1,"limit":100,"total":1`)
		r.call(key, "GET", fmt.Sprintf("/api/staff-data.php?organisational_unit_id=%v", unit+1), "").want(t, "another unit", 200, `"total":0`, `"data":[]`)
		r.call("demo-admin", "GET", "/api/external-systems", "").want(t, "systems", 200, `"system_name":"hr"`, `"sync_status":"active"`)
	})
}

func TestRateLimit(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...), 3)
	key := r.key(t, `{"name":"hr"}`)
	for i := range 3 {
		path := []string{"/api/staff-data.php", "/api/staff/people"}[i%2]
		if a := r.call(key, "GET", path, ""); a.status != 200 || a.header.Get("RateLimit") == "" {
			t.Errorf("request %d: %d %v", i, a.status, a.header)
		}
	}
	for _, path := range []string{"/api/staff-data.php", "/api/staff/people"} {
		if a := r.call(key, "GET", path, ""); a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	r.call("demo-hr", "GET", "/api/staff/people", "").want(t, "somebody else", 200)
}

func TestRecruitment(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		parent := r.make(t, "/api/staff/units", `{"name":"Adult Services"}`)
		r.make(t, "/api/staff/units", fmt.Sprintf(`{"name":"Care Team A","parent_unit_id":%v}`, parent))
		key := r.key(t, `{"name":"ats","scopes":["staff:import"],"system_type":"recruitment"}`)
		hire := func(change string) string {
			return `{"source_system":"recruitment-system-v1","new_hire":{"first_name":"John","last_name":"Doe","email":"john.doe@example.com","employee_reference":"EMP001","job_title":"Support Worker","employment_start_date":"2024-02-01","organisational_unit":"Care Team A","department":"Adult Services","emergency_contact_name":"x"` + change + `}}`
		}
		post := func(body string) answer { return r.call(key, "POST", "/api/recruitment/import", body) }
		first := post(hire(""))
		first.want(t, "the seed's request", 201, `{"success":true,"message":"Staff member created successfully","person_id":`, `,"data":{"id":`, `"unit_name":"Care Team A"`)
		id := first.json(t)["person_id"]
		if again := post(hire("")); again.status != 201 || again.json(t)["person_id"] != id {
			t.Errorf("again: %d %s", again.status, again.body)
		}
		post(strings.Replace(hire(""), "John", "Jane", 1)).want(t, "other content", 409, `"error":"Duplicate employee reference"`, fmt.Sprintf(`"existing_person_id":%v`, id))
		for body, part := range map[string]string{
			`{"new_hire":{}}`: `"error":"source_system is required"`, `{"source_system":"x"}`: `"error":"new_hire is required"`,
			`{"source_system":"x","new_hire":{"last_name":"Doe"}}`:                            `"error":"new_hire.first_name is required"`,
			`{"source_system":"x","new_hire":{"first_name":1}}`:                               `new_hire.first_name`,
			strings.NewReplacer("Care Team A", "Nowhere", "EMP001", "EMP9").Replace(hire("")): `"new_hire.organisational_unit"`,
			hire(`,"employment_end_date":"soon","external_id":"7"`):                           `"error":"new_hire.employment_end_date must be a date`,
			`nonsense`: `"error"`,
			`{"source_system":"x","new_hire":{"first_name":"a\u0000","last_name":"b"}}`:              `"error"`,
			`{"source_system":"x","new_hire":{"first_name":"a","last_name":"b","email":"a\r\nbcc"}}`: `new_hire.email`,
		} {
			post(body).want(t, body, 400, part)
		}
		r.call(r.key(t, `{"name":"reader"}`), "POST", "/api/recruitment/import", hire("")).want(t, "without the scope", 403, `"error":"Forbidden"`)
		r.call("", "POST", "/api/recruitment/import", hire("")).want(t, "nobody", 401)
		r.call(key, "GET", "/api/recruitment/import", "").want(t, "GET", 405)
		r.call(key, "POST", "/api/recruitment/import", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`).want(t, "too large", 413)

		csv := "first_name,last_name,employee_reference\nAda,One,B1\nBob,,B2\nCid,Three,EMP001\n"
		for _, dry := range []string{"true", "false", "false"} {
			a := r.call(key, "POST", "/api/recruitment/import/bulk?source_system=file&dry_run="+dry, csv, "Content-Type: text/csv")
			a.want(t, "bulk, dry run "+dry, 200, `"total":3`, `"refused":2`, `"location":"new_hire.last_name"`, fmt.Sprintf(`"existing_person_id":%v`, id))
		}
		r.call(key, "POST", "/api/recruitment/import/bulk", `{"source_system":"file","new_hires":[{"first_name":"Ada","last_name":"One","employee_reference":"B1"}]}`).want(t, "bulk in JSON", 200, `"replayed":1`)
		r.call("demo-admin", "GET", "/api/external-systems", "").want(t, "systems", 200, `"system_type":"recruitment"`)
	})
}

func TestModernRoutes(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		id := r.make(t, "/api/staff/people", `{"first_name":"Ann","last_name":"Bell","salary_grade":"G1"}`)
		path := fmt.Sprintf("/api/staff/people/%v", id)
		r.call("demo-hr", "PATCH", path, `{"job_title":"Nurse"}`).want(t, "no If-Match", 428, "if_match_required")
		a := r.call("demo-hr", "PATCH", path, `{"job_title":"Nurse"}`, `If-Match: "v1"`)
		a.want(t, "PATCH", 200, `"job_title":"Nurse"`)
		if a.header.Get("ETag") != `"v2"` {
			t.Errorf("ETag %q", a.header.Get("ETag"))
		}
		r.call("demo-hr", "PATCH", path, `{"job_title":"X"}`, `If-Match: "v1"`).want(t, "stale", 412, "version_mismatch")
		key := r.key(t, `{"name":"writer","scopes":["staff:read","staff:write"]}`)
		r.call(key, "PATCH", path, `{"salary_grade":"G9"}`, "If-Match: *").want(t, "a field of another group", 403, "field_forbidden")
		r.call(key, "PATCH", path, `{"job_title":"Lead"}`, "If-Match: *").want(t, "a field of its groups", 200, `"Lead"`)
		r.call("demo-hr", "GET", "/api/staff/changes?limit=1", "").want(t, "changes", 200, `"event":"person.created"`, `"next_cursor"`)
		r.call("demo-hr", "GET", "/api/staff/changes?cursor=rubbish", "").want(t, "bad cursor", 422, "invalid_cursor")
		zip := r.call("demo-hr", "GET", path+"/export", "")
		if zip.status != 200 || !strings.HasPrefix(zip.body, "PK") || zip.header.Get("Content-Type") != "application/zip" {
			t.Errorf("export: %d %v", zip.status, zip.header)
		}
		r.call("demo-hr", "POST", path+"/erase", "").want(t, "erase", 204)
		r.call("demo-hr", "GET", path, "").want(t, "erased", 404, "unknown_person")
		r.call("demo-hr", "POST", "/api/api-keys", `{"name":"x"}`).want(t, "HR makes a key", 403)

		keys := r.call("demo-admin", "GET", "/api/api-keys", "")
		keys.want(t, "keys", 200, `"name":"writer"`, `"key_prefix":"stf_`)
		if strings.Contains(keys.body, `"key":`) {
			t.Errorf("a secret is shown again: %s", keys.body)
		}
		number := as[map[string]any](t, as[[]any](t, keys.json(t)["items"])[0])["id"]
		rotated := r.call("demo-admin", "POST", fmt.Sprintf("/api/api-keys/%v/rotate", number), "")
		rotated.want(t, "rotate", 200, `"key":"stf_`, `"old_key_valid_until"`)
		next := as[string](t, rotated.json(t)["key"])
		for _, k := range []string{key, next} {
			r.call(k, "GET", "/api/staff/people", "").want(t, "while it rotates", 200)
		}
		r.call("demo-admin", "POST", "/api/webhooks", `{"url":"https://a.example.com/x","events":["person.*"],"owner":"key:`+fmt.Sprint(number)+`"}`).want(t, "its webhook", 201)
		r.call("demo-admin", "POST", "/api/webhooks", `{"url":"https://a.example.com/y","events":["person.*"]}`).want(t, "another", 201)
		r.call("demo-admin", "DELETE", fmt.Sprintf("/api/api-keys/%v", number), "").want(t, "revoke", 204)
		r.call("demo-admin", "GET", "/api/webhooks?url=https://a.example.com/x", "").want(t, "what waits for its webhook is held", 200, `"state":"paused"`)
		r.call("demo-admin", "GET", "/api/webhooks?url=https://a.example.com/y", "").want(t, "and no other's", 200, `"state":"active"`)
		for _, k := range []string{key, next} {
			r.call(k, "GET", "/api/staff/people", "").want(t, "revoked", 401)
		}
		r.call("demo-admin", "PUT", "/api/exports/mappings/mine", `{"columns":[{"header":"Who","source":"full_name"}]}`).want(t, "mapping", 200, `"version":1`)
		r.call("demo-hr", "POST", "/api/exports/mappings/preview", `{"columns":[{"header":"Who","source":"x"}]}`).want(t, "preview", 422, "columns[0].source")
		r.call("demo-hr", "GET", "/api/exports/hr?mapping=mine&format=csv", "").want(t, "export", 200, "Who\r\n")
		r.call("demo-hr", "GET", "/api/exports/moon", "").want(t, "unknown system", 404, "unknown_system")
	})
}

func TestWebhooks(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		got := make(chan [2]string, 16)
		sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			raw, _ := io.ReadAll(req.Body)
			req.Body = io.NopCloser(bytes.NewReader(raw))
			if _, err := webhook.Verify(req, "your-webhook-secret"); err != nil {
				t.Errorf("signature: %v", err)
			}
			got <- [2]string{req.Header.Get("X-Webhook-Event"), string(raw)}
		}))
		defer sink.Close()
		key := r.key(t, `{"name":"hr","scopes":["webhooks:manage"]}`)
		post := func(token, body string, headers ...string) answer {
			return r.call(token, "POST", "/api/webhooks.php", body, headers...)
		}
		subscribe := `{"action":"subscribe","url":"` + sink.URL + `/in","events":["person.created","person.updated","person.deactivated","person.photo.approved","person.unit.assigned","person.unit.removed"],"secret":"your-webhook-secret"}`
		post(key, subscribe).want(t, "subscribe", 200, `"success":true`, `"message":"Webhook subscription created"`, `"webhook_id":1`)
		post(key, subscribe).want(t, "again", 200, `"message":"Webhook subscription updated"`, `"webhook_id":1`)
		form := url.Values{"action": {"subscribe"}, "url": {"https://other.example/"}, "events[]": {"person.created", "person.updated"}, "secret": {"your-webhook-secret"}}
		post(key, form.Encode(), "Content-Type: application/x-www-form-urlencoded").want(t, "form", 200, `"webhook_id":2`)
		parts := ""
		for name, values := range form {
			for _, v := range values {
				parts += "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + v + "\r\n"
			}
		}
		post(key, parts+"--b--\r\n", "Content-Type: multipart/form-data; boundary=b").want(t, "form in parts", 200, `"webhook_id":2`, "updated")
		post(key, parts, "Content-Type: multipart/form-data; boundary=c").want(t, "no form", 400, "must be form-encoded")
		post(key, strings.Repeat("a", 2<<20), "Content-Type: application/x-www-form-urlencoded").want(t, "too large a form", 413)
		post(key, `{"action":"list"}`).want(t, "list", 200, `"success":true,"webhooks":[{"id":1,"url":"`, `"is_active":true,"last_triggered_at":null,"last_success_at":null,"last_failure_at":null,"failure_count":0`)
		for body, text := range map[string]string{
			`{"action":"dance"}`:                                                   `{"error":"Invalid action. Use: subscribe, unsubscribe, list"}`,
			`{"action":"subscribe"}`:                                               `"error":"A valid webhook URL is required"`,
			`{"action":"subscribe","url":"https://a.example"}`:                     `"error":"A webhook secret is required"`,
			`{"action":"subscribe","url":"https://a.example","secret":"12345678"}`: `"error":"At least one event must be specified"`,
			`{"action":"subscribe","url":"https://a.example","secret":"12345678","events":["person.born"]}`:      `"error":"Unknown event. Use: person.created`,
			`{"action":"subscribe","url":"https://10.0.0.1/","secret":"12345678","events":["person.created"]}`:   `"error":"A valid webhook URL is required"`,
			`{"action":"subscribe","url":"javascript:alert(1)","secret":"12345678","events":["person.created"]}`: `"error":"A valid webhook URL is required"`,
			`{"action":"unsubscribe"}`: `{"error":"Provide either webhook_id or url to unsubscribe"}`,
		} {
			post(key, body).want(t, body, 400, text)
		}
		post("", subscribe).want(t, "nobody", 401, `"error":"Authentication required"`)
		r.call(key, "GET", "/api/webhooks.php", "").want(t, "GET", 405, `{"error":"Method not allowed"}`)
		other := r.key(t, `{"name":"other","scopes":["webhooks:manage"]}`)
		post(other, subscribe).want(t, "somebody else's URL", 409, "url_taken")
		post(other, `{"action":"list"}`).want(t, "somebody else's list", 200, `"webhooks":[]`)
		r.call(other, "GET", "/api/webhooks/1/deliveries", "").want(t, "somebody else's deliveries", 404, "unknown_subscription")

		unit := r.make(t, "/api/staff/units", `{"name":"Care Team A"}`)
		id := r.make(t, "/api/staff/people", `{"first_name":"John","last_name":"Doe","employee_reference":"EMP001","salary_grade":"PAYBAND"}`)
		path := fmt.Sprintf("/api/staff/people/%v", id)
		assigned := r.make(t, path+"/units", fmt.Sprintf(`{"organisational_unit_id":%v,"start_date":"2024-02-01"}`, unit))
		r.call("demo-hr", "PATCH", path, `{"job_title":"Senior Support Worker","salary_grade":"PAYBAND2"}`, "If-Match: *").want(t, "PATCH", 200)
		r.call("demo-hr", "PATCH", path, `{"salary_grade":"PAYBAND3"}`, "If-Match: *").want(t, "a change that is hidden", 200)
		r.call("demo-hr", "PATCH", path, `{"photo_approval_status":"approved"}`, "If-Match: *").want(t, "photo", 200)
		r.call("demo-hr", "DELETE", fmt.Sprintf("%s/units/%v", path, assigned), "").want(t, "unassign", 204)
		r.call("demo-hr", "PATCH", path, `{"is_active":false}`, "If-Match: *").want(t, "deactivate", 200)
		r.call(key, "POST", "/api/webhooks/1/test", "").want(t, "test", 202)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		done := make(chan error, 1)
		go func() { done <- r.engine.Run(ctx) }()
		seen := map[string]string{}
		for len(seen) < 7 {
			select {
			case d := <-got:
				seen[d[0]] = d[1]
			case <-ctx.Done():
				t.Fatalf("only %v came", seen)
			}
		}
		for _, event := range []string{staff.EventCreated, staff.EventUpdated, staff.EventDeactivated, staff.EventPhotoApproved, staff.EventAssigned, staff.EventRemoved} {
			body := seen[event]
			if !strings.HasPrefix(body, `{"event":"`+event+`","timestamp":"`) || !strings.Contains(body, `"organisation_id":1,"data":{"id":`) || strings.Contains(body, "PAYBAND") || strings.Contains(body, "salary") {
				t.Errorf("%s: %s", event, body)
			}
		}
		if !strings.Contains(seen[staff.EventRemoved], `"organisational_unit":{"code":null,"id":`) || !strings.Contains(seen[staff.EventUpdated], `"changed_fields":["job_title"]`) {
			t.Errorf("removed %s, updated %s", seen[staff.EventRemoved], seen[staff.EventUpdated])
		}
		for { // what is told in the transaction that ends a delivery
			if a := r.call("demo-admin", "GET", "/api/external-systems", ""); strings.Contains(a.body, `"pattern":"webhook"`) {
				break
			}
			select {
			case <-ctx.Done():
				t.Fatal("no webhook is noted among the systems")
			case <-time.After(10 * time.Millisecond):
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the engine ended with %v", err)
		}
		r.call(key, "GET", "/api/webhooks/1/deliveries", "").want(t, "deliveries", 200, `"event":"person.created"`)
		r.call(key, "POST", "/api/webhooks/1/rotate-secret", "{}").want(t, "rotate", 200, `"secret":"whsec_`)
		post(key, `{"action":"unsubscribe","webhook_id":1}`).want(t, "unsubscribe", 200, `{"message":"Webhook subscription removed","success":true}`)
		post(key, `{"action":"unsubscribe","url":"https://nowhere.example"}`).want(t, "nothing to unsubscribe", 200, `"success":true`)
	})
}

// TestNoPayrollByte: whatever people there are and whatever a key without the group asks, no answer, error, webhook or
// header has a byte of the group payroll, nor the names of its fields among the data.
func TestNoPayrollByte(t *testing.T) {
	r := newRig(t, sqldbtest.SQLite(t, migrations...), 0)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		groups := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"basic", "work", "contact", "sensitive"}), rapid.ID).Draw(t, "groups")
		list, _ := json.Marshal(append([]string{}, groups...))
		made := r.call("demo-admin", "POST", "/api/api-keys", fmt.Sprintf(`{"name":"k%d","field_groups":%s,"scopes":["staff:read","staff:write","staff:import","webhooks:manage","exports:read","sync:manage"]}`, n, list))
		key := as[string](t, made.json(t)["key"])
		secretText := fmt.Sprintf("PAY%dROLL", n)
		person := r.call("demo-hr", "POST", "/api/staff/people", fmt.Sprintf(`{"first_name":"F%d","last_name":"L","cost_centre":%q,"salary_grade":%q}`, n, "CC-"+secretText, "SG-"+secretText))
		id := person.json(t)["id"]
		after := as[string](t, r.call(key, "GET", "/api/staff/changes?cursor=now", "").json(t)["cursor"])
		r.call("demo-hr", "PATCH", fmt.Sprintf("/api/staff/people/%v", id), fmt.Sprintf(`{"salary_grade":%q}`, "SG2-"+secretText), "If-Match: *")
		column := rapid.SampledFrom([]string{"salary_grade", "cost_centre"}).Draw(t, "column")
		calls := [][3]string{
			{"GET", "/api/staff-data.php?limit=100&search=" + secretText, ""}, {"GET", fmt.Sprintf("/api/staff-data.php?id=%v", id), ""},
			{"GET", fmt.Sprintf("/api/staff-data.php?search=F%d", n), ""}, {"GET", fmt.Sprintf("/api/staff/people?search=F%d", n), ""},
			{"GET", fmt.Sprintf("/api/staff/people/%v", id), ""}, {"GET", "/api/staff/changes?cursor=" + after, ""},
			{"GET", fmt.Sprintf("/api/staff/people/%v/export", id), ""}, {"GET", "/api/exports/finance?format=csv", ""}, {"GET", "/api/exports/hr?format=ndjson", ""},
			{"GET", "/api/exports/lms", ""}, {"POST", "/api/exports/mappings/preview", `{"columns":[{"header":"x","source":"` + column + `"},{"header":"y","source":"name"}]}`},
			{"PATCH", fmt.Sprintf("/api/staff/people/%v", id), `{"` + column + `":"guess"}`}, {"PATCH", fmt.Sprintf("/api/staff/people/%v", id), `{"photo_approval_status":"approved"}`},
			{"GET", "/api/external-systems", ""}, {"GET", "/api/webhooks", ""},
		}
		for _, c := range calls {
			a := r.call(key, c[0], c[1], c[2], "If-Match: *")
			if strings.Contains(a.body, "PAY") && strings.Contains(a.body, "ROLL") && strings.Contains(a.body, secretText) || strings.Contains(fmt.Sprint(a.header), secretText) {
				t.Fatalf("%v: %s", c, a.body)
			}
			if strings.Contains(a.body, `"salary_grade":`) || strings.Contains(a.body, `"cost_centre":`) || strings.Contains(a.body, "Salary Grade") {
				t.Fatalf("%v shows the member: %s", c, a.body)
			}
			if strings.HasPrefix(c[1], "/api/staff/changes") && strings.Contains(a.body, `"seq"`) {
				t.Fatalf("a change of what is hidden shows: %s", a.body)
			}
			if a.status >= 500 {
				t.Fatalf("%v: %d %s", c, a.status, a.body)
			}
		}
		number := as[float64](t, made.json(t)["id"])
		v, ok, err := r.staff.Webhook(context.Background(), webhook.Subscription{Tenant: "1", Owner: staff.Owner(int64(number))},
			transport.Event{Tenant: "1", Type: staff.EventUpdated, Data: staff.EventData{PersonID: int64(as[float64](t, id))}})
		raw, _ := json.Marshal(v)
		if err != nil || !ok || strings.Contains(string(raw), secretText) {
			t.Fatalf("webhook: %s, %v, %v", raw, ok, err)
		}
	})
}
