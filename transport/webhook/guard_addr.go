package webhook

import (
	"net/netip"

	"github.com/renkei-go/renkei/foundation/fault"
)

// refused are the blocks that no public service lives in: IANA IPv4 and IPv6 special-purpose registries (RFC 6890 and
// later entries), multicast and class E, and addresses that look public but lead into the cloud that we run in.
var refused = prefixes(
	"0.0.0.0/8",        // "this network", RFC 791
	"10.0.0.0/8",       // private, RFC 1918
	"100.64.0.0/10",    // CGNAT, RFC 6598; Alibaba's metadata too
	"127.0.0.0/8",      // loopback, RFC 1122
	"169.254.0.0/16",   // link-local, RFC 3927; most metadata services
	"172.16.0.0/12",    // private, RFC 1918
	"192.0.0.0/24",     // protocol assignments, RFC 6890; Oracle's metadata too
	"192.0.2.0/24",     // documentation, RFC 5737
	"192.88.99.0/24",   // 6to4 relay, RFC 7526
	"192.168.0.0/16",   // private, RFC 1918
	"198.18.0.0/15",    // benchmarking, RFC 2544
	"198.51.100.0/24",  // documentation, RFC 5737
	"203.0.113.0/24",   // documentation, RFC 5737
	"224.0.0.0/4",      // multicast, RFC 5771
	"240.0.0.0/4",      // reserved and broadcast, RFC 1112
	"168.63.129.16/32", // Azure's host agent and DNS: public by number, local by route

	"2001::/23",     // protocol assignments: Teredo (RFC 4380), benchmarking, ORCHID
	"2001:db8::/32", // documentation, RFC 3849
	"2002::/16",     // 6to4, RFC 3056: an IPv4 address inside
	"3ffe::/16",     // 6bone, RFC 3701
	"3fff::/20",     // documentation, RFC 9637
)

// global is what IPv6 hands out to the public (RFC 4291 §2.4). Everything else is refused: unspecified, loopback,
// compatible and mapped forms, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), discard, segment routing, unique local,
// link-local, site-local and multicast.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// ErrPrivateAddress refuses an address that is not on the public Internet, by CheckURL and when it is dialled.
var ErrPrivateAddress = fault.New(fault.Invalid, "private_address", "the address is not on the public Internet")

// CheckAddr returns ErrPrivateAddress for an address that may not be connected to.
func (g *Guard) CheckAddr(a netip.Addr) error {
	a = a.WithZone("").Unmap()
	switch {
	case contains(g.deny, a):
		return ErrPrivateAddress
	case contains(g.allow, a), IsPublicAddr(a):
		return nil
	}
	return ErrPrivateAddress
}

// IsPublicAddr says whether the address is a unicast address of the public Internet.
func IsPublicAddr(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if !a.IsValid() || contains(refused, a) {
		return false
	}
	return a.Is4() || global.Contains(a) && !isISATAP(a)
}

// isISATAP finds an IPv4 address in the interface identifier (RFC 5214 §6.1).
func isISATAP(a netip.Addr) bool {
	b := a.As16()
	return b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

func contains(ps []netip.Prefix, a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
