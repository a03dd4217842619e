// Command testpg gives the tests' PostgreSQL server to a shell.
//
//	testpg up     finds or starts a server and prints its URL
//	testpg down   stops the private server, if one was started
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest/postgrestest"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, os.Args[1:])
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testpg:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "up":
		url, err := postgrestest.URL(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, url)
		return err
	case len(arguments) == 1 && arguments[0] == "down":
		return postgrestest.Stop(ctx)
	}
	return errors.New("usage: testpg up | down")
}
