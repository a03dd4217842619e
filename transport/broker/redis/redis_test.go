package redis_test

import (
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/brokertest"
	"github.com/renkei-go/renkei/transport/broker/redis"
)

const address = "127.0.0.1:6379"

func served(tb testing.TB) bool { return brokertest.Served(tb, "Redis", address) }

func opener(address string) func(testing.TB) *broker.Broker {
	return func(tb testing.TB) *broker.Broker {
		tb.Helper()
		b, err := redis.Open(tb.Context(), "redis://"+address, broker.Options{Lease: 2 * time.Second})
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
}

func TestSuite(t *testing.T) {
	if served(t) {
		brokertest.Run(t, opener(address))
	}
}

func TestMain(m *testing.M) { brokertest.Main(m, redis.Open) }

func TestProcesses(t *testing.T) {
	if served(t) {
		brokertest.Processes(t, "redis://"+address, opener(address))
	}
}

// TestOutage has the server away at the start, and twice in the middle.
func TestOutage(t *testing.T) {
	if served(t) {
		proxy := brokertest.NewProxy(t, address)
		brokertest.Outage(t, opener(proxy.Address()), proxy.Up, proxy.Down)
	}
}

func BenchmarkRedis(b *testing.B) {
	if served(b) {
		brokertest.Bench(b, opener(address))
	}
}
