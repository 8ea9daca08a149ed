package detect

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"time"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// moment is a time in microseconds since 1970, UTC.
type moment int64

func at(t time.Time) moment { return moment(t.UnixMicro()) }

func (m moment) time() time.Time { return time.UnixMicro(int64(m)).UTC() }

const (
	hour = moment(time.Hour / time.Microsecond)
	// daySpan is a day; an absolute day counts them since 1970.
	daySpan = 24 * hour
)

// coarse is how fine "last seen" is kept: a book in which nothing else changed
// is then written once in that time, not with every batch.
const coarse = hour

// lastSeen rounds a moment down to what a book keeps of "last seen".
func lastSeen(t moment) moment { return t - t%coarse }

// dayBit is the day of the month as a bit of a mask of days.
func dayBit(t moment) uint32 { return 1 << (t.time().Day() - 1) }

// day returns the absolute day.
func (m moment) day() int { return int(m / daySpan) }

// periodOf returns the month count of BookKey.
func periodOf(t time.Time) int {
	y, m, _ := t.UTC().Date()
	return y*12 + int(m) - 1
}

// periodStart returns the first moment of a period.
func periodStart(period int) moment {
	return at(time.Date(period/12, time.Month(period%12+1), 1, 0, 0, 0, 0, time.UTC))
}

// networkCode is a NetworkKind as books store it: add at the end, never renumber.
type networkCode uint8

var networkKinds = [...]activity.NetworkKind{
	"", activity.NetworkMicrosoft, activity.NetworkRelay, activity.NetworkTor, activity.NetworkVPN, activity.NetworkGateway,
	activity.NetworkHosting, activity.NetworkMobile, activity.NetworkSatellite, activity.NetworkConsumer, activity.NetworkUnknown,
}

func codeOf(k activity.NetworkKind) networkCode {
	for i, n := range networkKinds {
		if n == k {
			return networkCode(i)
		}
	}
	return 0
}

func (c networkCode) kind() activity.NetworkKind {
	if int(c) >= len(networkKinds) || c == 0 {
		return activity.NetworkUnknown
	}
	return networkKinds[c]
}

// Place is where and with what an account was used: a network and a client.
type Place struct {
	Number  uint32 // autonomous system, 0 where unknown
	Country string
	Kind    networkCode
	Prefix  netip.Prefix
	Agent   Agent
	Device  uint64 // hash of the device id, 0 where unknown
	Days    uint32 // bit n: used with success on day n+1 of the month
	First   moment

	key uint64 // of all fields above Days
}

// mix folds v into h: the finaliser of splitmix64, cheap and even.
func mix(h, v uint64) uint64 {
	h ^= v + 0x9e3779b97f4a7c15 + h<<6 + h>>2
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func (p *Place) computeKey() uint64 {
	addr := p.Prefix.Addr().As16()
	var hi, country uint64
	for i := range 8 {
		hi = hi<<8 | uint64(addr[i])
	}
	lo := uint64(addr[8])<<56 | uint64(addr[10])<<48 | uint64(addr[11])<<40 | uint64(addr[12])<<32 | uint64(addr[13])<<24 | uint64(addr[14])<<16
	for i := range len(p.Country) {
		country = country<<8 | uint64(p.Country[i])
	}
	h := mix(hi, lo|uint64(p.Prefix.Bits()&0xff))
	h = mix(h, uint64(p.Number)<<32|uint64(p.Kind)<<16|uint64(p.Agent))
	h = mix(h, country)
	return mix(h, p.Device)
}

func hashText[T ~string | ~[]byte](s T) uint64 {
	if len(s) == 0 {
		return 0
	}
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// placed says whether the record's address is a place of a person at all:
// Microsoft's own services also act for people, from their own addresses.
func placed(a *activity.Activity) bool {
	if !a.Address.IsValid() || a.Network.Kind == activity.NetworkMicrosoft {
		return false
	}
	return a.SignIn && a.Interactive || !a.Network.Microsoft()
}

// relayed says that a privacy relay explains the network: only Apple's clients use it.
func relayed(p *Place) bool {
	return p.Kind.kind() == activity.NetworkRelay && p.Agent.OS().apple()
}

// rented says that nobody lives there: data centres, VPNs, Tor.
func rented(k activity.NetworkKind) bool {
	return k == activity.NetworkHosting || k == activity.NetworkVPN || k == activity.NetworkTor
}

// peoples says that people sit there: at home, on a phone, on a plane.
func peoples(k activity.NetworkKind) bool {
	return k == activity.NetworkConsumer || k == activity.NetworkMobile || k == activity.NetworkSatellite
}

var kindNames = map[activity.NetworkKind]string{
	activity.NetworkRelay: "a privacy relay", activity.NetworkTor: "Tor", activity.NetworkVPN: "a VPN",
	activity.NetworkGateway: "a web gateway", activity.NetworkHosting: "a hosting network", activity.NetworkMobile: "a mobile network",
	activity.NetworkSatellite: "a satellite network", activity.NetworkConsumer: "a consumer network", activity.NetworkUnknown: "an unknown network",
	activity.NetworkMicrosoft: "a Microsoft network",
}

// describe names a network for people: address, kind, owner, number, country.
func describe(address string, kind activity.NetworkKind, number uint32, owner, country string) string {
	var b strings.Builder
	b.WriteString(address)
	name := kindNames[kind]
	if name == "" {
		name = kindNames[activity.NetworkUnknown]
	}
	b.WriteString(" (" + name)
	if number != 0 {
		fmt.Fprintf(&b, ", AS%d", number)
	}
	if owner != "" {
		b.WriteString(" " + quoteless(owner))
	}
	if country != "" {
		b.WriteString(", " + quoteless(country))
	}
	b.WriteString(")")
	return b.String()
}

// textLimit is how much of a text from a log an explanation repeats.
const textLimit = 80

// quoteless cuts a text from a log to a length people read.
func quoteless(s string) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > textLimit {
		return string(r[:textLimit]) + "…"
	}
	return string(r)
}

func quoted(s string) string { return "“" + quoteless(s) + "”" }

func when(m moment) string { return m.time().Format("2006-01-02 15:04 UTC") }

// daysBefore counts the days of a month's mask that lie before the given absolute day.
func daysBefore(mask uint32, period, day int) int {
	n := day - periodStart(period).day()
	switch {
	case n <= 0:
		return 0
	case n >= 32:
		return bits.OnesCount32(mask)
	}
	return bits.OnesCount32(mask & (1<<n - 1))
}
