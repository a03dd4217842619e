//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// lock takes the file's lock, which is free again after unlock or when the process ends.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(50 * time.Millisecond) // a blocking flock would not heed ctx
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("postgrestest: lock %s: %w", path, err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("postgrestest: another process is starting the server: %w", ctx.Err()), file.Close())
		case <-tick.C:
		}
	}
}

func ownedByMe(info fs.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Getuid()
}

// serverUser returns the user that the server of root runs as, or nil for the user of the process.
func serverUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("postgrestest: PostgreSQL refuses to run as root, and there is no user postgres or nobody")
}

// giveToServer makes the files belong to the user that the server runs as.
func giveToServer(paths ...string) error {
	credential, err := serverUser()
	if err != nil || credential == nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// asServer makes the command run as the user that the server runs as, in a session of its own so that an interrupt of the
// tests does not reach the shared server.
func asServer(cmd *exec.Cmd) error {
	credential, err := serverUser()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Setsid: true}
	return err
}
