package server_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/refserver/server"
)

// issuer is an OpenID Connect provider as far as a resource server sees it: a configuration and keys.
type issuer struct {
	url string
	key *rsa.PrivateKey
}

func newIssuer(t *testing.T) issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	serve := func(path string, document object) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(document)
		})
	}
	serve("/.well-known/openid-configuration", object{
		"issuer": server.URL, "jwks_uri": server.URL + "/keys", "authorization_endpoint": server.URL + "/authorize", "token_endpoint": server.URL + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
	})
	serve("/keys", object{"keys": []object{{
		"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256",
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}}})
	return issuer{server.URL, key}
}

// token is a JWT (RFC 7519) of alice; header and claims are replaced by what is given.
func (i issuer) token(t *testing.T, key *rsa.PrivateKey, header, claims object) string {
	t.Helper()
	h, c := object{"alg": "RS256", "kid": "1", "typ": "JWT"}, object{
		"iss": i.url, "aud": "renkei", "sub": "1234", "email": "alice@example.com", "email_verified": true,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(h, header)
	maps.Copy(c, claims)
	part := func(v object) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	signed := part(h) + "." + part(c)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// TestOIDC: a token of the issuer, for us, that has not ended and names a verified address of somebody in the directory
// is that person, with the roles that the directory knows. Any other is nobody.
func TestOIDC(t *testing.T) {
	iss := newIssuer(t)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := program{dir: dir, database: "sqlite:" + filepath.Join(dir, "renkei.db")}
	p.must(t, "seed", "--tenant", "acme")
	serveWhile(t, p.dir, p.database, func(r rig) {
		cases := []struct {
			name, token string
			status      int
		}{
			{"alice", iss.token(t, iss.key, nil, nil), 200},
			{"alice in capitals", iss.token(t, iss.key, nil, object{"email": "Alice@EXAMPLE.com"}), 200},
			{"one audience of several", iss.token(t, iss.key, nil, object{"aud": []string{"other", "renkei"}}), 200},
			{"expired", iss.token(t, iss.key, nil, object{"exp": time.Now().Add(-time.Hour).Unix()}), 401},
			{"for somebody else", iss.token(t, iss.key, nil, object{"aud": "other"}), 401},
			{"of another issuer", iss.token(t, iss.key, nil, object{"iss": "https://login.example"}), 401},
			{"an address that is not proven", iss.token(t, iss.key, nil, object{"email_verified": false}), 401},
			{"no address", iss.token(t, iss.key, nil, object{"email": ""}), 401},
			{"nobody of the directory", iss.token(t, iss.key, nil, object{"email": "mallory@example.com"}), 401},
			{"signed by a stranger", iss.token(t, stranger, nil, nil), 401},
			{"signed by nobody", iss.token(t, iss.key, object{"alg": "none"}, nil), 401},
			{"an unknown key", iss.token(t, iss.key, object{"kid": "2"}, nil), 401},
			{"rubbish", "a.b.c", 401},
			{"a demo token", "demo-alice", 401},
		}
		for _, c := range cases {
			a := r.call(t, "", http.MethodGet, "/me/notification-settings", nil, "Authorization: Bearer "+c.token)
			if a.status != c.status {
				t.Errorf("%s: %d %s, want %d", c.name, a.status, a.body, c.status)
			}
			if c.status == http.StatusUnauthorized && (a.header.Get("WWW-Authenticate") == "" || strings.Contains(string(a.body), c.token)) {
				t.Errorf("%s: %v %s", c.name, a.header, a.body)
			}
		}
		resource := object{"id": "room-c", "name": "C", "kind": "room"}
		forge := iss.token(t, iss.key, nil, object{"roles": []string{"admin"}, "role": "admin", "groups": []string{"admin"}})
		if a := r.call(t, "", http.MethodPost, "/resources", resource, "Authorization: Bearer "+forge); a.status != http.StatusForbidden {
			t.Errorf("roles in the token count: %d %s", a.status, a.body)
		}
		admin := iss.token(t, iss.key, nil, object{"email": "admin@example.com"})
		if a := r.call(t, "", http.MethodPost, "/resources", resource, "Authorization: Bearer "+admin); a.status != http.StatusCreated {
			t.Errorf("admin: %d %s", a.status, a.body)
		}
	}, server.Config{Tenant: "acme", OIDCIssuer: iss.url, OIDCClientID: "renkei"})
}

// TestOIDCIssuerAway: without its issuer the server does not start, and says why.
func TestOIDCIssuerAway(t *testing.T) {
	iss := httptest.NewServer(http.NotFoundHandler())
	defer iss.Close()
	dir := t.TempDir()
	p := program{dir: dir, database: "sqlite:" + filepath.Join(dir, "renkei.db")}
	if code, out := p.run(t, "serve", "--listen", "127.0.0.1:0", "--oidc-issuer", iss.URL, "--oidc-client-id", "renkei"); code != 1 || !strings.Contains(out, "oidc_unavailable") {
		t.Errorf("%d %s", code, out)
	}
}

// TestAdminToken: without another way to sign in there is one token, in a file that only the server's user reads.
func TestAdminToken(t *testing.T) {
	dir := t.TempDir()
	p := program{dir: dir, database: "sqlite:" + filepath.Join(dir, "renkei.db")}
	serveWhile(t, p.dir, p.database, func(r rig) {
		for _, token := range []string{"demo-admin", "renkei_", "admin"} {
			if a := r.call(t, "", http.MethodGet, "/audit", nil, "Authorization: Bearer "+token); a.status != http.StatusUnauthorized {
				t.Errorf("%s: %d %s", token, a.status, a.body)
			}
		}
		for _, path := range []string{"/demo/clock", "/mail-outbox"} {
			if a := r.call(t, "admin", http.MethodPost, path, object{"advance": "1h"}); a.status == http.StatusOK {
				t.Errorf("%s is there without the demo: %d %s", path, a.status, a.body)
			}
		}
		if a := r.call(t, "", http.MethodGet, "/mail-outbox", nil); a.status != http.StatusUnauthorized {
			t.Errorf("anybody reads the mails: %d", a.status)
		}
		if a := r.call(t, "", http.MethodPost, "/rsvp/inbound", "From: a@b.example", "Content-Type: message/rfc822", "Authorization: Bearer demo-inbound"); a.status != http.StatusUnauthorized {
			t.Errorf("the demo's inbound token works: %d %s", a.status, a.body)
		}
	}, server.Config{Tenant: "acme"})
}
