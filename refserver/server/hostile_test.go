package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/refserver/server"
	"github.com/renkei-go/renkei/staff/graphsync/graphtest"
)

// marker is in every hostile text, so that an answer that repeats what was sent is seen.
const marker = "s3cret"

// hostileText is what nobody should send as a text, in the form of a JSON string.
var hostileText = []string{
	`"s3cret\u0000"`, "\"s3cret\xff\xfe\"", `"s3cret\ud800"`, `"s3cret\r\nBcc: x@y.example"`, `"s3cret\u202e\u2028\ufeff"`,
	`"s3cret' OR 1=1; --"`, `"../../s3cret"`, `"<script>s3cret</script>{{.}}%s%n"`, `"s3cret` + strings.Repeat("x", 1<<20-4096) + `"`,
	`"s3cret` + strings.Repeat(`\u00e9`, 700) + `"`, `""`, `" "`,
	`"0000-00-00T00:00:00Z"`, `"9999-12-31T23:59:59Z"`, `"0001-01-01T00:00:00Z"`, `"0000-06-01T00:00:00Z"`, `"9999-12-31T23:59:59-23:00"`, `"2030-02-30T00:00:00Z"`, `"2030-01-01T00:00:00+99:99"`, `"infinity"`,
}

// hostileJSON is what has another type than expected, or cannot be held by one.
var hostileJSON = append([]string{
	`null`, `true`, `0`, `-1`, `1.5`, `1e400`, `9223372036854775808`, `[]`, `{}`, `[null]`, `["s3cret","s3cret"]`, `{"s3cret":{"s3cret":[]}}`,
	strings.Repeat("[", 2000) + strings.Repeat("]", 2000),
}, hostileText...)

// hostileBodies are no JSON that the operation could want.
var hostileBodies = []string{
	``, ` `, `{`, `nul`, `"s3cret"`, `[]`, `null`, `{"s3cret":1}`, "{\"s3cret\xff\":1}", `{"a":1}{"b":2}`, `{"title":"a","title":"b"}`, "\x00", "\xef\xbb\xbf{}",
	strings.Repeat(`{"s3cret":`, 5000) + `1` + strings.Repeat(`}`, 5000), `{"s3cret":"` + strings.Repeat("x", 2<<20) + `"}`,
}

// hostileParameters are values of a path or a query, escaped.
var hostileParameters = []string{
	"%00s3cret", "s3cret%ff", "s3cret%0d%0aX:%20y", "..%2f..%2fs3cret", "s3cret%27%20OR%201=1", strings.Repeat("s3cret", 300), "-1", "1e9", "99999999999999999999",
	"0197aaaa-0000-7000-8000-000000000000", "0001-01-01T00:00:00Z", "0000-06-01T00:00:00Z", "0001-01-02T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:00", "s3cret,,s3cret", "%F0%9F%92%A9s3cret", "%25s3cret",
}

// hostileHeaders are values of headers that a client library lets through.
var hostileHeaders = []string{"s3cret\xff\xfe", "s3cret é", strings.Repeat("s3cret", 200), `W/"s3cret"`, `"v0"`, `"v99999999999999999999"`, "*, *", "s3cret\t,", "-1"}

// operation is one of the OpenAPI document.
type operation struct {
	method, path string
	Parameters   []struct {
		Name, In, Ref string
		Reference     string `json:"$ref"`
	}
	RequestBody struct {
		Content map[string]struct{ Schema schema }
	}
	Security []any
}

type schema struct {
	Reference  string `json:"$ref"`
	Type       any
	Format     string
	Enum       []any
	Examples   []any
	Properties map[string]schema
	Items      *schema
}

// document is what the walker needs of OpenAPI.
type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]schema }
}

func (d document) operations() []operation {
	var all []operation
	for path, methods := range d.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), path
			all = append(all, op)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// sensible are values for members whose schema does not say what makes sense, so that what is hostile about a request is
// one value, and the domain gets to see it. Nil leaves a member out.
var sensible = object{
	"email": "guest@outside.example", "end_at": nextMonday.Add(time.Hour).Format(time.RFC3339), "time_zone": "Asia/Tokyo", "recurrence": nil,
	"resource_ids": nil, "delegatee_id": "bob", "permissions": []any{"EDIT"}, "valid_from": nil, "valid_until": nil, "content_hash": nil, "advance": "0s",
	"requiredUserIds": []any{"bob"}, "requiredGroupIds": nil, "requiredRoles": nil, "escalationUserIds": nil, "escalationGroupIds": nil, "escalationRoles": nil,
	"messageId": nil, "dueAt": nil, "revision": nil, "targetTable": "approval_instances", "flowType": "walk", "actionKey": "approve",
}

// sensibleQuery is the same for parameters.
var sensibleQuery = map[string]string{"from": "2030-01-01T00:00:00Z", "to": "2030-02-01T00:00:00Z", "users": "alice,bob", "targetTable": "approval_instances", "targetId": "x"}

// query returns the parameters that the operation needs, and one more.
func (op operation) query(name, value string) string {
	q := name + "=" + value
	for _, p := range op.Parameters {
		if good := sensibleQuery[p.Name]; p.In == "query" && p.Name != name && good != "" {
			q += "&" + p.Name + "=" + good
		}
	}
	return q
}

// sample makes a value that the schema allows, as far as it can be told from it.
func (d document) sample(s schema, depth int) any {
	if name, ok := strings.CutPrefix(s.Reference, "#/components/schemas/"); ok {
		s = d.Components.Schemas[name]
	}
	kind := fmt.Sprint(s.Type)
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.Examples) > 0:
		return s.Examples[0]
	case depth > 4:
		return nil
	case strings.Contains(kind, "object"):
		o := object{}
		for name, p := range s.Properties {
			good, known := sensible[name]
			switch {
			case !known:
				o[name] = d.sample(p, depth+1)
			case good != nil:
				o[name] = good
			}
		}
		return o
	case strings.Contains(kind, "array") && s.Items != nil:
		return []any{d.sample(*s.Items, depth+1)}
	case s.Format == "date-time":
		return nextMonday.Format("2006-01-02T15:04:05Z")
	case strings.Contains(kind, "string"):
		return "x"
	case strings.Contains(kind, "boolean"):
		return false
	case strings.Contains(kind, "integer"), strings.Contains(kind, "number"):
		return 1
	}
	return nil
}

const hole = `"@hole@"`

// holed returns v as JSON with a hole at each place in turn.
func holed(v any) []string {
	var out []string
	render := func(wrap func(any) any, v any) {
		raw, _ := json.Marshal(wrap(v))
		out = append(out, string(raw))
	}
	var walk func(v any, wrap func(any) any)
	walk = func(v any, wrap func(any) any) {
		render(wrap, "@hole@")
		switch v := v.(type) {
		case object:
			for name, member := range v {
				walk(member, func(m any) any {
					c := maps.Clone(v)
					c[name] = m
					return wrap(c)
				})
			}
		case []any:
			if len(v) > 0 {
				walk(v[0], func(m any) any { return wrap([]any{m}) })
			}
		}
	}
	walk(v, func(v any) any { return v })
	return out
}

// withHole returns the object with a hole in each of the members that sensible left out; unknown ones do no harm.
func withHole(o object) []string {
	var out []string
	for name, good := range sensible {
		if good == nil {
			c := maps.Clone(o)
			c[name] = "@hole@"
			raw, _ := json.Marshal(c)
			out = append(out, string(raw))
		}
	}
	return out
}

// hostileCall is one hostile request.
type hostileCall struct {
	user, method, path, body, contentType string
	header                                [2]string
}

func (c hostileCall) String() string {
	return fmt.Sprintf("%s %.200q as %s, %q, %s %.200q", c.method, c.path, c.user, c.header, c.contentType, c.body)
}

