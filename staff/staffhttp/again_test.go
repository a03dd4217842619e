package staffhttp_test

import (
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
)

// TestSubscribeAfterRevoked: the key that replaces a revoked one subscribes the same URL.
func TestSubscribeAfterRevoked(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		body := `{"action":"subscribe","url":"https://a.example/","events":["person.created"],"secret":"your-webhook-secret"}`
		old := r.key(t, `{"name":"hr","scopes":["webhooks:manage"]}`)
		r.call(old, "POST", "/api/webhooks.php", body).want(t, "first", 200, `"webhook_id":1`)
		next := r.key(t, `{"name":"hr 2","scopes":["webhooks:manage"]}`)
		r.call(next, "POST", "/api/webhooks.php", body).want(t, "while the old key is good", 409, "url_taken")
		r.call("demo-admin", "DELETE", "/api/api-keys/1", "").want(t, "revoke", 204)
		r.call(next, "POST", "/api/webhooks.php", body).want(t, "afterwards", 200, `"Webhook subscription created"`, `"webhook_id":2`)
		r.call(next, "POST", "/api/webhooks.php", `{"action":"list"}`).want(t, "list", 200, `"id":2`, `"is_active":true`)
		r.call("demo-admin", "GET", "/api/webhooks/1", "").want(t, "the old one", 404)
	})
}

// TestImportOnce: an import that is repeated with its Idempotency-Key makes nobody twice, though the hire has no number.
func TestImportOnce(t *testing.T) {
	sqldbtest.Each(t, migrations, func(t *testing.T, db *sqldb.DB) {
		r := newRig(t, db, 0)
		key, other := r.key(t, `{"name":"ats","scopes":["staff:import"]}`), r.key(t, `{"name":"other","scopes":["staff:import"]}`)
		const path, hire = "/api/recruitment/import", `{"source_system":"ats","new_hire":{"first_name":"Ann","last_name":"Bell"}}`
		first := r.call(key, "POST", path, hire, "Idempotency-Key: k1")
		first.want(t, "first", 201, `"person_id"`)
		again := r.call(key, "POST", path, hire, "Idempotency-Key: k1")
		if again.status != 201 || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Content-Type") != "application/json" {
			t.Errorf("again: %d %v %s", again.status, again.header, again.body)
		}
		r.call(key, "POST", path, strings.Replace(hire, "Ann", "Bob", 1), "Idempotency-Key: k1").want(t, "another hire", 422, `"reason":"idempotency_key_reused"`, `"error":`)
		r.call(key, "POST", path, hire, "Idempotency-Key: k 1").want(t, "no key", 400, "invalid_idempotency_key")
		r.call(key, "POST", path, `{"source_system":"ats"}`, "Idempotency-Key: k2").want(t, "refused", 400, "new_hire is required")
		for _, a := range []answer{r.call(other, "POST", path, hire, "Idempotency-Key: k1"), r.call(key, "POST", path, hire)} {
			if a.status != 201 || a.body == first.body {
				t.Errorf("another's key, or none: %d %s", a.status, a.body)
			}
		}
		big := `{"source_system":"` + strings.Repeat("x", 1<<20) + `"}`
		r.call(key, "POST", path, big, "Idempotency-Key: k3").want(t, "too big", 413)
	})
}
