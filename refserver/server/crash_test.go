package server_test

import (
	"bufio"
	"context"
	"net/http"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport/mail/mailtest"
)

// process is the real program.
type process struct {
	rig
	cmd *exec.Cmd
}

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "refserver")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "github.com/renkei-go/renkei/refserver")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// launch starts the program and waits until it is ready.
func launch(t *testing.T, ctx context.Context, program, dir, database string, sink *mailtest.Sink) process {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, "--demo", "--listen", "127.0.0.1:0", "--data-dir", dir, "--log-level", "warn")
	cmd.Env = append(os.Environ(), "SMTP_URL="+sink.URL, "DATABASE_URL="+database)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := process{cmd: cmd, rig: rig{sink: sink, log: &lockedLog{}}}
	cmd.Stderr = p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() {
		t.Fatalf("the program said nothing: %s", p.log)
	}
	_, p.url, _ = strings.Cut(lines.Text(), " on ")
	go func() {
		for lines.Scan() { // so that it never waits for a reader
		}
	}()
	await(t, ctx, func() bool { return p.call(t, "", http.MethodGet, "/readyz", nil).status == http.StatusOK })
	return p
}

// TestKill9: what was answered goes out, whenever the process dies. It is killed while the mail server holds it up in
// the middle of a message; after the restart the notice and the invitation arrive, once. Then the mail server takes a
// message and hangs up without a word, so that nobody knows: it is sent again, under the same Message-ID.
func TestKill9(t *testing.T) {
	program := build(t)
	for name, database := range map[string]func(testing.TB) string{
		"sqlite":   func(testing.TB) string { return "" },
		"postgres": sqldbtest.PostgresURL,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			hanging, sink := startSink(t, ctx), startSink(t, ctx)
			hanging.Set(mailtest.Hang)
			dir, url := t.TempDir(), database(t)

			p := launch(t, ctx, program, dir, url, hanging)
			p.book(t, "alice", object{"attendees": []object{{"email": "guest@outside.example"}}}) // an invitation
			p.book(t, "bob", object{"resource_ids": []string{"room-large"}})                      // a notice
			await(t, ctx, func() bool { return hanging.Connections() > 0 })
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = p.cmd.Wait()

			p = launch(t, ctx, program, dir, url, sink)
			p.advance(t, "3m") // over the leases that the dead process held
			got, err := sink.Wait(ctx, 2)
			if err != nil {
				t.Fatalf("%d mails: %v\n%s", len(got), err, p.log)
			}
			p.advance(t, "3m")
			for _, to := range []string{"guest@outside.example", "manager@example.com"} {
				if n := len(mailsTo(sink, to)); n != 1 {
					t.Errorf("%d mails to %s, want 1", n, to)
				}
			}

			sink.Set(mailtest.Drop)
			p.book(t, "alice", object{"attendees": []object{{"email": "second@outside.example"}}})
			if _, err := sink.Wait(ctx, 3); err != nil {
				t.Fatal(err)
			}
			sink.Set(mailtest.Accept)
			p.advance(t, "10m") // over the first delay between two tries
			if _, err := sink.Wait(ctx, 4); err != nil {
				t.Fatalf("it was not sent again: %v\n%s", err, p.log)
			}
			ids := mailsTo(sink, "second@outside.example")
			if len(ids) != 2 {
				t.Errorf("%d mails, want the one of unknown fate and its repetition", len(ids))
			}
			if ids = slices.Compact(ids); len(ids) != 1 {
				t.Errorf("sent again under another Message-ID: %q", ids)
			}
		})
	}
}

func (r rig) advance(t *testing.T, by string) {
	t.Helper()
	if a := r.call(t, "admin", http.MethodPost, "/demo/clock", object{"advance": by}); a.status != http.StatusOK {
		t.Fatalf("advancing the clock: %d %s", a.status, a.body)
	}
}

func startSink(t *testing.T, ctx context.Context) *mailtest.Sink {
	t.Helper()
	sink, err := mailtest.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() })
	return sink
}

// mailsTo returns the Message-IDs of the mails that an address got.
func mailsTo(sink *mailtest.Sink, to string) []string {
	var ids []string
	for _, m := range sink.Messages() {
		if !slices.Contains(m.To, to) {
			continue
		}
		parsed, err := mail.ReadMessage(strings.NewReader(string(m.Data)))
		if err != nil {
			return []string{"unreadable", err.Error()}
		}
		ids = append(ids, parsed.Header.Get("Message-Id"))
	}
	return ids
}
