package brokertest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Served says whether somebody listens on the address; if not, the test logs that it does not test the server. For
// servers that are neither Go libraries nor on every machine.
func Served(tb testing.TB, server, address string) bool {
	tb.Helper()
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Logf("NOT TESTED: no %s on %s", server, address)
		return false
	}
	_ = conn.Close()
	return true
}

// Proxy stands before a server that the test cannot stop, and takes it away from who connects through the proxy.
type Proxy struct {
	tb      testing.TB
	target  string
	address string

	mu       sync.Mutex
	listener net.Listener // nil while it is down
	conns    map[net.Conn]struct{}
	running  sync.WaitGroup
}

// NewProxy makes a proxy to the target address. It is down at first.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	p := &Proxy{tb: tb, target: target, address: "127.0.0.1:0", conns: map[net.Conn]struct{}{}}
	p.Up() // to have an address
	p.Down()
	tb.Cleanup(p.Down)
	return p
}

// Address is where the proxy listens while it is up: host:port.
func (p *Proxy) Address() string { return p.address }

// Up begins to take connections.
func (p *Proxy) Up() {
	p.tb.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", p.address)
	must(p.tb, err)
	p.mu.Lock()
	p.listener, p.address = listener, listener.Addr().String()
	p.mu.Unlock()
	p.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.running.Go(func() { p.serve(listener, conn) })
		}
	})
}

// Down cuts all connections and takes no more.
func (p *Proxy) Down() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

// serve copies in both directions until either side ends.
func (p *Proxy) serve(listener net.Listener, near net.Conn) {
	far, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		_ = near.Close()
		return
	}
	if !p.enter(listener, near, far) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = near.Close()
			_ = far.Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, near)
	delete(p.conns, far)
}

// enter keeps the connections for Down, unless that has come before.
func (p *Proxy) enter(listener net.Listener, conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if p.listener != listener {
			_ = conn.Close()
			continue
		}
		p.conns[conn] = struct{}{}
	}
	return p.listener == listener
}
