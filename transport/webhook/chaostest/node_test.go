package chaostest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb"
	"github.com/renkei-go/renkei/transport"
	"github.com/renkei-go/renkei/transport/delivery"
	"github.com/renkei-go/renkei/transport/delivery/deliverybun"
	"github.com/renkei-go/renkei/transport/outboxbun"
	"github.com/renkei-go/renkei/transport/webhook"
	"github.com/renkei-go/renkei/transport/webhook/webhookbun"
)

// envNode makes the test binary a node. What it needs comes as JSON on its standard input, and it ends when that closes,
// so no node outlives a test that was killed.
const envNode = "RENKEI_CHAOS_NODE"

// lease is how long a dead node keeps what it claimed, in the outbox and of deliveries.
const lease = 4 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(envNode) == "" {
		os.Exit(m.Run())
	}
	if err := serve(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// setting is what all nodes have in common, and the name of one.
type setting struct {
	Database, Keys, Name string
}

// site is what a node and the test itself have.
type site struct {
	db     *sqldb.DB
	outbox *outboxbun.Store
	queue  *delivery.Queue
	hooks  *webhook.Service
}

func open(ctx context.Context, cfg setting) (*site, error) {
	db, err := sqldb.Open(ctx, cfg.Database, sqldb.MaxConns(12))
	if err != nil {
		return nil, err
	}
	s := &site{db: db, outbox: outboxbun.New(db)}
	if err := s.wire(ctx, cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *site) wire(ctx context.Context, cfg setting) error {
	if err := sqldb.Migrate(ctx, s.db, outboxbun.Migrations, deliverybun.Migrations, webhookbun.Migrations); err != nil {
		return err
	}
	loopback, err := webhook.NewGuard(webhook.GuardConfig{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		return err
	}
	sealer, err := secret.ParseKeys(cfg.Keys)
	if err != nil {
		return err
	}
	if s.queue, err = delivery.NewQueue(delivery.QueueConfig{Store: deliverybun.New(s.db)}); err != nil {
		return err
	}
	schedule := []time.Duration{200 * time.Millisecond, 500 * time.Millisecond}
	for range 20 {
		schedule = append(schedule, time.Second)
	}
	s.hooks, err = webhook.New(webhook.Config{
		Deliveries: s.queue, Store: webhookbun.New(s.db), Sealer: sealer, Guard: loopback, Schedule: schedule,
		UserAgent: cfg.Name, // tells the sink who sends
	})
	return err
}

// serve is a node: relay, router and engine until its input closes.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var cfg setting
	if err := json.NewDecoder(in).Decode(&cfg); err != nil {
		return err
	}
	s, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = s.db.Close() }()
	engine, err := delivery.New(delivery.Config{
		Queue: s.queue, Kinds: map[string]delivery.Kind{webhook.Kind: s.hooks.DeliveryKind()}, Lease: lease,
	})
	if err != nil {
		return err
	}
	channel := transport.InProcess()
	router, err := transport.NewRouter(transport.RouterConfig{
		Subscriber: channel, DB: s.db, Inbox: s.outbox, Poison: s.outbox,
		// Longer than the database is away: an event that fails for that reason is not to be poisoned.
		Retry: func(tries int, _ error) (time.Duration, bool) { return 100 * time.Millisecond, tries < 300 },
	})
	if err != nil {
		return err
	}
	router.HandleBatch("webhooks", "*", s.hooks.Handle)
	relay, err := transport.NewRelay(transport.RelayConfig{
		Store: s.outbox, Publisher: channel, Woken: s.outbox.Woken(), Ready: router.Running(), Lease: lease,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range []func(context.Context) error{s.db.Announce, router.Run, relay.Run, engine.Run} {
		group.Go(func() error { return run(ctx) })
	}
	group.Go(func() error {
		select {
		case <-router.Running():
			_, err := fmt.Fprintln(out, "ready")
			return err
		case <-ctx.Done():
			return nil
		}
	})
	return group.Wait()
}

// node is the other end: a running node process.
type node struct {
	cmd   *exec.Cmd
	input io.Closer
	log   *bytes.Buffer // complete when the process has ended
}

// start starts a node and returns when it works.
func start(t *testing.T, cfg setting) (*node, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	n := &node{cmd: exec.Command(program), log: &bytes.Buffer{}}
	n.cmd.Env = append(os.Environ(), envNode+"="+cfg.Name)
	n.cmd.Stderr = n.log
	input, err := n.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	n.input = input
	output, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		_ = n.cmd.Process.Kill() // it has ended, unless the test failed
		_ = n.cmd.Wait()
		if t.Failed() {
			t.Logf("node %s:\n%s", cfg.Name, n.log.Bytes()[max(0, n.log.Len()-3000):])
		}
	})
	if err := json.NewEncoder(input).Encode(cfg); err != nil {
		return nil, err
	}
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "ready\n" {
		return nil, fmt.Errorf("node %s does not start: %q, %w", cfg.Name, line, err)
	}
	return n, nil
}

// kill is kill -9. It returns when the process is gone.
func (n *node) kill() error {
	err := n.cmd.Process.Kill()
	_ = n.cmd.Wait() // says that it was killed
	return err
}

// stop ends the node in order.
func (n *node) stop() error { return errors.Join(n.input.Close(), n.cmd.Wait()) }
