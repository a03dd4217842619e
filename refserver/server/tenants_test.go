package server_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/renkei-go/renkei/foundation/secret"
	"github.com/renkei-go/renkei/foundation/sqldb/sqldbtest"
	"github.com/renkei-go/renkei/refserver/server"
)

// twoTenants runs two servers on one PostgreSQL, each for an organisation of its own.
func twoTenants(t *testing.T) map[string][2]rig {
	t.Helper()
	url := sqldbtest.PostgresURL(t)
	return map[string][2]rig{"postgres": {
		start(t, server.Config{Database: url, Tenant: "1"}), start(t, server.Config{Database: url, Tenant: "2"}),
	}}
}

// lockedLog takes the log of a server, which writes from many goroutines.
type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestTwoNodesAndABroker: two servers on one PostgreSQL and one NATS send each invitation once, whichever takes it.
func TestTwoNodesAndABroker(t *testing.T) {
	broker, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	broker.Start()
	t.Cleanup(func() { broker.Shutdown(); broker.WaitForShutdown() })
	if !broker.ReadyForConnections(20 * time.Second) {
		t.Fatal("the broker did not start")
	}
	cfg := server.Config{Database: sqldbtest.PostgresURL(t), Broker: broker.ClientURL(), SecretKeys: secret.NewString("k1:" + secret.NewKey().Reveal())}
	nodes := [2]rig{start(t, cfg), start(t, cfg)}
	const bookings = 20
	for i := range bookings {
		at := nextMonday.Add(time.Duration(i) * time.Hour)
		nodes[i%2].book(t, "alice", object{
			"start_at": at.Format(time.RFC3339), "end_at": at.Add(time.Hour).Format(time.RFC3339),
			"attendees": []object{{"email": "guest@outside.example"}},
		})
	}
	sent := func() int {
		return len(mailsTo(nodes[0].sink, "guest@outside.example")) + len(mailsTo(nodes[1].sink, "guest@outside.example"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	await(t, ctx, func() bool { return sent() >= bookings })
	if n := sent(); n != bookings {
		t.Errorf("%d invitations for %d bookings", n, bookings)
	}
}
