package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
)

// Resolver looks names up; *net.Resolver is one. It is used concurrently.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// GuardConfig is what a Guard allows. The zero value is the strictest.
type GuardConfig struct {
	// AllowPrivate opens blocks of addresses that are refused otherwise, and only those; plain http is spoken to them
	// only. For tests, development and receivers in one's own network.
	AllowPrivate []netip.Prefix
	// Deny closes more blocks, such as one's own public addresses or one's own NAT64 prefix; it wins over AllowPrivate.
	Deny []netip.Prefix
	// Ports are the ones allowed; default 80, 443 and all from 1024, so that no mail or remote shell is spoken to.
	Ports []uint16
	// Resolver looks names up; default net.DefaultResolver.
	Resolver Resolver
	// RootCAs verify certificates; default the system's. TLS 1.2 is the least.
	RootCAs *x509.CertPool

	ConnectTimeout time.Duration // name look-up and TCP, over all addresses of a name; default 5 seconds
	TLSTimeout     time.Duration // TLS handshake; default 5 seconds
	HeaderTimeout  time.Duration // from the last byte sent to the head of the answer; default 15 seconds
	IdleTimeout    time.Duration // of a kept connection; default 90 seconds
	IdlePerHost    int           // connections kept per host; default 16
}

// Guard judges URLs and addresses, and makes connections to those that pass. It is safe for concurrent use.
type Guard struct {
	cfg         GuardConfig
	allow, deny []netip.Prefix
	ports       map[uint16]bool
	dial        func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) // a seam of the tests
}

// NewGuard makes a Guard. It returns an error for blocks that are not valid and for negative times.
func NewGuard(cfg GuardConfig) (*Guard, error) {
	g := &Guard{ports: map[uint16]bool{}, dial: func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
		return d.DialContext(ctx, network, address)
	}}
	for _, list := range []struct {
		name string
		from []netip.Prefix
		to   *[]netip.Prefix
	}{{"AllowPrivate", cfg.AllowPrivate, &g.allow}, {"Deny", cfg.Deny, &g.deny}} {
		for _, p := range list.from {
			if !p.IsValid() || p.Addr().Is4In6() {
				return nil, fmt.Errorf("webhook: a guard: %s has a block that is not valid or a mapped address", list.name)
			}
			*list.to = append(*list.to, p.Masked())
		}
	}
	for _, p := range cfg.Ports {
		g.ports[p] = true
	}
	for _, d := range []*time.Duration{&cfg.ConnectTimeout, &cfg.TLSTimeout, &cfg.HeaderTimeout, &cfg.IdleTimeout} {
		if *d < 0 || cfg.IdlePerHost < 0 {
			return nil, errors.New("webhook: a guard: a time or number is negative")
		}
	}
	or(&cfg.ConnectTimeout, 5*time.Second)
	or(&cfg.TLSTimeout, 5*time.Second)
	or(&cfg.HeaderTimeout, 15*time.Second)
	or(&cfg.IdleTimeout, 90*time.Second)
	or(&cfg.IdlePerHost, 16)
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	g.cfg = cfg
	return g, nil
}

// DialContext connects to "host:port" on "tcp", "tcp4" or "tcp6" if the address that the host stands for right now may
// be connected to. It returns ErrPrivateAddress, ErrNotation, ErrPort, ErrURL, or the network's error.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return g.connect(ctx, network, address, g.CheckAddr, ErrPrivateAddress)
}

// dialPlain is for http, which is for the opened blocks only.
func (g *Guard) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	return g.connect(ctx, network, address, func(a netip.Addr) error {
		if err := g.CheckAddr(a); err != nil {
			return err
		}
		if !contains(g.allow, a.Unmap()) {
			return ErrScheme
		}
		return nil
	}, ErrScheme)
}

