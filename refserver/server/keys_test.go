package server_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/refserver/server"
)

// program runs a command of the program on one data folder and database.
type program struct {
	dir, database string
	environ       []string
}

func (p program) run(t *testing.T, words ...string) (int, string) {
	t.Helper()
	var out strings.Builder
	args := append(slices.Clone(words), "--data-dir", p.dir, "--database", p.database)
	code := server.Main(t.Context(), args, p.environ, &out, &out)
	return code, out.String()
}

func (p program) must(t *testing.T, words ...string) string {
	t.Helper()
	code, out := p.run(t, words...)
	if code != 0 {
		t.Fatalf("%q: code %d: %s", words, code, out)
	}
	return out
}

// eachProgram runs f for a database of each kind.
func eachProgram(t *testing.T, f func(t *testing.T, p program)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		f(t, program{dir: dir, database: "sqlite:" + filepath.Join(dir, "renkei.db")})
	})
	t.Run("postgres", func(t *testing.T) { f(t, program{dir: t.TempDir(), database: sqldbtest.PostgresURL(t)}) })
}

// answersSealedWith counts the kept answers by the id of the key that sealed them.
func answersSealedWith(t *testing.T, database, id string) int {
	t.Helper()
	db, err := sqldb.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var n int
	if err := db.IDB(t.Context()).NewRaw("SELECT count(*) FROM web_idempotency WHERE answer LIKE ?", "sealed:s1."+id+".%").Scan(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKeysRotate: after a rotation new things are sealed with the new key, what was kept is sealed anew and still
// readable, the audit chain holds over both keys, and the old key can be dropped once only the chain needs it.
func TestKeysRotate(t *testing.T) {
	eachProgram(t, func(t *testing.T, p program) {
		body := booking(nil)
		var first answer
		serveWhile(t, p.dir, p.database, func(r rig) {
			hook := object{"url": "https://example.com/hook", "events": []string{"person.*"}}
			if a := r.call(t, "admin", http.MethodPost, "/api/webhooks", hook); a.status != http.StatusCreated {
				t.Fatalf("%d %s", a.status, a.body)
			}
			first = r.call(t, "alice", http.MethodPost, "/events", body, "Idempotency-Key: once")
			await(t, t.Context(), func() bool { // some of the chain is sealed with the first key
				trail := r.call(t, "admin", http.MethodGet, "/audit?limit=1&action=CREATE_EVENT", nil)
				return strings.Contains(string(trail.body), `"seq":`) && !strings.Contains(string(trail.body), `"seq":0`)
			})
		})
		if first.status != http.StatusCreated || answersSealedWith(t, p.database, "k1") != 1 {
			t.Fatalf("%d %s; %d answers kept", first.status, first.body, answersSealedWith(t, p.database, "k1"))
		}
		// With keys of its own that are called the same, another server would make the trail look tampered with.
		_, err := server.New(t.Context(), server.Config{Listen: "127.0.0.1:0", Demo: true, DataDir: t.TempDir(), Database: p.database, LogTo: io.Discard})
		if fault.ReasonOf(err) != "other_secret_keys" {
			t.Fatalf("a server with other keys: %v", err)
		}
		keys := filepath.Join(p.dir, "secret.keys")
		before, err := os.ReadFile(keys)
		if err != nil {
			t.Fatal(err)
		}

		out := p.must(t, "keys", "rotate")
		after, err := os.ReadFile(keys)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(after), "k2:") || !strings.HasSuffix(string(after), ","+string(before)) {
			t.Error("the new key does not stand in front of the old one")
		}
		if info, err := os.Stat(keys); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if !strings.Contains(out, "k2 is the new current key") || !strings.Contains(out, "1 sealed anew") || strings.Contains(out, string(after[3:20])) {
			t.Error(out)
		}
		if answersSealedWith(t, p.database, "k1") != 0 || answersSealedWith(t, p.database, "k2") != 1 {
			t.Error("the kept answer is not sealed with the new key")
		}
		if left, err := filepath.Glob(keys + ".*"); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v %v", left, err)
		}

		serveWhile(t, p.dir, p.database, func(r rig) {
			again := r.call(t, "alice", http.MethodPost, "/events", body, "Idempotency-Key: once")
			if again.status != http.StatusCreated || !bytes.Equal(again.body, first.body) || again.header.Get("Idempotency-Replayed") == "" {
				t.Errorf("not replayed: %d %s", again.status, again.body)
			}
			r.book(t, "bob", nil)
		})
		if out := p.must(t, "audit", "verify"); !strings.Contains(out, "whole") {
			t.Error(out)
		}
		newest, _, _ := strings.Cut(string(after), ",") // all but the chain can be read without the first key
		serveWhile(t, p.dir, p.database, func(r rig) {
			if a := r.call(t, "admin", http.MethodGet, "/api/webhooks", nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "example.com/hook") {
				t.Errorf("webhooks without the first key: %d %s", a.status, a.body)
			}
		}, server.Config{SecretKeys: secret.NewString(newest)})
		if out := p.must(t, "keys", "rotate"); !strings.Contains(out, "k3 is the new current key") {
			t.Error(out)
		}
		// Without the first key the chain cannot be proven, and says so.
		p.environ = []string{"RENKEI_SECRET_KEYS=" + newest}
		if code, out := p.run(t, "audit", "verify"); code != 1 || !strings.Contains(out, "unknown_key") {
			t.Errorf("%d %s", code, out)
		}
	})
}

