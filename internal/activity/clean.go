package activity

import (
	"net/netip"
	"strings"
	"time"
	"unicode"
)

// MaxFuture is how far beyond now a record's time may lie: clocks differ, and
// vendors round. What lies further ahead is refused, for it would poison every
// list sorted by time.
const MaxFuture = 24 * time.Hour

// ParseAddress reads an address in any of the ways Microsoft's logs and what
// stands between write one: "1.2.3.4", "1.2.3.4:567", "[v6]:port", bare v6 with
// or without a port, "::ffff:1.2.3.4", "HOST (1.2.3.4)". Of several the first
// that is a place counts: it is the client, the others are what stood between.
// The result is invalid for what is no place: empty, "null", loopback,
// unspecified, broadcast and link-local addresses (an owner in Outlook on the
// web shows as "::1"; detections.md, "What detection must not flag").
func ParseAddress(s string) netip.Addr {
	if s == "" || len(s) > maxAddresses {
		return netip.Addr{}
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return place(addr)
	}
	for part := range strings.FieldsFuncSeq(s, betweenAddresses) {
		if addr := place(addressOf(part)); addr.IsValid() {
			return addr
		}
	}
	return netip.Addr{}
}

// maxAddresses is longer than any list of addresses a record holds.
const maxAddresses = 4096

func betweenAddresses(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(`,;|()<>{}"'`, r)
}

// addressOf reads one address, with a port, in brackets or with both.
func addressOf(s string) netip.Addr {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr()
	}
	if bare, ok := strings.CutPrefix(s, "["); ok {
		bare, _, _ = strings.Cut(bare, "]")
		if bare, ok := strings.CutPrefix(bare, "["); ok { // of a list whose elements have brackets
			return addressOf("[" + bare)
		}
		return unported(bare)
	}
	return unported(strings.TrimSuffix(s, "]"))
}

// unported reads an address whose port, if any, is separated by the last colon.
func unported(s string) netip.Addr {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr
	}
	if i := strings.LastIndexByte(s, ':'); i > 0 {
		if addr, err := netip.ParseAddr(s[:i]); err == nil {
			return addr
		}
	}
	return netip.Addr{}
}

func place(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || addr.IsLoopback() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() || addr.IsMulticast() ||
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

// timeLayouts are the ways vendors' records and the tools that hand them on
// write a moment; without a zone all of them mean UTC (Purview's CreationTime).
// None may leave open which number is the day and which the month.
var timeLayouts = []string{
	"2006-01-02T15:04:05.9999999",
	"2006-01-02 15:04:05.9999999",
	"2006-01-02 15:04:05.9999999Z07:00",
	"2006-01-02T15:04:05.9999999Z0700",
	"2006-01-02 15:04:05.9999999Z0700",
	"2006-01-02T15:04:05.9999999 Z07:00",
	"2006-01-02T15:04:05.9999999 Z0700",
	"2006-01-02 15:04:05.9999999 Z07:00",
	"2006-01-02 15:04:05.9999999 Z0700",
	"2006-01-02T15:04:05.9999999Z07",
	"2006-01-02 15:04:05.9999999Z07",
	"2006-01-02T15:04",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02 15:04Z07:00",
	"20060102T150405Z0700",
	"20060102T150405Z07:00",
	"2006/01/02 15:04:05",
	"Mon, 02 Jan 2006 15:04:05 Z0700",
	"Mon, 2 Jan 2006 15:04:05 Z0700",
}

// ParseTime reads a moment as a record (not a spreadsheet) writes it, and
// returns it in UTC, cut to microseconds, the finest both databases keep.
func ParseTime(s string) (time.Time, bool) {
	t, err := time.Parse(layoutFor(s), s)
	if err != nil {
		s = plainTime(s)
		t, err = time.Parse(time.RFC3339Nano, s)
		for i := 0; err != nil && i < len(timeLayouts); i++ {
			t, err = time.Parse(timeLayouts[i], s)
		}
	}
	if err != nil || t.Year() < 2000 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t.UTC().Truncate(time.Microsecond), true
}

// layoutFor is the layout of the two forms that nearly all records have.
func layoutFor(s string) string {
	if len(s) == len("2006-01-02T15:04:05") {
		return timeLayouts[0]
	}
	return time.RFC3339Nano
}

// plainTime takes out what only varies the look: blanks around, small t and z,
// a fraction of no digits, the word UTC.
func plainTime(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	for _, zone := range []string{" +0000 UTC", "UTC", "GMT"} {
		if rest, ok := strings.CutSuffix(s, zone); ok {
			s = strings.TrimSpace(rest) + "Z"
			if strings.Contains(s, ", ") { // of a mail's date, whose zone stands apart
				s = strings.TrimSuffix(s, "Z") + " Z"
			}
			break
		}
	}
	if i := strings.IndexByte(s, '.'); i >= 0 && (i+1 == len(s) || s[i+1] < '0' || s[i+1] > '9') {
		s = s[:i] + s[i+1:]
	}
	return s
}

// Principal returns the lower-case form in which principals are compared.
func Principal(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }
