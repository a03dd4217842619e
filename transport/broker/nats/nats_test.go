package nats_test

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/brokertest"
	"github.com/renkei-go/renkei/transport/broker/nats"
)

// start runs a server with JetStream on the port, -1 for any, storing in dir.
func start(tb testing.TB, dir string, port int) *server.Server {
	tb.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	if err != nil {
		tb.Fatal(err)
	}
	go s.Start()
	tb.Cleanup(func() { stop(s) })
	if !s.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the NATS server did not start")
	}
	return s
}

func stop(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func opener(url string, lease time.Duration) func(testing.TB) *broker.Broker {
	return func(tb testing.TB) *broker.Broker {
		tb.Helper()
		b, err := nats.Open(tb.Context(), url, broker.Options{Lease: lease})
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
}

func TestSuite(t *testing.T) {
	url := start(t, t.TempDir(), -1).ClientURL()
	brokertest.Run(t, opener(url, brokertest.LongLease))
}

func TestMain(m *testing.M) { brokertest.Main(m, nats.Open) }

func TestProcesses(t *testing.T) {
	url := start(t, t.TempDir(), -1).ClientURL()
	brokertest.Processes(t, url, opener(url, brokertest.ShortLease))
}

// TestOutage has the server away at the start, and twice in the middle.
func TestOutage(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, -1)
	url := s.ClientURL()
	address, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening on %v", s.Addr())
	}
	stop(s)
	brokertest.Outage(t, opener(url, brokertest.ShortLease),
		func() { s = start(t, dir, address.Port) }, func() { stop(s) })
}

// TestLoss has the server come back with an empty disk.
func TestLoss(t *testing.T) {
	s := start(t, t.TempDir(), -1)
	url := s.ClientURL()
	address, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("listening on %v", s.Addr())
	}
	brokertest.Loss(t, opener(url, brokertest.ShortLease), func(string) {
		stop(s)
		start(t, t.TempDir(), address.Port)
	})
}

func BenchmarkNATS(b *testing.B) {
	url := start(b, b.TempDir(), -1).ClientURL()
	brokertest.Bench(b, opener(url, brokertest.LongLease))
}