// connect resolves once, judges what comes out and dials nothing but that. Addresses that are refused are passed over,
// since a name with a public address and a synthesized one (NAT64) is common.
func (g *Guard) connect(ctx context.Context, network, address string, judge func(netip.Addr) error, none *fault.Error) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return nil, ErrURL.Because(err)
	}
	if !g.portAllowed("", port) {
		return nil, ErrPort
	}
	name, addr, err := parseHost(host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.ConnectTimeout)
	defer cancel()
	addrs := []netip.Addr{addr}
	if !addr.IsValid() {
		if addrs, err = g.cfg.Resolver.LookupNetIP(ctx, "ip"+network[len("tcp"):], name); err != nil {
			return nil, err
		}
	}
	var open []netip.Addr
	var refusal error = none
	for _, a := range addrs {
		if err := judge(a); err != nil {
			refusal = err
			continue
		}
		open = append(open, a.Unmap())
	}
	if len(open) == 0 {
		return nil, refusal
	}
	return g.try(ctx, network, open[:min(len(open), mostAddresses)], port, judge)
}

// mostIdle bounds the connections that a transport keeps for later, over all hosts.
const mostIdle = 1000

// mostAddresses bounds how many addresses of a name are tried.
const mostAddresses = 4

// try connects to the first address that answers. Each gets its share of the time that is left.
func (g *Guard) try(ctx context.Context, network string, addrs []netip.Addr, port string, judge func(netip.Addr) error) (net.Conn, error) {
	var first error
	for i, a := range addrs {
		deadline, _ := ctx.Deadline()
		d := &net.Dialer{
			Timeout: time.Until(deadline) / time.Duration(len(addrs)-i),
			// The kernel's own address is judged once more, so that no change between here and there goes unseen.
			Control: func(_, address string, _ syscall.RawConn) error {
				ap, err := netip.ParseAddrPort(address)
				if err != nil {
					return ErrURL.Because(err)
				}
				return judge(ap.Addr())
			},
		}
		conn, err := g.dial(ctx, d, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// Transport returns a RoundTripper with a connection pool of its own, HTTP/1.1 and HTTP/2, that makes every connection
// through the Guard. It refuses what CheckURL refuses, never follows a redirect, ignores proxies and asks for no
// compression, so that an answer cannot grow. Keep it: each call makes a new pool.
func (g *Guard) Transport() *GuardTransport {
	base := &http.Transport{
		DialContext:         g.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: g.cfg.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: g.cfg.TLSTimeout, ResponseHeaderTimeout: g.cfg.HeaderTimeout,
		IdleConnTimeout: g.cfg.IdleTimeout, MaxIdleConnsPerHost: g.cfg.IdlePerHost, MaxIdleConns: mostIdle,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}
	plain := base.Clone()
	plain.DialContext, plain.ForceAttemptHTTP2 = g.dialPlain, false
	return &GuardTransport{guard: g, secure: base, plain: plain}
}

// GuardTransport is a guarded http.RoundTripper, safe for concurrent use.
type GuardTransport struct {
	guard         *Guard
	secure, plain *http.Transport
}

// RoundTrip implements http.RoundTripper. It returns what CheckURL and DialContext return.
func (t *GuardTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	refuse := func(err error) (*http.Response, error) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	if r.URL == nil {
		return refuse(ErrURL)
	}
	if r.URL.User != nil {
		return refuse(ErrCredentials)
	}
	u := *r.URL
	if err := t.guard.checkURL(&u); err != nil {
		return refuse(err)
	}
	if u.Host != r.URL.Host {
		c := *r
		c.URL = &u
		r = &c
	}
	if u.Scheme == "http" {
		return t.plain.RoundTrip(r)
	}
	return t.secure.RoundTrip(r)
}

// CloseIdleConnections closes the connections that are not in use.
func (t *GuardTransport) CloseIdleConnections() {
	t.secure.CloseIdleConnections()
	t.plain.CloseIdleConnections()
}

// Client returns an http.Client on a new GuardTransport that hands back redirects instead of following them.
func (g *Guard) Client() *http.Client {
	return &http.Client{
		Transport:     g.Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
