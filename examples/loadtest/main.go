// Command loadtest measures deliveries through the real path: a transaction commits with its outbox row, the relay
// publishes it, the fan-out makes a delivery per subscription, and the engine POSTs it, signed, to a sink in the same
// process, which verifies nothing but counts and times everything.
//
//	go run ./examples/loadtest -mode one -n 20000 -database postgres://…
//
// Modes: one (a subscription, 16 publishers as fast as they can), light (100 events a second: the latency of an idle
// system), fanout (10 subscriptions), hanging (500 deliveries to an endpoint that never answers stand in front of a
// healthy one, whose figures are shown), backlog (n deliveries wait already), bare (the same as one by the shortest
// possible program: a plain table and no features, so that the limit of the machine is measured on the spot).
//
// The last line is one JSON object. duplicates counts arrivals beyond the first of an id, lost what never arrived.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// report is the last line.
type report struct {
	Mode       string  `json:"mode"`
	Published  int     `json:"published"`
	Delivered  int     `json:"delivered"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"per_second"`
	P50        float64 `json:"p50_ms"` // from commit to arrival
	P99        float64 `json:"p99_ms"`
	Duplicates int     `json:"duplicates"`
	Lost       int     `json:"lost"`
}

type settings struct {
	mode     string
	n        int
	database string
	json     bool
	profile  string
}

func main() {
	var s settings
	flag.StringVar(&s.mode, "mode", "one", "one, light, fanout, hanging, backlog or bare")
	flag.IntVar(&s.n, "n", 20_000, "how many events")
	flag.StringVar(&s.database, "database", "", "sqlite:FILE or postgres://… (default: SQLite in a temporary folder); tables are made in it and left there")
	flag.BoolVar(&s.json, "json", false, "print the JSON line only")
	flag.StringVar(&s.profile, "profile", "", "write a CPU profile of the run to this file, for go tool pprof")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, s, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

// patience is how long a run may take at most.
const patience = 30 * time.Minute

func run(ctx context.Context, s settings, out io.Writer) (err error) {
	mode, known := modes[s.mode]
	if !known || s.n < 1 {
		return errors.New("the modes are one, light, fanout, hanging, backlog and bare, with n at least 1")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.database == "" {
		dir, err := os.MkdirTemp("", "renkei-loadtest-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		s.database = "sqlite:" + filepath.Join(dir, "load.db")
	}
	progress := out
	if s.json {
		progress = io.Discard
	}
	if s.profile != "" {
		file, err := os.Create(s.profile)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r, err := mode(ctx, s, progress)
	if err != nil {
		return err
	}
	r.Mode = s.mode
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return err
	}
	if r.Lost > 0 {
		return fmt.Errorf("%d deliveries were lost", r.Lost)
	}
	return nil
}
