package delegationhttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/calendar/delegation"
	"github.com/renkei-go/renkei/calendar/delegation/delegationbun"
	"github.com/renkei-go/renkei/calendar/delegation/delegationhttp"
	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/identity/identitytest"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/foundation/web"
)

// silent is an audit.Recorder that keeps nothing.
type silent struct{}

func (silent) Record(context.Context, ...audit.Entry) error { return nil }

func newServer(db *sqldb.DB) http.Handler {
	ids := 0
	s, err := delegation.New(delegation.Config{
		Store: delegationbun.New(db), Audit: silent{},
		Directory: identitytest.Directory{"acme": {People: []identity.Person{
			identitytest.Employee("exec", ""), identitytest.Employee("secretary", "exec"), identitytest.Employee("alice", "exec"),
		}}},
		Now:   func() time.Time { return time.Date(2030, 1, 15, 9, 0, 0, 0, time.UTC) },
		NewID: func() string { ids++; return fmt.Sprint("d", ids) },
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("Delegations", "1"))
	web.Use(api, web.Config{
		Authenticate: web.Bearer(func(_ context.Context, user string) (identity.Principal, error) {
			return identity.Principal{Tenant: "acme", Actor: user}, nil
		}),
		ActAs:  s.ActAs,
		Logger: slog.New(slog.DiscardHandler),
	})
	delegationhttp.Register(api, s)
	return mux
}

func call(h http.Handler, user, actAs, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+user)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if actAs != "" {
		r.Header.Set("X-Act-As-User", actAs)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHTTP(t *testing.T) {
	h := newServer(sqldbtest.SQLite(t, delegationbun.Migrations))
	const d1 = `{"id":"d1","delegator_id":"exec","delegatee_id":"secretary","permissions":["EDIT"],"valid_from":null,"valid_until":null,"revoked_at":null,"created_at":"2030-01-15T09:00:00Z"}`
	const d2 = `{"id":"d2","delegator_id":"exec","delegatee_id":"secretary","permissions":["READ_PRIVATE","RESPOND"],"valid_from":"2030-01-15T10:00:00Z","valid_until":"2030-01-16T00:00:00Z","revoked_at":null,"created_at":"2030-01-15T09:00:00Z"}`
	for _, c := range []struct {
		name, user, actAs, method, path, body string
		status                                int
		want                                  string // the whole body of a success, the reason of a problem
		location                              string // of its first error
	}{
		{"create", "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":["EDIT"],"valid_from":null,"valid_until":null}`, 201, d1, ""},
		{"window", "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":["RESPOND","READ_PRIVATE"],"valid_from":"2030-01-15T19:00:00+09:00","valid_until":"2030-01-16T00:00:00Z"}`, 201, d2, ""},
		{"unknown permission", "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":["OWN"]}`, 422, "invalid_input", "body.permissions[0]"},
		{"no permission", "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":[]}`, 422, "invalid_input", "body.permissions"},
		{"until before from", "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":["EDIT"],"valid_from":"2030-02-01T00:00:00Z","valid_until":"2030-02-01T00:00:00Z"}`, 422, "invalid_input", "body.valid_until"},
		{"oneself", "exec", "", "POST", "/delegations", `{"delegatee_id":"exec","permissions":["EDIT"]}`, 422, "invalid_input", "body.delegatee_id"},
		{"unknown person", "exec", "", "POST", "/delegations", `{"delegatee_id":"nobody","permissions":["EDIT"]}`, 422, "invalid_input", "body.delegatee_id"},
		{"not a time", "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":["EDIT"],"valid_from":"tomorrow"}`, 422, "invalid_input", "body.valid_from"},
		{"as a proxy", "secretary", "exec", "POST", "/delegations", `{"delegatee_id":"alice","permissions":["EDIT"]}`, 403, "not_delegator", ""},
		{"not delegated", "alice", "exec", "GET", "/delegations", "", 403, "not_delegated", ""},
		{"unknown subject", "alice", "nobody", "GET", "/delegations", "", 403, "not_delegated", ""},
		{"given", "exec", "", "GET", "/delegations", "", 200, `{"items":[` + d2 + `,` + d1 + `]}`, ""},
		{"received", "secretary", "", "GET", "/delegations", "", 200, `{"items":[` + d2 + `,` + d1 + `]}`, ""},
		{"none", "alice", "", "GET", "/delegations", "", 200, `{"items":[]}`, ""},
		{"limit", "exec", "", "GET", "/delegations?limit=0", "", 422, "invalid_input", "query.limit"},
		{"cursor", "exec", "", "GET", "/delegations?cursor=x", "", 422, "invalid_cursor", ""},
		{"others'", "alice", "", "GET", "/delegations?person_id=exec", "", 403, "not_delegator", ""},
		{"revoke another's", "alice", "", "DELETE", "/delegations/d1", "", 404, "not_found", ""},
		{"revoke", "exec", "", "DELETE", "/delegations/d1", "", 204, "", ""},
		{"revoke again", "exec", "", "DELETE", "/delegations/d1", "", 204, "", ""},
		{"revoked", "secretary", "", "GET", "/delegations", "", 200, `{"items":[` + d2 + `,` + strings.Replace(d1, `"revoked_at":null`, `"revoked_at":"2030-01-15T09:00:00Z"`, 1) + `]}`, ""},
		{"no more", "secretary", "exec", "GET", "/delegations", "", 403, "not_delegated", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := call(h, c.user, c.actAs, c.method, c.path, c.body)
			raw, _ := io.ReadAll(res.Body)
			got := strings.TrimSpace(string(raw))
			if res.Code >= 400 {
				var p web.Problem
				if err := json.Unmarshal(raw, &p); err != nil {
					t.Fatalf("%v in %s", err, got)
				}
				got = p.Reason
				if c.location != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.location) {
					t.Errorf("errors %v, want one at %s", p.Errors, c.location)
				}
			}
			if res.Code != c.status || got != c.want {
				t.Errorf("%d %s, want %d %s", res.Code, got, c.status, c.want)
			}
		})
	}
}

func TestPaging(t *testing.T) {
	h := newServer(sqldbtest.SQLite(t, delegationbun.Migrations))
	for range 3 {
		call(h, "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":["EDIT"]}`)
	}
	var ids []string
	for cursor := ""; ; {
		var p delegationhttp.Delegations
		res := call(h, "exec", "", "GET", "/delegations?limit=2&cursor="+cursor, "")
		if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
			t.Fatal(err)
		}
		for _, d := range p.Items {
			ids = append(ids, d.ID)
		}
		if cursor = p.NextCursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(ids, " "); got != "d3 d2 d1" {
		t.Errorf("%s, want d3 d2 d1", got)
	}
}

func Example() {
	db, _ := sqldb.Open(context.Background(), "sqlite::memory:")
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(context.Background(), db, delegationbun.Migrations); err != nil {
		fmt.Println(err)
		return
	}
	h := newServer(db) // calls Register
	res := call(h, "exec", "", "POST", "/delegations", `{"delegatee_id":"secretary","permissions":["EDIT"]}`)
	fmt.Println(res.Code)
	fmt.Println(call(h, "secretary", "exec", "GET", "/delegations", "").Code)
	fmt.Println(call(h, "alice", "exec", "GET", "/delegations", "").Code)
	// Output:
	// 201
	// 200
	// 403
}
