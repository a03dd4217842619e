package redis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/renkei-go/renkei/transport/broker"
	"github.com/renkei-go/renkei/transport/broker/brokertest"
	"github.com/renkei-go/renkei/transport/broker/redis"
)

const address = "127.0.0.1:6379"

func served(tb testing.TB) bool { return brokertest.Served(tb, "Redis", address) }

func opener(address string, lease time.Duration) func(testing.TB) *broker.Broker {
	return func(tb testing.TB) *broker.Broker {
		tb.Helper()
		b, err := redis.Open(tb.Context(), "redis://"+address, broker.Options{Lease: lease})
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
}

func TestSuite(t *testing.T) {
	if served(t) {
		brokertest.Run(t, opener(address, brokertest.LongLease))
	}
}

func TestMain(m *testing.M) { brokertest.Main(m, redis.Open) }

func TestProcesses(t *testing.T) {
	if served(t) {
		brokertest.Processes(t, "redis://"+address, opener(address, brokertest.ShortLease))
	}
}

// TestOutage has the server away at the start, and twice in the middle.
func TestOutage(t *testing.T) {
	if served(t) {
		proxy := brokertest.NewProxy(t, address)
		brokertest.Outage(t, opener(proxy.Address(), brokertest.ShortLease), proxy.Up, proxy.Down)
	}
}

// TestLoss removes what a server without a file on its disk would not have after a restart.
func TestLoss(t *testing.T) {
	if served(t) {
		brokertest.Loss(t, opener(address, brokertest.ShortLease), func(topic string) {
			b := opener(address, brokertest.ShortLease)(t)
			err := errors.Join(b.Remove(t.Context(), topic), b.Close())
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func BenchmarkRedis(b *testing.B) {
	if served(b) {
		brokertest.Bench(b, opener(address, brokertest.LongLease))
	}
}
