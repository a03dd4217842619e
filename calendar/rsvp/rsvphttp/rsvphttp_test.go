package rsvphttp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/calendar"
	"github.com/renkei-go/renkei/calendar/calendarbun"
	"github.com/renkei-go/renkei/calendar/calendartest"
	"github.com/renkei-go/renkei/calendar/rsvp"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvpbun"
	"github.com/renkei-go/renkei/calendar/rsvp/rsvphttp"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
)

type fixture struct {
	*testing.T
	http.Handler
	rig    *calendartest.Rig
	event  calendar.View
	tokens *rsvp.Tokens
	token  string
}

const guest = "guest@outside.example"

func newFixture(t *testing.T) *fixture {
	t.Helper()
	db := sqldbtest.SQLite(t, calendarbun.Migrations, rsvpbun.Migrations)
	f := &fixture{T: t, rig: calendartest.NewRig(t, db, nil)}
	store := rsvpbun.New(db)
	tokens, err := rsvp.NewTokens(rsvp.TokensConfig{Key: secret.NewString(strings.Repeat("k", 32)), Store: store})
	f.must(err)
	f.tokens = tokens
	svc, err := rsvp.New(rsvp.Config{Events: f.rig.Service, Store: store, Tokens: tokens, ReplyAddress: "invite-reply@example.com"})
	f.must(err)
	in := calendartest.Meeting(24 * time.Hour)
	in.Title = "<b>Review</b>"
	in.Attendees = []calendar.NewAttendee{{Email: guest}}
	f.event, err = f.rig.Create(t.Context(), calendartest.By("alice"), in)
	f.must(err)
	generation, err := tokens.Issue(t.Context(), calendartest.Tenant, f.event.ID, guest, time.Now().Add(time.Hour))
	f.must(err)
	f.token = tokens.ButtonToken(calendartest.Tenant, f.event.ID, guest, generation)

	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("test", "1"))
	web.Use(api, web.Config{Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
		return calendartest.By(token), nil
	})})
	rsvphttp.Register(api, mux, svc, rsvphttp.Config{InboundToken: secret.NewString("inbound"), Tenant: calendartest.Tenant})
	f.Handler = web.Server(mux, web.ServerConfig{})
	return f
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) do(method, path, token, kind string, body []byte, headers ...string) *httptest.ResponseRecorder {
	f.Helper()
	r := httptest.NewRequestWithContext(f.Context(), method, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func (f *fixture) mail(partstat string) []byte {
	return fmt.Appendf(nil, "From: %s\r\nTo: invite-reply@example.com\r\nContent-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n"+
		"BEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20300114T130000Z\r\nATTENDEE;PARTSTAT=%s:mailto:%[1]s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", guest, f.event.UID, partstat)
}

func (f *fixture) partstat() calendar.Partstat {
	ev, err := f.rig.ByID(f.Context(), calendartest.Tenant, f.event.ID)
	f.must(err)
	return ev.Attendees[0].Partstat
}

func TestInbound(t *testing.T) {
	f := newFixture(t)
	mail := f.mail("ACCEPTED")
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	_ = w.WriteField("subject", "x")
	_ = w.WriteField("email", string(mail))
	_ = w.Close()
	for name, tt := range map[string]struct {
		token, kind string
		body        []byte
		status      int
		want        string
	}{
		"no token":       {"", "message/rfc822", mail, 401, "unauthenticated"},
		"wrong token":    {"alice", "message/rfc822", mail, 401, "unauthenticated"},
		"wrong type":     {"inbound", "text/plain", mail, 415, "unsupported_media_type"},
		"no type":        {"inbound", "", mail, 415, "unsupported_media_type"},
		"too large":      {"inbound", "message/rfc822", make([]byte, rsvp.MaxMail+1), 413, "body_too_large"},
		"as large as is": {"inbound", "message/rfc822", make([]byte, rsvp.MaxMail), 200, "malformed"},
		"bad JSON":       {"inbound", "application/json", []byte("{"), 400, "malformed_json"},
		"bad base64":     {"inbound", "application/json", []byte(`{"raw":"%"}`), 422, "invalid_input"},
		"no field":       {"inbound", "multipart/form-data; boundary=x", []byte("--x--\r\n"), 422, "invalid_input"},
		"plain mail":     {"inbound", "message/rfc822", []byte("From: a@b.example\r\n\r\nhello"), 200, "not_a_reply"},
	} {
		got := f.do("POST", "/rsvp/inbound", tt.token, tt.kind, tt.body)
		if got.Code != tt.status || !strings.Contains(got.Body.String(), `"`+tt.want+`"`) {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	for i, tt := range []struct {
		kind string
		body []byte
		want string
	}{
		{"message/rfc822", mail, "unverified"},
		{"application/json", []byte(`{"raw":"` + base64.StdEncoding.EncodeToString(mail) + `"}`), "duplicate"},
		{w.FormDataContentType(), form.Bytes(), "duplicate"},
	} {
		var d rsvphttp.Decision
		got := f.do("POST", "/rsvp/inbound", "inbound", tt.kind, tt.body)
		f.must(json.Unmarshal(got.Body.Bytes(), &d))
		if d.Decision != tt.want || d.EventID != f.event.ID || d.Attendee != guest || d.Partstat != "ACCEPTED" {
			t.Errorf("%d: %d %s", i, got.Code, got.Body)
		}
	}
}

func TestReplies(t *testing.T) {
	f := newFixture(t)
	f.do("POST", "/rsvp/inbound", "inbound", "message/rfc822", f.mail("ACCEPTED"))
	path := "/events/" + f.event.ID + "/replies"
	var list struct {
		Items []rsvphttp.Reply `json:"items"`
	}
	got := f.do("GET", path, "alice", "", nil)
	f.must(json.Unmarshal(got.Body.Bytes(), &list))
	if got.Code != 200 || len(list.Items) != 1 || list.Items[0].Decision != "unverified" || list.Items[0].Stamp == nil {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	admit := path + "/" + list.Items[0].ID + "/admit"
	for _, tt := range []struct {
		method, path, as string
		status           int
	}{
		{"GET", path, "", 401}, {"GET", path, "carol", 403}, {"GET", "/events/none/replies", "alice", 404}, {"GET", "/rsvp/replies", "alice", 403},
		{"GET", "/rsvp/replies", "admin", 200}, {"POST", admit, "carol", 403}, {"POST", admit, "alice", 200}, {"POST", admit, "alice", 409},
	} {
		if got := f.do(tt.method, tt.path, tt.as, "", nil); got.Code != tt.status {
			t.Errorf("%s %s as %s: %d %s", tt.method, tt.path, tt.as, got.Code, got.Body)
		}
	}
	if got := f.partstat(); got != calendar.Accepted {
		t.Errorf("the guest is %s", got)
	}
}

// proposal is a COUNTER of the guest, sent to their own reply address.
func (f *fixture) proposal(day int) []byte {
	generation, err := f.tokens.Issue(f.Context(), calendartest.Tenant, f.event.ID, guest, time.Now().Add(time.Hour))
	f.must(err)
	to := "invite-reply+" + f.tokens.AddressTag(calendartest.Tenant, f.event.ID, guest, generation) + "@example.com"
	return fmt.Appendf(nil, "From: %s\r\nTo: %s\r\nContent-Type: text/calendar; method=COUNTER\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:COUNTER\r\n"+
		"BEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20300114T130000Z\r\nDTSTART:203001%02dT090000Z\r\nDTEND:203001%02[4]dT093000Z\r\nCOMMENT:<b>earlier</b>\r\n"+
		"ATTENDEE;PARTSTAT=TENTATIVE:mailto:%[1]s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", guest, to, f.event.UID, day)
}

func TestProposals(t *testing.T) {
	f := newFixture(t)
	for day := range 2 {
		if got := f.do("POST", "/rsvp/inbound", "inbound", "message/rfc822", f.proposal(20+day)); !strings.Contains(got.Body.String(), `"decision":"counter"`) {
			t.Fatal(got.Body)
		}
	}
	f.do("POST", "/rsvp/inbound", "inbound", "message/rfc822", f.mail("ACCEPTED"))
	path := "/events/" + f.event.ID + "/replies"
	var list struct {
		Items []rsvphttp.Reply `json:"items"`
	}
	got := f.do("GET", path+"?decision=counter", "alice", "", nil)
	f.must(json.Unmarshal(got.Body.Bytes(), &list))
	start := time.Date(2030, 1, 20, 9, 0, 0, 0, time.UTC)
	if len(list.Items) != 2 || list.Items[1].Proposal == nil || !list.Items[1].Proposal.Start.Equal(start) || list.Items[1].Comment != "<b>earlier</b>" ||
		list.Items[1].Attendee != guest || list.Items[1].Proposal.Settled != "" || list.Items[1].Proposal.SettledAt != nil {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	first, second := path+"/"+list.Items[1].ID, path+"/"+list.Items[0].ID
	list.Items = nil
	got = f.do("GET", path+"?decision=unverified", "alice", "", nil)
	f.must(json.Unmarshal(got.Body.Bytes(), &list))
	if len(list.Items) != 1 || list.Items[0].Proposal != nil {
		t.Fatalf("%d %s", got.Code, got.Body)
	}
	answer := path + "/" + list.Items[0].ID
	for _, tt := range []struct {
		method, path, as string
		status           int
		want             string
	}{
		{"GET", path + "?decision=s3cret", "alice", 422, "invalid_input"},
		{"GET", path + "?decision=counter", "carol", 403, "not_organizer"},
		{"POST", first + "/accept", "", 401, "unauthenticated"},
		{"POST", first + "/accept", "carol", 403, "not_organizer"},
		{"POST", first + "/decline", "carol", 403, "not_organizer"},
		{"POST", "/events/none/replies/none/accept", "alice", 404, "not_found"},
		{"POST", path + "/none/accept", "alice", 404, "not_found"},
		{"POST", path + "/%00s3cret/decline", "alice", 422, "invalid_text"},
		{"POST", path + "/" + strings.Repeat("s3cret", 50) + "/accept", "alice", 422, "invalid_input"},
		{"POST", answer + "/accept", "alice", 409, "not_a_proposal"},
		{"POST", answer + "/decline", "alice", 409, "not_a_proposal"},
		{"POST", first + "/accept", "alice", 200, `"settled":"accepted","settled_by":"alice"`},
		{"POST", first + "/accept", "alice", 409, "proposal_settled"},
		{"POST", first + "/decline", "alice", 409, "proposal_settled"},
		{"POST", second + "/accept", "alice", 409, "proposal_stale"},
		{"POST", second + "/decline", "alice", 409, "proposal_stale"},
	} {
		got := f.do(tt.method, tt.path, tt.as, "", nil)
		if got.Code != tt.status || !strings.Contains(got.Body.String(), tt.want) || strings.Contains(got.Body.String(), "s3cret") {
			t.Errorf("%s %.80s as %s: %d %s", tt.method, tt.path, tt.as, got.Code, got.Body)
		}
	}
	ev, err := f.rig.ByID(f.Context(), calendartest.Tenant, f.event.ID)
	if err != nil || !ev.Start.Equal(start) || !ev.End.Equal(start.Add(30*time.Minute)) {
		t.Errorf("%v to %v, %v", ev.Start, ev.End, err)
	}
	f.must(f.rig.Cancel(f.Context(), calendartest.By("alice"), f.event.ID, 0))
	if got := f.do("POST", second+"/decline", "alice", "", nil); got.Code != 409 || !strings.Contains(got.Body.String(), "event_cancelled") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestPages(t *testing.T) {
	f := newFixture(t)
	path := "/rsvp/" + f.token
	got := f.do("GET", path+"?answer=DECLINED", "", "", nil, "Accept-Language", "fr, ja-JP;q=0.9, en")
	page := got.Body.String()
	for _, want := range []string{`lang="ja"`, "&lt;b&gt;Review&lt;/b&gt;", "2030-01-15 (火) 21:00", "Alice", `value="DECLINED" required checked`, "width=device-width"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if strings.Count(page, " checked") != 1 || got.Code != 200 || f.partstat() != calendar.NeedsAction {
		t.Errorf("%d, the guest is %s", got.Code, f.partstat())
	}
	h := got.Header()
	if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%v", h)
	}
	form := func(partstat string) []byte {
		return []byte(url.Values{"partstat": {partstat}, "comment": {"soon"}}.Encode())
	}
	const kind = "application/x-www-form-urlencoded"
	if got := f.do("POST", path, "", kind, form("ACCEPTED")); got.Code != 200 || !strings.Contains(got.Body.String(), "Your answer was recorded: Accept") || f.partstat() != calendar.Accepted {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := f.do("POST", path, "", kind, form("TENTATIVE"), "Accept", "application/json"); got.Code != 200 || !strings.Contains(got.Body.String(), `"decision":"applied"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := f.do("POST", path, "", "application/json", []byte(`{"partstat":"DECLINED","comment":"x"}`)); got.Code != 200 || f.partstat() != calendar.Declined {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	for name, tt := range map[string]struct {
		path   string
		body   []byte
		accept string
		status int
		want   string
	}{
		"no answer":       {path, form("MAYBE"), "", 422, "could not be recorded"},
		"too long":        {path, make([]byte, 1<<20), "", 422, "could not be recorded"},
		"unknown":         {"/rsvp/nothing", form("ACCEPTED"), "", 404, "not valid"},
		"unknown as JSON": {"/rsvp/nothing", form("ACCEPTED"), "application/json", 404, `"reason":"unknown_token"`},
	} {
		if got := f.do("POST", tt.path, "", kind, tt.body, "Accept", tt.accept); got.Code != tt.status || !strings.Contains(got.Body.String(), tt.want) {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	f.must(f.rig.Cancel(t.Context(), calendartest.By("alice"), f.event.ID, 0))
	for _, method := range []string{"GET", "POST"} {
		if got := f.do(method, path, "", kind, form("ACCEPTED")); got.Code != 200 || !strings.Contains(got.Body.String(), "was cancelled") || strings.Contains(got.Body.String(), "<form") {
			t.Errorf("%s: %d %s", method, got.Code, got.Body)
		}
	}
}