// hostileCalls are the requests that one operation gets.
func hostileCalls(d document, op operation, ids []string) []hostileCall {
	user := func(n int) string { return []string{"admin", "alice", "secretary"}[n%3] }
	at := func(value string) string {
		path := op.path
		for _, p := range op.Parameters {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", value)
		}
		return path
	}
	var bases []string // addresses of things that exist, and of one that does not
	if strings.Contains(op.path, "{") {
		for _, id := range ids {
			bases = append(bases, at(id))
		}
	}
	bases = append(bases, at("0197aaaa-0000-7000-8000-000000000000"))
	var calls []hostileCall
	add := func(c hostileCall) {
		if c.method = op.method; c.user == "" {
			c.user = user(len(calls))
		}
		calls = append(calls, c)
	}
	if strings.Contains(op.path, "{") {
		for _, value := range hostileParameters {
			add(hostileCall{path: at(value)})
		}
	}
	for _, p := range op.Parameters {
		if p.In == "query" {
			for _, value := range append([]string{"", "&" + p.Name + "=s3cret"}, hostileParameters...) {
				add(hostileCall{path: bases[0] + "?" + op.query(p.Name, value)})
			}
		}
	}
	add(hostileCall{path: bases[0] + "?%zz=s3cret"})
	add(hostileCall{path: bases[0] + "?s3cret%00=%ff"})
	for _, name := range []string{"X-Act-As-User", "Idempotency-Key", "If-Match", "Authorization", "X-Request-Id", "Accept", "Content-Type"} {
		for _, value := range hostileHeaders {
			add(hostileCall{path: bases[0] + "?" + op.query("limit", "1"), header: [2]string{name, value}})
		}
	}
	for contentType, content := range op.RequestBody.Content {
		for _, base := range bases {
			for _, body := range hostileBodies {
				add(hostileCall{path: base, body: body, contentType: contentType})
			}
		}
		add(hostileCall{path: bases[0], body: "{}", contentType: "text/plain"})
		add(hostileCall{path: bases[0], body: "{}", contentType: "application/json; charset=\xff"})
		if !strings.Contains(contentType, "json") {
			continue
		}
		base, _ := d.sample(content.Schema, 0).(object)
		for i, template := range append(holed(base), withHole(base)...) {
			for k, value := range hostileJSON {
				add(hostileCall{path: bases[(i+k)%len(bases)], body: strings.ReplaceAll(template, hole, value), contentType: contentType, header: [2]string{"If-Match", "*"}})
			}
		}
	}
	return calls
}

// TestHostileValues walks every operation of the OpenAPI document, whoever added it, and throws at it what nobody should
// send, in every place where it takes something. No answer is a 5xx, each error is a problem with a reason that repeats
// nothing of what came, and nothing but such answers is left behind: no error in the log, and a server that works.
func TestHostileValues(t *testing.T) {
	eachWith(t, func(t *testing.T) server.Config {
		return server.Config{Entra: entraOf(graphtest.New(t, graphtest.Config{}))}
	}, func(t *testing.T, r rig) {
		var d document
		r.call(t, "", http.MethodGet, "/openapi.json", nil).decode(t, &d)
		booked := r.book(t, "alice", object{"resource_ids": []string{"room-large"}, "attendees": []object{{"email": "guest@outside.example"}}})
		// Two events: deciding and cancelling are among what the walk does.
		kept := r.book(t, "alice", object{"start_at": "2031-01-15T08:00:00Z", "end_at": "2031-01-15T09:00:00Z"})
		asked := r.ask(t, "admin", object{"requiredUserIds": []string{"alice", "secretary"}})
		ids := []string{text(booked["id"]), text(booked["approval_id"]), text(kept["id"]), "room-a", text(asked["id"]), text(asked["messageId"]), r.somebodyNew(t)}
		calls := make(chan hostileCall)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for c := range calls {
					throw(t, r, c)
				}
			})
		}
		operations, sent := d.operations(), 0
		for _, op := range operations {
			for i, c := range hostileCalls(d, op, ids) {
				if i%oneIn == 0 {
					calls <- c
					sent++
				}
			}
		}
		close(calls)
		wg.Wait()
		if len(operations) < 30 || sent < 5000/oneIn {
			t.Errorf("only %d operations and %d calls", len(operations), sent)
		}
		if _, fault, found := strings.Cut(r.log.String(), "level=ERROR"); found {
			t.Errorf("the log:\n%.3000s", fault)
		}
		r.book(t, "bob", object{"resource_ids": []string{"room-b"}, "start_at": "2031-01-15T10:00:00Z", "end_at": "2031-01-15T11:00:00Z"})
	})
}

