package outbound

import "net/netip"

// special are the networks that are not the public Internet (the IANA
// special-purpose registries, RFC 6890 and its successors), with what they are.
var special = []struct {
	network netip.Prefix
	what    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this machine's own network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared with a provider's other clients"}, // also 100.100.100.200, Alibaba's metadata
	{netip.MustParsePrefix("127.0.0.0/8"), "this machine"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local, where clouds keep their metadata"},
	{netip.MustParsePrefix("168.63.129.16/32"), "Azure's metadata"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"}, // also 192.0.0.192, Oracle's metadata
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"}, // also broadcast

	{netip.MustParsePrefix("::/128"), "this machine"},
	{netip.MustParsePrefix("::1/128"), "this machine"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "a local translation to IPv4"},
	{netip.MustParsePrefix("100::/64"), "discarded"},
	{netip.MustParsePrefix("2001::/23"), "reserved"}, // also Teredo, ORCHID
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation"},
	{netip.MustParsePrefix("5f00::/16"), "reserved"},
	{netip.MustParsePrefix("fc00::/7"), "private"}, // also fd00:ec2::254, Amazon's metadata
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "private"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// unicast is what of IPv6 is public at all (RFC 4291, 2.4).
var unicast = netip.MustParsePrefix("2000::/3")

// carriers are networks whose addresses hold one of IPv4, and lead where that
// does; after is the byte it begins at. The other ways to write IPv4 as IPv6 are
// outside of what is public.
var carriers = []struct {
	network netip.Prefix
	after   int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4 (RFC 3056)
}

// refused says why an address is not called, "" where it may be.
func refused(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return "no address"
	}
	for _, s := range special {
		if s.network.Contains(addr) {
			return s.what
		}
	}
	if addr.Is4() {
		return ""
	}
	for _, c := range carriers {
		if c.network.Contains(addr) {
			b := addr.As16()
			if why := refused(netip.AddrFrom4([4]byte(b[c.after : c.after+4]))); why != "" {
				return "an IPv4 address in IPv6, " + why
			}
			return ""
		}
	}
	if !unicast.Contains(addr) {
		return "reserved"
	}
	return ""
}
