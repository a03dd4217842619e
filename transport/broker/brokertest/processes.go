package brokertest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/outboxbun"
)

// Set in a process that is to be a node.
const (
	envNode     = "RENKEI_TEST_NODE"
	envDatabase = "RENKEI_TEST_DATABASE"
	envBroker   = "RENKEI_TEST_BROKER"
	envTopic    = "RENKEI_TEST_TOPIC"
)

// Main is the TestMain of a package that runs Processes: it makes the test program a node when Processes starts it.
func Main(m *testing.M, open broker.Opener) {
	if os.Getenv(envNode) == "" {
		os.Exit(m.Run())
	}
	if err := serve(open); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve runs a relay and a router until the process is told to end.
func serve(open broker.Opener) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	db, err := sqldb.Open(ctx, os.Getenv(envDatabase), sqldb.MaxConns(8))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	b, err := open(ctx, os.Getenv(envBroker), broker.Options{Lease: ShortLease})
	if err != nil {
		return err
	}
	defer func() { _ = b.Close() }()
	store := outboxbun.New(db)
	router, err := transport.NewRouter(transport.RouterConfig{SubscriberFor: b.SubscriberFor, Topic: os.Getenv(envTopic), DB: db, Inbox: store, Poison: store})
	if err != nil {
		return err
	}
	for _, name := range []string{"one", "two"} {
		router.Handle(name, "*", func(ctx context.Context, ev transport.Event) error {
			_, err := db.IDB(ctx).ExecContext(ctx, "INSERT INTO effects (handler, event, subject, sequence, node) VALUES (?, ?, ?, ?, ?)",
				name, ev.ID, ev.Subject, ev.Sequence, os.Getenv(envNode))
			return err
		})
	}
	relay, err := transport.NewRelay(transport.RelayConfig{Store: store, Publisher: b, Topic: os.Getenv(envTopic), Ready: router.Running(), Woken: store.Woken(), Lease: 2 * time.Second})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return router.Run(ctx) })
	g.Go(func() error { return relay.Run(ctx) })
	return g.Wait()
}

// Processes has two server processes on one PostgreSQL and the broker, and kills one with work in its hands: every event
// has its effect once for each handler, none is lost, and the effects of a subject come in order.
func Processes(t *testing.T, brokerURL string, open func(tb testing.TB) *broker.Broker) {
	t.Helper()
	const subjects, ahead, share = 80, 8, 250
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	databaseURL := sqldbtest.PostgresURL(t)
	topic := (&suite{open}).topic(t, "one", "two")
	db, err := sqldb.Open(ctx, databaseURL, sqldb.MaxConns(4))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := sqldb.Migrate(ctx, db, outboxbun.Migrations); err != nil {
		t.Fatal(err)
	}
	// Nothing here forbids a second effect: only the inbox does.
	if _, err := db.IDB(ctx).ExecContext(ctx, `CREATE TABLE effects
		(at bigserial, handler text NOT NULL, event text NOT NULL, subject text NOT NULL, sequence bigint NOT NULL, node text NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	count := func(query string) (n int) {
		t.Helper()
		if err := db.IDB(ctx).NewRaw(query).Scan(ctx, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	until := func(what string, condition func() bool) {
		t.Helper()
		poll := time.NewTicker(10 * time.Millisecond)
		defer poll.Stop()
		for !condition() {
			select {
			case <-poll.C:
			case <-ctx.Done():
				t.Fatalf("%s: not reached", what)
			}
		}
	}

	doomed, other := node(t, "doomed", databaseURL, brokerURL, topic), node(t, "other", databaseURL, brokerURL, topic)
	store, waves := outboxbun.New(db), 0
	write := func(n int) {
		t.Helper()
		for ; n > 0; n-- {
			wave := make([]transport.Event, subjects)
			for k := range wave {
				wave[k] = transport.Event{Type: "thing.done", Tenant: "acme", Subject: fmt.Sprint("thing/", k), Data: k}
			}
			if err := store.Publish(ctx, wave...); err != nil {
				t.Fatal(err)
			}
			waves++
		}
	}
	// Who is up first may take all there is, so new waves come until the doomed node has had its share.
	until("the doomed node has work", func() bool {
		done := count("SELECT count(*) FROM effects") / (2 * subjects)
		write(max(0, done+ahead-waves))
		return count("SELECT count(*) FROM effects WHERE node = 'doomed'") >= share
	})
	// While the table is locked no effect happens: the doomed node stands still with work in its hands.
	var killedAt time.Time
	err = db.Do(ctx, func(locked context.Context) error {
		if _, err := db.IDB(locked).ExecContext(locked, "LOCK TABLE effects IN SHARE MODE"); err != nil {
			return err
		}
		write(ahead)
		until("the doomed node waits for the table", func() bool {
			return count(`SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
				WHERE relation = 'effects'::regclass AND NOT granted AND application_name = 'doomed'`) > 0
		})
		if err := doomed.Process.Kill(); err != nil {
			return err
		}
		_ = doomed.Wait() // killed is what it should be
		killedAt = time.Now()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	effects, events := count("SELECT count(*) FROM effects"), waves*subjects
	until("every event is handled by both", func() bool {
		return count("SELECT count(*) FROM (SELECT DISTINCT handler, event FROM effects) e") == 2*events
	})
	t.Logf("killed with %d of %d effects done; all done %v later; by the doomed node %d", effects, 2*events,
		time.Since(killedAt).Round(time.Millisecond), count("SELECT count(*) FROM effects WHERE node = 'doomed'"))
	until("the outbox is empty", func() bool { return count("SELECT count(*) FROM transport_outbox WHERE sent_at IS NULL") == 0 })
	if err := other.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Errorf("the other node: %v", err)
	}

	if n := count("SELECT count(*) FROM effects"); n != 2*events {
		t.Errorf("%d effects of %d events by 2 handlers", n, events)
	}
	if n := count(`SELECT count(*) FROM (SELECT sequence, row_number() OVER (PARTITION BY handler, subject ORDER BY at) AS place FROM effects) e
		WHERE sequence <> place`); n != 0 {
		t.Errorf("%d effects are out of order", n)
	}
}

func node(t *testing.T, name, databaseURL, brokerURL, topic string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	query := address.Query()
	query.Set("application_name", name) // by which the database knows it
	address.RawQuery = query.Encode()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), envNode+"="+name, envDatabase+"="+address.String(), envBroker+"="+brokerURL, envTopic+"="+topic)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // if it is still there
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("node %s said:\n%s", name, &output)
		}
	})
	return cmd
}
