package amqp_test

import (
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/amqp"
	"github.com/renkei-go/renkei/transport/broker/brokertest"
)

const address = "127.0.0.1:5672"

func served(tb testing.TB) bool { return brokertest.Served(tb, "RabbitMQ", address) }

func opener(url string, lease time.Duration) func(testing.TB) *broker.Broker {
	return func(tb testing.TB) *broker.Broker {
		tb.Helper()
		b, err := amqp.Open(tb.Context(), url, broker.Options{Lease: lease})
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
}

// kinds are the parameters for each kind of queue.
var kinds = map[string]string{"quorum": "", "classic": "?queues=classic"}

func TestSuite(t *testing.T) {
	if !served(t) {
		return
	}
	for kind, query := range kinds {
		t.Run(kind, func(t *testing.T) { brokertest.Run(t, opener("amqp://"+address+query, brokertest.LongLease)) })
	}
}

func TestMain(m *testing.M) { brokertest.Main(m, amqp.Open) }

func TestProcesses(t *testing.T) {
	if served(t) {
		brokertest.Processes(t, "amqp://"+address, opener("amqp://"+address, brokertest.ShortLease))
	}
}

// TestOutage has the server away at the start, and twice in the middle.
func TestOutage(t *testing.T) {
	if served(t) {
		proxy := brokertest.NewProxy(t, address)
		brokertest.Outage(t, opener("amqp://"+proxy.Address(), brokertest.ShortLease), proxy.Up, proxy.Down)
	}
}

func BenchmarkAMQP(b *testing.B) {
	if !served(b) {
		return
	}
	for kind, query := range kinds {
		b.Run(kind, func(b *testing.B) { brokertest.Bench(b, opener("amqp://"+address+query, brokertest.LongLease)) })
	}
}
