package webhook_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/renkei-go/renkei/foundation/fault"
	"github.com/renkei-go/renkei/transport/webhook"
)

func newGuard(t testing.TB, cfg webhook.GuardConfig) *webhook.Guard {
	t.Helper()
	g, err := webhook.NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func blocks(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range texts {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// urls are refused by their text; reason "" passes.
var urls = []struct{ url, reason string }{
	// what a receiver may look like
	{"https://example.com/hook", ""},
	{"https://EXAMPLE.com:8443/hook?x=1", ""},
	{"https://8.8.8.8/", ""},
	{"https://[2606:4700::1111]/", ""},
	{"https://[2606:4700::1111]:443/", ""},
	{"https://例え.jp/hook", ""},
	{"https://example.com./", ""},
	{"https://a_b.example.com/", ""},
	{"HTTPS://example.com/", ""},
	// text
	{"", "invalid_url"},
	{"example.com/hook", "invalid_url"},
	{"/hook", "invalid_url"},
	{"//example.com/hook", "invalid_url"},
	{"https:example.com", "invalid_url"},
	{"https://", "invalid_url"},
	{"https:///hook", "invalid_url"},
	{"https://exa mple.com/", "invalid_url"},
	{"https://example.com/\r\nX-Evil: 1", "invalid_url"},
	{"https://example.com/\x00", "invalid_url"},
	{"https://example.com\\@127.0.0.1/", "invalid_url"},
	{"https://example.com/#fragment", "invalid_url"},
	{"https://example.com:", "invalid_url"},
	{"https://example..com/", "invalid_url"},
	{"https://-/%zz", "invalid_url"},
	{"https://%31%32%37.0.0.1/", "invalid_url"},
	{"https://[::1", "invalid_url"},
	{"https://[127.0.0.1]/", "invalid_url"},
	{"https://" + strings.Repeat("a", 64) + ".com/", "invalid_url"},
	{"https://example.com/" + strings.Repeat("a", 2048), "invalid_url"},
	// schemes
	{"http://example.com/", "scheme_not_allowed"},
	{"ftp://example.com/", "scheme_not_allowed"},
	{"file:///etc/passwd", "scheme_not_allowed"},
	{"gopher://127.0.0.1:70/", "scheme_not_allowed"},
	{"unix:///var/run/docker.sock", "scheme_not_allowed"},
	{"http://127.0.0.1/", "scheme_not_allowed"},
	// credentials
	{"https://user:pass@example.com/", "credentials_in_url"},
	{"https://user@example.com/", "credentials_in_url"},
	{"https://example.com@127.0.0.1/", "credentials_in_url"},
	// ports
	{"https://example.com:22/", "port_not_allowed"},
	{"https://example.com:25/", "port_not_allowed"},
	{"https://example.com:0/", "port_not_allowed"},
	{"https://example.com:0443/", "port_not_allowed"},
	{"https://example.com:65536/", "port_not_allowed"},
	// odd notations
	{"https://2130706433/", "ip_notation"},
	{"https://0x7f000001/", "ip_notation"},
	{"https://0x7f.0.0.1/", "ip_notation"},
	{"https://0177.0.0.1/", "ip_notation"},
	{"https://127.1/", "ip_notation"},
	{"https://127.0.1/", "ip_notation"},
	{"https://0/", "ip_notation"},
	{"https://127.0.0.0x1/", "ip_notation"},
	{"https://127.0.0.1./", "ip_notation"},
	{"https://256.1.1.1/", "ip_notation"},
	{"https://1.2.3.4.5/", "ip_notation"},
	{"https://example.123/", "ip_notation"},
	{"https://0x/", "ip_notation"},
	{"https://１２７.0.0.1/", "ip_notation"},
	{"https://127。0。0。1/", "ip_notation"},
	{"https://①②⑦.0.0.1/", "ip_notation"},
	{"https://[::ffff:127.0.0.1]/", "ip_notation"},
	{"https://[::ffff:7f00:1]/", "ip_notation"},
	{"https://[::ffff:8.8.8.8]/", "ip_notation"},
	{"https://[::127.0.0.1]/", "ip_notation"},
	{"https://[fe80::1%25eth0]/", "ip_notation"},
	// addresses
	{"https://localhost/", "private_address"},
	{"https://LOCALHOST./", "private_address"},
	{"https://x.localhost/", "private_address"},
	{"https://127.0.0.1/", "private_address"},
	{"https://127.255.255.254/", "private_address"},
	{"https://0.0.0.0/", "private_address"},
	{"https://0.1.2.3/", "private_address"},
	{"https://10.0.0.1/", "private_address"},
	{"https://100.64.0.1/", "private_address"},
	{"https://100.100.100.200/", "private_address"},
	{"https://169.254.169.254/latest/meta-data/", "private_address"},
	{"https://168.63.129.16/", "private_address"},
	{"https://172.16.0.1/", "private_address"},
	{"https://172.31.255.255/", "private_address"},
	{"https://192.0.0.192/", "private_address"},
	{"https://192.0.2.1/", "private_address"},
	{"https://192.88.99.1/", "private_address"},
	{"https://192.168.1.1/", "private_address"},
	{"https://198.18.0.1/", "private_address"},
	{"https://198.19.255.255/", "private_address"},
	{"https://198.51.100.1/", "private_address"},
	{"https://203.0.113.1/", "private_address"},
	{"https://224.0.0.1/", "private_address"},
	{"https://239.255.255.250/", "private_address"},
	{"https://240.0.0.1/", "private_address"},
	{"https://255.255.255.255/", "private_address"},
	{"https://[::]/", "private_address"},
	{"https://[::1]/", "private_address"},
	{"https://[0:0:0:0:0:0:0:1]/", "private_address"},
	{"https://[::7f00:1]/", "private_address"},
	{"https://[64:ff9b::7f00:1]/", "private_address"},
	{"https://[64:ff9b::808:808]/", "private_address"},
	{"https://[64:ff9b:1::a00:1]/", "private_address"},
	{"https://[100::1]/", "private_address"},
	{"https://[2001::1]/", "private_address"},
	{"https://[2001:0:7f00:1::]/", "private_address"},
	{"https://[2001:2::1]/", "private_address"},
	{"https://[2001:10::1]/", "private_address"},
	{"https://[2001:db8::1]/", "private_address"},
	{"https://[2002:7f00:1::]/", "private_address"},
	{"https://[2002:a9fe:a9fe::]/", "private_address"},
	{"https://[2606:4700::5efe:a00:1]/", "private_address"},
	{"https://[2606:4700::200:5efe:a00:1]/", "private_address"},
	{"https://[3ffe::1]/", "private_address"},
	{"https://[3fff::1]/", "private_address"},
	{"https://[5f00::1]/", "private_address"},
	{"https://[fc00::1]/", "private_address"},
	{"https://[fd00:ec2::254]/", "private_address"},
	{"https://[fd20:ce::254]/", "private_address"},
	{"https://[fe80::1]/", "private_address"},
	{"https://[fec0::1]/", "private_address"},
	{"https://[ff02::1]/", "private_address"},
}

func TestURLs(t *testing.T) {
	g := newGuard(t, webhook.GuardConfig{})
	for _, c := range urls {
		u, err := g.CheckURL(c.url)
		if got := fault.ReasonOf(err); got != c.reason {
			t.Errorf("%q: %q, want %q", c.url, got, c.reason)
		}
		if err != nil && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: code %s", c.url, fault.CodeOf(err))
		}
		if err == nil && strings.ContainsFunc(u.Host, func(r rune) bool { return r > 0x7f || r >= 'A' && r <= 'Z' }) {
			t.Errorf("%q: host %q", c.url, u.Host)
		}
	}
}

// resolver answers each look-up of a name with the next of its answers, the last one for ever.
type resolver struct {
	mu      sync.Mutex
	answers [][]netip.Addr
	asked   int
}

func answers(lists ...string) *resolver {
	r := &resolver{}
	for _, list := range lists {
		var as []netip.Addr
		for text := range strings.FieldsSeq(list) {
			as = append(as, netip.MustParseAddr(text))
		}
		r.answers = append(r.answers, as)
	}
	return r
}

func (r *resolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.answers[min(r.asked, len(r.answers))-1], nil
}

var errDialled = errors.New("dialled")

// record makes the guard note what it would dial, after its control function had its say.
func record(g *webhook.Guard) *[]string {
	var dialled []string
	g.DialWith(func(_ context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
		if err := d.Control(network, address, nil); err != nil {
			return nil, err
		}
		dialled = append(dialled, address)
		return nil, errDialled
	})
	return &dialled
}

// TestEveryFormAtDialTime sends the same addresses through DNS and as literals past CheckURL.
func TestEveryFormAtDialTime(t *testing.T) {
	for _, c := range urls {
		u, err := url.Parse(c.url)
		if err != nil || u.Hostname() == "" || c.reason == "scheme_not_allowed" || c.reason == "credentials_in_url" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = "443"
		}
		g := newGuard(t, webhook.GuardConfig{Resolver: answers("127.0.0.1")}) // whatever is taken for a name leads home
		dialled := record(g)
		_, err = g.DialContext(t.Context(), "tcp", net.JoinHostPort(u.Hostname(), port))
		literal := c.url == "https://8.8.8.8/" || strings.HasPrefix(c.url, "https://[2606:4700::1111]")
		if literal != (len(*dialled) == 1) || literal != errors.Is(err, errDialled) || fault.CodeOf(err) != fault.Invalid && !literal {
			t.Errorf("%q: dialled %v, %v", c.url, *dialled, err)
		}
		a, err := netip.ParseAddr(u.Hostname())
		if err != nil || literal || a.Zone() != "" || c.url == "https://[::ffff:8.8.8.8]/" {
			continue
		}
		g = newGuard(t, webhook.GuardConfig{Resolver: answers(u.Hostname())})
		dialled = record(g)
		if _, err := g.DialContext(t.Context(), "tcp", "innocent.example:443"); !errors.Is(err, webhook.ErrPrivateAddress) || len(*dialled) != 0 {
			t.Errorf("a name for %s: dialled %v, %v", a, *dialled, err)
		}
	}
}

func TestRebinding(t *testing.T) {
	// The first answer is public, every later one is not: one look-up, and what was judged is what is dialled.
	r := answers("1.1.1.1", "127.0.0.1")
	g := newGuard(t, webhook.GuardConfig{Resolver: r})
	dialled := record(g)
	_, err := g.DialContext(t.Context(), "tcp", "rebind.example:443")
	if !errors.Is(err, errDialled) || len(*dialled) != 1 || (*dialled)[0] != "1.1.1.1:443" || r.asked != 1 {
		t.Fatalf("first: dialled %v after %d look-ups, %v", *dialled, r.asked, err)
	}
	_, err = g.DialContext(t.Context(), "tcp", "rebind.example:443")
	if !errors.Is(err, webhook.ErrPrivateAddress) || len(*dialled) != 1 {
		t.Fatalf("second: dialled %v, %v", *dialled, err)
	}
	// An answer with both kinds leads to the public address only.
	g = newGuard(t, webhook.GuardConfig{Resolver: answers("10.0.0.1 64:ff9b::101:101 1.1.1.1 ::ffff:1.0.0.1 ::ffff:10.0.0.1")})
	dialled = record(g)
	_, err = g.DialContext(t.Context(), "tcp", "mixed.example:443")
	if got := strings.Join(*dialled, " "); !errors.Is(err, errDialled) || got != "1.1.1.1:443 1.0.0.1:443" {
		t.Fatalf("mixed: dialled %s, %v", got, err)
	}
	// Even a dialler that is told something else is stopped at the socket.
	g = newGuard(t, webhook.GuardConfig{Resolver: answers("1.1.1.1")})
	g.DialWith(func(_ context.Context, d *net.Dialer, network, _ string) (net.Conn, error) {
		return nil, d.Control(network, "127.0.0.1:443", nil)
	})
	if _, err = g.DialContext(t.Context(), "tcp", "x.example:443"); !errors.Is(err, webhook.ErrPrivateAddress) {
		t.Fatalf("at the socket: %v", err)
	}
}

func get(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func TestAllowPrivateOpensOnlyThat(t *testing.T) {
	g := newGuard(t, webhook.GuardConfig{AllowPrivate: blocks("10.1.0.0/16", "fd00:1::/32"), Deny: blocks("10.1.9.0/24", "9.9.9.0/24")})
	for _, c := range []struct{ url, reason string }{
		{"https://10.1.2.3/", ""},
		{"http://10.1.2.3/", ""},
		{"https://[fd00:1::1]/", ""},
		{"http://[fd00:1::1]:8080/", ""},
		{"https://10.2.0.1/", "private_address"},
		{"https://10.1.9.1/", "private_address"},
		{"https://9.9.9.9/", "private_address"},
		{"https://127.0.0.1/", "private_address"},
		{"https://localhost/", "private_address"},
		{"https://[fd00:2::1]/", "private_address"},
		{"https://[::ffff:10.1.2.3]/", "ip_notation"},
		{"https://[64:ff9b::a01:203]/", "private_address"},
		{"http://8.8.8.8/", "scheme_not_allowed"},
		{"https://8.8.8.8/", ""},
		{"http://name.example/", ""}, // decided when it is dialled
	} {
		if _, err := g.CheckURL(c.url); fault.ReasonOf(err) != c.reason {
			t.Errorf("%q: %v, want %q", c.url, err, c.reason)
		}
	}
	for to, want := range map[string]error{"10.1.2.3": errDialled, "10.2.0.1": webhook.ErrPrivateAddress, "8.8.8.8": webhook.ErrScheme, "127.0.0.1": webhook.ErrPrivateAddress} {
		g := newGuard(t, webhook.GuardConfig{AllowPrivate: blocks("10.1.0.0/16"), Resolver: answers(to)})
		record(g)
		if err := get(g.Client(), "http://name.example/"); !errors.Is(err, want) {
			t.Errorf("http to a name for %s: %v, want %v", to, err, want)
		}
	}
}

func TestGuardClient(t *testing.T) {
	var hits int
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { hits++; fmt.Fprint(w, "ok") })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) })
	plain := httptest.NewServer(mux)
	defer plain.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")

	if err := get(newGuard(t, webhook.GuardConfig{}).Client(), plain.URL); !errors.Is(err, webhook.ErrScheme) {
		t.Errorf("closed: %v", err)
	}
	c := newGuard(t, webhook.GuardConfig{AllowPrivate: blocks("127.0.0.0/8")}).Client()
	defer c.CloseIdleConnections()
	resp, err := c.Get(plain.URL + "/away")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusFound || hits != 0 {
		t.Errorf("a redirect: %d, %d hits", resp.StatusCode, hits)
	}
	resp, err = c.Get(plain.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(body) != "ok" || hits != 1 {
		t.Errorf("%q, %d hits", body, hits)
	}
	if err := get(c, strings.Replace(plain.URL, "//", "//u:p@", 1)); !errors.Is(err, webhook.ErrCredentials) {
		t.Errorf("credentials: %v", err)
	}
	if err := get(c, "http://[::1]:"+plain.URL[strings.LastIndexByte(plain.URL, ':')+1:]); !errors.Is(err, webhook.ErrPrivateAddress) {
		t.Errorf("another loopback address: %v", err)
	}
}

