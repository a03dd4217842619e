package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/refserver/server"
	"github.com/renkei-go/renkei/transport/webhook"
)

// apiKey makes an API key and returns its header.
func (r rig) apiKey(t *testing.T, with object) string {
	t.Helper()
	a := r.call(t, "admin", http.MethodPost, "/api/api-keys", with)
	var made struct{ Key string }
	if a.decode(t, &made); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return "Authorization: Bearer " + made.Key
}

// inbox collects the webhooks that arrive.
type inbox struct {
	url string
	mu  sync.Mutex
	all []webhook.Event
}

// webhookSecret is of all webhooks of these tests.
const webhookSecret = "your-webhook-secret"

func newInbox(t *testing.T) *inbox {
	t.Helper()
	in := &inbox{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ev, err := webhook.Verify(req, webhookSecret)
		if err != nil {
			t.Errorf("a webhook: %v", err)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.all = append(in.all, ev)
	}))
	t.Cleanup(s.Close)
	in.url = s.URL
	return in
}

// tellOfPeople makes webhook number 1, which tells of people.
func (r rig) tellOfPeople(t *testing.T) *inbox {
	t.Helper()
	in := newInbox(t)
	hook := object{"url": in.url, "events": []string{"person.*"}, "secret": webhookSecret}
	if a := r.call(t, "admin", http.MethodPost, "/api/webhooks", hook); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return in
}

// types are the events that came, in order of their names.
func (in *inbox) types() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []string
	for _, ev := range in.all {
		out = append(out, ev.Type)
	}
	slices.Sort(out)
	return out
}

func (in *inbox) text() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	raw, _ := json.Marshal(in.all)
	return string(raw)
}

// TestSeed001: the requests of seed 001 as they are written there, with the answers, the webhook that they lead to, the
// administrator who is told when a system is late, and the table that says how it stands.
func TestSeed001(t *testing.T) {
	in := newInbox(t)
	r := start(t, server.Config{AllowPrivate: "127.0.0.0/8"})
	hr := r.apiKey(t, object{"name": "hr", "system_type": "hr", "scopes": []string{"staff:read", "webhooks:manage"}})
	ats := r.apiKey(t, object{"name": "ats", "system_type": "recruitment", "scopes": []string{"staff:import"}})
	post := func(key, path, body string, status int, parts ...string) {
		t.Helper()
		a := r.call(t, "", http.MethodPost, path, body, key)
		for _, part := range parts {
			if a.status != status || !strings.Contains(string(a.body), part) {
				t.Errorf("%s: %d %s, want %s", path, a.status, a.body, part)
			}
		}
	}
	post(hr, "/api/webhooks.php", `{
  "action": "subscribe",
  "url": "`+in.url+`/webhooks/staff-updates",
  "events": [
    "person.created",
    "person.updated",
    "person.deactivated"
  ],
  "secret": "`+webhookSecret+`"
}`, http.StatusOK, `"success":true`, `"message":"Webhook subscription created"`, `"webhook_id":1`)
	const hire = `{
  "source_system": "recruitment-system-v1",
  "new_hire": {
    "first_name": "John",
    "last_name": "Doe",
    "email": "john.doe@example.com",
    "employee_reference": "EMP001",
    "job_title": "Support Worker",
    "employment_start_date": "2024-02-01",
    "organisational_unit": "Care Team A",
    "department": "Adult Services"
  }
}`
	post(ats, "/api/recruitment/import", hire, http.StatusCreated, `"success":true`, `"person_id":9`, `"unit_name":"Care Team A"`)
	post(ats, "/api/recruitment/import", hire, http.StatusCreated, `"person_id":9`)
	post(ats, "/api/recruitment/import", strings.Replace(hire, "v1", "v2", 1), http.StatusConflict, `"existing_person_id":9`)
	list := r.call(t, "", http.MethodGet, "/api/staff-data.php?include_inactive=0", nil, hr)
	if list.status != http.StatusOK || !strings.HasPrefix(string(list.body), `{"success":true,"pagination":{"page":1,"limit":20,"total":9,`) || !strings.Contains(string(list.body), `"employee_reference":"EMP001"`) {
		t.Errorf("the pull: %d %s", list.status, list.body)
	}
	// What was on its way when the subscription began, of the demo's people, may come too.
	await(t, t.Context(), func() bool { return strings.Contains(in.text(), `"first_name":"John"`) })
	if got := in.types(); slices.ContainsFunc(got, func(e string) bool { return e != "person.created" }) || strings.Contains(in.text(), "john.doe@") {
		t.Errorf("webhooks %v: %s", got, in.text())
	}
	// An HR system pulls daily: a day later it is late, and the administrator is told, once.
	told := func() int {
		n := 0
		for _, m := range r.sink.Messages() {
			if strings.Contains(string(m.Data), "Subject: hr is late") && slices.Contains(m.To, "admin@example.com") {
				n++
			}
		}
		return n
	}
	advance := func(by string) {
		t.Helper()
		if a := r.call(t, "admin", http.MethodPost, "/demo/clock", object{"advance": by}); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	advance("25h")
	await(t, t.Context(), func() bool { return told() > 0 })
	advance("1h")
	systems := r.call(t, "admin", http.MethodGet, "/api/external-systems", nil)
	for _, part := range []string{`"system_name":"hr","system_type":"hr"`, `"system_name":"ats"`, `"system_name":"recruitment-system-v1","system_type":"recruitment"`, `"sync_status":"active","sync_error":null`, `"stale_after":"`} {
		if part == `"system_name":"ats"` == strings.Contains(string(systems.body), part) { // who only imports is known by the source
			t.Errorf("external systems, %s: %s", part, systems.body)
		}
	}
	if told() != 1 {
		t.Errorf("the administrator was told %d times", told())
	}
	// The receiver's clock has not moved with the demo's; it believes what is sent all the same.
	if a := r.call(t, "admin", http.MethodPatch, "/api/staff/people/9", object{"job_title": "Lead"}, "If-Match: *"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	await(t, t.Context(), func() bool { return t.Failed() || slices.Contains(in.types(), "person.updated") })
}

// Texts of payroll fields that nothing else has.
const (
	payGrade  = "PAYGRADE-q7z"
	payCentre = "PAYCENTRE-q7z"
)

// TestNoPayrollByteAnywhere walks every route that API keys open, whoever added it, with a key that may do everything but
// see the group payroll, and looks for the payroll fields of somebody in every answer, header, error, export and webhook. The
// same walk with a key that may see them finds them, so that it would notice.
func TestNoPayrollByteAnywhere(t *testing.T) {
	for name, database := range map[string]string{"sqlite": "", "postgres": sqldbtest.PostgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			walkPayroll(t, start(t, server.Config{Database: database, AllowPrivate: "127.0.0.0/8"}))
		})
	}
}

