package activity

import (
	"net/netip"
	"strings"
	"time"
)

// MaxFuture is how far beyond now a record's time may lie: clocks differ, and
// vendors round. What lies further ahead is refused, for it would poison every
// list sorted by time.
const MaxFuture = 24 * time.Hour

// ParseAddress reads an address in any of the ways Microsoft's logs write one:
// "1.2.3.4", "1.2.3.4:567", "[v6]:port", bare v6, "::ffff:1.2.3.4". The result
// is invalid for what is no place: empty, "null", loopback, unspecified,
// broadcast and link-local addresses (an owner in Outlook on the web shows as
// "::1"; detections.md, "What detection must not flag").
func ParseAddress(s string) netip.Addr {
	s = strings.TrimSpace(s)
	if s == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			bare, ok := strings.CutPrefix(s, "[")
			if !ok {
				return netip.Addr{}
			}
			bare, _, _ = strings.Cut(bare, "]")
			if addr, err = netip.ParseAddr(bare); err != nil {
				return netip.Addr{}
			}
		} else {
			addr = ap.Addr()
		}
	}
	addr = addr.Unmap().WithZone("")
	if addr.IsLoopback() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() || addr.IsMulticast() ||
		addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.Addr{}
	}
	return addr
}

// Prefix returns the network a single subscriber or office is commonly given:
// /24 of a v4 address, /48 of a v6 one; invalid for an invalid address.
func Prefix(addr netip.Addr) netip.Prefix {
	if !addr.IsValid() {
		return netip.Prefix{}
	}
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// CanonicalOperation returns the operation as rules compare it: white space
// trimmed and folded, the final full stop dropped, every kind of dash a hyphen.
// The same act is "Add user." in one log and "Add user" in another.
func CanonicalOperation(s string) string {
	if isCanonical(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2212':
			return '-'
		}
		return r
	}, s)
	return strings.TrimSpace(strings.TrimSuffix(strings.Join(strings.Fields(s), " "), "."))
}

func isCanonical(s string) bool {
	if s == "" {
		return true
	}
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 || c < ' ' || (c == ' ' && (i == 0 || i == len(s)-1 || s[i-1] == ' ')) {
			return false
		}
	}
	return s[len(s)-1] != '.'
}

// timeLayouts are the ways vendors' records write a moment that has no zone
// letter or an unusual form; all of them mean UTC (Purview's CreationTime).
var timeLayouts = []string{
	"2006-01-02T15:04:05.9999999",
	"2006-01-02 15:04:05.9999999",
	"2006-01-02 15:04:05.9999999Z07:00",
}

// ParseTime reads a moment as a record (not a spreadsheet) writes it, and
// returns it in UTC, cut to microseconds, the finest both databases keep.
func ParseTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	for i := 0; err != nil && i < len(timeLayouts); i++ {
		t, err = time.Parse(timeLayouts[i], s)
	}
	if err != nil || t.Year() < 2000 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Microsecond), true
}

// Principal returns the lower-case form in which principals are compared.
func Principal(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
