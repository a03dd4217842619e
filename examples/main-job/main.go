// Command main-job plays Renkei's main job against a running reference server, over HTTP and real mail, and checks
// every step: a secretary books the large room for an executive with a guest from outside, the booking waits for
// consent, it is approved, the invitation leaves by SMTP, the guest's reply mail comes back, and everybody sees only
// what they may.
//
//	go run ./examples/main-job                                # SQLite in a temporary folder
//	DATABASE_URL=postgres://… go run ./examples/main-job      # PostgreSQL
//
// It starts the server itself, on a free port, and exits 0 only if every check held.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	if err := runWithin(2 * time.Minute); err != nil {
		fmt.Fprintln(os.Stderr, "main-job:", err)
		os.Exit(1)
	}
}

// runWithin gives up after the time, and when the user interrupts.
func runWithin(limit time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return run(ctx, os.Getenv("DATABASE_URL"), os.Stdout)
}