func walkPayroll(t *testing.T, r rig) {
	t.Helper()
	in := newInbox(t)
	var d document
	r.call(t, "", http.MethodGet, "/openapi.json", nil).decode(t, &d)
	scopes := []string{"staff:read", "staff:write", "staff:import", "webhooks:manage", "exports:read", "sync:manage", "scim"}
	blind := r.apiKey(t, object{"name": "blind", "scopes": scopes, "field_groups": []string{"basic", "work", "contact", "sensitive"}})
	seeing := r.apiKey(t, object{"name": "seeing", "scopes": scopes, "field_groups": []string{"basic", "work", "contact", "sensitive", "payroll"}})
	subscribed := r.call(t, "", http.MethodPost, "/api/webhooks.php", object{
		"action": "subscribe", "url": in.url, "secret": webhookSecret, "events": []string{"person.created", "person.updated", "person.deactivated", "person.photo.approved", "person.unit.assigned", "person.unit.removed"},
	}, blind)
	if subscribed.status != http.StatusOK {
		t.Fatalf("%d %s", subscribed.status, subscribed.body)
	}
	id := r.somebodyNew(t)
	person := "/api/staff/people/" + id
	change := func(method, path string, body object) {
		t.Helper()
		if a := r.call(t, "hr", method, path, body, "If-Match: *"); a.status >= http.StatusBadRequest {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
	}
	change(http.MethodPatch, person, object{"salary_grade": payGrade, "cost_centre": payCentre, "job_title": "Nurse", "employee_reference": "PAY-1"})
	change(http.MethodPost, person+"/units", object{"organisational_unit_id": 3})
	change(http.MethodPatch, person, object{"salary_grade": payGrade + "2", "photo_approval_status": "approved"})
	change(http.MethodPatch, person, object{"salary_grade": payGrade})
	shows := func(a answer) bool {
		all := string(a.body) + fmt.Sprint(a.header)
		return strings.Contains(all, "q7z") || strings.Contains(all, "PAYGRADE") || strings.Contains(all, "PAYCENTRE")
	}
	found := map[string]bool{}
	walked := 0
	for _, op := range d.operations() {
		if !strings.HasPrefix(op.path, "/api/") && !strings.HasPrefix(op.path, "/scim/") {
			continue
		}
		for _, c := range payrollCalls(d, op, id) {
			walked++
			headers := []string{"If-Match: *"}
			if c.contentType != "" {
				headers = append(headers, "Content-Type: "+c.contentType)
			}
			var body any
			if c.body != "" {
				body = c.body
			}
			if a := r.call(t, "", c.method, c.path, body, append(headers, blind)...); shows(a) {
				t.Errorf("%s %s %s: %d %v %s", c.method, c.path, c.body, a.status, a.header, a.body)
			} else if a.status >= http.StatusInternalServerError && a.status != http.StatusNotImplemented {
				t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
			}
			if c.method == http.MethodGet && shows(r.call(t, "", c.method, c.path, nil, append(headers, seeing)...)) {
				found[op.path] = true
			}
		}
	}
	for _, path := range []string{"/api/staff-data.php", "/api/staff/people", "/api/staff/people/{id}", "/api/staff/changes", "/api/exports/{system}", "/scim/v2/Users", "/scim/v2/Users/{id}"} {
		if !found[path] {
			t.Errorf("the walk does not find the payroll fields at %s", path)
		}
	}
	if walked < 200 {
		t.Errorf("only %d calls", walked)
	}
	change(http.MethodPatch, person, object{"is_active": false})
	await(t, t.Context(), func() bool { return slices.Contains(in.types(), "person.deactivated") })
	if text := in.text(); strings.Contains(text, "q7z") || strings.Contains(text, "salary_grade") || strings.Contains(text, "cost_centre") {
		t.Errorf("webhooks: %s", text)
	}
}

// payrollCalls are the calls of one operation that might bring payroll fields to light: as it is meant, with every
// parameter that could select or name them, and with bodies that have them.
func payrollCalls(d document, op operation, id string) []hostileCall {
	if op.method == http.MethodDelete || strings.HasSuffix(op.path, "/erase") { // what is gone shows nothing
		return nil
	}
	var paths []string
	for _, value := range []string{id, "hr", "finance", "lms", "1", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"} {
		path := op.path
		for _, p := range op.Parameters {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
		}
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	values := map[string][]string{
		"format": {"csv", "json", "ndjson"}, "search": {payGrade, payCentre, "No Body"}, "id": {id}, "limit": {"100"}, "include_inactive": {"1", "true"},
		"mapping": {"finance", "hr"}, "attributes": {"userName,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter"},
		"filter": {
			`id%20eq%20%22` + id + `%22`, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter%20eq%20%22" + payCentre + "%22",
		},
	}
	var calls []hostileCall
	for _, path := range paths {
		calls = append(calls, hostileCall{method: op.method, path: path})
		for _, p := range op.Parameters {
			for _, value := range values[p.Name] {
				if p.In == "query" {
					calls = append(calls, hostileCall{method: op.method, path: path + "?" + p.Name + "=" + value})
				}
			}
		}
		for contentType, content := range op.RequestBody.Content {
			if !strings.Contains(contentType, "json") {
				continue
			}
			sample, _ := json.Marshal(d.sample(content.Schema, 0))
			for _, body := range []string{
				string(sample), `{"salary_grade":"x"}`, `{"cost_centre":null,"job_title":"y"}`, `{"columns":[{"header":"a","source":"salary_grade"},{"header":"b","source":"cost_centre"},{"header":"c","source":"name"}]}`,
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","value":{"displayName":"Some Body"}}]}`,
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"remove","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter"}]}`,
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"id eq \"` + id + `\""}`, `{"userName":"u","name":{"givenName":"a","familyName":"b"}}`,
				`{"source_system":"x","new_hire":{"first_name":"a","last_name":"b","employee_reference":"PAY-1"}}`, `{"action":"list"}`,
			} {
				calls = append(calls, hostileCall{method: op.method, path: path, body: body, contentType: contentType})
			}
		}
	}
	return calls
}

