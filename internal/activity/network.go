package activity

import "net/netip"

// microsoftNetworks are the autonomous systems that Microsoft runs itself
// (owner names of the AS tables; detections.md, "What detection must not
// flag"). Sorted, for readers.
var microsoftNetworks = [...]uint32{3598, 8068, 8069, 8070, 8075, 12076, 35106, 200517}

// Microsoft reports whether the address lies in Microsoft's hands: one of its
// services, or a machine on Azure, which anybody may have rented. In a record
// that is no interactive sign-in such an address is no place of the person:
// the service acted for them.
func (n Network) Microsoft() bool {
	if n.Kind == NetworkMicrosoft {
		return true
	}
	for _, number := range microsoftNetworks {
		if n.Number == number {
			return true
		}
	}
	return false
}

// mailServers are the addresses of Exchange Online: those Microsoft publishes
// for its mail service, and those its servers use among themselves, which
// records show where a server acted for the person.
var mailServers = [...]netip.Prefix{
	netip.MustParsePrefix("13.107.6.152/31"),
	netip.MustParsePrefix("13.107.18.10/31"),
	netip.MustParsePrefix("13.107.128.0/22"),
	netip.MustParsePrefix("23.103.160.0/20"),
	netip.MustParsePrefix("40.92.0.0/15"),
	netip.MustParsePrefix("40.96.0.0/13"),
	netip.MustParsePrefix("40.104.0.0/15"),
	netip.MustParsePrefix("40.107.0.0/16"),
	netip.MustParsePrefix("52.96.0.0/14"),
	netip.MustParsePrefix("52.100.0.0/14"),
	netip.MustParsePrefix("104.47.0.0/17"),
	netip.MustParsePrefix("131.253.33.215/32"),
	netip.MustParsePrefix("132.245.0.0/16"),
	netip.MustParsePrefix("150.171.32.0/22"),
	netip.MustParsePrefix("204.79.197.215/32"),
	netip.MustParsePrefix("2603:1006::/32"),
	netip.MustParsePrefix("2603:1016::/32"),
	netip.MustParsePrefix("2603:1026::/32"),
	netip.MustParsePrefix("2603:1036::/32"),
	netip.MustParsePrefix("2603:1046::/32"),
	netip.MustParsePrefix("2603:1056::/32"),
	netip.MustParsePrefix("2603:1096::/32"),
	netip.MustParsePrefix("2603:10a6::/32"),
	netip.MustParsePrefix("2603:10b6::/32"),
	netip.MustParsePrefix("2603:10c6::/32"),
	netip.MustParsePrefix("2603:10d6::/32"),
	netip.MustParsePrefix("2603:10e6::/32"),
	netip.MustParsePrefix("2620:1ec::/36"),
	netip.MustParsePrefix("2a01:111:f400::/48"),
	netip.MustParsePrefix("2a01:111:f403::/48"),
}

// MailServer reports whether the address is one of Microsoft's mail service: a
// person is never there.
func MailServer(addr netip.Addr) bool {
	for _, p := range mailServers {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
