package kafka_test

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/brokertest"
	"github.com/renkei-go/renkei/transport/broker/kafka"
)

// start runs a server on the port, 0 for any, storing in dir.
func start(tb testing.TB, dir string, port int) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(kfake.Ports(port), kfake.DataDir(dir), kfake.WithLogger(kfake.BasicLogger(io.Discard, kfake.LogLevelNone)))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func opener(url string, lease time.Duration) func(testing.TB) *broker.Broker {
	return func(tb testing.TB) *broker.Broker {
		tb.Helper()
		b, err := kafka.Open(tb.Context(), url, broker.Options{Lease: lease})
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
}

func urlOf(c *kfake.Cluster) string { return "kafka://" + c.ListenAddrs()[0] }

func TestSuite(t *testing.T) {
	brokertest.Run(t, opener(urlOf(start(t, t.TempDir(), 0)), brokertest.LongLease))
}

func TestMain(m *testing.M) { brokertest.Main(m, kafka.Open) }

func TestProcesses(t *testing.T) {
	url := urlOf(start(t, t.TempDir(), 0))
	brokertest.Processes(t, url, opener(url, brokertest.ShortLease))
}

// TestOutage has the server away at the start, and twice in the middle.
func TestOutage(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir, 0)
	url := urlOf(c)
	_, text, err := net.SplitHostPort(c.ListenAddrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	brokertest.Outage(t, opener(url, brokertest.ShortLease), func() { c = start(t, dir, port) }, func() { c.Close() })
}

// TestLoss has the server come back with an empty disk.
func TestLoss(t *testing.T) {
	c := start(t, t.TempDir(), 0)
	_, text, err := net.SplitHostPort(c.ListenAddrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	brokertest.Loss(t, opener(urlOf(c), brokertest.ShortLease), func(string) {
		c.Close()
		start(t, t.TempDir(), port)
	})
}

func BenchmarkKafka(b *testing.B) {
	brokertest.Bench(b, opener(urlOf(start(b, b.TempDir(), 0)), brokertest.LongLease))
}
