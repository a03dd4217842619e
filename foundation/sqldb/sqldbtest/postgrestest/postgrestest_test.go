//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package postgrestest

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// newCluster is a private server apart from the shared one, with the programs of this machine.
func newCluster(t *testing.T) cluster {
	t.Helper()
	parent, err := os.MkdirTemp("", "postgrestest-") // t.TempDir is closed to the user that the server of root runs as
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}
	return cluster{dir: filepath.Join(parent, "cluster"), find: find, install: install}
}

func query(t *testing.T, server, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var value string
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func TestPrivateServer(t *testing.T) {
	c := newCluster(t)
	t.Cleanup(func() {
		if err := c.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})

	// Everybody who asks at the same time gets the one server.
	urls := make([]string, 4)
	var wait sync.WaitGroup
	for i := range urls {
		wait.Go(func() {
			var err error
			if urls[i], err = c.url(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		t.FailNow()
	}
	first := urls[0]
	for _, u := range urls {
		if u != first {
			t.Fatal("two servers were started")
		}
	}

	for setting, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
		"max_connections": "200", "listen_addresses": "127.0.0.1", "server_encoding": "UTF8",
	} {
		if got := query(t, first, "SHOW "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if got := query(t, first, "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user"); got != "true" {
		t.Error("the role may not create databases")
	}

	parsed, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	parsed.User = url.UserPassword("postgres", "wrong")
	if err := ping(t.Context(), parsed.String()); err == nil {
		t.Error("the server lets anybody in")
	}

	// A killed server is replaced.
	folders, err := filepath.Glob(filepath.Join(c.dir, "server-*"))
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	kill(t, filepath.Join(folders[0], "data", "postmaster.pid"), first)
	second, err := c.url(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second == first {
		t.Error("the dead server was handed out")
	}
	if got := query(t, second, "SELECT 'up'"); got != "up" {
		t.Error(got)
	}
	if _, err := os.Stat(folders[0]); !errors.Is(err, os.ErrNotExist) {
		t.Error("the dead server's data are still there:", err)
	}

	if err := c.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ping(t.Context(), second) == nil {
		t.Error("the server still answers after stop")
	}
	left, err := filepath.Glob(filepath.Join(c.dir, "*"))
	if err != nil || len(left) != 1 || left[0] != c.lockFile() {
		t.Errorf("stop left %v (%v), want the lock only", left, err)
	}
}

// kill kills the server whose pid file this is, and waits until it no longer answers.
func kill(t *testing.T, pidFile, server string) {
	t.Helper()
	raw, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for ping(t.Context(), server) == nil {
		if t.Context().Err() != nil {
			t.Fatal("the server does not die")
		}
	}
}

func TestURLFromEnvironment(t *testing.T) {
	closed, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvURL, "postgres://someone:hidden@127.0.0.1:"+closed+"/db?sslmode=disable")
	_, err = URL(t.Context())
	if err == nil || !strings.Contains(err.Error(), EnvURL) {
		t.Errorf("a dead server named by the environment: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "hidden") {
		t.Error("the error tells the password")
	}
}

func TestURL(t *testing.T) {
	server, err := URL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, server, "SELECT 'up'"); got != "up" {
		t.Error(got)
	}
}

func TestLocalWithoutServer(t *testing.T) {
	closed, err := freePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := local(t.Context(), net.JoinHostPort("127.0.0.1", closed)); got != "" {
		t.Errorf("local = %q on a closed port", got)
	}
}

func TestNoPrograms(t *testing.T) {
	c := newCluster(t)
	c.find = func() string { return "" }
	c.install = func(context.Context) error { return errNoServer }
	if _, err := c.url(t.Context()); !errors.Is(err, errNoServer) {
		t.Errorf("url = %v, want what to do", err)
	}

	// An installation that does not bring the programs ends in the same advice.
	c.install = func(context.Context) error { return nil }
	if _, err := c.url(t.Context()); !errors.Is(err, errNoServer) {
		t.Errorf("url = %v, want what to do", err)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	c := newCluster(t)
	programs := t.TempDir()
	c.find = func() string { return programs } // without initdb
	if _, err := c.url(t.Context()); err == nil {
		t.Fatal("a server without programs")
	}
	left, err := filepath.Glob(filepath.Join(c.dir, "*"))
	if err != nil || len(left) != 1 || left[0] != c.lockFile() {
		t.Errorf("left %v (%v), want the lock only", left, err)
	}
}

func TestLockHeedsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("lock = %v, want the deadline", err)
	}
	unlock()
	again, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestForeignFolderIsRefused(t *testing.T) {
	c := newCluster(t)
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := c.url(t.Context()); err == nil {
		t.Error("a folder that everybody may write to was used")
	}

	if err := os.Remove(c.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), c.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := c.url(t.Context()); err == nil {
		t.Error("a link was followed")
	}
}

func TestNewest(t *testing.T) {
	root := t.TempDir()
	for _, folder := range []string{"9/bin", "15/bin", "17/bin"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"9/bin/initdb", "9/bin/pg_ctl", "9/bin/postgres", "15/bin/initdb", "15/bin/pg_ctl",
		"15/bin/postgres", "17/bin/pg_ctl"} { // 17 is the client only
		if err := os.WriteFile(filepath.Join(root, program), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := newest([]string{filepath.Join(root, "*", "bin")}), filepath.Join(root, "15", "bin"); got != want {
		t.Errorf("newest = %q, want %q", got, want)
	}
	if got := newest([]string{filepath.Join(root, "none")}); got != "" {
		t.Errorf("newest = %q, want none", got)
	}
}

func TestInstall(t *testing.T) {
	folder := t.TempDir()
	record := filepath.Join(folder, "record")
	script := "#!/bin/sh\necho \"$DEBIAN_FRONTEND $*\" >>'" + record + "'\n"
	if err := os.WriteFile(filepath.Join(folder, "apt-get"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}

	t.Setenv("PATH", t.TempDir())
	if err := install(t.Context()); !errors.Is(err, errNoServer) {
		t.Errorf("without apt-get: %v", err)
	}

	t.Setenv("PATH", folder)
	err := install(t.Context())
	if os.Getuid() != 0 {
		if !errors.Is(err, errNoServer) {
			t.Errorf("without root: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	ran, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	want := "noninteractive update\nnoninteractive install -y --no-install-recommends postgresql\n"
	if string(ran) != want {
		t.Errorf("ran %q, want %q", ran, want)
	}
}
