package sqldb

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// wakes tells loops that there is work. It loses nothing that matters: a loop polls once in a while all the same.
type wakes struct {
	mu      sync.Mutex
	waiting map[string][]chan struct{}
	remote  map[string]bool // topics that other nodes should hear of
	dirty   chan struct{}   // set while Announce runs
}

// Wake tells the loops that wait on topic, after the commit of the transaction in ctx: those of this process at once,
// those of others through Announce. A topic is a short plain identifier such as "outbox".
func (db *DB) Wake(ctx context.Context, topic string) {
	db.AfterCommit(ctx, func() { db.wakes.wake(topic, true) })
}

// Woken returns a channel that receives after every Wake of topic; several wakes may come as one.
func (db *DB) Woken(topic string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	db.wakes.mu.Lock()
	defer db.wakes.mu.Unlock()
	if db.wakes.waiting == nil {
		db.wakes.waiting = map[string][]chan struct{}{}
	}
	db.wakes.waiting[topic] = append(db.wakes.waiting[topic], ch)
	return ch
}

func (w *wakes) wake(topic string, tellOthers bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ch := range w.waiting[topic] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
	if tellOthers && w.dirty != nil {
		w.remote[topic] = true
		select {
		case w.dirty <- struct{}{}:
		default:
		}
	}
}

const (
	announceEvery = 20 * time.Millisecond // NOTIFY takes a lock over all commits of the cluster, so never one per commit
	wakeChannel   = "renkei_wake"
)

// Announce exchanges wakes with the other nodes on PostgreSQL (LISTEN and a coalesced NOTIFY) until ctx ends, and
// reconnects when the connection breaks. On SQLite, or with Wrap, it only waits: loops then rely on their poll. It is
// for one goroutine.
func (db *DB) Announce(ctx context.Context) error {
	if db.pgURL == "" {
		<-ctx.Done()
		return nil
	}
	w := &db.wakes
	w.mu.Lock()
	w.remote, w.dirty = map[string]bool{}, make(chan struct{}, 1)
	w.mu.Unlock()
	go db.sendWakes(ctx)
	for ctx.Err() == nil {
		_ = db.hearWakes(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil
}

func (db *DB) hearWakes(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, db.pgURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+wakeChannel); err != nil {
		return err
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		db.wakes.wake(n.Payload, false)
	}
}

func (db *DB) sendWakes(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-db.wakes.dirty:
		}
		db.wakes.mu.Lock()
		topics := db.wakes.remote
		db.wakes.remote = map[string]bool{}
		db.wakes.mu.Unlock()
		for topic := range topics {
			_, _ = db.writer.ExecContext(ctx, "SELECT pg_notify(?, ?)", wakeChannel, topic)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(announceEvery):
		}
	}
}
