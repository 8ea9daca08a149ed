package detect

import (
	"math"
	"math/bits"
)

// neverShared is the day from which a source that is no gateway is one.
const neverShared = math.MaxInt

// gatewayDays and gatewayAccounts make a known gateway: two colleagues on it
// for two days.
const (
	gatewayDays     = 2
	gatewayAccounts = 2 // built into secondSmallest
)

// gatewaySince returns the absolute day by which the source has shown itself a
// gateway of the tenant, judged from a month and the one before it (either may
// be nil), or neverShared. What happens later than that day happens at a known gateway.
func gatewaySince(prev, cur *SourceBook, period int) int {
	if prev != nil {
		if d := prev.gatewayDay(); d != neverShared {
			return periodStart(period-1).day() + d - 1
		}
	}
	if cur == nil {
		return neverShared
	}
	if cur.Shared {
		return periodStart(period).day() - 1
	}
	start := periodStart(period - 1).day()
	shift := periodStart(period).day() - start
	var nth []int
	for i := range cur.Users {
		u := &cur.Users[i]
		days := uint64(u.Proved) << shift
		if v := prev.user(u.Account); v != nil {
			days |= uint64(v.Proved)
		}
		if d := nthDay(days, gatewayDays); d != neverShared {
			nth = append(nth, d)
		}
	}
	// An account seen in the month before only may be the second.
	for i := range prev.users() {
		u := &prev.Users[i]
		if cur.user(u.Account) == nil {
			if d := nthDay(uint64(u.Proved), gatewayDays); d != neverShared {
				nth = append(nth, d)
			}
		}
	}
	second := secondSmallest(nth)
	if second == neverShared {
		return neverShared
	}
	return start + second - 1
}

// gatewayDay returns the day of the month by which this month alone has shown
// the source to be a gateway, neverShared where it has not.
func (b *SourceBook) gatewayDay() int {
	if !b.gatewayKnown {
		b.gateway, b.gatewayKnown = 0, true
		if !b.Shared {
			days := make([]int, 0, len(b.Users))
			for i := range b.Users {
				days = append(days, nthDay(uint64(b.Users[i].Proved), gatewayDays))
			}
			b.gateway = secondSmallest(days)
		}
	}
	return b.gateway
}

// secondSmallest returns the day by which gatewayAccounts accounts are known.
func secondSmallest(days []int) int {
	first, second := neverShared, neverShared
	for _, d := range days {
		if d < first {
			first, second = d, first
		} else if d < second {
			second = d
		}
	}
	return second
}

// nthDay returns the number, from 1, of the n-th set bit of days.
func nthDay(days uint64, n int) int {
	if bits.OnesCount64(days) < n {
		return neverShared
	}
	for range n - 1 {
		days &= days - 1
	}
	return bits.TrailingZeros64(days) + 1
}
