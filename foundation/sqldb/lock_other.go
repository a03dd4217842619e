//go:build !unix

package sqldb

import (
	"io"
	"os"

	"github.com/renkei-go/renkei/foundation/fault"
)

// lockFile opens the lock file and removes it on Close; where there is no flock, the file's presence is the lock.
func lockFile(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if os.IsExist(err) {
		return nil, ErrLocked
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "database_unavailable", "the SQLite file's folder cannot be written").Because(err)
	}
	return presence{f}, nil
}

type presence struct{ *os.File }

func (p presence) Close() error {
	_ = p.File.Close()
	return os.Remove(p.Name())
}
