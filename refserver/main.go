// Command refserver is the reference server: every part of Renkei in one program.
//
//	go run ./refserver --demo            a small company to try it with
//	go run ./refserver serve             the default: serve until interrupted
//	go run ./refserver migrate           bring the database up to date and stop
//	go run ./refserver audit verify      check the audit chain; with a FILE compare it with the head exported there
//	go run ./refserver audit head        print the signed head of the chain, to be kept elsewhere
//	go run ./refserver seed              write the demo company into the database
//	go run ./refserver keys rotate       make a new current secret key; the old ones stay readable
//	go run ./refserver keys reseal       seal with the current key what was sealed with an older one
//	go run ./refserver version
//
// Flags and environment variables are one list: go run ./refserver --help. Bad settings exit with 2, failures with 1.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // calendars need every zone, also where the system has none

	"github.com/renkei-go/renkei/refserver/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal does not wait
	code := server.Main(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
