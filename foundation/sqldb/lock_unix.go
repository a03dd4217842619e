//go:build unix

package sqldb

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/renkei-go/renkei/foundation/fault"
)

// lockFile takes the lock that marks the owner of a SQLite file. The kernel drops it when the process ends, however
// that happens, so a crash leaves nothing behind that must be cleaned.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "database_unavailable", "the SQLite file's folder cannot be written").Because(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fault.New(fault.Unavailable, "database_unavailable", "the SQLite file cannot be locked").Because(err)
	}
	return f, nil
}
