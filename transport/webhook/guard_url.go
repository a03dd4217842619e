package webhook

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/renkei-go/renkei/foundation/check"
	"github.com/renkei-go/renkei/foundation/fault"
)

// Why a URL is refused, besides ErrPrivateAddress.
var (
	ErrURL         = fault.New(fault.Invalid, "invalid_url", "a URL such as https://example.com/hook is needed")
	ErrScheme      = fault.New(fault.Invalid, "scheme_not_allowed", "only https is allowed")
	ErrCredentials = fault.New(fault.Invalid, "credentials_in_url", "a user name or password in the URL is not allowed")
	ErrPort        = fault.New(fault.Invalid, "port_not_allowed", "the port is not allowed")
	ErrNotation    = fault.New(fault.Invalid, "ip_notation", "an IP address is written in its canonical form, IPv4 with four decimal numbers")
)

// maxURL is the longest URL, in bytes.
const maxURL = 2048

// CheckURL returns the URL in the form to dial (host in lower-case ASCII), or why its text alone rules it out: ErrURL,
// ErrScheme, ErrCredentials, ErrPort, ErrNotation or ErrPrivateAddress. It asks no name server: what a name stands for is
// judged when it is dialled, by DialContext. Plain http passes for a name only if AllowPrivate has any block.
func (g *Guard) CheckURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL || !check.IsText(raw, false) || strings.ContainsAny(raw, " \\") {
		return nil, ErrURL
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.Scheme == "" || u.Fragment != "" {
		return nil, ErrURL
	}
	if u.User != nil {
		return nil, ErrCredentials
	}
	if err := g.checkURL(u); err != nil {
		return nil, err
	}
	return u, nil
}

// checkURL judges a parsed URL and makes its host canonical.
func (g *Guard) checkURL(u *url.URL) error {
	if u.Scheme != "https" && (u.Scheme != "http" || len(g.allow) == 0) {
		return ErrScheme
	}
	host, addr, err := parseHost(u.Hostname())
	if err != nil {
		return err
	}
	port := u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return ErrURL
	}
	if !g.portAllowed(u.Scheme, port) {
		return ErrPort
	}
	switch {
	case addr.IsValid():
		if err := g.CheckAddr(addr); err != nil {
			return err
		}
		if u.Scheme == "http" && !contains(g.allow, addr) {
			return ErrScheme
		}
	case isLocalName(host) && !g.opensLoopback():
		return ErrPrivateAddress
	}
	if addr.Is6() {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	u.Host = host
	return nil
}

func (g *Guard) portAllowed(scheme, text string) bool {
	if text == "" {
		text = map[string]string{"https": "443", "http": "80"}[scheme]
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 || text[0] == '0' {
		return false
	}
	if len(g.ports) == 0 {
		return port == 80 || port == 443 || port >= 1024
	}
	return g.ports[uint16(port)]
}

// parseHost reads a host name or an IP address. What another parser might take for an address, though this one does
// not, is ErrNotation: a last label that is a number in any base (WHATWG URL §3.5, "ends in a number").
func parseHost(host string) (name string, addr netip.Addr, err error) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return "", addr, ErrURL
		}
		if addr.Zone() != "" || addr.Is4In6() || strings.Contains(host, ".") {
			return "", addr, ErrNotation
		}
		return addr.String(), addr, nil
	}
	ascii := strings.ToLower(strings.TrimSuffix(host, "."))
	if !isHostName(ascii) || strings.Contains(ascii, "xn--") {
		if ascii, err = idna.Lookup.ToASCII(ascii); err != nil || !isHostName(ascii) {
			return "", addr, ErrURL
		}
	}
	if !endsInNumber(ascii) {
		return ascii, netip.Addr{}, nil
	}
	addr, err = netip.ParseAddr(ascii)
	if err != nil || ascii != host {
		return "", netip.Addr{}, ErrNotation
	}
	return ascii, addr, nil
}

func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	digits, base := last, "0123456789"
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		digits, base = hex, "0123456789abcdef"
	}
	return strings.Trim(digits, base) == ""
}

// isLocalName says whether the name always means this machine (RFC 6761 §6.3).
func isLocalName(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (g *Guard) opensLoopback() bool {
	v4, v6 := netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")
	for _, p := range g.allow {
		if p.Overlaps(v4) || p.Overlaps(v6) {
			return true
		}
	}
	return false
}
