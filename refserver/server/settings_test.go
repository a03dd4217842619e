package server_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/refserver/server"
)

// TestSettings: bad settings are all named at once, without their values, and end with code 2.
func TestSettings(t *testing.T) {
	cases := []struct {
		name string
		args []string
		env  []string
		code int
		says string
	}{
		{"the defaults", []string{"--check"}, nil, 0, "valid"},
		{"the demo", []string{"--demo", "--check"}, nil, 0, "valid"},
		{"the environment", []string{"--check"}, []string{"DATABASE_URL=s3cret://x"}, 2, "database"},
		{"a flag wins", []string{"--check", "--database", "sqlite:x.db"}, []string{"DATABASE_URL=s3cret://x"}, 0, "valid"},
		{"an open demo", []string{"--demo", "--listen", "0.0.0.0:8080", "--check"}, nil, 2, "loopback"},
		{"a misspelt variable", []string{"--check"}, []string{"RENKEI_MAIL_DOMAIN=s3cret"}, 2, "RENKEI_MAIL_DOMAIN"},
		{"a variable of ours without a value", []string{"--check"}, []string{"RENKEI_MAIL_DOMAIN="}, 0, "valid"},
		{"the demo by the environment", []string{"--check", "--listen", "0.0.0.0:1"}, []string{"RENKEI_DEMO=true"}, 2, "loopback"},
		{"a flag against the environment", []string{"--check", "--listen", "0.0.0.0:1", "--demo=false"}, []string{"RENKEI_DEMO=true"}, 0, "valid"},
		{"a demo that is neither", []string{"--check"}, []string{"RENKEI_DEMO=s3cret"}, 2, "RENKEI_DEMO"},
		{"traces that go nowhere", []string{"--check"}, []string{"OTEL_SERVICE_NAME=s3cret"}, 0, "no effect"},
		{"traces", []string{"--check"}, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://s3cret:4318"}, 0, "valid"},
		{"a database URL that cannot be", []string{"--check", "--database", "postgres://host:s3cret/x"}, nil, 2, "database"},
		{"an unknown SQLite parameter", []string{"--check", "--database", "sqlite:s3cret.db?mode=ro"}, nil, 2, "database"},
		{"an unknown broker", []string{"--check", "--broker", "mqtt://s3cret"}, nil, 2, "broker"},
		{"a broker URL that cannot be", []string{"--check", "--broker", "nats://s3cret:x?y=1"}, nil, 2, "broker"},
		{"a mail server that cannot be", []string{"--check", "--smtp-url", "http://s3cret"}, nil, 2, "smtp-url"},
		{"a sender of two lines", []string{"--check", "--mail-from", "s3cret\r\nBcc: x@y.example <a@b.example>"}, nil, 2, "mail-from"},
		{"domains with spaces", []string{"--check", "--mail-domains", "example.com, example.org"}, nil, 0, "valid"},
		{"a domain that is an address", []string{"--check", "--mail-domains", "s3cret@example.com"}, nil, 2, "mail-domains"},
		{"a reply address that is none", []string{"--check", "--reply-address", "s3cret"}, nil, 2, "reply-address"},
		{"a public URL with a query", []string{"--check", "--public-url", "https://s3cret.example/?a=b"}, nil, 2, "public-url"},
		{"a port that cannot be", []string{"--check", "--listen", "127.0.0.1:s3cret"}, nil, 2, "listen"},
		{"a chat that is no URL", []string{"--check", "--teams-webhook-url", "s3cret"}, nil, 2, "teams"},
		{"a chat in the own network", []string{"--check", "--slack-webhook-url", "https://10.0.0.1/s3cret"}, nil, 2, "private_address"},
		{"a chat in the clear", []string{"--check", "--teams-webhook-url", "http://example.com/s3cret"}, nil, 2, "scheme_not_allowed"},
		{"a chat that is allowed", []string{"--check", "--teams-webhook-url", "http://10.0.0.1/s3cret", "--allow-private-targets", "10.0.0.0/8"}, nil, 0, "valid"},
		{"networks that are none", []string{"--check", "--allow-private-targets", "s3cret"}, nil, 2, "allow-private-targets"},
		{"a rate that is no number", []string{"--check", "--rate-limit", "s3cret"}, nil, 2, "rate-limit"},
		{"no rate limit", []string{"--check", "--rate-limit", "0"}, nil, 0, "valid"},
		{"a tenant with a line break", []string{"--check", "--tenant", "s3cret\n"}, nil, 2, "tenant"},
		{"half a command", []string{"keys"}, nil, 2, "commands"},
		{"something behind a command", []string{"migrate", "now"}, nil, 2, "commands"},
		{"several mistakes", []string{"--listen", "s3cret", "--secret-keys", "s3cret", "--check"}, nil, 2, "secret-keys"},
		{"half of OIDC", []string{"--oidc-issuer", "https://s3cret.example", "--check"}, nil, 2, "oidc"},
		{"a bad collector", []string{"--otlp-endpoint", "s3cret:4318", "--check"}, nil, 2, "otlp-endpoint"},
		{"a bad level", []string{"--log-level", "s3cret", "--check"}, nil, 2, "log-level"},
		{"Entra", []string{"--check"}, entra("ENTRA_SYNC_INTERVAL=3600", "ENTRA_DEPROVISION=leave", "ENTRA_OWNS=name, members", "ENTRA_PROTECTED_ACCOUNTS=s3cret"), 0, "valid"},
		{"Entra, of which nothing is said", []string{"--check"}, []string{"ENTRA_SYNC_ENABLED=true", "ENTRA_CLIENT_SECRET=s3cret"}, 2, "entra-tenant-id"},
		{"Entra, switched off", []string{"--check"}, []string{"ENTRA_SYNC_ENABLED=false", "ENTRA_CLIENT_SECRET=s3cret"}, 0, "valid"},
		{"Entra, neither on nor off", []string{"--check"}, []string{"ENTRA_SYNC_ENABLED=s3cret"}, 2, "ENTRA_SYNC_ENABLED"},
		{"Entra all the time", []string{"--check"}, entra("ENTRA_SYNC_INTERVAL=1"), 2, "ENTRA_SYNC_INTERVAL"},
		{"Entra in a way that is none", []string{"--check"}, entra("ENTRA_DEPROVISION=s3cret"), 2, "entra-deprovision"},
		{"Entra that owns what it cannot", []string{"--check"}, entra("ENTRA_OWNS=s3cret"), 2, "entra-owns"},
		{"Entra in the clear", []string{"--check"}, entra("ENTRA_GRAPH_URL=http://s3cret"), 2, "entra-graph-url"},
		{"Entra misspelt", []string{"--check"}, []string{"ENTRA_SECRET=s3cret"}, 2, "ENTRA_SECRET"},
		{"an unknown flag", []string{"--nonsense"}, nil, 2, "nonsense"},
		{"an unknown command", []string{"fly"}, nil, 2, "commands"},
		{"version", []string{"version"}, nil, 0, "renkei"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			code := server.Main(t.Context(), c.args, append([]string{"PATH=/bin", "HOME="}, c.env...), &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("code %d, want %d: %s", code, c.code, out.String())
			}
			if strings.Contains(out.String(), "s3cret") {
				t.Errorf("it repeats a value: %s", out.String())
			}
		})
	}
}