// somebodyNew makes a person nobody needs, and a unit of the same number, and returns that.
func (r rig) somebodyNew(t *testing.T) string {
	t.Helper()
	id := func(path string, body object) float64 {
		a := r.call(t, "admin", http.MethodPost, path, body)
		var made struct{ ID float64 }
		if a.decode(t, &made); a.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		return made.ID
	}
	person := id("/api/staff/people", object{"first_name": "No", "last_name": "Body"})
	for n := range int(person) {
		if unit := id("/api/staff/units", object{"name": fmt.Sprintf("Unit %d", n)}); unit == person {
			return fmt.Sprint(person)
		}
	}
	t.Fatal("there are more units than people")
	return ""
}

// isSeed002 says whether a route carries errors in the older form of seed 002, too.
func isSeed002(path string) bool {
	return strings.HasPrefix(path, "/chat-")
}

// isLegacy says whether a route keeps the form of the service behind seed 001.
func isLegacy(path string) bool {
	return strings.HasSuffix(path, ".php") || path == "/api/recruitment/import"
}

// isSCIM says whether a route has errors in the form of RFC 7644 section 3.12.
func isSCIM(path string) bool {
	return strings.HasPrefix(path, "/scim/")
}

func throw(t *testing.T, r rig, c hostileCall) {
	t.Helper()
	u, err := url.Parse(r.url)
	if err != nil {
		t.Error(err)
		return
	}
	path, query, _ := strings.Cut(c.path, "?")
	req := (&http.Request{
		Method: c.method, URL: &url.URL{Scheme: u.Scheme, Host: u.Host, Opaque: "//" + u.Host + path, RawQuery: query}, Host: u.Host,
		Header: http.Header{"Authorization": {"Bearer demo-" + c.user}},
	}).WithContext(t.Context())
	if c.body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if c.header[0] != "" {
		req.Header.Set(c.header[0], c.header[1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Errorf("%s: %v", c, err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("%s: %v", c, err)
		return
	}
	kind := res.Header.Get("Content-Type")
	switch {
	case res.StatusCode >= http.StatusInternalServerError:
		t.Errorf("%s: %d %.300s", c, res.StatusCode, body)
	case res.StatusCode < http.StatusBadRequest:
	case kind == "application/json" && isLegacy(path): // in the form of seed 001: an error in words
		var p struct{ Error string }
		if json.Unmarshal(body, &p) != nil || p.Error == "" || bytes.Contains(body, []byte(marker)) {
			t.Errorf("%s: %.300s", c, body)
		}
	case kind == "application/scim+json" && isSCIM(path):
		var p struct {
			Schemas        []string
			Status, Detail string
		}
		if json.Unmarshal(body, &p) != nil || p.Status != strconv.Itoa(res.StatusCode) || p.Detail == "" || len(p.Schemas) != 1 || bytes.Contains(body, []byte(marker)) {
			t.Errorf("%s: %.300s", c, body)
		}
	case strings.HasPrefix(kind, "text/html"): // pages for people
		if bytes.Contains(body, []byte(marker)) {
			t.Errorf("%s: the page repeats it: %.300s", c, body)
		}
	default:
		var p problem
		if !strings.HasSuffix(kind, "+json") || json.Unmarshal(body, &p) != nil {
			t.Errorf("%s: %d is no problem: %s %.300s", c, res.StatusCode, kind, body)
			return
		}
		if kind == "application/problem+json" && (p.Reason == "" || p.Detail == "" || p.Status != res.StatusCode) {
			t.Errorf("%s: %.300s", c, body)
		}
		if isSeed002(path) && (p.Error.Code != p.Reason || p.Error.Message != p.Detail) {
			t.Errorf("%s: the older form is missing: %.300s", c, body)
		}
		rest := string(body)
		for _, e := range p.Errors { // the name of an unknown member is where the mistake is
			rest = strings.ReplaceAll(rest, e.Location, "")
		}
		if ids, err := json.Marshal(p.Details.UserIDs); err == nil { // and so is the name of somebody unknown
			rest = strings.ReplaceAll(rest, string(ids), "")
		}
		if strings.Contains(rest, marker) {
			t.Errorf("%s: it is repeated: %.300s", c, body)
		}
	}
}