// TestKeysRotateOfTheSettings: keys of the environment stay; the command makes one to put there, and reseal follows it.
func TestKeysRotateOfTheSettings(t *testing.T) {
	eachProgram(t, func(t *testing.T, p program) {
		old := "a:" + secret.NewKey().Reveal()
		serveWhile(t, p.dir, p.database, func(r rig) {
			r.call(t, "alice", http.MethodPost, "/events", booking(nil), "Idempotency-Key: once")
		}, server.Config{SecretKeys: secret.NewString(old)})
		p.environ = []string{"RENKEI_SECRET_KEYS=" + old}
		lines := strings.Split(strings.TrimSpace(p.must(t, "keys", "rotate")), "\n")
		fresh := lines[len(lines)-1]
		if !strings.HasPrefix(fresh, "k2:") || slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, old) }) {
			t.Fatalf("%q", lines)
		}
		p.environ = []string{"RENKEI_SECRET_KEYS=" + fresh + "," + old}
		if out := p.must(t, "keys", "reseal"); !strings.Contains(out, "1 sealed anew") || answersSealedWith(t, p.database, "k2") != 1 {
			t.Error(out)
		}
		if out := p.must(t, "keys", "reseal"); !strings.Contains(out, " 0 sealed anew") {
			t.Error(out)
		}
		if _, err := os.Stat(filepath.Join(p.dir, "secret.keys")); err == nil {
			t.Error("there is a key file as well")
		}
	})
}

// TestKeysRotateRefuses: nothing changes while a server owns the file, or while somebody else rotates.
func TestKeysRotateRefuses(t *testing.T) {
	dir := t.TempDir()
	p := program{dir: dir, database: "sqlite:" + filepath.Join(dir, "renkei.db")}
	keys := filepath.Join(dir, "secret.keys")
	read := func() string {
		raw, err := os.ReadFile(keys)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	serveWhile(t, p.dir, p.database, func(rig) {
		before := read()
		if code, out := p.run(t, "keys", "rotate"); code != 1 || !strings.Contains(out, "database_locked") || read() != before {
			t.Errorf("beside a server: %d %s", code, out)
		}
	})
	before := read()
	if err := os.WriteFile(keys+".new", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := p.run(t, "keys", "rotate"); code != 1 || !strings.Contains(out, "rotation_in_progress") || read() != before {
		t.Errorf("beside another rotation: %d %s", code, out)
	}
}

// TestSeed: the demo company is there afterwards, once, whose people can be signed in only by what the settings allow.
func TestSeed(t *testing.T) {
	eachProgram(t, func(t *testing.T, p program) {
		for range 2 {
			if out := p.must(t, "seed", "--tenant", "acme"); !strings.Contains(out, "8 people at example.com") {
				t.Error(out)
			}
		}
		// The domains stay known when a server starts without naming them.
		serveWhile(t, p.dir, p.database, func(r rig) {
			token, err := os.ReadFile(filepath.Join(p.dir, "admin.token"))
			if err != nil {
				t.Fatal(err)
			}
			admin := "Authorization: Bearer " + strings.TrimSpace(string(token))
			if a := r.call(t, "alice", http.MethodGet, "/resources", nil); a.status != http.StatusUnauthorized {
				t.Errorf("a demo token is accepted: %d %s", a.status, a.body)
			}
			rooms := r.call(t, "", http.MethodGet, "/resources", nil, admin)
			var list struct{ Items []object }
			if rooms.decode(t, &list); rooms.status != http.StatusOK || len(list.Items) != 3 {
				t.Errorf("%d %s", rooms.status, rooms.body)
			}
			booked := r.call(t, "", http.MethodPost, "/events", booking(object{"attendees": []object{{"email": "bob@example.com"}}}), admin)
			var ev struct{ Attendees []object }
			if booked.decode(t, &ev); booked.status != http.StatusCreated || len(ev.Attendees) != 1 || ev.Attendees[0]["user_id"] != "bob" || ev.Attendees[0]["external"] != false {
				t.Errorf("%d %s", booked.status, booked.body)
			}
		}, server.Config{Tenant: "acme"})
	})
}
