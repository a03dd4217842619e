//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package postgrestest

import (
	"context"
	"io/fs"
	"os/exec"
)

// Elsewhere there are no file locks and users of this kind: the server is named by the environment or found running.

func lock(context.Context, string) (unlock func(), err error) { return nil, errNoServer }

func ownedByMe(fs.FileInfo) bool { return true }

func giveToServer(...string) error { return errNoServer }

func asServer(*exec.Cmd) error { return errNoServer }
