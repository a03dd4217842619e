package web_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/identity"
	"github.com/renkei-go/renkei/foundation/web"
)

type recastInput struct {
	Limit int `query:"limit" minimum:"1"`
	Body  struct {
		Name string `json:"name"`
	}
}

// TestRecast has every source of errors pass through the operation's own form, and leaves other operations alone.
func TestRecast(t *testing.T) {
	mux := http.NewServeMux()
	api := humago.New(mux, web.HumaConfig("test", "1"))
	web.Use(api, web.Config{Authenticate: web.Bearer(func(_ context.Context, token string) (identity.Principal, error) {
		if token != "alice" {
			return identity.Principal{}, web.ErrUnauthenticated
		}
		return identity.Principal{Tenant: "acme", Actor: token}, nil
	})})
	handle := func(_ context.Context, _ identity.Principal, in *recastInput) (*struct{}, error) {
		if in.Body.Name == "odd" {
			return nil, fault.New(fault.Invalid, "odd", "that is <odd>").With("by", 1)
		}
		return nil, nil
	}
	op := func(path string) huma.Operation { return huma.Operation{Method: http.MethodPost, Path: path} }
	web.Handle(api, web.Recast(op("/old"), func(p *web.Problem) {
		if p.Status == http.StatusUnprocessableEntity {
			p.Status = http.StatusBadRequest
		}
		p.Reason = strings.ToUpper(p.Reason)
		p.Extensions = map[string]any{"error": map[string]any{"code": p.Reason}}
	}), handle)
	web.Handle(api, op("/new"), handle)

	for _, c := range []struct {
		name, token, query, body string
		status                   int
		reason                   string
	}{
		{"by the handler", "alice", "?limit=1", `{"name":"odd"}`, 422, "odd"},
		{"by huma, the body", "alice", "?limit=1", `{"name":3}`, 422, "invalid_input"},
		{"by huma, the query", "alice", "?limit=0", `{"name":"a"}`, 422, "invalid_input"},
		{"by middleware", "alice", "?limit=1", `{`, 400, "malformed_json"},
		{"by middleware, text", "alice", "?limit=1", "{\"name\":\"\xff\"}", 422, "invalid_text"},
		{"by the authenticator", "bob", "?limit=1", `{"name":"a"}`, 401, "unauthenticated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for path, old := range map[string]bool{"/old": true, "/new": false} {
				r := httptest.NewRequest(http.MethodPost, path+c.query, strings.NewReader(c.body))
				r.Header.Set("Authorization", "Bearer "+c.token)
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, r)
				status, reason := c.status, c.reason
				if old {
					reason = strings.ToUpper(reason)
					if status == 422 {
						status = 400
					}
				}
				var got struct {
					Type, Title, Reason string
					Status              int
					Instance            string
					Error               *struct{ Code string }
				}
				if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
					t.Fatalf("%s: %v", w.Body, err)
				}
				if w.Code != status || got.Status != status || got.Reason != reason || got.Title != http.StatusText(status) ||
					got.Type != "about:blank" || got.Instance == "" || w.Header().Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
				if (got.Error != nil) != old || old && got.Error.Code != reason {
					t.Errorf("%s: %s", path, w.Body)
				}
			}
		})
	}
}
