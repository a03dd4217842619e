package server_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/refserver/server"
)

// TestOneProcessOnAFile: a second one that wants the same SQLite file is refused and says why.
func TestOneProcessOnAFile(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir, path := t.TempDir(), build(t)
	p := launch(t, ctx, path, dir, "", startSink(t, ctx))
	second := exec.CommandContext(ctx, path, "--demo", "--listen", "127.0.0.1:0", "--data-dir", dir)
	out, err := second.CombinedOutput()
	if err == nil || second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "another process is using this SQLite file") {
		t.Errorf("the second process: %v %s", err, out)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended badly: %v\n%s", err, p.log)
	}
	if _, err := os.Stat(dir + "/renkei.db"); err != nil {
		t.Error(err)
	}
}

// TestStopsInGoodOrder: asked to stop, the program takes no new connections, answers what it has begun and ends with 0.
func TestStopsInGoodOrder(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	database := sqldbtest.PostgresURL(t)
	p := launch(t, ctx, build(t), t.TempDir(), database, startSink(t, ctx))
	release, answered := holdABooking(t, ctx, p.url, database)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, ctx, func() bool { return p.call(t, "", http.MethodGet, "/healthz", nil).status == 0 })
	release()
	if a := <-answered; a.status != http.StatusCreated {
		t.Errorf("what was begun was not answered: %d %s", a.status, a.body)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended badly: %v\n%s", err, p.log)
	}
}

// TestLoopsEndBesideASlowAnswer: the loops stop, with what they have in hand, while a request takes its time.
func TestLoopsEndBesideASlowAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	defer stop()
	log, database := &lockedLog{}, sqldbtest.PostgresURL(t)
	s, err := server.New(ctx, server.Config{Listen: "127.0.0.1:0", Demo: true, DataDir: t.TempDir(), Database: database, LogTo: log})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	<-s.Ready()
	release, answered := holdABooking(t, ctx, s.URL(), database)
	stop()
	await(t, ctx, func() bool { return strings.Contains(log.String(), "the loops have ended") })
	release()
	if a := <-answered; a.status != http.StatusCreated {
		t.Errorf("what was begun was not answered: %d %s", a.status, a.body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// holdABooking begins a request that the database holds up until release is called.
func holdABooking(t *testing.T, ctx context.Context, url, database string) (release func(), answered <-chan answer) {
	t.Helper()
	db, err := sqldb.Open(ctx, database, sqldb.MaxConns(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	held, released, done := make(chan struct{}), make(chan struct{}), make(chan answer, 1)
	unlocked := make(chan error, 1)
	go func() {
		unlocked <- db.Do(ctx, func(ctx context.Context) error {
			_, err := db.IDB(ctx).ExecContext(ctx, "LOCK TABLE calendar_events IN SHARE MODE")
			close(held)
			select {
			case <-released:
			case <-ctx.Done():
			}
			return err
		})
	}()
	release = sync.OnceFunc(func() {
		close(released)
		if err := <-unlocked; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	<-held
	go func() { done <- rig{url: url}.call(t, "alice", http.MethodPost, "/events", booking(nil)) }()
	await(t, ctx, func() bool {
		var waits int
		err := db.IDB(ctx).NewRaw("SELECT count(*) FROM pg_locks WHERE relation = 'calendar_events'::regclass AND NOT granted").Scan(ctx, &waits)
		return err == nil && waits > 0
	})
	return release, done
}
