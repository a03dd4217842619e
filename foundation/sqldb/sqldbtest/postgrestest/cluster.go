package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// cluster is a private server in a folder. Processes share it: a lock file lets one of them start or stop it at a time,
// and a file with the URL tells the others where it is.
type cluster struct {
	dir     string                          // holds the lock, the URL and the folder of the server
	find    func() string                   // the folder of PostgreSQL's programs, or ""
	install func(ctx context.Context) error // makes find succeed
}

func (c cluster) lockFile() string { return filepath.Join(c.dir, "lock") }

// urlFile is private to the user: the URL holds the password. It exists only while the server runs, or was killed.
func (c cluster) urlFile() string { return filepath.Join(c.dir, "url") }

// url returns the URL of the running server and starts it first when need be.
func (c cluster) url(ctx context.Context) (string, error) {
	if err := c.makeDir(); err != nil {
		return "", err
	}
	if running, err := c.alive(ctx); err == nil {
		return running, nil
	}
	unlock, err := lock(ctx, c.lockFile())
	if err != nil {
		return "", err
	}
	defer unlock()
	if running, err := c.alive(ctx); err == nil { // another process started it while this one waited
		return running, nil
	}
	if ctx.Err() != nil { // what looks dead may only be slow
		return "", ctx.Err()
	}
	if err := c.clear(ctx); err != nil {
		return "", err
	}
	return c.start(ctx)
}

// stop stops the server and removes its data.
func (c cluster) stop(ctx context.Context) error {
	if _, err := os.Lstat(c.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := c.makeDir(); err != nil {
		return err
	}
	unlock, err := lock(ctx, c.lockFile())
	if err != nil {
		return err
	}
	defer unlock()
	return c.clear(ctx)
}

// alive returns the URL when its server answers.
func (c cluster) alive(ctx context.Context) (string, error) {
	text, err := os.ReadFile(c.urlFile())
	if err != nil {
		return "", err
	}
	return string(text), ping(ctx, string(text))
}

// makeDir makes the cluster's folder. Its name is known and the folder around it is everybody's, so a folder of another
// user, or one that others may write to, is refused. Others may pass through: the server of root runs as another user.
func (c cluster) makeDir() error {
	if err := os.Mkdir(c.dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(c.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !ownedByMe(info) {
		return fmt.Errorf("postgrestest: %s is not a private folder of this user", c.dir)
	}
	return nil
}

// clear stops and removes whatever is there: a running server, a killed one, one that was never finished.
func (c cluster) clear(ctx context.Context) error {
	if err := os.Remove(c.urlFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folders, err := filepath.Glob(filepath.Join(c.dir, "server-*"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		s := server{programs: c.find(), folder: folder}
		if _, err := os.Stat(filepath.Join(s.data(), "postmaster.pid")); err == nil {
			// The file stays when a server was killed: then pg_ctl fails, and the data may go all the same.
			_ = s.run(ctx, "pg_ctl", "stop", "--mode=immediate", "--wait", "--timeout=60", "--pgdata="+s.data())
		}
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	return nil
}

// start makes a new server, waits until it answers and writes its URL.
func (c cluster) start(ctx context.Context) (string, error) {
	programs := c.find()
	if programs == "" {
		if err := c.install(ctx); err != nil {
			return "", err
		}
		if programs = c.find(); programs == "" {
			return "", errNoServer
		}
	}
	folder, err := os.MkdirTemp(c.dir, "server-")
	if err != nil {
		return "", err
	}
	running, err := server{programs: programs, folder: folder}.start(ctx)
	if err == nil {
		err = c.write(running)
	}
	if err != nil {
		return "", errors.Join(err, c.clear(context.WithoutCancel(ctx)))
	}
	return running, nil
}

// write puts the URL there in one step, for the readers that hold no lock.
func (c cluster) write(running string) error {
	next := c.urlFile() + ".next"
	if err := os.WriteFile(next, []byte(running), 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.urlFile())
}

// server is one installation of PostgreSQL's data in a folder of its own.
type server struct {
	programs string // folder of initdb and pg_ctl
	folder   string
}

func (s server) data() string { return filepath.Join(s.folder, "data") }

// start fills the folder, starts the server and returns its URL.
func (s server) start(ctx context.Context) (string, error) {
	const role = "postgres"
	password, passwordFile := rand.Text(), filepath.Join(s.folder, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		return "", err
	}
	if err := giveToServer(passwordFile, s.folder); err != nil {
		return "", err
	}
	locale := "C" // the same order of texts on every machine
	if runtime.GOOS == "linux" {
		locale = "C.UTF-8" // not everywhere; knows the case of letters outside ASCII
	}
	if err := s.run(ctx, "initdb", "--pgdata="+s.data(), "--username="+role, "--pwfile="+passwordFile,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale="+locale, "--no-sync"); err != nil {
		return "", err
	}
	log := filepath.Join(s.data(), "server.log")
	var failure error
	for range 3 { // another program can take the free port before the server does
		port, err := freePort(ctx)
		if err != nil {
			return "", err
		}
		options := fmt.Sprintf("-p %s -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200", port)
		if failure = s.run(ctx, "pg_ctl", "start", "--wait", "--timeout=120", "--pgdata="+s.data(), "--log="+log,
			"--options="+options); failure == nil {
			running := serverURL(url.UserPassword(role, password), net.JoinHostPort("127.0.0.1", port), "postgres")
			return running, ping(ctx, running)
		}
	}
	out, _ := os.ReadFile(log) // there is none when pg_ctl itself failed
	return "", fmt.Errorf("%w\n%s", failure, tail(out))
}

// run runs one of PostgreSQL's programs as a user that the server accepts, which root is not.
func (s server) run(ctx context.Context, program string, arguments ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.programs, program), arguments...)
	cmd.Dir = s.folder // the caller's folder may be closed to that user
	cmd.WaitDelay = time.Minute
	if err := asServer(cmd); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("postgrestest: %s: %w\n%s", program, err, tail(out))
	}
	return nil
}

// freePort returns a TCP port of the loopback interface on which nobody listens.
func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}
