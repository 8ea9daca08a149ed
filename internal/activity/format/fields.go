package format

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/cairn-itdr/cairn/internal/activity"
)

// firstAddress returns the first candidate that is a place.
func firstAddress(candidates ...string) netip.Addr {
	for _, c := range candidates {
		if addr := activity.ParseAddress(c); addr.IsValid() {
			return addr
		}
	}
	return netip.Addr{}
}

func truth(s string) bool { return strings.EqualFold(s, "true") || s == "1" }

// join returns the lists as one, without copying where only one has anything.
func join(lists ...[]activity.Parameter) []activity.Parameter {
	var out []activity.Parameter
	for _, list := range lists {
		switch {
		case len(list) == 0:
		case out == nil:
			out = slices.Clip(list)
		default:
			out = append(out, list...)
		}
	}
	return out
}

func badTime(member, value string) error {
	if value == "" {
		return reject("the record has no %s", member)
	}
	return reject("%s is no time: %q", member, cut(value, 40))
}