func TestHTTP2(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	tr := newGuard(t, webhook.GuardConfig{AllowPrivate: blocks("127.0.0.0/8"), RootCAs: roots}).Transport()
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ProtoMajor != 2 {
		t.Errorf("%s", resp.Proto)
	}
}

func TestConnectTimeout(t *testing.T) {
	g := newGuard(t, webhook.GuardConfig{Resolver: answers("1.1.1.1 1.0.0.1"), ConnectTimeout: time.Hour})
	var shares []time.Duration
	g.DialWith(func(_ context.Context, d *net.Dialer, _, _ string) (net.Conn, error) {
		shares = append(shares, d.Timeout.Round(time.Minute))
		return nil, errDialled
	})
	_, err := g.DialContext(t.Context(), "tcp", "x.example:443")
	if !errors.Is(err, errDialled) || len(shares) != 2 || shares[0] != 30*time.Minute || shares[1] != time.Hour {
		t.Errorf("%v, %v", shares, err)
	}
	if _, err := g.DialContext(t.Context(), "udp", "x.example:443"); !errors.Is(err, webhook.ErrURL) {
		t.Errorf("udp: %v", err)
	}
	if _, err := g.DialContext(t.Context(), "tcp", "x.example:22"); !errors.Is(err, webhook.ErrPort) {
		t.Errorf("port: %v", err)
	}
}

