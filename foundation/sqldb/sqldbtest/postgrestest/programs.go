package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// programFolders are the folders in which distributions keep the server's programs, which are often not in PATH:
// Debian, Red Hat, built from source, Homebrew.
var programFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/local/pgsql/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
}

// find returns the folder with initdb, pg_ctl and postgres, or "": the one in PATH, else the newest in programFolders.
func find() string {
	if program, err := exec.LookPath("initdb"); err == nil {
		if resolved, err := filepath.EvalSymlinks(program); err == nil && complete(filepath.Dir(resolved)) {
			return filepath.Dir(resolved)
		}
	}
	return newest(programFolders)
}

// newest returns the complete folder with the highest version in its path, or "".
func newest(patterns []string) string {
	var found []string
	for _, pattern := range patterns {
		folders, _ := filepath.Glob(pattern) // fails only on a bad pattern
		found = append(found, slices.DeleteFunc(folders, func(f string) bool { return !complete(f) })...)
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
}

var number = regexp.MustCompile(`\d+`)

// version is the last number in a folder's path: 15 for /usr/lib/postgresql/15/bin.
func version(folder string) int {
	numbers := number.FindAllString(folder, -1)
	if len(numbers) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(numbers[len(numbers)-1]) // one too long for an int is no version
	return n
}

// complete says whether the folder has the programs that a private server needs.
func complete(folder string) bool {
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(folder, program)); err != nil {
			return false
		}
	}
	return true
}

// install gets PostgreSQL from the distribution. It needs root and apt-get.
func install(ctx context.Context) error {
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Getuid() != 0 {
		return errNoServer
	}
	for _, arguments := range [][]string{
		{"update"},
		{"install", "-y", "--no-install-recommends", "postgresql"},
	} {
		cmd := exec.CommandContext(ctx, apt, arguments...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(errNoServer, fmt.Errorf("apt-get %s: %w\n%s", arguments[0], err, tail(out)))
		}
	}
	return nil
}

// tail returns the last part of a program's output, enough to see why it failed.
func tail(out []byte) []byte {
	const most = 2000
	return out[max(0, len(out)-most):]
}