// TestErasedAfterSent: what a webhook has told of somebody is forgotten once they are erased, and cannot be sent again.
func TestErasedAfterSent(t *testing.T) {
	each := func(t *testing.T, database string) {
		r := start(t, server.Config{AllowPrivate: "127.0.0.0/8", Database: database})
		in := r.tellOfPeople(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		a := r.call(t, "hr", http.MethodPost, "/api/staff/people", object{"first_name": "Zuleika", "last_name": "Dobson"})
		var person object
		a.decode(t, &person)
		deliveries := func(state string) (found []object, text string) {
			a := r.call(t, "admin", http.MethodGet, "/api/webhooks/1/deliveries?state="+state, nil)
			var list struct{ Items []object }
			a.decode(t, &list)
			return list.Items, string(a.body)
		}
		await(t, ctx, func() bool { _, text := deliveries("succeeded"); return strings.Contains(text, "Zuleika") })
		if a := r.call(t, "hr", http.MethodPost, "/api/staff/people/"+text(person["id"])+"/erase", nil); a.status != http.StatusNoContent {
			t.Fatalf("%d %s", a.status, a.body)
		}
		await(t, ctx, func() bool { found, _ := deliveries("forgotten"); return len(found) == 1 })
		found, _ := deliveries("forgotten")
		if _, text := deliveries(""); found[0]["body"] != nil || strings.Contains(text, "Zuleika") {
			t.Errorf("it is still told: %s", text)
		}
		a = r.call(t, "admin", http.MethodPost, "/api/webhooks/1/deliveries/"+text(found[0]["id"])+"/resend", object{})
		if a.status != http.StatusConflict || !strings.Contains(string(a.body), "delivery_forgotten") {
			t.Errorf("sent again: %d %s", a.status, a.body)
		}
		await(t, ctx, func() bool { return slices.Contains(in.types(), "person.deactivated") })
	}
	t.Run("sqlite", func(t *testing.T) { each(t, "") })
	t.Run("postgres", func(t *testing.T) { each(t, sqldbtest.PostgresURL(t)) })
}

// TestErasedBeforeSent: what waits for a webhook about somebody does not go out once they are erased; that they are does.
func TestErasedBeforeSent(t *testing.T) {
	each := func(t *testing.T, database string) {
		r := start(t, server.Config{AllowPrivate: "127.0.0.0/8", Database: database})
		in := r.tellOfPeople(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r.call(t, "admin", http.MethodPost, "/api/webhooks/1/pause", object{})
		a := r.call(t, "hr", http.MethodPost, "/api/staff/people", object{"first_name": "Zuleika", "last_name": "Dobson"})
		var person object
		a.decode(t, &person)
		states := func() string {
			var list struct{ Items []object }
			r.call(t, "admin", http.MethodGet, "/api/webhooks/1/deliveries", nil).decode(t, &list)
			out := ""
			for _, d := range list.Items {
				if strings.Contains(text(d["body"]), "person_type:staff") && strings.Contains(text(d["body"]), " id:"+text(person["id"])+" ") ||
					strings.Contains(text(d["body"]), "erased:true") || d["body"] == nil {
					out += text(d["state"]) + " "
				}
			}
			return out
		}
		await(t, ctx, func() bool { return states() == "pending " })
		if a := r.call(t, "hr", http.MethodPost, "/api/staff/people/"+text(person["id"])+"/erase", nil); a.status != http.StatusNoContent {
			t.Fatalf("%d %s", a.status, a.body)
		}
		await(t, ctx, func() bool { return states() == "pending forgotten " })
		r.call(t, "admin", http.MethodPost, "/api/webhooks/1/resume", object{})
		await(t, ctx, func() bool { return slices.Contains(in.types(), "person.deactivated") })
		if strings.Contains(in.text(), "Zuleika") || !strings.Contains(in.text(), `"erased":true`) {
			t.Errorf("it got %s", in.text())
		}
	}
	t.Run("sqlite", func(t *testing.T) { each(t, "") })
	t.Run("postgres", func(t *testing.T) { each(t, sqldbtest.PostgresURL(t)) })
}
