package server

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/renkei-go/renkei/foundation/audit"
	"github.com/renkei-go/renkei/foundation/audit/auditbun"
	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sweep"
)

// The exit codes of Main.
const (
	exitOK       = 0
	exitFailed   = 1
	exitSettings = 2
)

const commandList = "the commands are serve, migrate, seed, audit verify [HEAD-FILE], audit head, keys rotate, keys reseal and version, before any flags"

// Main is the program: it reads the settings, does what the command says and returns the exit code. environ is what
// os.Environ gives. Tests call it as the shell does.
func Main(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	command, args := split(args)
	var head string
	if command == "audit verify" && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		head, args = args[0], args[1:]
	}
	cfg, rest, err := Parse(args, environ, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case fault.As(err) != nil:
		return badSettings(stderr, err)
	case err != nil:
		return exitSettings // flag has said why
	}
	cfg.LogTo = stderr
	if command == "audit verify" && head == "" && len(rest) == 1 {
		head, rest = rest[0], nil
	}
	run, known := commands(cfg, head, stdout)[command]
	if !known || len(rest) > 0 {
		fmt.Fprintln(stderr, "refserver:", commandList)
		return exitSettings
	}
	if err := cfg.Validate(); err != nil && command != "version" {
		return badSettings(stderr, err)
	}
	if cfg.OTLPEndpoint == "" && slices.ContainsFunc(environ, func(line string) bool { return strings.HasPrefix(line, "OTEL_") }) {
		fmt.Fprintln(stderr, "refserver: the OTEL_ variables have no effect without OTEL_EXPORTER_OTLP_ENDPOINT; the metrics are at /metrics")
	}
	if cfg.Check {
		fmt.Fprintln(stdout, "the settings are valid")
		return exitOK
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(stderr, "refserver:", err)
		return exitFailed
	}
	return exitOK
}

func badSettings(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "refserver: bad settings:")
	fmt.Fprintln(stderr, err)
	return exitSettings
}

// groups are the commands of two words.
var groups = []string{"audit", "keys"}

// split takes the command off the front of the arguments.
func split(args []string) (command string, rest []string) {
	words := 0
	for words < len(args) && words < 2 && args[words] != "" && args[words][0] != '-' && (words == 0 || slices.Contains(groups, args[0])) {
		words++
	}
	switch words {
	case 0:
		return "serve", args
	case 1:
		return args[0], args[1:]
	}
	return args[0] + " " + args[1], args[2:]
}

func commands(cfg Config, head string, stdout io.Writer) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"serve":        func(ctx context.Context) error { return serve(ctx, cfg, stdout) },
		"migrate":      func(ctx context.Context) error { return migrate(ctx, cfg, stdout) },
		"seed":         func(ctx context.Context) error { return seed(ctx, cfg, stdout) },
		"keys rotate":  func(ctx context.Context) error { return rotate(ctx, cfg, stdout) },
		"keys reseal":  func(ctx context.Context) error { return reseal(ctx, cfg.withDefaults(), stdout) },
		"audit verify": func(ctx context.Context) error { return verify(ctx, cfg, head, stdout) },
		"audit head":   func(ctx context.Context) error { return exportHead(ctx, cfg, stdout) },
		"version": func(context.Context) error {
			_, err := fmt.Fprintln(stdout, "renkei", Version)
			return err
		},
	}
}

func serve(ctx context.Context, cfg Config, stdout io.Writer) error {
	s, err := New(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Renkei %s on %s\n  API reference  %s/docs\n  health         %s/readyz\n", Version, s.URL(), s.URL(), s.URL())
	if s.outbox != nil {
		fmt.Fprintf(stdout, "  mails          %s/mail-outbox (no SMTP server is set)\n", s.URL())
	}
	switch {
	case cfg.Demo:
		fmt.Fprintf(stdout, "  sign in        Authorization: Bearer demo-<user>, with user one of:")
		for _, p := range company(s.cfg.MailDomains[0]) {
			fmt.Fprint(stdout, " ", p.UserID)
		}
		fmt.Fprintln(stdout)
	case cfg.OIDCIssuer == "":
		fmt.Fprintf(stdout, "  sign in        Authorization: Bearer <the token in %s/admin.token>\n", s.cfg.DataDir)
	}
	return s.Run(ctx)
}

func migrate(ctx context.Context, cfg Config, stdout io.Writer) error {
	db, err := open(ctx, cfg.withDefaults())
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "the database is up to date")
	return db.Close()
}

// verify checks the chain. An exported head makes a cut tail visible.
func verify(ctx context.Context, cfg Config, headFile string, stdout io.Writer) (err error) {
	cfg = cfg.withDefaults()
	var head *audit.Head
	if headFile != "" {
		raw, err := os.ReadFile(headFile)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return fmt.Errorf("the head file cannot be read: %w", err)
		}
	}
	keys, db, err := openTrail(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	report, err := audit.Verify(ctx, auditbun.New(db), cfg.Tenant, keys.audit, head)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d entries sealed, %d not sealed yet\n", report.Sealed, report.Unsealed)
	for _, p := range report.Problems {
		fmt.Fprintf(stdout, "seq %d, entry %s: %s\n", p.Seq, p.ID, p.Kind)
	}
	if !report.OK() {
		return fmt.Errorf("the audit trail was tampered with: %d problems", len(report.Problems))
	}
	fmt.Fprintln(stdout, "the chain is whole")
	return nil
}

// openTrail opens what there is. It makes neither a database nor keys: in a folder that was mistyped, the trail of a new one
// would be whole, and one in PostgreSQL would look tampered with.
func openTrail(ctx context.Context, cfg Config) (keyRing, *sqldb.DB, error) {
	if file, ok := strings.CutPrefix(cfg.Database, "sqlite:"); ok {
		file, _, _ = strings.Cut(file, "?")
		if _, err := os.Stat(file); err != nil {
			return keyRing{}, nil, fault.New(fault.NotFound, "no_database", "there is no database to look into").Because(err)
		}
	}
	if cfg.SecretKeys.IsZero() {
		if _, err := os.Stat(filepath.Join(cfg.DataDir, keysFile)); err != nil {
			return keyRing{}, nil, fault.New(fault.NotFound, "no_secret_keys", "the data folder has no secret keys, and none are set").Because(err)
		}
	}
	k, err := keysOf(cfg)
	if err != nil {
		return k, nil, err
	}
	db, err := open(ctx, cfg)
	return k, db, err
}

func exportHead(ctx context.Context, cfg Config, stdout io.Writer) (err error) {
	cfg = cfg.withDefaults()
	keys, db, err := openTrail(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	sealer, err := audit.NewSealer(audit.SealerConfig{Store: auditbun.New(db), Keys: keys.audit, Now: db.Clock})
	if err != nil {
		return err
	}
	if err := sweep.All(ctx, sealer.Sweep); err != nil {
		return err
	}
	head, err := sealer.Head(ctx, cfg.Tenant)
	if err != nil {
		return err
	}
	out := json.NewEncoder(stdout)
	out.SetIndent("", "  ")
	return out.Encode(head)
}