func TestGuardConfig(t *testing.T) {
	for name, cfg := range map[string]webhook.GuardConfig{
		"no block":       {AllowPrivate: []netip.Prefix{{}}},
		"a mapped block": {Deny: blocks("::ffff:10.0.0.0/104")},
		"a time":         {TLSTimeout: -1},
		"a number":       {IdlePerHost: -1},
	} {
		if _, err := webhook.NewGuard(cfg); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	g := newGuard(t, webhook.GuardConfig{Ports: []uint16{8443}})
	if _, err := g.CheckURL("https://example.com/"); !errors.Is(err, webhook.ErrPort) {
		t.Errorf("%v", err)
	}
	if _, err := g.CheckURL("https://example.com:8443/"); err != nil {
		t.Errorf("%v", err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, c := range urls {
		f.Add(c.url)
	}
	g := newGuard(f, webhook.GuardConfig{})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := g.CheckURL(raw)
		if err != nil {
			return
		}
		if u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
			t.Fatalf("%q passes", raw)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !webhook.IsPublicAddr(a) {
			t.Fatalf("%q passes with %s", raw, a)
		}
		again, err := g.CheckURL(u.String())
		if err != nil || again.Host != u.Host {
			t.Fatalf("%q becomes %q, which gives %v", raw, u, err)
		}
	})
}

func BenchmarkCheckURL(b *testing.B) {
	g := newGuard(b, webhook.GuardConfig{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.CheckURL("https://hooks.example.com/services/a?b=c"); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleGuard() {
	g, err := webhook.NewGuard(webhook.GuardConfig{})
	if err != nil {
		panic(err)
	}
	for _, raw := range []string{"https://example.com/hook", "http://example.com/hook", "https://169.254.169.254/", "https://0x7f.1/"} {
		_, err := g.CheckURL(raw)
		fmt.Printf("%s %q\n", raw, fault.ReasonOf(err))
	}
	resp, err := g.Client().Get("https://127.0.0.1:8443/") // a client for requests to foreign addresses
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
	}
	fmt.Println(errors.Is(err, webhook.ErrPrivateAddress))
	// Output:
	// https://example.com/hook ""
	// http://example.com/hook "scheme_not_allowed"
	// https://169.254.169.254/ "private_address"
	// https://0x7f.1/ "ip_notation"
	// true
}