// entra is the environment of seed 001, and more.
func entra(more ...string) []string {
	return append([]string{"ENTRA_SYNC_ENABLED=true", "ENTRA_TENANT_ID=contoso.example", "ENTRA_CLIENT_ID=s3cret", "ENTRA_CLIENT_SECRET=s3cret"}, more...)
}

// TestAllAddresses: who serves on all addresses gets one that a browser opens, and hears where links in mails lead.
func TestAllAddresses(t *testing.T) {
	for public, warns := range map[string]bool{"": true, "https://renkei.example": false} {
		log := &lockedLog{}
		s, err := server.New(t.Context(), server.Config{Listen: ":0", DataDir: t.TempDir(), PublicURL: public, LogTo: log})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(s.URL(), "http://localhost:") || strings.Contains(log.String(), "--public-url") != warns {
			t.Errorf("%s: %s", s.URL(), log)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestHelpNamesEverySetting: flags and environment are one list.
func TestHelpNamesEverySetting(t *testing.T) {
	var out strings.Builder
	if code := server.Main(t.Context(), []string{"--help"}, nil, io.Discard, &out); code != 0 {
		t.Fatalf("code %d", code)
	}
	for _, name := range []string{"audit verify", "migrate", "seed", "keys rotate", "-listen", "DATABASE_URL", "SMTP_URL", "RENKEI_SECRET_KEYS", "OIDC_ISSUER", "-demo", "-check", "RENKEI_INBOUND_TOKEN", "ENTRA_SYNC_ENABLED", "ENTRA_TENANT_ID", "ENTRA_CLIENT_ID", "ENTRA_CLIENT_SECRET", "ENTRA_SYNC_INTERVAL"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("%s is missing", name)
		}
	}
}

// TestAuditCommands: the chain of a server that ran is whole; its exported head shows when the tail was cut.
func TestAuditCommands(t *testing.T) {
	dir := t.TempDir()
	database := "sqlite:" + filepath.Join(dir, "renkei.db")
	run := func(args ...string) (int, string) {
		var out strings.Builder
		code := server.Main(t.Context(), append(args, "--data-dir", dir, "--database", database), nil, &out, &out)
		return code, out.String()
	}
	for _, command := range []string{"verify", "head"} { // a new database has a whole trail, but nobody meant that one
		if code, out := run("audit", command); code != 1 || !strings.Contains(out, "no_database") {
			t.Errorf("%s of nothing: %d %s", command, code, out)
		}
	}
	if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
		t.Errorf("%v, %v", made, err)
	}
	var without strings.Builder
	elsewhere := []string{"audit", "verify", "--data-dir", dir, "--database", sqldbtest.PostgresURL(t)}
	if code := server.Main(t.Context(), elsewhere, nil, &without, &without); code != 1 || !strings.Contains(without.String(), "no_secret_keys") {
		t.Errorf("verify without keys: %d %s", code, &without)
	}
	if code, out := run("migrate"); code != 0 {
		t.Fatalf("migrate: %d %s", code, out)
	}
	serveWhile(t, dir, database, func(r rig) {
		r.book(t, "alice", nil)
		r.book(t, "bob", nil)
	})
	code, head := run("audit", "head")
	if code != 0 || !strings.Contains(head, "signature") {
		t.Fatalf("head: %d %s", code, head)
	}
	file := filepath.Join(dir, "head.json")
	if err := os.WriteFile(file, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(head string) (int, string) {
		var out strings.Builder
		code := server.Main(t.Context(), []string{"audit", "verify", "--data-dir", dir, "--database", database, head}, nil, &out, &out)
		return code, out.String()
	}
	if code, out := verify(file); code != 0 || !strings.Contains(out, "whole") {
		t.Fatalf("verify: %d %s", code, out)
	}
	if code, out := run("audit", "verify", file); code != 0 || !strings.Contains(out, "whole") {
		t.Fatalf("verify, the file before the flags: %d %s", code, out)
	}
	cutTail(t, database)
	if code, out := verify(file); code != 1 || !strings.Contains(out, "cut_tail") {
		t.Fatalf("verify after the cut: %d %s", code, out)
	}
}
