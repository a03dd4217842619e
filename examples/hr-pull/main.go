// Command hr-pull keeps an HR system's copy of the staff in step with the staff service (seed 001 pattern 2):
//
//	STAFF_API_KEY=stf_… go run ./examples/hr-pull -url http://127.0.0.1:8080 -file employees.json
//
// The first run reads everybody; each later one reads what has changed since, by the cursor that is kept in the file with
// the employees. A webhook that was missed is therefore no loss. With -every it goes on until it is stopped. The key needs
// the scope staff:read; the salary grade comes if the key has the field group payroll beside basic and work, as from the
// demo server by
//
//	curl http://127.0.0.1:8080/api/api-keys -H 'Authorization: Bearer demo-admin' -H 'Content-Type: application/json' \
//	  -d '{"name":"hr","scopes":["staff:read"],"field_groups":["basic","work","payroll"]}'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "hr-pull:", err)
		os.Exit(1)
	}
}

// run pulls once, or again and again until ctx ends.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("hr-pull", flag.ContinueOnError)
	url := flags.String("url", "http://127.0.0.1:8080", "`address` of the staff service")
	file := flags.String("file", "employees.json", "`file` of the employees and the cursor")
	every := flags.Duration("every", 0, "how long to wait between pulls; 0: pull once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key := getenv("STAFF_API_KEY")
	if key == "" {
		return errors.New("set STAFF_API_KEY to the API key of this system")
	}
	p := puller{staff: &client{base: *url, key: key, http: &http.Client{Timeout: time.Minute}, wait: wait}, file: *file}
	for ctx.Err() == nil {
		done, err := p.pull(ctx)
		if *every == 0 && err != nil {
			return err
		}
		if err != nil { // the next pull goes on from the same cursor
			done = "failed: " + err.Error()
		}
		fmt.Fprintln(out, done)
		if *every == 0 {
			break
		}
		_ = wait(ctx, *every)
	}
	return nil
}

// wait returns early with an error when ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
